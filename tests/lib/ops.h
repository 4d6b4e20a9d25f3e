/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Random operation sequences that shrink: the driver of model tests.
 *
 * A test supplies a generator of operations and a function that runs a sequence from scratch on the thing
 * under test and on a model. The driver makes sequences by seed; when one fails it removes
 * operations and simplifies arguments as long as it still fails in the same way, and prints the
 * seed and what is left. Each run is a child process, so that aborts, sanitizer reports, deadlocks
 * and endless loops shrink like wrong results. (TEST_NOFORK=1 runs in the process, for a debugger.)
 *
 * Operations must make sense in any order and with any arguments: take numbers modulo what there is, let
 * an operation that cannot happen now be one whose error is compared. Then any subsequence is a test.
 */
#ifndef TESTLIB_OPS_H
#define TESTLIB_OPS_H

#include <stdio.h>

#include "base/types.h"
#include "sim/prng.h"

#define TEST_OP_ARGS 4

struct test_op {
	uint32_t kind;
	uint64_t arg[TEST_OP_ARGS];
};

struct test_ops {
	const char *name;
	void (*generate)(struct sim_prng *r, struct test_op *op);
	/*
	 * Runs n operations from a fresh start, all by seed (schedule, crashes). Returns true if
	 * all is as the model says, else writes why. A function of its arguments only.
	 */
	bool (*run)(uint64_t seed, const struct test_op *ops, size_t n, char *why, size_t size);
	/* One line without a newline, for a reader who wants to replay it by hand. */
	void (*print)(FILE *out, const struct test_op *op);
	/* Wall-clock limit of one run; 0: 20. */
	unsigned timeout_seconds;
};

/*
 * Runs one sequence of count operations. True if it passed; otherwise the shrunk sequence has been
 * printed to stderr. Single-threaded callers only (it forks).
 */
bool test_ops_run(const struct test_ops *t, uint64_t seed, size_t count) MUST_CHECK;

/*
 * Shrinks ops, which fails, in place and returns its new length. What is left fails in the same way, and
 * removing any one operation makes it pass or fail differently (unless the limit on runs was hit).
 */
size_t test_ops_shrink(const struct test_ops *t, uint64_t seed, struct test_op *ops, size_t n);

/*
 * The seeds to try: SEED=N in the environment only that one, SEEDS=N that many from 0, otherwise
 * quick of them in TEST_TIER=quick (also without it), 4 times as many in test, 100 times in soak.
 */
struct test_seeds {
	uint64_t first;
	uint64_t end; /* exclusive */
};
struct test_seeds test_seeds(uint64_t quick);

#endif
