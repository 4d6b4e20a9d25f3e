/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Unit tests of base: each against a slow, obvious second implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bitmap.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/list.h"
#include "base/overflow.h"

static uint32_t slow_crc32c(const uint8_t *p, size_t n)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int b = 0; b < 8; b++)
			crc = crc & 1 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
	}
	return ~crc;
}

static void crc_matches_bitwise(void **state)
{
	uint8_t buf[300];

	(void)state;
	assert_int_equal(base_crc32c(0, "123456789", 9), 0xe3069283u);
	srand(1);
	for (size_t i = 0; i < sizeof buf; i++)
		buf[i] = (uint8_t)rand();
	for (size_t n = 0; n < sizeof buf; n++) {
		size_t cut = n / 3;

		assert_int_equal(base_crc32c(0, buf, n), slow_crc32c(buf, n));
		assert_int_equal(base_crc32c(base_crc32c(0, buf, cut), buf + cut, n - cut),
				 slow_crc32c(buf, n));
	}
}

static void bytes_round_trip(void **state)
{
	uint8_t key[8];

	(void)state;
	assert_int_equal(le16_get(le16_of(0xabcd)), 0xabcd);
	assert_int_equal(le32_get(le32_of(0x89abcdefu)), 0x89abcdefu);
	assert_true(le64_get(le64_of(0x0123456789abcdefull)) == 0x0123456789abcdefull);
	assert_int_equal(le32_of(1).b[0], 1);
	be64_store(key, 0x0102030405060708ull);
	assert_int_equal(key[0], 1);
	assert_true(be64_load(key) == 0x0102030405060708ull);
}

/* One random bitmap operation on both the real one and an array of bool. */
static void bitmap_step(uint64_t *map, bool *model, uint64_t bits)
{
	uint64_t from = (uint64_t)rand() % bits;
	uint64_t count = (uint64_t)rand() % (bits - from + 1);
	bool set = rand() % 2;

	if (set)
		bitmap_set_range(map, from, count);
	else
		bitmap_clear_range(map, from, count);
	for (uint64_t i = from; i < from + count; i++)
		model[i] = set;
}

static void bitmap_compare(const uint64_t *map, const bool *model, uint64_t bits)
{
	uint64_t ones = 0;

	for (uint64_t from = 0; from < bits; from++) {
		uint64_t clear = from;
		uint64_t set = from;

		while (clear < bits && model[clear])
			clear++;
		while (set < bits && !model[set])
			set++;
		assert_true(bitmap_test(map, from) == model[from]);
		assert_true(bitmap_find_clear(map, from, bits) ==
			    (clear < bits ? clear : BITMAP_NONE));
		assert_true(bitmap_find_set(map, from, bits) == (set < bits ? set : BITMAP_NONE));
		assert_true(bitmap_clear_run(map, from, bits, 70) == MIN(set - from, 70));
		ones += model[from];
	}
	assert_true(bitmap_count(map, bits) == ones);
}

static void bitmap_matches_model(void **state)
{
	(void)state;
	srand(2);
	for (uint64_t bits = 1; bits < 200; bits += 7) {
		uint64_t map[BITMAP_WORDS(200)] = {0};
		bool model[200] = {false};

		for (int n = 0; n < 20; n++) {
			bitmap_step(map, model, bits);
			bitmap_compare(map, model, bits);
		}
	}
	for (unsigned i = 0; i < 64; i++) {
		assert_int_equal(base_ctz64((uint64_t)1 << i), i);
		assert_int_equal(base_log2(((uint64_t)1 << i) | 1), i);
	}
}

static void overflow_is_seen(void **state)
{
	uint64_t out;

	(void)state;
	assert_true(add_u64(UINT64_MAX, 1, &out));
	assert_false(add_u64(UINT64_MAX, 0, &out));
	assert_true(sub_u64(1, 2, &out));
	assert_true(mul_u64(UINT64_MAX / 2, 3, &out));
	assert_true(range_fits(10, 0, 10));
	assert_false(range_fits(10, 1, 10));
	assert_false(range_fits(UINT64_MAX, 1, UINT64_MAX));
}

static void lists_link_and_splice(void **state)
{
	struct list a = LIST_INIT(a);
	struct list b = LIST_INIT(b);
	struct list e[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		list_add_tail(i < 2 ? &a : &b, &e[i]);
	list_splice_tail(&a, &b);
	assert_true(list_empty(&b));
	struct list *pos;
	int n = 0;

	list_for_each (pos, &a) {
		assert_ptr_equal(pos, &e[n]);
		n++;
	}
	assert_int_equal(n, 4);
	list_del(&e[1]);
	list_del(&e[1]);
	assert_ptr_equal(e[0].next, &e[2]);
	assert_true(list_empty(&e[1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_matches_bitwise),   cmocka_unit_test(bytes_round_trip),
		cmocka_unit_test(bitmap_matches_model),  cmocka_unit_test(overflow_is_seen),
		cmocka_unit_test(lists_link_and_splice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
