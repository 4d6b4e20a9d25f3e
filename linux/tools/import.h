/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Bringing trees into an image: from a directory (import_dir.c) or a tar (import_tar.c), both through
 * the same few steps (import.c).
 */
#ifndef LINUX_TOOLS_IMPORT_H
#define LINUX_TOOLS_IMPORT_H

#include "tools/tool.h"

#define IMPORT_CHUNK ((size_t)1 << 20)

struct import_dirs;  /* path -> inode */
struct import_times; /* what directories' times shall be at the end */

struct import {
	struct dbfs *db;
	struct dbfs_tx *tx;
	struct dbfs_ino top; /* where paths start */
	unsigned batch;      /* inodes per transaction; 0: all in one, which the caller ends */
	unsigned in_batch;
	uint64_t batch_bytes;
	uint64_t batch_log; /* what its commit writes to the log, roughly */
	uint64_t log_limit; /* ... and may: a small volume has a small log */
	uint64_t files;     /* so far, of any type */
	uint64_t bytes;
	bool progress; /* on stderr, if that is a terminal */
	uint64_t shown;
	struct import_dirs *dirs;
	struct import_times *times;
	uint8_t *chunk; /* IMPORT_CHUNK bytes, aligned */
};

/* One object as it shall be. */
struct import_node {
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint64_t size;
	struct dbfs_time atime;
	struct dbfs_time mtime;
	const char *target; /* symbolic links */
};

/* tx is the caller's if batch is 0, else begun here. */
void import_init(struct import *im, struct dbfs *db, struct dbfs_tx *tx, unsigned batch);
/* Directory times, the last commit (if batched), memory. TOOL_OK or TOOL_FAILED (said why). */
int import_finish(struct import *im);
/* After a failure: rolls back (if batched) and frees. */
void import_abandon(struct import *im);

/*
 * Makes or merges what path (relative to top, of any form without "..") names: directories merge,
 * anything else replaces what was there except a directory with entries. Gives the inode; *keep says that an existing
 * directory was left as it is, because path is a symbolic link to it. TOOL_OK or
 * TOOL_FAILED (said why).
 */
int import_make(struct import *im, const char *path, const struct import_node *n,
		struct dbfs_ino *out);
/* path becomes another name of ino. */
int import_link(struct import *im, const char *path, struct dbfs_ino ino);
/* The inode that path names (not followed at its end). */
int import_find(struct import *im, const char *path, struct dbfs_ino *out);
int import_data(struct import *im, const char *path, struct dbfs_ino ino, uint64_t off,
		const void *data, size_t len);
int import_xattr(struct import *im, const char *path, struct dbfs_ino ino, const char *name,
		 const void *value, size_t len);
/* Size and times, after data and xattrs. */
int import_done(struct import *im, const char *path, struct dbfs_ino ino,
		const struct import_node *n);

/* A host directory (its contents and its own attributes onto top), or any other file as top/name. */
int import_tree(struct import *im, const char *source, const char *as);
/* A tar, compressed or not; "-" is stdin. */
int import_tar(struct import *im, const char *source);

#endif
