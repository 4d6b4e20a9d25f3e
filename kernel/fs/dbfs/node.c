/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Vnodes of the inodes of a volume, and attributes between the two worlds. */
#include "fs/dbfs/glue.h"

#include "port/mem.h"
#include "vfs/errors.h"

static struct vfs_time time_of(struct dbfs_time t)
{
	return (struct vfs_time){t.sec, t.nsec};
}

void node_attr(const struct dbfs_attr *in, struct vfs_attr *out)
{
	*out = (struct vfs_attr){
		.ino = in->ino.n,
		.mode = in->mode,
		.nlink = in->nlink,
		.uid = in->uid,
		.gid = in->gid,
		.rdev = vfs_dev(in->rdev_major, in->rdev_minor),
		.blksize = DBFS_BLOCK_SIZE,
		.size = in->size,
		.blocks = in->blocks,
		.atime = time_of(in->atime),
		.mtime = time_of(in->mtime),
		.ctime = time_of(in->ctime),
		.btime = time_of(in->btime),
	};
}

/* For vnode_get: arg is the inode's struct dbfs_attr. */
static int init(struct vnode *vn, void *arg)
{
	const struct dbfs_attr *attr = arg;

	vn->ops = &dbfs_node_ops;
	vn->type = attr->mode & VFS_S_IFMT;
	vn->rdev = vfs_dev(attr->rdev_major, attr->rdev_minor);
	return 0;
}

int node_get(struct op *op, struct dbfs_ino ino, struct vnode **out)
{
	struct dbfs_attr attr;

	*out = vnode_find(&op->in->fs, ino.n);
	if (*out != NULL)
		return 0;
	int err = dbfs_getattr(op->tx, ino, &attr);

	return err != 0 ? err : vnode_get(&op->in->fs, ino.n, init, &attr, out);
}

static int vn_getattr(struct vnode *vn, struct vfs_attr *out)
{
	struct dbfs_attr attr;
	struct op op;
	int err = op_begin(&op, instance_of(vn), false);

	if (err != 0)
		return err;
	err = op_end(&op, dbfs_getattr(op.tx, ino_of(vn), &attr));
	if (err == 0)
		node_attr(&attr, out);
	return err;
}

static unsigned setattr_mask(unsigned mask)
{
	static const struct {
		unsigned vfs;
		unsigned dbfs;
	} map[] = {
		{VFS_SET_MODE, DBFS_SET_MODE},   {VFS_SET_UID, DBFS_SET_UID},
		{VFS_SET_GID, DBFS_SET_GID},     {VFS_SET_SIZE, DBFS_SET_SIZE},
		{VFS_SET_ATIME, DBFS_SET_ATIME}, {VFS_SET_MTIME, DBFS_SET_MTIME},
	};
	unsigned out = 0;

	for (size_t i = 0; i < ARRAY_SIZE(map); i++) {
		if (mask & map[i].vfs)
			out |= map[i].dbfs;
	}
	return out;
}

static int vn_setattr(struct vnode *vn, unsigned mask, const struct vfs_attr *in)
{
	const struct dbfs_attr attr = {
		.mode = in->mode,
		.uid = in->uid,
		.gid = in->gid,
		.size = in->size,
		.atime = {in->atime.sec, in->atime.nsec},
		.mtime = {in->mtime.sec, in->mtime.nsec},
	};
	unsigned what = CHANGE_ATTR | (mask & VFS_SET_SIZE ? CHANGE_DATA : 0);
	struct op op;
	int err = op_begin(&op, instance_of(vn), true);

	if (err != 0)
		return err;
	err = view_note(op.in, vn->ino, what);
	if (err == 0)
		err = dbfs_setattr(op.tx, ino_of(vn), setattr_mask(mask), &attr);
	return op_end(&op, err);
}

static int vn_getxattr(struct vnode *vn, struct vfs_name name, void *buf, size_t *len)
{
	struct op op;
	int err = op_begin(&op, instance_of(vn), false);

	if (err != 0)
		return err;
	return op_end(&op, dbfs_getxattr(op.tx, ino_of(vn), name_of(name), buf, len));
}

static int vn_setxattr(struct vnode *vn, struct vfs_name name, const void *value, size_t len,
		       unsigned flags)
{
	struct op op;
	int err = op_begin(&op, instance_of(vn), true);

	if (err != 0)
		return err;
	err = view_note(op.in, vn->ino, CHANGE_ATTR);
	if (err == 0)
		err = dbfs_setxattr(op.tx, ino_of(vn), name_of(name),
				    (struct dbfs_value){value, len}, flags);
	return op_end(&op, err);
}

static int vn_removexattr(struct vnode *vn, struct vfs_name name)
{
	struct op op;
	int err = op_begin(&op, instance_of(vn), true);

	if (err != 0)
		return err;
	err = view_note(op.in, vn->ino, CHANGE_ATTR);
	if (err == 0)
		err = dbfs_removexattr(op.tx, ino_of(vn), name_of(name));
	return op_end(&op, err);
}

struct list_arg {
	int (*fn)(void *arg, struct vfs_name name);
	void *arg;
};

static int pass_name(void *arg, struct dbfs_name name)
{
	const struct list_arg *l = arg;

	return l->fn(l->arg, (struct vfs_name){name.s, name.len});
}

static int vn_listxattr(struct vnode *vn, int (*fn)(void *arg, struct vfs_name name), void *arg)
{
	struct list_arg l = {fn, arg};
	struct op op;
	int err = op_begin(&op, instance_of(vn), false);

	if (err != 0)
		return err;
	return op_end(&op, dbfs_listxattr(op.tx, ino_of(vn), pass_name, &l));
}

static void vn_evict(struct vnode *vn)
{
	if (vn->private == ANON_HOLD)
		dbfs_release(instance_of(vn)->volume->db, ino_of(vn));
}

const struct vnode_ops dbfs_node_ops = {
	.lookup = dbfs_vn_lookup,
	.create = dbfs_vn_create,
	.create_anon = dbfs_vn_create_anon,
	.link = dbfs_vn_link,
	.unlink = dbfs_vn_unlink,
	.rmdir = dbfs_vn_rmdir,
	.rename = dbfs_vn_rename,
	.readdir = dbfs_vn_readdir,
	.readlink = dbfs_vn_readlink,
	.getattr = vn_getattr,
	.setattr = vn_setattr,
	.readpages = dbfs_vn_readpages,
	.write = dbfs_vn_write,
	.writepage = dbfs_vn_writepage,
	.fsync = dbfs_vn_fsync,
	.fallocate = dbfs_vn_fallocate,
	.seek = dbfs_vn_seek,
	.getxattr = vn_getxattr,
	.setxattr = vn_setxattr,
	.removexattr = vn_removexattr,
	.listxattr = vn_listxattr,
	.open = dbfs_vn_open,
	.release = dbfs_vn_release,
	.evict = vn_evict,
};
