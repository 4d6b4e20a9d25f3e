/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The magic directory .dbfs at the root of the main tree: found by look-up, absent from listings.
 *
 *   .dbfs             0755
 *   .dbfs/ctl         0666  opening gives a handle (ctl.c)
 *   .dbfs/tx          0755
 *   .dbfs/tx/ID       0700, its owner's
 *   .dbfs/tx/ID/root  the root vnode of the view's own instance
 *
 * Magic vnodes live in the main instance's table under numbers that no inode has (bit 63). Names in these
 * directories are never cached, because views come and go.
 */
#include "fs/dbfs/glue.h"

#include "base/overflow.h"
#include "vfs/errors.h"

#define MAGIC ((uint64_t)1 << 63)
#define MAGIC_TOP (MAGIC | 1)
#define MAGIC_CTL (MAGIC | 2)
#define MAGIC_TX (MAGIC | 3)
#define MAGIC_VIEW (MAGIC | (uint64_t)1 << 62) /* plus the view's number */

static bool is_name(struct vfs_name n, const char *want, size_t len)
{
	if (n.len != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (n.s[i] != want[i])
			return false;
	}
	return true;
}

bool magic_is(const struct vnode *dir, struct vfs_name name)
{
	return dir->ino == DBFS_ROOT_INO.n && instance_of(dir)->view == NULL &&
	       is_name(name, ".dbfs", 5);
}

static const struct vnode_ops magic_ops;

static int init(struct vnode *vn, void *arg)
{
	(void)arg;
	vn->ops = &magic_ops;
	vn->type = vn->ino == MAGIC_CTL ? VFS_S_IFREG : VFS_S_IFDIR;
	vn->flags = VNODE_NO_NAMES | VNODE_NO_CACHE | VNODE_NO_MMAP;
	return 0;
}

int magic_get(struct volume *v, struct vnode **out)
{
	return vnode_get(&v->main.fs, MAGIC_TOP, init, NULL, out);
}

/* A decimal number without leading zeros. */
static bool parse_id(struct vfs_name n, uint64_t *id)
{
	uint64_t x = 0;

	if (n.len == 0 || n.s[0] == '0')
		return false;
	for (size_t i = 0; i < n.len; i++) {
		if (n.s[i] < '0' || n.s[i] > '9' || mul_u64(x, 10, &x) ||
		    add_u64(x, (uint64_t)(n.s[i] - '0'), &x))
			return false;
	}
	*id = x;
	return x < MAGIC_VIEW - MAGIC;
}

static uint64_t parent_of(uint64_t ino)
{
	if (ino == MAGIC_TOP)
		return DBFS_ROOT_INO.n;
	return ino == MAGIC_CTL || ino == MAGIC_TX ? MAGIC_TOP : MAGIC_TX;
}

static int get_parent(struct vnode *dir, struct vnode **out)
{
	struct vfs_fs *fs = dir->fs;
	uint64_t ino = parent_of(dir->ino);

	if (ino == DBFS_ROOT_INO.n) {
		*out = vnode_ref(fs->root);
		return 0;
	}
	return vnode_get(fs, ino, init, NULL, out);
}

uint64_t magic_view_ino(uint64_t id)
{
	return MAGIC_VIEW | id;
}

static int lookup_view(struct volume *v, struct vfs_name name, struct vnode **out)
{
	uint64_t id;
	uint32_t uid;

	if (!parse_id(name, &id) || view_owner(v, id, &uid) != 0)
		return -VFS_ENOENT;
	return vnode_get(&v->main.fs, magic_view_ino(id), init, NULL, out);
}

static int magic_lookup(struct vnode *dir, struct vfs_name name, struct vnode **out)
{
	struct volume *v = instance_of(dir)->volume;

	if (is_name(name, "..", 2))
		return get_parent(dir, out);
	if (dir->ino == MAGIC_TX)
		return lookup_view(v, name, out);
	if (dir->ino == MAGIC_TOP && is_name(name, "ctl", 3))
		return vnode_get(dir->fs, MAGIC_CTL, init, NULL, out);
	if (dir->ino == MAGIC_TOP && is_name(name, "tx", 2))
		return vnode_get(dir->fs, MAGIC_TX, init, NULL, out);
	if ((dir->ino & MAGIC_VIEW) == MAGIC_VIEW && is_name(name, "root", 4))
		return view_root(v, dir->ino & ~MAGIC_VIEW, out);
	return -VFS_ENOENT;
}

struct list_views {
	int (*fn)(void *arg, const struct vfs_dirent *e);
	void *arg;
};

/* Entries are named, not listed from caches: ctl and tx, the running views, root. */
static int magic_readdir(struct vnode *dir, uint64_t cookie,
			 int (*fn)(void *arg, const struct vfs_dirent *e), void *arg)
{
	static const struct vfs_dirent top[] = {
		{MAGIC_CTL, VFS_S_IFREG, 3, {"ctl", 3}},
		{MAGIC_TX, VFS_S_IFDIR, 4, {"tx", 2}},
	};
	static const struct vfs_dirent view_root_entry = {1, VFS_S_IFDIR, 3, {"root", 4}};

	if (dir->ino == MAGIC_TX)
		return views_list(instance_of(dir)->volume, cookie, fn, arg);
	if (dir->ino != MAGIC_TOP)
		return cookie < 3 ? (void)fn(arg, &view_root_entry), 0 : 0;
	for (size_t i = 0; i < ARRAY_SIZE(top); i++) {
		if (top[i].cookie > cookie && fn(arg, &top[i]) != 0)
			break;
	}
	return 0;
}

static int magic_getattr(struct vnode *vn, struct vfs_attr *out)
{
	*out = (struct vfs_attr){
		.ino = vn->ino,
		.mode = VFS_S_IFDIR | 0755,
		.nlink = 2,
		.blksize = DBFS_BLOCK_SIZE,
	};
	if (vn->ino == MAGIC_CTL) {
		out->mode = VFS_S_IFREG | 0666;
		out->nlink = 1;
	} else if ((vn->ino & MAGIC_VIEW) == MAGIC_VIEW) {
		out->mode = VFS_S_IFDIR | 0700;
		return view_owner(instance_of(vn)->volume, vn->ino & ~MAGIC_VIEW, &out->uid);
	}
	return 0;
}

static int magic_open(struct vnode *vn, struct file *f)
{
	return vn->ino == MAGIC_CTL ? ctl_open(vn, f) : 0;
}

static const struct vnode_ops magic_ops = {
	.lookup = magic_lookup,
	.readdir = magic_readdir,
	.getattr = magic_getattr,
	.open = magic_open,
};
