/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#include "base/bitmap.h"

unsigned base_ctz64(uint64_t x)
{
	return base_popcount64((x & (~x + 1)) - 1);
}

unsigned base_log2(uint64_t x)
{
	unsigned n = 0;

	for (unsigned step = 32; step > 0; step /= 2) {
		if (x >> step) {
			x >>= step;
			n += step;
		}
	}
	return n;
}

/* The classic tree of partial sums (Warren, Hacker's Delight, 5-1). */
unsigned base_popcount64(uint64_t x)
{
	x -= (x >> 1) & 0x5555555555555555u;
	x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
	return (unsigned)((x * 0x0101010101010101u) >> 56);
}

/* First bit in [from, bits) that is set in (word ^ flip). */
static uint64_t find(const uint64_t *map, uint64_t from, uint64_t bits, uint64_t flip)
{
	if (from >= bits)
		return BITMAP_NONE;
	uint64_t w = from / 64;
	uint64_t word = (map[w] ^ flip) & (UINT64_MAX << (from % 64));

	while (word == 0) {
		w++;
		if (w * 64 >= bits)
			return BITMAP_NONE;
		word = map[w] ^ flip;
	}
	uint64_t i = w * 64 + base_ctz64(word);

	return i < bits ? i : BITMAP_NONE;
}

uint64_t bitmap_find_clear(const uint64_t *map, uint64_t from, uint64_t bits)
{
	return find(map, from, bits, UINT64_MAX);
}

uint64_t bitmap_find_set(const uint64_t *map, uint64_t from, uint64_t bits)
{
	return find(map, from, bits, 0);
}

uint64_t bitmap_clear_run(const uint64_t *map, uint64_t from, uint64_t bits, uint64_t max)
{
	if (from >= bits)
		return 0;
	uint64_t end = max < bits - from ? from + max : bits;
	uint64_t set = bitmap_find_set(map, from, end);

	return (set == BITMAP_NONE ? end : set) - from;
}

/* The bits of word w that lie in [from, to). */
static uint64_t mask(uint64_t w, uint64_t from, uint64_t to)
{
	uint64_t m = UINT64_MAX;

	if (from > w * 64)
		m <<= from % 64;
	if (to < (w + 1) * 64)
		m &= ~(UINT64_MAX << (to % 64));
	return m;
}

void bitmap_set_range(uint64_t *map, uint64_t from, uint64_t count)
{
	if (count == 0)
		return;
	for (uint64_t w = from / 64; w <= (from + count - 1) / 64; w++)
		map[w] |= mask(w, from, from + count);
}

void bitmap_clear_range(uint64_t *map, uint64_t from, uint64_t count)
{
	if (count == 0)
		return;
	for (uint64_t w = from / 64; w <= (from + count - 1) / 64; w++)
		map[w] &= ~mask(w, from, from + count);
}

uint64_t bitmap_count(const uint64_t *map, uint64_t bits)
{
	uint64_t n = 0;

	for (uint64_t w = 0; w < bits / 64; w++)
		n += base_popcount64(map[w]);
	if (bits % 64)
		n += base_popcount64(map[bits / 64] & ~(UINT64_MAX << (bits % 64)));
	return n;
}
