/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Clocks: the counter scaled by a fixed-point factor, and an offset to the wall clock. */
#include "sched/clock.h"

#include <stdatomic.h>

#include "arch/cpu.h"
#include "sched/clock_priv.h"

#define CLOCK_SHIFT 24

static uint64_t ns_mult = 100ull << CLOCK_SHIFT; /* const after clock_init */
static _Atomic int64_t wall_offset;              /* relaxed: one word */

void clock_init(void)
{
	ns_mult = (NS_PER_SEC << CLOCK_SHIFT) / arch_timebase();
}

static uint64_t mul_shift(uint64_t a, uint64_t b, unsigned shift)
{
	return (uint64_t)((unsigned __int128)a * b >> shift);
}

uint64_t clock_now(void)
{
	return mul_shift(arch_ticks(), ns_mult, CLOCK_SHIFT);
}

uint64_t clock_ticks_to_ns(uint64_t ticks)
{
	return mul_shift(ticks, ns_mult, CLOCK_SHIFT);
}

void clock_scale(uint64_t *mult, unsigned *shift)
{
	*mult = ns_mult;
	*shift = CLOCK_SHIFT;
}

uint64_t clock_to_ticks(uint64_t ns)
{
	if (ns > (1ull << 62))
		return UINT64_MAX;
	/*
	 * The exact inverse of clock_ticks_to_ns, rounded up: a timer that fired early would
	 * be set to the past again and again.
	 */
	return ((ns / ns_mult) << CLOCK_SHIFT) +
	       (((ns % ns_mult) << CLOCK_SHIFT) + ns_mult - 1) / ns_mult;
}

int64_t clock_wall_offset(void)
{
	return atomic_load_explicit(&wall_offset, memory_order_relaxed);
}

int64_t clock_wall(void)
{
	return (int64_t)clock_now() + clock_wall_offset();
}

void clock_set_wall(int64_t ns)
{
	atomic_store_explicit(&wall_offset, ns - (int64_t)clock_now(), memory_order_relaxed);
}
