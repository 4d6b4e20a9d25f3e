/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The life of a transaction:
 *
 *   begin --> running --+--> commit (commit.c) --> ended
 *			 +--> rollback ------------> ended
 *
 * TXN-1  A running transaction is on dbfs.txs and has a snapshot; ending it frees everything that it has,
 *	  on every path.
 * TXN-2  Nothing of it is visible to others before its commit point; nothing of it reaches the log
 *	  before either. Data blocks it wrote lie in space that is free on disk.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "port/mem.h"
#include "txn/txn_priv.h"

int dbfs_tx_begin(struct dbfs *db, const struct dbfs_tx_opts *opts, struct dbfs_tx **out)
{
	struct dbfs_tx *tx;
	int err;

	if (opts->mode != DBFS_TX_READ_ONLY && dbfs_is_read_only(db))
		return -DBFS_EROFS;
	tx = port_alloc_zeroed(sizeof(*tx));
	if (!tx)
		return -DBFS_ENOMEM;
	tx->db = db;
	tx->mode = opts->mode;
	tx->durability = opts->durability;
	list_init(&tx->link);
	list_init(&tx->opt_link);
	list_init(&tx->data);
	list_init(&tx->written);
	list_init(&tx->cursors);
	if (tx->mode == DBFS_TX_LOCKING) {
		err = dbfs_writer_lock(&db->writer, true);
		if (err) {
			port_free(tx);
			return err;
		}
		tx->has_writer = true;
	}
	tx->id = atomic_fetch_add_explicit(&db->next_tx, 1, memory_order_relaxed);
	tx->age = opts->age ? opts->age : tx->id;
	/* First on the list: who sees it is alone may then rely on that (drop_unwritten). */
	port_mutex_lock(&db->versions);
	list_add_tail(&db->txs, &tx->link);
	port_mutex_unlock(&db->versions);
	dbfs_snap_take(tx);
	*out = tx;
	return 0;
}

void dbfs_tx_end(struct dbfs_tx *tx)
{
	struct dbfs *db = tx->db;

	DBFS_ASSERT(list_empty(&tx->cursors)); /* closed before the transaction ends */
	dbfs_tx_data_drop_all(tx);
	dbfs_tx_undo_free(tx);
	dbfs_layer_destroy(tx->wset);
	dbfs_tx_track_free(tx);
	dbfs_space_unpromise(db->space, tx->promise);
	if (tx->has_writer)
		dbfs_writer_unlock(&db->writer);
	dbfs_snap_drop(tx);
	port_mutex_lock(&db->versions);
	list_del(&tx->link);
	port_mutex_unlock(&db->versions);
	port_free(tx);
}

void dbfs_tx_rollback(struct dbfs_tx *tx)
{
	dbfs_tx_end(tx);
}

struct dbfs *dbfs_tx_volume(const struct dbfs_tx *tx)
{
	return tx->db;
}

bool dbfs_tx_is_read_only(const struct dbfs_tx *tx)
{
	return tx->mode == DBFS_TX_READ_ONLY;
}

uint64_t dbfs_tx_age(const struct dbfs_tx *tx)
{
	return tx->age;
}

static int attempt(struct dbfs *db, const struct dbfs_tx_opts *opts,
		   int (*fn)(struct dbfs_tx *tx, void *arg), void *arg, uint64_t *age)
{
	struct dbfs_tx *tx;
	int err = dbfs_tx_begin(db, opts, &tx);

	if (err)
		return err;
	*age = tx->age;
	err = fn(tx, arg);
	if (err) {
		dbfs_tx_rollback(tx);
		return err;
	}
	return dbfs_tx_commit(tx);
}

int dbfs_tx_run(struct dbfs *db, const struct dbfs_tx_opts *opts,
		int (*fn)(struct dbfs_tx *tx, void *arg), void *arg)
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

int dbfs_txn_new_id(struct dbfs_tx *tx, uint64_t *out)
{
	if (tx->mode == DBFS_TX_READ_ONLY)
		return -DBFS_EROFS;
	*out = atomic_fetch_add_explicit(&tx->db->next_id, 1, memory_order_relaxed);
	return 0;
}
