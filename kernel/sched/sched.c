/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The scheduler: a run queue a hart, ordered by weighted run time.
 *
 *   runq.heap      runnable threads that wait for this hart, smallest vruntime first
 *   runq.current   the one that runs (the idle thread when nothing else can)
 *
 * Each thread's vruntime grows with the time it runs, slower for lower nice values. The
 * smallest one runs next. A thread that slept starts at most WAKE_CREDIT below the queue's
 * minimum, so sleeping gives a quick start, not a hoard. The tick (while a real thread runs)
 * takes the hart away from a thread that is ahead of another by more than GRANULARITY.
 *
 * Placement: a wake-up puts the thread on the waker's own queue: under emulation an interrupt
 * to another hart costs as much as a hundred switches, and partners that wake each other
 * belong together. Parallelism comes from idle harts: a busy hart's tick wakes one if threads
 * wait, and whoever becomes idle takes a thread from another queue.
 *
 * Invariants:
 *   SCHED-1  thread.on_queue == it is current on a hart, or in exactly one heap, or being moved between
 *            heaps by a waker that holds no lock at that moment (then nobody else moves it).
 *   SCHED-2  A switch holds the queue's lock from before the thread leaves until its registers are saved: the next
 *            thread releases it (finish_switch). So a thread seen under its queue's lock as not on_queue is
 *            wholly saved and may run elsewhere.
 *   SCHED-3  thread.hart changes only under the lock of the queue that it names, and not while it runs.
 *   SCHED-4  Preemption keeps a thread on the queue whatever its state: only sched_block lets it sleep.
 *
 * Locking: runq.lock is a bare word taken with interrupts off, because it passes from thread
 * to thread; two are never held together (stealing uses trylock).
 */
#include "sched/sched.h"

#include "arch/context.h"
#include "arch/smp.h"
#include "base/assert.h"
#include "lib/errno.h"
#include "sched/clock.h"
#include "sched/clock_priv.h"
#include "sched/sched_priv.h"
#include "sched/thread.h"
#include "sched/timer_priv.h"
#include "sync/lockcheck.h"
#include "sync/preempt.h"

#define TICK_NS (4 * NS_PER_MS)
#define GRANULARITY_NS (1 * NS_PER_MS)
#define WAKE_CREDIT_NS (3 * NS_PER_MS)
#define LOAD_PERIOD_NS (5 * NS_PER_SEC)
#define NICE_0_WEIGHT 1024

struct runq {
	_Atomic uint32_t lock; /* acquire / release */
	struct heap heap;      /* lock: lock, as all below unless it says otherwise */
	struct thread *current;
	struct thread *idle;    /* const after the hart started */
	struct thread *evicted; /* runnable, but its affinity forbids this hart */
	uint64_t min_vruntime;
	uint64_t max_vruntime;
	uint64_t next_tick; /* this hart only; UINT64_MAX: no tick runs */
	uint64_t switches;
	_Atomic uint32_t idling; /* seq_cst set before the last look at pending; a hint */
} ALIGNED(64);

static struct runq runqs[ARCH_MAX_HARTS];
static struct {
	_Atomic uint64_t next; /* acq_rel: whoever moves it updates avg */
	uint32_t avg[3];       /* readers see each number whole */
} load;

/* 1024 / weight of each nice level: every step is about 1.25 times the share. */
static const uint32_t weights[40] = {88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705,
				     14949, 11916, 9548,  7620,  6100,  4904,  3906,  3121,
				     2501,  1991,  1586,  1277,  1024,  820,   655,   526,
				     423,   335,   272,   215,   172,   137,   110,   87,
				     70,    56,    45,    36,    29,    23,    18,    15};

static void lock_queue(struct runq *q)
{
	while (atomic_exchange_explicit(&q->lock, 1, memory_order_acquire)) {
		while (atomic_load_explicit(&q->lock, memory_order_relaxed))
			arch_relax();
	}
}

static void unlock_queue(struct runq *q)
{
	atomic_store_explicit(&q->lock, 0, memory_order_release);
}

static unsigned my_hart(void)
{
	return atomic_load_explicit(&current_thread()->hart, memory_order_relaxed);
}

static bool allowed(const struct thread *t, unsigned hart)
{
	return atomic_load_explicit(&t->affinity, memory_order_relaxed) >> hart & 1;
}

/* Charges the current thread for the time since it got the hart or was last charged. */
static void charge(struct runq *q)
{
	struct thread *t = q->current;
	uint64_t now = arch_ticks();
	uint64_t ran = now - t->run_start;

	t->run_start = now;
	t->run_ticks += ran;
	if (t->idle)
		return;
	t->vruntime += clock_ticks_to_ns(ran) * NICE_0_WEIGHT / weights[t->nice + 20];
	if (t->vruntime > q->max_vruntime)
		q->max_vruntime = t->vruntime;
}

static void enqueue(struct runq *q, struct thread *t)
{
	heap_insert(&q->heap, &t->rq_node, t->vruntime);
	if (t->vruntime > q->max_vruntime)
		q->max_vruntime = t->vruntime;
}

static struct thread *first_waiting(const struct runq *q)
{
	struct heap_node *n = heap_min(&q->heap);

	return n ? container_of(n, struct thread, rq_node) : NULL;
}

/* Moves t's run time into q's scale, with at most the credit of a sleeper. */
static void place(struct runq *q, struct thread *t)
{
	uint64_t floor = q->min_vruntime > WAKE_CREDIT_NS ? q->min_vruntime - WAKE_CREDIT_NS : 0;
	uint64_t ceiling = q->min_vruntime + TICK_NS * 4 * NICE_0_WEIGHT / weights[t->nice + 20];

	if (t->vruntime < floor)
		t->vruntime = floor;
	if (t->vruntime > ceiling) /* it comes from a queue with another scale */
		t->vruntime = ceiling;
}

static void ask_resched(struct runq *q, unsigned hart)
{
	struct thread *t = q->current;

	atomic_fetch_or_explicit(&t->pending, THREAD_RESCHED, memory_order_acq_rel);
	if (hart != my_hart())
		arch_ipi_resched(hart);
}

/* Puts a thread that is in no heap (on_queue set by the caller) onto hart's queue. */
static void add_runnable(struct thread *t, unsigned hart)
{
	struct runq *q = &runqs[hart];
	struct thread *cur;

	lock_queue(q);
	place(q, t);
	enqueue(q, t);
	cur = q->current;
	if (cur->idle || t->vruntime + GRANULARITY_NS < cur->vruntime)
		ask_resched(q, hart);
	unlock_queue(q);
}

static unsigned choose_hart(const struct thread *t)
{
	unsigned here = my_hart();
	uint64_t mask =
		atomic_load_explicit(&t->affinity, memory_order_relaxed) & arch_harts_online();

	if (allowed(t, here) || mask == 0)
		return here;
	for (unsigned h = 0;; h++) {
		if (mask >> h & 1)
			return h;
	}
}

bool sched_wake(struct thread *t, uint32_t states)
{
	unsigned long flags = arch_irq_save();
	unsigned target;
	unsigned h;
	struct runq *q;
	uint32_t state;

	for (;;) { /* SCHED-3 */
		h = atomic_load_explicit(&t->hart, memory_order_relaxed);
		q = &runqs[h];
		lock_queue(q);
		if (atomic_load_explicit(&t->hart, memory_order_relaxed) == h)
			break;
		unlock_queue(q);
	}
	state = atomic_load_explicit(&t->state, memory_order_relaxed);
	if (!(1u << state & states)) {
		unlock_queue(q);
		arch_irq_restore(flags);
		return false;
	}
	atomic_store_explicit(&t->state, THREAD_RUNNING, memory_order_relaxed);
	if (t->on_queue) { /* not asleep yet, or preempted on the way */
		unlock_queue(q);
		arch_irq_restore(flags);
		return true;
	}
	t->on_queue = true; /* SCHED-1: from here on this waker moves it */
	target = choose_hart(t);
	atomic_store_explicit(&t->hart, target, memory_order_relaxed);
	unlock_queue(q);
	add_runnable(t, target);
	arch_irq_restore(flags);
	return true;
}

void sched_add_new(struct thread *t)
{
	unsigned long flags = arch_irq_save();
	unsigned target = choose_hart(t);

	t->vruntime = runqs[target].min_vruntime + GRANULARITY_NS;
	t->on_queue = true;
	atomic_store_explicit(&t->hart, target, memory_order_relaxed);
	atomic_store_explicit(&t->state, THREAD_RUNNING, memory_order_relaxed);
	add_runnable(t, target);
	arch_irq_restore(flags);
}

/* Takes a waiting thread from another hart; q is locked, the other is only tried. */
static struct thread *steal(struct runq *q, unsigned here)
{
	unsigned n = arch_hart_count();

	for (unsigned i = 1; i < n; i++) {
		unsigned h = (here + i) % n;
		struct runq *other = &runqs[h];
		struct thread *t;

		if (other->heap.count == 0 ||
		    atomic_exchange_explicit(&other->lock, 1, memory_order_acquire))
			continue;
		t = first_waiting(other);
		if (t && allowed(t, here)) {
			heap_remove(&other->heap, &t->rq_node);
			atomic_store_explicit(&t->hart, here, memory_order_relaxed);
			unlock_queue(other);
			place(q, t);
			return t;
		}
		unlock_queue(other);
	}
	return NULL;
}

static struct thread *pick(struct runq *q, unsigned here)
{
	struct thread *t = first_waiting(q);

	if (t)
		heap_remove(&q->heap, &t->rq_node);
	else
		t = steal(q, here);
	if (!t)
		return q->idle;
	if (t->vruntime > q->min_vruntime)
		q->min_vruntime = t->vruntime;
	return t;
}

/* Interrupts off. In the thread that got the hart: the one before it has been saved (SCHED-2). */
static void finish_switch(struct thread *last)
{
	unsigned here = my_hart();
	struct runq *q = &runqs[here];
	struct thread *evicted = q->evicted;
	bool dead = atomic_load_explicit(&last->state, memory_order_relaxed) == THREAD_DEAD;
	unsigned target = here;

	q->evicted = NULL;
	if (evicted) {
		target = choose_hart(evicted);
		atomic_store_explicit(&evicted->hart, target, memory_order_relaxed);
	}
	unlock_queue(q);
	arch_switch_finish();
	if (evicted)
		add_runnable(evicted, target);
	if (dead)
		thread_put(last);
}

/* A real thread gets the hart: the tick must run. */
static void start_tick(struct runq *q)
{
	if (q->next_tick != UINT64_MAX)
		return;
	q->next_tick = clock_now() + TICK_NS;
	timer_program(q->next_tick);
}

static void schedule(bool preempt)
{
	unsigned long flags = arch_irq_save();
	struct thread *prev = current_thread();
	unsigned here = my_hart();
	struct runq *q = &runqs[here];
	struct thread *next;

	lock_queue(q);
	atomic_fetch_and_explicit(&prev->pending, ~(uint32_t)THREAD_RESCHED, memory_order_acq_rel);
	charge(q);
	if (!preempt && atomic_load_explicit(&prev->state, memory_order_acquire) != THREAD_RUNNING)
		prev->on_queue = false;
	else if (!prev->idle && allowed(prev, here))
		enqueue(q, prev);
	else if (!prev->idle)
		q->evicted = prev; /* finish_switch moves it once it is saved */
	next = pick(q, here);
	if (next == prev) {
		unlock_queue(q);
		arch_irq_restore(flags);
		return;
	}
	q->current = next;
	q->switches++;
	next->run_start = prev->run_start; /* charge() has just read the clock */
	if (!next->idle)
		start_tick(q);
	finish_switch(arch_switch_to(prev, next));
	arch_irq_restore(flags);
}

void sched_thread_begin(struct thread *last)
{
	struct thread *t;

	finish_switch(last);
	t = current_thread();
	arch_irq_enable();
	t->entry(t->arg);
	thread_exit();
}

void sched_block(void)
{
	lockcheck_may_sleep();
	schedule(false);
}

void sched_preempt(void)
{
	schedule(true);
}

void sched_yield(void)
{
	unsigned long flags = arch_irq_save();
	struct runq *q = &runqs[my_hart()];

	lock_queue(q);
	current_thread()->vruntime = MAX(current_thread()->vruntime, q->max_vruntime);
	unlock_queue(q);
	arch_irq_restore(flags);
	schedule(true);
}

void sched_exit(void)
{
	arch_irq_disable();
	atomic_store_explicit(&current_thread()->state, THREAD_DEAD, memory_order_release);
	schedule(false);
	__builtin_unreachable();
}

int sched_sleep_until(uint64_t deadline, int mode)
{
	int err;

	do {
		wait_prepare((enum wait_mode)mode);
		err = wait_sleep(deadline);
	} while (err == 0);
	wait_done();
	return err == -ETIMEDOUT ? 0 : err;
}

/*
 * Adds the number of runnable threads to the averages, once a period. Periods without a tick on
 * any hart were idle ones.
 */
static void update_load(uint64_t now)
{
	static const uint32_t decay[3] = {1884, 2014, 2037}; /* 2048 * exp(-5 s / period) */
	uint64_t next = atomic_load_explicit(&load.next, memory_order_acquire);
	uint64_t missed;
	uint32_t n = 0;

	if (now < next ||
	    !atomic_compare_exchange_strong_explicit(&load.next, &next, now + LOAD_PERIOD_NS,
						     memory_order_acq_rel, memory_order_relaxed))
		return;
	missed = next ? MIN((now - next) / LOAD_PERIOD_NS, 1000) : 0;
	for (unsigned h = 0; h < arch_hart_count(); h++)
		n += (uint32_t)runqs[h].heap.count + !runqs[h].current->idle;
	for (unsigned i = 0; i < 3; i++) {
		for (uint64_t k = 0; k < missed; k++)
			load.avg[i] = load.avg[i] * decay[i] / 2048;
		load.avg[i] = (load.avg[i] * decay[i] + n * 2048 * (2048 - decay[i])) / 2048;
	}
}

void sched_loadavg(uint32_t out[3])
{
	update_load(clock_now());
	for (unsigned i = 0; i < 3; i++)
		out[i] = *(volatile uint32_t *)&load.avg[i];
}

/* Threads wait here: an idle hart should come and take one. */
static void call_idle_hart(unsigned here)
{
	unsigned n = arch_hart_count();

	for (unsigned i = 1; i < n; i++) {
		unsigned h = (here + i) % n;

		if (!atomic_load_explicit(&runqs[h].idling, memory_order_relaxed))
			continue;
		atomic_fetch_or_explicit(&runqs[h].idle->pending, THREAD_RESCHED,
					 memory_order_acq_rel);
		arch_ipi_resched(h);
		return;
	}
}

static void tick(struct runq *q, uint64_t now, bool user)
{
	struct thread *t = q->current;
	struct thread *other;
	bool waiting;

	lock_queue(q);
	charge(q);
	if (user)
		t->user_ticks += clock_to_ticks(TICK_NS);
	other = first_waiting(q);
	waiting = other != NULL;
	if (waiting && other->vruntime + GRANULARITY_NS < t->vruntime)
		atomic_fetch_or_explicit(&t->pending, THREAD_RESCHED, memory_order_acq_rel);
	unlock_queue(q);
	q->next_tick = now + TICK_NS;
	if (waiting)
		call_idle_hart(my_hart());
	update_load(now);
}

void sched_timer_interrupt(bool user)
{
	struct runq *q = &runqs[my_hart()];
	uint64_t next;
	uint64_t now;

	next = timer_run_due();
	now = clock_now();
	if (q->current->idle)
		q->next_tick = UINT64_MAX;
	else if (now >= q->next_tick)
		tick(q, now, user);
	timer_rearm(MIN(next, q->next_tick));
}

static NORETURN void idle_loop(void)
{
	struct thread *self = current_thread();
	struct runq *q = &runqs[my_hart()];

	for (;;) {
		arch_irq_disable();
		atomic_store_explicit(&q->idling, 1, memory_order_seq_cst);
		if (!(thread_pending(self) & THREAD_RESCHED))
			arch_wait_for_interrupt();
		atomic_store_explicit(&q->idling, 0, memory_order_relaxed);
		arch_irq_enable(); /* the interrupt is taken here */
		schedule(true);
	}
}

static void adopt_idle(unsigned hart, struct thread *t)
{
	struct runq *q = &runqs[hart];

	t->idle = true;
	t->on_queue = true;
	t->run_start = arch_ticks();
	atomic_store_explicit(&t->state, THREAD_RUNNING, memory_order_relaxed);
	atomic_store_explicit(&t->hart, hart, memory_order_relaxed);
	heap_init(&q->heap);
	q->idle = t;
	q->current = t;
	q->next_tick = UINT64_MAX;
}

void sched_init(void)
{
	clock_init();
	timer_module_init();
	adopt_idle(0, current_thread());
}

void sched_adopt_hart(unsigned hart, struct thread *idle)
{
	adopt_idle(hart, idle);
}

void sched_start_hart(void)
{
	idle_loop();
}

void sched_hart_stats(unsigned hart, struct sched_stats *out)
{
	const volatile struct runq *q = &runqs[hart];

	out->runnable = (uint32_t)q->heap.count + !q->current->idle;
	out->switches = q->switches;
	out->idle_ticks = q->idle->run_ticks;
}

void thread_set_nice(struct thread *t, int nice)
{
	t->nice = (int8_t)MIN(MAX(nice, -20), 19); /* one byte: takes effect at the next charge */
}

void thread_set_affinity(struct thread *t, uint64_t mask)
{
	atomic_store_explicit(&t->affinity, mask, memory_order_relaxed);
	if (t == current_thread())
		schedule(true);
}

void thread_interrupt(struct thread *t, uint32_t flags)
{
	uint32_t states = 1u << THREAD_SLEEPING_INTERRUPTIBLE;
	unsigned hart;

	if (flags & THREAD_KILLED)
		states |= 1u << THREAD_SLEEPING_KILLABLE;
	/* before the state is read; pairs with wait_prepare, which stores the state first */
	atomic_fetch_or_explicit(&t->pending, flags, memory_order_seq_cst);
	atomic_thread_fence(memory_order_seq_cst);
	if (flags & (THREAD_KILLED | THREAD_SIGNAL) && sched_wake(t, states))
		return;
	hart = atomic_load_explicit(&t->hart, memory_order_relaxed);
	if (t != current_thread() && hart != my_hart() && runqs[hart].current == t)
		arch_ipi_resched(hart); /* it may be in user mode: makes it look at its flags */
}

uint64_t thread_cpu_ticks(const struct thread *t)
{
	const volatile struct thread *v = t;
	uint64_t sum = v->run_ticks;

	if (runqs[v->hart].current == t)
		sum += arch_ticks() - v->run_start;
	return sum;
}
