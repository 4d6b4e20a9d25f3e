/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Single keys. A stored value is a tag and the value, or a tag and which stream it is. Short ones
 * pass through a buffer on the stack, longer ones through the transaction's.
 */
#include "base/mem.h"
#include "kv/kv_priv.h"

enum { ON_STACK = 256 };

int dbfs_kv_decode(const uint8_t *p, size_t len, struct kv_found *out)
{
	struct kv_stream_disk d;

	*out = (struct kv_found){.there = true};
	if (len > 0 && p[0] == KV_TAG_INLINE) {
		out->size = len - 1;
		return 0;
	}
	if (len != sizeof(d) || p[0] != KV_TAG_STREAM)
		return -DBFS_ECORRUPT;
	memcpy(&d, p, sizeof(d));
	out->is_stream = true;
	out->stream = le64_get(d.id);
	out->size = le64_get(d.size);
	return out->size <= DBFS_KV_VALUE_MAX ? 0 : -DBFS_ECORRUPT;
}

int dbfs_kv_find(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key, struct kv_found *out)
{
	uint8_t head[sizeof(struct kv_stream_disk)];
	size_t len = 0;
	int err = dbfs_txn_get(b->tx->tx, kv_key(b, key), head, sizeof(head), &len, 0);

	if (err == -DBFS_ENOENT) {
		*out = (struct kv_found){.there = false};
		return 0;
	}
	return err ? err : dbfs_kv_decode(head, len, out);
}

static int store(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key, struct dbfs_val v)
{
	if (!v.p)
		return dbfs_txn_delete(b->tx->tx, kv_key(b, key));
	return dbfs_txn_put(b->tx->tx, kv_key(b, key), v);
}

int dbfs_kv_replace(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key, struct dbfs_val v)
{
	struct dbfs_savepoint sp;
	struct kv_found old;
	int err;

	if (!(b->flags & KV_BUCKET_STREAMS))
		return store(b, key, v);
	err = dbfs_kv_find(b, key, &old); /* KV-4 */
	if (err)
		return err;
	if (!old.there || !old.is_stream)
		return store(b, key, v);
	sp = dbfs_tx_savepoint(b->tx->tx);
	err = dbfs_kv_stream_free(b->tx->tx, old.stream);
	if (!err)
		err = store(b, key, v);
	if (err)
		dbfs_tx_rollback_to(b->tx->tx, sp); /* KV-5 */
	return err;
}

static int put_stream(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key,
		      struct dbfs_kv_bytes value)
{
	struct dbfs_kv_stream s;
	int err = dbfs_kv_stream_create(b, key, &s);

	if (!err)
		err = dbfs_kv_stream_write(&s, value.p, value.len);
	if (err) {
		dbfs_kv_stream_close(&s);
		return err;
	}
	return dbfs_kv_stream_end(&s);
}

int dbfs_kv_put(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key, struct dbfs_kv_bytes value)
{
	uint8_t small[ON_STACK];
	uint8_t *p = small;
	int err = dbfs_kv_bucket_ok(b);

	if (!err)
		err = dbfs_kv_key_ok(key);
	if (err)
		return err;
	if (dbfs_tx_is_read_only(b->tx->tx))
		return -DBFS_EROFS;
	if (value.len > DBFS_KV_VALUE_MAX)
		return -DBFS_EFBIG;
	if (value.len > DBFS_KV_INLINE_MAX)
		return put_stream(b, key, value);
	if (value.len >= sizeof(small))
		p = dbfs_kv_scratch(b->tx, value.len + 1);
	if (!p)
		return -DBFS_ENOMEM;
	p[0] = KV_TAG_INLINE;
	if (value.len)
		memcpy(p + 1, value.p, value.len);
	return dbfs_kv_replace(b, key, (struct dbfs_val){p, value.len + 1});
}

/* The beginning of a stream into buf, which is shorter than the value or just as long. */
static int get_stream(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key, void *buf, size_t cap)
{
	struct dbfs_kv_stream s;
	size_t done;
	int err = dbfs_kv_stream_open(b, key, &s);

	if (err)
		return err;
	err = dbfs_kv_stream_read(&s, 0, buf, cap, &done);
	dbfs_kv_stream_close(&s);
	return err;
}

int dbfs_kv_get(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key, void *buf, size_t cap,
		uint64_t *len)
{
	uint8_t small[ON_STACK];
	uint8_t *p = small;
	struct kv_found found;
	size_t n = 0;
	int err = dbfs_kv_bucket_ok(b);

	if (!err)
		err = dbfs_kv_key_ok(key);
	if (!err)
		err = dbfs_txn_get(b->tx->tx, kv_key(b, key), p, sizeof(small), &n, 0);
	if (!err)
		err = dbfs_kv_decode(p, n, &found);
	if (err)
		return err;
	if (found.is_stream) {
		err = cap ? get_stream(b, key, buf, MIN(cap, found.size)) : 0;
	} else {
		size_t want = MIN(cap, n - 1);

		if (want + 1 > sizeof(small)) {
			p = dbfs_kv_scratch(b->tx, want + 1);
			err = p ? dbfs_txn_get(b->tx->tx, kv_key(b, key), p, want + 1, &n, 0)
				: -DBFS_ENOMEM;
		}
		if (!err && want)
			memcpy(buf, p + 1, want);
	}
	if (!err)
		*len = found.size;
	return err;
}

int dbfs_kv_exists(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key)
{
	struct kv_found found;
	int err = dbfs_kv_bucket_ok(b);

	if (!err)
		err = dbfs_kv_key_ok(key);
	if (!err)
		err = dbfs_kv_find(b, key, &found);
	if (!err && !found.there)
		err = -DBFS_ENOENT;
	return err;
}

int dbfs_kv_delete(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key)
{
	int err = dbfs_kv_bucket_ok(b);

	if (!err)
		err = dbfs_kv_key_ok(key);
	if (err)
		return err;
	dbfs_txn_use_reserve(b->tx->tx); /* works on a full volume */
	return dbfs_kv_replace(b, key, (struct dbfs_val){NULL, 0});
}
