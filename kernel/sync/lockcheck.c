/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The checks of lockcheck.h. Compiled to nothing in release builds. */
#include "sync/lockcheck.h"

#include "base/lockrank.h"
#include "lib/panic.h"
#include "sched/thread.h"
#include "sync/preempt.h"

#if defined(KERNEL_DEBUG)

void lockcheck_acquire(const void *lock, uint32_t rank, bool trylock)
{
	unsigned long flags = arch_irq_save(); /* an interrupt uses the same list */
	struct thread *t = current_thread();

	for (uint32_t i = t->held_base; i < t->held_count; i++) {
		if (t->held[i].lock == lock)
			panic("lock %p (rank %u) taken twice", lock, rank);
		if (!trylock && rank != LOCK_RANK_NONE && t->held[i].rank >= rank)
			panic("lock %p of rank %u taken under %p of rank %u", lock, rank,
			      t->held[i].lock, t->held[i].rank);
	}
	if (t->held_count >= THREAD_MAX_HELD)
		panic("more than %u locks held", THREAD_MAX_HELD);
	t->held[t->held_count].lock = lock;
	t->held[t->held_count].rank = rank;
	t->held_count++;
	arch_irq_restore(flags);
}

void lockcheck_release(const void *lock)
{
	unsigned long flags = arch_irq_save();
	struct thread *t = current_thread();
	uint32_t i = t->held_count;

	while (i > t->held_base && t->held[i - 1].lock != lock)
		i--;
	if (i == t->held_base)
		panic("unlock of %p, which this thread does not hold", lock);
	for (; i < t->held_count; i++)
		t->held[i - 1] = t->held[i];
	t->held_count--;
	arch_irq_restore(flags);
}

void lockcheck_may_sleep(void)
{
	if (!preempt_may_sleep())
		panic("sleep with a spinlock held, in an interrupt, or with interrupts off");
}

#endif
