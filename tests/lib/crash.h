/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Power cuts at every write: runs a workload on a simulated disk once for each of its writes, discards and
 * flushes, cutting the power in the middle of it; then lets the program recover, cuts again in the
 * middle of that, recovers to the end and checks. The loss at each cut is drawn by seed.
 *
 * Links port_sim. For each run the simulator starts over with the seed, so schedules differ between
 * seeds and repeat within one.
 */
#ifndef TESTLIB_CRASH_H
#define TESTLIB_CRASH_H

#include "base/types.h"
#include "port/blk.h"
#include "sim/disk.h"

struct test_crash {
	const char *name;
	uint64_t disk_size;
	/* Makes the volume (mkfs). Called once for each seed, without cuts. False: failed. */
	bool (*prepare)(void *ctx, struct port_blk *dev);
	/*
	 * Forgets everything, then works until the end or until an operation fails, noting in ctx what was
	 * attempted and what was acknowledged as durable. Ends its threads, frees its memory.
	 */
	void (*work)(void *ctx, struct port_blk *dev);
	/*
	 * Opens (recovers) and compares with what ctx allows. False, with why, if that is violated
	 * or the volume cannot be opened; not judged if the power went meanwhile. Must not change ctx:
	 * it is called again after the next cut.
	 */
	bool (*check)(void *ctx, struct port_blk *dev, char *why, size_t size);
	void *ctx;
};

struct test_crash_how {
	unsigned tries;         /* losses drawn for each point; 0: 1 */
	unsigned recovery_cuts; /* cuts in the middle of recovery, one after the other */
	bool drop_flushes;      /* mutation: the disk lies; the test must then fail */
	bool quiet;             /* prints no report (mutations) */
};

struct test_crash_result {
	uint64_t points; /* places to cut */
	uint64_t cuts;   /* made, those during recovery included */
	uint64_t failed; /* 0 or 1: it stops at the first violation */
};

/*
 * Runs it all for one seed. On a violation prints how to replay it (environment SEED, CRASH_AT, CRASH_TRY:
 * only that point and try) and, if SAVE=PATH is in the environment, saves the disk as it was before the
 * last recovery.
 */
struct test_crash_result test_crash_run(const struct test_crash *t, uint64_t seed,
					const struct test_crash_how *how);

#endif
