/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Tests of the machine layer that run in the kernel itself: boot argument "selftest" runs them
 * after the drivers have started, prints one line each and powers off (status 0: all passed, 1
 * otherwise). tests/kernel/selftest.sh drives them on 1, 2 and 4 harts.
 */
#ifndef SELFTEST_SELFTEST_H
#define SELFTEST_SELFTEST_H

#include "base/types.h"

struct selftest {
	const char *name;
	bool (*run)(void); /* true: passed; messages through EXPECT */
};

extern const struct selftest selftest_sched[];
extern const struct selftest selftest_mem[];
extern const struct selftest selftest_blk[];
extern const struct selftest selftest_char[];

/* Runs all; the number that failed. */
unsigned selftest_run(void);

/* Panics if the command line asks for it (crash=KIND). */
void selftest_crash(void);

/* Prints what did not hold and makes the calling test fail. */
bool selftest_failed(const char *expr, const char *file, int line);
#define EXPECT(x)                                                       \
	do {                                                            \
		if (!(x))                                               \
			return selftest_failed(#x, __FILE__, __LINE__); \
	} while (0)

/* Threads that run fn(arg + i * stride) together; returns when all have ended. */
bool selftest_parallel(unsigned n, void (*fn)(void *arg), void *arg, size_t stride);

/* A small generator (splitmix64) for reproducible randomness. */
uint64_t selftest_random(uint64_t *state);

#endif
