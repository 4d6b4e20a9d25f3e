/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#ifndef DBFS_FILE_FILE_PRIV_H
#define DBFS_FILE_FILE_PRIV_H

#include "inode/extent.h"

/* A regular file that exists; -DBFS_EISDIR, -DBFS_EINVAL. */
int dbfs_file_load(struct dbfs_tx *tx, struct dbfs_ino ino, struct dbfs_inode *out) MUST_CHECK;

/* The contents of an inline file: exactly in->size bytes into buf. */
int dbfs_file_get_inline(struct dbfs_tx *tx, const struct dbfs_inode *in, uint8_t *buf) MUST_CHECK;
int dbfs_file_put_inline(struct dbfs_tx *tx, const struct dbfs_inode *in, const uint8_t *buf)
	MUST_CHECK;

/* One block of a file without inline contents into buf; a hole gives zeros. */
int dbfs_file_load_block(struct dbfs_tx *tx, const struct dbfs_inode *in, uint64_t block,
			 uint8_t *buf, bool *hole) MUST_CHECK;

/* Moves inline contents to block 0. */
int dbfs_file_spill(struct dbfs_tx *tx, struct dbfs_inode *in) MUST_CHECK;

/* Makes [off, end), end <= size, read as zeros; whole blocks become holes. Does not store in. */
int dbfs_file_zero(struct dbfs_tx *tx, struct dbfs_inode *in, uint64_t off, uint64_t end)
	MUST_CHECK;

#endif
