/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Wait queues.
 *
 * WAIT-1  A waiter stores its sleeping state (wait_prepare) before it tests the condition; a
 * waker makes the
 *         condition true before it looks for waiters. Both orders are sequentially consistent, so either the
 *         test sees the condition or the waker sees the state: no wake-up is lost.
 * WAIT-2  wait_wake_one counts only a thread that it really woke (sched_wake is true), so two
 * calls
 *         wake two threads.
 */
#include "sync/wait.h"

#include "lib/errno.h"
#include "sched/clock.h"
#include "sched/sched.h"
#include "sched/thread.h"
#include "sched/timer.h"
#include "sync/lockcheck.h"

void wait_init(struct wait_queue *q)
{
	spin_init(&q->lock, LOCK_RANK_SPIN_WAIT);
	list_init(&q->waiters);
}

void wait_add(struct wait_queue *q, struct waiter *w, bool exclusive)
{
	unsigned long flags = spin_lock_irqsave(&q->lock);

	w->thread = current_thread();
	w->notify = NULL;
	w->exclusive = exclusive;
	w->woken = false;
	list_add_tail(&q->waiters, &w->link);
	spin_unlock_irqrestore(&q->lock, flags);
}

void wait_add_notify(struct wait_queue *q, struct waiter *w, void (*notify)(struct waiter *w))
{
	unsigned long flags = spin_lock_irqsave(&q->lock);

	w->thread = NULL;
	w->notify = notify;
	w->exclusive = false;
	w->woken = false;
	list_add_tail(&q->waiters, &w->link);
	spin_unlock_irqrestore(&q->lock, flags);
}

void wait_remove(struct wait_queue *q, struct waiter *w)
{
	unsigned long flags = spin_lock_irqsave(&q->lock);

	list_del(&w->link);
	spin_unlock_irqrestore(&q->lock, flags);
}

static void wake(struct wait_queue *q, bool all)
{
	struct waiter *w;
	struct waiter *n;
	unsigned long flags;

	atomic_thread_fence(memory_order_seq_cst); /* WAIT-1: condition before the look */
	if (!wait_active(q))
		return;
	flags = spin_lock_irqsave(&q->lock);
	list_for_each_entry_safe (w, n, &q->waiters, struct waiter, link) {
		if (w->notify) {
			w->notify(w);
			continue;
		}
		if (!sched_wake(w->thread, SCHED_WAKE_ANY))
			continue;
		w->woken = true;
		if (w->exclusive && !all)
			break; /* WAIT-2 */
	}
	spin_unlock_irqrestore(&q->lock, flags);
}

void wait_wake_one(struct wait_queue *q)
{
	wake(q, false);
}

void wait_wake_all(struct wait_queue *q)
{
	wake(q, true);
}

bool wait_active(struct wait_queue *q)
{
	struct list *const volatile *next = (struct list *const volatile *)&q->waiters.next;

	return *next != &q->waiters;
}

void wait_prepare(enum wait_mode mode)
{
	static const uint32_t states[] = {
		[WAIT_UNINTERRUPTIBLE] = THREAD_SLEEPING,
		[WAIT_KILLABLE] = THREAD_SLEEPING_KILLABLE,
		[WAIT_INTERRUPTIBLE] = THREAD_SLEEPING_INTERRUPTIBLE,
	};

	lockcheck_may_sleep();
	atomic_store_explicit(&current_thread()->state, states[mode], memory_order_seq_cst);
	atomic_thread_fence(memory_order_seq_cst); /* WAIT-1: state before the test */
}

void wait_done(void)
{
	atomic_store_explicit(&current_thread()->state, THREAD_RUNNING, memory_order_relaxed);
}

static uint32_t interrupting(uint32_t state)
{
	if (state == THREAD_SLEEPING_KILLABLE)
		return THREAD_KILLED;
	return state == THREAD_SLEEPING_INTERRUPTIBLE ? THREAD_KILLED | THREAD_SIGNAL : 0;
}

struct sleep_timer {
	struct timer timer;
	struct thread *thread;
};

static void sleep_expired(struct timer *t)
{
	struct sleep_timer *s = container_of(t, struct sleep_timer, timer);

	sched_wake(s->thread, SCHED_WAKE_ANY);
}

static void block_until(uint64_t deadline)
{
	struct sleep_timer s = {.thread = current_thread()};

	timer_init(&s.timer, sleep_expired);
	timer_set(&s.timer, deadline);
	sched_block();
	timer_cancel(&s.timer);
}

int wait_sleep(uint64_t deadline)
{
	struct thread *t = current_thread();
	uint32_t state = atomic_load_explicit(&t->state, memory_order_relaxed);
	uint32_t ends = interrupting(state);

	if (state == THREAD_RUNNING)
		return 0; /* woken since wait_prepare */
	if (thread_pending(t) & ends) {
		wait_done();
		return -EINTR;
	}
	if (deadline == WAIT_FOREVER) {
		sched_block();
	} else {
		if (clock_now() >= deadline) {
			wait_done();
			return -ETIMEDOUT;
		}
		block_until(deadline);
	}
	if (thread_pending(t) & ends)
		return -EINTR;
	if (deadline != WAIT_FOREVER && clock_now() >= deadline)
		return -ETIMEDOUT;
	return 0;
}
