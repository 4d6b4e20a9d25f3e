/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * File systems: types by name, mounted instances, and the window in which an instance publishes
 * changes that did not come through its vnodes (a transaction's commit).
 *
 * A type registers a mount function. An instance (struct vfs_fs, embedded in the file system's own
 * structure) owns a table of its vnodes by inode number (vfs/vnode.h). Each mount (vfs/mount.h) of it
 * holds one reference; when the last is gone, all its vnodes are evicted and ops->unmount frees it.
 *
 * Publishing. The glue calls
 *     vfs_publish_begin(fs);   one publisher at a time; sleeps; the sequence becomes odd
 *     ... make the new state visible to fs operations ...
 *     vfs_invalidate_entry / _dir / _vnode / _pages / _all   for what changed
 *     vfs_publish_end(fs);     the sequence becomes even
 * Walks, attribute reads and fills of the page cache note the (even) sequence first and start again
 * if it moved, so none sees new A and then stale B; nothing is entered into a cache that was read
 * before the sequence moved. The publisher holds no lock that an fs operation takes.
 */
#ifndef VFS_FS_H
#define VFS_FS_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/types.h"
#include "port/sync.h"

struct vnode;
struct vfs_fs;
struct vfs_cred;

#define VFS_NAME_MAX 255u
#define VFS_PATH_MAX 4096u

struct vfs_statfs {
	uint64_t type; /* magic number */
	uint64_t bsize;
	uint64_t blocks;
	uint64_t bfree;
	uint64_t bavail;
	uint64_t files;
	uint64_t ffree;
	uint64_t fsid;
	uint32_t namelen;
};

struct vfs_fs_ops {
	/* Fills *out (zeroed). May sleep. */
	int (*statfs)(struct vfs_fs *fs, struct vfs_statfs *out);
	/* Everything to stable storage. NULL: nothing to do. */
	int (*sync)(struct vfs_fs *fs);
	/* mount -o remount: data is the option string. NULL: only flags change. */
	int (*remount)(struct vfs_fs *fs, unsigned flags, const char *data);
	/* Nobody uses it any more: puts the references to vnodes that it holds itself. NULL: none. */
	void (*shutdown)(struct vfs_fs *fs);
	/* All vnodes are gone: frees the instance. */
	void (*unmount)(struct vfs_fs *fs);
	/* Appends mount options ("size=64m") for /proc/mounts, with a leading comma. NULL: none. */
	void (*show_options)(struct vfs_fs *fs, char *buf, size_t size);
};

enum vfs_fs_flag {
	VFS_FS_MEMORY = 1,       /* page cache pages are the data: never reclaimed, no readpages */
	VFS_FS_NO_NAMES = 2,     /* look-ups are never cached (procfs) */
	VFS_FS_NO_ATTRS = 4,     /* getattr is asked each time (procfs) */
	VFS_FS_READONLY = 8,     /* the instance itself is read-only (may be set later) */
	VFS_FS_NO_NEGATIVE = 16, /* failed look-ups are not cached */
	VFS_FS_NO_ATIME = 64,    /* reading does not change access times, whatever the mount says */
	VFS_FS_KERNEL = 32,      /* not mountable by users, does not appear in lists */
};

#define VFS_VNODE_BUCKETS 256

struct vfs_fs {
	const struct vfs_fs_ops *ops; /* const after init */
	const struct vfs_fs_type *type;
	void *private;
	struct vnode *root; /* holds a reference; set by the mount function before it returns */
	uint32_t dev;       /* st_dev: Linux's encoding (vfs_dev); by default an anonymous number */
	_Atomic unsigned flags; /* enum vfs_fs_flag */
	char source[64];        /* what was mounted, for /proc/mounts: cut if longer */

	/* The core's own. */
	_Atomic uint32_t refs;
	_Atomic uint64_t seq;      /* odd: a publisher is at work */
	struct port_mutex publish; /* held from publish_begin to publish_end; no rank */
	struct port_mutex lock;    /* rank VNODE_TABLE: table and lru */
	struct list *table;        /* VFS_VNODE_BUCKETS lists of vnodes; lock: lock */
	struct list lru;           /* unused vnodes, oldest first; lock: lock */
	uint32_t unused;           /* on lru; lock: lock */
	uint32_t vnodes;           /* all; lock: lock */
	struct list all;           /* of all instances */
	struct port_mutex rename;  /* renames of directories in this instance, one at a time */
};

struct vfs_mount_args {
	const char *source;  /* "" if none was given */
	const char *data;    /* option string, "" if none */
	unsigned long flags; /* Linux's MS_* as passed */
	const struct vfs_cred *cred;
	struct vnode
		*device; /* the source as a vnode if it is an existing path, else NULL (borrowed) */
};

struct vfs_fs_type {
	const char *name;
	bool needs_device; /* not "nodev" in /proc/filesystems */
	/* Gives a new instance with fs->root set and one reference (vfs_fs_init). May sleep. */
	int (*mount)(const struct vfs_fs_type *type, const struct vfs_mount_args *args,
		     struct vfs_fs **out);
	struct list link; /* the core's own */
};

/* At start-up only. */
void vfs_fs_register(struct vfs_fs_type *type);
/* NULL: unknown. */
const struct vfs_fs_type *vfs_fs_find_type(const char *name);
/* fn for each type (/proc/filesystems). */
void vfs_fs_for_each_type(void (*fn)(const struct vfs_fs_type *t, void *arg), void *arg);

/* A zeroed instance becomes usable, with one reference. 0 or -VFS_ENOMEM. */
int vfs_fs_init(struct vfs_fs *fs, const struct vfs_fs_type *type, const struct vfs_fs_ops *ops)
	MUST_CHECK;
/* The inverse for a mount function that fails after vfs_fs_init: evicts vnodes; the caller frees. */
void vfs_fs_fini(struct vfs_fs *fs);
void vfs_fs_get(struct vfs_fs *fs);
/* The last reference evicts all vnodes and calls ops->unmount. May sleep. */
void vfs_fs_put(struct vfs_fs *fs);
/* sync(2): every instance. Mapped dirty pages first. The first error. */
int vfs_sync_all(void);
int vfs_fs_sync(struct vfs_fs *fs);

/* A fresh anonymous device number (major 0). */
uint32_t vfs_anon_dev(void);

void vfs_publish_begin(struct vfs_fs *fs) NO_THREAD_SAFETY;
void vfs_publish_end(struct vfs_fs *fs) NO_THREAD_SAFETY;
/* For readers: waits while a publisher is at work; no VFS or fs lock may be held. */
uint64_t vfs_seq_begin(struct vfs_fs *fs);
/* Has anything been published since? */
static inline bool vfs_seq_retry(struct vfs_fs *fs, uint64_t seq)
{
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&fs->seq, memory_order_relaxed) != seq;
}

/* The name in dir has changed or is gone. */
void vfs_invalidate_entry(struct vnode *dir, const char *name, size_t len);
/* All names in dir, and its "..". */
void vfs_invalidate_dir(struct vnode *dir);
/* Attributes; and, with pages, also the clean cached pages (mapped ones are unmapped). */
void vfs_invalidate_vnode(struct vnode *vn, bool pages);
/* Everything cached of an instance: names, attributes, clean pages. */
void vfs_invalidate_all(struct vfs_fs *fs);

/*
 * The instance's contents are gone for good (a transaction's view has ended): every operation on its vnodes gives
 * -VFS_ESTALE from now on, its caches are empty, its mapped pages unmapped (SIGBUS). Mounts and open
 * files stay until they are let go.
 */
void vfs_fs_kill(struct vfs_fs *fs);

/* Linux's device number encoding (new_encode_dev). */
static inline uint32_t vfs_dev(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~0xffu) << 12;
}
static inline uint32_t vfs_dev_major(uint32_t dev)
{
	return dev >> 8 & 0xfff;
}
static inline uint32_t vfs_dev_minor(uint32_t dev)
{
	return (dev & 0xff) | (dev >> 12 & 0xfff00);
}

/* Once at start, before anything else of the VFS. */
int vfs_init(void) MUST_CHECK;
/* Gives cached names and unused vnodes back, about want of them; thread context, may sleep. */
void vfs_shrink(size_t want);

#endif
