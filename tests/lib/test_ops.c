/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The shrinking driver on a stack with two bugs: the third of three values in a row that are above 100 is
 * lost, and popping when exactly five lie there aborts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops.h"

enum { PUSH, POP, LOOK };

static bool lose_third;
static bool abort_at_five;

static void generate(struct sim_prng *r, struct test_op *op)
{
	op->kind = (uint32_t)sim_prng_below(r, 3);
	op->arg[0] = sim_prng_below(r, 1000);
}

static void print(FILE *out, const struct test_op *op)
{
	static const char *const names[] = {"push", "pop", "look"};

	fprintf(out, "%s %llu", names[op->kind], (unsigned long long)op->arg[0]);
}

static bool run(uint64_t seed, const struct test_op *ops, size_t n, char *why, size_t size)
{
	size_t right = 0; /* the model: depth of a correct stack */
	size_t depth = 0;
	unsigned large = 0;

	(void)seed;
	for (size_t i = 0; i < n; i++) {
		if (ops[i].kind == PUSH) {
			large = ops[i].arg[0] > 100 ? large + 1 : 0;
			right++;
			depth += !(lose_third && large == 3);
		} else if (ops[i].kind == POP) {
			if (abort_at_five && depth == 5)
				abort();
			right -= right > 0;
			depth -= depth > 0;
		}
		if (right != depth) {
			snprintf(why, size, "depth %zu, expected %zu", depth, right);
			return false;
		}
	}
	return true;
}

static const struct test_ops stack_ops = {.name = "stack",
					  .generate = generate,
					  .run = run,
					  .print = print};

#define COUNT 200

static size_t shrunk(struct test_op *ops, uint64_t seed)
{
	struct sim_prng r = sim_prng_of(seed);

	for (size_t i = 0; i < COUNT; i++)
		generate(&r, &ops[i]);
	return test_ops_shrink(&stack_ops, seed, ops, COUNT);
}

static void test_pass(void **state)
{
	(void)state;
	lose_third = abort_at_five = false;
	assert_true(test_ops_run(&stack_ops, 1, COUNT));
}

static void test_shrinks_wrong_results(void **state)
{
	static struct test_op ops[COUNT];

	(void)state;
	lose_third = true;
	abort_at_five = false;
	assert_int_equal(shrunk(ops, 1), 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ops[i].kind, PUSH);
		assert_in_range(ops[i].arg[0], 101, 202); /* halving further would pass */
	}
}

static void test_shrinks_aborts(void **state)
{
	static struct test_op ops[COUNT];

	(void)state;
	lose_third = false;
	abort_at_five = true;
	assert_int_equal(shrunk(ops, 2), 6);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(ops[i].kind, i < 5 ? PUSH : POP);
	assert_int_equal(ops[0].arg[0], 0);
}

/* The report says the seed, the sequence and the reason. */
static void test_report(void **state)
{
	char text[1024] = "";
	FILE *saved = stderr;
	FILE *tmp = tmpfile();
	bool ok;

	(void)state;
	assert_non_null(tmp);
	lose_third = true;
	abort_at_five = false;
	stderr = tmp;
	ok = test_ops_run(&stack_ops, 7, COUNT);
	stderr = saved;
	rewind(tmp);
	assert_true(fread(text, 1, sizeof(text) - 1, tmp) > 0);
	fclose(tmp);
	assert_false(ok);
	assert_non_null(strstr(text, "seed 7"));
	assert_non_null(strstr(text, "(3 operations)"));
	assert_non_null(strstr(text, "depth 2, expected 3"));
}

static void test_seed_choice(void **state)
{
	(void)state;
	unsetenv("SEED");
	unsetenv("SEEDS");
	setenv("TEST_TIER", "test", 1);
	assert_int_equal(test_seeds(10).end, 40);
	setenv("SEEDS", "7", 1);
	assert_int_equal(test_seeds(10).end, 7);
	setenv("SEED", "0x20", 1);
	assert_int_equal(test_seeds(10).first, 32);
	assert_int_equal(test_seeds(10).end, 33);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pass),           cmocka_unit_test(test_shrinks_wrong_results),
		cmocka_unit_test(test_shrinks_aborts), cmocka_unit_test(test_report),
		cmocka_unit_test(test_seed_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
