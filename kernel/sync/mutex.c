/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Mutexes.
 *
 *   owner = 0                free
 *   owner = thread           held, nobody waits: lock and unlock are one compare-and-swap
 *   owner = thread | 1       held, the waiter list may be non-empty: unlock looks
 *
 * MUTEX-1  While the list is not empty and the mutex is held, bit 0 of owner is set, or a
 * woken
 *          waiter is on its way to take the mutex or set the bit. Bit and list change under the spinlock.
 * MUTEX-2  Unlock frees the mutex and wakes the oldest waiter, which competes with new
 * arrivals. A waiter that
 *          has lost once gets the mutex handed over instead: nobody starves, and an uncontended
 *          stretch costs no switch.
 */
#include "sync/mutex.h"

#include "base/assert.h"
#include "lib/errno.h"
#include "sched/sched.h"
#include "sched/thread.h"
#include "sync/lockcheck.h"

#define WAITERS ((uintptr_t)1)

struct mutex_waiter {
	struct list link;
	struct thread *thread;
	bool lost; /* lock: mutex.lock; it was woken and found the mutex taken */
};

void mutex_init(struct mutex *m, enum lock_rank rank, const char *name)
{
	atomic_store_explicit(&m->owner, 0, memory_order_relaxed);
	spin_init(&m->lock, LOCK_RANK_SPIN_WAIT);
	list_init(&m->waiters);
	m->rank = (uint32_t)rank;
	m->name = name;
}

static uintptr_t self(void)
{
	return (uintptr_t)current_thread();
}

static bool swap(struct mutex *m, uintptr_t from, uintptr_t to)
{
	/* acquire for taking, release for giving */
	return atomic_compare_exchange_strong_explicit(&m->owner, &from, to, memory_order_acq_rel,
						       memory_order_relaxed);
}

/* Under the spinlock: takes the mutex if it is free, else makes sure that unlock will look. */
static bool take_or_mark(struct mutex *m, uintptr_t with)
{
	uintptr_t o = atomic_load_explicit(&m->owner, memory_order_relaxed);

	for (;;) {
		if ((o & ~WAITERS) == self())
			return true; /* handed over */
		if (o == 0) {
			if (swap(m, 0, self() | with))
				return true;
		} else if (o & WAITERS || swap(m, o, o | WAITERS)) {
			return false;
		}
		o = atomic_load_explicit(&m->owner, memory_order_relaxed);
	}
}

/* The owner word of a thread that takes the mutex when w leaves the list: MUTEX-1. */
static uintptr_t others(const struct mutex *m, const struct mutex_waiter *w)
{
	bool alone = list_empty(&m->waiters) ||
		     (m->waiters.next == &w->link && m->waiters.prev == &w->link);

	return alone ? 0 : WAITERS;
}

static int lock_slow(struct mutex *m, enum wait_mode mode) NO_THREAD_SAFETY
{
	struct mutex_waiter w = {.thread = current_thread()};
	unsigned long flags;
	int err = 0;

	list_init(&w.link);
	for (;;) {
		wait_prepare(mode);
		flags = spin_lock_irqsave(&m->lock);
		if (take_or_mark(m, others(m, &w))) {
			list_del(&w.link);
			err = 0;
			break;
		}
		if (err) { /* gives up; bit 0 may stay set without waiters, which is harmless */
			list_del(&w.link);
			break;
		}
		if (list_empty(&w.link))
			list_add_tail(&m->waiters, &w.link);
		else
			w.lost = true;
		spin_unlock_irqrestore(&m->lock, flags);
		err = wait_sleep(WAIT_FOREVER);
	}
	spin_unlock_irqrestore(&m->lock, flags);
	wait_done();
	return err;
}

void mutex_lock(struct mutex *m) NO_THREAD_SAFETY
{
	lockcheck_may_sleep();
	lockcheck_acquire(m, m->rank, false);
	if (UNLIKELY(!swap(m, 0, self())))
		(void)lock_slow(m, WAIT_UNINTERRUPTIBLE);
}

int mutex_lock_killable(struct mutex *m)
{
	int err = 0;

	lockcheck_may_sleep();
	lockcheck_acquire(m, m->rank, false);
	if (UNLIKELY(!swap(m, 0, self())))
		err = lock_slow(m, WAIT_KILLABLE);
	if (err)
		lockcheck_release(m);
	return err;
}

bool mutex_trylock(struct mutex *m) NO_THREAD_SAFETY
{
	if (!swap(m, 0, self()))
		return false;
	lockcheck_acquire(m, m->rank, true);
	return true;
}

static void unlock_slow(struct mutex *m) NO_THREAD_SAFETY
{
	unsigned long flags = spin_lock_irqsave(&m->lock);
	struct mutex_waiter *w;

	KASSERT((atomic_load_explicit(&m->owner, memory_order_relaxed) & ~WAITERS) == self());
	if (list_empty(&m->waiters)) {
		atomic_store_explicit(&m->owner, 0, memory_order_release);
	} else {
		w = list_first(&m->waiters, struct mutex_waiter, link);
		if (w->lost) { /* MUTEX-2: hand over; it leaves the list itself only later */
			uintptr_t next = (uintptr_t)w->thread;

			list_del(&w->link);
			next |= list_empty(&m->waiters) ? 0 : WAITERS;
			atomic_store_explicit(&m->owner, next, memory_order_release);
		} else {
			atomic_store_explicit(&m->owner, 0, memory_order_release);
		}
		sched_wake(w->thread, SCHED_WAKE_ANY);
	}
	spin_unlock_irqrestore(&m->lock, flags);
}

void mutex_unlock(struct mutex *m) NO_THREAD_SAFETY
{
	lockcheck_release(m);
	if (UNLIKELY(!swap(m, self(), 0)))
		unlock_slow(m);
}

bool mutex_held(const struct mutex *m)
{
	return (atomic_load_explicit(&m->owner, memory_order_relaxed) & ~WAITERS) == self();
}
