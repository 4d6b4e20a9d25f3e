/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Test-and-set spinlocks. Not tickets: virtual harts are descheduled by the host, and a queue
 * would then wait for a sleeping waiter too.
 */
#include "sync/spinlock.h"

#include "base/assert.h"
#include "sched/thread.h"
#include "sync/lockcheck.h"
#include "sync/preempt.h"

void spin_init(struct spinlock *l, enum lock_rank rank)
{
	atomic_store_explicit(&l->word, 0, memory_order_relaxed);
	l->rank = (uint32_t)rank;
}

static uint32_t mine(void)
{
	return 1 + atomic_load_explicit(&current_thread()->hart, memory_order_relaxed);
}

static bool try_word(struct spinlock *l)
{
	uint32_t zero = 0;

	/* acquire: pairs with the release in put_word */
	return atomic_compare_exchange_strong_explicit(&l->word, &zero, mine(),
						       memory_order_acquire, memory_order_relaxed);
}

static void take_word(struct spinlock *l)
{
	while (!try_word(l)) {
		while (atomic_load_explicit(&l->word, memory_order_relaxed) != 0)
			arch_relax();
	}
}

static void put_word(struct spinlock *l)
{
	KASSERT(atomic_load_explicit(&l->word, memory_order_relaxed) == mine());
	atomic_store_explicit(&l->word, 0, memory_order_release);
}

void spin_lock(struct spinlock *l) NO_THREAD_SAFETY
{
	preempt_disable();
	lockcheck_acquire(l, l->rank, false);
	take_word(l);
}

bool spin_trylock(struct spinlock *l) NO_THREAD_SAFETY
{
	preempt_disable();
	if (!try_word(l)) {
		preempt_enable();
		return false;
	}
	lockcheck_acquire(l, l->rank, true);
	return true;
}

void spin_unlock(struct spinlock *l) NO_THREAD_SAFETY
{
	lockcheck_release(l);
	put_word(l);
	preempt_enable();
}

unsigned long spin_lock_irqsave(struct spinlock *l) NO_THREAD_SAFETY
{
	unsigned long flags = arch_irq_save();

	current_thread()->preempt_count++;
	lockcheck_acquire(l, l->rank, false);
	/*
	 * Waits with interrupts as they were: the holder may wait for this hart to answer a
	 * call.
	 */
	while (!try_word(l)) {
		arch_irq_restore(flags);
		while (atomic_load_explicit(&l->word, memory_order_relaxed) != 0)
			arch_relax();
		(void)arch_irq_save();
	}
	return flags;
}

void spin_unlock_irqrestore(struct spinlock *l, unsigned long flags) NO_THREAD_SAFETY
{
	lockcheck_release(l);
	put_word(l);
	/* Not preempt_enable before the restore: a switch asked for is taken with interrupts on. */
	current_thread()->preempt_count--;
	arch_irq_restore(flags);
	if (flags)
		preempt_check();
}

bool spin_held(const struct spinlock *l)
{
	return atomic_load_explicit(&l->word, memory_order_relaxed) == mine();
}
