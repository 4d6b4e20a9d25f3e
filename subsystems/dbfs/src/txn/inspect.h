/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* A look at the engine from outside, for fsck: which blocks it uses for itself. The volume is idle. */
#ifndef DBFS_TXN_INSPECT_H
#define DBFS_TXN_INSPECT_H

#include "dbfs/dbfs.h"

enum dbfs_inspect_kind {
	DBFS_INSPECT_RESERVED,   /* superblocks, roots, log */
	DBFS_INSPECT_TREE_PAGE,  /* read and checked: err */
	DBFS_INSPECT_TREE_VALUE, /* blocks of a long value; count 0: its contents are wrong (err) */
	DBFS_INSPECT_MAP,        /* of the space map; it was checked at open */
	DBFS_INSPECT_FREED, /* freed by commits since the last checkpoint, in use until the next */
};

/* Calls fn for all of them. -DBFS_ENOMEM. */
int dbfs_inspect_blocks(struct dbfs *db,
			void (*fn)(void *arg, uint64_t block, uint64_t count,
				   enum dbfs_inspect_kind kind, int err),
			void *arg) MUST_CHECK;

/* Is the block taken in the space map, the log replayed? */
bool dbfs_inspect_used(struct dbfs *db, uint64_t block);

/* The next number that dbfs_txn_new_id would give. */
uint64_t dbfs_inspect_next_id(struct dbfs *db);

#endif
