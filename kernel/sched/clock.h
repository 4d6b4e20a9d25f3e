/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Clocks. Any context. */
#ifndef SCHED_CLOCK_H
#define SCHED_CLOCK_H

#include "base/types.h"

#define NS_PER_SEC 1000000000ull
#define NS_PER_MS 1000000ull

/* Nanoseconds since the counter started (CLOCK_MONOTONIC): arch_ticks() converted exactly. */
uint64_t clock_now(void);
/* Nanoseconds since 1970 (CLOCK_REALTIME) = clock_now() + clock_wall_offset(). */
int64_t clock_wall(void);
int64_t clock_wall_offset(void);
/* Sets the wall clock (settimeofday; the RTC driver at boot). */
void clock_set_wall(int64_t ns);

/*
 * Conversion: ns = ticks * mult >> shift with mult, shift const after boot (vDSO data page).
 * The product is taken in 128 bits.
 */
void clock_scale(uint64_t *mult, unsigned *shift);
/* The length of a time given in ticks (accounting). */
uint64_t clock_ticks_to_ns(uint64_t ticks);
/* Counter value at which clock_now() is at least ns (saturating). */
uint64_t clock_to_ticks(uint64_t ns);

#endif
