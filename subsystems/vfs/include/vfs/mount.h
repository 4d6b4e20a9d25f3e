/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Mounts and mount namespaces. A mount shows one instance, from its root or from any vnode of it (bind
 * mounts, also of single files), at a place in another mount. Each belongs to one namespace.
 * Everything behaves as private: propagation types are accepted and shown, nothing propagates.
 * All structure changes happen under one lock (rank MOUNT).
 *
 * References: being attached, each child, each path. A detached mount (MNT_DETACH) lives until the
 * last path is gone.
 */
#ifndef VFS_MOUNT_H
#define VFS_MOUNT_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/types.h"
#include "vfs/fs.h"
#include "vfs/path.h"

/* Linux's numbers (mount(2), statfs f_flags). */
enum vfs_mount_flag {
	VFS_MS_RDONLY = 1,
	VFS_MS_NOSUID = 2,
	VFS_MS_NODEV = 4,
	VFS_MS_NOEXEC = 8,
	VFS_MS_SYNCHRONOUS = 16,
	VFS_MS_REMOUNT = 32,
	VFS_MS_NOATIME = 1024,
	VFS_MS_NODIRATIME = 2048,
	VFS_MS_BIND = 4096,
	VFS_MS_MOVE = 8192,
	VFS_MS_REC = 16384,
	VFS_MS_SILENT = 32768,
	VFS_MS_UNBINDABLE = 1 << 17,
	VFS_MS_PRIVATE = 1 << 18,
	VFS_MS_SLAVE = 1 << 19,
	VFS_MS_SHARED = 1 << 20,
	VFS_MS_RELATIME = 1 << 21,
	VFS_MS_STRICTATIME = 1 << 24,
};

enum vfs_umount_flag {
	VFS_MNT_FORCE = 1,
	VFS_MNT_DETACH = 2,
	VFS_MNT_EXPIRE = 4,
	VFS_UMOUNT_NOFOLLOW = 8,
};

struct mount {
	struct vfs_fs *fs;      /* const; holds a reference */
	struct vnode *root;     /* const; holds a reference */
	_Atomic uint32_t flags; /* the per-mount ones of enum vfs_mount_flag */
	_Atomic uint32_t refs;
	uint32_t id;          /* const: mountinfo's */
	uint32_t propagation; /* VFS_MS_PRIVATE or _SHARED ...: recorded only; lock: mount lock */
	struct mount *parent; /* NULL: root of a namespace or detached; lock: mount lock */
	struct vnode *point;  /* on which it is mounted in parent; lock: mount lock */
	struct mnt_ns *ns;    /* NULL: detached; lock: mount lock */
	struct list children; /* of .sibling; lock: mount lock */
	struct list sibling;
	struct list in_ns; /* in order of mounting */
	struct list hash;
	struct mount *copy; /* while a tree is copied; lock: mount lock */
};

struct mnt_ns {
	_Atomic uint32_t refs;
	uint64_t ino; /* as /proc/self/ns/mnt shows it */
	struct mount *root;
	struct list mounts;
	uint32_t count;
};

/* The first namespace, with fs (one reference is taken) at its root. */
int mnt_ns_create(struct vfs_fs *fs, unsigned flags, struct mnt_ns **out) MUST_CHECK;
void mnt_ns_get(struct mnt_ns *ns);
void mnt_ns_put(struct mnt_ns *ns);
/* unshare(CLONE_NEWNS), clone(CLONE_NEWNS): a copy; fc's places move to the copies of their mounts. */
int mnt_ns_unshare(struct fs_context *fc) MUST_CHECK;
/* setns: fc is now at the root of ns. */
int mnt_ns_enter(struct fs_context *fc, struct mnt_ns *ns) MUST_CHECK;

/* mount(2) as a whole: decides by flags what is meant. Names are kernel strings, NULL as passed. */
struct vfs_mount_call {
	const char *source;
	const char *target;
	const char *type;
	const char *data;
	unsigned long flags;
};
int vfs_mount(const struct vfs_walk_from *from, const struct vfs_mount_call *call) MUST_CHECK;
int vfs_umount(const struct vfs_walk_from *from, const char *target, unsigned flags) MUST_CHECK;
int vfs_pivot_root(const struct vfs_walk_from *from, const char *new_root, const char *put_old)
	MUST_CHECK;

/* For start-up: mounts an instance (borrowed) on the directory name. */
int vfs_mount_at(const struct vfs_walk_from *from, struct vfs_fs *fs, const char *target,
		 unsigned flags) MUST_CHECK;

/* Crosses into what is mounted on *p (several levels); takes over and gives references. */
void vfs_cross_down(struct path *p);
/* *p is the root of a mount: moves to its mount point, false if there is none. */
bool vfs_cross_up(struct path *p);

static inline bool mount_readonly(const struct mount *m)
{
	return (atomic_load_explicit(&m->flags, memory_order_relaxed) & VFS_MS_RDONLY) ||
	       (atomic_load_explicit(&m->fs->flags, memory_order_relaxed) & VFS_FS_READONLY);
}

/*
 * Producers of /proc/PID/mountinfo (kind 0), mounts (1), mountstats (2) as seen from root: text from
 * byte *pos on into buf; returns how many bytes (0: the end). A snapshot is formatted per call.
 */
size_t vfs_show_mounts(struct mnt_ns *ns, const struct path *root, int kind, uint64_t pos,
		       char *buf, size_t size);

#endif
