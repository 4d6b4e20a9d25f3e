/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The engine under power cuts at every write and flush of a workload (checkpoints included), with
 * loss, tearing and reordering by seed, and again during recovery; and under failing allocations and
 * I/O errors at every nth. SEEDS=n runs more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crash.h"
#include "engine_load.h"
#include "sim/sim.h"

#define DISK_BYTES (8u << 20)
#define TINY_BYTES (896u << 10)
#define LOG_BYTES (256u << 10)

static uint64_t seeds(uint64_t few)
{
	const char *text = getenv("SEEDS");

	return text ? strtoull(text, NULL, 0) : few;
}

static bool prepare(void *ctx, struct port_blk *dev)
{
	return load_format(ctx, dev) == 0;
}

static void work(void *ctx, struct port_blk *dev)
{
	load_work(ctx, dev);
}

static bool check(void *ctx, struct port_blk *dev, char *why, size_t size)
{
	return load_check(ctx, dev, why, size);
}

static void cut_disk(uint64_t bytes, const struct load *shape, uint64_t nseeds,
		     const struct test_crash_how *how)
{
	for (uint64_t seed = 1; seed <= nseeds; seed++) {
		struct load l = *shape;
		struct test_crash t = {"engine", bytes, prepare, work, check, &l};
		struct test_crash_result res;

		l.seed = seed;
		res = test_crash_run(&t, seed, how);
		assert_true(res.points > 20);
		assert_int_equal(res.failed, 0);
	}
}

static void cut_everywhere(const struct load *shape, uint64_t nseeds,
			   const struct test_crash_how *how)
{
	cut_disk(DISK_BYTES, shape, nseeds, how);
}

static void synced(void **state)
{
	static const struct load l = {.txs = 25, .ckpt_every = 8, .log_bytes = LOG_BYTES};
	static const struct test_crash_how how = {.tries = 3, .recovery_cuts = 1};

	(void)state;
	cut_everywhere(&l, seeds(4), &how);
}

static void unsynced(void **state)
{
	static const struct load l = {.txs = 60,
				      .ckpt_every = 20,
				      .mixed = true,
				      .log_bytes = LOG_BYTES};
	static const struct test_crash_how how = {.tries = 3, .recovery_cuts = 2};

	(void)state;
	cut_everywhere(&l, seeds(4), &how);
}

/* The log wraps and fills: checkpoints come by themselves. */
static void full_log(void **state)
{
	static const struct load l = {.txs = 120, .mixed = true, .log_bytes = LOG_BYTES};
	static const struct test_crash_how how = {.tries = 1, .recovery_cuts = 1};

	(void)state;
	cut_everywhere(&l, seeds(2), &how);
}

/* So small that freed blocks and log are in use again at once, and space runs out now and then. */
static void tiny_disk(void **state)
{
	static const struct load l = {.txs = 100,
				      .ckpt_every = 5,
				      .mixed = true,
				      .log_bytes = LOG_BYTES};
	static const struct test_crash_how how = {.tries = 2, .recovery_cuts = 1};

	(void)state;
	cut_disk(TINY_BYTES, &l, seeds(3), &how);
}

static void with_threads(void **state)
{
	static const struct load l = {.txs = 40,
				      .ckpt_every = 10,
				      .mixed = true,
				      .background = true,
				      .log_bytes = LOG_BYTES};
	static const struct test_crash_how how = {.tries = 1, .recovery_cuts = 1};

	(void)state;
	cut_everywhere(&l, seeds(3), &how);
}

/* The test itself can fail: with a disk that does not flush, something durable is lost. */
static void lying_disk_is_noticed(void **state)
{
	static const struct test_crash_how how = {.tries = 2, .drop_flushes = true, .quiet = true};
	uint64_t failed = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct load l = {.seed = seed, .txs = 25, .ckpt_every = 8, .log_bytes = LOG_BYTES};
		struct test_crash t = {"lying disk", DISK_BYTES, prepare, work, check, &l};

		failed += test_crash_run(&t, seed, &how).failed;
	}
	assert_true(failed > 0);
}

/* --- Failing memory and devices ------------------------------------------------------------------ */

static struct sim_disk *fresh_disk(struct load *l)
{
	struct sim_disk *d;

	sim_init(l->seed);
	sim_set_policy(SIM_POLICY_STAY);
	d = sim_disk_create("disk", DISK_BYTES, l->seed);
	assert_int_equal(load_format(l, sim_disk_blk(d)), 0);
	return d;
}

static void expect_consistent(struct load *l, struct sim_disk *d, const char *what, uint64_t n)
{
	char why[256] = "";

	if (!load_check(l, sim_disk_blk(d), why, sizeof(why))) {
		sim_log_dump();
		fail_msg("%s %llu, seed %llu: %s", what, (unsigned long long)n,
			 (unsigned long long)l->seed, why);
	}
}

static void allocation_failures(void **state)
{
	(void)state;
	for (uint64_t n = 1;; n += 1 + n / 40) {
		struct load l = {.seed = 1 + n % 3,
				 .txs = 20,
				 .ckpt_every = 6,
				 .mixed = true,
				 .log_bytes = LOG_BYTES};
		struct sim_disk *d = fresh_disk(&l);
		uint64_t before = sim_mem_failures();
		bool hit;

		sim_mem_fail_at(n, n % 2 == 0);
		load_work(&l, sim_disk_blk(d));
		hit = sim_mem_failures() > before;
		sim_mem_fail_at(0, false);
		expect_consistent(&l, d, "allocation", n);
		sim_disk_destroy(d);
		sim_fini();
		if (!hit)
			break;
	}
}

static void io_errors(void **state)
{
	static const unsigned ops[] = {SIM_OP_READ, SIM_OP_WRITE, SIM_OP_FLUSH};

	(void)state;
	for (unsigned o = 0; o < 3; o++) {
		bool hit = true;

		for (uint64_t n = 1; hit; n += 1 + n / 60) {
			struct load l = {.seed = 1 + n % 3,
					 .txs = 20,
					 .ckpt_every = 6,
					 .mixed = true,
					 .log_bytes = LOG_BYTES};
			struct sim_disk *d = fresh_disk(&l);
			struct sim_fault f = {.ops = ops[o],
					      .effect = SIM_EFFECT_EIO,
					      .nth = n,
					      .sticky = n % 2 == 0};

			sim_disk_fault(d, &f);
			load_work(&l, sim_disk_blk(d));
			hit = sim_disk_faults_hit(d) > 0;
			sim_disk_faults_clear(d);
			sim_disk_reboot(d, NULL);
			expect_consistent(&l, d, "I/O error", n);
			sim_disk_destroy(d);
			sim_fini();
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(synced),
		cmocka_unit_test(unsynced),
		cmocka_unit_test(full_log),
		cmocka_unit_test(tiny_disk),
		cmocka_unit_test(with_threads),
		cmocka_unit_test(lying_disk_is_noticed),
		cmocka_unit_test(allocation_failures),
		cmocka_unit_test(io_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
