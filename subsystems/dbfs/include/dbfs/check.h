/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Checking an image (fsck.dbfs): every page, every checksum, every reference, every block, every
 * directory. Nothing is changed.
 */
#ifndef DBFS_CHECK_H
#define DBFS_CHECK_H

#include "dbfs/dbfs.h"

struct dbfs_check_opts {
	bool data; /* also read all file data and compare checksums */
	/* Called for each finding. object: "inode 17", "block 4711", ...; text: what is wrong. */
	void (*finding)(void *arg, const char *object, const char *text);
	void (*progress)(void *arg, uint64_t done, uint64_t total); /* NULL: none; blocks */
	void *arg;
};

struct dbfs_check_result {
	uint64_t findings;
	uint64_t inodes;
	uint64_t directories;
	uint64_t data_blocks;
	uint64_t tree_pages;
	uint64_t leaked_blocks;
};

/*
 * db is open read-only (its log replayed in memory) and nobody changes the device. 0 when the check
 * could be carried out, whatever it found; -DBFS_ENOMEM, -DBFS_EIO when it could not.
 */
int dbfs_check(struct dbfs *db, const struct dbfs_check_opts *opts, struct dbfs_check_result *out)
	MUST_CHECK;

/*
 * Prints the file system's records that tx sees, one line each, also damaged ones: those of inode ino
 * with its entries, extents and attributes, or all if ino is 0. line lives during the call.
 */
int dbfs_check_dump(struct dbfs_tx *tx, uint64_t ino, void (*print)(void *arg, const char *line),
		    void *arg) MUST_CHECK;

#endif
