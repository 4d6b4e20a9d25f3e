/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* port/log.h on the host: one write(2) a line, so that lines of several threads do not mix. */
#include "port/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "port/posix.h"

#define LINE_MAX_BYTES 1024

static atomic_int log_level = PORT_LOG_WARN; /* relaxed: a filter only */
static void (*log_hook)(void *ctx, enum port_log_level level, const char *text);
static void *log_hook_ctx;
static const char *log_program;

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void port_posix_log_level(enum port_log_level level)
{
	atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

void port_posix_log_hook(void (*hook)(void *ctx, enum port_log_level level, const char *text),
			 void *ctx)
{
	log_hook = hook;
	log_hook_ctx = ctx;
}

void port_posix_log_program(const char *name)
{
	log_program = name;
}

static void put_line(const char *kind, const char *text)
{
	char line[LINE_MAX_BYTES + 64];
	const char *name = log_program ? log_program : "";
	int n = snprintf(line, sizeof(line), "%s%s%s: %s\n", name, log_program ? ": " : "", kind,
			 text);
	size_t len = n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1;

	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nobody is left to tell */
}

void port_log(enum port_log_level level, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	va_list ap;

	if ((int)level > atomic_load_explicit(&log_level, memory_order_relaxed))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (log_hook)
		log_hook(log_hook_ctx, level, text);
	else
		put_line(level_names[level], text);
}

void port_panic(const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_line("panic", text);
	abort();
}

void port_assert_fail(const char *expr, const char *file, int line)
{
	port_panic("%s:%d: assertion failed: %s", file, line, expr);
}
