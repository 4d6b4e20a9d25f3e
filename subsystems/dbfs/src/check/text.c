/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#include "check/text.h"

static void put(struct dbfs_text *t, char c)
{
	if (t->len + 1 < TEXT_MAX)
		t->s[t->len++] = c;
	t->s[t->len] = '\0';
}

void dbfs_text_start(struct dbfs_text *t)
{
	t->len = 0;
	t->s[0] = '\0';
}

void dbfs_text_str(struct dbfs_text *t, const char *s)
{
	while (*s != '\0')
		put(t, *s++);
}

static void number(struct dbfs_text *t, uint64_t n, unsigned base)
{
	char digits[24];
	unsigned i = 0;

	do {
		digits[i++] = (char)('0' + n % base);
		n /= base;
	} while (n != 0);
	while (i > 0)
		put(t, digits[--i]);
}

void dbfs_text_num(struct dbfs_text *t, uint64_t n)
{
	number(t, n, 10);
}

void dbfs_text_int(struct dbfs_text *t, int64_t n)
{
	if (n < 0)
		put(t, '-');
	number(t, n < 0 ? 0 - (uint64_t)n : (uint64_t)n, 10);
}

void dbfs_text_oct(struct dbfs_text *t, uint64_t n)
{
	put(t, '0');
	number(t, n, 8);
}

void dbfs_text_bytes(struct dbfs_text *t, const void *p, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++) {
		if (b[i] >= 0x20 && b[i] < 0x7f && b[i] != '\\') {
			put(t, (char)b[i]);
			continue;
		}
		dbfs_text_str(t, "\\x");
		put(t, hex[b[i] >> 4]);
		put(t, hex[b[i] & 15]);
	}
}

void dbfs_text_fmt(struct dbfs_text *t, const char *fmt, const uint64_t *v)
{
	for (; *fmt != '\0'; fmt++) {
		if (*fmt == '#')
			dbfs_text_num(t, *v++);
		else
			put(t, *fmt);
	}
}
