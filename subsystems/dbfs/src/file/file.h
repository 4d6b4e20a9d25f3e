/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* What fs needs of files beyond dbfs/fs.h. */
#ifndef DBFS_FILE_FILE_H
#define DBFS_FILE_FILE_H

#include "inode/inode.h"

/* Sets the size of a regular file (-DBFS_EISDIR, -DBFS_EINVAL, -DBFS_EFBIG); the caller stores in. */
int dbfs_file_resize(struct dbfs_tx *tx, struct dbfs_inode *in, uint64_t size) MUST_CHECK;

#endif
