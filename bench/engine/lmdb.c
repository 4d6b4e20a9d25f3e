/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* LMDB: one environment, one unnamed database. Without MDB_NOSYNC it is fully durable. */
#include <lmdb.h>
#include <string.h>

#include "engine.h"

static MDB_env *env;
static MDB_dbi dbi;

static void check(int err, const char *what)
{
	if (err)
		die("lmdb: %s: %s", what, mdb_strerror(err));
}

static bool has_loss(enum loss loss)
{
	return loss != LOSS_PROCESS;
}

static void open_store(const struct config *c)
{
	MDB_txn *tx;

	check(mdb_env_create(&env), "create");
	check(mdb_env_set_mapsize(env, (size_t)8 << 30), "map size");
	check(mdb_env_set_maxreaders(env, c->threads + 8), "readers");
	check(mdb_env_open(env, c->dir, MDB_NOTLS | (c->loss == LOSS_NONE ? 0 : MDB_NOSYNC), 0644),
	      "open");
	check(mdb_txn_begin(env, NULL, 0, &tx), "begin");
	check(mdb_dbi_open(tx, NULL, 0, &dbi), "database");
	check(mdb_txn_commit(tx), "commit");
}

static void close_store(void)
{
	check(mdb_env_sync(env, 1), "sync");
	mdb_env_close(env);
}

/* A read transaction that is renewed for each get, which is how LMDB is meant to be used. */
static void *thread_begin(void)
{
	MDB_txn *tx;

	check(mdb_txn_begin(env, NULL, MDB_RDONLY, &tx), "begin");
	mdb_txn_reset(tx);
	return tx;
}

static void thread_end(void *t)
{
	mdb_txn_abort(t);
}

static void put_many(void *t, const uint8_t *keys, const uint8_t *values, unsigned n)
{
	MDB_txn *tx;

	(void)t;
	check(mdb_txn_begin(env, NULL, 0, &tx), "begin");
	for (unsigned i = 0; i < n; i++) {
		MDB_val k = {KEY_BYTES, (void *)(uintptr_t)(keys + (size_t)i * KEY_BYTES)};
		MDB_val v = {VALUE_BYTES, (void *)(uintptr_t)(values + (size_t)i * VALUE_BYTES)};

		check(mdb_put(tx, dbi, &k, &v, 0), "put");
	}
	check(mdb_txn_commit(tx), "commit");
}

static void put(void *t, const void *key, const void *value)
{
	put_many(t, key, value, 1);
}

static bool get(void *t, const void *key, void *value)
{
	MDB_val k = {KEY_BYTES, (void *)(uintptr_t)key};
	MDB_val v;
	int err;

	check(mdb_txn_renew(t), "renew");
	err = mdb_get(t, dbi, &k, &v);
	if (err && err != MDB_NOTFOUND)
		check(err, "get");
	if (!err)
		memcpy(value, v.mv_data, VALUE_BYTES);
	mdb_txn_reset(t);
	return !err;
}

static uint64_t scan(void *t)
{
	uint8_t copy[VALUE_BYTES];
	MDB_cursor *c;
	MDB_val k;
	MDB_val v;
	uint64_t n = 0;

	check(mdb_txn_renew(t), "renew");
	check(mdb_cursor_open(t, dbi, &c), "cursor");
	while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
		memcpy(copy, v.mv_data, v.mv_size < sizeof(copy) ? v.mv_size : sizeof(copy));
		n++;
	}
	mdb_cursor_close(c);
	mdb_txn_reset(t);
	return n;
}

const struct store store_lmdb = {
	.name = "lmdb",
	.has_loss = has_loss,
	.open = open_store,
	.close = close_store,
	.thread_begin = thread_begin,
	.thread_end = thread_end,
	.put = put,
	.get = get,
	.put_many = put_many,
	.scan = scan,
};
