/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * What an optimistic transaction has read: keys (found or not) in a layer without values, and ranges
 * that cursors passed. Commit looks for anything newer than the snapshot there.
 *
 * TRACK-1  A key or range is recorded before its value is given to the caller, or the read fails.
 * TRACK-2  All versions newer than the snapshot are in the layers from the snapshot's active one on,
 *	    and those are kept (SNAP-3).
 */
#include "base/mem.h"
#include "port/mem.h"
#include "txn/txn_priv.h"

int dbfs_tx_track_key(struct dbfs_tx *tx, struct dbfs_bytes key)
{
	struct dbfs_version *v;
	int err;

	if (!tx->rset)
		tx->rset = dbfs_layer_create();
	if (!tx->rset)
		return -DBFS_ENOMEM;
	if (dbfs_layer_find(tx->rset, key))
		return 0;
	err = dbfs_layer_reserve(tx->rset, dbfs_layer_cost(key.len, 0),
				 dbfs_layer_cost(key.len, 0));
	if (err)
		return err;
	v = dbfs_layer_version_nofail(tx->rset, 0);
	v->ts = 0;
	v->kind = DBFS_VERSION_PUT;
	dbfs_layer_add_nofail(tx->rset, key, v);
	return 0;
}

int dbfs_tx_track_range(struct dbfs_tx *tx, struct dbfs_bytes lo, struct read_range **out)
{
	struct read_range *r = port_alloc(sizeof(*r));

	if (!r)
		return -DBFS_ENOMEM;
	memcpy(r->lo, lo.p, lo.len);
	memcpy(r->hi, lo.p, lo.len);
	r->lo_len = lo.len;
	r->hi_len = lo.len;
	r->next = tx->ranges;
	tx->ranges = r;
	*out = r;
	return 0;
}

void dbfs_tx_track_free(struct dbfs_tx *tx)
{
	dbfs_layer_destroy(tx->rset);
	tx->rset = NULL;
	while (tx->ranges) {
		struct read_range *next = tx->ranges->next;

		port_free(tx->ranges);
		tx->ranges = next;
	}
}

static bool keys_changed(const struct dbfs_tx *tx, const struct vlayer *v)
{
	const struct dbfs_node *k = tx->rset ? dbfs_layer_first(tx->rset) : NULL;

	for (; k; k = dbfs_node_next(k)) {
		const struct dbfs_node *n = dbfs_layer_find(v->l, dbfs_node_key(k));

		if (n && dbfs_node_head(n)->ts > tx->ts)
			return true;
	}
	return false;
}

static bool range_changed(const struct dbfs_tx *tx, const struct vlayer *v,
			  const struct read_range *r)
{
	struct dbfs_bytes hi = {r->hi, r->hi_len};
	const struct dbfs_node *n = dbfs_layer_seek(v->l, (struct dbfs_bytes){r->lo, r->lo_len});

	for (; n && dbfs_bytes_cmp(dbfs_node_key(n), hi) <= 0; n = dbfs_node_next(n))
		if (dbfs_node_head(n)->ts > tx->ts)
			return true;
	return false;
}

static bool layer_conflicts(const struct dbfs_tx *tx, const struct vlayer *v)
{
	if (v->max_ts <= tx->ts)
		return false;
	if (keys_changed(tx, v))
		return true;
	for (const struct read_range *r = tx->ranges; r; r = r->next)
		if (range_changed(tx, v, r))
			return true;
	return false;
}

int dbfs_tx_validate(struct dbfs_tx *tx)
{
	struct dbfs *db = tx->db;
	struct vlayer *v = tx->set->active;
	bool conflict = false;

	if (tx->mode != DBFS_TX_OPTIMISTIC)
		return 0;
	/* The writer lock keeps layers from being added; the snapshot keeps them from going. */
	while (v && !conflict) {
		conflict = layer_conflicts(tx, v); /* TRACK-2 */
		port_mutex_lock(&db->versions);
		v = v->link.next == &db->layers ? NULL
						: list_entry(v->link.next, struct vlayer, link);
		if (conflict)
			db->conflicts++;
		port_mutex_unlock(&db->versions);
	}
	return conflict ? -DBFS_ECONFLICT : 0;
}
