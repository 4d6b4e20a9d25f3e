/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The crash driver on a toy: a counter in two slots of 8 KiB, written in turn with its value in
 * every word, so that a torn slot shows. Recovery takes the highest whole slot and copies it over the
 * other; one mutant rewrites the good slot first, which is wrong only if the power goes again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "crash.h"
#include "sim/sim.h"

#define SLOT ((size_t)8192)
#define WORDS (SLOT / sizeof(uint64_t))

enum mutant { CORRECT, NO_FLUSH, ONE_SLOT, BAD_RECOVERY };

struct toy {
	enum mutant mutant;
	uint64_t attempted;
	uint64_t acknowledged;
};

static uint64_t slot_buf[WORDS] ALIGNED(16);

static int put(struct port_blk *dev, unsigned slot, uint64_t value)
{
	struct port_iov iov = {slot_buf, SLOT};

	for (size_t i = 0; i < WORDS; i++)
		slot_buf[i] = value;
	return port_blk_writev(dev, slot * SLOT, &iov, 1);
}

/* The value of a slot, or 0 if it is torn. */
static int get(struct port_blk *dev, unsigned slot, uint64_t *value)
{
	int err = port_blk_read(dev, slot * SLOT, slot_buf, SLOT);

	if (err)
		return err;
	*value = slot_buf[0];
	for (size_t i = 1; i < WORDS; i++) {
		if (slot_buf[i] != *value)
			*value = 0;
	}
	return 0;
}

static bool prepare(void *ctx, struct port_blk *dev)
{
	(void)ctx;
	return put(dev, 0, 1) == 0 && put(dev, 1, 1) == 0 && port_blk_flush(dev) == 0;
}

static void work(void *ctx, struct port_blk *dev)
{
	struct toy *t = ctx;

	t->acknowledged = 1;
	for (uint64_t v = 2; v < 8; v++) {
		t->attempted = v;
		if (put(dev, t->mutant == ONE_SLOT ? 0 : v % 2, v))
			return;
		if (t->mutant != NO_FLUSH && port_blk_flush(dev))
			return;
		t->acknowledged = v;
	}
}

static bool check(void *ctx, struct port_blk *dev, char *why, size_t size)
{
	const struct toy *t = ctx;
	uint64_t v[2];
	unsigned best;

	if (get(dev, 0, &v[0]) || get(dev, 1, &v[1])) {
		snprintf(why, size, "unreadable");
		return false;
	}
	best = v[1] > v[0];
	if (t->mutant == BAD_RECOVERY && (put(dev, best, 0) || put(dev, best, v[best])))
		return false;
	if (put(dev, !best, v[best]) || port_blk_flush(dev)) {
		snprintf(why, size, "recovery cannot write");
		return false;
	}
	snprintf(why, size, "found %llu, acknowledged %llu", (unsigned long long)v[best],
		 (unsigned long long)t->acknowledged);
	return v[best] >= t->acknowledged && v[best] <= t->attempted;
}

static unsigned failures(enum mutant mutant, struct test_crash_how how, uint64_t *cuts)
{
	struct toy toy = {.mutant = mutant};
	struct test_crash t = {"toy", 16 * SLOT, prepare, work, check, &toy};
	unsigned failed = 0;

	for (uint64_t seed = 0; seed < 10; seed++) {
		struct test_crash_result res = test_crash_run(&t, seed, &how);

		failed += res.failed != 0;
		if (cuts)
			*cuts += res.cuts;
	}
	return failed;
}

static void test_correct_passes(void **state)
{
	uint64_t cuts = 0;

	(void)state;
	/* 6 writes and 6 flushes, 3 tries, 2 cuts during recovery each */
	assert_int_equal(failures(CORRECT, (struct test_crash_how){3, 2, false, false}, &cuts), 0);
	assert_int_equal(cuts, 10 * 12 * 3 * 3);
}

static void test_mutants_fail(void **state)
{
	struct test_crash_how how = {3, 2, false, true};

	(void)state;
	assert_int_equal(failures(NO_FLUSH, how, NULL), 10);
	assert_int_equal(failures(ONE_SLOT, how, NULL), 10);
	assert_true(failures(BAD_RECOVERY, how, NULL) > 5);
	how.drop_flushes = true;
	assert_int_equal(failures(CORRECT, how, NULL), 10);
}

static void test_bad_recovery_needs_cuts_there(void **state)
{
	(void)state;
	assert_int_equal(failures(BAD_RECOVERY, (struct test_crash_how){3, 0, false, true}, NULL),
			 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_correct_passes),
		cmocka_unit_test(test_mutants_fail),
		cmocka_unit_test(test_bad_recovery_needs_cuts_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
