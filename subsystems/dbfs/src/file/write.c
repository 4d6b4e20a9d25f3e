/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Writing files: write, truncate, holes. Always copy-on-write (EXT-2): a part of a block is
 * written by reading the block, changing the copy and storing it elsewhere. The order within an
 * operation is: load what will be needed, cut the old blocks out, write the new ones. A failure anywhere
 * is undone by the savepoint of the public operation.
 */
#include "file/file_priv.h"

#include "file/file.h"
#include "port/mem.h"

#define BS DBFS_BLOCK_SIZE
#define BOUNCE_BLOCKS 16u

struct writer {
	struct dbfs_tx *tx;
	struct dbfs_inode *in;
	uint8_t *bounce; /* BOUNCE_BLOCKS */
	const uint8_t *from;
	uint64_t off;
	uint64_t end;
	uint64_t old_blocks; /* file blocks before this one may be mapped (FILE-1) */
	struct dbfs_extent_builder b;
};

/* --- Inline contents ---------------------------------------------------------------------- */

/* The file becomes size <= FS_INLINE_MAX bytes: the old ones, zeros, and len bytes from p at off. */
static int write_inline(struct dbfs_tx *tx, struct dbfs_inode *in, uint64_t off, const void *p,
			size_t len)
{
	uint8_t *buf = port_alloc_zeroed(FS_INLINE_MAX);
	int err = 0;

	if (buf == NULL)
		return -DBFS_ENOMEM;
	if ((in->flags & FS_INODE_INLINE) != 0)
		err = dbfs_file_get_inline(tx, in, buf);
	if (err == 0) {
		__builtin_memcpy(buf + off, p, len);
		in->size = MAX(in->size, off + len);
		in->flags |= FS_INODE_INLINE;
		err = dbfs_file_put_inline(tx, in, buf);
	}
	port_free(buf);
	return err;
}

static int delete_inline(struct dbfs_tx *tx, struct dbfs_inode *in)
{
	uint8_t kb[8];

	in->flags &= ~(uint32_t)FS_INODE_INLINE;
	return dbfs_txn_delete(tx, dbfs_fs_key1(DBFS_BUCKET_INLINE, kb, in->ino.n));
}

/* Stores one block in place of what is there. */
static int store_block(struct dbfs_tx *tx, struct dbfs_inode *in, uint64_t block,
		       const uint8_t *data)
{
	struct dbfs_extent_builder *b;
	int err = dbfs_extent_cut(tx, in, block, block + 1);

	if (err != 0)
		return err;
	b = port_alloc(sizeof(*b));
	if (b == NULL)
		return -DBFS_ENOMEM;
	err = dbfs_extent_builder_init(b, tx, in, block);
	if (err == 0)
		err = dbfs_extent_builder_write(b, block, data, 1);
	if (err == 0)
		err = dbfs_extent_builder_flush(b);
	port_free(b);
	return err;
}

int dbfs_file_spill(struct dbfs_tx *tx, struct dbfs_inode *in)
{
	uint8_t *buf;
	int err;

	if ((in->flags & FS_INODE_INLINE) == 0)
		return 0;
	buf = port_alloc_pages(1);
	if (buf == NULL)
		return -DBFS_ENOMEM;
	__builtin_memset(buf, 0, BS);
	err = dbfs_file_get_inline(tx, in, buf);
	if (err == 0)
		err = delete_inline(tx, in);
	if (err == 0)
		err = store_block(tx, in, 0, buf);
	port_free_pages(buf, 1);
	return err;
}

/* --- Extents ------------------------------------------------------------------------------ */

/* Old contents of the block that the bounce buffer's slot will hold, where not all is overwritten. */
static int prepare(struct writer *w, uint64_t block, uint8_t *slot)
{
	uint64_t start = block * BS;
	bool hole;

	if (w->off <= start && w->end >= start + BS)
		return 0;
	if (block >= w->old_blocks) {
		__builtin_memset(slot, 0, BS);
		return 0;
	}
	return dbfs_file_load_block(w->tx, w->in, block, slot, &hole);
}

/* Fills the bounce buffer with what blocks [first, first + n) shall be. */
static int fill_bounce(struct writer *w, uint64_t first, uint32_t n)
{
	size_t head = (size_t)(w->off - first * BS);
	size_t len = (size_t)(MIN(w->end, (first + n) * BS) - w->off);
	int err = prepare(w, first, w->bounce);

	if (err == 0 && n > 1)
		err = prepare(w, first + n - 1, w->bounce + (size_t)(n - 1) * BS);
	if (err == 0)
		__builtin_memcpy(w->bounce + head, w->from, len);
	return err;
}

/* One round: as many blocks as can be handled together. */
static int write_some(struct writer *w)
{
	uint64_t first = w->off / BS;
	uint64_t whole = (w->end - w->off) / BS;
	bool direct = w->off % BS == 0 && whole > 0 && ((uintptr_t)w->from & 15) == 0;
	uint64_t span = (w->end + BS - 1) / BS - first;
	uint32_t n =
		(uint32_t)(direct ? MIN(whole, FS_EXTENT_BLOCKS_MAX) : MIN(span, BOUNCE_BLOCKS));
	uint64_t next = MIN(w->end, (first + n) * BS);
	int err = direct ? 0 : fill_bounce(w, first, n);

	if (err == 0 && first < w->old_blocks) {
		/* The builder's unfinished record must be stored before others are cut around it. */
		err = dbfs_extent_builder_flush(&w->b);
		if (err == 0)
			err = dbfs_extent_cut(w->tx, w->in, first, first + n);
		if (err == 0)
			err = dbfs_extent_builder_init(&w->b, w->tx, w->in, first);
	}
	if (err == 0)
		err = dbfs_extent_builder_write(&w->b, first, direct ? w->from : w->bounce, n);
	w->from += next - w->off;
	w->off = next;
	return err;
}

static int write_extents(struct dbfs_tx *tx, struct dbfs_inode *in, uint64_t off, const void *p,
			 size_t len)
{
	struct writer *w;
	int err = dbfs_file_spill(tx, in);

	if (err != 0)
		return err;
	w = port_alloc_zeroed(sizeof(*w));
	if (w == NULL)
		return -DBFS_ENOMEM;
	w->tx = tx;
	w->in = in;
	w->from = p;
	w->off = off;
	w->end = off + len;
	w->old_blocks = (in->size + BS - 1) / BS;
	w->bounce = port_alloc_pages(BOUNCE_BLOCKS);
	err = w->bounce == NULL ? -DBFS_ENOMEM : 0;
	if (err == 0)
		err = dbfs_extent_builder_init(&w->b, tx, in, off / BS);
	while (err == 0 && w->off < w->end)
		err = write_some(w);
	if (err == 0)
		err = dbfs_extent_builder_flush(&w->b);
	if (err == 0)
		in->size = MAX(in->size, off + len);
	if (w->bounce != NULL)
		port_free_pages(w->bounce, BOUNCE_BLOCKS);
	port_free(w);
	return err;
}

int dbfs_write(struct dbfs_tx *tx, struct dbfs_ino ino, uint64_t off, const void *buf, size_t len)
{
	struct dbfs_savepoint sp;
	struct dbfs_inode in;
	bool fits;
	int err = dbfs_file_load(tx, ino, &in);

	if (err != 0)
		return err;
	if (dbfs_tx_is_read_only(tx))
		return -DBFS_EROFS;
	if (len == 0)
		return 0;
	if (off > DBFS_FILE_MAX || len > DBFS_FILE_MAX - off)
		return -DBFS_EFBIG;
	sp = dbfs_tx_savepoint(tx);
	fits = off + len <= FS_INLINE_MAX && (in.size == 0 || (in.flags & FS_INODE_INLINE) != 0);
	if (fits)
		err = write_inline(tx, &in, off, buf, len);
	else
		err = write_extents(tx, &in, off, buf, len);
	if (err == 0) {
		dbfs_inode_modified(&in);
		err = dbfs_inode_store(tx, &in);
	}
	if (err != 0)
		dbfs_tx_rollback_to(tx, sp);
	return err;
}

/* --- Size and holes ----------------------------------------------------------------------- */

/* Zeros the part [from, to) of one block, if the block is there. */
static int zero_part(struct dbfs_tx *tx, struct dbfs_inode *in, uint64_t block, uint64_t from,
		     uint64_t to)
{
	uint8_t *buf = port_alloc_pages(1);
	bool hole;
	int err;

	if (buf == NULL)
		return -DBFS_ENOMEM;
	err = dbfs_file_load_block(tx, in, block, buf, &hole);
	if (err == 0 && !hole) {
		__builtin_memset(buf + from, 0, (size_t)(to - from));
		err = store_block(tx, in, block, buf);
	}
	port_free_pages(buf, 1);
	return err;
}

int dbfs_file_zero(struct dbfs_tx *tx, struct dbfs_inode *in, uint64_t off, uint64_t end)
{
	uint64_t first = (off + BS - 1) / BS; /* whole blocks [first, last) */
	uint64_t last = end == in->size ? (end + BS - 1) / BS : end / BS;
	int err = 0;

	if (off >= end)
		return 0;
	if (first > last) /* within one block */
		return zero_part(tx, in, off / BS, off % BS, end % BS);
	if (off % BS != 0)
		err = zero_part(tx, in, off / BS, off % BS, BS);
	if (err == 0 && first < last)
		err = dbfs_extent_cut(tx, in, first, last);
	if (err == 0 && last * BS < end)
		err = zero_part(tx, in, last, 0, end - last * BS);
	return err;
}

/* Shortens an inline file to size, or makes it longer with zeros. */
static int resize_inline(struct dbfs_tx *tx, struct dbfs_inode *in, uint64_t size)
{
	uint8_t *buf = port_alloc_zeroed(FS_INLINE_MAX);
	int err;

	if (buf == NULL)
		return -DBFS_ENOMEM;
	err = dbfs_file_get_inline(tx, in, buf);
	in->size = size;
	if (err == 0)
		err = dbfs_file_put_inline(tx, in, buf);
	port_free(buf);
	return err;
}

int dbfs_file_resize(struct dbfs_tx *tx, struct dbfs_inode *in, uint64_t size)
{
	int err;

	if (dbfs_inode_is(in, DBFS_S_IFDIR))
		return -DBFS_EISDIR;
	if (!dbfs_inode_is(in, DBFS_S_IFREG))
		return -DBFS_EINVAL;
	if (size > DBFS_FILE_MAX)
		return -DBFS_EFBIG;
	if (size < in->size)
		dbfs_txn_use_reserve(tx);
	if ((in->flags & FS_INODE_INLINE) != 0) {
		if (size != 0 && size <= FS_INLINE_MAX)
			return resize_inline(tx, in, size);
		err = size == 0 ? delete_inline(tx, in) : dbfs_file_spill(tx, in);
	} else {
		/* Cut from the end on first: then the rest of the last block is all to zero. */
		err = size < in->size
			      ? dbfs_extent_cut(tx, in, (size + BS - 1) / BS, DBFS_EXTENT_END)
			      : 0;
		if (err == 0 && size < in->size && size % BS != 0)
			err = zero_part(tx, in, size / BS, size % BS, BS);
	}
	if (err == 0)
		in->size = size;
	return err;
}

static int zero_inline(struct dbfs_tx *tx, struct dbfs_inode *in, uint64_t off, uint64_t end)
{
	uint8_t *buf = port_alloc((size_t)in->size);
	int err;

	if (buf == NULL)
		return -DBFS_ENOMEM;
	err = dbfs_file_get_inline(tx, in, buf);
	if (err == 0) {
		__builtin_memset(buf + off, 0, (size_t)(end - off));
		err = dbfs_file_put_inline(tx, in, buf);
	}
	port_free(buf);
	return err;
}

static int fallocate(struct dbfs_tx *tx, struct dbfs_inode *in, unsigned mode, uint64_t off,
		     uint64_t end)
{
	bool holes = (mode & (DBFS_FALLOC_PUNCH_HOLE | DBFS_FALLOC_ZERO_RANGE)) != 0;
	uint64_t stop = MIN(end, in->size);
	int err = 0;

	if (holes && off < stop) {
		if ((mode & DBFS_FALLOC_PUNCH_HOLE) != 0)
			dbfs_txn_use_reserve(tx);
		err = (in->flags & FS_INODE_INLINE) != 0 ? zero_inline(tx, in, off, stop)
							 : dbfs_file_zero(tx, in, off, stop);
	} else if (!holes) {
		err = dbfs_txn_check_space(tx, (end - off) / BS + 1);
	}
	if (err == 0 && (mode & DBFS_FALLOC_KEEP_SIZE) == 0 && end > in->size)
		err = dbfs_file_resize(tx, in, end);
	if (err == 0) {
		dbfs_inode_modified(in);
		err = dbfs_inode_store(tx, in);
	}
	return err;
}

int dbfs_fallocate(struct dbfs_tx *tx, struct dbfs_ino ino, unsigned mode, uint64_t off,
		   uint64_t len)
{
	const unsigned known =
		DBFS_FALLOC_KEEP_SIZE | DBFS_FALLOC_PUNCH_HOLE | DBFS_FALLOC_ZERO_RANGE;
	struct dbfs_savepoint sp;
	struct dbfs_inode in;
	int err;

	if ((mode & ~known) != 0 ||
	    (mode & (DBFS_FALLOC_PUNCH_HOLE | DBFS_FALLOC_ZERO_RANGE)) ==
		    (DBFS_FALLOC_PUNCH_HOLE | DBFS_FALLOC_ZERO_RANGE) ||
	    ((mode & DBFS_FALLOC_PUNCH_HOLE) != 0 && (mode & DBFS_FALLOC_KEEP_SIZE) == 0))
		return -DBFS_EOPNOTSUPP;
	if (len == 0)
		return -DBFS_EINVAL;
	err = dbfs_file_load(tx, ino, &in);
	if (err != 0)
		return err;
	if (off > DBFS_FILE_MAX || len > DBFS_FILE_MAX - off)
		return -DBFS_EFBIG;
	sp = dbfs_tx_savepoint(tx);
	err = fallocate(tx, &in, mode, off, off + len);
	if (err != 0)
		dbfs_tx_rollback_to(tx, sp);
	return err;
}
