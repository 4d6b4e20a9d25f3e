/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The scheduler (docs/kernel/scheduling.md). One run queue a hart, ordered by weighted run
 * time; a wake-up puts the thread on the waker's hart, and idle harts take queued threads from
 * busy ones at the busy one's tick, because a wake-up across harts costs far more than a
 * switch.
 */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include "base/types.h"

struct thread;

/*
 * Gives up the hart until something wakes the thread, if its state is not RUNNING (wait.h does
 * that).
 */
void sched_block(void);
/* Lets others run. */
void sched_yield(void);
/* Wakes t if it sleeps in one of the states of the mask (1 << enum thread_state). Any context. */
bool sched_wake(struct thread *t, uint32_t states);
#define SCHED_WAKE_ANY 0xe

/* Sleeps. mode: enum wait_mode. 0 or -EINTR. */
int sched_sleep_until(uint64_t deadline, int mode);

/* At the end of an interrupt and where preemption is enabled again (preempt_count is 0). */
void sched_preempt(void);
/* Interrupt of the hart's timer; user: it came in user mode. Called by the trap code. */
void sched_timer_interrupt(bool user);

/*
 * Start-up: the boot thread becomes hart 0's; each further hart's boot thread enters its idle
 * loop.
 */
void sched_init(void);
void sched_adopt_hart(unsigned hart, struct thread *idle);
NORETURN void sched_start_hart(void);

/*
 * For /proc/loadavg and the like: runnable threads (running ones included), context switches,
 * idle ticks.
 */
struct sched_stats {
	uint32_t runnable;
	uint64_t switches;
	uint64_t idle_ticks;
};
void sched_hart_stats(unsigned hart, struct sched_stats *out);
/* Load averages over 1, 5, 15 minutes, times 2048. */
void sched_loadavg(uint32_t out[3]);

#endif
