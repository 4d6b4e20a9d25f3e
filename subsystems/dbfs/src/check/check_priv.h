/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* What the passes of dbfs_check share. */
#ifndef DBFS_CHECK_CHECK_PRIV_H
#define DBFS_CHECK_CHECK_PRIV_H

#include "check/text.h"
#include "dbfs/check.h"
#include "inode/extent.h"

/* What is known of one inode. Sorted by number. */
struct check_inode {
	uint64_t ino;
	uint64_t parent;
	uint64_t size;
	uint64_t blocks;   /* the record's */
	uint64_t extents;  /* blocks found */
	uint64_t names;    /* entries that lead here */
	uint64_t entries;  /* directories: names in it */
	uint64_t subdirs;  /* of those, directories */
	uint64_t named_in; /* directories: the one whose entry leads here, the last found */
	uint32_t mode;
	uint32_t nlink;
	uint32_t flags;
	uint32_t walk; /* reachability: number of the walk that came by, or what became of it */
	bool orphan;
	bool has_inline;
};

#define CHECK_REACHED UINT32_MAX
#define CHECK_LOST (UINT32_MAX - 1)

struct check {
	struct dbfs *db;
	struct dbfs_tx *tx;
	const struct dbfs_check_opts *opts;
	struct dbfs_check_result r;
	struct check_inode *inodes;
	size_t count;
	size_t room;
	uint64_t *owned; /* a bit a block; NULL until it is made */
	uint64_t *freed; /* freed by commits in the log: still taken in the map */
	uint64_t total;
	uint64_t done; /* progress, in blocks */
	struct dbfs_extent_rec *rec;
	uint64_t extent_end; /* of the extent before, in file blocks */
	struct dbfs_text object;
	struct dbfs_text text;
	int err; /* what ends the check: no memory, device */
};

/* Reports; fmt's # are the numbers of v (NULL: none). */
void dbfs_check_say(struct check *c, const char *kind, uint64_t n, const char *fmt,
		    const uint64_t *v);
#define CHECK_SAY(c, kind, n, text) dbfs_check_say(c, kind, n, text, NULL)

struct check_inode *dbfs_check_find(struct check *c, uint64_t ino);
/* [block, block + count) belongs to something (kind, n); reports what lies outside or is taken twice. */
void dbfs_check_own(struct check *c, uint64_t block, uint64_t count, const char *kind, uint64_t n);

/* Calls fn for each element of a bucket in key order. Damage ends the bucket, with a report. */
void dbfs_check_bucket(struct check *c, uint32_t bucket, const char *what,
		       void (*fn)(struct check *c, struct dbfs_key key, struct dbfs_val val));

/* The passes (fs.c, blocks.c). */
void dbfs_check_records(struct check *c);
void dbfs_check_inodes(struct check *c);
int dbfs_check_engine_blocks(struct check *c) MUST_CHECK;
void dbfs_check_space(struct check *c);

#endif
