/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* port/log.h in the simulator: a ring of the last lines, counters, and the end of a failed test. */
#include "port/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "sim/sim.h"
#include "sim_priv.h"

#define LINES 64u
#define LINE_BYTES 240

static struct {
	char lines[LINES][LINE_BYTES];
	uint64_t count[PORT_LOG_DEBUG + 1];
	uint64_t total; /* line i is in lines[i % LINES] */
	int print;      /* highest level to print at once; -1: none */
} ring = {.print = -1};

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void sim_log_reset(void)
{
	const char *level = getenv("SIM_LOG");

	memset(&ring, 0, sizeof(ring));
	ring.print = level ? atoi(level) : -1;
}

void port_log(enum port_log_level level, const char *fmt, ...)
{
	char *line = ring.lines[ring.total++ % LINES];
	int used = snprintf(line, LINE_BYTES, "%s: ", level_names[level]);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + used, (size_t)(LINE_BYTES - used), fmt, ap);
	va_end(ap);
	ring.count[level]++;
	if ((int)level <= ring.print)
		fprintf(stderr, "%s\n", line);
}

uint64_t sim_log_count(enum port_log_level level)
{
	return ring.count[level];
}

bool sim_log_has(const char *text)
{
	for (unsigned i = 0; i < LINES; i++) {
		if (strstr(ring.lines[i], text))
			return true;
	}
	return false;
}

void sim_log_dump(void)
{
	uint64_t first = ring.total > LINES ? ring.total - LINES : 0;

	for (uint64_t i = first; i < ring.total; i++)
		fprintf(stderr, "sim: log: %s\n", ring.lines[i % LINES]);
}

static NORETURN void end(const char *what, const char *text)
{
	fflush(stdout);
	if (ring.print < 0)
		sim_log_dump();
	if (sim_have_world())
		fprintf(stderr, "sim: %s (seed %llu, step %llu): %s\n", what,
			(unsigned long long)sim_seed(), (unsigned long long)sim_steps(), text);
	else
		fprintf(stderr, "sim: %s: %s\n", what, text);
	abort();
}

void sim_fail(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	end("failed", text);
}

void port_panic(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	end("panic", text);
}

void port_assert_fail(const char *expr, const char *file, int line)
{
	port_panic("%s:%d: assertion failed: %s", file, line, expr);
}
