/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Memory and string functions. Copies go by 8 bytes, unaligned where need be: the target does
 * misaligned accesses in hardware (and 32 bytes a round keep the loop cheap under emulation).
 */
#include "lib/string.h"

typedef uint64_t ALIGNED(1) word __attribute__((may_alias));

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	char *d = dst;
	const char *s = src;

	for (; n >= 32; n -= 32, d += 32, s += 32) {
		uint64_t a = ((const word *)s)[0];
		uint64_t b = ((const word *)s)[1];
		uint64_t c = ((const word *)s)[2];
		uint64_t e = ((const word *)s)[3];

		((word *)d)[0] = a;
		((word *)d)[1] = b;
		((word *)d)[2] = c;
		((word *)d)[3] = e;
	}
	for (; n >= 8; n -= 8, d += 8, s += 8)
		*(word *)d = *(const word *)s;
	for (; n > 0; n--)
		*d++ = *s++;
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	char *d = dst;
	const char *s = src;

	if ((uintptr_t)dst - (uintptr_t)src >= n) /* no overlap, or dst below src */
		return n == 0 ? dst : memcpy(dst, src, n);
	d += n;
	s += n;
	for (; n >= 8; n -= 8) {
		d -= 8;
		s -= 8;
		*(word *)d = *(const word *)s;
	}
	for (; n > 0; n--)
		*--d = *--s;
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	char *d = dst;
	uint64_t v = (uint8_t)c * 0x0101010101010101ull;

	for (; n >= 32; n -= 32, d += 32) {
		((word *)d)[0] = v;
		((word *)d)[1] = v;
		((word *)d)[2] = v;
		((word *)d)[3] = v;
	}
	for (; n >= 8; n -= 8, d += 8)
		*(word *)d = v;
	for (; n > 0; n--)
		*d++ = (char)c;
	return dst;
}

/* The order of two words that differ, by their first different byte in memory. */
static int word_order(uint64_t a, uint64_t b)
{
	if ((uint32_t)a == (uint32_t)b) {
		a >>= 32;
		b >>= 32;
	}
	if ((uint16_t)a == (uint16_t)b) {
		a >>= 16;
		b >>= 16;
	}
	if ((uint8_t)a == (uint8_t)b) {
		a >>= 8;
		b >>= 8;
	}
	return (int)(a & 0xff) - (int)(b & 0xff);
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a;
	const uint8_t *y = b;

	if (n >= 8) {
		const uint8_t *last = x + n - 8;

		for (; x < last; x += 8, y += 8) {
			if (*(const word *)x != *(const word *)y)
				return word_order(*(const word *)x, *(const word *)y);
		}
		/* The last word overlaps what was equal. */
		y -= x - last;
		return word_order(*(const word *)last, *(const word *)y);
	}
	for (; n > 0; n--, x++, y++) {
		if (*x != *y)
			return *x - *y;
	}
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	const uint8_t *p = s;

	for (; n > 0; n--, p++) {
		if (*p == (uint8_t)c)
			return (void *)(uintptr_t)p;
	}
	return NULL;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	while (n > 0 && *a && *a == *b) {
		a++;
		b++;
		n--;
	}
	return n == 0 ? 0 : (uint8_t)*a - (uint8_t)*b;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	for (;; s++) {
		if (*s == (char)c)
			last = s;
		if (!*s)
			return (char *)(uintptr_t)last;
	}
}

char *strstr(const char *s, const char *needle)
{
	size_t n = strlen(needle);

	for (;; s++) {
		if (strncmp(s, needle, n) == 0)
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}

size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t n = strlen(src);
	size_t copy = MIN(n, size - 1);

	memcpy(dst, src, copy);
	dst[copy] = '\0';
	return n;
}
