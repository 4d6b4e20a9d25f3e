/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Key-value stores in files: what a Linux program needs beside dbfs/kv.h to be three lines long. */
#ifndef LIB_KVFILE_H
#define LIB_KVFILE_H

#include "dbfs/kv.h"

/*
 * Opens the image at path. If there is none and size (bytes, rounded up to blocks) is not 0, makes one first: a sparse
 * file that appears under its name only when it is whole. What exists is never made anew. opts NULL: the
 * defaults. Ended by dbfs_close. Errors of dbfs_open; -DBFS_ENOENT; other -errno of open(2) and rename(2).
 */
int dbfs_kv_file_open(const char *path, uint64_t size, const struct dbfs_open_opts *opts,
		      struct dbfs **out) MUST_CHECK;

/*
 * Writes the image at path anew, dense, into as small a file as it safely fits, and puts that in its place. After
 * a crash the old or the new one is there. Needs the image for itself: -DBFS_EBUSY. *before and *after are the
 * sizes of the files (may be NULL).
 */
int dbfs_kv_file_compact(const char *path, uint64_t *before, uint64_t *after) MUST_CHECK;

/* A copy of an open store (dbfs_kv_copy) as a new file; it appears under its name when it is whole. */
int dbfs_kv_file_copy(struct dbfs *db, const char *path) MUST_CHECK;

#endif
