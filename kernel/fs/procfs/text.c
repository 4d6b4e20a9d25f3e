/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* A text that grows. Errors stick, so that writers need not look after each line. */
#include "fs/procfs/procfs.h"

#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "port/mem.h"

#define FIRST_SIZE 1024u

static bool make_room(struct text *t, size_t n)
{
	size_t size = t->size != 0 ? t->size : FIRST_SIZE;

	if (t->err != 0)
		return false;
	if (n <= t->size - t->len)
		return true;
	while (size - t->len < n)
		size *= 2;
	char *buf = port_alloc(size);

	if (buf == NULL) {
		t->err = -ENOMEM;
		return false;
	}
	if (t->len != 0)
		memcpy(buf, t->buf, t->len);
	port_free(t->buf);
	t->buf = buf;
	t->size = size;
	return true;
}

void text_add(struct text *t, const void *p, size_t n)
{
	if (n == 0 || !make_room(t, n))
		return;
	memcpy(t->buf + t->len, p, n);
	t->len += n;
}

void text_printf(struct text *t, const char *fmt, ...)
{
	char line[256];
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(line, sizeof line, fmt, args);

	va_end(args);
	if (n > 0)
		text_add(t, line, MIN((size_t)n, sizeof line - 1));
}

void text_kib(struct text *t, const char *name, uint64_t kib)
{
	text_printf(t, "%s:\t%8llu kB\n", name, (unsigned long long)kib);
}

void text_free(struct text *t)
{
	port_free(t->buf);
	*t = (struct text){0};
}
