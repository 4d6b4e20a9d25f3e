/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Clearing dropped buckets (KV-6), a few hundred keys a transaction: no transaction grows with the
 * bucket, and writers come in between.
 */
#include "base/mem.h"
#include "kv/kv_priv.h"

enum { KEYS_PER_STEP = 256 };

struct step {
	uint64_t removed; /* keys, in all steps that committed */
	uint64_t now;     /* in this one */
	bool more;
};

/* The current element goes. Its key is copied: a write moves the cursor's memory. */
static int remove_key(struct dbfs_tx *tx, struct dbfs_cursor *c)
{
	uint8_t copy[DBFS_KV_KEY_MAX];
	struct dbfs_key key = dbfs_cursor_key(c);
	struct kv_found found;
	struct dbfs_val v;
	int err = dbfs_cursor_value(c, &v);

	if (!err)
		err = dbfs_kv_decode(v.p, v.len, &found);
	if (err)
		return err;
	memcpy(copy, key.p, key.len);
	key.p = copy;
	if (found.is_stream)
		err = dbfs_kv_stream_free(tx, found.stream);
	return err ? err : dbfs_txn_delete(tx, key);
}

/* Makes the child whose name record the cursor stands on a dropped bucket. */
static int drop_child(struct dbfs_tx *tx, struct dbfs_cursor *c)
{
	struct dbfs_key key = dbfs_cursor_key(c);
	struct kv_name_key name;
	struct kv_id_key k;
	struct kv_name_disk d;
	struct dbfs_val v;
	int err = dbfs_cursor_value(c, &v);

	if (!err && (v.len != sizeof(d) || key.len > sizeof(name.p)))
		err = -DBFS_ECORRUPT;
	if (err)
		return err;
	memcpy(&d, v.p, sizeof(d));
	memcpy(name.p, key.p, key.len);
	key.p = name.p;
	err = dbfs_txn_delete(tx, key);
	if (!err)
		err = dbfs_txn_delete(tx, dbfs_kv_id_key(&k, 'i', le32_get(d.id)));
	if (!err)
		err = dbfs_txn_put(tx, dbfs_kv_id_key(&k, 'd', le32_get(d.id)),
				   (struct dbfs_val){"", 0});
	return err;
}

static int remove_range(struct dbfs_tx *tx, struct dbfs_key lo, struct dbfs_key hi,
			int (*remove)(struct dbfs_tx *tx, struct dbfs_cursor *c), struct step *s)
{
	struct dbfs_cursor *c;
	int err = dbfs_cursor_open(tx, lo, hi, 0, &c);

	if (err)
		return err;
	while (s->now < KEYS_PER_STEP) {
		err = dbfs_cursor_next(c);
		if (!err)
			err = remove(tx, c);
		if (err)
			break;
		s->now++;
	}
	dbfs_cursor_close(c);
	return err == -DBFS_ENOENT ? 0 : err;
}

/* The first dropped bucket. -DBFS_ENOENT. */
static int find_dropped(struct dbfs_tx *tx, uint32_t *id)
{
	struct dbfs_key lo = {KV_BUCKET_CATALOG, 1, "d"};
	struct dbfs_key hi = {KV_BUCKET_CATALOG, 1, "e"};
	struct dbfs_cursor *c;
	int err = dbfs_cursor_open(tx, lo, hi, 0, &c);

	if (err)
		return err;
	err = dbfs_cursor_next(c);
	if (!err) {
		struct dbfs_key k = dbfs_cursor_key(c);

		if (k.len == 5)
			*id = be32_load((const uint8_t *)k.p + 1);
		else
			err = -DBFS_ECORRUPT;
	}
	dbfs_cursor_close(c);
	return err;
}

static int step(struct dbfs_tx *tx, void *arg)
{
	struct kv_id_key lo;
	struct kv_id_key hi;
	struct step *s = arg;
	uint32_t id = 0;
	int err = find_dropped(tx, &id);

	s->now = 0;
	s->more = err == 0;
	if (err)
		return err == -DBFS_ENOENT ? 0 : err;
	dbfs_txn_use_reserve(tx);
	err = remove_range(tx, (struct dbfs_key){id, 0, ""}, (struct dbfs_key){id + 1, 0, ""},
			   remove_key, s);
	if (!err && s->now < KEYS_PER_STEP)
		err = remove_range(tx, dbfs_kv_id_key(&lo, 'n', id),
				   dbfs_kv_id_key(&hi, 'n', id + 1), drop_child, s);
	if (!err && s->now < KEYS_PER_STEP)
		err = dbfs_txn_delete(tx, dbfs_kv_id_key(&lo, 'd', id));
	return err;
}

int dbfs_kv_reclaim(struct dbfs *db, uint64_t *removed)
{
	static const struct dbfs_tx_opts opts = {DBFS_TX_LOCKING, DBFS_NOSYNC, 0};
	struct step s = {.more = true};
	int err = 0;

	while (s.more && !err) {
		err = dbfs_tx_run(db, &opts, step, &s);
		if (!err)
			s.removed += s.now;
	}
	if (!err)
		*removed = s.removed;
	return err;
}
