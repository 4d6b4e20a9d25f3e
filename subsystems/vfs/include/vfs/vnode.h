/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Vnodes: one object for each inode in use of each mounted instance, and the operations that a file
 * system supplies.
 *
 * Life: vnode_get(fs, ino) finds or makes one (a new one is filled by the caller's init function before
 * anybody else sees it); references keep it; without references it stays cached, with its pages, until
 * memory is needed, or is evicted at once if it has no links. ops->evict is the last call.
 *
 * Operations are called without spinlocks, may sleep, and see kernel memory only. The core holds
 * vn->lock of each directory that an operation changes (both for rename and link's target dir), of the
 * directory that lookup searches, and of the file that write, setattr, fallocate change. read,
 * readpages, getattr, readdir, readlink are called without it. Permissions, read-only mounts, types,
 * name lengths, "." and ".." have been checked; names have 1..255 bytes and are not terminated.
 * After a changing operation the core drops the cached attributes of the vnodes involved (unless the
 * operation filled them with vnode_set_attr) and corrects the name cache.
 * An operation that is NULL gives the error named beside it.
 */
#ifndef VFS_VNODE_H
#define VFS_VNODE_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/types.h"
#include "port/sync.h"
#include "vfs/cred.h"
#include "vfs/fs.h"
#include "vfs/page_cache.h"

struct vnode;
struct file;
struct path;
struct vfs_poll;
struct vfs_iter;

/* st_mode bits. */
enum {
	VFS_S_IFMT = 0170000,
	VFS_S_IFSOCK = 0140000,
	VFS_S_IFLNK = 0120000,
	VFS_S_IFREG = 0100000,
	VFS_S_IFBLK = 0060000,
	VFS_S_IFDIR = 0040000,
	VFS_S_IFCHR = 0020000,
	VFS_S_IFIFO = 0010000,
	VFS_S_ISUID = 04000,
	VFS_S_ISGID = 02000,
	VFS_S_ISVTX = 01000,
};

struct vfs_time {
	int64_t sec;
	uint32_t nsec; /* < 10^9 */
};

struct vfs_attr {
	uint64_t ino;
	uint32_t mode; /* type and permissions */
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev; /* vfs_dev() */
	uint32_t blksize;
	uint64_t size;
	uint64_t blocks; /* 512-byte units */
	struct vfs_time atime;
	struct vfs_time mtime;
	struct vfs_time ctime;
	struct vfs_time btime; /* sec 0 and nsec 0: unknown */
};

struct vfs_name {
	const char *s; /* not terminated */
	size_t len;
};

/* What create makes. */
struct vfs_new {
	uint32_t mode; /* type and permissions, umask applied, S_ISGID inherited for directories */
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev;          /* devices */
	struct vfs_name target; /* symbolic links: 1..4095 bytes */
};

enum vfs_setattr_mask {
	VFS_SET_MODE = 1, /* permission bits */
	VFS_SET_UID = 2,
	VFS_SET_GID = 4,
	VFS_SET_SIZE = 8,
	VFS_SET_ATIME = 16,
	VFS_SET_MTIME = 32,
	VFS_SET_CTIME = 64, /* comes with every change: the time of it */
};

enum vfs_rename_flag { VFS_RENAME_NOREPLACE = 1, VFS_RENAME_EXCHANGE = 2 };

struct vfs_dirent {
	uint64_t ino;
	uint32_t type;   /* VFS_S_IFMT bits */
	uint64_t cookie; /* resume after this entry: 1..INT64_MAX - 2, stable for its life */
	struct vfs_name name;
};

struct vnode_ops {
	/*
	 * Directories. lookup: a reference to the child in *out, or -VFS_ENOENT. "..": asked by the
	 * core for directories other than the root.
	 */
	int (*lookup)(struct vnode *dir, struct vfs_name name, struct vnode **out); /* ENOTDIR */
	int (*create)(struct vnode *dir, struct vfs_name name, const struct vfs_new *what,
		      struct vnode **out); /* EPERM */
	int (*create_anon)(struct vnode *dir, const struct vfs_new *what, struct vnode **out);
	/* (O_TMPFILE; EOPNOTSUPP) */
	int (*link)(struct vnode *dir, struct vfs_name name, struct vnode *target); /* EPERM */
	/* victim: what the name stands for now. */
	int (*unlink)(struct vnode *dir, struct vfs_name name, struct vnode *victim); /* EPERM */
	int (*rmdir)(struct vnode *dir, struct vfs_name name, struct vnode *victim);  /* EPERM */
	/* Both directories belong to this instance; loops have been excluded. EINVAL */
	int (*rename)(struct vnode *odir, struct vfs_name oname, struct vnode *ndir,
		      struct vfs_name nname, unsigned flags);
	/*
	 * fn for each entry after cookie (0 and up: the core supplies "." and ".." itself) until it
	 * returns non-zero, which ends the listing with 0. fn copies to kernel memory only. ENOTDIR
	 */
	int (*readdir)(struct vnode *dir, uint64_t cookie,
		       int (*fn)(void *arg, const struct vfs_dirent *e), void *arg);

	/* Symbolic links: *len in: room, out: length (cut to the room). EINVAL */
	int (*readlink)(struct vnode *vn, char *buf, size_t *len);
	/* Magic links (procfs): gives the path itself. NULL: readlink is followed by name. */
	int (*follow)(struct vnode *vn, const struct vfs_cred *cred, struct path *out);

	/* All types. Required. */
	int (*getattr)(struct vnode *vn, struct vfs_attr *out);
	int (*setattr)(struct vnode *vn, unsigned mask, const struct vfs_attr *in); /* EPERM */

	/*
	 * Regular files. read: only for files whose pages are not cached (readpages NULL); *done < len
	 * only at the end. readpages fills n locked pages from page index on (past the end: zeros).
	 * write: all or nothing, extends. writepage: a page of a shared mapping (len: up to the end
	 * of the file). EINVAL
	 */
	int (*read)(struct vnode *vn, uint64_t off, void *buf, size_t len, size_t *done);
	int (*readpages)(struct vnode *vn, uint64_t index, struct page **pages, unsigned n);
	int (*write)(struct vnode *vn, uint64_t off, const void *buf, size_t len);
	int (*writepage)(struct vnode *vn, uint64_t index, const void *data, size_t len);
	int (*fsync)(struct vnode *vn, bool data_only); /* 0 */
	int (*fallocate)(struct vnode *vn, unsigned mode, uint64_t off, uint64_t len);
	/* (EOPNOTSUPP) */
	int (*seek)(struct vnode *vn, uint64_t off, bool hole, uint64_t *out); /* all is data */

	int (*getxattr)(struct vnode *vn, struct vfs_name name, void *buf, size_t *len);
	/* *len in: room (0: ask), out: size. These four: EOPNOTSUPP */
	int (*setxattr)(struct vnode *vn, struct vfs_name name, const void *value, size_t len,
			unsigned flags);
	int (*removexattr)(struct vnode *vn, struct vfs_name name);
	int (*listxattr)(struct vnode *vn, int (*fn)(void *arg, struct vfs_name name), void *arg);

	/*
	 * A descriptor on it was opened (it may put its own file->ops and file->private; an error
	 * fails the open), or the last user of one closed it. NULL: nothing to do.
	 */
	int (*open)(struct vnode *vn, struct file *f);
	void (*release)(struct vnode *vn, struct file *f);

	/* The vnode leaves memory: frees vn->private. No references; not in the table any more. */
	void (*evict)(struct vnode *vn);
};

enum vnode_flag {
	VNODE_NO_NAMES = 1,  /* names in this directory are never cached (.dbfs) */
	VNODE_UNLINKED = 2,  /* no names left: evicted with the last reference */
	VNODE_STREAM = 4,    /* no offset (reads of it are not seekable) */
	VNODE_NO_MMAP = 8,   /* cannot be mapped: ENODEV */
	VNODE_NO_CACHE = 16, /* reads go to ops->read (procfs, sysfs) */
	VNODE_DEAD = 32,     /* its view is gone: every operation gives ESTALE */
};

struct vnode {
	struct vfs_fs *fs;           /* const; no reference: fs outlives its vnodes */
	const struct vnode_ops *ops; /* const after init */
	uint64_t ino;                /* const */
	uint32_t type;               /* const after init: VFS_S_IFMT bits */
	uint32_t rdev;               /* const after init: devices */
	void *private;               /* the file system's */
	_Atomic unsigned flags;      /* enum vnode_flag */
	_Atomic uint32_t refs;
	_Atomic uint32_t mounts_here; /* mounts on this vnode, in all namespaces */
	_Atomic int32_t writers; /* > 0: open for writing n times; < 0: being executed n times */

	struct port_mutex lock; /* no rank: directories before files, two directories by address */

	struct port_mutex meta; /* rank VNODE_META: attributes, cached size, locks, name lists */
	bool attr_valid;        /* attr is all right */
	bool owner_valid;       /* at least its mode, uid and gid are */
	uint64_t attr_gen;      /* changes when attr is set or dropped */
	struct vfs_attr attr;
	struct list names;    /* name-cache entries that stand for this vnode; lock: name cache */
	struct list children; /* name-cache entries in this directory; lock: name cache */

	struct page_cache pages;
	struct list table; /* lock: fs->lock */
	struct list lru;   /* lock: fs->lock */
	struct vfs_lock_list
		*locks; /* advisory locks (vfs/lock.h), NULL: never had one; lock: meta */
	void *special;  /* FIFO state or device, of whoever opens it; lock: lock */
};

/*
 * A reference to the vnode of ino. If it is not in memory, makes one, zeroed, with fs and ino set, and
 * calls init(vn, arg), which sets ops, type, rdev, private (and may vnode_set_attr); when two do so at
 * once, one of the two new vnodes is given to ops->evict. init's error is returned. May sleep; not with fs->lock held.
 */
int vnode_get(struct vfs_fs *fs, uint64_t ino, int (*init)(struct vnode *vn, void *arg), void *arg,
	      struct vnode **out) MUST_CHECK;
/* NULL: not in memory. Otherwise a reference. (Invalidation.) */
struct vnode *vnode_find(struct vfs_fs *fs, uint64_t ino) MUST_CHECK;

static inline struct vnode *vnode_ref(struct vnode *vn)
{
	atomic_fetch_add_explicit(&vn->refs, 1, memory_order_relaxed);
	return vn;
}

/* Gives a reference back. May sleep (the last one of an unlinked vnode evicts it). NULL is fine. */
void vnode_put(struct vnode *vn);

/* Attributes, from the cache if they are valid. */
int vnode_getattr(struct vnode *vn, struct vfs_attr *out) MUST_CHECK;
/* The same for who only needs mode, uid and gid: the rest may be old. */
int vnode_getowner(struct vnode *vn, struct vfs_attr *out) MUST_CHECK;
/* The file's size, likewise. */
int vnode_size(struct vnode *vn, uint64_t *out) MUST_CHECK;
/* For operations: what a later vnode_getattr shall find (never waits for other locks). */
void vnode_set_attr(struct vnode *vn, const struct vfs_attr *a);
void vnode_drop_attr(struct vnode *vn);

/* May cred do mask (4 read, 2 write, 1 execute or search)? 0 or -VFS_EACCES. */
int vnode_permission(struct vnode *vn, const struct vfs_cred *cred, unsigned mask) MUST_CHECK;
int vfs_attr_permission(const struct vfs_attr *a, const struct vfs_cred *cred, unsigned mask)
	MUST_CHECK;

/* exec: no writers while it runs. 0 or -VFS_ETXTBSY. Opening for writing is refused meanwhile. */
int vnode_deny_write(struct vnode *vn) MUST_CHECK;
void vnode_allow_write(struct vnode *vn);

static inline bool vnode_is_dir(const struct vnode *vn)
{
	return vn->type == VFS_S_IFDIR;
}

#endif
