/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Damaged images. Two kinds: with real checksums, where damage must be reported or harmless, and
 * never show as data; and with a checksum that is always right (this program defines base_crc32c
 * itself), so that every flipped byte reaches the code that interprets it: nothing may crash, hang or leak.
 * FUZZ=n runs more images.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "engine_load.h"
#include "io/ondisk.h"
#include "sim/disk.h"
#include "sim/sim.h"
#include "txn/txn.h"

#define DISK_BYTES (4u << 20)
#define BLOCKS (DISK_BYTES / DBFS_BLOCK_SIZE)

static bool trusting; /* checksums are all the same */

/* In place of base's: bit by bit, or a constant. */
uint32_t base_crc32c(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	if (trusting)
		return 0;
	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int b = 0; b < 8; b++)
			crc = (crc >> 1) ^ (0x82f63b78u & -(crc & 1));
	}
	return ~crc;
}

static uint64_t images(uint64_t few)
{
	const char *text = getenv("FUZZ");

	return text ? strtoull(text, NULL, 0) : few;
}

/* An image with tree, values in overflow blocks, file data and a log to replay. */
static struct sim_disk *make_image(struct load *l)
{
	struct sim_disk *d;

	sim_init(l->seed);
	sim_set_policy(SIM_POLICY_STAY);
	d = sim_disk_create("disk", DISK_BYTES, l->seed);
	assert_int_equal(load_format(l, sim_disk_blk(d)), 0);
	load_work(l, sim_disk_blk(d));
	assert_int_equal(l->error, 0);
	return d;
}

/* A block that is not all zeros, at random. */
static uint64_t pick_block(struct sim_disk *d, struct sim_prng *r)
{
	static uint8_t page[DBFS_BLOCK_SIZE];
	static const uint8_t zero[DBFS_BLOCK_SIZE];

	for (;;) {
		uint64_t b = sim_prng_below(r, BLOCKS);

		if (sim_prng_chance(r, 1, 6))
			b = sim_prng_below(r, 8);
		sim_disk_peek(d, b * DBFS_BLOCK_SIZE, page, sizeof(page));
		if (memcmp(page, zero, sizeof(page)) != 0)
			return b;
	}
}

static void damage(struct sim_disk *d, struct sim_prng *r)
{
	static uint8_t page[DBFS_BLOCK_SIZE];
	static const uint8_t nasty[] = {0, 1, 0x7f, 0x80, 0xff};
	uint64_t n = sim_prng_range(r, 1, 6);

	while (n-- > 0) {
		uint64_t off = pick_block(d, r) * DBFS_BLOCK_SIZE;
		uint64_t at = sim_prng_chance(r, 2, 3) ? sim_prng_below(r, 200)
						       : sim_prng_below(r, DBFS_BLOCK_SIZE);

		sim_disk_peek(d, off, page, sizeof(page));
		for (uint64_t i = sim_prng_range(r, 1, 4); i > 0 && at < DBFS_BLOCK_SIZE; i--)
			page[at++] = sim_prng_chance(r, 1, 2)
					     ? nasty[sim_prng_below(r, sizeof(nasty))]
					     : (uint8_t)sim_prng_next(r);
		sim_disk_poke(d, off, page, sizeof(page));
	}
}

/* Reads all there is, in both directions; errors are fine. */
static void read_all(struct dbfs *db)
{
	static const struct dbfs_tx_opts o = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};
	struct dbfs_cursor *c;
	struct dbfs_val val;
	struct dbfs_tx *tx;

	assert_int_equal(dbfs_tx_begin(db, &o, &tx), 0);
	for (int forward = 0; forward < 2; forward++) {
		unsigned steps = 0;

		assert_int_equal(dbfs_cursor_open(tx, (struct dbfs_key){0, 0, ""},
						  (struct dbfs_key){UINT32_MAX, 0, ""}, 0, &c),
				 0);
		while ((forward ? dbfs_cursor_next(c) : dbfs_cursor_prev(c)) == 0) {
			(void)!dbfs_cursor_value(c, &val);
			assert_true(++steps < 100000);
		}
		dbfs_cursor_close(c);
	}
	dbfs_tx_rollback(tx);
}

static void write_some(struct dbfs *db, struct sim_prng *r)
{
	static const struct dbfs_tx_opts o = {DBFS_TX_LOCKING, DBFS_SYNC, 0};
	static uint8_t data[2 * DBFS_BLOCK_SIZE];

	for (unsigned i = 0; i < 8; i++) {
		struct dbfs_extent e;
		uint32_t crcs[2];
		uint8_t key[8];
		struct dbfs_tx *tx;

		if (dbfs_tx_begin(db, &o, &tx))
			return;
		sim_prng_fill(r, key, sizeof(key));
		(void)!dbfs_txn_put(tx, (struct dbfs_key){(uint32_t)i % 4, 8, key},
				    (struct dbfs_val){data, sim_prng_below(r, 5000)});
		(void)!dbfs_txn_delete(tx, (struct dbfs_key){3, 8, key});
		(void)!dbfs_txn_data_write(tx, data, 2, 0, &e, crcs);
		(void)!dbfs_tx_commit(tx);
		if (i % 4 == 3)
			(void)!dbfs_checkpoint(db);
	}
}

/* New keys beside make_wide's: some, or some in each leaf. */
static void touch_keys(struct dbfs *db, struct sim_prng *r)
{
	static const struct dbfs_tx_opts o = {DBFS_TX_LOCKING, DBFS_SYNC, 0};
	static uint8_t data[700];
	uint64_t n = sim_prng_chance(r, 1, 2) ? 3 : 300;
	struct dbfs_tx *tx;

	if (dbfs_tx_begin(db, &o, &tx))
		return;
	for (; n > 0; n--) {
		uint64_t i = sim_prng_below(r, 400);
		struct dbfs_key key;
		char name[8];

		snprintf(name, sizeof(name), "%03u", (unsigned)i);
		key = (struct dbfs_key){(uint32_t)i / 100, 3, name};
		if (sim_prng_chance(r, 1, 2))
			(void)!dbfs_txn_delete(tx, key);
		else
			(void)!dbfs_txn_put(tx, key,
					    (struct dbfs_val){data, sim_prng_below(r, 700)});
	}
	(void)!dbfs_tx_commit(tx);
}

static void use_image(struct sim_disk *d, struct sim_prng *r, bool read_only)
{
	struct dbfs_open_opts o = {.read_only = read_only,
				   .no_background = true,
				   .cache_bytes = 64 << 10};
	struct dbfs *db;

	if (dbfs_open(sim_disk_blk(d), &o, &db)) {
		sim_disk_blk(d)->ops->close(sim_disk_blk(d));
		return;
	}
	read_all(db);
	if (!read_only)
		write_some(db, r);
	(void)!dbfs_close(db);
}

static void hostile_images(void **state)
{
	uint64_t n = images(300);

	(void)state;
	trusting = true;
	for (uint64_t seed = 1; seed <= n; seed++) {
		struct load l = {.seed = seed % 8,
				 .txs = 30,
				 .ckpt_every = 10,
				 .mixed = true,
				 .log_bytes = 256 << 10};
		struct sim_prng r = sim_prng_of(seed);
		struct sim_disk *d = make_image(&l);
		struct sim_disk *copy;

		damage(d, &r);
		copy = sim_disk_clone(d, seed);
		use_image(copy, &r, true);
		sim_disk_destroy(copy);
		use_image(d, &r, false);
		sim_disk_destroy(d);
		sim_fini();
	}
	trusting = false;
}

/* Keys enough for a root and several leaves. */
static struct sim_disk *make_wide(uint64_t seed)
{
	static const struct dbfs_tx_opts o = {DBFS_TX_LOCKING, DBFS_SYNC, 0};
	static const struct dbfs_open_opts quiet = {.no_background = true};
	static const struct dbfs_format_opts fmt = {.log_bytes = 256 << 10};
	struct sim_disk *d;
	struct dbfs_tx *tx;
	struct dbfs *db;

	sim_init(seed);
	sim_set_policy(SIM_POLICY_STAY);
	d = sim_disk_create("disk", DISK_BYTES, seed);
	assert_int_equal(dbfs_format(sim_disk_blk(d), &fmt), 0);
	assert_int_equal(dbfs_open(sim_disk_blk(d), &quiet, &db), 0);
	assert_int_equal(dbfs_tx_begin(db, &o, &tx), 0);
	for (unsigned i = 0; i < 400; i++) {
		char key[64];
		int n = snprintf(key, sizeof(key), "%03u%.*s", i, (int)(i % 40),
				 "a tail that differs in its length from key to key");

		assert_int_equal(dbfs_txn_put(tx, (struct dbfs_key){i / 100, (uint32_t)n, key},
					      (struct dbfs_val){key, (size_t)n}),
				 0);
	}
	assert_int_equal(dbfs_tx_commit(tx), 0);
	assert_int_equal(dbfs_close(db), 0);
	return d;
}

/* The content of one leaf moves into another, whose number it takes on. */
static void confuse_leaves(struct sim_disk *d, struct sim_prng *r)
{
	static uint8_t page[DBFS_BLOCK_SIZE];
	uint64_t leaves[64];
	uint64_t n = 0;
	uint64_t to;

	for (uint64_t b = 0; b < BLOCKS && n < ARRAY_SIZE(leaves); b++) {
		const struct dbfs_disk_page *h = (const void *)page;

		sim_disk_peek(d, b * DBFS_BLOCK_SIZE, page, sizeof(page));
		if (h->magic == 'T' && h->level == 0 && le64_get(h->block) == b)
			leaves[n++] = b;
	}
	assert_true(n > 4);
	for (uint64_t i = sim_prng_range(r, 1, 3); i > 0; i--) {
		sim_disk_peek(d, leaves[sim_prng_below(r, n)] * DBFS_BLOCK_SIZE, page,
			      sizeof(page));
		to = leaves[sim_prng_below(r, n)];
		((struct dbfs_disk_page *)(void *)page)->block = le64_of(to);
		sim_disk_poke(d, to * DBFS_BLOCK_SIZE, page, sizeof(page));
	}
}

/* Each page is well-formed, but what one page says does not fit the next. */
static void leaves_out_of_order(void **state)
{
	uint64_t n = images(300);

	(void)state;
	trusting = true;
	for (uint64_t seed = 1; seed <= n; seed++) {
		struct sim_prng r = sim_prng_of(seed);
		struct sim_disk *d = make_wide(seed);
		struct dbfs_open_opts o = {.no_background = true};
		struct dbfs *db;

		confuse_leaves(d, &r);
		if (dbfs_open(sim_disk_blk(d), &o, &db) == 0) {
			read_all(db);
			for (unsigned i = 0; i < 3; i++) {
				touch_keys(db, &r);
				(void)!dbfs_checkpoint(db);
			}
			(void)!dbfs_close(db);
		}
		sim_disk_destroy(d);
		sim_fini();
	}
	trusting = false;
}

/* The map says that the leaves are free, but for those that lie last. */
static void forget_leaves(struct sim_disk *d, unsigned keep)
{
	static uint8_t page[DBFS_BLOCK_SIZE];
	static uint8_t map[DBFS_BLOCK_SIZE];
	const struct dbfs_disk_index *x = (const void *)page;
	const struct dbfs_disk_page *h = (const void *)page;
	uint64_t at = 0;
	unsigned n = 0;

	for (uint64_t b = 0; b < BLOCKS; b++) {
		sim_disk_peek(d, b * DBFS_BLOCK_SIZE, page, sizeof(page));
		if (memcmp(x->magic, "DIDX", 4) == 0)
			at = MAX(at, le64_get(x->chunks[0].block)); /* the newest lies last */
	}
	assert_int_not_equal(at, 0);
	sim_disk_peek(d, at * DBFS_BLOCK_SIZE, map, sizeof(map));
	for (uint64_t b = BLOCKS; b-- > 0;) {
		sim_disk_peek(d, b * DBFS_BLOCK_SIZE, page, sizeof(page));
		if (h->magic == 'T' && h->level == 0 && le64_get(h->block) == b && n++ >= keep)
			map[b / 8] &= (uint8_t) ~(1u << b % 8);
	}
	sim_disk_poke(d, at * DBFS_BLOCK_SIZE, map, sizeof(map));
}

/* A page that a cursor stands in is given out again, because the map does not know it. */
static void pages_given_out_twice(void **state)
{
	static const struct dbfs_tx_opts reading = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};
	static const struct dbfs_tx_opts locking = {DBFS_TX_LOCKING, DBFS_SYNC, 0};
	static const struct dbfs_open_opts o = {.no_background = true};
	struct sim_disk *d;
	struct dbfs_cursor *c[4];
	struct dbfs_tx *old;
	struct dbfs_tx *tx;
	struct dbfs *db;

	(void)state;
	trusting = true;
	d = make_wide(1);
	forget_leaves(d, 2);
	assert_int_equal(dbfs_open(sim_disk_blk(d), &o, &db), 0);
	assert_int_equal(dbfs_tx_begin(db, &reading, &old), 0);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(dbfs_cursor_open(old, (struct dbfs_key){i, 0, ""},
						  (struct dbfs_key){i + 1, 0, ""}, 0, &c[i]),
				 0);
		assert_int_equal(dbfs_cursor_next(c[i]), 0);
	}
	for (uint8_t i = 0; i < 40; i++) {
		if (dbfs_tx_begin(db, &locking, &tx))
			break;
		(void)!dbfs_txn_put(tx, (struct dbfs_key){9, 1, &i},
				    (struct dbfs_val){c, sizeof(c)});
		(void)!dbfs_tx_commit(tx);
		(void)!dbfs_checkpoint(db);
	}
	for (unsigned i = 0; i < 4; i++) {
		(void)!dbfs_cursor_next(c[i]);
		dbfs_cursor_close(c[i]);
	}
	dbfs_tx_rollback(old);
	(void)!dbfs_close(db);
	sim_disk_destroy(d);
	sim_fini();
	trusting = false;
}

/* With checksums: whatever can be read is right. */
static void damaged_images(void **state)
{
	uint64_t n = images(300);

	(void)state;
	for (uint64_t seed = 1; seed <= n; seed++) {
		struct load l = {.seed = seed % 8,
				 .txs = 30,
				 .ckpt_every = 10,
				 .log_bytes = 256 << 10};
		struct dbfs_open_opts o = {.read_only = true, .no_background = true};
		struct sim_prng r = sim_prng_of(seed);
		struct sim_disk *d = make_image(&l);
		char why[256] = "";
		struct dbfs *db;
		uint64_t shown;

		damage(d, &r);
		if (dbfs_open(sim_disk_blk(d), &o, &db) == 0) {
			/* Fewer transactions only if the log was found damaged and said so. A
			 * damaged newest group looks like a torn one (CAVEATS). */
			if (dbfs_write_error(db) || sim_log_has("was not finished"))
				l.durable = 0;
			if (!load_compare(&l, db, &shown, why, sizeof(why)) &&
			    !strstr(why, "(error -1002)") && !strstr(why, "error -1002"))
				fail_msg("seed %llu: %s", (unsigned long long)seed, why);
			assert_int_equal(dbfs_close(db), 0);
		}
		sim_disk_destroy(d);
		sim_fini();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_images),
		cmocka_unit_test(leaves_out_of_order),
		cmocka_unit_test(pages_given_out_twice),
		cmocka_unit_test(damaged_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
