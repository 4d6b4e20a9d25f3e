/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The key-value face against sorted arrays: random operations, transactions and reopenings on the simulated disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dbfs/kv.h"
#include "sim/disk.h"
#include "sim/sim.h"

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

/* --- Random operations against sorted arrays ---------------------------------------------- */

enum { KEYS = 200, BUCKETS = 3 };

struct model {
	bool there[BUCKETS];
	char *val[BUCKETS][KEYS]; /* NULL: absent */
	size_t len[BUCKETS][KEYS];
};

static size_t model_key(char *buf, unsigned i)
{
	/* In the order of i, of many lengths. */
	return (size_t)snprintf(buf, 64, "%04u%.*s", i, (int)(i * 7 % 40),
				"a tail of some length, and then some more");
}

static void bucket_name(char *buf, unsigned i)
{
	snprintf(buf, 16, "bucket%u", i);
}

static void model_forget(struct model *m, unsigned b)
{
	for (unsigned i = 0; i < KEYS; i++) {
		free(m->val[b][i]);
		m->val[b][i] = NULL;
	}
}

static void check_value(struct dbfs_kv_bucket *b, struct dbfs_kv_cursor *c, const char *val,
			size_t len)
{
	static uint8_t buf[200000];
	struct dbfs_kv_bytes key;
	struct dbfs_kv_bytes got;
	uint64_t n;

	assert_int_equal(dbfs_kv_cursor_size(c, &n), 0);
	assert_int_equal(n, len);
	assert_int_equal(dbfs_kv_cursor_key(c, &key), 0);
	if (len <= DBFS_KV_INLINE_MAX) {
		assert_int_equal(dbfs_kv_cursor_value(c, &got), 0);
		assert_int_equal(got.len, len);
		assert_memory_equal(got.p, val, len);
	} else {
		assert_int_equal(dbfs_kv_get(b, key, buf, sizeof(buf), &n), 0);
		assert_memory_equal(buf, val, len);
	}
}

/* Keys lo to hi - 1 of the model are what a cursor over that range sees, in this direction. */
static void check_range(struct dbfs_kv_bucket *b, const struct model *m, unsigned bi, unsigned lo,
			unsigned hi, bool forward)
{
	struct dbfs_kv_range range = {{NULL, 0}, {NULL, 0}};
	struct dbfs_kv_cursor c;
	char lo_key[64];
	char hi_key[64];

	range.lo = (struct dbfs_kv_bytes){lo_key, lo ? model_key(lo_key, lo) : 0};
	range.hi = (struct dbfs_kv_bytes){hi_key, hi < KEYS ? model_key(hi_key, hi) : 0};
	assert_int_equal(dbfs_kv_cursor_open(b, &range, &c), 0);
	for (unsigned i = lo; i < hi; i++) {
		unsigned n = forward ? i : hi - 1 - (i - lo);
		struct dbfs_kv_bytes got;
		char k[64];

		if (!m->val[bi][n])
			continue;
		assert_int_equal(forward ? dbfs_kv_cursor_next(&c) : dbfs_kv_cursor_prev(&c), 0);
		assert_int_equal(dbfs_kv_cursor_key(&c, &got), 0);
		assert_int_equal(got.len, model_key(k, n));
		assert_memory_equal(got.p, k, got.len);
		check_value(b, &c, m->val[bi][n], m->len[bi][n]);
	}
	assert_int_equal(forward ? dbfs_kv_cursor_next(&c) : dbfs_kv_cursor_prev(&c), -DBFS_ENOENT);
	dbfs_kv_cursor_close(&c);
}

static void model_check(struct dbfs_kv_bucket *root, const struct model *m, struct sim_prng *r)
{
	for (unsigned i = 0; i < BUCKETS; i++) {
		struct dbfs_kv_bucket b;
		unsigned lo = (unsigned)sim_prng_below(r, KEYS);
		char name[16];
		int err;

		bucket_name(name, i);
		err = dbfs_kv_bucket_open(root, str(name), &b);
		assert_int_equal(err, m->there[i] ? 0 : -DBFS_ENOENT);
		if (err)
			continue;
		check_range(&b, m, i, 0, KEYS, true);
		check_range(&b, m, i, 0, KEYS, false);
		check_range(&b, m, i, lo, lo + (unsigned)sim_prng_below(r, KEYS - lo), true);
		check_range(&b, m, i, lo, KEYS, false);
	}
}

static size_t random_len(struct sim_prng *r)
{
	if (sim_prng_chance(r, 1, 40))
		return sim_prng_range(r, DBFS_KV_INLINE_MAX - 3, DBFS_KV_INLINE_MAX + 3);
	if (sim_prng_chance(r, 1, 60))
		return sim_prng_below(r, 200000);
	return sim_prng_below(r, sim_prng_chance(r, 1, 9) ? 3000 : 300);
}

static void model_step(struct dbfs_kv_bucket *root, struct model *m, struct sim_prng *r)
{
	unsigned i = (unsigned)sim_prng_below(r, BUCKETS);
	unsigned n = (unsigned)sim_prng_below(r, KEYS);
	struct dbfs_kv_bucket b;
	char name[16];
	char k[64];
	struct dbfs_kv_bytes key = {k, model_key(k, n)};

	bucket_name(name, i);
	if (!m->there[i]) {
		assert_int_equal(dbfs_kv_bucket_create(root, str(name), &b), 0);
		m->there[i] = true;
	} else if (sim_prng_chance(r, 1, 300)) {
		assert_int_equal(dbfs_kv_bucket_drop(root, str(name)), 0);
		model_forget(m, i);
		m->there[i] = false;
		return;
	}
	assert_int_equal(dbfs_kv_bucket_open(root, str(name), &b), 0);
	free(m->val[i][n]);
	m->val[i][n] = NULL;
	if (sim_prng_chance(r, 1, 3)) {
		assert_int_equal(dbfs_kv_delete(&b, key), 0);
		return;
	}
	m->len[i][n] = random_len(r);
	m->val[i][n] = malloc(m->len[i][n] + 1);
	sim_prng_fill(r, m->val[i][n], m->len[i][n]);
	assert_int_equal(dbfs_kv_put(&b, key, (struct dbfs_kv_bytes){m->val[i][n], m->len[i][n]}),
			 0);
}

static void random_against_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		static struct model m;
		struct sim_prng r = sim_prng_of(seed);
		struct dbfs_kv_bucket root;
		struct dbfs_kv_tx tx;
		struct vol v;

		vol_make(&v, seed);
		for (unsigned round = 0; round < 40; round++) {
			uint64_t n = sim_prng_range(&r, 1, round < 5 ? 150 : 20);

			begin(v.db, sim_prng_chance(&r, 1, 2) ? &locking : &optimistic, &tx, &root);
			while (n-- > 0)
				model_step(&root, &m, &r);
			if (round % 7 == 0)
				model_check(&root, &m, &r);
			assert_int_equal(dbfs_kv_commit(&tx), 0);
			if (sim_prng_chance(&r, 1, 5))
				assert_int_equal(dbfs_checkpoint(v.db), 0);
			if (sim_prng_chance(&r, 1, 9))
				reopen(&v);
			begin(v.db, &reading, &tx, &root);
			model_check(&root, &m, &r);
			dbfs_kv_rollback(&tx);
		}
		vol_end(&v);
		for (unsigned i = 0; i < BUCKETS; i++)
			model_forget(&m, i);
		memset(&m, 0, sizeof(m));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_against_model)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
