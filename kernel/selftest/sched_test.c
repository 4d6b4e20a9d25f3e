/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Tests of threads, locks, wait queues, timers and calls between harts. */
#include "arch/smp.h"
#include "lib/errno.h"
#include "port/sync.h"
#include "sched/clock.h"
#include "sched/sched.h"
#include "sched/thread.h"
#include "sched/timer.h"
#include "selftest/selftest.h"
#include "sync/mutex.h"
#include "sync/preempt.h"
#include "sync/wait.h"

#define ROUNDS 3000u

static struct mutex counter_lock = MUTEX_INIT(counter_lock, LOCK_RANK_NONE, "selftest");
static struct spinlock counter_spin = SPINLOCK_INIT(LOCK_RANK_NONE);
static uint64_t counter; /* lock: counter_lock or counter_spin, by test */

static void count_with_mutex(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < ROUNDS; i++) {
		mutex_lock(&counter_lock);
		uint64_t seen = counter;

		if (i % 64 == 0)
			sched_yield();
		counter = seen + 1;
		mutex_unlock(&counter_lock);
	}
}

static bool test_mutex(void) NO_THREAD_SAFETY
{
	counter = 0;
	EXPECT(selftest_parallel(12, count_with_mutex, NULL, 0));
	EXPECT(counter == 12 * ROUNDS);
	EXPECT(mutex_trylock(&counter_lock));
	EXPECT(mutex_held(&counter_lock));
	mutex_unlock(&counter_lock);
	EXPECT(!mutex_held(&counter_lock));
	return true;
}

static void count_with_spinlock(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < ROUNDS * 4; i++) {
		unsigned long flags = spin_lock_irqsave(&counter_spin);

		counter++;
		spin_unlock_irqrestore(&counter_spin, flags);
	}
}

static bool test_spinlock(void)
{
	counter = 0;
	EXPECT(selftest_parallel(8, count_with_spinlock, NULL, 0));
	EXPECT(counter == 8ull * ROUNDS * 4);
	return true;
}

struct ball {
	struct wait_queue wait;
	_Atomic uint32_t turn;
	uint32_t me;
	struct ball *shared;
};

static void play(void *arg)
{
	struct ball *b = arg;
	struct ball *s = b->shared;

	for (unsigned i = 0; i < ROUNDS; i++) {
		WAIT_EVENT(&s->wait, atomic_load(&s->turn) % 2 == b->me);
		atomic_fetch_add(&s->turn, 1);
		wait_wake_all(&s->wait);
	}
}

static bool test_ping_pong(void)
{
	struct ball b[2] = {{.me = 0}, {.me = 1}};

	wait_init(&b[0].wait);
	b[0].shared = &b[0];
	b[1].shared = &b[0];
	EXPECT(selftest_parallel(2, play, b, sizeof(b[0])));
	EXPECT(atomic_load(&b[0].turn) == 2 * ROUNDS);
	return true;
}

static _Atomic uint32_t spin_on;

static void spin_until_set(void *arg)
{
	uint64_t *spins = arg;

	while (!atomic_load(&spin_on))
		(*(volatile uint64_t *)spins)++;
}

static bool all_spin(const uint64_t *spins, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (*(const volatile uint64_t *)&spins[i] == 0)
			return false;
	}
	return true;
}

/* Threads that never give up their harts must not keep this one from running again. */
static bool test_preemption(void)
{
	uint64_t spins[8] = {0};
	struct thread *t[8];

	atomic_store(&spin_on, 0);
	for (unsigned i = 0; i < 8; i++) {
		t[i] = thread_create("spin", spin_until_set, &spins[i]);
		EXPECT(t[i]);
		thread_start(t[i]);
	}
	/* All get their turn; a loaded host may take its time. */
	for (unsigned tries = 0; tries < 500 && !all_spin(spins, 8); tries++)
		(void)sched_sleep_until(clock_now() + 10 * NS_PER_MS, WAIT_UNINTERRUPTIBLE);
	atomic_store(&spin_on, 1);
	for (unsigned i = 0; i < 8; i++) {
		thread_wait_dead(t[i]);
		thread_put(t[i]);
		EXPECT(spins[i] > 0);
	}
	return true;
}

static void sleep_some(void *arg)
{
	uint64_t *late = arg;
	uint64_t seed = (uint64_t)(uintptr_t)arg;

	for (unsigned i = 0; i < 10; i++) {
		uint64_t until = clock_now() + selftest_random(&seed) % (5 * NS_PER_MS);

		(void)sched_sleep_until(until, WAIT_UNINTERRUPTIBLE);
		if (clock_now() < until)
			*late = UINT64_MAX; /* woken early: an error */
	}
	if (*late != UINT64_MAX)
		*late = 1;
}

static bool test_sleep(void)
{
	uint64_t result[32] = {0};

	EXPECT(selftest_parallel(32, sleep_some, result, sizeof(result[0])));
	for (unsigned i = 0; i < 32; i++)
		EXPECT(result[i] == 1);
	return true;
}

struct ring_timer {
	struct timer timer;
	_Atomic uint32_t fired;
	uint64_t when;
	bool early;
};

static void ring(struct timer *t)
{
	struct ring_timer *r = container_of(t, struct ring_timer, timer);

	if (clock_now() < r->when)
		r->early = true;
	atomic_fetch_add(&r->fired, 1);
}

static bool test_timer(void)
{
	static struct ring_timer r[50];
	uint64_t seed = 7;
	unsigned canceled = 0;

	for (unsigned i = 0; i < 50; i++) {
		timer_init(&r[i].timer, ring);
		atomic_store(&r[i].fired, 0);
		r[i].when = clock_now() + 3 * NS_PER_MS + selftest_random(&seed) % (20 * NS_PER_MS);
		timer_set(&r[i].timer, r[i].when);
	}
	for (unsigned i = 0; i < 50; i += 5) {
		if (timer_cancel(&r[i].timer))
			canceled++;
		EXPECT(timer_deadline(&r[i].timer) == UINT64_MAX);
	}
	(void)sched_sleep_until(clock_now() + 60 * NS_PER_MS, WAIT_UNINTERRUPTIBLE);
	uint32_t fired = 0;

	for (unsigned i = 0; i < 50; i++) {
		fired += atomic_load(&r[i].fired);
		EXPECT(!r[i].early && atomic_load(&r[i].fired) <= 1);
	}
	EXPECT(fired + canceled == 50);
	return true;
}

struct sleeper {
	struct wait_queue wait;
	int result;
	enum wait_mode mode;
};

static void sleep_forever(void *arg)
{
	struct sleeper *s = arg;

	s->result = WAIT_EVENT_UNTIL(&s->wait, false, WAIT_FOREVER, s->mode);
}

static bool interrupt_one(enum wait_mode mode, uint32_t flag)
{
	struct sleeper s = {.result = 1, .mode = mode};
	struct thread *t = thread_create("sleeper", sleep_forever, &s);

	wait_init(&s.wait);
	EXPECT(t);
	thread_start(t);
	(void)sched_sleep_until(clock_now() + 2 * NS_PER_MS, WAIT_UNINTERRUPTIBLE);
	thread_interrupt(t, flag);
	thread_wait_dead(t);
	thread_put(t);
	EXPECT(s.result == -EINTR);
	return true;
}

static bool test_interrupt(void)
{
	EXPECT(interrupt_one(WAIT_INTERRUPTIBLE, THREAD_SIGNAL));
	EXPECT(interrupt_one(WAIT_INTERRUPTIBLE, THREAD_KILLED));
	EXPECT(interrupt_one(WAIT_KILLABLE, THREAD_KILLED));
	return true;
}

static bool test_cond(void) NO_THREAD_SAFETY
{
	struct port_mutex m;
	struct port_cond c;
	uint64_t until = clock_now() + 5 * NS_PER_MS;

	port_mutex_init(&m, LOCK_RANK_NONE, "selftest");
	port_cond_init(&c);
	port_mutex_lock(&m);
	EXPECT(port_cond_wait_until(&c, &m, until, false) == PORT_WAIT_TIMEOUT);
	EXPECT(clock_now() >= until);
	EXPECT(port_mutex_held(&m));
	port_mutex_unlock(&m);
	return true;
}

static void count_here(void *arg)
{
	_Atomic uint32_t *n = arg;

	atomic_fetch_add(n, 1);
}

static void call_all(void *arg)
{
	for (unsigned i = 0; i < 50; i++)
		arch_smp_call(arch_harts_online(), count_here, arg);
}

static bool test_smp_call(void)
{
	_Atomic uint32_t n = 0;

	EXPECT(selftest_parallel(4, call_all, &n, 0));
	EXPECT(atomic_load(&n) == 200 * arch_hart_count());
	return true;
}

static void visit_harts(void *arg)
{
	bool *ok = arg;

	*ok = true;
	for (unsigned i = 0; i < 20; i++) {
		unsigned h = i % arch_hart_count();

		thread_set_affinity(current_thread(), (uint64_t)1 << h);
		if (atomic_load(&current_thread()->hart) != h)
			*ok = false;
	}
}

static bool test_affinity(void)
{
	bool ok[6] = {false};

	EXPECT(selftest_parallel(6, visit_harts, ok, sizeof(ok[0])));
	for (unsigned i = 0; i < 6; i++)
		EXPECT(ok[i]);
	return true;
}

/* A deadline in ticks is the first tick at which the clock has reached it, however long it runs. */
static bool test_clock(void)
{
	uint64_t seed = 3;

	for (unsigned i = 0; i < 1000; i++) {
		uint64_t ns = (selftest_random(&seed) >> (4 + i % 40)) + 1;
		uint64_t ticks = clock_to_ticks(ns);

		EXPECT(clock_ticks_to_ns(ticks) >= ns && clock_ticks_to_ns(ticks - 1) < ns);
	}
	EXPECT(clock_to_ticks(UINT64_MAX) == UINT64_MAX);
	return true;
}

static void nothing(void *arg)
{
	(void)arg;
}

static bool test_many_threads(void)
{
	for (unsigned i = 0; i < 20; i++)
		EXPECT(selftest_parallel(50, nothing, NULL, 0));
	return true;
}

const struct selftest selftest_sched[] = {
	{"mutex", test_mutex},
	{"spinlock", test_spinlock},
	{"ping-pong", test_ping_pong},
	{"preemption", test_preemption},
	{"clock", test_clock},
	{"sleep", test_sleep},
	{"timer", test_timer},
	{"interrupted waits", test_interrupt},
	{"condition timeout", test_cond},
	{"calls between harts", test_smp_call},
	{"affinity", test_affinity},
	{"many threads", test_many_threads},
	{NULL, NULL},
};
