/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * File operations by name and by place: what the system calls of kernel/sys do once user strings
 * have been copied in. All check permissions, read-only mounts and types as Linux does, and
 * keep the name cache. Paths are borrowed.
 */
#ifndef VFS_OPS_H
#define VFS_OPS_H

#include "vfs/path.h"
#include "vfs/vnode.h"

struct file;

/* mkdir, mknod, symlink: what->mode without umask applied for symlinks. */
int vfs_mkdir(const struct vfs_walk_from *from, const char *name, uint32_t mode) MUST_CHECK;
int vfs_mknod(const struct vfs_walk_from *from, const char *name, uint32_t mode, uint32_t rdev)
	MUST_CHECK;
int vfs_symlink(const struct vfs_walk_from *from, const char *name, const char *target) MUST_CHECK;
int vfs_unlink(const struct vfs_walk_from *from, const char *name) MUST_CHECK;
int vfs_rmdir(const struct vfs_walk_from *from, const char *name) MUST_CHECK;
/* A new name for the place old (as found by the caller, with or without following). */
int vfs_link(const struct path *old, const struct vfs_walk_from *from, const char *name) MUST_CHECK;
int vfs_rename(const struct vfs_walk_from *ofrom, const char *oname,
	       const struct vfs_walk_from *nfrom, const char *nname, unsigned flags) MUST_CHECK;

int vfs_readlink(const struct path *p, char *buf, size_t *len) MUST_CHECK;
/* stat: waits for publishers; st_dev is p->mnt->fs->dev. */
int vfs_getattr(const struct path *p, struct vfs_attr *out) MUST_CHECK;

int vfs_chmod(const struct path *p, const struct vfs_cred *cred, uint32_t mode) MUST_CHECK;
/* UINT32_MAX: unchanged. Clears set-id bits as Linux does. */
int vfs_chown(const struct path *p, const struct vfs_cred *cred, uint32_t uid, uint32_t gid)
	MUST_CHECK;
/* set: VFS_SET_ATIME, _MTIME. explicit_times: not "now" (needs the owner). */
int vfs_utimes(const struct path *p, const struct vfs_cred *cred, unsigned set, bool explicit_times,
	       const struct vfs_time t[2]) MUST_CHECK;
/* f: the open file of ftruncate (write permission was checked at open), or NULL. */
int vfs_truncate(const struct path *p, const struct vfs_cred *cred, const struct file *f,
		 uint64_t size) MUST_CHECK;
int vfs_fallocate(struct file *f, unsigned mode, uint64_t off, uint64_t len) MUST_CHECK;
/* access(2): mask of 4, 2, 1; 0: exists. Also read-only and noexec mounts. */
int vfs_access(const struct path *p, const struct vfs_cred *cred, unsigned mask) MUST_CHECK;
int vfs_statfs(const struct path *p, struct vfs_statfs *out, uint32_t *mount_flags) MUST_CHECK;

int vfs_getxattr(const struct path *p, const struct vfs_cred *cred, const char *name, void *buf,
		 size_t *len) MUST_CHECK;
struct vfs_xattr {
	const char *name;
	const void *value;
	size_t len;
	unsigned flags; /* XATTR_CREATE 1, XATTR_REPLACE 2 */
};
int vfs_setxattr(const struct path *p, const struct vfs_cred *cred, const struct vfs_xattr *x)
	MUST_CHECK;
int vfs_removexattr(const struct path *p, const struct vfs_cred *cred, const char *name) MUST_CHECK;
/* Names with their terminators; *len in: room (0: ask), out: size. */
int vfs_listxattr(const struct path *p, const struct vfs_cred *cred, char *buf, size_t *len)
	MUST_CHECK;

#endif
