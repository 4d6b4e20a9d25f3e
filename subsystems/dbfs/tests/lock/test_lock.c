/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The lock manager alone: the tables, each rule once, and random transactions under the seeded
 * scheduler with every invariant of src/lock/queue.c checked at each step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lock/lock_priv.h"
#include "port/thread.h"
#include "port/time.h"
#include "sim/prng.h"
#include "sim/sim.h"

#define FOREVER UINT64_MAX

static struct dbfs_lockmgr *mgr;

static struct dbfs_lock_name point(uint64_t key)
{
	return (struct dbfs_lock_name){1, key, key};
}

static struct dbfs_lock_name range(uint64_t lo, uint64_t hi)
{
	return (struct dbfs_lock_name){1, lo, hi};
}

/* --- The invariants, by brute force ---------------------------------------------------------- */

static bool not_refused(void *arg, struct request *other)
{
	const struct request *r = arg;

	/* LOCK-1; a pair that came in through U's asymmetry is admitted in one direction. */
	assert_true(other->locker == r->locker || dbfs_lock_compatible(other->mode, r->mode) ||
		    dbfs_lock_compatible(r->mode, other->mode));
	return true;
}

static void check_request(struct request *r)
{
	dbfs_lock_each_overlap(r, not_refused, r);
	if (r->want != DBFS_LOCK_NONE)
		assert_false(dbfs_lock_can_grant(r)); /* LOCK-5 */
}

static void check_queue(struct list *queue)
{
	struct request *r;

	list_for_each_entry (r, queue, struct request, in_queue) {
		check_request(r);
	}
}

struct reach {
	struct dbfs_locker *target;
	struct dbfs_locker *seen[64];
	size_t n;
	struct request *from;
};

static bool collect(void *arg, struct request *other)
{
	struct reach *s = arg;

	if (!dbfs_lock_blocks(s->from, other))
		return true;
	assert_ptr_not_equal(other->locker, s->target); /* LOCK-4: no cycle is left */
	for (size_t i = 0; i < s->n; i++) {
		if (s->seen[i] == other->locker)
			return true;
	}
	s->seen[s->n++] = other->locker;
	return true;
}

static void check_no_cycle(struct dbfs_locker *l)
{
	struct reach s = {.target = l, .seen = {l}, .n = 1};

	for (size_t i = 0; i < s.n; i++) {
		s.from = s.seen[i]->waiting;
		if (s.from != NULL)
			dbfs_lock_each_overlap(s.from, collect, &s);
	}
}

static void check_all(struct dbfs_locker *lockers, size_t n)
{
	port_mutex_lock(&mgr->lock);
	for (size_t b = 0; b <= mgr->mask; b++) {
		struct space *s;

		list_for_each_entry (s, &mgr->spaces[b], struct space, hash) {
			struct head *h;

			check_queue(&s->ranges);
			list_for_each_entry (h, &s->points, struct head, in_space) {
				check_queue(&h->queue);
			}
		}
	}
	for (size_t i = 0; i < n; i++)
		check_no_cycle(&lockers[i]);
	port_mutex_unlock(&mgr->lock);
}

/* --- Tables ------------------------------------------------------------------------------------ */

static void modes_are_consistent(void **state)
{
	(void)state;
	for (int a = 0; a < DBFS_LOCK_MODES; a++) {
		for (int b = 0; b < DBFS_LOCK_MODES; b++) {
			enum dbfs_lock_mode j =
				dbfs_lock_join((enum dbfs_lock_mode)a, (enum dbfs_lock_mode)b);

			assert_int_equal(j, dbfs_lock_join((enum dbfs_lock_mode)b,
							   (enum dbfs_lock_mode)a));
			assert_int_equal(dbfs_lock_join(j, (enum dbfs_lock_mode)a), j);
			/* Whom the join admits, both parts admit. */
			for (int c = 0; c < DBFS_LOCK_MODES; c++) {
				if (dbfs_lock_compatible(j, (enum dbfs_lock_mode)c))
					assert_true(dbfs_lock_compatible((enum dbfs_lock_mode)a,
									 (enum dbfs_lock_mode)c));
			}
			if (a != DBFS_LOCK_U && b != DBFS_LOCK_U)
				assert_int_equal(dbfs_lock_compatible((enum dbfs_lock_mode)a,
								      (enum dbfs_lock_mode)b),
						 dbfs_lock_compatible((enum dbfs_lock_mode)b,
								      (enum dbfs_lock_mode)a));
		}
	}
	assert_true(dbfs_lock_compatible(DBFS_LOCK_S, DBFS_LOCK_U));
	assert_false(dbfs_lock_compatible(DBFS_LOCK_U, DBFS_LOCK_S));
	assert_int_equal(dbfs_lock_join(DBFS_LOCK_S, DBFS_LOCK_IX), DBFS_LOCK_SIX);
}

/* --- Rules, one thread and no waiting (deadline 0) ----------------------------------------- */

static void set_up(uint64_t seed)
{
	const struct dbfs_lock_config config = {.buckets = 16};

	sim_init(seed);
	mgr = dbfs_lockmgr_create(&config);
	assert_non_null(mgr);
}

static void tear_down(void)
{
	struct dbfs_lock_stats st;

	dbfs_lock_get_stats(mgr, &st);
	assert_int_equal(st.held, 0);
	assert_int_equal(st.waiting, 0);
	dbfs_lockmgr_destroy(mgr);
	sim_fini();
}

static void ranges_and_points_conflict_where_they_overlap(void **state)
{
	struct dbfs_locker a;
	struct dbfs_locker b;

	(void)state;
	set_up(1);
	dbfs_locker_init(&a, mgr, 1);
	dbfs_locker_init(&b, mgr, 2);
	assert_int_equal(dbfs_lock_acquire(&a, range(10, 20), DBFS_LOCK_X, 0), 0);
	assert_int_equal(dbfs_lock_acquire(&a, point(15), DBFS_LOCK_S, 0), 0);
	assert_int_equal(dbfs_lock_acquire(&b, point(9), DBFS_LOCK_X, 0), 0);
	assert_int_equal(dbfs_lock_acquire(&b, point(10), DBFS_LOCK_S, 0), -DBFS_ETIME);
	assert_int_equal(dbfs_lock_acquire(&b, point(20), DBFS_LOCK_IS, 0), -DBFS_ETIME);
	assert_int_equal(dbfs_lock_acquire(&b, range(0, 9), DBFS_LOCK_X, 0), 0);
	assert_int_equal(dbfs_lock_acquire(&b, range(20, 30), DBFS_LOCK_S, 0), -DBFS_ETIME);
	assert_int_equal(dbfs_lock_acquire(&b, (struct dbfs_lock_name){2, 10, 20}, DBFS_LOCK_X, 0),
			 0);
	assert_int_equal(dbfs_lock_held(&a, range(10, 20)), DBFS_LOCK_X);
	assert_int_equal(dbfs_lock_held(&a, range(10, 21)), DBFS_LOCK_NONE);
	dbfs_locker_fini(&a);
	assert_int_equal(dbfs_lock_acquire(&b, point(10), DBFS_LOCK_S, 0), 0);
	dbfs_locker_fini(&b);
	tear_down();
}

static void failed_conversion_keeps_the_old_mode(void **state)
{
	struct dbfs_locker a;
	struct dbfs_locker b;

	(void)state;
	set_up(1);
	dbfs_locker_init(&a, mgr, 1);
	dbfs_locker_init(&b, mgr, 2);
	assert_int_equal(dbfs_lock_acquire(&a, point(1), DBFS_LOCK_S, 0), 0);
	assert_int_equal(dbfs_lock_acquire(&b, point(1), DBFS_LOCK_U, 0), 0);
	assert_int_equal(dbfs_lock_acquire(&b, point(1), DBFS_LOCK_X, 0), -DBFS_ETIME);
	assert_int_equal(dbfs_lock_held(&b, point(1)), DBFS_LOCK_U);
	assert_int_equal(dbfs_lock_acquire(&a, point(1), DBFS_LOCK_U, 0), -DBFS_ETIME);
	dbfs_lock_release_all(&a);
	assert_int_equal(dbfs_lock_acquire(&b, point(1), DBFS_LOCK_X, 0), 0);
	dbfs_locker_fini(&a);
	dbfs_locker_fini(&b);
	tear_down();
}

static void no_memory_changes_nothing(void **state)
{
	struct dbfs_locker a;

	(void)state;
	for (uint64_t nth = 1; nth <= 3; nth++) {
		set_up(1);
		dbfs_locker_init(&a, mgr, 1);
		sim_mem_fail_at(nth, false);
		assert_int_equal(dbfs_lock_acquire(&a, point(1), DBFS_LOCK_X, 0), -DBFS_ENOMEM);
		assert_int_equal(dbfs_lock_held(&a, point(1)), DBFS_LOCK_NONE);
		assert_int_equal(dbfs_lock_acquire(&a, point(1), DBFS_LOCK_X, 0), 0);
		dbfs_locker_fini(&a);
		tear_down();
	}
}

/* --- Rules with waiting ---------------------------------------------------------------------- */

struct actor {
	struct port_thread thread;
	struct dbfs_locker locker;
	struct dbfs_lock_name name;
	enum dbfs_lock_mode mode;
	uint64_t deadline;
	int result;
	int order;
	bool done;
};

static int finished;

static void acquire_once(void *arg)
{
	struct actor *a = arg;

	a->result = dbfs_lock_acquire(&a->locker, a->name, a->mode, a->deadline);
	a->order = finished++;
	a->done = true;
}

static void start(struct actor *a, struct dbfs_lock_name name, enum dbfs_lock_mode mode)
{
	a->name = name;
	a->mode = mode;
	a->deadline = FOREVER;
	a->done = false;
	assert_int_equal(port_thread_create(&a->thread, acquire_once, a, "actor"), 0);
	/* Until it is done or waits. */
	while (!a->done && a->locker.waiting == NULL)
		port_thread_yield();
}

static void fifo_is_kept(void **state)
{
	struct actor a[4] = {0};

	(void)state;
	set_up(3);
	finished = 0;
	for (uint64_t i = 0; i < 4; i++)
		dbfs_locker_init(&a[i].locker, mgr, i);
	start(&a[0], point(1), DBFS_LOCK_S);
	start(&a[1], point(1), DBFS_LOCK_X);
	start(&a[2], point(1), DBFS_LOCK_S); /* would fit beside a[0], but a[1] came first */
	start(&a[3], point(1), DBFS_LOCK_S);
	assert_true(a[0].done && !a[1].done && !a[2].done && !a[3].done);
	dbfs_lock_release_all(&a[0].locker);
	port_thread_join(&a[0].thread);
	port_thread_join(&a[1].thread);
	assert_false(a[2].done);
	dbfs_lock_release_all(&a[1].locker);
	port_thread_join(&a[2].thread);
	port_thread_join(&a[3].thread);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(a[i].result, 0);
		dbfs_locker_fini(&a[i].locker);
	}
	assert_int_equal(a[1].order, 1);
	tear_down();
}

/* A reader that waits to write is not starved by readers that come later (LOCK-3). */
static void conversion_is_not_passed(void **state)
{
	struct actor a[3] = {0};

	(void)state;
	set_up(3);
	finished = 0;
	for (uint64_t i = 0; i < 3; i++)
		dbfs_locker_init(&a[i].locker, mgr, i);
	for (int i = 0; i < 2; i++)
		assert_int_equal(dbfs_lock_acquire(&a[i].locker, point(1), DBFS_LOCK_S, 0), 0);
	start(&a[0], point(1), DBFS_LOCK_X);
	start(&a[2], point(1), DBFS_LOCK_S);
	assert_true(!a[0].done && !a[2].done);
	dbfs_lock_release_all(&a[1].locker);
	port_thread_join(&a[0].thread);
	assert_false(a[2].done);
	dbfs_lock_release_all(&a[0].locker);
	port_thread_join(&a[2].thread);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(a[i].result, 0);
		dbfs_locker_fini(&a[i].locker);
	}
	assert_int_equal(a[0].order, 0);
	tear_down();
}

/* Two readers that want to write: the younger gives way, and the older gets it. */
static void youngest_is_the_victim(void **state)
{
	(void)state;
	for (int older_first = 0; older_first < 2; older_first++) {
		struct actor a[2] = {0};

		set_up(4);
		for (uint64_t i = 0; i < 2; i++) {
			dbfs_locker_init(&a[i].locker, mgr, 10 + i);
			assert_int_equal(dbfs_lock_acquire(&a[i].locker, point(1), DBFS_LOCK_S, 0),
					 0);
		}
		start(&a[older_first ? 0 : 1], point(1), DBFS_LOCK_X);
		start(&a[older_first ? 1 : 0], point(1), DBFS_LOCK_X);
		port_thread_join(&a[1].thread);
		assert_int_equal(a[1].result, -DBFS_EDEADLK);
		/* Doomed until it rolls back. */
		assert_int_equal(dbfs_lock_acquire(&a[1].locker, point(7), DBFS_LOCK_S, 0),
				 -DBFS_EDEADLK);
		dbfs_lock_release_all(&a[1].locker);
		port_thread_join(&a[0].thread);
		assert_int_equal(a[0].result, 0);
		dbfs_locker_fini(&a[0].locker);
		dbfs_locker_fini(&a[1].locker);
		tear_down();
	}
}

static void update_mode_prevents_the_upgrade_deadlock(void **state)
{
	struct actor a[2] = {0};
	struct dbfs_lock_stats st;

	(void)state;
	set_up(5);
	for (uint64_t i = 0; i < 2; i++)
		dbfs_locker_init(&a[i].locker, mgr, i);
	start(&a[0], point(1), DBFS_LOCK_U);
	start(&a[1], point(1), DBFS_LOCK_U);
	assert_true(a[0].done && !a[1].done);
	port_thread_join(&a[0].thread);
	start(&a[0], point(1), DBFS_LOCK_X);
	port_thread_join(&a[0].thread);
	dbfs_lock_release_all(&a[0].locker);
	port_thread_join(&a[1].thread);
	assert_int_equal(a[1].result, 0);
	dbfs_lock_get_stats(mgr, &st);
	assert_int_equal(st.deadlocks, 0);
	dbfs_locker_fini(&a[0].locker);
	dbfs_locker_fini(&a[1].locker);
	tear_down();
}

static void deadlines_cancels_and_wounds_end_a_wait(void **state)
{
	struct actor a[2] = {0};

	(void)state;
	set_up(6);
	for (uint64_t i = 0; i < 2; i++)
		dbfs_locker_init(&a[i].locker, mgr, i);
	assert_int_equal(dbfs_lock_acquire(&a[0].locker, point(1), DBFS_LOCK_X, 0), 0);
	uint64_t before = port_now();

	assert_int_equal(dbfs_lock_acquire(&a[1].locker, point(1), DBFS_LOCK_S,
					   before + 5 * PORT_NS_PER_MS),
			 -DBFS_ETIME);
	assert_true(port_now() >= before + 5 * PORT_NS_PER_MS);
	start(&a[1], point(1), DBFS_LOCK_S);
	dbfs_lock_cancel(&a[1].locker, -DBFS_EINTR);
	port_thread_join(&a[1].thread);
	assert_int_equal(a[1].result, -DBFS_EINTR);
	dbfs_lock_release_all(&a[1].locker);
	start(&a[1], point(1), DBFS_LOCK_S);
	assert_int_equal(dbfs_lock_wound_blockers(&a[1].locker), 1);
	assert_int_equal(dbfs_lock_acquire(&a[0].locker, point(2), DBFS_LOCK_S, 0), -DBFS_EDEADLK);
	dbfs_lock_release_all(&a[0].locker);
	port_thread_join(&a[1].thread);
	assert_int_equal(a[1].result, 0);
	dbfs_lock_protect(&a[1].locker);
	start(&a[0], point(1), DBFS_LOCK_X);
	assert_int_equal(dbfs_lock_wound_blockers(&a[0].locker), 0);
	dbfs_lock_release_all(&a[1].locker);
	port_thread_join(&a[0].thread);
	assert_int_equal(a[0].result, 0);
	dbfs_locker_fini(&a[0].locker);
	dbfs_locker_fini(&a[1].locker);
	tear_down();
}

/* --- Random transactions --------------------------------------------------------------------- */

enum { WORKERS = 6, COMMITS = 12, MAX_LOCKS = 5, KEYS = 6, RESTART_BOUND = 200 };

struct worker {
	struct port_thread thread;
	struct sim_prng prng;
	unsigned restarts;
	unsigned worst;
	bool declares;
};

static struct dbfs_locker lockers[WORKERS];
static struct worker workers[WORKERS];
static uint64_t next_age;

static struct dbfs_lock_name random_name(struct sim_prng *p, bool points_only)
{
	uint64_t lo = sim_prng_below(p, KEYS);

	return !points_only && sim_prng_below(p, 4) == 0
		       ? range(lo, lo + 1 + sim_prng_below(p, KEYS))
		       : point(lo);
}

static enum dbfs_lock_mode random_mode(struct sim_prng *p)
{
	return (enum dbfs_lock_mode)(1 + sim_prng_below(p, DBFS_LOCK_MODES - 1));
}

static int attempt(struct worker *w, struct dbfs_locker *l)
{
	struct dbfs_lock_want want[MAX_LOCKS];
	size_t n = 1 + sim_prng_below(&w->prng, MAX_LOCKS);
	int err = 0;

	for (size_t i = 0; i < n; i++)
		want[i] = (struct dbfs_lock_want){random_name(&w->prng, w->declares),
						  random_mode(&w->prng)};
	if (w->declares)
		return dbfs_lock_declare(l, want, n, FOREVER);
	for (size_t i = 0; i < n && err == 0; i++) {
		err = dbfs_lock_acquire(l, want[i].name, want[i].mode, FOREVER);
		check_all(lockers, WORKERS);
	}
	return err;
}

static void work(void *arg)
{
	struct worker *w = arg;
	struct dbfs_locker *l = &lockers[w - workers];

	for (int done = 0; done < COMMITS; done++) {
		unsigned restarts = 0;

		port_mutex_lock(&mgr->lock);
		l->age = ++next_age; /* a new transaction; a retry keeps it */
		port_mutex_unlock(&mgr->lock);
		while (attempt(w, l) != 0) {
			dbfs_lock_release_all(l);
			restarts++;
			assert_true(restarts < RESTART_BOUND);
			port_thread_yield();
		}
		check_all(lockers, WORKERS);
		dbfs_lock_release_all(l);
		w->restarts += restarts;
		w->worst = MAX(w->worst, restarts);
	}
}

static uint64_t run_random(uint64_t seed, bool declare)
{
	struct dbfs_lock_stats st;

	set_up(seed);
	next_age = 0;
	for (uint64_t i = 0; i < WORKERS; i++) {
		dbfs_locker_init(&lockers[i], mgr, i);
		workers[i] =
			(struct worker){.prng = sim_prng_of(seed * 100 + i), .declares = declare};
	}
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(port_thread_create(&workers[i].thread, work, &workers[i],
						    "worker"),
				 0);
	for (int i = 0; i < WORKERS; i++)
		port_thread_join(&workers[i].thread);
	dbfs_lock_get_stats(mgr, &st);
	for (int i = 0; i < WORKERS; i++)
		dbfs_locker_fini(&lockers[i]);
	tear_down();
	return st.deadlocks;
}

static void random_transactions_all_finish(void **state)
{
	uint64_t deadlocks = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++)
		deadlocks += run_random(seed, false);
	assert_true(deadlocks > 100); /* the test meets what it is for */
}

static void declared_sets_never_deadlock(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++)
		assert_int_equal(run_random(seed, true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modes_are_consistent),
		cmocka_unit_test(ranges_and_points_conflict_where_they_overlap),
		cmocka_unit_test(failed_conversion_keeps_the_old_mode),
		cmocka_unit_test(no_memory_changes_nothing),
		cmocka_unit_test(fifo_is_kept),
		cmocka_unit_test(conversion_is_not_passed),
		cmocka_unit_test(youngest_is_the_victim),
		cmocka_unit_test(update_mode_prevents_the_upgrade_deadlock),
		cmocka_unit_test(deadlines_cancels_and_wounds_end_a_wait),
		cmocka_unit_test(random_transactions_all_finish),
		cmocka_unit_test(declared_sets_never_deadlock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
