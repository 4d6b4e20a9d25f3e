/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#ifndef TMPFS_TMPFS_PRIV_H
#define TMPFS_TMPFS_PRIV_H

#include "base/list.h"
#include "port/sync.h"
#include "fs/tmpfs/tmpfs.h"

#define TMPFS_BUCKETS 1024u

struct tmpfs {
	struct vfs_fs fs;
	struct port_mutex lock; /* rank FS: names, attributes, the counts below */
	struct list *names;     /* TMPFS_BUCKETS lists of entries by (dir, name) */
	uint64_t next_ino;
	uint64_t next_cookie;
	uint64_t max_pages;
	uint64_t used_pages;
	uint64_t nodes;
	uint32_t root_mode;
};

struct tnode {
	struct vnode *vn; /* a reference as long as it has links */
	struct vfs_attr attr;
	struct tnode *parent; /* directories: a node that exists as long as this one is linked */
	struct list entries;  /* directories: in order of cookie */
	uint64_t count;
	char *target; /* symbolic links */
	struct list xattrs;
	uint64_t charged; /* pages counted in used_pages */
};

struct tentry {
	struct list hash;
	struct list in_dir;
	struct tnode *dir;
	struct tnode *node;
	uint64_t cookie;
	size_t len;
	char name[];
};

struct txattr {
	struct list link;
	size_t name_len;
	size_t len;
	char *value;
	char name[];
};

static inline struct tmpfs *tmpfs_of(struct vfs_fs *fs)
{
	return container_of(fs, struct tmpfs, fs);
}

static inline struct tnode *tnode_of(struct vnode *vn)
{
	return vn->private;
}

extern const struct vnode_ops tmpfs_vnode_ops;

/* file.c */
int tmpfs_write(struct vnode *vn, uint64_t off, const void *buf, size_t len) MUST_CHECK;
int tmpfs_fallocate(struct vnode *vn, unsigned mode, uint64_t off, uint64_t len) MUST_CHECK;
int tmpfs_seek(struct vnode *vn, uint64_t off, bool hole, uint64_t *out) MUST_CHECK;
/* Brings the instance's count of pages up to date; under t->lock. */
void tmpfs_charge(struct tmpfs *t, struct tnode *n);
int tmpfs_getxattr(struct vnode *vn, struct vfs_name name, void *buf, size_t *len) MUST_CHECK;
int tmpfs_setxattr(struct vnode *vn, struct vfs_name name, const void *value, size_t len,
		   unsigned flags) MUST_CHECK;
int tmpfs_removexattr(struct vnode *vn, struct vfs_name name) MUST_CHECK;
int tmpfs_listxattr(struct vnode *vn, int (*fn)(void *arg, struct vfs_name name), void *arg)
	MUST_CHECK;
void tmpfs_free_xattrs(struct tnode *n);
struct vfs_time tmpfs_now(void);

#endif
