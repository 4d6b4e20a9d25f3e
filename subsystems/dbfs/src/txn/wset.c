/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * What a transaction has written: a private layer in which "timestamps" count operations. Undo
 * (savepoints) pops versions in reverse order. A value that is written again with the same length
 * and no savepoint between is overwritten in place, so that a growing file's inode costs one version.
 *
 * WSET-1  The undo list names every version of wset (but those overwritten in place) in order.
 * WSET-2  A MERGE version holds the sum of all merges since the version below it.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "port/mem.h"
#include "txn/txn_priv.h"

int dbfs_fullkey(struct dbfs_key key, struct fullkey *out)
{
	if (key.len > DBFS_KEY_MAX)
		return -DBFS_E2BIG;
	be32_store(out->p, key.bucket);
	if (key.len)
		memcpy(out->p + 4, key.p, key.len);
	out->len = key.len + 4;
	return 0;
}

int dbfs_tx_undo_push(struct dbfs_tx *tx, struct dbfs_node *node, uint64_t block, uint64_t count)
{
	struct undo_chunk *c = tx->undo;

	if (!c || c->n == UNDO_PER_CHUNK) {
		c = port_alloc(sizeof(*c));
		if (!c)
			return -DBFS_ENOMEM;
		c->n = 0;
		c->prev = tx->undo;
		tx->undo = c;
	}
	c->v[c->n++] = (struct undo){tx->seq, node, block, count};
	return 0;
}

void dbfs_tx_undo_free(struct dbfs_tx *tx)
{
	while (tx->undo) {
		struct undo_chunk *prev = tx->undo->prev;

		port_free(tx->undo);
		tx->undo = prev;
	}
}

/* Room for one more step, so that the push after the change cannot fail. */
static int reserve_undo(struct dbfs_tx *tx)
{
	struct undo_chunk *c = tx->undo;

	if (c && c->n < UNDO_PER_CHUNK)
		return 0;
	c = port_alloc(sizeof(*c));
	if (!c)
		return -DBFS_ENOMEM;
	c->n = 0;
	c->prev = tx->undo;
	tx->undo = c;
	return 0;
}

static int promise(struct dbfs_tx *tx, uint64_t bytes, bool new_key)
{
	struct dbfs_promise p = {new_key, bytes + 32};
	int err = dbfs_space_promise(tx->db->space, p, dbfs_tx_space_class(tx));

	if (err == -DBFS_ENOSPC && dbfs_tx_reclaim(tx))
		err = dbfs_space_promise(tx->db->space, p, dbfs_tx_space_class(tx));
	if (err)
		return err;
	tx->promise.keys += p.keys;
	tx->promise.bytes += p.bytes;
	return 0;
}

/* A version of the same size that no savepoint protects is written over. */
static bool overwrite(struct dbfs_tx *tx, const struct dbfs_node *n, enum dbfs_version_kind kind,
		      struct dbfs_val val)
{
	struct dbfs_version *v = n ? dbfs_node_head(n) : NULL;

	if (!v || v->ts <= tx->mark || v->kind != (uint32_t)kind || v->len != val.len)
		return false;
	if (val.len)
		memcpy(v->data, val.p, val.len);
	tx->seq++; /* cursors look again */
	return true;
}

int dbfs_tx_write(struct dbfs_tx *tx, struct dbfs_key key, enum dbfs_version_kind kind,
		  struct dbfs_val val)
{
	struct fullkey k;
	struct dbfs_node *n;
	struct dbfs_version *v;
	size_t cost;
	int err = dbfs_fullkey(key, &k);

	if (err)
		return err;
	if (tx->mode == DBFS_TX_READ_ONLY)
		return -DBFS_EROFS;
	if (val.len > DBFS_VALUE_MAX)
		return -DBFS_E2BIG;
	if (!tx->wset)
		tx->wset = dbfs_layer_create();
	if (!tx->wset)
		return -DBFS_ENOMEM;
	n = dbfs_layer_find(tx->wset, fullkey_bytes(&k));
	if (overwrite(tx, n, kind, val))
		return 0;
	cost = dbfs_layer_cost(k.len, val.len);
	err = promise(tx, k.len + val.len, !n);
	if (!err)
		err = dbfs_layer_reserve(tx->wset, cost, cost);
	if (!err)
		err = reserve_undo(tx);
	if (err)
		return err;
	v = dbfs_layer_version_nofail(tx->wset, (uint32_t)val.len);
	v->ts = ++tx->seq;
	v->kind = (uint32_t)kind;
	if (val.len)
		memcpy(v->data, val.p, val.len);
	n = dbfs_layer_add_nofail(tx->wset, fullkey_bytes(&k), v);
	err = dbfs_tx_undo_push(tx, n, 0, 0); /* WSET-1 */
	DBFS_ASSERT(!err);                    /* reserved */
	return 0;
}

struct dbfs_savepoint dbfs_tx_savepoint(struct dbfs_tx *tx)
{
	tx->mark = tx->seq;
	return (struct dbfs_savepoint){tx->seq};
}

void dbfs_tx_rollback_to(struct dbfs_tx *tx, struct dbfs_savepoint sp)
{
	struct undo_chunk *c = tx->undo;

	while (c) {
		struct undo *u;

		if (c->n == 0) {
			if (!c->prev)
				break;
			tx->undo = c->prev;
			port_free(c);
			c = tx->undo;
			continue;
		}
		u = &c->v[c->n - 1];
		if (u->seq <= sp.pos)
			break;
		if (u->node)
			dbfs_layer_pop(tx->wset, u->node);
		else
			tx->nfrees--;
		c->n--;
	}
	dbfs_tx_data_undo(tx, sp.pos);
	tx->seq++; /* cursors look again; numbers never come twice */
	tx->mark = tx->seq;
}

/* --- Reading through own writes ------------------------------------------------------------------ */

static const struct dbfs_version *own(const struct dbfs_tx *tx, struct dbfs_bytes key)
{
	const struct dbfs_node *n = tx->wset ? dbfs_layer_find(tx->wset, key) : NULL;

	return n ? dbfs_node_head(n) : NULL;
}

int dbfs_txn_get(struct dbfs_tx *tx, struct dbfs_key key, void *buf, size_t cap, size_t *len,
		 unsigned flags)
{
	const struct dbfs_version *v;
	struct dbfs_disk_counters d;
	struct dbfs_counters c;
	struct fullkey k;
	int err = dbfs_fullkey(key, &k);

	if (err)
		return err;
	v = own(tx, fullkey_bytes(&k));
	if (v && v->kind == DBFS_VERSION_MERGE) {
		err = dbfs_tx_counters(tx, fullkey_bytes(&k), &c);
		if (err)
			return err;
		dbfs_counters_encode(&c, &d);
		memcpy(buf, &d, MIN(cap, sizeof(d)));
		*len = sizeof(d);
		return 0;
	}
	if (v && v->kind == DBFS_VERSION_DELETE)
		return -DBFS_ENOENT;
	if (v) {
		if (v->len && cap)
			memcpy(buf, v->data, MIN(cap, v->len));
		*len = v->len;
		return 0;
	}
	if (tx->mode == DBFS_TX_OPTIMISTIC && !(flags & DBFS_READ_UNTRACKED)) {
		err = dbfs_tx_track_key(tx, fullkey_bytes(&k));
		if (err)
			return err;
	}
	return dbfs_set_get(tx->db, (struct view){tx->set, tx->ts}, fullkey_bytes(&k), buf, cap,
			    len);
}

int dbfs_txn_put(struct dbfs_tx *tx, struct dbfs_key key, struct dbfs_val val)
{
	return dbfs_tx_write(tx, key, DBFS_VERSION_PUT, val);
}

int dbfs_txn_delete(struct dbfs_tx *tx, struct dbfs_key key)
{
	return dbfs_tx_write(tx, key, DBFS_VERSION_DELETE, (struct dbfs_val){NULL, 0});
}

/* --- Counters -------------------------------------------------------------------------------------- */

static void raise_time(int64_t *sec, uint32_t *nsec, int64_t to_sec, uint32_t to_nsec)
{
	if (to_sec < *sec || (to_sec == *sec && to_nsec <= *nsec))
		return;
	*sec = to_sec;
	*nsec = to_nsec;
}

void dbfs_counters_add(struct dbfs_counters *to, const struct dbfs_counters *delta)
{
	raise_time(&to->mtime_sec, &to->mtime_nsec, delta->mtime_sec, delta->mtime_nsec);
	raise_time(&to->ctime_sec, &to->ctime_nsec, delta->ctime_sec, delta->ctime_nsec);
	to->links = (int64_t)((uint64_t)to->links + (uint64_t)delta->links);
	to->entries = (int64_t)((uint64_t)to->entries + (uint64_t)delta->entries);
}

/* What a get of a counters key answered, as counters; missing counts as zeros. */
int dbfs_counters_of(int err, const uint8_t *buf, size_t len, struct dbfs_counters *out)
{
	const struct dbfs_disk_counters *d = (const void *)buf;

	memset(out, 0, sizeof(*out));
	if (err == -DBFS_ENOENT)
		return 0;
	if (err)
		return err;
	if (len != sizeof(*d))
		return -DBFS_ECORRUPT;
	out->mtime_sec = (int64_t)le64_get(d->mtime_sec);
	out->ctime_sec = (int64_t)le64_get(d->ctime_sec);
	out->mtime_nsec = le32_get(d->mtime_nsec);
	out->ctime_nsec = le32_get(d->ctime_nsec);
	out->links = (int64_t)le64_get(d->links);
	out->entries = (int64_t)le64_get(d->entries);
	return 0;
}

void dbfs_counters_encode(const struct dbfs_counters *c, struct dbfs_disk_counters *out)
{
	out->mtime_sec = le64_of((uint64_t)c->mtime_sec);
	out->ctime_sec = le64_of((uint64_t)c->ctime_sec);
	out->mtime_nsec = le32_of(c->mtime_nsec);
	out->ctime_nsec = le32_of(c->ctime_nsec);
	out->links = le64_of((uint64_t)c->links);
	out->entries = le64_of((uint64_t)c->entries);
}

int dbfs_tx_counters(struct dbfs_tx *tx, struct dbfs_bytes key, struct dbfs_counters *out)
{
	const struct dbfs_version *v = own(tx, key);
	uint8_t buf[sizeof(struct dbfs_disk_counters)];
	struct dbfs_counters delta;
	size_t len = 0;
	int err;

	memset(&delta, 0, sizeof(delta));
	if (v && v->kind == DBFS_VERSION_MERGE) {
		memcpy(&delta, v->data, sizeof(delta));
		v = v->older; /* WSET-2: not another merge */
		while (v && v->kind == DBFS_VERSION_MERGE)
			v = v->older;
	}
	if (v) {
		err = v->kind == DBFS_VERSION_DELETE ? -DBFS_ENOENT : 0;
		err = dbfs_counters_of(err, v->data, v->len, out);
	} else {
		err = dbfs_set_get(tx->db, (struct view){tx->set, tx->ts}, key, buf, sizeof(buf),
				   &len);
		err = dbfs_counters_of(err, buf, len, out);
	}
	if (!err)
		dbfs_counters_add(out, &delta);
	return err;
}

int dbfs_txn_merge(struct dbfs_tx *tx, struct dbfs_key key, const struct dbfs_counters *delta)
{
	const struct dbfs_version *v;
	struct merge_value m = {.delta = *delta};
	struct dbfs_val val = {&m, sizeof(m)};
	struct dbfs_disk_counters d;
	struct dbfs_counters sum;
	struct fullkey k;
	int err = dbfs_fullkey(key, &k);

	if (err)
		return err;
	v = own(tx, fullkey_bytes(&k));
	if (!v)
		return dbfs_tx_write(tx, key, DBFS_VERSION_MERGE, val);
	if (v->kind == DBFS_VERSION_MERGE) {
		memcpy(&m.delta, v->data, sizeof(m.delta));
		dbfs_counters_add(&m.delta, delta);
		return dbfs_tx_write(tx, key, DBFS_VERSION_MERGE, val);
	}
	err = dbfs_tx_counters(tx, fullkey_bytes(&k), &sum);
	if (err)
		return err;
	dbfs_counters_add(&sum, delta);
	dbfs_counters_encode(&sum, &d);
	return dbfs_txn_put(tx, key, (struct dbfs_val){&d, sizeof(d)});
}

int dbfs_txn_get_counters(struct dbfs_tx *tx, struct dbfs_key key, struct dbfs_counters *out)
{
	struct fullkey k;
	int err = dbfs_fullkey(key, &k);

	return err ? err : dbfs_tx_counters(tx, fullkey_bytes(&k), out);
}
