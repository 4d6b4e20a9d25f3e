/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Advisory locks: flock(2), fcntl(2) POSIX and open-file-description locks. Nothing here sleeps: a
 * caller that wants to wait notes vfs_lock_generation(), tries, and waits for the generation to
 * move (the installed wake function runs whenever a lock is released or shrunk).
 */
#ifndef VFS_LOCK_H
#define VFS_LOCK_H

#include "base/types.h"

struct vnode;
struct file;

enum vfs_lock_kind { VFS_LOCK_FLOCK, VFS_LOCK_POSIX, VFS_LOCK_OFD };
enum vfs_lock_type { VFS_RDLCK = 0, VFS_WRLCK = 1, VFS_UNLCK = 2 };

struct vfs_lock {
	enum vfs_lock_kind kind;
	enum vfs_lock_type type;
	const void *owner; /* the descriptor table (POSIX) or the struct file (others) */
	int32_t pid;       /* for F_GETLK; -1 for OFD locks */
	uint64_t start;
	uint64_t end; /* inclusive; INT64_MAX: to the end of the file */
};

/* Sets, changes or (VFS_UNLCK) removes. 0, -VFS_EAGAIN (somebody else's is in the way), -VFS_ENOLCK. */
int vfs_lock_set(struct vnode *vn, const struct vfs_lock *l) MUST_CHECK;
/* F_GETLK: the first lock in the way of *l replaces it; type VFS_UNLCK if there is none. */
void vfs_lock_test(struct vnode *vn, struct vfs_lock *l);
/* All locks of the kind and owner go (close). Cheap if the vnode has none. */
void vfs_lock_release(struct vnode *vn, enum vfs_lock_kind kind, const void *owner);

uint64_t vfs_lock_generation(void);
void vfs_lock_install_wake(void (*wake)(void));
/* /proc/locks: fn for each lock of vn. */
void vfs_lock_for_each(struct vnode *vn, void (*fn)(const struct vfs_lock *l, void *arg),
		       void *arg);
void vfs_lock_free(struct vnode *vn);

#endif
