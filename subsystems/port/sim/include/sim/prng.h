/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The seeded generator of all tests (splitmix64): one 64-bit word of state, the same numbers on
 * every machine. Streams for different purposes come from sim_prng_split, so that one more draw in
 * one of them does not shift the others.
 */
#ifndef SIM_PRNG_H
#define SIM_PRNG_H

#include "base/types.h"

struct sim_prng {
	uint64_t state;
};

static inline uint64_t sim_prng_next(struct sim_prng *p)
{
	uint64_t z = p->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline struct sim_prng sim_prng_of(uint64_t seed)
{
	struct sim_prng p = {seed};

	/* Neighboring seeds must not give neighboring streams. */
	p.state = sim_prng_next(&p);
	return p;
}

/* A stream of its own for purpose; p is not advanced. */
static inline struct sim_prng sim_prng_split(const struct sim_prng *p, uint64_t purpose)
{
	return sim_prng_of(p->state ^ purpose * UINT64_C(0xd6e8feb86659fd93));
}

/* A number in [0, n); n > 0. The bias for n far below 2^64 does not matter to tests. */
static inline uint64_t sim_prng_below(struct sim_prng *p, uint64_t n)
{
	return sim_prng_next(p) % n;
}

/* A number in [lo, hi], both included. */
static inline uint64_t sim_prng_range(struct sim_prng *p, uint64_t lo, uint64_t hi)
{
	return lo + sim_prng_below(p, hi - lo + 1);
}

/* True in num of den cases. */
static inline bool sim_prng_chance(struct sim_prng *p, uint64_t num, uint64_t den)
{
	return sim_prng_below(p, den) < num;
}

static inline void sim_prng_fill(struct sim_prng *p, void *buf, size_t len)
{
	uint8_t *b = (uint8_t *)buf;

	for (size_t i = 0; i < len;) {
		uint64_t x = sim_prng_next(p);

		for (unsigned j = 0; j < 8 && i < len; j++, i++, x >>= 8)
			b[i] = (uint8_t)x;
	}
}

#endif
