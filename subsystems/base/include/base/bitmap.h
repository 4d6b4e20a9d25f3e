/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Bitmaps over 64-bit words: bit i is bit i % 64 of word i / 64. No locking, no atomics: the owner
 * of the bitmap holds its lock. Freestanding: no compiler built-in that could call a library.
 */
#ifndef BASE_BITMAP_H
#define BASE_BITMAP_H

#include "base/types.h"

#define BITMAP_WORDS(bits) (((bits) + 63) / 64)
#define BITMAP_NONE UINT64_MAX

static inline bool bitmap_test(const uint64_t *map, uint64_t i)
{
	return (map[i / 64] >> (i % 64)) & 1;
}

static inline void bitmap_set(uint64_t *map, uint64_t i)
{
	map[i / 64] |= (uint64_t)1 << (i % 64);
}

static inline void bitmap_clear(uint64_t *map, uint64_t i)
{
	map[i / 64] &= ~((uint64_t)1 << (i % 64));
}

/* Index of the lowest set bit; x is not 0. */
unsigned base_ctz64(uint64_t x);
/* Index of the highest set bit; x is not 0. */
unsigned base_log2(uint64_t x);
/* Number of set bits. */
unsigned base_popcount64(uint64_t x);

/* The first clear (set) bit in [from, bits), or BITMAP_NONE. */
uint64_t bitmap_find_clear(const uint64_t *map, uint64_t from, uint64_t bits);
uint64_t bitmap_find_set(const uint64_t *map, uint64_t from, uint64_t bits);

/* Length of the run of clear bits that starts at from, at most max and not past bits. */
uint64_t bitmap_clear_run(const uint64_t *map, uint64_t from, uint64_t bits, uint64_t max);

void bitmap_set_range(uint64_t *map, uint64_t from, uint64_t count);
void bitmap_clear_range(uint64_t *map, uint64_t from, uint64_t count);

/* Number of set bits in [0, bits). */
uint64_t bitmap_count(const uint64_t *map, uint64_t bits);

#endif
