/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Directories: names to vnodes and back. The VFS has checked permissions, types and name lengths. */
#include "fs/dbfs/glue.h"

#include "vfs/errors.h"

int dbfs_vn_lookup(struct vnode *dir, struct vfs_name name, struct vnode **out)
{
	struct dbfs_ino ino;
	struct op op;

	if (magic_is(dir, name))
		return magic_get(instance_of(dir)->volume, out);
	int err = op_begin(&op, instance_of(dir), false);

	if (err != 0)
		return err;
	if (name.len == 2 && name.s[0] == '.' && name.s[1] == '.')
		err = dbfs_parent(op.tx, ino_of(dir), &ino);
	else
		err = dbfs_lookup(op.tx, ino_of(dir), name_of(name), &ino);
	if (err == 0)
		err = node_get(&op, ino, out);
	return op_end(&op, err);
}

static void new_of(const struct vfs_new *what, struct dbfs_new *out)
{
	*out = (struct dbfs_new){
		.mode = what->mode,
		.uid = what->uid,
		.gid = what->gid,
		.rdev_major = vfs_dev_major(what->rdev),
		.rdev_minor = vfs_dev_minor(what->rdev),
		.target = what->target.s,
		.target_len = what->target.len,
	};
}

int dbfs_vn_create(struct vnode *dir, struct vfs_name name, const struct vfs_new *what,
		   struct vnode **out)
{
	struct dbfs_ino ino;
	struct dbfs_new new;
	struct op op;

	if (magic_is(dir, name))
		return -VFS_EEXIST;
	int err = op_begin(&op, instance_of(dir), true);

	if (err != 0)
		return err;
	new_of(what, &new);
	err = view_note(op.in, dir->ino, CHANGE_NAMES | CHANGE_ATTR);
	if (err == 0)
		err = dbfs_create(op.tx, ino_of(dir), name_of(name), &new, &ino);
	if (err == 0)
		err = node_get(&op, ino, out);
	return op_end(&op, err);
}

/* Held from before its commit until the vnode leaves memory: nothing else keeps an inode without a name. */
int dbfs_vn_create_anon(struct vnode *dir, const struct vfs_new *what, struct vnode **out)
{
	struct dbfs_ino ino;
	struct dbfs_new new;
	struct op op;

	*out = NULL;
	int err = op_begin(&op, instance_of(dir), true);

	if (err != 0)
		return err;
	new_of(what, &new);
	err = dbfs_create_anon(op.tx, &new, &ino);
	if (err == 0)
		err = dbfs_hold(op.in->volume->db, ino);
	if (err == 0) {
		err = node_get(&op, ino, out);
		if (err == 0)
			(*out)->private = ANON_HOLD;
		else
			dbfs_release(op.in->volume->db, ino);
	}
	err = op_end(&op, err);
	/* A failed commit: the vnode goes, and its hold with it. */
	if (err != 0 && *out != NULL)
		vnode_put(*out);
	return err;
}

int dbfs_vn_link(struct vnode *dir, struct vfs_name name, struct vnode *target)
{
	struct op op;

	if (magic_is(dir, name))
		return -VFS_EEXIST;
	int err = op_begin(&op, instance_of(dir), true);

	if (err != 0)
		return err;
	err = view_note(op.in, dir->ino, CHANGE_NAMES | CHANGE_ATTR);
	if (err == 0)
		err = view_note(op.in, target->ino, CHANGE_ATTR);
	if (err == 0)
		err = dbfs_link(op.tx, ino_of(target), ino_of(dir), name_of(name));
	return op_end(&op, err);
}

/* unlink and rmdir: which says which. */
static int take_name(struct vnode *dir, struct vfs_name name, struct vnode *victim,
		     int (*which)(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
				  struct dbfs_ino *gone))
{
	struct op op;

	if (magic_is(dir, name))
		return -VFS_EPERM;
	int err = op_begin(&op, instance_of(dir), true);

	if (err != 0)
		return err;
	err = view_note(op.in, dir->ino, CHANGE_NAMES | CHANGE_ATTR);
	if (err == 0)
		err = view_hold(op.in, victim->ino);
	if (err == 0)
		err = which(op.tx, ino_of(dir), name_of(name), NULL);
	return op_end(&op, err);
}

int dbfs_vn_unlink(struct vnode *dir, struct vfs_name name, struct vnode *victim)
{
	return take_name(dir, name, victim, dbfs_unlink);
}

int dbfs_vn_rmdir(struct vnode *dir, struct vfs_name name, struct vnode *victim)
{
	return take_name(dir, name, victim, dbfs_rmdir);
}

/* Notes what a rename changes besides the two directories: the moved inode, and a replaced one. */
static int note_renamed(struct op *op, struct vnode *dir, struct vfs_name name, bool replaced)
{
	struct dbfs_ino ino;
	int err = dbfs_lookup(op->tx, ino_of(dir), name_of(name), &ino);

	if (err == -DBFS_ENOENT && replaced)
		return 0;
	if (err != 0)
		return err;
	return replaced ? view_hold(op->in, ino.n)
			: view_note(op->in, ino.n, CHANGE_ATTR | CHANGE_NAMES);
}

int dbfs_vn_rename(struct vnode *odir, struct vfs_name oname, struct vnode *ndir,
		   struct vfs_name nname, unsigned flags)
{
	struct op op;

	if (magic_is(odir, oname) || magic_is(ndir, nname))
		return -VFS_EPERM;
	int err = op_begin(&op, instance_of(odir), true);

	if (err != 0)
		return err;
	err = view_note(op.in, odir->ino, CHANGE_NAMES | CHANGE_ATTR);
	if (err == 0)
		err = view_note(op.in, ndir->ino, CHANGE_NAMES | CHANGE_ATTR);
	if (err == 0 && op.in->view != NULL)
		err = note_renamed(&op, odir, oname, false);
	if (err == 0 && op.in->view != NULL)
		err = note_renamed(&op, ndir, nname, true);
	if (err == 0)
		err = dbfs_rename(op.tx, ino_of(odir), name_of(oname), ino_of(ndir), name_of(nname),
				  flags);
	return op_end(&op, err);
}

struct readdir_arg {
	int (*fn)(void *arg, const struct vfs_dirent *e);
	void *arg;
};

static int pass_entry(void *arg, const struct dbfs_dirent *e)
{
	const struct readdir_arg *r = arg;
	const struct vfs_dirent out = {
		.ino = e->ino.n,
		.type = e->type,
		.cookie = e->cookie,
		.name = {e->name.s, e->name.len},
	};

	return r->fn(r->arg, &out);
}

int dbfs_vn_readdir(struct vnode *dir, uint64_t cookie,
		    int (*fn)(void *arg, const struct vfs_dirent *e), void *arg)
{
	struct readdir_arg r = {fn, arg};
	struct op op;
	int err = op_begin(&op, instance_of(dir), false);

	if (err != 0)
		return err;
	return op_end(&op, dbfs_readdir(op.tx, ino_of(dir), cookie, pass_entry, &r));
}

int dbfs_vn_readlink(struct vnode *vn, char *buf, size_t *len)
{
	struct op op;
	int err = op_begin(&op, instance_of(vn), false);

	if (err != 0)
		return err;
	return op_end(&op, dbfs_readlink(op.tx, ino_of(vn), buf, len));
}
