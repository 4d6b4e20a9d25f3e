/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * One-shot timers with nanosecond deadlines. A callback runs in interrupt context on the hart
 * that set the timer, with interrupts off: it must not sleep. It may set its own timer again.
 */
#ifndef SCHED_TIMER_H
#define SCHED_TIMER_H

#include <stdatomic.h>

#include "lib/heap.h"

struct timer {
	struct heap_node node; /* key = deadline; lock: the hart's timer lock */
	void (*fn)(struct timer *t);
	_Atomic uint32_t hart; /* 1 + the hart whose heap it is in; 0: not set */
};

void timer_init(struct timer *t, void (*fn)(struct timer *t));
/* Sets or moves it: fn runs once when clock_now() >= deadline. Any context. */
void timer_set(struct timer *t, uint64_t deadline);
/*
 * Afterwards fn is neither pending nor running (waits for it on another hart). Not from fn
 * itself, and not with a lock held that fn takes. True if it had been pending.
 */
bool timer_cancel(struct timer *t);
/* As timer_cancel, but does not wait: fn may still be running on another hart. */
bool timer_cancel_nowait(struct timer *t);
/* When will it fire? UINT64_MAX: not set. A snapshot. */
uint64_t timer_deadline(const struct timer *t);

#endif
