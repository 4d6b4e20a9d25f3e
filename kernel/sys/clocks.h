/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Linux's clock ids, and what they read. */
#ifndef SYS_CLOCKS_H
#define SYS_CLOCKS_H

#include "base/types.h"

enum clock_id {
	CLOCK_REALTIME = 0,
	CLOCK_MONOTONIC = 1,
	CLOCK_PROCESS_CPUTIME_ID = 2,
	CLOCK_THREAD_CPUTIME_ID = 3,
	CLOCK_MONOTONIC_RAW = 4,
	CLOCK_REALTIME_COARSE = 5,
	CLOCK_MONOTONIC_COARSE = 6,
	CLOCK_BOOTTIME = 7,
	CLOCK_REALTIME_ALARM = 8,
	CLOCK_BOOTTIME_ALARM = 9,
	CLOCK_TAI = 11,
};

/* Nanoseconds of a clock as the current task sees it; -EINVAL: no such clock. */
int clock_read(int id, uint64_t *ns) MUST_CHECK;
/* The value of clock_now() for a time on clock id. */
uint64_t clock_deadline(int id, bool absolute, uint64_t ns);

#endif
