/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The inside of the key-value face.
 *
 * KV-1  A handle is used only if its transaction runs and is the one that made it (serial).
 * KV-2  A bucket's number is never given twice, so a handle of a dropped bucket can reach nobody else's keys.
 * KV-3  Whoever writes to a bucket has read its record (tracked), so it conflicts with a drop of the bucket or
 *       of one above it, and with the first stream in it.
 * KV-4  Streams are only in buckets with KV_BUCKET_STREAMS, and there a change looks at the old value first: each
 *       extent of a stream is freed exactly once, with the value that names it.
 * KV-5  An operation that takes more than one write undoes the former if a later one fails.
 */
#ifndef DBFS_KV_KV_PRIV_H
#define DBFS_KV_KV_PRIV_H

#include "dbfs/kv.h"
#include "kv/kv_ondisk.h"
#include "txn/txn.h"

/* --- tx.c */

/* Room for len bytes, the transaction's, until the next call. NULL: no memory. */
uint8_t *dbfs_kv_scratch(struct dbfs_kv_tx *tx, size_t len) MUST_CHECK;

/* 0, -DBFS_EBADF or -DBFS_ESTALE. */
int dbfs_kv_tx_ok(const struct dbfs_kv_tx *tx) MUST_CHECK;
/* The same of a bucket; looks it up again if the transaction has changed buckets since. */
int dbfs_kv_bucket_ok(struct dbfs_kv_bucket *b) MUST_CHECK;
int dbfs_kv_key_ok(struct dbfs_kv_bytes key) MUST_CHECK;

static inline struct dbfs_key kv_key(const struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key)
{
	return (struct dbfs_key){b->id, (uint32_t)key.len, key.p};
}

/* --- cursor.c */

/* An open cursor. Not in the caller's structure, which may be gone when the transaction ends. */
struct kv_open {
	struct list link; /* in tx.cursors */
	struct dbfs_cursor *c;
};

void dbfs_kv_open_close(struct kv_open *open);

/* --- catalog.c */

struct kv_id_key {
	uint8_t p[5];
};

struct kv_name_key {
	uint8_t p[5 + DBFS_KV_NAME_MAX];
};

/* Keys of the catalog. kind is 'n' (where the names in bucket id begin), 'i' or 'd'. */
struct dbfs_key dbfs_kv_id_key(struct kv_id_key *k, char kind, uint32_t id);
struct dbfs_key dbfs_kv_name_key(struct kv_name_key *k, uint32_t id, struct dbfs_kv_bytes name);
/* Reads b's record again. -DBFS_ESTALE: it is gone. */
int dbfs_kv_bucket_renew(struct dbfs_kv_bucket *b) MUST_CHECK;
/* KV-4: from now on b may hold streams. */
int dbfs_kv_bucket_add_flag(struct dbfs_kv_bucket *b, uint32_t flag) MUST_CHECK;

/* --- value.c */

/* What stands under a key: its tag, and if it is a stream, which. */
struct kv_found {
	bool there;
	bool is_stream;
	uint64_t stream;
	uint64_t size;
};
/* Decodes the first bytes of a stored value of len bytes. */
int dbfs_kv_decode(const uint8_t *p, size_t len, struct kv_found *out) MUST_CHECK;
int dbfs_kv_find(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key, struct kv_found *out)
	MUST_CHECK;
/* Writes the stored form; frees the stream that it replaces. v.p NULL and v.len 0: deletes. */
int dbfs_kv_replace(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key, struct dbfs_val v)
	MUST_CHECK;

/* --- stream.c */

/* Frees the blocks and extents of stream id. */
int dbfs_kv_stream_free(struct dbfs_tx *tx, uint64_t id) MUST_CHECK;

#endif
