/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Bulk load: many puts in few transactions, one flush at the end. */
#include "base/mem.h"
#include "kv/kv_priv.h"

enum { BATCH_KEYS = 1000, BATCH_BYTES = 4 << 20 };

static int begin_batch(struct dbfs_kv_load *l)
{
	static const struct dbfs_tx_opts opts = {DBFS_TX_LOCKING, DBFS_NOSYNC, 0};
	int err = dbfs_kv_begin(l->db, &opts, &l->tx);

	if (err)
		return err;
	err = dbfs_kv_root(&l->tx, &l->bucket);
	for (unsigned i = 0; i < l->depth && !err; i++) {
		struct dbfs_kv_bucket parent = l->bucket;

		err = dbfs_kv_bucket_open(&parent, l->path[i], &l->bucket);
	}
	if (err)
		dbfs_kv_rollback(&l->tx);
	l->in_batch = 0;
	l->bytes = 0;
	return err;
}

int dbfs_kv_load_begin(struct dbfs *db, const struct dbfs_kv_bytes *path, unsigned depth,
		       uint32_t batch_keys, struct dbfs_kv_load *out)
{
	*out = (struct dbfs_kv_load){
		.db = db,
		.path = path,
		.depth = depth,
		.batch = batch_keys ? batch_keys : BATCH_KEYS,
	};
	out->err = begin_batch(out);
	return out->err;
}

int dbfs_kv_load_add(struct dbfs_kv_load *l, struct dbfs_kv_bytes key, struct dbfs_kv_bytes value)
{
	if (!l->db)
		return -DBFS_EBADF;
	if (l->err)
		return l->err;
	l->err = dbfs_kv_put(&l->bucket, key, value);
	if (l->err)
		return l->err;
	l->keys++;
	l->in_batch++;
	l->bytes += key.len + value.len;
	if (l->in_batch < l->batch && l->bytes < BATCH_BYTES)
		return 0;
	l->err = dbfs_kv_commit(&l->tx);
	if (!l->err)
		l->err = begin_batch(l);
	return l->err;
}

int dbfs_kv_load_end(struct dbfs_kv_load *l)
{
	int err = l->err;

	if (!l->db)
		return -DBFS_EBADF;
	if (err)
		dbfs_kv_rollback(&l->tx);
	else
		err = dbfs_kv_commit(&l->tx);
	if (!err)
		err = dbfs_sync(l->db);
	l->db = NULL;
	return err;
}
