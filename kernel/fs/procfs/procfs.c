/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The type "proc" and its vnodes. See procfs.h. */
#include "fs/procfs/procfs.h"

#include "fs/procfs/init.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "port/mem.h"
#include "vfs/errors.h"

static const struct vnode_ops proc_ops;
static const struct vnode_ops magic_link_ops; /* the place itself, not its name, is followed */

static int init(struct vnode *vn, void *arg)
{
	const struct node *n = arg;

	vn->ops = n->kind == KIND_FD || node_entry(n)->follow != NULL ? &magic_link_ops : &proc_ops;
	vn->type = node_entry(n)->mode & VFS_S_IFMT;
	vn->flags = VNODE_NO_NAMES | VNODE_NO_CACHE | VNODE_NO_MMAP;
	return 0;
}

int proc_vnode(struct vfs_fs *fs, const struct node *n, struct vnode **out)
{
	struct node copy = *n;

	return vnode_get(fs, node_ino(n), init, &copy, out);
}

static bool has_target(const struct node *n)
{
	return n->kind != KIND_ROOT && n->kind != KIND_SYS;
}

/* Files outside of /proc/PID get an empty one. A descriptor's task stands nowhere: the leader serves. */
static int get_target(const struct node *n, struct target *t)
{
	*t = (struct target){0};
	if (!has_target(n))
		return 0;
	return target_get(n->pid, n->kind == KIND_TASK ? n->sub : 0, t);
}

static int proc_getattr(struct vnode *vn, struct vfs_attr *out)
{
	const struct node n = node_of(vn);
	struct target t;
	int err = get_target(&n, &t);

	if (err != 0)
		return err == -ESRCH ? -ENOENT : err;
	*out = (struct vfs_attr){
		.ino = vn->ino,
		.mode = node_entry(&n)->mode,
		.nlink = vn->type == VFS_S_IFDIR ? 2 : 1,
		.blksize = 1024,
	};
	if (t.cred != NULL) {
		out->uid = t.cred->euid;
		out->gid = t.cred->egid;
	}
	target_put(&t);
	return 0;
}

/* truncate, as O_TRUNC does before a write, is harmless; nothing else can be changed. */
static int proc_setattr(struct vnode *vn, unsigned mask, const struct vfs_attr *in)
{
	(void)in;
	return vn->type == VFS_S_IFREG && (mask & ~(unsigned)(VFS_SET_SIZE | VFS_SET_MTIME |
							      VFS_SET_CTIME)) == 0
		       ? 0
		       : -EPERM;
}

static int proc_read(struct vnode *vn, uint64_t off, void *buf, size_t len, size_t *done)
{
	const struct node n = node_of(vn);
	const struct entry *e = node_entry(&n);
	struct text text = {0};
	struct target t;

	if (e->show == NULL)
		return -EINVAL;
	int err = get_target(&n, &t);

	if (err != 0)
		return err;
	err = e->show(&t, &text);
	if (err == 0)
		err = text.err;
	if (err == 0) {
		*done = off < text.len ? MIN(len, text.len - off) : 0;
		if (*done != 0)
			memcpy(buf, text.buf + off, *done);
	}
	text_free(&text);
	target_put(&t);
	return err;
}

static int proc_write(struct vnode *vn, uint64_t off, const void *buf, size_t len)
{
	const struct node n = node_of(vn);
	const struct entry *e = node_entry(&n);
	struct target t;

	if (e->write == NULL)
		return -EINVAL;
	if (off != 0)
		return -EINVAL;
	int err = get_target(&n, &t);

	if (err == 0) {
		err = e->write(&t, buf, len);
		target_put(&t);
	}
	return err;
}

static int proc_follow(struct vnode *vn, const struct vfs_cred *cred, struct path *out)
{
	const struct node n = node_of(vn);
	const struct entry *e = node_entry(&n);
	struct target t;

	(void)cred;
	int err = get_target(&n, &t);

	if (err != 0)
		return err;
	err = target_may_look(&t);
	if (err == 0)
		err = n.kind == KIND_FD ? fd_follow(&t, n.sub, out) : e->follow(&t, out);
	target_put(&t);
	return err;
}

static int proc_readlink(struct vnode *vn, char *buf, size_t *len)
{
	const struct node n = node_of(vn);
	const struct entry *e = node_entry(&n);
	struct text text = {0};
	struct target t;
	int err = get_target(&n, &t);

	if (err != 0)
		return err;
	if (n.kind == KIND_FD)
		err = fd_link(&t, n.sub, &text);
	else
		err = e->show != NULL ? e->show(&t, &text) : link_text(&t, e, &text);
	if (err == 0)
		err = text.err;
	if (err == 0) {
		*len = MIN(*len, text.len);
		memcpy(buf, text.buf, *len);
	}
	text_free(&text);
	target_put(&t);
	return err;
}

static const struct vnode_ops proc_ops = {
	.lookup = proc_lookup,
	.readdir = proc_readdir,
	.readlink = proc_readlink,
	.getattr = proc_getattr,
	.setattr = proc_setattr,
	.read = proc_read,
	.write = proc_write,
};

static const struct vnode_ops magic_link_ops = {
	.readlink = proc_readlink,
	.follow = proc_follow,
	.getattr = proc_getattr,
	.setattr = proc_setattr,
};

static int proc_statfs(struct vfs_fs *fs, struct vfs_statfs *out)
{
	(void)fs;
	out->type = 0x9fa0; /* PROC_SUPER_MAGIC */
	out->bsize = 4096;
	out->namelen = VFS_NAME_MAX;
	return 0;
}

static void proc_unmount(struct vfs_fs *fs)
{
	port_free(fs);
}

static const struct vfs_fs_ops proc_fs_ops = {
	.statfs = proc_statfs,
	.unmount = proc_unmount,
};

static int mount(const struct vfs_fs_type *type, const struct vfs_mount_args *args,
		 struct vfs_fs **out)
{
	const struct node root = {.kind = KIND_ROOT};
	struct vfs_fs *fs = port_alloc_zeroed(sizeof *fs);

	if (fs == NULL)
		return -ENOMEM;
	int err = vfs_fs_init(fs, type, &proc_fs_ops);

	if (err != 0) {
		port_free(fs);
		return err;
	}
	fs->flags = VFS_FS_NO_NAMES | VFS_FS_NO_ATTRS;
	strlcpy(fs->source, args->source[0] != '\0' ? args->source : "proc", sizeof fs->source);
	err = proc_vnode(fs, &root, &fs->root);
	if (err != 0) {
		vfs_fs_fini(fs);
		port_free(fs);
		return err;
	}
	*out = fs;
	return 0;
}

static struct vfs_fs_type proc_type = {
	.name = "proc",
	.mount = mount,
};

void procfs_init(void)
{
	vfs_fs_register(&proc_type);
}
