/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Files: reading, and what does not write data. Writing is in write.c.
 *
 * Up to FS_INLINE_MAX bytes a file lives in the tree as one value, so that a small file is one log
 * write and no block. When it grows beyond, its contents move to block 0 and it never
 * comes back, unless it is truncated to nothing.
 *
 *   FILE-1  No extent lies at or past the end of the file.
 *   FILE-2  The bytes of the last block after the end of the file are zero, so extending needs no write.
 *   FILE-3  A file of size 0 has neither extents nor inline contents.
 */
#include "file/file_priv.h"

#include "file/file.h"
#include "port/mem.h"

#define BS DBFS_BLOCK_SIZE
#define BOUNCE_BLOCKS 16u

int dbfs_file_load(struct dbfs_tx *tx, struct dbfs_ino ino, struct dbfs_inode *out)
{
	int err = dbfs_inode_load(tx, ino, out);

	if (err != 0)
		return err;
	if (dbfs_inode_is(out, DBFS_S_IFDIR))
		return -DBFS_EISDIR;
	return dbfs_inode_is(out, DBFS_S_IFREG) ? 0 : -DBFS_EINVAL;
}

int dbfs_file_get_inline(struct dbfs_tx *tx, const struct dbfs_inode *in, uint8_t *buf)
{
	uint8_t kb[8];
	size_t len;
	int err = dbfs_txn_get(tx, dbfs_fs_key1(DBFS_BUCKET_INLINE, kb, in->ino.n), buf,
			       (size_t)in->size, &len, 0);

	if (err == -DBFS_ENOENT || (err == 0 && len != in->size))
		return dbfs_fs_corrupt("inline contents missing or of wrong length", in->ino.n);
	return err;
}

int dbfs_file_put_inline(struct dbfs_tx *tx, const struct dbfs_inode *in, const uint8_t *buf)
{
	uint8_t kb[8];

	return dbfs_txn_put(tx, dbfs_fs_key1(DBFS_BUCKET_INLINE, kb, in->ino.n),
			    (struct dbfs_val){buf, (size_t)in->size});
}

/* --- Reading ------------------------------------------------------------------------------ */

struct reader {
	struct dbfs_tx *tx;
	struct dbfs_extent_iter *it;
	uint8_t *bounce; /* BOUNCE_BLOCKS, allocated on first use */
	uint8_t *to;
	uint64_t off;
	uint64_t end;
};

static void zero_to(struct reader *r, uint64_t end)
{
	size_t n = (size_t)(MIN(end, r->end) - r->off);

	__builtin_memset(r->to, 0, n);
	r->to += n;
	r->off += n;
}

/* Reads from the current extent, which covers r->off, up to its end or that of the request. */
static int read_extent(struct reader *r)
{
	const struct dbfs_extent_rec *rec = &r->it->rec;
	uint64_t rec_end = (rec->first + rec->count) * BS;

	while (r->off < r->end && r->off < rec_end) {
		uint32_t skip = (uint32_t)(r->off / BS - rec->first);
		uint64_t left = MIN(r->end, rec_end) - r->off;
		size_t head = (size_t)(r->off % BS);
		bool direct = head == 0 && left >= BS && ((uintptr_t)r->to & 15) == 0;
		uint64_t blocks =
			direct ? left / BS : MIN((head + left + BS - 1) / BS, BOUNCE_BLOCKS);
		size_t n = (size_t)(direct ? blocks * BS : MIN(left, blocks * BS - head));
		struct dbfs_extent e = {rec->block + skip, (uint32_t)blocks};
		int err;

		if (!direct && r->bounce == NULL) {
			r->bounce = port_alloc_pages(BOUNCE_BLOCKS);
			if (r->bounce == NULL)
				return -DBFS_ENOMEM;
		}
		err = dbfs_txn_data_read(r->tx, e, &rec->crcs[skip], direct ? r->to : r->bounce);
		if (err != 0)
			return err;
		if (!direct)
			__builtin_memcpy(r->to, r->bounce + head, n);
		r->to += n;
		r->off += n;
	}
	return 0;
}

static int read_extents(struct dbfs_tx *tx, const struct dbfs_inode *in, struct reader *r)
{
	int err = dbfs_extent_iter_open(tx, in->ino, r->off / BS, &r->it);

	if (err != 0)
		return err;
	while (r->off < r->end) {
		err = dbfs_extent_iter_next(r->it);
		if (err == -DBFS_ENOENT || (err == 0 && r->it->rec.first * BS >= r->end)) {
			zero_to(r, r->end);
			err = 0;
			break;
		}
		if (err == 0 && r->it->rec.first * BS > r->off)
			zero_to(r, r->it->rec.first * BS);
		if (err == 0)
			err = read_extent(r);
		if (err != 0)
			break;
	}
	dbfs_extent_iter_close(r->it);
	if (r->bounce != NULL)
		port_free_pages(r->bounce, BOUNCE_BLOCKS);
	return err;
}

static int read_inline(struct dbfs_tx *tx, const struct dbfs_inode *in, const struct reader *r)
{
	uint8_t *buf = port_alloc((size_t)in->size);
	int err;

	if (buf == NULL)
		return -DBFS_ENOMEM;
	err = dbfs_file_get_inline(tx, in, buf);
	if (err == 0)
		__builtin_memcpy(r->to, buf + r->off, (size_t)(r->end - r->off));
	port_free(buf);
	return err;
}

int dbfs_read(struct dbfs_tx *tx, struct dbfs_ino ino, uint64_t off, void *buf, size_t len,
	      size_t *done)
{
	struct dbfs_inode in;
	struct reader r = {.tx = tx, .to = buf, .off = off};
	int err = dbfs_file_load(tx, ino, &in);

	if (err != 0)
		return err;
	if (off >= in.size || len == 0) {
		*done = 0;
		return 0;
	}
	len = (size_t)MIN(len, in.size - off);
	r.end = off + len;
	if ((in.flags & FS_INODE_INLINE) != 0)
		err = read_inline(tx, &in, &r);
	else
		err = read_extents(tx, &in, &r);
	if (err == 0)
		*done = len;
	return err;
}

int dbfs_file_load_block(struct dbfs_tx *tx, const struct dbfs_inode *in, uint64_t block,
			 uint8_t *buf, bool *hole)
{
	struct dbfs_extent_iter *it;
	int err = dbfs_extent_iter_open(tx, in->ino, block, &it);

	if (err != 0)
		return err;
	err = dbfs_extent_iter_next(it);
	*hole = err == -DBFS_ENOENT || (err == 0 && it->rec.first > block);
	if (*hole) {
		__builtin_memset(buf, 0, BS);
		err = 0;
	} else if (err == 0) {
		uint32_t skip = (uint32_t)(block - it->rec.first);

		err = dbfs_txn_data_read(tx, (struct dbfs_extent){it->rec.block + skip, 1},
					 &it->rec.crcs[skip], buf);
	}
	dbfs_extent_iter_close(it);
	return err;
}

/* --- Seeking ------------------------------------------------------------------------------ */

static int seek_extents(struct dbfs_tx *tx, const struct dbfs_inode *in, uint64_t off, bool hole,
			uint64_t *out)
{
	struct dbfs_extent_iter *it;
	uint64_t at = off;
	int err = dbfs_extent_iter_open(tx, in->ino, off / BS, &it);

	if (err != 0)
		return err;
	while ((err = dbfs_extent_iter_next(it)) == 0) {
		uint64_t first = it->rec.first * BS;

		if (!hole) {
			*out = MAX(off, first);
			break;
		}
		if (first > at)
			break;
		at = (it->rec.first + it->rec.count) * BS;
	}
	dbfs_extent_iter_close(it);
	if (hole && (err == 0 || err == -DBFS_ENOENT)) {
		*out = MIN(at, in->size);
		return 0;
	}
	return err == -DBFS_ENOENT ? -DBFS_ENXIO : err;
}

int dbfs_seek(struct dbfs_tx *tx, struct dbfs_ino ino, uint64_t off, bool hole, uint64_t *out)
{
	struct dbfs_inode in;
	int err = dbfs_file_load(tx, ino, &in);

	if (err != 0)
		return err;
	if (off >= in.size)
		return -DBFS_ENXIO;
	if ((in.flags & FS_INODE_INLINE) != 0) {
		*out = hole ? in.size : off;
		return 0;
	}
	return seek_extents(tx, &in, off, hole, out);
}
