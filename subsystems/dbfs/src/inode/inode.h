/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Inodes in memory and their records: loading, storing, times, link counts, orphans, holds and the
 * end of an inode. Used by dir, file, xattr and fs. Functions work inside the caller's transaction
 * and are not atomic by themselves: the public operation above them rolls back to a savepoint.
 */
#ifndef DBFS_INODE_INODE_H
#define DBFS_INODE_INODE_H

#include "base/bytes.h"
#include "dbfs/fs.h"
#include "inode/fs_ondisk.h"
#include "txn/txn.h"

struct dbfs_inode {
	struct dbfs_ino ino;
	uint32_t mode;
	uint32_t nlink; /* directories: 1 alive, 0 removed */
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint32_t flags; /* enum fs_inode_flag */
	uint64_t size;
	uint64_t blocks;
	uint64_t parent;
	struct dbfs_time atime;
	struct dbfs_time mtime;
	struct dbfs_time ctime;
	struct dbfs_time btime;
	struct dbfs_time mtime_base;
	struct dbfs_time ctime_base;
};

static inline bool dbfs_inode_is(const struct dbfs_inode *in, uint32_t type)
{
	return (in->mode & DBFS_S_IFMT) == type;
}

/* Keys of one and of two numbers; b is the caller's storage. */
static inline struct dbfs_key dbfs_fs_key1(uint32_t bucket, uint8_t b[8], uint64_t x)
{
	be64_store(b, x);
	return (struct dbfs_key){bucket, 8, b};
}

static inline struct dbfs_key dbfs_fs_key2(uint32_t bucket, uint8_t b[16], uint64_t x, uint64_t y)
{
	be64_store(b, x);
	be64_store(b + 8, y);
	return (struct dbfs_key){bucket, 16, b};
}

/* Is it one of the seven types that an inode may have? */
bool dbfs_mode_valid(uint32_t mode);

/* Says on the log what is wrong with which inode; -DBFS_ECORRUPT. */
int dbfs_fs_corrupt(const char *what, uint64_t ino);

/* A record's bytes to and from memory. Decoding trusts nothing: -DBFS_ECORRUPT, silently. */
#define DBFS_INODE_DISK_MAX sizeof(struct fs_dir_inode_disk)
int dbfs_inode_decode(struct dbfs_ino ino, const void *p, size_t len, struct dbfs_inode *out)
	MUST_CHECK;
size_t dbfs_inode_encode(const struct dbfs_inode *in, uint8_t out[DBFS_INODE_DISK_MAX]);

/* -DBFS_ENOENT, -DBFS_ECORRUPT. The read is tracked. */
int dbfs_inode_load(struct dbfs_tx *tx, struct dbfs_ino ino, struct dbfs_inode *out) MUST_CHECK;
int dbfs_inode_store(struct dbfs_tx *tx, const struct dbfs_inode *in) MUST_CHECK;

/* As load, and it is a directory (-DBFS_ENOTDIR). */
int dbfs_inode_load_dir(struct dbfs_tx *tx, struct dbfs_ino ino, struct dbfs_inode *out) MUST_CHECK;

/* A new inode with a number of its own, not yet stored; counted in the volume. */
int dbfs_inode_new(struct dbfs_tx *tx, const struct dbfs_new *what, struct dbfs_inode *out)
	MUST_CHECK;

struct dbfs_time dbfs_time_now(void);
bool dbfs_time_before(struct dbfs_time a, struct dbfs_time b);

/* ctime (and for files mtime) become now; the caller stores. */
void dbfs_inode_changed(struct dbfs_inode *in);
void dbfs_inode_modified(struct dbfs_inode *in);

/* What readers of a directory's attributes see: record and counters together. */
int dbfs_dir_times(struct dbfs_tx *tx, const struct dbfs_inode *dir, struct dbfs_time *mtime,
		   struct dbfs_time *ctime, uint32_t *nlink) MUST_CHECK;

/* Adds to a directory's counts and makes its mtime and ctime now, without conflicts. */
int dbfs_dir_count(struct dbfs_tx *tx, struct dbfs_ino dir, int64_t links, int64_t entries)
	MUST_CHECK;
/* Only its ctime. */
int dbfs_dir_changed(struct dbfs_tx *tx, struct dbfs_ino dir) MUST_CHECK;

/*
 * Takes a name (for a directory: its only one) from *in: at the last one the inode becomes an orphan
 * if it is held, else it is destroyed. May use the reserve of space.
 */
int dbfs_inode_drop_link(struct dbfs_tx *tx, struct dbfs_inode *in) MUST_CHECK;

int dbfs_inode_add_orphan(struct dbfs_tx *tx, struct dbfs_ino ino) MUST_CHECK;
int dbfs_inode_del_orphan(struct dbfs_tx *tx, struct dbfs_ino ino) MUST_CHECK;

/* Removes the inode with contents, xattrs, counters and orphan entry. */
int dbfs_inode_destroy(struct dbfs_tx *tx, struct dbfs_inode *in) MUST_CHECK;

/* --- Holds (hold.c) ------------------------------------------------------------------------ */

struct dbfs_holds;

/* The volume's table of holds; made by dbfs_fs_mount, freed by dbfs_close. */
int dbfs_holds_create(struct dbfs *db) MUST_CHECK;
/* Is it held? If so, its last release will look whether it is an orphan. */
bool dbfs_holds_mark(struct dbfs *db, struct dbfs_ino ino);
/* -DBFS_EINVAL without dbfs_fs_mount, -DBFS_ENOMEM. */
int dbfs_holds_get(struct dbfs *db, struct dbfs_ino ino) MUST_CHECK;
/* True if it was the last and the inode had been marked. */
bool dbfs_holds_put(struct dbfs *db, struct dbfs_ino ino);

#endif
