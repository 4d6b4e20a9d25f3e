/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Between mount.c (structure) and mount_calls.c (what the system calls ask for). */
#ifndef MOUNT_PRIV_H
#define MOUNT_PRIV_H

#include "vfs_priv.h"

/* The flags that a mount keeps. */
#define MOUNT_FLAGS                                                                      \
	(VFS_MS_RDONLY | VFS_MS_NOSUID | VFS_MS_NODEV | VFS_MS_NOEXEC | VFS_MS_NOATIME | \
	 VFS_MS_NODIRATIME | VFS_MS_RELATIME | VFS_MS_SYNCHRONOUS)

/* A detached mount with one reference; takes references of its own. NULL: no memory. */
struct mount *mount_alloc(struct vfs_fs *fs, struct vnode *root, unsigned flags) MUST_CHECK;
/* Hooks m (detached, or in the same namespace) up. The attached reference is the caller's. */
void mount_attach_locked(struct mount *m, struct mount *parent, struct vnode *point);
/* Takes it off its place, whose references go to *old_place (put them without the lock). */
void mount_unhook_locked(struct mount *m, struct path *old_place);
void mount_leave_ns_locked(struct mount *m);
/* Is m top or mounted somewhere below it? */
bool mount_is_below_locked(const struct mount *m, const struct mount *top);

#endif
