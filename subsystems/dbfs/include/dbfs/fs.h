/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The file system face of DBFS: inodes, directories, files and extended attributes. Every operation
 * happens inside a transaction that the caller began (dbfs/dbfs.h) and is atomic within it: an
 * operation that returns an error has changed nothing in the transaction.
 *
 * Names are byte strings of 1..255 bytes without '/' and NUL, not "." or "..". Permissions are not
 * checked here (dbfs_may_access is for callers that do). Who calls this holds no spinlock.
 *
 * Errors common to all: -DBFS_EIO, -DBFS_ECORRUPT, -DBFS_ENOMEM; for changes also -DBFS_EROFS and
 * -DBFS_ENOSPC. -DBFS_ENOENT for an inode number that does not exist (any more).
 */
#ifndef DBFS_FS_H
#define DBFS_FS_H

#include "dbfs/dbfs.h"

struct dbfs_ino {
	uint64_t n;
};

#define DBFS_ROOT_INO ((struct dbfs_ino){1})
#define DBFS_NAME_MAX 255u
#define DBFS_SYMLINK_MAX 4095u
#define DBFS_XATTR_NAME_MAX 255u
#define DBFS_XATTR_VALUE_MAX 65536u
#define DBFS_FILE_MAX ((uint64_t)1 << 60)
#define DBFS_LINK_MAX 65000u

/* File types and permission bits: the values of Linux's st_mode. */
enum {
	DBFS_S_IFMT = 0170000,
	DBFS_S_IFSOCK = 0140000,
	DBFS_S_IFLNK = 0120000,
	DBFS_S_IFREG = 0100000,
	DBFS_S_IFBLK = 0060000,
	DBFS_S_IFDIR = 0040000,
	DBFS_S_IFCHR = 0020000,
	DBFS_S_IFIFO = 0010000,
	DBFS_S_ISUID = 04000,
	DBFS_S_ISGID = 02000,
	DBFS_S_ISVTX = 01000,
};

struct dbfs_name {
	const char *s;
	size_t len;
};

struct dbfs_time {
	int64_t sec;
	uint32_t nsec; /* < 10^9 */
};

struct dbfs_attr {
	struct dbfs_ino ino;
	uint64_t generation; /* differs when an inode number is used again (it never is) */
	uint32_t mode;       /* type and permission bits */
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint64_t size;
	uint64_t blocks; /* 512-byte units in use */
	struct dbfs_time atime;
	struct dbfs_time mtime;
	struct dbfs_time ctime;
	struct dbfs_time btime;
};

/* Creates the root directory (mode 0755, owner 0:0) in a formatted volume. -DBFS_EEXIST. */
int dbfs_fs_make(struct dbfs_tx *tx) MUST_CHECK;

/*
 * After dbfs_open of a volume for writing: frees what was unlinked but open at the crash. Reads the
 * root and says -DBFS_EFORMAT if there is no file system on the volume.
 */
int dbfs_fs_mount(struct dbfs *db) MUST_CHECK;

/* --- Inodes -------------------------------------------------------------------------------- */

int dbfs_getattr(struct dbfs_tx *tx, struct dbfs_ino ino, struct dbfs_attr *out) MUST_CHECK;

enum dbfs_setattr_mask {
	DBFS_SET_MODE = 1 << 0, /* permission bits only; the type stays */
	DBFS_SET_UID = 1 << 1,
	DBFS_SET_GID = 1 << 2,
	DBFS_SET_SIZE =
		1
		<< 3, /* truncate or extend with a hole; regular files (-DBFS_EISDIR, -DBFS_EINVAL) */
	DBFS_SET_ATIME = 1 << 4,
	DBFS_SET_MTIME = 1 << 5,
	DBFS_SET_CTIME = 1 << 6, /* for import; otherwise ctime is the time of the change */
	DBFS_SET_BTIME = 1 << 7, /* for import */
};

int dbfs_setattr(struct dbfs_tx *tx, struct dbfs_ino ino, unsigned mask, const struct dbfs_attr *in)
	MUST_CHECK;

/* May someone with these ids read (4), write (2), execute or search (1)? mask is any of them. */
bool dbfs_may_access(const struct dbfs_attr *attr, uint32_t uid, const uint32_t *gids, size_t ngids,
		     unsigned mask);

/*
 * Keeps an inode alive while it is open somewhere, whatever happens to its names. Holds are counted in
 * memory, per volume, outside transactions. The last release of an inode without names
 * frees it (in a transaction of its own; a failure is left to the next mount).
 */
int dbfs_hold(struct dbfs *db, struct dbfs_ino ino) MUST_CHECK;
void dbfs_release(struct dbfs *db, struct dbfs_ino ino);

/* --- Directories -------------------------------------------------------------------------- */

/* -DBFS_ENOENT, -DBFS_ENOTDIR, -DBFS_ENAMETOOLONG. ".." is answered by dbfs_parent. */
int dbfs_lookup(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
		struct dbfs_ino *out) MUST_CHECK;
int dbfs_parent(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_ino *out) MUST_CHECK;

struct dbfs_new {
	uint32_t mode; /* type and permission bits */
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev_major; /* devices */
	uint32_t rdev_minor;
	const char *target; /* symbolic links: not terminated, 1..DBFS_SYMLINK_MAX bytes */
	size_t target_len;
};

/* A new inode of any type under a new name. A set-group-ID dir passes its gid on. -DBFS_EEXIST. */
int dbfs_create(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
		const struct dbfs_new *what, struct dbfs_ino *out) MUST_CHECK;
/* A new inode without a name (O_TMPFILE), to be linked or held by the caller before commit. */
int dbfs_create_anon(struct dbfs_tx *tx, const struct dbfs_new *what, struct dbfs_ino *out)
	MUST_CHECK;
/* Another name for a non-directory. -DBFS_EEXIST, -DBFS_EPERM (directory), -DBFS_EMLINK. */
int dbfs_link(struct dbfs_tx *tx, struct dbfs_ino ino, struct dbfs_ino dir, struct dbfs_name name)
	MUST_CHECK;
/* -DBFS_EISDIR for a directory. *gone (may be NULL): the inode that lost the name. */
int dbfs_unlink(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
		struct dbfs_ino *gone) MUST_CHECK;
int dbfs_rmdir(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
	       struct dbfs_ino *gone) MUST_CHECK;

enum { DBFS_RENAME_NOREPLACE = 1, DBFS_RENAME_EXCHANGE = 2 }; /* as Linux's renameat2 */

/* As renameat2(2); a directory never moves below itself (-DBFS_EINVAL). */
int dbfs_rename(struct dbfs_tx *tx, struct dbfs_ino odir, struct dbfs_name oname,
		struct dbfs_ino ndir, struct dbfs_name nname, unsigned flags) MUST_CHECK;

struct dbfs_dirent {
	struct dbfs_ino ino;
	uint32_t type; /* DBFS_S_IFMT bits */
	struct dbfs_name name;
	uint64_t
		cookie; /* resume after this entry; 1..INT64_MAX, stable for the life of the entry */
};

/*
 * Calls fn for each entry after cookie (0: from the start; "." and ".." are not among them) until it returns
 * non-zero, which ends the listing early with 0. An entry that is there throughout is
 * reported exactly once, whatever else changes between calls.
 */
int dbfs_readdir(struct dbfs_tx *tx, struct dbfs_ino dir, uint64_t cookie,
		 int (*fn)(void *arg, const struct dbfs_dirent *e), void *arg) MUST_CHECK;

/* *len: in, the room; out, the length of the target, which is cut to the room. Not terminated. */
int dbfs_readlink(struct dbfs_tx *tx, struct dbfs_ino ino, char *buf, size_t *len) MUST_CHECK;

/* --- Files -------------------------------------------------------------------------------- */

/* *done < len only at the end of the file. Holes read as zeros. -DBFS_EISDIR, -DBFS_EINVAL (not a file). */
int dbfs_read(struct dbfs_tx *tx, struct dbfs_ino ino, uint64_t off, void *buf, size_t len,
	      size_t *done) MUST_CHECK;
/* All of it or nothing. Extends the file. Clears set-id bits on request of the caller (setattr). */
int dbfs_write(struct dbfs_tx *tx, struct dbfs_ino ino, uint64_t off, const void *buf, size_t len)
	MUST_CHECK;

enum {
	DBFS_FALLOC_KEEP_SIZE = 1, /* as Linux's fallocate(2) */
	DBFS_FALLOC_PUNCH_HOLE = 2,
	DBFS_FALLOC_ZERO_RANGE = 16,
};

/* Reserves nothing (copy-on-write cannot promise it): checks space, sets the size, makes holes. */
int dbfs_fallocate(struct dbfs_tx *tx, struct dbfs_ino ino, unsigned mode, uint64_t off,
		   uint64_t len) MUST_CHECK;

/* The next data (hole) at or after off, as lseek's SEEK_DATA (SEEK_HOLE). -DBFS_ENXIO past the end. */
int dbfs_seek(struct dbfs_tx *tx, struct dbfs_ino ino, uint64_t off, bool hole, uint64_t *out)
	MUST_CHECK;

/* --- Extended attributes ------------------------------------------------------------------ */

/* *len: in, the room (0: ask for the size); out, the size. -DBFS_ENODATA, -DBFS_ERANGE. */
int dbfs_getxattr(struct dbfs_tx *tx, struct dbfs_ino ino, struct dbfs_name name, void *buf,
		  size_t *len) MUST_CHECK;
enum { DBFS_XATTR_CREATE = 1, DBFS_XATTR_REPLACE = 2 };

struct dbfs_value {
	const void *p;
	size_t len;
};
/* -DBFS_EEXIST (create), -DBFS_ENODATA (replace), -DBFS_E2BIG, -DBFS_ERANGE (name). */
int dbfs_setxattr(struct dbfs_tx *tx, struct dbfs_ino ino, struct dbfs_name name,
		  struct dbfs_value value, unsigned flags) MUST_CHECK;
int dbfs_removexattr(struct dbfs_tx *tx, struct dbfs_ino ino, struct dbfs_name name) MUST_CHECK;
int dbfs_listxattr(struct dbfs_tx *tx, struct dbfs_ino ino,
		   int (*fn)(void *arg, struct dbfs_name name), void *arg) MUST_CHECK;

/* --- The whole ---------------------------------------------------------------------------- */

struct dbfs_statfs {
	uint64_t blocks; /* of DBFS_BLOCK_SIZE */
	uint64_t bfree;
	uint64_t files; /* inodes in use */
};

int dbfs_statfs(struct dbfs *db, struct dbfs_statfs *out) MUST_CHECK;

#endif
