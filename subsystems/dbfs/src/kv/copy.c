/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Copying all buckets to another device.
 *
 *   format dst -> record "v" with COPYING -> everything from one snapshot, in order, in unsynced batches
 *              -> record "v" without it, synced -> close
 *
 * COPY-1  Until the last commit is durable dst says COPYING, and dbfs_kv_root refuses it.
 */
#include "base/mem.h"
#include "kv/kv_priv.h"
#include "port/mem.h"

enum { COPY_BATCH_KEYS = 1000, COPY_BATCH_BYTES = 4 << 20 };

struct copy {
	struct dbfs_kv_tx src;
	struct dbfs_kv_tx dst;
	struct dbfs *to;
	uint32_t keys; /* in the running transaction of dst */
	uint64_t bytes;
	uint8_t *buf; /* DBFS_BLOCK_SIZE blocks of a stream */
};

enum { COPY_BUF = 64 * 4096 };

static int begin_dst(struct copy *c)
{
	static const struct dbfs_tx_opts opts = {DBFS_TX_LOCKING, DBFS_NOSYNC, 0};

	c->keys = 0;
	c->bytes = 0;
	return dbfs_kv_begin(c->to, &opts, &c->dst);
}

static int added(struct copy *c, uint64_t bytes)
{
	int err;

	c->keys++;
	c->bytes += bytes;
	if (c->keys < COPY_BATCH_KEYS && c->bytes < COPY_BATCH_BYTES)
		return 0;
	err = dbfs_kv_commit(&c->dst);
	return err ? err : begin_dst(c);
}

static int set_copying(struct copy *c, struct kv_volume_disk v, bool on)
{
	struct dbfs_key key = {KV_BUCKET_CATALOG, 1, "v"};

	v.flags = le32_of(on ? KV_VOLUME_COPYING : 0);
	return dbfs_txn_put(c->dst.tx, key, (struct dbfs_val){&v, sizeof(v)});
}

/* Handles that need no look-up: both sides are known to be there, and dst's may hold streams. */
static struct dbfs_kv_bucket handle(struct dbfs_kv_tx *tx, uint32_t id)
{
	return (struct dbfs_kv_bucket){tx, tx->serial, tx->changes, id, KV_BUCKET_STREAMS};
}

static int copy_bytes(struct copy *c, struct dbfs_kv_stream *in, struct dbfs_kv_stream *out)
{
	for (uint64_t off = 0; off < in->size;) {
		size_t n = 0;
		int err = dbfs_kv_stream_read(in, off, c->buf, COPY_BUF, &n);

		if (!err)
			err = dbfs_kv_stream_write(out, c->buf, n);
		if (err)
			return err;
		off += n;
	}
	return 0;
}

static int copy_stream(struct copy *c, struct dbfs_key key)
{
	struct dbfs_kv_bucket from = handle(&c->src, key.bucket);
	struct dbfs_kv_bucket to = handle(&c->dst, key.bucket);
	struct dbfs_kv_bytes k = {key.p, key.len};
	struct dbfs_kv_stream *s = port_alloc(2 * sizeof(*s));
	int err;

	if (!s)
		return -DBFS_ENOMEM;
	err = dbfs_kv_stream_open(&from, k, &s[0]);
	if (!err) {
		err = dbfs_kv_stream_create(&to, k, &s[1]);
		if (!err) {
			err = copy_bytes(c, &s[0], &s[1]);
			if (!err)
				err = dbfs_kv_stream_end(&s[1]);
			else
				dbfs_kv_stream_close(&s[1]);
		}
		dbfs_kv_stream_close(&s[0]);
	}
	port_free(s);
	return err;
}

/* All elements of [lo, hi), which may be many buckets; in the catalog the volume's record is left out. */
static int copy_range(struct copy *c, uint32_t lo, uint32_t hi)
{
	struct dbfs_cursor *cur;
	int err = dbfs_cursor_open(c->src.tx, (struct dbfs_key){lo, 0, ""},
				   (struct dbfs_key){hi, 0, ""}, 0, &cur);

	if (err)
		return err;
	for (err = dbfs_cursor_next(cur); !err; err = dbfs_cursor_next(cur)) {
		struct dbfs_key k = dbfs_cursor_key(cur);
		struct kv_found found = {.there = true};
		struct dbfs_val v;

		err = dbfs_cursor_value(cur, &v);
		if (!err && lo == KV_BUCKET_CATALOG && k.len == 1 && *(const char *)k.p == 'v')
			continue;
		if (!err && lo != KV_BUCKET_CATALOG)
			err = dbfs_kv_decode(v.p, v.len, &found);
		if (!err)
			err = found.is_stream ? copy_stream(c, k) : dbfs_txn_put(c->dst.tx, k, v);
		if (!err)
			err = added(c, k.len + v.len + (found.is_stream ? found.size : 0));
		if (err)
			break;
	}
	dbfs_cursor_close(cur);
	return err == -DBFS_ENOENT ? 0 : err;
}

static int has_files(struct dbfs_tx *tx)
{
	struct dbfs_cursor *cur;
	int err = dbfs_cursor_open(tx, (struct dbfs_key){KV_BUCKETS_FILES, 0, ""},
				   (struct dbfs_key){KV_BUCKET_CATALOG, 0, ""}, 0, &cur);

	if (err)
		return err;
	err = dbfs_cursor_next(cur);
	dbfs_cursor_close(cur);
	if (err == -DBFS_ENOENT)
		return 0;
	return err ? err : -DBFS_EOPNOTSUPP;
}

static int copy_all(struct copy *c)
{
	struct dbfs_kv_bucket root;
	struct kv_volume_disk v = {.version = le32_of(KV_VERSION)};
	int err = dbfs_kv_root(&c->src, &root);

	if (!err)
		err = dbfs_kv_bucket_renew(&root); /* a reader's has no flags */
	if (err)
		return err;
	v.root_flags = le32_of(root.flags);
	err = begin_dst(c);
	if (!err)
		err = set_copying(c, v, true); /* COPY-1 */
	if (!err)
		err = dbfs_kv_commit(&c->dst);
	if (!err)
		err = dbfs_sync(c->to);
	if (!err)
		err = begin_dst(c);
	if (!err)
		err = copy_range(c, KV_BUCKET_CATALOG, KV_BUCKET_STREAM);
	if (!err)
		err = copy_range(c, KV_BUCKET_ROOT, KV_BUCKET_LIMIT);
	if (!err)
		err = set_copying(c, v, false);
	if (!err)
		err = dbfs_kv_commit(&c->dst);
	dbfs_kv_rollback(&c->dst);
	return err;
}

static int make_dst(struct dbfs *db, struct port_blk *dst, struct dbfs **to)
{
	static const struct dbfs_open_opts opts = {.no_background = true};
	struct dbfs_format_opts fmt = {0};
	struct dbfs_stats st;
	int err;

	dbfs_get_stats(db, &st);
	memcpy(fmt.label, st.label, sizeof(fmt.label));
	err = dbfs_format(dst, &fmt);
	return err ? err : dbfs_open(dst, &opts, to);
}

static const struct dbfs_tx_opts reading = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};

int dbfs_kv_copy(struct dbfs *db, struct port_blk *dst)
{
	struct copy c = {.to = NULL};
	int err = dbfs_kv_begin(db, &reading, &c.src);
	int close_err = 0;

	if (!err)
		err = has_files(c.src.tx);
	if (!err) {
		c.buf = port_alloc(COPY_BUF);
		err = c.buf ? make_dst(db, dst, &c.to) : -DBFS_ENOMEM;
	}
	if (!err)
		err = copy_all(&c);
	if (c.to)
		close_err = dbfs_close(c.to);
	else if (dst->ops->close)
		dst->ops->close(dst);
	dbfs_kv_rollback(&c.src);
	port_free(c.buf);
	return err ? err : close_err;
}

int dbfs_kv_copy_size(struct dbfs *db, uint64_t *bytes)
{
	struct dbfs_kv_stats st;
	struct dbfs_kv_bucket root;
	struct dbfs_kv_tx tx;
	uint64_t tree;
	uint64_t size;
	int err = dbfs_kv_begin(db, &reading, &tx);

	if (err)
		return err;
	err = dbfs_kv_root(&tx, &root);
	if (!err)
		err = dbfs_kv_bucket_stats(&root, &st);
	dbfs_kv_rollback(&tx);
	if (err)
		return err;
	/* Two trees while the last checkpoint runs, nodes half full; values in blocks; the log is one part in 32. */
	tree = 4 * (st.key_bytes + 64 * st.keys + 512 * st.buckets);
	size = tree + 2 * st.value_bytes + st.streams * DBFS_BLOCK_SIZE;
	size += size / 8 + (8u << 20);
	*bytes = (size + PORT_BLK_ALIGN - 1) / PORT_BLK_ALIGN * PORT_BLK_ALIGN;
	return 0;
}
