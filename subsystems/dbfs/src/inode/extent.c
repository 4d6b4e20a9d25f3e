/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Extents of files.
 *
 * A record describes 1..128 file blocks that are consecutive on the device, with their CRC32C:
 * key (ino, first file block), 16 + 4 * count bytes. What no record covers is a hole.
 *
 *   EXT-1  Records of a file do not overlap. No record reaches past the last block of the file's size.
 *   EXT-2  Blocks are never overwritten: a change writes new blocks and cuts the old out of their records.
 *   EXT-3  A record is made longer by an append only if that stays cheap: at most EXTEND_FREELY blocks
 *          in it, or the append has at least 1/EXTEND_RATIO of its length. So a file that grows
 *          by single blocks has records of 17 blocks, and each block's checksum is logged about nine
 *          times instead of sixty-four; a file written in large pieces has records of 128.
 *
 * The lowest key that can cover block b is b - 127, which bounds the ranges that look-ups track.
 */
#include "inode/extent.h"

#include "base/overflow.h"
#include "port/mem.h"

#define EXTEND_FREELY 16u
#define EXTEND_RATIO 8u

int dbfs_extent_decode(struct dbfs_key key, struct dbfs_val val, uint64_t *ino,
		       struct dbfs_extent_rec *out)
{
	const struct fs_extent_disk *d = val.p;
	const struct le32 *crcs;
	uint64_t end;

	if (key.len != 16 || val.len < sizeof(*d))
		return -DBFS_ECORRUPT;
	*ino = be64_load(key.p);
	out->first = be64_load((const uint8_t *)key.p + 8);
	out->block = le64_get(d->block);
	out->count = le32_get(d->count);
	if (out->count == 0 || out->count > FS_EXTENT_BLOCKS_MAX || le32_get(d->reserved) != 0 ||
	    val.len != sizeof(*d) + 4 * (size_t)out->count)
		return -DBFS_ECORRUPT;
	if (!range_fits(out->first, out->count, DBFS_EXTENT_END) || out->block == 0 ||
	    add_u64(out->block, out->count, &end))
		return -DBFS_ECORRUPT;
	crcs = (const struct le32 *)(const void *)(d + 1);
	for (uint32_t i = 0; i < out->count; i++)
		out->crcs[i] = le32_get(crcs[i]);
	return 0;
}

/* Stores part [from, from + count) of rec as a record of its own. */
static int store_part(struct dbfs_tx *tx, struct dbfs_ino ino, const struct dbfs_extent_rec *rec,
		      uint32_t from, uint32_t count)
{
	uint8_t kb[16];
	uint8_t buf[FS_EXTENT_DISK_MAX];
	struct fs_extent_disk *d = (struct fs_extent_disk *)(void *)buf;
	struct le32 *crcs = (struct le32 *)(void *)(d + 1);

	d->block = le64_of(rec->block + from);
	d->count = le32_of(count);
	d->reserved = le32_of(0);
	for (uint32_t i = 0; i < count; i++)
		crcs[i] = le32_of(rec->crcs[from + i]);
	return dbfs_txn_put(tx, dbfs_fs_key2(DBFS_BUCKET_EXTENT, kb, ino.n, rec->first + from),
			    (struct dbfs_val){buf, sizeof(*d) + 4 * (size_t)count});
}

/* --- Walking ------------------------------------------------------------------------------ */

int dbfs_extent_iter_open(struct dbfs_tx *tx, struct dbfs_ino ino, uint64_t from,
			  struct dbfs_extent_iter **out)
{
	uint8_t lo[16];
	uint8_t hi[8];
	uint64_t low = from < FS_EXTENT_BLOCKS_MAX ? 0 : from - (FS_EXTENT_BLOCKS_MAX - 1);
	struct dbfs_extent_iter *it = port_alloc(sizeof(*it));
	int err;

	if (it == NULL)
		return -DBFS_ENOMEM;
	it->ino = ino.n;
	it->pos = from;
	it->started = false;
	err = dbfs_cursor_open(tx, dbfs_fs_key2(DBFS_BUCKET_EXTENT, lo, ino.n, low),
			       dbfs_fs_key1(DBFS_BUCKET_EXTENT, hi, ino.n + 1), 0, &it->c);
	if (err != 0) {
		port_free(it);
		return err;
	}
	*out = it;
	return 0;
}

/* Decodes where the cursor stands. */
static int take(struct dbfs_extent_iter *it)
{
	struct dbfs_val val;
	uint64_t ino;
	int err = dbfs_cursor_value(it->c, &val);

	if (err != 0)
		return err;
	err = dbfs_extent_decode(dbfs_cursor_key(it->c), val, &ino, &it->rec);
	if (err != 0 || ino != it->ino)
		return dbfs_fs_corrupt("damaged extent record", it->ino);
	return 0;
}

int dbfs_extent_iter_next(struct dbfs_extent_iter *it)
{
	uint8_t kb[16];
	int err;

	if (!it->started) {
		it->started = true;
		err = dbfs_cursor_seek_last(it->c,
					    dbfs_fs_key2(DBFS_BUCKET_EXTENT, kb, it->ino, it->pos));
		if (err == 0)
			err = take(it);
		if (err == 0 && it->rec.first + it->rec.count > it->pos)
			goto found;
		if (err != 0 && err != -DBFS_ENOENT)
			return err;
	}
	err = dbfs_cursor_seek(it->c, dbfs_fs_key2(DBFS_BUCKET_EXTENT, kb, it->ino, it->pos));
	if (err == 0)
		err = take(it);
	if (err != 0)
		return err;
found:
	it->pos = it->rec.first + it->rec.count;
	return 0;
}

void dbfs_extent_iter_close(struct dbfs_extent_iter *it)
{
	dbfs_cursor_close(it->c);
	port_free(it);
}

/* --- Changing ----------------------------------------------------------------------------- */

/* Cuts the file blocks [a, b), which rec has, out of it. */
static int cut_one(struct dbfs_tx *tx, struct dbfs_inode *in, const struct dbfs_extent_rec *rec,
		   uint64_t a, uint64_t b)
{
	uint64_t end = rec->first + rec->count;
	uint32_t before = (uint32_t)(a - rec->first);
	uint32_t gone = (uint32_t)(b - a);
	int err = dbfs_txn_data_free(tx, (struct dbfs_extent){rec->block + before, gone});

	if (err != 0)
		return err;
	if (in->blocks < gone)
		return dbfs_fs_corrupt("more blocks in extents than counted", in->ino.n);
	in->blocks -= gone;
	if (before > 0) {
		err = store_part(tx, in->ino, rec, 0, before);
	} else {
		uint8_t kb[16];

		err = dbfs_txn_delete(tx,
				      dbfs_fs_key2(DBFS_BUCKET_EXTENT, kb, in->ino.n, rec->first));
	}
	if (err == 0 && b < end)
		err = store_part(tx, in->ino, rec, before + gone, (uint32_t)(end - b));
	return err;
}

/* Cuts [lo, hi) out of at most max records; *more: there were others. */
static int cut(struct dbfs_tx *tx, struct dbfs_inode *in, uint64_t lo, uint64_t hi, uint64_t max,
	       bool *more)
{
	struct dbfs_extent_iter *it;
	int err = dbfs_extent_iter_open(tx, in->ino, lo, &it);

	if (err != 0)
		return err;
	*more = false;
	while ((err = dbfs_extent_iter_next(it)) == 0 && it->rec.first < hi) {
		uint64_t end = it->rec.first + it->rec.count;

		*more = max-- == 0;
		if (*more)
			break;
		err = cut_one(tx, in, &it->rec, MAX(it->rec.first, lo), MIN(end, hi));
		if (err != 0)
			break;
	}
	dbfs_extent_iter_close(it);
	return err == -DBFS_ENOENT ? 0 : err;
}

int dbfs_extent_cut(struct dbfs_tx *tx, struct dbfs_inode *in, uint64_t lo, uint64_t hi)
{
	bool more;

	return cut(tx, in, lo, hi, UINT64_MAX, &more);
}

int dbfs_extent_cut_some(struct dbfs_tx *tx, struct dbfs_inode *in, unsigned max, bool *more)
{
	return cut(tx, in, 0, DBFS_EXTENT_END, max, more);
}

int dbfs_extent_builder_init(struct dbfs_extent_builder *b, struct dbfs_tx *tx,
			     struct dbfs_inode *in, uint64_t first)
{
	struct dbfs_extent_iter *it;
	int err;

	b->tx = tx;
	b->in = in;
	b->hint = 0;
	b->stored = 0;
	b->rec.count = 0;
	if (first == 0 || in->blocks == 0)
		return 0;
	err = dbfs_extent_iter_open(tx, in->ino, first - 1, &it);
	if (err != 0)
		return err;
	err = dbfs_extent_iter_next(it);
	if (err == 0 && it->rec.first + it->rec.count == first) {
		b->rec = it->rec;
		b->stored = it->rec.count;
		b->hint = it->rec.block + it->rec.count;
	}
	dbfs_extent_iter_close(it);
	return err == -DBFS_ENOENT ? 0 : err;
}

int dbfs_extent_builder_flush(struct dbfs_extent_builder *b)
{
	int err = 0;

	if (b->rec.count > b->stored) {
		err = store_part(b->tx, b->in->ino, &b->rec, 0, b->rec.count);
		b->in->blocks += b->rec.count - b->stored;
	}
	b->stored = 0;
	b->rec.count = 0;
	return err;
}

/* May the pending record take n more blocks (EXT-3)? */
static bool extend(const struct dbfs_extent_builder *b, uint64_t first, struct dbfs_extent e)
{
	const struct dbfs_extent_rec *r = &b->rec;

	if (r->count == 0 || r->first + r->count != first || r->block + r->count != e.block ||
	    r->count + e.count > FS_EXTENT_BLOCKS_MAX)
		return false;
	return b->stored == 0 || r->count > b->stored || r->count <= EXTEND_FREELY ||
	       e.count >= r->count / EXTEND_RATIO;
}

int dbfs_extent_builder_write(struct dbfs_extent_builder *b, uint64_t first, const void *data,
			      uint32_t n)
{
	const uint8_t *p = data;
	uint32_t crcs[FS_EXTENT_BLOCKS_MAX];

	while (n > 0) {
		struct dbfs_extent e;
		int err = dbfs_txn_data_write(b->tx, p, MIN(n, FS_EXTENT_BLOCKS_MAX), b->hint, &e,
					      crcs);

		if (err != 0)
			return err;
		if (!extend(b, first, e)) {
			err = dbfs_extent_builder_flush(b);
			if (err != 0)
				return err;
			b->rec.first = first;
			b->rec.block = e.block;
		}
		for (uint32_t i = 0; i < e.count; i++)
			b->rec.crcs[b->rec.count + i] = crcs[i];
		b->rec.count += e.count;
		b->hint = e.block + e.count;
		first += e.count;
		p += (size_t)e.count * DBFS_BLOCK_SIZE;
		n -= e.count;
	}
	return 0;
}
