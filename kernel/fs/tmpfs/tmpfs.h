/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The memory file system: tmpfs, ramfs, and the base of /dev, /dev/pts and memfd. Its files' data are
 * the pages of the page cache.
 */
#ifndef TMPFS_TMPFS_H
#define TMPFS_TMPFS_H

#include "vfs/fs.h"
#include "vfs/vnode.h"

struct file;

/* Registers tmpfs, ramfs, devtmpfs' base. Once. */
void tmpfs_init(void);
/* An instance that is not mounted yet; source is what /proc/mounts shows. */
int tmpfs_create(const struct vfs_fs_type *type, const char *source, struct vfs_fs **out)
	MUST_CHECK;
/* For tables of further types over it: option string "size=64m,mode=1777". */
int tmpfs_mount(const struct vfs_fs_type *type, const struct vfs_mount_args *args,
		struct vfs_fs **out) MUST_CHECK;
/*
 * A node made by the kernel, without permission checks, intermediate directories included. path
 * is relative ("pts/0"). -EEXIST.
 */
int tmpfs_add(struct vfs_fs *fs, const char *path, const struct vfs_new *what) MUST_CHECK;
int tmpfs_remove(struct vfs_fs *fs, const char *path) MUST_CHECK;
/* An open file without a name, for memfd_create. name: what /proc shows, "memfd:x". */
int tmpfs_memfd(const char *name, struct file **out) MUST_CHECK;

#endif
