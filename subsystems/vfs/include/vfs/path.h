/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Places in the tree, a process's view of it, and the walk from a name to a place.
 *
 * A place is (mount, vnode). A walk is iterative; symbolic links are spliced into the rest of the
 * name, at most 40 of them. It notes each instance's publishing sequence and starts again if that
 * moved. Errors are Linux's: ENOENT for "", ENAMETOOLONG for a component over 255 or a path over
 * 4095 bytes, ENOTDIR for a component or a trailing slash after a non-directory, ELOOP, EACCES.
 */
#ifndef VFS_PATH_H
#define VFS_PATH_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/types.h"
#include "port/sync.h"
#include "vfs/cred.h"
#include "vfs/fs.h"

struct mount;
struct vnode;
struct mnt_ns;

struct path {
	struct mount *mnt;
	struct vnode *vn;
};

void path_get(const struct path *p);
/* Both members become NULL. A path of NULLs is fine. */
void path_put(struct path *p);

/* What a process (or several: CLONE_FS) sees. */
struct fs_context {
	_Atomic uint32_t refs;
	struct port_mutex lock; /* rank FS_CONTEXT: the members below */
	struct path root;
	struct path cwd;
	struct mnt_ns *ns; /* holds a reference */
	_Atomic uint32_t umask;
	struct list all; /* of all contexts (pivot_root); lock: the list's */
};

/* A context at the root of ns, umask 022. NULL: no memory. */
struct fs_context *fs_context_create(struct mnt_ns *ns) MUST_CHECK;
/* fork without CLONE_FS. NULL: no memory. */
struct fs_context *fs_context_clone(struct fs_context *fc) MUST_CHECK;
void fs_context_get(struct fs_context *fc);
void fs_context_put(struct fs_context *fc);
/* References to its root or working directory. */
void fs_context_root(struct fs_context *fc, struct path *out);
void fs_context_cwd(struct fs_context *fc, struct path *out);
/* Borrow *p (which must be a directory) and take references of their own. */
void fs_context_set_root(struct fs_context *fc, const struct path *p);
void fs_context_set_cwd(struct fs_context *fc, const struct path *p);

enum vfs_walk_flag {
	VFS_FOLLOW = 1,     /* a final symbolic link is followed */
	VFS_DIRECTORY = 2,  /* the result must be a directory */
	VFS_EMPTY_PATH = 4, /* "" is the starting place */
	VFS_NO_MOUNT = 8,   /* the final component: not the mount on top of it (umount) */
};

/* Where a walk starts and who walks. at: NULL for the working directory; borrowed. */
struct vfs_walk_from {
	struct fs_context *fc;
	const struct path *at;
	const struct vfs_cred *cred;
};

/* The place that name stands for, with references. */
int vfs_walk(const struct vfs_walk_from *from, const char *name, unsigned flags, struct path *out)
	MUST_CHECK;

/* The last component of a walk that stopped before it. */
struct vfs_last {
	struct path parent; /* references */
	char name[VFS_NAME_MAX + 1];
	size_t len;
	enum { VFS_LAST_NORMAL, VFS_LAST_DOT, VFS_LAST_DOTDOT, VFS_LAST_ROOT } kind;
	bool trailing_slash;
};

/* All but the last component (which need not exist): mkdir, unlink, rename ... */
int vfs_walk_parent(const struct vfs_walk_from *from, const char *name, struct vfs_last *out)
	MUST_CHECK;
void vfs_last_put(struct vfs_last *l);

/* One step: name in dir (through the name cache), without crossing mounts. *out NULL: not there. */
int vfs_lookup_one(struct vnode *dir, const char *name, size_t len, struct vnode **out) MUST_CHECK;

/*
 * The name of p below root as /proc shows it, at the end of buf; *out points to its start. A place that
 * root does not lead to (another namespace's) is named from the root of its own mounts. hint: a name
 * of a non-directory's vnode and its directory (struct file's), or NULL. -VFS_ERANGE, -VFS_ENOENT (deleted).
 */
struct vfs_name_hint {
	struct vnode *dir;
	const char *name;
};
int vfs_path_name(const struct path *p, const struct path *root, const struct vfs_name_hint *hint,
		  char *buf, size_t size, char **out) MUST_CHECK;
/* As getcwd shows a directory: what root does not lead to gets "(unreachable)" in front. */
int vfs_path_name_marked(const struct path *p, const struct path *root, char *buf, size_t size,
			 char **out) MUST_CHECK;

#endif
