/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Large values: data blocks, named by extents of up to KV_EXTENT_BLOCKS under (stream, first block), with a checksum
 * for each block. Both directions go through one buffer of that many blocks; only the last block of
 * a value is filled up with zeros.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "kv/kv_priv.h"
#include "port/mem.h"

enum { BUF_BYTES = KV_EXTENT_BLOCKS * DBFS_BLOCK_SIZE };

struct extent_rec {
	struct kv_extent_disk head;
	struct le32 crcs[KV_EXTENT_BLOCKS];
};

struct stream_key {
	uint8_t p[16];
};

static struct dbfs_key stream_key(struct stream_key *k, uint64_t id, uint64_t first)
{
	be64_store(k->p, id);
	be64_store(k->p + 8, first);
	return (struct dbfs_key){KV_BUCKET_STREAM, sizeof(k->p), k->p};
}

static int open_cursor(struct dbfs_tx *tx, uint64_t id, struct dbfs_cursor **out)
{
	struct stream_key lo;
	struct stream_key hi;

	/* Untracked: what a stream consists of never changes; its name is tracked. */
	return dbfs_cursor_open(tx, stream_key(&lo, id, 0), stream_key(&hi, id + 1, 0),
				DBFS_READ_UNTRACKED, out);
}

/* The extent that the cursor stands on; *rec points into memory of the cursor. */
static int extent_at(struct dbfs_cursor *c, uint64_t *first, const struct extent_rec **rec)
{
	struct dbfs_key k = dbfs_cursor_key(c);
	struct dbfs_val v;
	uint32_t n;
	int err = dbfs_cursor_value(c, &v);

	if (err)
		return err;
	if (k.len != 16 || v.len < sizeof((*rec)->head))
		return -DBFS_ECORRUPT;
	*rec = v.p;
	n = le32_get((*rec)->head.count);
	if (n == 0 || n > KV_EXTENT_BLOCKS ||
	    v.len != sizeof((*rec)->head) + n * sizeof(struct le32))
		return -DBFS_ECORRUPT;
	*first = be64_load((const uint8_t *)k.p + 8);
	return 0;
}

int dbfs_kv_stream_free(struct dbfs_tx *tx, uint64_t id)
{
	struct dbfs_cursor *c;
	int err = open_cursor(tx, id, &c);

	if (err)
		return err;
	for (err = dbfs_cursor_next(c); !err; err = dbfs_cursor_next(c)) {
		const struct extent_rec *rec;
		struct stream_key k;
		uint64_t first;

		err = extent_at(c, &first, &rec);
		if (!err)
			err = dbfs_txn_data_free(tx,
						 (struct dbfs_extent){le64_get(rec->head.block),
								      le32_get(rec->head.count)});
		if (!err)
			err = dbfs_txn_delete(tx, stream_key(&k, id, first));
		if (err)
			break;
	}
	dbfs_cursor_close(c);
	return err == -DBFS_ENOENT ? 0 : err;
}

/* --- Writing ------------------------------------------------------------------------------ */

/* One extent of the buffer's blocks [from, n). */
static int write_extent(struct dbfs_kv_stream *s, uint32_t from, uint32_t n, uint32_t *written)
{
	uint32_t crcs[KV_EXTENT_BLOCKS];
	struct dbfs_tx *tx = s->bucket.tx->tx;
	struct extent_rec *rec = (void *)dbfs_kv_scratch(s->bucket.tx, sizeof(*rec));
	struct dbfs_extent e;
	struct stream_key k;
	int err;

	if (!rec)
		return -DBFS_ENOMEM;
	err = dbfs_txn_data_write(tx, s->buf + (size_t)from * DBFS_BLOCK_SIZE, n - from, 0, &e,
				  crcs);
	if (err)
		return err;
	DBFS_ASSERT(e.count >= 1 && e.count <= n - from);
	rec->head = (struct kv_extent_disk){le64_of(e.block), le32_of(e.count)};
	for (uint32_t i = 0; i < e.count; i++)
		rec->crcs[i] = le32_of(crcs[i]);
	*written = e.count;
	return dbfs_txn_put(tx, stream_key(&k, s->id, s->first + from),
			    (struct dbfs_val){rec,
					      sizeof(rec->head) + e.count * sizeof(struct le32)});
}

static int flush(struct dbfs_kv_stream *s)
{
	struct dbfs_savepoint sp = dbfs_tx_savepoint(s->bucket.tx->tx);
	uint32_t n = (uint32_t)((s->fill + DBFS_BLOCK_SIZE - 1) / DBFS_BLOCK_SIZE);
	uint32_t written = 0;
	int err = 0;

	memset(s->buf + s->fill, 0, (size_t)n * DBFS_BLOCK_SIZE - s->fill);
	for (uint32_t from = 0; from < n && !err; from += written)
		err = write_extent(s, from, n, &written);
	if (err) {
		dbfs_tx_rollback_to(s->bucket.tx->tx, sp);
		return err;
	}
	s->first += n;
	s->fill = 0;
	return 0;
}

static int start(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key, struct dbfs_kv_stream *s)
{
	int err = dbfs_kv_bucket_ok(b);

	s->state = DBFS_KV_STREAM_CLOSED;
	s->bucket = *b;
	s->size = 0;
	s->fill = 0;
	s->extent = 0;
	s->first = 0;
	s->buf = NULL;
	if (!err)
		err = dbfs_kv_key_ok(key);
	if (err)
		return err;
	s->key_len = key.len;
	memcpy(s->key, key.p, key.len);
	return 0;
}

int dbfs_kv_stream_create(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key,
			  struct dbfs_kv_stream *out)
{
	int err = start(b, key, out);

	if (!err && dbfs_tx_is_read_only(b->tx->tx))
		err = -DBFS_EROFS;
	if (!err)
		err = dbfs_txn_new_id(b->tx->tx, &out->id);
	if (!err)
		err = dbfs_kv_bucket_add_flag(b, KV_BUCKET_STREAMS); /* KV-4 */
	if (err)
		return err;
	out->bucket = *b;
	out->buf = port_alloc_pages(KV_EXTENT_BLOCKS);
	if (!out->buf)
		return -DBFS_ENOMEM;
	out->state = DBFS_KV_STREAM_WRITE;
	b->tx->streams++;
	return 0;
}

static int stream_ok(struct dbfs_kv_stream *s, bool writing)
{
	int err = dbfs_kv_bucket_ok(&s->bucket);

	if (!err && s->state == DBFS_KV_STREAM_CLOSED)
		err = -DBFS_EBADF;
	if (!err && (s->state == DBFS_KV_STREAM_WRITE) != writing)
		err = -DBFS_EINVAL;
	return err;
}

int dbfs_kv_stream_write(struct dbfs_kv_stream *s, const void *data, size_t len)
{
	const uint8_t *p = data;
	int err = stream_ok(s, true);

	if (err)
		return err;
	if (len > DBFS_KV_VALUE_MAX - s->size)
		return -DBFS_EFBIG;
	while (len > 0) {
		size_t n = MIN(len, (size_t)BUF_BYTES - s->fill);

		memcpy(s->buf + s->fill, p, n);
		s->fill += (uint32_t)n;
		s->size += n;
		p += n;
		len -= n;
		if (s->fill < BUF_BYTES)
			break;
		err = flush(s);
		if (err)
			return err;
	}
	return 0;
}

static void done(struct dbfs_kv_stream *s)
{
	if (s->buf)
		port_free_pages(s->buf, KV_EXTENT_BLOCKS);
	s->buf = NULL;
	s->state = DBFS_KV_STREAM_CLOSED;
}

int dbfs_kv_stream_end(struct dbfs_kv_stream *s)
{
	struct kv_stream_disk d;
	int err = stream_ok(s, true);

	if (!err && s->fill > 0)
		err = flush(s);
	d = (struct kv_stream_disk){KV_TAG_STREAM, le64_of(s->id), le64_of(s->size)};
	if (!err)
		err = dbfs_kv_replace(&s->bucket, (struct dbfs_kv_bytes){s->key, s->key_len},
				      (struct dbfs_val){&d, sizeof(d)});
	if (err) {
		dbfs_kv_stream_close(s);
		return err;
	}
	s->bucket.tx->streams--;
	done(s);
	return 0;
}

void dbfs_kv_stream_close(struct dbfs_kv_stream *s)
{
	int err = dbfs_kv_bucket_ok(&s->bucket);

	/* If its blocks cannot be given back the transaction must not commit: it keeps counting the stream. */
	if (s->state == DBFS_KV_STREAM_WRITE && err != -DBFS_EBADF &&
	    dbfs_kv_tx_ok(s->bucket.tx) == 0 && s->bucket.serial == s->bucket.tx->serial &&
	    dbfs_kv_stream_free(s->bucket.tx->tx, s->id) == 0)
		s->bucket.tx->streams--;
	done(s);
}

/* --- Reading ------------------------------------------------------------------------------ */

/* A short value is as good as a stream whose one extent is in the buffer. */
static int read_inline(struct dbfs_kv_stream *s)
{
	struct dbfs_key k = kv_key(&s->bucket, (struct dbfs_kv_bytes){s->key, s->key_len});
	size_t len = 0;
	int err = dbfs_txn_get(s->bucket.tx->tx, k, s->buf, BUF_BYTES, &len, 0);

	if (err)
		return err;
	if (len != s->size + 1)
		return -DBFS_ECORRUPT;
	memmove(s->buf, s->buf + 1, len - 1);
	s->extent = KV_EXTENT_BLOCKS;
	return 0;
}

int dbfs_kv_stream_open(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key,
			struct dbfs_kv_stream *out)
{
	struct kv_found found;
	int err = start(b, key, out);

	if (!err)
		err = dbfs_kv_find(b, key, &found);
	if (!err && !found.there)
		err = -DBFS_ENOENT;
	if (err)
		return err;
	out->id = found.stream;
	out->size = found.size;
	out->buf = port_alloc_pages(KV_EXTENT_BLOCKS);
	if (!out->buf)
		return -DBFS_ENOMEM;
	if (!found.is_stream)
		err = read_inline(out);
	if (err)
		done(out);
	else
		out->state = DBFS_KV_STREAM_READ;
	return err;
}

uint64_t dbfs_kv_stream_size(const struct dbfs_kv_stream *s)
{
	return s->size;
}

static int load_extent(struct dbfs_kv_stream *s, struct dbfs_cursor *c, uint64_t block)
{
	uint32_t crcs[KV_EXTENT_BLOCKS];
	const struct extent_rec *rec;
	struct stream_key k;
	uint64_t first;
	uint32_t n;
	int err = dbfs_cursor_seek_last(c, stream_key(&k, s->id, block));

	if (!err)
		err = extent_at(c, &first, &rec);
	if (err)
		return err == -DBFS_ENOENT ? -DBFS_ECORRUPT : err;
	n = le32_get(rec->head.count);
	if (block - first >= n)
		return -DBFS_ECORRUPT;
	for (uint32_t i = 0; i < n; i++)
		crcs[i] = le32_get(rec->crcs[i]);
	err = dbfs_txn_data_read(s->bucket.tx->tx,
				 (struct dbfs_extent){le64_get(rec->head.block), n}, crcs, s->buf);
	if (!err) {
		s->first = first;
		s->extent = n;
	}
	return err;
}

/* Makes the buffer hold block. */
static int fetch(struct dbfs_kv_stream *s, uint64_t block)
{
	struct dbfs_cursor *c;
	int err;

	if (block >= s->first && block - s->first < s->extent)
		return 0;
	s->extent = 0;
	err = open_cursor(s->bucket.tx->tx, s->id, &c);
	if (err)
		return err;
	err = load_extent(s, c, block);
	dbfs_cursor_close(c);
	return err;
}

int dbfs_kv_stream_read(struct dbfs_kv_stream *s, uint64_t off, void *buf, size_t len,
			size_t *done_out)
{
	uint8_t *p = buf;
	int err = stream_ok(s, false);

	if (err)
		return err;
	len = off < s->size ? (size_t)MIN((uint64_t)len, s->size - off) : 0;
	*done_out = 0;
	for (size_t done = 0; done < len;) {
		uint64_t at = off + done;
		uint64_t in_buf;
		size_t n;

		err = fetch(s, at / DBFS_BLOCK_SIZE);
		if (err)
			return err;
		in_buf = at - s->first * DBFS_BLOCK_SIZE;
		n = MIN(len - done, (size_t)(s->extent * (uint64_t)DBFS_BLOCK_SIZE - in_buf));
		memcpy(p + done, s->buf + in_buf, n);
		done += n;
		*done_out = done;
	}
	return 0;
}
