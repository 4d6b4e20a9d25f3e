/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The key-value face on the simulated disk: what dbfs/kv.h promises, call by call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dbfs/kv.h"
#include "kv/kv_ondisk.h"
#include "sim/disk.h"
#include "sim/sim.h"
#include "txn/txn.h"

#define DISK_BYTES (32u << 20)

struct vol {
	struct sim_disk *disk;
	struct dbfs *db;
};

static const struct dbfs_open_opts quiet = {.no_background = true};
static const struct dbfs_tx_opts locking = {DBFS_TX_LOCKING, DBFS_SYNC, 0};
static const struct dbfs_tx_opts optimistic = {DBFS_TX_OPTIMISTIC, DBFS_SYNC, 0};
static const struct dbfs_tx_opts reading = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};

static struct dbfs_kv_bytes str(const char *s)
{
	return (struct dbfs_kv_bytes){s, strlen(s)};
}

static void vol_make(struct vol *v, uint64_t seed)
{
	static const struct dbfs_format_opts fmt = {.log_bytes = 1u << 20, .label = "kv"};

	sim_init(seed);
	sim_set_policy(SIM_POLICY_STAY);
	v->disk = sim_disk_create("disk", DISK_BYTES, seed);
	assert_int_equal(dbfs_format(sim_disk_blk(v->disk), &fmt), 0);
	assert_int_equal(dbfs_open(sim_disk_blk(v->disk), &quiet, &v->db), 0);
}

static void reopen(struct vol *v)
{
	assert_int_equal(dbfs_close(v->db), 0);
	assert_int_equal(dbfs_open(sim_disk_blk(v->disk), &quiet, &v->db), 0);
}

static void vol_end(struct vol *v)
{
	assert_int_equal(dbfs_close(v->db), 0);
	sim_disk_destroy(v->disk);
	sim_fini();
}

static void begin(struct dbfs *db, const struct dbfs_tx_opts *o, struct dbfs_kv_tx *tx,
		  struct dbfs_kv_bucket *root)
{
	assert_int_equal(dbfs_kv_begin(db, o, tx), 0);
	assert_int_equal(dbfs_kv_root(tx, root), 0);
}

static void put(struct dbfs_kv_bucket *b, const char *k, const char *v)
{
	assert_int_equal(dbfs_kv_put(b, str(k), str(v)), 0);
}

static void expect(struct dbfs_kv_bucket *b, const char *k, const char *v)
{
	char buf[256];
	uint64_t len = 0;
	int err = dbfs_kv_get(b, str(k), buf, sizeof(buf), &len);

	if (!v) {
		assert_int_equal(err, -DBFS_ENOENT);
		assert_int_equal(dbfs_kv_exists(b, str(k)), -DBFS_ENOENT);
		return;
	}
	assert_int_equal(err, 0);
	assert_int_equal(len, strlen(v));
	assert_memory_equal(buf, v, len);
	assert_int_equal(dbfs_kv_exists(b, str(k)), 0);
}

static uint64_t free_blocks(struct vol *v)
{
	struct dbfs_stats st;

	assert_int_equal(dbfs_checkpoint(v->db), 0);
	assert_int_equal(dbfs_checkpoint(v->db), 0);
	dbfs_get_stats(v->db, &st);
	return st.free_blocks;
}

static void keys_and_values(void **state)
{
	static char big[DBFS_KV_INLINE_MAX];
	static char back[DBFS_KV_INLINE_MAX + 1];
	struct dbfs_kv_bucket b;
	struct dbfs_kv_tx tx;
	struct vol v;
	uint64_t len;

	(void)state;
	vol_make(&v, 1);
	begin(v.db, &locking, &tx, &b);
	put(&b, "a", "1");
	put(&b, "b", "");
	put(&b, "a", "2");
	memset(big, 'x', sizeof(big));
	assert_int_equal(dbfs_kv_put(&b, str("big"), (struct dbfs_kv_bytes){big, sizeof(big)}), 0);
	expect(&b, "a", "2");
	expect(&b, "b", "");
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	for (int i = 0; i < 2; i++) {
		begin(v.db, &reading, &tx, &b);
		expect(&b, "a", "2");
		expect(&b, "b", "");
		expect(&b, "c", NULL);
		/* Every size of room, around the limits of the buffers in between. */
		static const size_t rooms[] = {0,   1,    254,         255,         256,
					       257, 4096, sizeof(big), sizeof(back)};
		for (size_t r = 0; r < sizeof(rooms) / sizeof(rooms[0]); r++) {
			size_t want = rooms[r] < sizeof(big) ? rooms[r] : sizeof(big);

			memset(back, 0, sizeof(back));
			assert_int_equal(dbfs_kv_get(&b, str("big"), back, rooms[r], &len), 0);
			assert_int_equal(len, sizeof(big));
			assert_memory_equal(back, big, want);
			assert_int_equal(back[want], 0);
		}
		assert_int_equal(dbfs_kv_put(&b, str("a"), str("3")), -DBFS_EROFS);
		assert_int_equal(dbfs_kv_delete(&b, str("a")), -DBFS_EROFS);
		assert_int_equal(dbfs_kv_commit(&tx), 0);
		reopen(&v);
	}
	begin(v.db, &locking, &tx, &b);
	assert_int_equal(dbfs_kv_delete(&b, str("a")), 0);
	assert_int_equal(dbfs_kv_delete(&b, str("a")), 0);
	expect(&b, "a", NULL);
	dbfs_kv_rollback(&tx);
	begin(v.db, &locking, &tx, &b);
	expect(&b, "a", "2");
	dbfs_kv_rollback(&tx);
	vol_end(&v);
}

static void wrong_sizes(void **state)
{
	static char key[DBFS_KV_KEY_MAX + 1];
	struct dbfs_kv_bytes longest = {key, DBFS_KV_KEY_MAX};
	struct dbfs_kv_bytes too_long = {key, DBFS_KV_KEY_MAX + 1};
	struct dbfs_kv_bytes empty = {NULL, 0};
	struct dbfs_kv_range range = {too_long, empty};
	struct dbfs_kv_stream s;
	struct dbfs_kv_cursor c;
	struct dbfs_kv_bucket b;
	struct dbfs_kv_bucket b2;
	struct dbfs_kv_tx tx;
	struct vol v;
	uint64_t len;

	(void)state;
	vol_make(&v, 1);
	begin(v.db, &locking, &tx, &b);
	assert_int_equal(dbfs_kv_put(&b, empty, str("v")), -DBFS_EINVAL);
	assert_int_equal(dbfs_kv_put(&b, too_long, str("v")), -DBFS_E2BIG);
	assert_int_equal(dbfs_kv_put(&b, str("k"),
				     (struct dbfs_kv_bytes){key, DBFS_KV_VALUE_MAX + 1}),
			 -DBFS_EFBIG);
	assert_int_equal(dbfs_kv_put(&b, longest, str("v")), 0);
	assert_int_equal(dbfs_kv_get(&b, longest, NULL, 0, &len), 0);
	assert_int_equal(len, 1);
	assert_int_equal(dbfs_kv_get(&b, empty, NULL, 0, &len), -DBFS_EINVAL);
	assert_int_equal(dbfs_kv_get(&b, too_long, NULL, 0, &len), -DBFS_E2BIG);
	assert_int_equal(dbfs_kv_exists(&b, too_long), -DBFS_E2BIG);
	assert_int_equal(dbfs_kv_delete(&b, empty), -DBFS_EINVAL);
	assert_int_equal(dbfs_kv_cursor_open(&b, &range, &c), -DBFS_E2BIG);
	assert_int_equal(dbfs_kv_cursor_open(&b, NULL, &c), 0);
	assert_int_equal(dbfs_kv_cursor_seek(&c, too_long), -DBFS_E2BIG);
	assert_int_equal(dbfs_kv_cursor_seek_last(&c, empty), -DBFS_EINVAL);
	dbfs_kv_cursor_close(&c);
	assert_int_equal(dbfs_kv_stream_create(&b, too_long, &s), -DBFS_E2BIG);
	assert_int_equal(dbfs_kv_stream_open(&b, empty, &s), -DBFS_EINVAL);
	assert_int_equal(dbfs_kv_bucket_create(&b, empty, &b2), -DBFS_EINVAL);
	assert_int_equal(dbfs_kv_bucket_create(&b, (struct dbfs_kv_bytes){key, 256}, &b2),
			 -DBFS_ENAMETOOLONG);
	assert_int_equal(dbfs_kv_bucket_open(&b, empty, &b2), -DBFS_EINVAL);
	assert_int_equal(dbfs_kv_bucket_drop(&b, empty), -DBFS_EINVAL);
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	vol_end(&v);
}

static void ended_and_closed_handles(void **state)
{
	struct dbfs_kv_bucket none = {0};
	struct dbfs_kv_cursor no_cursor = {.open = NULL};
	struct dbfs_kv_tx no_tx = {0};
	struct dbfs_kv_load load = {0};
	struct dbfs_kv_bucket b;
	struct dbfs_kv_bucket b2;
	struct dbfs_kv_cursor c;
	struct dbfs_kv_cursor c2;
	struct dbfs_kv_stream s;
	struct dbfs_kv_bytes out;
	struct dbfs_kv_tx tx;
	struct vol v;
	size_t done;
	uint64_t len;

	(void)state;
	vol_make(&v, 1);
	begin(v.db, &locking, &tx, &b);
	put(&b, "a", "1");
	assert_int_equal(dbfs_kv_cursor_open(&b, NULL, &c), 0);
	assert_int_equal(dbfs_kv_cursor_key(&c, &out), -DBFS_EINVAL);
	assert_int_equal(dbfs_kv_cursor_open(&b, NULL, &c2), 0);
	assert_int_equal(dbfs_kv_cursor_next(&c2), 0);
	dbfs_kv_cursor_close(&c2);
	dbfs_kv_cursor_close(&c2);
	assert_int_equal(dbfs_kv_cursor_next(&c2), -DBFS_EBADF);
	assert_int_equal(dbfs_kv_stream_open(&b, str("a"), &s), 0);
	assert_int_equal(dbfs_kv_stream_write(&s, "x", 1), -DBFS_EINVAL);
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	/* After the end: the transaction's, and again when the memory serves another transaction. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(dbfs_kv_put(&b, str("a"), str("2")), -DBFS_ESTALE);
		assert_int_equal(dbfs_kv_get(&b, str("a"), NULL, 0, &len), -DBFS_ESTALE);
		assert_int_equal(dbfs_kv_cursor_next(&c), -DBFS_ESTALE);
		assert_int_equal(dbfs_kv_stream_read(&s, 0, &done, 1, &done), -DBFS_ESTALE);
		assert_int_equal(dbfs_kv_bucket_open(&b, str("x"), &b2), -DBFS_ESTALE);
		if (i == 0) {
			assert_int_equal(dbfs_kv_commit(&tx), -DBFS_ESTALE);
			assert_int_equal(dbfs_kv_root(&tx, &b2), -DBFS_ESTALE);
			dbfs_kv_rollback(&tx);
			begin(v.db, &locking, &tx, &b2);
		}
	}
	dbfs_kv_cursor_close(&c);
	dbfs_kv_stream_close(&s);
	assert_int_equal(dbfs_kv_stream_read(&s, 0, &done, 1, &done), -DBFS_ESTALE);
	assert_int_equal(dbfs_kv_put(&none, str("a"), str("2")), -DBFS_EBADF);
	assert_int_equal(dbfs_kv_cursor_next(&no_cursor), -DBFS_EBADF);
	assert_int_equal(dbfs_kv_commit(&no_tx), -DBFS_EBADF);
	assert_int_equal(dbfs_kv_load_add(&load, str("a"), str("b")), -DBFS_EBADF);
	assert_int_equal(dbfs_kv_load_end(&load), -DBFS_EBADF);
	/* A stream that is not finished is no value; its transaction does not commit. */
	assert_int_equal(dbfs_kv_stream_create(&b2, str("s"), &s), 0);
	assert_int_equal(dbfs_kv_commit(&tx), -DBFS_EBUSY);
	dbfs_kv_stream_close(&s);
	begin(v.db, &reading, &tx, &b);
	expect(&b, "s", NULL);
	dbfs_kv_rollback(&tx);
	vol_end(&v);
}

static int collect(void *arg, struct dbfs_kv_bytes name)
{
	char *s = arg;

	strncat(s, name.p, name.len);
	strcat(s, ",");
	return name.len == 4;
}

static void expect_list(struct dbfs_kv_bucket *b, const char *want)
{
	char got[256] = "";

	assert_int_equal(dbfs_kv_bucket_list(b, collect, got), 0);
	assert_string_equal(got, want);
}

static void buckets(void **state)
{
	struct dbfs_kv_bucket root;
	struct dbfs_kv_bucket a;
	struct dbfs_kv_bucket ab;
	struct dbfs_kv_bucket again;
	struct dbfs_kv_stats st;
	struct dbfs_kv_tx tx;
	struct vol v;

	(void)state;
	vol_make(&v, 1);
	begin(v.db, &locking, &tx, &root);
	expect_list(&root, "");
	assert_int_equal(dbfs_kv_bucket_open(&root, str("a"), &a), -DBFS_ENOENT);
	assert_int_equal(dbfs_kv_bucket_drop(&root, str("a")), -DBFS_ENOENT);
	assert_int_equal(dbfs_kv_bucket_create(&root, str("a"), &a), 0);
	assert_int_equal(dbfs_kv_bucket_create(&root, str("a"), &again), -DBFS_EEXIST);
	assert_int_equal(dbfs_kv_bucket_create(&a, str("b"), &ab), 0);
	assert_int_equal(dbfs_kv_bucket_create(&root, str("zz"), &again), 0);
	assert_int_equal(dbfs_kv_bucket_create(&root, str("m"), &again), 0);
	put(&root, "k", "root");
	put(&a, "k", "a");
	put(&ab, "k", "ab");
	put(&ab, "k2", "ab2");
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	reopen(&v);
	begin(v.db, &locking, &tx, &root);
	expect_list(&root, "a,m,zz,");
	expect(&root, "k", "root");
	assert_int_equal(dbfs_kv_bucket_open(&root, str("a"), &a), 0);
	assert_int_equal(dbfs_kv_bucket_open(&a, str("b"), &ab), 0);
	expect(&a, "k", "a");
	expect(&ab, "k2", "ab2");
	assert_int_equal(dbfs_kv_bucket_stats(&root, &st), 0);
	assert_int_equal(st.buckets, 4);
	assert_int_equal(st.keys, 4);
	assert_int_equal(st.key_bytes, 5);
	assert_int_equal(st.value_bytes, 4 + 1 + 2 + 3);
	assert_int_equal(dbfs_kv_bucket_stats(&a, &st), 0);
	assert_int_equal(st.buckets, 1);
	assert_int_equal(st.keys, 3);
	/* Gone with what is below, for handles too; a new one of the name is empty. */
	assert_int_equal(dbfs_kv_bucket_drop(&root, str("a")), 0);
	assert_int_equal(dbfs_kv_put(&a, str("x"), str("y")), -DBFS_ESTALE);
	assert_int_equal(dbfs_kv_put(&ab, str("x"), str("y")), -DBFS_ESTALE);
	put(&root, "k", "still");
	assert_int_equal(dbfs_kv_bucket_create(&root, str("a"), &again), 0);
	expect(&again, "k", NULL);
	expect_list(&again, "");
	assert_int_equal(dbfs_kv_bucket_create(&again, str("stop"), &ab), 0);
	assert_int_equal(dbfs_kv_bucket_create(&again, str("zz"), &ab), 0);
	expect_list(&again, "stop,");
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	vol_end(&v);
}

static void buckets_are_not_too_deep(void **state)
{
	struct dbfs_kv_bucket b;
	struct dbfs_kv_bucket next;
	struct dbfs_kv_tx tx;
	struct vol v;

	(void)state;
	vol_make(&v, 1);
	begin(v.db, &locking, &tx, &b);
	for (unsigned i = 0; i < DBFS_KV_DEPTH_MAX; i++) {
		assert_int_equal(dbfs_kv_bucket_create(&b, str("down"), &next), 0);
		b = next;
	}
	assert_int_equal(dbfs_kv_bucket_create(&b, str("down"), &next), -DBFS_EMLINK);
	put(&b, "k", "v");
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	vol_end(&v);
}

/* Dropping gives all space back: keys, streams, buckets below. */
static void drop_returns_space(void **state)
{
	static uint8_t big[300000];
	struct dbfs_kv_bucket root;
	struct dbfs_kv_bucket a;
	struct dbfs_kv_bucket ab;
	struct dbfs_kv_tx tx;
	uint64_t before;
	struct vol v;
	char k[32];

	(void)state;
	vol_make(&v, 1);
	begin(v.db, &locking, &tx, &root);
	assert_int_equal(dbfs_kv_bucket_create(&root, str("a"), &a), 0);
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	before = free_blocks(&v);
	begin(v.db, &locking, &tx, &root);
	assert_int_equal(dbfs_kv_bucket_open(&root, str("a"), &a), 0);
	assert_int_equal(dbfs_kv_bucket_create(&a, str("b"), &ab), 0);
	for (int i = 0; i < 1000; i++) {
		snprintf(k, sizeof(k), "key%d", i);
		put(i % 2 ? &a : &ab, k, "some value");
	}
	for (int i = 0; i < 5; i++) {
		snprintf(k, sizeof(k), "big%d", i);
		assert_int_equal(dbfs_kv_put(&ab, str(k), (struct dbfs_kv_bytes){big, sizeof(big)}),
				 0);
	}
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	assert_true(free_blocks(&v) + 5 * 73 < before);
	begin(v.db, &locking, &tx, &root);
	assert_int_equal(dbfs_kv_bucket_drop(&root, str("a")), 0);
	assert_int_equal(dbfs_kv_bucket_create(&root, str("a"), &a), 0);
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	assert_int_equal(free_blocks(&v), before);
	vol_end(&v);
}

static void drop_conflicts(void **state)
{
	struct dbfs_kv_bucket root;
	struct dbfs_kv_bucket a;
	struct dbfs_kv_bucket root2;
	struct dbfs_kv_bucket a2;
	struct dbfs_kv_stream s;
	struct dbfs_kv_tx tx;
	struct dbfs_kv_tx tx2;
	struct vol v;

	(void)state;
	vol_make(&v, 1);
	begin(v.db, &locking, &tx, &root);
	assert_int_equal(dbfs_kv_bucket_create(&root, str("a"), &a), 0);
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	/* KV-3: a writer beside a drop, and beside the first stream. */
	for (int drop = 0; drop < 2; drop++) {
		begin(v.db, &optimistic, &tx, &root);
		assert_int_equal(dbfs_kv_bucket_open(&root, str("a"), &a), 0);
		put(&a, "k", "v");
		begin(v.db, &optimistic, &tx2, &root2);
		assert_int_equal(dbfs_kv_bucket_open(&root2, str("a"), &a2), 0);
		if (drop) {
			assert_int_equal(dbfs_kv_bucket_drop(&root2, str("a")), 0);
		} else {
			assert_int_equal(dbfs_kv_stream_create(&a2, str("k"), &s), 0);
			assert_int_equal(dbfs_kv_stream_end(&s), 0);
		}
		assert_int_equal(dbfs_kv_commit(&tx2), 0);
		assert_int_equal(dbfs_kv_commit(&tx), -DBFS_ECONFLICT);
	}
	vol_end(&v);
}

static void cursors(void **state)
{
	struct dbfs_kv_range range = {{"b", 1}, {"d", 1}};
	struct dbfs_kv_bucket root;
	struct dbfs_kv_bucket other;
	struct dbfs_kv_cursor c;
	struct dbfs_kv_bytes got;
	struct dbfs_kv_tx tx;
	struct vol v;

	(void)state;
	vol_make(&v, 1);
	begin(v.db, &locking, &tx, &root);
	assert_int_equal(dbfs_kv_bucket_create(&root, str("x"), &other), 0);
	put(&root, "a", "1");
	put(&root, "b", "2");
	put(&root, "c", "3");
	put(&root, "d", "4");
	put(&other, "bb", "no");
	assert_int_equal(dbfs_kv_cursor_open(&root, &range, &c), 0);
	assert_int_equal(dbfs_kv_cursor_next(&c), 0);
	assert_int_equal(dbfs_kv_cursor_key(&c, &got), 0);
	assert_memory_equal(got.p, "b", 1);
	assert_int_equal(dbfs_kv_cursor_value(&c, &got), 0);
	assert_int_equal(got.len, 1);
	assert_memory_equal(got.p, "2", 1);
	assert_int_equal(dbfs_kv_cursor_next(&c), 0);
	assert_int_equal(dbfs_kv_cursor_next(&c), -DBFS_ENOENT);
	assert_int_equal(dbfs_kv_cursor_key(&c, &got), -DBFS_EINVAL);
	assert_int_equal(dbfs_kv_cursor_seek_last(&c, str("bz")), 0);
	assert_int_equal(dbfs_kv_cursor_key(&c, &got), 0);
	assert_memory_equal(got.p, "b", 1);
	assert_int_equal(dbfs_kv_cursor_seek(&c, str("bz")), 0);
	assert_int_equal(dbfs_kv_cursor_key(&c, &got), 0);
	assert_memory_equal(got.p, "c", 1);
	assert_int_equal(dbfs_kv_cursor_seek(&c, str("cz")), -DBFS_ENOENT);
	dbfs_kv_cursor_close(&c);
	assert_int_equal(dbfs_kv_cursor_open(&root, NULL, &c), 0);
	assert_int_equal(dbfs_kv_cursor_prev(&c), 0);
	assert_int_equal(dbfs_kv_cursor_key(&c, &got), 0);
	assert_memory_equal(got.p, "d", 1);
	assert_int_equal(dbfs_kv_commit(&tx), 0); /* with an open cursor */
	vol_end(&v);
}

/* --- Streams ------------------------------------------------------------------------------ */

static uint8_t stream_byte(uint64_t i, unsigned seed)
{
	return (uint8_t)(i * 13 + i / 4096 * 7 + i / 1000000 + seed);
}

static void write_stream(struct dbfs_kv_bucket *b, const char *key, size_t len, unsigned seed)
{
	static uint8_t piece[70001];
	struct dbfs_kv_stream s;

	assert_int_equal(dbfs_kv_stream_create(b, str(key), &s), 0);
	for (size_t at = 0; at < len;) {
		size_t n = len - at < sizeof(piece) ? len - at : sizeof(piece);

		for (size_t i = 0; i < n; i++)
			piece[i] = stream_byte(at + i, seed);
		assert_int_equal(dbfs_kv_stream_write(&s, piece, n), 0);
		at += n;
	}
	assert_int_equal(dbfs_kv_stream_end(&s), 0);
}

static void check_stream(struct dbfs_kv_bucket *b, const char *key, size_t len, unsigned seed)
{
	static uint8_t piece[33333];
	struct dbfs_kv_stream s;
	size_t done;

	assert_int_equal(dbfs_kv_stream_open(b, str(key), &s), 0);
	assert_int_equal(dbfs_kv_stream_size(&s), len);
	for (size_t at = 0; at < len; at += done) {
		assert_int_equal(dbfs_kv_stream_read(&s, at, piece, sizeof(piece), &done), 0);
		assert_true(done > 0);
		for (size_t i = 0; i < done; i++)
			assert_int_equal(piece[i], stream_byte(at + i, seed));
	}
	/* Backwards in steps that cross extents, and past the end. */
	for (size_t at = len; at > 600000;) {
		at -= 600000;
		assert_int_equal(dbfs_kv_stream_read(&s, at, piece, 10, &done), 0);
		assert_int_equal(piece[0], stream_byte(at, seed));
	}
	assert_int_equal(dbfs_kv_stream_read(&s, len, piece, 10, &done), 0);
	assert_int_equal(done, 0);
	assert_int_equal(dbfs_kv_stream_read(&s, UINT64_MAX, piece, 10, &done), 0);
	assert_int_equal(done, 0);
	dbfs_kv_stream_close(&s);
}

static void streams(void **state)
{
	static const size_t sizes[] = {0, 1, 4096, 4097, 524288, 524289, 3000000};
	struct dbfs_kv_cursor c;
	struct dbfs_kv_bytes got;
	struct dbfs_kv_stream s;
	struct dbfs_kv_bucket b;
	struct dbfs_kv_tx tx;
	struct vol v;
	uint64_t before;
	uint64_t len;
	char k[16];

	(void)state;
	vol_make(&v, 1);
	begin(v.db, &locking, &tx, &b);
	write_stream(&b, "first", 1, 0);
	assert_int_equal(dbfs_kv_delete(&b, str("first")), 0);
	put(&b, "short", "12345");
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	before = free_blocks(&v);
	for (unsigned round = 0; round < 2; round++) { /* the second replaces the first */
		begin(v.db, &locking, &tx, &b);
		for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			snprintf(k, sizeof(k), "s%u", i);
			write_stream(&b, k, sizes[i], round + i);
			check_stream(&b, k, sizes[i], round + i);
		}
		assert_int_equal(dbfs_kv_commit(&tx), 0);
	}
	reopen(&v);
	begin(v.db, &locking, &tx, &b);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(k, sizeof(k), "s%u", i);
		check_stream(&b, k, sizes[i], 1 + i);
	}
	assert_int_equal(dbfs_kv_get(&b, str("s6"), k, 3, &len), 0);
	assert_int_equal(len, 3000000);
	assert_int_equal((uint8_t)k[2], stream_byte(2, 7));
	assert_int_equal(dbfs_kv_cursor_open(&b, NULL, &c), 0);
	assert_int_equal(dbfs_kv_cursor_seek(&c, str("s6")), 0);
	assert_int_equal(dbfs_kv_cursor_size(&c, &len), 0);
	assert_int_equal(len, 3000000);
	assert_int_equal(dbfs_kv_cursor_value(&c, &got), -DBFS_E2BIG);
	dbfs_kv_cursor_close(&c);
	/* A short value through the same face. */
	assert_int_equal(dbfs_kv_stream_open(&b, str("short"), &s), 0);
	size_t done;
	assert_int_equal(dbfs_kv_stream_read(&s, 1, k, 16, &done), 0);
	assert_int_equal(done, 4);
	assert_memory_equal(k, "2345", 4);
	dbfs_kv_stream_close(&s);
	/* One that is dropped half-way leaves the old value. */
	assert_int_equal(dbfs_kv_stream_create(&b, str("s1"), &s), 0);
	assert_int_equal(dbfs_kv_stream_write(&s, "zzz", 3), 0);
	dbfs_kv_stream_close(&s);
	check_stream(&b, "s1", 1, 2);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(k, sizeof(k), "s%u", i);
		if (i % 2)
			assert_int_equal(dbfs_kv_delete(&b, str(k)), 0);
		else
			put(&b, k, "short now");
	}
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	assert_int_equal(free_blocks(&v), before);
	vol_end(&v);
}

static void rotten_streams_are_noticed(void **state)
{
	struct dbfs_kv_stream s;
	struct dbfs_kv_bucket b;
	struct dbfs_kv_tx tx;
	uint8_t buf[16];
	struct vol v;
	size_t done;

	(void)state;
	vol_make(&v, 1);
	begin(v.db, &locking, &tx, &b);
	write_stream(&b, "s", 4096, 0);
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	reopen(&v);
	static uint8_t block[4096];
	bool found = false;
	for (uint64_t at = 0; at < DISK_BYTES && !found; at += 4096) {
		sim_disk_peek(v.disk, at, block, sizeof(block));
		found = block[0] == stream_byte(0, 0) && block[1] == stream_byte(1, 0) &&
			block[4095] == stream_byte(4095, 0);
		if (found)
			sim_disk_rot(v.disk, at, 4096, 1);
	}
	assert_true(found);
	begin(v.db, &reading, &tx, &b);
	assert_int_equal(dbfs_kv_stream_open(&b, str("s"), &s), 0);
	assert_int_equal(dbfs_kv_stream_read(&s, 0, buf, sizeof(buf), &done), -DBFS_ECORRUPT);
	dbfs_kv_stream_close(&s);
	dbfs_kv_rollback(&tx);
	vol_end(&v);
}

/* --- Load, copy --------------------------------------------------------------------------- */

static void load(struct dbfs *db, unsigned n)
{
	static const struct dbfs_kv_bytes path[] = {{"t", 1}};
	struct dbfs_kv_load l;
	char k[32];

	assert_int_equal(dbfs_kv_load_begin(db, path, 1, 100, &l), 0);
	for (unsigned i = 0; i < n; i++) {
		snprintf(k, sizeof(k), "%08u", i);
		assert_int_equal(dbfs_kv_load_add(&l, str(k), str(k)), 0);
	}
	assert_int_equal(dbfs_kv_load_end(&l), 0);
}

static void bulk_load(void **state)
{
	static const struct dbfs_kv_bytes nowhere[] = {{"nowhere", 7}};
	struct dbfs_kv_bucket root;
	struct dbfs_kv_bucket t;
	struct dbfs_kv_load l;
	struct dbfs_kv_stats st;
	struct dbfs_stats before;
	struct dbfs_stats after;
	struct dbfs_kv_tx tx;
	struct vol v;

	(void)state;
	vol_make(&v, 1);
	assert_int_equal(dbfs_kv_load_begin(v.db, nowhere, 1, 0, &l), -DBFS_ENOENT);
	begin(v.db, &locking, &tx, &root);
	assert_int_equal(dbfs_kv_bucket_create(&root, str("t"), &t), 0);
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	dbfs_get_stats(v.db, &before);
	load(v.db, 5050);
	dbfs_get_stats(v.db, &after);
	assert_int_equal(after.commits - before.commits, 51);
	assert_int_equal(dbfs_kv_load_begin(v.db, NULL, 0, 0, &l), 0);
	assert_int_equal(dbfs_kv_load_add(&l, str(""), str("x")), -DBFS_EINVAL);
	assert_int_equal(dbfs_kv_load_add(&l, str("ok"), str("x")), -DBFS_EINVAL);
	assert_int_equal(dbfs_kv_load_end(&l), -DBFS_EINVAL);
	/* Durable without a close. */
	sim_disk_cut(v.disk);
	assert_int_not_equal(dbfs_close(v.db), 0);
	sim_disk_reboot(v.disk, NULL);
	assert_int_equal(dbfs_open(sim_disk_blk(v.disk), &quiet, &v.db), 0);
	begin(v.db, &reading, &tx, &root);
	expect(&root, "ok", NULL);
	assert_int_equal(dbfs_kv_bucket_open(&root, str("t"), &t), 0);
	assert_int_equal(dbfs_kv_bucket_stats(&t, &st), 0);
	assert_int_equal(st.keys, 5050);
	dbfs_kv_rollback(&tx);
	vol_end(&v);
}

static void check_copy(struct dbfs *db)
{
	struct dbfs_kv_bucket root;
	struct dbfs_kv_bucket t;
	struct dbfs_kv_stats st;
	struct dbfs_kv_tx tx;

	begin(db, &reading, &tx, &root);
	expect(&root, "later", NULL);
	expect_list(&root, "t,");
	assert_int_equal(dbfs_kv_bucket_open(&root, str("t"), &t), 0);
	assert_int_equal(dbfs_kv_bucket_stats(&t, &st), 0);
	assert_int_equal(st.keys, 3002);
	assert_int_equal(st.streams, 2);
	expect(&t, "00000017", "00000017");
	check_stream(&t, "s", 1000000, 3);
	dbfs_kv_rollback(&tx);
}

static void copies(void **state)
{
	struct dbfs_kv_bucket root;
	struct dbfs_kv_bucket t;
	struct sim_disk *small;
	struct dbfs_kv_tx tx;
	struct dbfs *copy;
	uint64_t size;
	struct vol v;

	(void)state;
	vol_make(&v, 1);
	begin(v.db, &locking, &tx, &root);
	assert_int_equal(dbfs_kv_bucket_create(&root, str("t"), &t), 0);
	write_stream(&t, "s", 1000000, 3);
	write_stream(&t, "s2", 70000, 4);
	write_stream(&root, "rs", 10000, 5);
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	load(v.db, 3000);
	assert_int_equal(dbfs_kv_copy_size(v.db, &size), 0);
	assert_true(size < DISK_BYTES);
	small = sim_disk_create("small", size, 2);
	assert_int_equal(dbfs_kv_copy(v.db, sim_disk_blk(small)), 0);
	begin(v.db, &locking, &tx, &root);
	put(&root, "later", "not in the copy");
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	assert_int_equal(dbfs_open(sim_disk_blk(small), &quiet, &copy), 0);
	check_copy(copy);
	/* It can be written: numbers go on where they stood. */
	begin(copy, &locking, &tx, &root);
	assert_int_equal(root.flags, KV_BUCKET_STREAMS);
	check_stream(&root, "rs", 10000, 5);
	assert_int_equal(dbfs_kv_bucket_create(&root, str("new"), &t), 0);
	expect(&t, "00000017", NULL);
	write_stream(&t, "s", 5000, 9);
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	begin(copy, &locking, &tx, &root);
	assert_int_equal(dbfs_kv_bucket_drop(&root, str("new")), 0);
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	check_copy(copy);
	assert_int_equal(dbfs_close(copy), 0);
	sim_disk_destroy(small);
	small = sim_disk_create("too small", 1u << 20, 3);
	assert_int_equal(dbfs_kv_copy(v.db, sim_disk_blk(small)), -DBFS_ENOSPC);
	sim_disk_destroy(small);
	vol_end(&v);
}

/* COPY-1: power fails anywhere in the copy: the target is refused, or whole. */
static void unfinished_copies_are_refused(void **state)
{
	struct sim_disk *to;
	struct dbfs_kv_bucket root;
	struct dbfs_kv_bucket t;
	struct dbfs_kv_tx tx;
	struct dbfs *copy;
	unsigned refused = 0;
	unsigned whole = 0;
	uint64_t total;
	struct vol v;

	(void)state;
	vol_make(&v, 1);
	begin(v.db, &locking, &tx, &root);
	assert_int_equal(dbfs_kv_bucket_create(&root, str("t"), &t), 0);
	write_stream(&t, "s", 1000000, 3);
	write_stream(&t, "s2", 70000, 4);
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	load(v.db, 3000);
	to = sim_disk_create("to", 16u << 20, 1);
	assert_int_equal(dbfs_kv_copy(v.db, sim_disk_blk(to)), 0);
	total = sim_disk_changes(to);
	sim_disk_destroy(to);
	for (uint64_t at = 1; at <= total; at += at + 12 > total ? 1 : 1 + total / 40) {
		int err;

		to = sim_disk_create("to", 16u << 20, at);
		sim_disk_cut_at(to, at);
		err = dbfs_kv_copy(v.db, sim_disk_blk(to));
		assert_int_not_equal(err, 0);
		sim_disk_reboot(to, NULL);
		err = dbfs_open(sim_disk_blk(to), &quiet, &copy);
		if (err == 0) {
			assert_int_equal(dbfs_kv_begin(copy, &reading, &tx), 0);
			err = dbfs_kv_root(&tx, &root);
			dbfs_kv_rollback(&tx);
			if (err == 0) {
				uint64_t len;

				begin(copy, &reading, &tx, &root);
				/* Before the first record it is an empty volume. */
				err = dbfs_kv_bucket_open(&root, str("t"), &t);
				if (!err)
					assert_int_equal(dbfs_kv_get(&t, str("s2"), NULL, 0, &len),
							 0);
				dbfs_kv_rollback(&tx);
				if (!err) {
					check_copy(copy);
					whole++;
				}
			} else {
				assert_int_equal(err, -DBFS_EFORMAT);
				refused++;
			}
			assert_int_equal(dbfs_close(copy), 0);
		}
		sim_disk_destroy(to);
	}
	assert_true(refused > 0 && whole > 0);
	vol_end(&v);
}

/* --- Bad volumes -------------------------------------------------------------------------- */

static void bad_volumes(void **state)
{
	struct dbfs_key vkey = {KV_BUCKET_CATALOG, 1, "v"};
	struct kv_volume_disk newer = {.version = le32_of(KV_VERSION + 1)};
	struct dbfs_kv_bucket root;
	struct sim_disk *d;
	struct dbfs_kv_tx tx;
	struct dbfs_tx *raw;
	struct dbfs *other;
	struct vol v;

	(void)state;
	vol_make(&v, 1);
	/* Opened twice. */
	assert_int_equal(dbfs_open(sim_disk_blk(v.disk), &quiet, &other), -DBFS_EBUSY);
	d = sim_disk_create("foreign", 1u << 20, 1);
	assert_int_equal(dbfs_open(sim_disk_blk(d), &quiet, &other), -DBFS_EFORMAT);
	sim_disk_destroy(d);
	/* Its buckets are newer than this program. */
	assert_int_equal(dbfs_tx_begin(v.db, &locking, &raw), 0);
	assert_int_equal(dbfs_txn_put(raw, vkey, (struct dbfs_val){&newer, sizeof(newer)}), 0);
	assert_int_equal(dbfs_tx_commit(raw), 0);
	assert_int_equal(dbfs_kv_begin(v.db, &locking, &tx), 0);
	assert_int_equal(dbfs_kv_root(&tx, &root), -DBFS_EFORMAT);
	assert_int_equal(dbfs_txn_put(dbfs_kv_raw(&tx), vkey, (struct dbfs_val){"x", 1}), 0);
	assert_int_equal(dbfs_kv_root(&tx, &root), -DBFS_ECORRUPT);
	dbfs_kv_rollback(&tx);
	vol_end(&v);
}

static void damaged_values(void **state)
{
	uint8_t odd[] = {7, 1, 2};
	struct kv_stream_disk lost = {KV_TAG_STREAM, le64_of(999), le64_of(5000)};
	struct dbfs_kv_bucket b;
	struct dbfs_kv_tx tx;
	struct vol v;
	char buf[8];
	uint64_t len;

	(void)state;
	vol_make(&v, 1);
	begin(v.db, &locking, &tx, &b);
	assert_int_equal(dbfs_txn_put(tx.tx, (struct dbfs_key){KV_BUCKET_ROOT, 1, "k"},
				      (struct dbfs_val){odd, sizeof(odd)}),
			 0);
	assert_int_equal(dbfs_txn_put(tx.tx, (struct dbfs_key){KV_BUCKET_ROOT, 1, "e"},
				      (struct dbfs_val){odd, 0}),
			 0);
	assert_int_equal(dbfs_txn_put(tx.tx, (struct dbfs_key){KV_BUCKET_ROOT, 1, "s"},
				      (struct dbfs_val){&lost, sizeof(lost)}),
			 0);
	assert_int_equal(dbfs_kv_get(&b, str("k"), buf, sizeof(buf), &len), -DBFS_ECORRUPT);
	assert_int_equal(dbfs_kv_get(&b, str("e"), buf, sizeof(buf), &len), -DBFS_ECORRUPT);
	assert_int_equal(dbfs_kv_get(&b, str("s"), buf, sizeof(buf), &len), -DBFS_ECORRUPT);
	assert_int_equal(dbfs_kv_exists(&b, str("k")), -DBFS_ECORRUPT);
	dbfs_kv_rollback(&tx);
	vol_end(&v);
}

/* A disk that fills up: every error is ENOSPC, deletes still work, and the space comes back. */
static void full_disk(void **state)
{
	static uint8_t value[60000];
	struct dbfs_kv_bucket b;
	struct dbfs_kv_tx tx;
	unsigned n = 0;
	struct vol v;
	char k[16];
	int err = 0;

	(void)state;
	vol_make(&v, 1);
	while (!err) {
		begin(v.db, &locking, &tx, &b);
		snprintf(k, sizeof(k), "%u", n);
		err = dbfs_kv_put(&b, str(k), (struct dbfs_kv_bytes){value, sizeof(value) - n});
		if (!err)
			err = dbfs_kv_commit(&tx);
		dbfs_kv_rollback(&tx);
		n += !err;
		assert_true(n < 1000);
	}
	assert_int_equal(err, -DBFS_ENOSPC);
	assert_true(n > 100);
	for (unsigned i = 0; i < n; i++) {
		begin(v.db, &locking, &tx, &b);
		snprintf(k, sizeof(k), "%u", i);
		assert_int_equal(dbfs_kv_exists(&b, str(k)), 0);
		assert_int_equal(dbfs_kv_delete(&b, str(k)), 0);
		assert_int_equal(dbfs_kv_commit(&tx), 0);
	}
	begin(v.db, &locking, &tx, &b);
	assert_int_equal(dbfs_kv_put(&b, str("new"), (struct dbfs_kv_bytes){value, sizeof(value)}),
			 0);
	assert_int_equal(dbfs_kv_commit(&tx), 0);
	vol_end(&v);
}

/* --- Failing allocations ------------------------------------------------------------------ */

static int do_everything(struct dbfs *db)
{
	static uint8_t big[100000];
	struct dbfs_kv_bucket root;
	struct dbfs_kv_bucket a;
	struct dbfs_kv_cursor c;
	struct dbfs_kv_tx tx;
	uint64_t len;
	int err = dbfs_kv_begin(db, &locking, &tx);

	if (err)
		return err;
	err = dbfs_kv_root(&tx, &root);
	if (!err)
		err = dbfs_kv_bucket_create(&root, str("a"), &a);
	if (!err)
		err = dbfs_kv_put(&a, str("k"), str("v"));
	if (!err)
		err = dbfs_kv_put(&a, str("big"), (struct dbfs_kv_bytes){big, sizeof(big)});
	if (!err)
		err = dbfs_kv_put(&a, str("big"), (struct dbfs_kv_bytes){big, 5000});
	if (!err)
		err = dbfs_kv_get(&a, str("big"), big, sizeof(big), &len);
	if (!err)
		err = dbfs_kv_cursor_open(&a, NULL, &c);
	if (!err)
		err = dbfs_kv_cursor_next(&c);
	if (!err)
		err = dbfs_kv_bucket_drop(&root, str("a"));
	if (!err)
		return dbfs_kv_commit(&tx);
	dbfs_kv_rollback(&tx);
	return err;
}

static void failing_allocations(void **state)
{
	struct vol v;
	int err = -DBFS_ENOMEM;

	(void)state;
	vol_make(&v, 1);
	for (uint64_t nth = 1; err; nth++) {
		struct dbfs_kv_bucket root;
		struct dbfs_kv_tx tx;

		sim_mem_fail_at(nth, false);
		err = do_everything(v.db);
		sim_mem_fail_at(0, false);
		assert_true(err == 0 || err == -DBFS_ENOMEM);
		begin(v.db, &reading, &tx, &root);
		expect_list(&root, "");
		dbfs_kv_rollback(&tx);
		assert_true(nth < 10000);
	}
	vol_end(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_and_values),
		cmocka_unit_test(wrong_sizes),
		cmocka_unit_test(ended_and_closed_handles),
		cmocka_unit_test(buckets),
		cmocka_unit_test(buckets_are_not_too_deep),
		cmocka_unit_test(drop_returns_space),
		cmocka_unit_test(drop_conflicts),
		cmocka_unit_test(cursors),
		cmocka_unit_test(streams),
		cmocka_unit_test(rotten_streams_are_noticed),
		cmocka_unit_test(bulk_load),
		cmocka_unit_test(copies),
		cmocka_unit_test(unfinished_copies_are_refused),
		cmocka_unit_test(bad_volumes),
		cmocka_unit_test(damaged_values),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(failing_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
