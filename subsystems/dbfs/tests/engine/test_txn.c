/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Volumes and transactions on the simulated disk: what each call promises, one test a promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/disk.h"
#include "sim/sim.h"
#include "txn/txn.h"

#define DISK_BYTES (16u << 20)

struct vol {
	struct sim_disk *disk;
	struct dbfs *db;
};

static const struct dbfs_open_opts quiet = {.no_background = true};
static const struct dbfs_tx_opts locking = {DBFS_TX_LOCKING, DBFS_SYNC, 0};
static const struct dbfs_tx_opts optimistic = {DBFS_TX_OPTIMISTIC, DBFS_SYNC, 0};
static const struct dbfs_tx_opts reading = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};

static struct dbfs_key key_of(const char *s)
{
	return (struct dbfs_key){7, (uint32_t)strlen(s), s};
}

static struct dbfs_tx *begin(struct dbfs *db, const struct dbfs_tx_opts *o)
{
	struct dbfs_tx *tx;

	assert_int_equal(dbfs_tx_begin(db, o, &tx), 0);
	return tx;
}

static void put(struct dbfs_tx *tx, const char *k, const char *v)
{
	assert_int_equal(dbfs_txn_put(tx, key_of(k), (struct dbfs_val){v, strlen(v)}), 0);
}

static void expect(struct dbfs_tx *tx, const char *k, const char *v)
{
	char buf[256];
	size_t len = 0;
	int err = dbfs_txn_get(tx, key_of(k), buf, sizeof(buf), &len, 0);

	if (!v) {
		assert_int_equal(err, -DBFS_ENOENT);
		return;
	}
	assert_int_equal(err, 0);
	assert_int_equal(len, strlen(v));
	assert_memory_equal(buf, v, len);
}

static bool shows(struct dbfs_tx *tx, const char *k, const char *v)
{
	char buf[256];
	size_t len = 0;
	int err = dbfs_txn_get(tx, key_of(k), buf, sizeof(buf), &len, 0);

	return !err && len == strlen(v) && memcmp(buf, v, len) == 0;
}

static void vol_open(struct vol *v, const struct dbfs_open_opts *o)
{
	assert_int_equal(dbfs_open(sim_disk_blk(v->disk), o, &v->db), 0);
}

static void vol_make(struct vol *v)
{
	static const struct dbfs_format_opts fmt = {.log_bytes = 1u << 20, .label = "test"};

	sim_init(1);
	sim_set_policy(SIM_POLICY_STAY);
	v->disk = sim_disk_create("disk", DISK_BYTES, 1);
	assert_int_equal(dbfs_format(sim_disk_blk(v->disk), &fmt), 0);
	vol_open(v, &quiet);
}

static void vol_end(struct vol *v)
{
	assert_int_equal(dbfs_close(v->db), 0);
	sim_disk_destroy(v->disk);
	sim_fini();
}

static void reopen(struct vol *v)
{
	assert_int_equal(dbfs_close(v->db), 0);
	vol_open(v, &quiet);
}

static void commits_and_reads(void **state)
{
	struct vol v;
	struct dbfs_tx *tx;

	(void)state;
	vol_make(&v);
	tx = begin(v.db, &locking);
	put(tx, "a", "1");
	put(tx, "b", "2");
	expect(tx, "a", "1");
	assert_int_equal(dbfs_tx_commit(tx), 0);
	tx = begin(v.db, &locking);
	put(tx, "a", "no");
	assert_int_equal(dbfs_txn_delete(tx, key_of("b")), 0);
	expect(tx, "b", NULL);
	dbfs_tx_rollback(tx);
	tx = begin(v.db, &reading);
	expect(tx, "a", "1");
	expect(tx, "b", "2");
	expect(tx, "c", NULL);
	assert_int_equal(dbfs_txn_delete(tx, key_of("b")), -DBFS_EROFS);
	assert_int_equal(dbfs_tx_commit(tx), 0);
	for (int i = 0; i < 2; i++) {
		reopen(&v);
		tx = begin(v.db, &reading);
		expect(tx, "a", "1");
		expect(tx, "b", "2");
		dbfs_tx_rollback(tx);
	}
	vol_end(&v);
}

static void recovers_without_close(void **state)
{
	struct vol v;
	struct dbfs_tx *tx;
	struct dbfs_stats st;

	(void)state;
	vol_make(&v);
	for (int i = 0; i < 20; i++) {
		char k[16];

		snprintf(k, sizeof(k), "k%d", i);
		tx = begin(v.db, &locking);
		put(tx, k, "v");
		assert_int_equal(dbfs_tx_commit(tx), 0);
	}
	sim_disk_cut(v.disk);
	assert_int_not_equal(dbfs_close(v.db), 0);
	sim_disk_reboot(v.disk, NULL);
	vol_open(&v, &quiet);
	dbfs_get_stats(v.db, &st);
	assert_int_equal(st.replayed_commits, 20);
	tx = begin(v.db, &reading);
	expect(tx, "k0", "v");
	expect(tx, "k19", "v");
	dbfs_tx_rollback(tx);
	vol_end(&v);
}

static void snapshots_stay(void **state)
{
	struct vol v;
	struct dbfs_tx *old;
	struct dbfs_tx *tx;

	(void)state;
	vol_make(&v);
	tx = begin(v.db, &locking);
	put(tx, "a", "1");
	put(tx, "z", "9");
	assert_int_equal(dbfs_tx_commit(tx), 0);
	old = begin(v.db, &reading);
	for (int i = 0; i < 3; i++) {
		tx = begin(v.db, &locking);
		put(tx, "a", i ? "3" : "2");
		put(tx, "m", "5");
		assert_int_equal(dbfs_txn_delete(tx, key_of("z")), 0);
		assert_int_equal(dbfs_tx_commit(tx), 0);
		expect(old, "a", "1");
		expect(old, "z", "9");
		expect(old, "m", NULL);
		assert_int_equal(dbfs_checkpoint(v.db), 0);
		expect(old, "a", "1");
		expect(old, "z", "9");
		expect(old, "m", NULL);
	}
	dbfs_tx_rollback(old);
	vol_end(&v);
}

static void optimistic_conflicts(void **state)
{
	struct vol v;
	struct dbfs_tx *a;
	struct dbfs_tx *b;
	struct dbfs_cursor *c;

	(void)state;
	vol_make(&v);
	for (int ckpt = 0; ckpt < 2; ckpt++) {
		a = begin(v.db, &optimistic);
		b = begin(v.db, &optimistic);
		expect(a, "x", ckpt ? "b" : NULL);
		put(a, "y", "a");
		if (ckpt) /* the conflicting commit is in a layer that a's snapshot does not have */
			assert_int_equal(dbfs_checkpoint(v.db), 0);
		put(b, "x", "b");
		assert_int_equal(dbfs_tx_commit(b), 0);
		if (ckpt) {
			assert_int_equal(dbfs_checkpoint(v.db), 0);
			assert_int_equal(dbfs_checkpoint(v.db), 0);
		}
		assert_int_equal(dbfs_tx_commit(a), -DBFS_ECONFLICT);
	}
	/* A range that was empty where something appeared: a phantom. */
	a = begin(v.db, &optimistic);
	assert_int_equal(dbfs_cursor_open(a, key_of("p"), key_of("q"), 0, &c), 0);
	assert_int_equal(dbfs_cursor_next(c), -DBFS_ENOENT);
	dbfs_cursor_close(c);
	put(a, "w", "a");
	b = begin(v.db, &optimistic);
	put(b, "pp", "b");
	assert_int_equal(dbfs_tx_commit(b), 0);
	assert_int_equal(dbfs_tx_commit(a), -DBFS_ECONFLICT);
	/* Blind writes and disjoint reads do not conflict. */
	a = begin(v.db, &optimistic);
	b = begin(v.db, &optimistic);
	expect(a, "1", NULL);
	put(a, "k", "a");
	put(b, "k", "b");
	assert_int_equal(dbfs_tx_commit(b), 0);
	assert_int_equal(dbfs_tx_commit(a), 0);
	vol_end(&v);
}

static void savepoints_undo(void **state)
{
	struct vol v;
	struct dbfs_tx *tx;
	struct dbfs_savepoint sp;
	struct dbfs_savepoint sp2;

	(void)state;
	vol_make(&v);
	tx = begin(v.db, &locking);
	put(tx, "a", "1");
	sp = dbfs_tx_savepoint(tx);
	put(tx, "a", "2");
	put(tx, "b", "2");
	sp2 = dbfs_tx_savepoint(tx);
	put(tx, "a", "3");
	dbfs_tx_rollback_to(tx, sp2);
	expect(tx, "a", "2");
	put(tx, "a", "4");
	dbfs_tx_rollback_to(tx, sp);
	expect(tx, "a", "1");
	expect(tx, "b", NULL);
	put(tx, "c", "5");
	dbfs_tx_rollback_to(tx, sp);
	expect(tx, "c", NULL);
	put(tx, "d", "6");
	assert_int_equal(dbfs_tx_commit(tx), 0);
	tx = begin(v.db, &reading);
	expect(tx, "a", "1");
	expect(tx, "b", NULL);
	expect(tx, "d", "6");
	dbfs_tx_rollback(tx);
	vol_end(&v);
}

static void counters_add_up(void **state)
{
	struct dbfs_counters d = {.links = 1, .entries = 2, .mtime_sec = 10};
	struct dbfs_counters got;
	struct dbfs_tx *a;
	struct dbfs_tx *b;
	struct vol v;

	(void)state;
	vol_make(&v);
	a = begin(v.db, &optimistic);
	b = begin(v.db, &optimistic);
	assert_int_equal(dbfs_txn_merge(a, key_of("c"), &d), 0);
	assert_int_equal(dbfs_txn_merge(a, key_of("c"), &d), 0);
	d.mtime_sec = 5;
	assert_int_equal(dbfs_txn_merge(b, key_of("c"), &d), 0);
	assert_int_equal(dbfs_tx_commit(b), 0);
	assert_int_equal(dbfs_txn_get_counters(a, key_of("c"), &got), 0);
	assert_int_equal(got.links, 2);
	assert_int_equal(dbfs_tx_commit(a), 0);
	reopen(&v);
	a = begin(v.db, &reading);
	assert_int_equal(dbfs_txn_get_counters(a, key_of("c"), &got), 0);
	assert_int_equal(got.links, 3);
	assert_int_equal(got.entries, 6);
	assert_int_equal(got.mtime_sec, 10);
	dbfs_tx_rollback(a);
	vol_end(&v);
}

static void file_data(void **state)
{
	static uint8_t in[8 * DBFS_BLOCK_SIZE];
	static uint8_t out[8 * DBFS_BLOCK_SIZE];
	struct dbfs_stats before;
	struct dbfs_stats after;
	struct dbfs_savepoint sp;
	struct dbfs_extent e;
	struct dbfs_extent e2;
	uint32_t crcs[8];
	uint32_t crcs2[8];
	struct dbfs_tx *tx;
	struct vol v;

	(void)state;
	vol_make(&v);
	dbfs_get_stats(v.db, &before);
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7 + i / 4096);
	tx = begin(v.db, &locking);
	assert_int_equal(dbfs_txn_data_write(tx, in, 8, 0, &e, crcs), 0);
	assert_int_equal(e.count, 8);
	sp = dbfs_tx_savepoint(tx);
	assert_int_equal(dbfs_txn_data_write(tx, in, 8, 0, &e2, crcs2), 0);
	assert_int_equal(dbfs_txn_data_free(tx, e), 0);
	dbfs_tx_rollback_to(tx, sp);
	assert_int_equal(dbfs_txn_data_read(tx, e, crcs, out), 0);
	assert_memory_equal(in, out, sizeof(in));
	put(tx, "file", "there");
	assert_int_equal(dbfs_tx_commit(tx), 0);
	sim_disk_cut(v.disk);
	assert_int_not_equal(dbfs_close(v.db), 0);
	sim_disk_reboot(v.disk, NULL);
	vol_open(&v, &quiet);
	tx = begin(v.db, &locking);
	memset(out, 0, sizeof(out));
	assert_int_equal(dbfs_txn_data_read(tx, e, crcs, out), 0);
	assert_memory_equal(in, out, sizeof(in));
	sim_disk_rot(v.disk, (e.block + 3) * DBFS_BLOCK_SIZE, DBFS_BLOCK_SIZE, 1);
	assert_int_equal(dbfs_txn_data_read(tx, e, crcs, out), -DBFS_ECORRUPT);
	assert_int_equal(dbfs_txn_data_free(tx, e), 0);
	assert_int_equal(dbfs_tx_commit(tx), 0);
	reopen(&v);
	dbfs_get_stats(v.db, &after);
	/* One tree page more than in the empty volume. */
	assert_int_equal(after.free_blocks + 1, before.free_blocks);
	vol_end(&v);
}

/* --- Damage ------------------------------------------------------------------------------------ */

/* The device block of the nth log group that this volume has written since it was made. */
static uint64_t group_block(struct sim_disk *d, unsigned nth)
{
	static uint8_t page[DBFS_BLOCK_SIZE];

	for (uint64_t b = 8; b < 8 + 256; b++) {
		sim_disk_peek(d, b * DBFS_BLOCK_SIZE, page, sizeof(page));
		if (memcmp(page, "DGRP", 4) == 0 && nth-- == 0)
			return b;
	}
	fail_msg("no such group");
	return 0;
}

static void crash_after_commits(struct vol *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct dbfs_tx *tx = begin(v->db, &locking);
		char k[16];

		snprintf(k, sizeof(k), "k%u", i);
		put(tx, k, "v");
		assert_int_equal(dbfs_tx_commit(tx), 0);
	}
	sim_disk_cut(v->disk);
	assert_int_not_equal(dbfs_close(v->db), 0);
	sim_disk_reboot(v->disk, NULL);
}

static void damaged_log_is_not_cut_off(void **state)
{
	struct dbfs_tx *tx;
	struct vol v;

	(void)state;
	vol_make(&v);
	crash_after_commits(&v, 10);
	sim_disk_rot(v.disk, group_block(v.disk, 5) * DBFS_BLOCK_SIZE + 100, 1, 1);
	for (int i = 0; i < 2; i++) {
		vol_open(&v, &quiet);
		assert_int_equal(dbfs_write_error(v.db), -DBFS_ECORRUPT);
		assert_true(dbfs_is_read_only(v.db));
		assert_int_equal(dbfs_tx_begin(v.db, &locking, &tx), -DBFS_EROFS);
		tx = begin(v.db, &reading);
		expect(tx, "k4", "v");
		expect(tx, "k5", NULL);
		dbfs_tx_rollback(tx);
		assert_int_not_equal(dbfs_close(v.db), 0);
	}
	sim_disk_destroy(v.disk);
	sim_fini();
}

/* What recovery dropped must not come back when what replaced it is lost. */
static void dropped_group_stays_dropped(void **state)
{
	static uint8_t torn[DBFS_BLOCK_SIZE];
	struct dbfs_tx *tx;
	struct vol v;
	uint64_t at;

	(void)state;
	vol_make(&v);
	crash_after_commits(&v, 3);
	at = group_block(v.disk, 2) * DBFS_BLOCK_SIZE;
	sim_disk_peek(v.disk, at, torn, sizeof(torn));
	sim_disk_rot(v.disk, at + 100, 1, 1); /* as if it had not got there */
	vol_open(&v, &quiet);
	tx = begin(v.db, &reading);
	expect(tx, "k1", "v");
	expect(tx, "k2", NULL);
	dbfs_tx_rollback(tx);
	sim_disk_cut(v.disk);
	assert_int_not_equal(dbfs_close(v.db), 0);
	sim_disk_reboot(v.disk, NULL);
	sim_disk_poke(v.disk, at, torn, sizeof(torn)); /* ... and now it has */
	vol_open(&v, &quiet);
	tx = begin(v.db, &reading);
	expect(tx, "k1", "v");
	expect(tx, "k2", NULL);
	dbfs_tx_rollback(tx);
	vol_end(&v);
}

static void rot_in_the_tree_is_found(void **state)
{
	static uint8_t page[DBFS_BLOCK_SIZE];
	static char big[6000];
	struct dbfs_tx *tx;
	struct vol v;
	size_t len;
	unsigned hit = 0;

	(void)state;
	vol_make(&v);
	tx = begin(v.db, &locking);
	memset(big, 'B', sizeof(big));
	put(tx, "a", "1");
	assert_int_equal(dbfs_txn_put(tx, key_of("big"), (struct dbfs_val){big, sizeof(big)}), 0);
	assert_int_equal(dbfs_tx_commit(tx), 0);
	reopen(&v);
	for (uint64_t b = 8 + 256; b < DISK_BYTES / DBFS_BLOCK_SIZE; b++) {
		sim_disk_peek(v.disk, b * DBFS_BLOCK_SIZE, page, sizeof(page));
		if (page[0] == 'B' || page[4] == 'T') {
			sim_disk_rot(v.disk, b * DBFS_BLOCK_SIZE + 3000, 64, 1);
			hit++;
		}
	}
	assert_true(hit >= 3);
	tx = begin(v.db, &reading);
	assert_int_equal(dbfs_txn_get(tx, key_of("a"), page, sizeof(page), &len, 0),
			 -DBFS_ECORRUPT);
	dbfs_tx_rollback(tx);
	/* Only the value's blocks are damaged. */
	(void)!dbfs_close(v.db);
	sim_disk_destroy(v.disk);
	sim_fini();
}

static void rot_in_a_value_is_found(void **state)
{
	static uint8_t page[DBFS_BLOCK_SIZE];
	static char big[6000];
	struct dbfs_tx *tx;
	struct vol v;
	size_t len;

	(void)state;
	vol_make(&v);
	tx = begin(v.db, &locking);
	memset(big, 'B', sizeof(big));
	assert_int_equal(dbfs_txn_put(tx, key_of("big"), (struct dbfs_val){big, sizeof(big)}), 0);
	assert_int_equal(dbfs_tx_commit(tx), 0);
	reopen(&v);
	for (uint64_t b = 8 + 256; b < DISK_BYTES / DBFS_BLOCK_SIZE; b++) {
		sim_disk_peek(v.disk, b * DBFS_BLOCK_SIZE, page, sizeof(page));
		if (page[0] == 'B')
			sim_disk_rot(v.disk, b * DBFS_BLOCK_SIZE, 64, 1);
	}
	tx = begin(v.db, &reading);
	assert_int_equal(dbfs_txn_get(tx, key_of("big"), big, sizeof(big), &len, 0),
			 -DBFS_ECORRUPT);
	dbfs_tx_rollback(tx);
	vol_end(&v);
}

static void both_copies_are_used(void **state)
{
	struct dbfs_tx *tx;
	struct vol v;

	(void)state;
	vol_make(&v);
	tx = begin(v.db, &locking);
	put(tx, "a", "1");
	assert_int_equal(dbfs_tx_commit(tx), 0);
	assert_int_equal(dbfs_close(v.db), 0);
	sim_disk_rot(v.disk, 0, 64, 3);                   /* a superblock */
	sim_disk_rot(v.disk, 2 * DBFS_BLOCK_SIZE, 64, 3); /* one copy of each root */
	sim_disk_rot(v.disk, 4 * DBFS_BLOCK_SIZE, 64, 3);
	vol_open(&v, &quiet);
	tx = begin(v.db, &reading);
	expect(tx, "a", "1");
	dbfs_tx_rollback(tx);
	vol_end(&v);
}

/* --- Space ------------------------------------------------------------------------------------- */

static int fill(struct dbfs *db, unsigned *files, bool reserve)
{
	static uint8_t data[16 * DBFS_BLOCK_SIZE];
	struct dbfs_tx *tx = begin(db, &locking);
	struct dbfs_extent e = {0, 0};
	uint32_t crcs[16];
	char k[32];
	int err;

	if (reserve)
		dbfs_txn_use_reserve(tx);
	err = dbfs_txn_data_write(tx, data, 16, 0, &e, crcs);
	if (!err) {
		snprintf(k, sizeof(k), "f%u", *files);
		err = dbfs_txn_put(tx, key_of(k), (struct dbfs_val){&e, sizeof(e)});
	}
	if (err) {
		dbfs_tx_rollback(tx);
		return err;
	}
	assert_int_equal(dbfs_tx_commit(tx), 0); /* never ENOSPC here */
	*files += 1;
	return 0;
}

static void empty_file(struct dbfs *db, unsigned n)
{
	struct dbfs_tx *tx = begin(db, &locking);
	struct dbfs_extent e;
	size_t len;
	char k[32];

	dbfs_txn_use_reserve(tx);
	snprintf(k, sizeof(k), "f%u", n);
	assert_int_equal(dbfs_txn_get(tx, key_of(k), &e, sizeof(e), &len, 0), 0);
	assert_int_equal(dbfs_txn_data_free(tx, e), 0);
	assert_int_equal(dbfs_txn_delete(tx, key_of(k)), 0);
	assert_int_equal(dbfs_tx_commit(tx), 0);
}

static void full_volume(void **state)
{
	struct dbfs_stats start;
	struct dbfs_stats end;
	unsigned files = 0;
	unsigned again;
	struct vol v;

	(void)state;
	vol_make(&v);
	assert_int_equal(dbfs_checkpoint(v.db), 0);
	dbfs_get_stats(v.db, &start);
	for (unsigned round = 0; round < 3; round++) {
		int err;

		do
			err = fill(v.db, &files, false);
		while (!err);
		assert_int_equal(err, -DBFS_ENOSPC);
		do
			err = fill(v.db, &files, true);
		while (!err);
		assert_int_equal(err, -DBFS_ENOSPC);
		assert_true(files * 16 > start.free_blocks * 8 / 10);
		reopen(&v); /* the checkpoint had room */
		again = files;
		for (unsigned i = 0; i < again; i++)
			empty_file(v.db, i);
		files = 0;
	}
	assert_int_equal(dbfs_checkpoint(v.db), 0);
	assert_int_equal(dbfs_checkpoint(v.db), 0);
	dbfs_get_stats(v.db, &end);
	assert_in_range(end.free_blocks, start.free_blocks - 2, start.free_blocks);
	vol_end(&v);
}

/* Blocks that a snapshot can reach are not used again, however often others come and go. */
static void snapshot_keeps_its_blocks(void **state)
{
	static uint8_t in[16 * DBFS_BLOCK_SIZE];
	static uint8_t out[16 * DBFS_BLOCK_SIZE];
	struct dbfs_extent e;
	struct dbfs_extent churn = {0, 0};
	uint32_t crcs[16];
	uint32_t ignored[16];
	struct dbfs_tx *old;
	struct dbfs_tx *tx;
	struct vol v;

	(void)state;
	vol_make(&v);
	memset(in, 1, sizeof(in));
	tx = begin(v.db, &locking);
	assert_int_equal(dbfs_txn_data_write(tx, in, 16, 0, &e, crcs), 0);
	put(tx, "file", "1");
	assert_int_equal(dbfs_tx_commit(tx), 0);
	old = begin(v.db, &reading);
	tx = begin(v.db, &locking);
	assert_int_equal(dbfs_txn_data_free(tx, e), 0);
	put(tx, "file", "2");
	assert_int_equal(dbfs_tx_commit(tx), 0);
	memset(in, 2, sizeof(in));
	for (unsigned i = 0; i < 60; i++) {
		tx = begin(v.db, &locking);
		if (churn.count)
			assert_int_equal(dbfs_txn_data_free(tx, churn), 0);
		assert_int_equal(dbfs_txn_data_write(tx, in, 16, e.block, &churn, ignored), 0);
		put(tx, "churn", "x");
		assert_int_equal(dbfs_tx_commit(tx), 0);
		if (i % 16 == 0)
			assert_int_equal(dbfs_checkpoint(v.db), 0);
	}
	assert_int_equal(dbfs_txn_data_read(old, e, crcs, out), 0);
	memset(in, 1, sizeof(in));
	assert_memory_equal(in, out, sizeof(in));
	expect(old, "file", "1");
	dbfs_tx_rollback(old);
	vol_end(&v);
}

/* Data that is freed before it was ever written is still there for who can see it. */
static void unwritten_data_stays_readable(void **state)
{
	static const struct dbfs_tx_opts nosync = {DBFS_TX_LOCKING, DBFS_NOSYNC, 0};
	static uint8_t in[4 * DBFS_BLOCK_SIZE];
	static uint8_t out[4 * DBFS_BLOCK_SIZE];
	struct dbfs_tx *old = NULL;
	struct sim_disk_counts n[2];
	struct dbfs_extent e;
	uint32_t crcs[4];
	struct dbfs_tx *tx;
	struct vol v;

	(void)state;
	vol_make(&v);
	memset(in, 5, sizeof(in));
	for (int reader = 0; reader < 2; reader++) {
		sim_disk_counts(v.disk, &n[0]);
		tx = begin(v.db, &nosync);
		assert_int_equal(dbfs_txn_data_write(tx, in, 4, 0, &e, crcs), 0);
		put(tx, "a", "1");
		assert_int_equal(dbfs_tx_commit(tx), 0);
		if (reader)
			old = begin(v.db, &reading);
		tx = begin(v.db, &nosync);
		assert_int_equal(dbfs_txn_data_free(tx, e), 0);
		assert_int_equal(dbfs_tx_commit(tx), 0);
		if (reader)
			assert_int_equal(dbfs_txn_data_read(old, e, crcs, out), 0);
		assert_int_equal(dbfs_sync(v.db), 0);
		if (reader) {
			assert_int_equal(dbfs_txn_data_read(old, e, crcs, out), 0);
			assert_memory_equal(in, out, sizeof(in));
			dbfs_tx_rollback(old);
		} else { /* nobody can see it: it was not written */
			sim_disk_counts(v.disk, &n[1]);
			assert_int_equal(n[1].write_bytes - n[0].write_bytes, DBFS_BLOCK_SIZE);
		}
	}
	vol_end(&v);
}

/* A transaction that its log cannot take fails as a whole; the volume goes on. */
static void larger_than_the_log(void **state)
{
	static char big[100000];
	struct dbfs_tx *tx;
	struct vol v;
	char k[16];

	(void)state;
	vol_make(&v);
	tx = begin(v.db, &locking);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(k, sizeof(k), "k%u", i);
		assert_int_equal(dbfs_txn_put(tx, key_of(k), (struct dbfs_val){big, sizeof(big)}),
				 0);
	}
	assert_int_equal(dbfs_tx_commit(tx), -DBFS_ELOGFULL);
	/* ... while any number of smaller ones go through it. */
	for (unsigned i = 0; i < 40; i++) {
		tx = begin(v.db, i % 2 ? &locking : &optimistic);
		snprintf(k, sizeof(k), "k%u", i % 5);
		assert_int_equal(dbfs_txn_put(tx, key_of(k), (struct dbfs_val){big, sizeof(big)}),
				 0);
		assert_int_equal(dbfs_tx_commit(tx), 0);
	}
	vol_end(&v);
}

/* --- Random operations against a sorted array ------------------------------------------------- */

enum { MODEL_KEYS = 300 };

struct model {
	char *val[MODEL_KEYS]; /* NULL: absent */
	size_t len[MODEL_KEYS];
};

static void model_key(char *buf, size_t room, unsigned i)
{
	snprintf(buf, room, "%s-%06u-%s", i % 3 ? "common-prefix-of-some-length" : "x", i,
		 i % 5 ? "s" : "a longer tail that varies a little");
}

static int by_key(const void *a, const void *b)
{
	char ka[128];
	char kb[128];

	model_key(ka, sizeof(ka), *(const unsigned *)a);
	model_key(kb, sizeof(kb), *(const unsigned *)b);
	return strcmp(ka, kb);
}

static void model_check(struct dbfs_tx *tx, const struct model *m)
{
	static unsigned order[MODEL_KEYS];
	struct dbfs_cursor *c;
	struct dbfs_val val;
	char k[128];

	for (unsigned i = 0; i < MODEL_KEYS; i++)
		order[i] = i;
	qsort(order, MODEL_KEYS, sizeof(order[0]), by_key);
	assert_int_equal(dbfs_cursor_open(tx, (struct dbfs_key){7, 0, ""},
					  (struct dbfs_key){8, 0, ""}, 0, &c),
			 0);
	for (int forward = 1; forward >= 0; forward--) {
		for (unsigned i = 0; i < MODEL_KEYS; i++) {
			unsigned n = order[forward ? i : MODEL_KEYS - 1 - i];

			if (!m->val[n])
				continue;
			model_key(k, sizeof(k), n);
			assert_int_equal(forward ? dbfs_cursor_next(c) : dbfs_cursor_prev(c), 0);
			assert_int_equal(dbfs_cursor_key(c).len, strlen(k));
			assert_memory_equal(dbfs_cursor_key(c).p, k, strlen(k));
			assert_int_equal(dbfs_cursor_value(c, &val), 0);
			assert_int_equal(val.len, m->len[n]);
			assert_memory_equal(val.p, m->val[n], val.len);
		}
		assert_int_equal(forward ? dbfs_cursor_next(c) : dbfs_cursor_prev(c), -DBFS_ENOENT);
		dbfs_cursor_close(c);
		assert_int_equal(dbfs_cursor_open(tx, (struct dbfs_key){7, 0, ""},
						  (struct dbfs_key){8, 0, ""}, 0, &c),
				 0);
	}
	dbfs_cursor_close(c);
}

static void model_step(struct dbfs_tx *tx, struct model *m, struct sim_prng *r)
{
	unsigned n = (unsigned)sim_prng_below(r, MODEL_KEYS);
	struct dbfs_key key = {7, 0, NULL};
	char k[128];

	model_key(k, sizeof(k), n);
	key.p = k;
	key.len = (uint32_t)strlen(k);
	free(m->val[n]);
	m->val[n] = NULL;
	if (sim_prng_chance(r, 1, 3)) {
		assert_int_equal(dbfs_txn_delete(tx, key), 0);
		return;
	}
	m->len[n] = sim_prng_chance(r, 1, 20) ? sim_prng_below(r, 20000) : sim_prng_below(r, 300);
	m->val[n] = malloc(m->len[n] + 1);
	sim_prng_fill(r, m->val[n], m->len[n]);
	assert_int_equal(dbfs_txn_put(tx, key, (struct dbfs_val){m->val[n], m->len[n]}), 0);
}

static void random_against_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		static struct model m;
		struct sim_prng r = sim_prng_of(seed);
		struct dbfs_tx *tx;
		struct vol v;

		vol_make(&v);
		for (unsigned round = 0; round < 60; round++) {
			uint64_t n = sim_prng_range(&r, 1, round < 5 ? 300 : 20);

			tx = begin(v.db, sim_prng_chance(&r, 1, 2) ? &locking : &optimistic);
			while (n-- > 0)
				model_step(tx, &m, &r);
			if (round % 7 == 0)
				model_check(tx, &m);
			assert_int_equal(dbfs_tx_commit(tx), 0);
			if (sim_prng_chance(&r, 1, 5))
				assert_int_equal(dbfs_checkpoint(v.db), 0);
			if (sim_prng_chance(&r, 1, 9))
				reopen(&v);
			tx = begin(v.db, &reading);
			model_check(tx, &m);
			dbfs_tx_rollback(tx);
		}
		vol_end(&v);
		for (unsigned i = 0; i < MODEL_KEYS; i++)
			free(m.val[i]);
		memset(&m, 0, sizeof(m));
	}
}

/* Opens; if cut is not 0, the power fails once at that write of the recovery. */
static void open_after_cut(struct vol *v, uint64_t cut)
{
	sim_disk_reboot(v->disk, NULL);
	sim_disk_cut_at(v->disk, cut);
	if (cut && dbfs_open(sim_disk_blk(v->disk), &quiet, &v->db) != 0) {
		sim_disk_blk(v->disk)->ops->close(sim_disk_blk(v->disk));
		sim_disk_reboot(v->disk, NULL);
		sim_disk_cut_at(v->disk, 0);
		vol_open(v, &quiet);
	} else if (cut) {
		sim_disk_cut_at(v->disk, 0);
	} else {
		vol_open(v, &quiet);
	}
}

/* More crashes than the root has room for salts, some of them in recovery; no checkpoint of anyone's own. */
static void crash_after_crash(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct sim_prng r = sim_prng_of(seed);
		struct vol v;

		vol_make(&v);
		for (unsigned round = 0; round < 50; round++) {
			struct dbfs_tx *tx = begin(v.db, &locking);
			char k[16];

			snprintf(k, sizeof(k), "k%u", round);
			put(tx, k, "v");
			assert_int_equal(dbfs_tx_commit(tx), 0);
			sim_disk_cut_at(v.disk, 1);
			tx = begin(v.db, &locking);
			put(tx, k, "not");
			assert_int_not_equal(dbfs_tx_commit(tx), 0);
			assert_int_not_equal(dbfs_close(v.db), 0);
			open_after_cut(&v, sim_prng_below(&r, 12));
			tx = begin(v.db, &reading);
			for (unsigned i = 0; i < round; i++) {
				snprintf(k, sizeof(k), "k%u", i);
				/* A group may have got through whole and not been answered. */
				if (!shows(tx, k, "v"))
					expect(tx, k, "not");
			}
			dbfs_tx_rollback(tx);
		}
		vol_end(&v);
	}
}

/* A checkpoint without memory changes nothing: the volume goes on, and the next one does it all. */
static void checkpoint_without_memory(void **state)
{
	static uint8_t in[8 * DBFS_BLOCK_SIZE];
	uint32_t crcs[8];
	bool hit = true;

	(void)state;
	for (uint64_t n = 1; hit; n++) {
		uint64_t before;
		struct dbfs_extent e;
		struct dbfs_tx *tx;
		struct vol v;
		int err;

		vol_make(&v);
		tx = begin(v.db, &locking);
		assert_int_equal(dbfs_txn_data_write(tx, in, 8, 0, &e, crcs), 0);
		put(tx, "a", "1");
		assert_int_equal(dbfs_tx_commit(tx), 0);
		before = sim_mem_failures();
		sim_mem_fail_at(n, false);
		err = dbfs_checkpoint(v.db);
		sim_mem_fail_at(0, false);
		hit = sim_mem_failures() > before;
		assert_int_equal(dbfs_write_error(v.db), 0);
		assert_true(err == 0 || (hit && err == -DBFS_ENOMEM));
		assert_int_equal(dbfs_checkpoint(v.db), 0);
		tx = begin(v.db, &locking);
		assert_int_equal(dbfs_txn_data_free(tx, e), 0);
		put(tx, "a", "2");
		assert_int_equal(dbfs_tx_commit(tx), 0);
		reopen(&v);
		tx = begin(v.db, &reading);
		expect(tx, "a", "2");
		dbfs_tx_rollback(tx);
		vol_end(&v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commits_and_reads),
		cmocka_unit_test(recovers_without_close),
		cmocka_unit_test(snapshots_stay),
		cmocka_unit_test(optimistic_conflicts),
		cmocka_unit_test(savepoints_undo),
		cmocka_unit_test(counters_add_up),
		cmocka_unit_test(file_data),
		cmocka_unit_test(random_against_model),
		cmocka_unit_test(damaged_log_is_not_cut_off),
		cmocka_unit_test(dropped_group_stays_dropped),
		cmocka_unit_test(rot_in_the_tree_is_found),
		cmocka_unit_test(rot_in_a_value_is_found),
		cmocka_unit_test(both_copies_are_used),
		cmocka_unit_test(full_volume),
		cmocka_unit_test(unwritten_data_stays_readable),
		cmocka_unit_test(snapshot_keeps_its_blocks),
		cmocka_unit_test(larger_than_the_log),
		cmocka_unit_test(checkpoint_without_memory),
		cmocka_unit_test(crash_after_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
