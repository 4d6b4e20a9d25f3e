/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The extents of a file: which runs of file blocks stand where on the device, with a checksum for each
 * block. Everything happens in the caller's transaction; structures are large and live on the heap.
 */
#ifndef DBFS_INODE_EXTENT_H
#define DBFS_INODE_EXTENT_H

#include "inode/inode.h"

/* One past the largest file block number. */
#define DBFS_EXTENT_END (DBFS_FILE_MAX / DBFS_BLOCK_SIZE)

struct dbfs_extent_rec {
	uint64_t first; /* file block */
	uint64_t block; /* on the device */
	uint32_t count; /* 1..FS_EXTENT_BLOCKS_MAX */
	uint32_t crcs[FS_EXTENT_BLOCKS_MAX];
};

/* Trusts nothing; -DBFS_ECORRUPT, silently. The key holds ino and first. */
int dbfs_extent_decode(struct dbfs_key key, struct dbfs_val val, uint64_t *ino,
		       struct dbfs_extent_rec *out) MUST_CHECK;

/* --- Walking ------------------------------------------------------------------------------ */

struct dbfs_extent_iter {
	struct dbfs_cursor *c;
	uint64_t ino;
	uint64_t pos; /* extents that end at or before it are behind */
	bool started;
	struct dbfs_extent_rec rec; /* the current extent */
};

/* Gives an iterator before the first extent that ends after block from. */
int dbfs_extent_iter_open(struct dbfs_tx *tx, struct dbfs_ino ino, uint64_t from,
			  struct dbfs_extent_iter **out) MUST_CHECK;
/* The next extent into it->rec; the transaction may have changed meanwhile. -DBFS_ENOENT: no more. */
int dbfs_extent_iter_next(struct dbfs_extent_iter *it) MUST_CHECK;
void dbfs_extent_iter_close(struct dbfs_extent_iter *it);

/* --- Changing ----------------------------------------------------------------------------- */

/* Makes a hole of the file blocks [lo, hi): frees, shortens and splits. Updates in->blocks. */
int dbfs_extent_cut(struct dbfs_tx *tx, struct dbfs_inode *in, uint64_t lo, uint64_t hi) MUST_CHECK;
/* The same for the whole file, at most max records of it; *more: some are left. */
int dbfs_extent_cut_some(struct dbfs_tx *tx, struct dbfs_inode *in, unsigned max, bool *more)
	MUST_CHECK;

/*
 * Collects newly written runs in rising file order and stores them as few records. init looks at the
 * extent that ends where the run begins: it may be made longer, and gives the hint for the allocation.
 */
struct dbfs_extent_builder {
	struct dbfs_tx *tx;
	struct dbfs_inode *in;
	uint64_t hint;
	uint32_t stored; /* of rec.count blocks, how many are stored already */
	struct dbfs_extent_rec rec;
};

int dbfs_extent_builder_init(struct dbfs_extent_builder *b, struct dbfs_tx *tx,
			     struct dbfs_inode *in, uint64_t first) MUST_CHECK;
/* Writes n blocks of data as file blocks from first on (a hole so far). */
int dbfs_extent_builder_write(struct dbfs_extent_builder *b, uint64_t first, const void *data,
			      uint32_t n) MUST_CHECK;
int dbfs_extent_builder_flush(struct dbfs_extent_builder *b) MUST_CHECK;

#endif
