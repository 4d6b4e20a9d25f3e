/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Transactions of the key-value face: one of the engine, and the handles that end with it. */
#include <stdatomic.h>

#include "kv/kv_priv.h"
#include "port/mem.h"

/* Relaxed: only uniqueness (KV-1). */
static _Atomic(uint64_t) dbfs_kv_serials = 1;

int dbfs_kv_begin(struct dbfs *db, const struct dbfs_tx_opts *opts, struct dbfs_kv_tx *tx)
{
	*tx = (struct dbfs_kv_tx){0};
	list_init(&tx->cursors);
	tx->serial = atomic_fetch_add_explicit(&dbfs_kv_serials, 1, memory_order_relaxed);
	return dbfs_tx_begin(db, opts, &tx->tx);
}

/* Closes what hangs on the transaction, which is then the engine's alone. */
static struct dbfs_tx *detach(struct dbfs_kv_tx *tx)
{
	struct dbfs_tx *inner = tx->tx;

	while (!list_empty(&tx->cursors))
		dbfs_kv_open_close(list_first(&tx->cursors, struct kv_open, link));
	port_free(tx->scratch);
	tx->scratch = NULL;
	tx->scratch_len = 0;
	tx->tx = NULL;
	return inner;
}

int dbfs_kv_commit(struct dbfs_kv_tx *tx)
{
	struct dbfs *db;
	int err = dbfs_kv_tx_ok(tx);

	if (err)
		return err;
	if (tx->streams > 0) {
		dbfs_kv_rollback(tx);
		return -DBFS_EBUSY;
	}
	db = dbfs_tx_volume(tx->tx);
	err = dbfs_tx_commit(detach(tx));
	if (!err && tx->dropped) {
		uint64_t removed;

		/* The commit stands whatever becomes of this; the next drop goes on with it. */
		int rest = dbfs_kv_reclaim(db, &removed);

		(void)rest;
	}
	return err;
}

void dbfs_kv_rollback(struct dbfs_kv_tx *tx)
{
	if (dbfs_kv_tx_ok(tx) == 0)
		dbfs_tx_rollback(detach(tx));
}

struct dbfs_tx *dbfs_kv_raw(struct dbfs_kv_tx *tx)
{
	return tx->tx;
}

static int attempt(struct dbfs *db, const struct dbfs_tx_opts *opts,
		   int (*fn)(struct dbfs_kv_tx *tx, void *arg), void *arg, uint64_t *age)
{
	struct dbfs_kv_tx tx;
	int err = dbfs_kv_begin(db, opts, &tx);

	if (err)
		return err;
	*age = dbfs_tx_age(tx.tx);
	err = fn(&tx, arg);
	if (err) {
		dbfs_kv_rollback(&tx);
		return err;
	}
	return dbfs_kv_commit(&tx);
}

int dbfs_kv_run(struct dbfs *db, const struct dbfs_tx_opts *opts,
		int (*fn)(struct dbfs_kv_tx *tx, void *arg), void *arg)
{
	enum { ATTEMPTS = 64, LOCKING_FROM = 8 };
	struct dbfs_tx_opts o = *opts;
	int err = 0;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		if (i >= LOCKING_FROM && o.mode == DBFS_TX_OPTIMISTIC)
			o.mode = DBFS_TX_LOCKING;
		err = attempt(db, &o, fn, arg, &o.age);
		if (err != -DBFS_ECONFLICT && err != -DBFS_EDEADLK)
			return err;
	}
	return err;
}

uint8_t *dbfs_kv_scratch(struct dbfs_kv_tx *tx, size_t len)
{
	if (tx->scratch_len < len) {
		port_free(tx->scratch);
		tx->scratch = port_alloc(len);
		tx->scratch_len = tx->scratch ? len : 0;
	}
	return tx->scratch;
}

int dbfs_kv_tx_ok(const struct dbfs_kv_tx *tx)
{
	if (tx->serial == 0)
		return -DBFS_EBADF;
	return tx->tx ? 0 : -DBFS_ESTALE;
}

int dbfs_kv_bucket_ok(struct dbfs_kv_bucket *b)
{
	if (!b->tx)
		return -DBFS_EBADF;
	if (!b->tx->tx || b->serial != b->tx->serial) /* KV-1 */
		return -DBFS_ESTALE;
	if (b->changes != b->tx->changes)
		return dbfs_kv_bucket_renew(b);
	return 0;
}

int dbfs_kv_key_ok(struct dbfs_kv_bytes key)
{
	if (key.len == 0)
		return -DBFS_EINVAL;
	return key.len > DBFS_KV_KEY_MAX ? -DBFS_E2BIG : 0;
}
