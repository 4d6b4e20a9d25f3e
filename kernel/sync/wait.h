/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Wait queues: how a thread sleeps until a condition holds.
 *
 *   WAIT_EVENT(&q, cond)                                  until cond, not interruptible
 *   err = WAIT_EVENT_UNTIL(&q, cond, deadline, mode)      0, -ETIMEDOUT, -EINTR
 *
 * Whoever makes the condition true calls wait_wake_one/all afterwards. The condition is
 * evaluated without a lock, may take locks itself, may be evaluated any number of times, and
 * must not sleep. Deadlines are values of clock_now() (sched/clock.h), WAIT_FOREVER for none.
 */
#ifndef SYNC_WAIT_H
#define SYNC_WAIT_H

#include "base/list.h"
#include "sync/spinlock.h"

struct thread;

#define WAIT_FOREVER UINT64_MAX

enum wait_mode {
	WAIT_UNINTERRUPTIBLE,
	WAIT_KILLABLE,      /* ends with -EINTR when THREAD_KILLED is set */
	WAIT_INTERRUPTIBLE, /* ends with -EINTR when THREAD_SIGNAL or THREAD_KILLED is set */
};

struct waiter {
	struct list link;      /* lock: queue.lock */
	struct thread *thread; /* const */
	/*
	 * Optional: called instead of waking the thread, under the queue lock; must not sleep
	 * (poll).
	 */
	void (*notify)(struct waiter *w);
	bool exclusive; /* wait_wake_one stops after one of these */
	bool woken;     /* lock: queue.lock; a wake-up was spent on it (sticky) */
};

#define WAIT_QUEUE_INIT(name)                                                 \
	{                                                                     \
		SPINLOCK_INIT(LOCK_RANK_SPIN_WAIT), LIST_INIT((name).waiters) \
	}

void wait_init(struct wait_queue *q);

/* Wakes the oldest exclusive waiter (and all others that are not exclusive). Any context. */
void wait_wake_one(struct wait_queue *q);
/* Wakes all. Any context. */
void wait_wake_all(struct wait_queue *q);
/* Is anybody waiting? A hint without a lock. */
bool wait_active(struct wait_queue *q);

/*
 * The pieces, for waits on several queues: wait_add on each with a waiter of its own; then a
 * loop of wait_prepare(mode), test the condition, wait_sleep(deadline); then wait_remove for
 * each, wait_done().
 */
void wait_add(struct wait_queue *q, struct waiter *w, bool exclusive);
/* A waiter that is called, not woken: epoll and the like. */
void wait_add_notify(struct wait_queue *q, struct waiter *w, void (*notify)(struct waiter *w));
void wait_remove(struct wait_queue *q, struct waiter *w);
void wait_prepare(enum wait_mode mode);
/* 0 after a wake-up, -ETIMEDOUT, -EINTR. A wake-up since wait_prepare makes it return at once. */
int wait_sleep(uint64_t deadline);
void wait_done(void);

#define WAIT_EVENT_UNTIL(q, cond, deadline, mode)                       \
	__extension__({                                                 \
		struct waiter wait_w_;                                  \
		uint64_t wait_deadline_ = (deadline);                   \
		int wait_err_ = 0;                                      \
		if (!(cond)) {                                          \
			wait_add((q), &wait_w_, true);                  \
			for (;;) {                                      \
				wait_prepare(mode);                     \
				if (cond) {                             \
					wait_err_ = 0;                  \
					break;                          \
				}                                       \
				if (wait_err_)                          \
					break;                          \
				wait_err_ = wait_sleep(wait_deadline_); \
			}                                               \
			wait_done();                                    \
			wait_remove((q), &wait_w_);                     \
		}                                                       \
		wait_err_;                                              \
	})

#define WAIT_EVENT(q, cond) ((void)WAIT_EVENT_UNTIL(q, cond, WAIT_FOREVER, WAIT_UNINTERRUPTIBLE))

#endif
