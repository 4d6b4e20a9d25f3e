/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Counting what is in a bucket and below it. Without recursion: each bucket's record names its parent. */
#include "base/mem.h"
#include "kv/kv_priv.h"

static int count_keys(struct dbfs_tx *tx, uint32_t id, struct dbfs_kv_stats *st)
{
	struct dbfs_cursor *c;
	int err = dbfs_cursor_open(tx, (struct dbfs_key){id, 0, ""},
				   (struct dbfs_key){id + 1, 0, ""}, 0, &c);

	if (err)
		return err;
	for (err = dbfs_cursor_next(c); !err; err = dbfs_cursor_next(c)) {
		struct kv_found found;
		struct dbfs_val v;

		err = dbfs_cursor_value(c, &v);
		if (!err)
			err = dbfs_kv_decode(v.p, v.len, &found);
		if (err)
			break;
		st->keys++;
		st->key_bytes += dbfs_cursor_key(c).len;
		st->value_bytes += found.size;
		st->streams += found.is_stream;
	}
	dbfs_cursor_close(c);
	return err == -DBFS_ENOENT ? 0 : err;
}

/* Is bucket id below (or) top? -DBFS_ENOENT: no. */
static int is_below(struct dbfs_tx *tx, uint32_t id, uint32_t top)
{
	for (unsigned i = 0; id != top; i++) {
		struct kv_id_key k;
		struct kv_bucket_disk d;
		size_t len = 0;
		int err;

		if (id == KV_BUCKET_ROOT)
			return -DBFS_ENOENT;
		if (i > DBFS_KV_DEPTH_MAX)
			return -DBFS_ECORRUPT;
		err = dbfs_txn_get(tx, dbfs_kv_id_key(&k, 'i', id), &d, sizeof(d), &len, 0);
		if (err)
			return err; /* -DBFS_ENOENT: below a dropped one */
		if (len <= sizeof(d))
			return -DBFS_ECORRUPT;
		id = le32_get(d.parent);
	}
	return 0;
}

static int count_below(struct dbfs_kv_bucket *b, struct dbfs_cursor *c, struct dbfs_kv_stats *st)
{
	struct dbfs_tx *tx = b->tx->tx;
	int err;

	for (err = dbfs_cursor_next(c); !err; err = dbfs_cursor_next(c)) {
		struct dbfs_key k = dbfs_cursor_key(c);
		uint32_t id;

		if (k.len != 5)
			return -DBFS_ECORRUPT;
		id = be32_load((const uint8_t *)k.p + 1);
		err = id == b->id ? -DBFS_ENOENT : is_below(tx, id, b->id);
		if (!err) {
			st->buckets++;
			err = count_keys(tx, id, st);
		} else if (err == -DBFS_ENOENT) {
			err = 0;
		}
		if (err)
			return err;
	}
	return err == -DBFS_ENOENT ? 0 : err;
}

int dbfs_kv_bucket_stats(struct dbfs_kv_bucket *b, struct dbfs_kv_stats *out)
{
	struct dbfs_kv_stats st = {0};
	struct dbfs_cursor *c;
	int err = dbfs_kv_bucket_ok(b);

	if (err)
		return err;
	err = dbfs_cursor_open(b->tx->tx, (struct dbfs_key){KV_BUCKET_CATALOG, 1, "i"},
			       (struct dbfs_key){KV_BUCKET_CATALOG, 1, "j"}, 0, &c);
	if (err)
		return err;
	err = count_below(b, c, &st);
	dbfs_cursor_close(c);
	if (!err)
		err = count_keys(b->tx->tx, b->id, &st);
	if (!err)
		*out = st;
	return err;
}
