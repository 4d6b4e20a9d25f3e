/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Berkeley DB: a B-tree in a transactional environment, deadlocks found by its detector at each wait. */
#include <db.h>
#include <errno.h>
#include <string.h>

#include "engine.h"

static DB_ENV *env;
static DB *db;
static uint32_t commit_flags;

static void check(int err, const char *what)
{
	if (err)
		die("bdb: %s: %s", what, db_strerror(err));
}

static bool has_loss(enum loss loss)
{
	(void)loss;
	return true;
}

static void open_store(const struct config *c)
{
	commit_flags = c->loss == LOSS_NONE    ? DB_TXN_SYNC
		       : c->loss == LOSS_POWER ? DB_TXN_WRITE_NOSYNC
					       : DB_TXN_NOSYNC;
	check(db_env_create(&env, 0), "create");
	check(env->set_cachesize(env, (uint32_t)(c->cache >> 30),
				 (uint32_t)(c->cache & ((1u << 30) - 1)), 1),
	      "cache");
	check(env->set_lk_detect(env, DB_LOCK_DEFAULT), "detector");
	check(env->set_lk_max_locks(env, 200000), "locks");
	check(env->set_lk_max_objects(env, 200000), "objects");
	check(env->set_lk_max_lockers(env, 20000), "lockers");
	check(env->set_tx_max(env, c->threads + 100), "transactions");
	check(env->set_lg_bsize(env, 8 << 20), "log buffer");
	check(env->set_lg_max(env, 64 << 20), "log file");
	check(env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1), "log");
	check(env->open(env, c->dir,
			DB_CREATE | DB_INIT_LOCK | DB_INIT_LOG | DB_INIT_MPOOL | DB_INIT_TXN |
				DB_THREAD | DB_PRIVATE | DB_RECOVER,
			0644),
	      "environment");
	check(db_create(&db, env, 0), "create");
	check(db->open(db, NULL, "kv.db", NULL, DB_BTREE, DB_CREATE | DB_AUTO_COMMIT | DB_THREAD,
		       0644),
	      "open");
}

static void close_store(void)
{
	check(db->close(db, 0), "close");
	check(env->txn_checkpoint(env, 0, 0, DB_FORCE), "checkpoint");
	check(env->close(env, 0), "close");
}

static void *thread_begin(void)
{
	return NULL;
}

static void thread_end(void *t)
{
	(void)t;
}

static DBT dbt(const void *p, uint32_t len)
{
	DBT d;

	memset(&d, 0, sizeof(d));
	d.data = (void *)(uintptr_t)p;
	d.size = len;
	d.ulen = len;
	d.flags = DB_DBT_USERMEM;
	return d;
}

static int put_once(const uint8_t *keys, const uint8_t *values, unsigned n)
{
	DB_TXN *tx;
	int err = 0;

	check(env->txn_begin(env, NULL, &tx, 0), "begin");
	for (unsigned i = 0; i < n && !err; i++) {
		DBT k = dbt(keys + (size_t)i * KEY_BYTES, KEY_BYTES);
		DBT v = dbt(values + (size_t)i * VALUE_BYTES, VALUE_BYTES);

		err = db->put(db, tx, &k, &v, 0);
	}
	if (err) {
		check(tx->abort(tx), "abort");
		return err;
	}
	return tx->commit(tx, commit_flags);
}

static void put_many(void *t, const uint8_t *keys, const uint8_t *values, unsigned n)
{
	int err;

	(void)t;
	do {
		err = put_once(keys, values, n);
	} while (err == DB_LOCK_DEADLOCK);
	check(err, "put");
}

static void put(void *t, const void *key, const void *value)
{
	put_many(t, key, value, 1);
}

static bool get(void *t, const void *key, void *value)
{
	DBT k = dbt(key, KEY_BYTES);
	DBT v = dbt(value, VALUE_BYTES);
	DB_TXN *tx;
	int err;

	(void)t;
	check(env->txn_begin(env, NULL, &tx, 0), "begin");
	err = db->get(db, tx, &k, &v, 0);
	if (err && err != DB_NOTFOUND)
		check(err, "get");
	check(tx->commit(tx, 0), "commit");
	return !err;
}

static uint64_t scan(void *t)
{
	uint8_t key[KEY_BYTES];
	uint8_t value[VALUE_BYTES];
	DBT k = dbt(key, sizeof(key));
	DBT v = dbt(value, sizeof(value));
	uint64_t n = 0;
	DBC *c;

	(void)t;
	check(db->cursor(db, NULL, &c, 0), "cursor");
	while (c->get(c, &k, &v, DB_NEXT) == 0)
		n++;
	check(c->close(c), "close");
	return n;
}

static int add_once(const uint8_t *keys, const int64_t *delta, unsigned n)
{
	DB_TXN *tx;
	int err = 0;

	check(env->txn_begin(env, NULL, &tx, 0), "begin");
	for (unsigned i = 0; i < n && !err; i++) {
		int64_t sum = 0;
		DBT k = dbt(keys + (size_t)i * KEY_BYTES, KEY_BYTES);
		DBT v = dbt(&sum, sizeof(sum));

		err = db->get(db, tx, &k, &v, DB_RMW);
		if (err == DB_NOTFOUND)
			err = 0;
		sum += delta[i];
		if (!err)
			err = db->put(db, tx, &k, &v, 0);
	}
	if (err) {
		check(tx->abort(tx), "abort");
		return err;
	}
	return tx->commit(tx, commit_flags);
}

static unsigned add(void *t, const uint8_t *keys, const int64_t *delta, unsigned n)
{
	unsigned again = 0;
	int err;

	(void)t;
	while ((err = add_once(keys, delta, n)) == DB_LOCK_DEADLOCK)
		again++;
	check(err, "add");
	return again;
}

const struct store store_bdb = {
	.name = "bdb",
	.has_loss = has_loss,
	.open = open_store,
	.close = close_store,
	.thread_begin = thread_begin,
	.thread_end = thread_end,
	.put = put,
	.get = get,
	.put_many = put_many,
	.scan = scan,
	.add = add,
};
