/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* port/sim: determinism of the schedule, what it finds, time, memory failures. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "port/errors.h"
#include "port/mem.h"
#include "port/rand.h"
#include "port/sync.h"
#include "port/thread.h"
#include "port/time.h"
#include "sim/sim.h"

#define THREADS 3
#define SEEDS 200

/* A bounded queue with two conditions: enough waiting to make schedules differ. */
struct queue {
	struct port_mutex lock;
	struct port_cond filled;
	struct port_cond drained;
	unsigned level;    /* lock: queue.lock */
	unsigned consumed; /* lock: queue.lock */
};

static void produce(void *arg)
{
	struct queue *q = arg;

	for (unsigned i = 0; i < 10; i++) {
		port_mutex_lock(&q->lock);
		while (q->level == 2)
			port_cond_wait(&q->drained, &q->lock);
		q->level++;
		port_cond_broadcast(&q->filled);
		port_mutex_unlock(&q->lock);
	}
}

static void consume(void *arg)
{
	struct queue *q = arg;

	for (unsigned i = 0; i < 10; i++) {
		port_mutex_lock(&q->lock);
		while (q->level == 0)
			port_cond_wait(&q->filled, &q->lock);
		q->level--;
		q->consumed++;
		port_cond_broadcast(&q->drained);
		port_mutex_unlock(&q->lock);
		port_thread_sleep(100);
	}
}

static uint64_t run_queue(uint64_t seed)
{
	struct port_thread t[2 * THREADS];
	struct queue q = {.level = 0};
	uint64_t hash;

	sim_init(seed);
	port_mutex_init(&q.lock, LOCK_RANK_DBFS_WAL, "queue");
	port_cond_init(&q.filled);
	port_cond_init(&q.drained);
	for (unsigned i = 0; i < THREADS; i++) {
		SIM_CHECK(port_thread_create(&t[2 * i], produce, &q, "producer") == 0);
		SIM_CHECK(port_thread_create(&t[2 * i + 1], consume, &q, "consumer") == 0);
	}
	for (unsigned i = 0; i < 2 * THREADS; i++)
		port_thread_join(&t[i]);
	SIM_CHECK(q.level == 0 && q.consumed == THREADS * 10);
	port_cond_fini(&q.filled);
	port_cond_fini(&q.drained);
	port_mutex_fini(&q.lock);
	hash = sim_trace_hash() ^ port_now();
	sim_fini();
	return hash;
}

static void test_same_seed_same_run(void **state)
{
	unsigned distinct = 0;
	uint64_t last = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		uint64_t hash = run_queue(seed);

		assert_int_equal(hash, run_queue(seed));
		distinct += hash != last;
		last = hash;
	}
	assert_int_equal(distinct, 20);
}

/* An increment that gives up the processor in its middle, without a lock. */
static unsigned racy;

static void race(void *arg)
{
	unsigned seen = racy;

	(void)arg;
	sim_point();
	racy = seen + 1;
}

static void test_schedules_find_a_race(void **state)
{
	unsigned lost = 0;

	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct port_thread t[2];

		sim_init(seed);
		racy = 0;
		for (unsigned i = 0; i < 2; i++)
			SIM_CHECK(port_thread_create(&t[i], race, NULL, "racer") == 0);
		for (unsigned i = 0; i < 2; i++)
			port_thread_join(&t[i]);
		sim_fini();
		lost += racy == 1;
	}
	assert_in_range(lost, SEEDS / 20, SEEDS - SEEDS / 20);
}

static void test_time(void **state)
{
	uint64_t start;

	(void)state;
	sim_init(1);
	sim_set_mischief(false);
	start = port_now();
	assert_true(port_now() > start);
	port_thread_sleep(3600 * PORT_NS_PER_SEC);
	assert_in_range(port_now() - start, 3600 * PORT_NS_PER_SEC,
			3600 * PORT_NS_PER_SEC + PORT_NS_PER_MS);
	assert_true(port_wallclock() > 0);
	sim_fini();
}

struct waiter {
	struct port_mutex lock;
	struct port_cond cond;
	uint64_t deadline;
	enum port_wait got;
};

static void wait_killable(void *arg)
{
	struct waiter *w = arg;

	port_mutex_lock(&w->lock);
	do {
		w->got = port_cond_wait_until(&w->cond, &w->lock, w->deadline, true);
	} while (w->got == PORT_WAIT_SIGNALED);
	port_mutex_unlock(&w->lock);
}

static enum port_wait run_waiter(uint64_t seed, uint64_t deadline, bool kill)
{
	struct waiter w = {.deadline = deadline};
	struct port_thread t;

	sim_init(seed);
	port_mutex_init(&w.lock, LOCK_RANK_NONE, "waiter");
	port_cond_init(&w.cond);
	SIM_CHECK(port_thread_create(&t, wait_killable, &w, "waiter") == 0);
	if (kill)
		sim_kill(&t);
	port_thread_join(&t);
	port_cond_fini(&w.cond);
	port_mutex_fini(&w.lock);
	sim_fini();
	return w.got;
}

static void test_timeout_and_kill(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		assert_int_equal(run_waiter(seed, 5 * PORT_NS_PER_SEC, false), PORT_WAIT_TIMEOUT);
		assert_int_equal(run_waiter(seed, UINT64_MAX, true), PORT_WAIT_KILLED);
	}
}

/* --- What must end the program --- */

static struct port_mutex a;
static struct port_mutex b;

static void lock_ab(void *arg) NO_THREAD_SAFETY
{
	(void)arg;
	port_mutex_lock(&a);
	port_mutex_lock(&b);
	port_mutex_unlock(&b);
	port_mutex_unlock(&a);
}

static void lock_ba(void *arg) NO_THREAD_SAFETY
{
	(void)arg;
	port_mutex_lock(&b);
	port_mutex_lock(&a);
	port_mutex_unlock(&a);
	port_mutex_unlock(&b);
}

static void deadlock_some_seed(void)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct port_thread t[2];

		sim_init(seed);
		port_mutex_init(&a, LOCK_RANK_NONE, "alpha");
		port_mutex_init(&b, LOCK_RANK_NONE, "beta");
		SIM_CHECK(port_thread_create(&t[0], lock_ab, NULL, "ab") == 0);
		SIM_CHECK(port_thread_create(&t[1], lock_ba, NULL, "ba") == 0);
		port_thread_join(&t[0]);
		port_thread_join(&t[1]);
		port_mutex_fini(&a);
		port_mutex_fini(&b);
		sim_fini();
	}
}

static void rank_violation(void) NO_THREAD_SAFETY
{
	port_mutex_init(&a, LOCK_RANK_DBFS_WAL, "alpha");
	port_mutex_init(&b, LOCK_RANK_DBFS_CACHE, "beta");
	port_mutex_lock(&b);
	port_mutex_lock(&a);
}

static void leak(void)
{
	sim_init(3);
	if (port_alloc(77))
		sim_fini();
}

static void lost_wakeup(void)
{
	struct waiter w = {.deadline = UINT64_MAX};

	sim_init(4);
	port_mutex_init(&w.lock, LOCK_RANK_NONE, "gamma");
	port_cond_init(&w.cond);
	wait_killable(&w);
}

static void spin(void)
{
	sim_init(5);
	sim_set_step_limit(1000);
	for (;;)
		port_thread_yield();
}

static void use_uninitialized(void) NO_THREAD_SAFETY
{
	static struct port_mutex m;

	port_mutex_lock(&m);
}

static void use_as_assert(void)
{
	sim_init(12345);
	port_log(PORT_LOG_WARN, "page %u is odd", 7);
	DBFS_ASSERT(port_now() == 0);
}

/* Runs fn in a child: it must abort, and say text. */
static void dies_saying(void (*fn)(void), const char *text)
{
	char out[2048] = "";
	size_t used = 0;
	int fds[2];
	int status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		fn();
		_exit(0);
	}
	close(fds[1]);
	for (ssize_t n = 1; n > 0 && used < sizeof(out) - 1; used += (size_t)n)
		n = read(fds[0], out + used, sizeof(out) - 1 - used);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || !strstr(out, text))
		fail_msg("expected an abort with \"%s\", got status %d: %s", text, status, out);
}

static void test_failures_are_told(void **state)
{
	(void)state;
	sim_init(0);
	dies_saying(deadlock_some_seed, "waits for mutex alpha, held by ab; holds beta");
	dies_saying(deadlock_some_seed, "deadlock: no thread can run");
	dies_saying(rank_violation, "lock order: lock alpha (rank 350) while holding beta");
	dies_saying(leak, "(seed 3, step 0): 1 allocations");
	dies_saying(lost_wakeup, "waits for a signal (condition used with mutex gamma)");
	dies_saying(spin, "livelock");
	dies_saying(use_uninitialized, "before init");
	dies_saying(use_as_assert, "warning: page 7 is odd");
	dies_saying(use_as_assert, "(seed 12345, step 0): subsystems/port/tests/test_sim.c:");
}

static void test_memory(void **state)
{
	void *p[10];
	unsigned failed = 0;

	(void)state;
	sim_init(9);
	sim_mem_fail_at(3, false);
	for (unsigned i = 0; i < 5; i++) {
		p[i] = i % 2 ? port_alloc(100) : port_alloc_zeroed(10);
		assert_int_equal(p[i] == NULL, i == 2);
	}
	sim_mem_fail_at(2, true);
	for (unsigned i = 5; i < 10; i++) {
		p[i] = port_alloc_pages(1);
		assert_int_equal(p[i] == NULL, i >= 6);
	}
	assert_int_equal(sim_mem_calls(), 10);
	assert_int_equal(sim_mem_failures(), 5);
	assert_int_equal(sim_mem_outstanding(), 5);
	assert_true(sim_mem_peak() >= 4096);
	for (unsigned i = 0; i < 10; i++)
		port_free(p[i]);
	sim_mem_fail_at(0, false);
	sim_mem_fail_chance(250000);
	for (unsigned i = 0; i < 1000; i++) {
		void *q = port_alloc(1);

		failed += q == NULL;
		port_free(q);
	}
	assert_in_range(failed, 150, 350);
	sim_fini();
}

static void try_lock(void *arg)
{
	bool *got = arg;

	if (port_mutex_trylock(&a)) {
		*got = true;
		port_mutex_unlock(&a);
	}
}

static bool trylock_elsewhere(void)
{
	struct port_thread t;
	bool got = false;

	SIM_CHECK(port_thread_create(&t, try_lock, &got, "trier") == 0);
	port_thread_join(&t);
	return got;
}

static void test_trylock(void **state)
{
	(void)state;
	sim_init(11);
	port_mutex_init(&a, LOCK_RANK_DBFS_WAL, "alpha");
	port_mutex_lock(&a);
	assert_true(port_mutex_held(&a));
	assert_false(trylock_elsewhere());
	port_mutex_unlock(&a);
	assert_false(port_mutex_held(&a));
	assert_true(trylock_elsewhere());
	port_mutex_fini(&a);
	sim_fini();
}

static void test_random_by_seed(void **state)
{
	uint64_t x[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		sim_init(i < 2 ? 7 : 8);
		port_random(&x[i], sizeof(x[i]));
	}
	assert_int_equal(x[0], x[1]);
	assert_int_not_equal(x[0], x[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_seed_same_run),
		cmocka_unit_test(test_schedules_find_a_race),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_timeout_and_kill),
		cmocka_unit_test(test_failures_are_told),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_trylock),
		cmocka_unit_test(test_random_by_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
