/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Preemption: a thread may be taken off its hart at any interrupt unless its count is raised
 * or interrupts are off. Spinlocks raise it. preempt_enable reschedules if that was asked for
 * meanwhile.
 */
#ifndef SYNC_PREEMPT_H
#define SYNC_PREEMPT_H

#include "base/types.h"

#include "sched/sched.h"
#include "sched/thread.h"

#define PREEMPT_IRQ 0x10000u /* in preempt_count: in an interrupt */

static inline void preempt_disable(void)
{
	current_thread()->preempt_count++;
	__asm__ volatile("" ::: "memory");
}

/* Reschedules if that was asked for and may be done here. */
static inline void preempt_check(void)
{
	struct thread *t = current_thread();

	if (UNLIKELY(thread_pending(t) & THREAD_RESCHED) && t->preempt_count == 0 &&
	    arch_irqs_enabled())
		sched_preempt();
}

static inline void preempt_enable(void)
{
	__asm__ volatile("" ::: "memory");
	current_thread()->preempt_count--;
	preempt_check();
}

/* May the current context sleep? (Preemptible, interrupts on, not in an interrupt.) */
static inline bool preempt_may_sleep(void)
{
	return current_thread()->preempt_count == 0 && arch_irqs_enabled();
}

#endif
