/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * A cursor merges four sorted sources: own writes, active layer, frozen layer, tree; the upper one
 * wins where keys are equal. Each source stands at its nearest element that is visible and not yet
 * passed. Own writes and a change of direction make all sources look for their place again, from
 * the current key.
 *
 * CURSOR-1  In between two calls every source stands at or beyond the current element, in the direction of
 *	     the last call; those at it are moved by the next call (so the value stays valid until then).
 * CURSOR-2  The range that an optimistic cursor has passed contains every key about which the caller
 *	     was told something, absence included (TRACK-1).
 */
#include "base/assert.h"
#include "base/mem.h"
#include "port/mem.h"
#include "txn/txn_priv.h"

enum { SRC_OWN, SRC_ACTIVE, SRC_FROZEN, SRC_LAYERS };

struct source {
	const struct dbfs_layer *l; /* NULL: no such source */
	struct dbfs_node *node;     /* NULL: nothing more */
};

struct dbfs_cursor {
	struct list link; /* in tx.cursors */
	struct dbfs_tx *tx;
	struct fullkey lo;
	struct fullkey hi;
	struct read_range *range; /* being extended; NULL: not tracked */
	bool track;
	bool placed;  /* cur is an element, or where a seek wanted to go */
	bool settled; /* sources stand where CURSOR-1 says */
	bool forward; /* direction of the last call */
	uint64_t seq; /* tx.seq then */
	struct fullkey cur;
	struct source src[SRC_LAYERS];
	struct dbfs_btree_iter tree;
	const struct dbfs_version *v; /* the value; NULL: the tree's */
	struct dbfs_disk_counters merged;
	uint8_t *buf; /* a value from overflow blocks */
	size_t buf_len;
};

int dbfs_cursor_open(struct dbfs_tx *tx, struct dbfs_key lo, struct dbfs_key hi, unsigned flags,
		     struct dbfs_cursor **out)
{
	struct dbfs_cursor *c = port_alloc_zeroed(sizeof(*c));
	int err;

	if (!c)
		return -DBFS_ENOMEM;
	err = dbfs_fullkey(lo, &c->lo);
	if (!err)
		err = dbfs_fullkey(hi, &c->hi);
	if (err) {
		port_free(c);
		return err;
	}
	c->tx = tx;
	c->track = tx->mode == DBFS_TX_OPTIMISTIC && !(flags & DBFS_READ_UNTRACKED);
	dbfs_btree_iter_init(&c->tree, &tx->db->env, tx->set->tree);
	list_add_tail(&tx->cursors, &c->link);
	*out = c;
	return 0;
}

void dbfs_cursor_close(struct dbfs_cursor *c)
{
	if (!c)
		return;
	list_del(&c->link);
	dbfs_btree_iter_fini(&c->tree);
	port_free(c->buf);
	port_free(c);
}

void dbfs_cursors_detach(struct dbfs_tx *tx)
{
	struct dbfs_cursor *c;

	list_for_each_entry (c, &tx->cursors, struct dbfs_cursor, link) {
		dbfs_btree_iter_fini(&c->tree);
		c->settled = false;
	}
}

/* --- Sources -------------------------------------------------------------------------------------- */

/* What source i has to say about its node: NULL if nothing that this transaction can see. */
static const struct dbfs_version *visible(const struct dbfs_cursor *c, unsigned i)
{
	const struct dbfs_node *n = c->src[i].node;

	return dbfs_node_version(n, i == SRC_OWN ? UINT64_MAX : c->tx->ts);
}

static void step_layer(struct dbfs_cursor *c, unsigned i)
{
	struct source *s = &c->src[i];

	s->node = c->forward ? dbfs_node_next(s->node)
			     : dbfs_layer_seek_before(s->l, dbfs_node_key(s->node));
}

static void skip_invisible(struct dbfs_cursor *c, unsigned i)
{
	while (c->src[i].node && !visible(c, i))
		step_layer(c, i);
}

/* Sources to the first element beyond key in the direction; at: key itself counts. */
static int look_again(struct dbfs_cursor *c, const struct fullkey *key, bool at)
{
	const struct set *set = c->tx->set;
	struct dbfs_bytes k = fullkey_bytes(key);

	c->src[SRC_OWN].l = c->tx->wset;
	c->src[SRC_ACTIVE].l = set->active->l;
	c->src[SRC_FROZEN].l = set->frozen ? set->frozen->l : NULL;
	for (unsigned i = 0; i < SRC_LAYERS; i++) {
		struct source *s = &c->src[i];

		s->node = NULL;
		if (!s->l)
			continue;
		if (c->forward)
			s->node = at ? dbfs_layer_seek(s->l, k) : dbfs_layer_seek_after(s->l, k);
		else
			s->node = at ? dbfs_layer_find(s->l, k) : NULL;
		if (!c->forward && !s->node)
			s->node = dbfs_layer_seek_before(s->l, k);
		skip_invisible(c, i);
	}
	if (c->tree.tree.block != set->tree.block || c->tree.tree.crc != set->tree.crc) {
		dbfs_btree_iter_fini(&c->tree);
		dbfs_btree_iter_init(&c->tree, &c->tx->db->env, set->tree);
	}
	return c->forward ? dbfs_btree_iter_seek(&c->tree, tree_key(k), !at)
			  : dbfs_btree_iter_seek_back(&c->tree, tree_key(k), at);
}

static bool beyond(const struct dbfs_cursor *c, struct dbfs_bytes a, struct dbfs_bytes b)
{
	int cmp = dbfs_bytes_cmp(a, b);

	return c->forward ? cmp > 0 : cmp < 0;
}

/* The nearest key of all sources. */
static bool nearest(const struct dbfs_cursor *c, struct dbfs_bytes *out)
{
	bool found = c->tree.valid;

	if (found)
		*out = (struct dbfs_bytes){c->tree.key, c->tree.klen};
	for (unsigned i = 0; i < SRC_LAYERS; i++) {
		struct dbfs_bytes k;

		if (!c->src[i].node)
			continue;
		k = dbfs_node_key(c->src[i].node);
		if (!found || beyond(c, *out, k))
			*out = k;
		found = true;
	}
	return found;
}

static bool stands_at(const struct dbfs_cursor *c, unsigned i, struct dbfs_bytes key)
{
	return c->src[i].node && dbfs_bytes_cmp(dbfs_node_key(c->src[i].node), key) == 0;
}

/* Moves all sources that stand at key. */
static int pass(struct dbfs_cursor *c, struct dbfs_bytes key)
{
	bool tree_too = c->tree.valid &&
			dbfs_bytes_cmp((struct dbfs_bytes){c->tree.key, c->tree.klen}, key) == 0;

	for (unsigned i = 0; i < SRC_LAYERS; i++) {
		if (!stands_at(c, i, key))
			continue;
		step_layer(c, i);
		skip_invisible(c, i);
	}
	if (!tree_too)
		return 0;
	return c->forward ? dbfs_btree_iter_next(&c->tree) : dbfs_btree_iter_prev(&c->tree);
}

/* --- Tracking ------------------------------------------------------------------------------------- */

static void extend(struct dbfs_cursor *c, struct dbfs_bytes key)
{
	struct read_range *r = c->range;

	if (!r)
		return;
	if (dbfs_bytes_cmp(key, (struct dbfs_bytes){r->hi, r->hi_len}) > 0) {
		memcpy(r->hi, key.p, key.len);
		r->hi_len = key.len;
	}
	if (dbfs_bytes_cmp(key, (struct dbfs_bytes){r->lo, r->lo_len}) < 0) {
		memcpy(r->lo, key.p, key.len);
		r->lo_len = key.len;
	}
}

static int start_range(struct dbfs_cursor *c, const struct fullkey *at)
{
	if (!c->track)
		return 0;
	return dbfs_tx_track_range(c->tx, fullkey_bytes(at), &c->range);
}

/* --- Moving --------------------------------------------------------------------------------------- */

static bool outside(const struct dbfs_cursor *c, struct dbfs_bytes key)
{
	return c->forward ? dbfs_bytes_cmp(key, fullkey_bytes(&c->hi)) >= 0
			  : dbfs_bytes_cmp(key, fullkey_bytes(&c->lo)) < 0;
}

/* Finds the value at key; false: deleted. */
static int look_at(struct dbfs_cursor *c, struct dbfs_bytes key, bool *there)
{
	struct dbfs_counters sum;
	int err;

	c->v = NULL;
	for (unsigned i = 0; i < SRC_LAYERS && !c->v; i++)
		if (stands_at(c, i, key))
			c->v = visible(c, i);
	*there = !c->v || c->v->kind != DBFS_VERSION_DELETE;
	if (!c->v || c->v->kind != DBFS_VERSION_MERGE)
		return 0;
	err = dbfs_tx_counters(c->tx, key, &sum);
	dbfs_counters_encode(&sum, &c->merged);
	return err;
}

/* From where the sources stand to the nearest element that is there. */
static int arrive(struct dbfs_cursor *c)
{
	struct dbfs_bytes key;
	bool there = false;
	int err = 0;

	while (!err) {
		if (!nearest(c, &key) || outside(c, key)) {
			extend(c, fullkey_bytes(c->forward ? &c->hi : &c->lo));
			return -DBFS_ENOENT;
		}
		err = look_at(c, key, &there);
		if (err)
			break;
		memcpy(c->cur.p, key.p, key.len);
		c->cur.len = key.len;
		c->placed = true;
		extend(c, key); /* CURSOR-2 */
		if (there)
			return 0;
		err = pass(c, fullkey_bytes(&c->cur));
	}
	c->settled = false;
	return err;
}

static int move(struct dbfs_cursor *c, bool forward)
{
	bool same = c->settled && c->forward == forward && c->seq == c->tx->seq;
	int err;

	c->forward = forward;
	c->seq = c->tx->seq;
	c->settled = true;
	if (!c->placed) {
		const struct fullkey *start = forward ? &c->lo : &c->hi;

		err = start_range(c, start);
		if (!err) /* hi itself is outside */
			err = look_again(c, start, forward);
	} else if (same) {
		struct fullkey cur = c->cur;

		err = pass(c, fullkey_bytes(&cur));
	} else {
		err = look_again(c, &c->cur, false);
	}
	if (err) {
		c->settled = false;
		return err;
	}
	return arrive(c);
}

int dbfs_cursor_next(struct dbfs_cursor *c)
{
	return move(c, true);
}

int dbfs_cursor_prev(struct dbfs_cursor *c)
{
	return move(c, false);
}

static int seek(struct dbfs_cursor *c, struct dbfs_key key, bool forward)
{
	struct fullkey k;
	int err = dbfs_fullkey(key, &k);
	bool at = true;

	if (err)
		return err;
	if (dbfs_bytes_cmp(fullkey_bytes(&k), fullkey_bytes(&c->lo)) < 0 && forward)
		k = c->lo;
	if (dbfs_bytes_cmp(fullkey_bytes(&k), fullkey_bytes(&c->hi)) >= 0 && !forward) {
		k = c->hi;
		at = false;
	}
	c->forward = forward;
	c->seq = c->tx->seq;
	c->settled = true;
	err = start_range(c, &k);
	if (!err)
		err = look_again(c, &k, at);
	if (err) {
		c->settled = false;
		return err;
	}
	return arrive(c);
}

int dbfs_cursor_seek(struct dbfs_cursor *c, struct dbfs_key key)
{
	return seek(c, key, true);
}

int dbfs_cursor_seek_last(struct dbfs_cursor *c, struct dbfs_key key)
{
	return seek(c, key, false);
}

/* --- The element ---------------------------------------------------------------------------------- */

struct dbfs_key dbfs_cursor_key(const struct dbfs_cursor *c)
{
	DBFS_ASSERT(c->placed);
	return (struct dbfs_key){be32_load(c->cur.p), c->cur.len - 4, c->cur.p + 4};
}

int dbfs_cursor_value(struct dbfs_cursor *c, struct dbfs_val *out)
{
	size_t len;
	int err;

	if (!c->placed || !c->settled || (!c->v && !c->tree.valid))
		return -DBFS_EINVAL;
	if (c->v && c->v->kind == DBFS_VERSION_MERGE) {
		*out = (struct dbfs_val){&c->merged, sizeof(c->merged)};
		return 0;
	}
	if (c->v) {
		*out = (struct dbfs_val){c->v->data, c->v->len};
		return 0;
	}
	len = dbfs_btree_iter_value_len(&c->tree);
	if (dbfs_btree_iter_inline(&c->tree)) {
		*out = (struct dbfs_val){dbfs_btree_iter_inline(&c->tree), len};
		return 0;
	}
	if (c->buf_len < len) {
		uint8_t *buf = port_alloc(len);

		if (!buf)
			return -DBFS_ENOMEM;
		port_free(c->buf);
		c->buf = buf;
		c->buf_len = len;
	}
	err = dbfs_btree_iter_value(&c->tree, c->buf, len);
	if (!err)
		*out = (struct dbfs_val){c->buf, len};
	return err;
}
