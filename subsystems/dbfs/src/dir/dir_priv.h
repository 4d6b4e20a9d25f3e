/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#ifndef DBFS_DIR_DIR_PRIV_H
#define DBFS_DIR_DIR_PRIV_H

#include "dir/dirent.h"

/* Rolls back to sp if err is not 0; err. Makes an operation atomic within its transaction. */
static inline int dbfs_end_op(struct dbfs_tx *tx, struct dbfs_savepoint sp, int err)
{
	if (err != 0)
		dbfs_tx_rollback_to(tx, sp);
	return err;
}

/* dir is a directory that still has a name; else -DBFS_ENOTDIR, -DBFS_ENOENT. */
int dbfs_dir_load_alive(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_inode *out) MUST_CHECK;

#endif
