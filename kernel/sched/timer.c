/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Timers: a heap a hart, keyed by deadline.
 *
 * States of a timer: idle (hart == 0) -> set (hart == h + 1, in heap h) -> running (idle, and
 * queue h's running points to it) -> idle. timer.hart changes only under the lock of the queue
 * that it names or is going to name.
 *
 * TIMER-1  A hart's interrupt is programmed for its earliest deadline or sooner (armed).
 *
 * Locking: one spinlock a hart (rank SPIN_TIMER), not held while a callback runs.
 */
#include "sched/timer.h"

#include "arch/cpu.h"
#include "arch/layout.h"
#include "base/assert.h"
#include "sched/clock.h"
#include "sched/thread.h"
#include "sched/timer_priv.h"
#include "sync/preempt.h"

struct timer_queue {
	struct spinlock lock;
	struct heap heap;              /* lock: lock */
	struct timer *_Atomic running; /* written by the hart under lock; read by cancellers */
	uint64_t armed;                /* this hart only: deadline programmed, ns */
};

static struct timer_queue queues[ARCH_MAX_HARTS];

void timer_module_init(void)
{
	for (unsigned i = 0; i < ARCH_MAX_HARTS; i++) {
		spin_init(&queues[i].lock, LOCK_RANK_SPIN_TIMER);
		heap_init(&queues[i].heap);
		queues[i].armed = UINT64_MAX;
	}
}

static unsigned my_hart(void)
{
	return atomic_load_explicit(&current_thread()->hart, memory_order_relaxed);
}

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	*t = (struct timer){.fn = fn};
}

void timer_program(uint64_t ns)
{
	struct timer_queue *q = &queues[my_hart()];

	if (ns >= q->armed)
		return;
	q->armed = ns;
	arch_timer_set(clock_to_ticks(ns));
}

void timer_rearm(uint64_t ns)
{
	queues[my_hart()].armed = ns;
	arch_timer_set(clock_to_ticks(ns));
}

/* Locks the queue that t is in; NULL if it is in none. */
static struct timer_queue *lock_of(struct timer *t, unsigned long *flags) NO_THREAD_SAFETY
{
	for (;;) {
		uint32_t h = atomic_load_explicit(&t->hart, memory_order_acquire);

		if (h == 0)
			return NULL;
		*flags = spin_lock_irqsave(&queues[h - 1].lock);
		if (atomic_load_explicit(&t->hart, memory_order_relaxed) == h)
			return &queues[h - 1];
		spin_unlock_irqrestore(&queues[h - 1].lock, *flags);
	}
}

bool timer_cancel_nowait(struct timer *t) NO_THREAD_SAFETY
{
	unsigned long flags;
	struct timer_queue *q = lock_of(t, &flags);

	if (!q)
		return false;
	heap_remove(&q->heap, &t->node);
	atomic_store_explicit(&t->hart, 0, memory_order_release);
	spin_unlock_irqrestore(&q->lock, flags);
	return true;
}

bool timer_cancel(struct timer *t)
{
	bool was = timer_cancel_nowait(t);

	for (unsigned h = 0; h < ARCH_MAX_HARTS; h++) {
		/* acquire: pairs with the release after the callback */
		while (atomic_load_explicit(&queues[h].running, memory_order_acquire) == t)
			arch_relax();
	}
	/* The callback may have set it again. */
	return timer_cancel_nowait(t) || was;
}

void timer_set(struct timer *t, uint64_t deadline)
{
	unsigned long irq = arch_irq_save(); /* stay on this hart */
	struct timer_queue *q = &queues[my_hart()];
	unsigned long flags;

	timer_cancel_nowait(t);
	flags = spin_lock_irqsave(&q->lock);
	heap_insert(&q->heap, &t->node, deadline);
	atomic_store_explicit(&t->hart, my_hart() + 1, memory_order_release);
	spin_unlock_irqrestore(&q->lock, flags);
	timer_program(deadline); /* TIMER-1 */
	arch_irq_restore(irq);
}

uint64_t timer_deadline(const struct timer *t)
{
	return atomic_load_explicit(&t->hart, memory_order_acquire) ? t->node.key : UINT64_MAX;
}

uint64_t timer_run_due(void)
{
	struct timer_queue *q = &queues[my_hart()];

	for (;;) {
		unsigned long flags = spin_lock_irqsave(&q->lock);
		struct heap_node *n = heap_min(&q->heap);
		uint64_t next = n ? n->key : UINT64_MAX;
		struct timer *t;

		if (next > clock_now()) {
			spin_unlock_irqrestore(&q->lock, flags);
			return next;
		}
		t = container_of(n, struct timer, node);
		heap_remove(&q->heap, n);
		atomic_store_explicit(&q->running, t, memory_order_relaxed);
		atomic_store_explicit(&t->hart, 0, memory_order_release);
		spin_unlock_irqrestore(&q->lock, flags);
		t->fn(t);
		atomic_store_explicit(&q->running, NULL, memory_order_release);
	}
}
