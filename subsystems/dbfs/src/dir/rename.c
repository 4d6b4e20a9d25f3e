/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Rename, replace and exchange, as renameat2(2).
 *
 * A directory must not move below itself. When one moves to another parent, the chain of parents from
 * the target to the root is read; these reads are tracked (later: locked), so that two moves that
 * together would close a cycle cannot both commit.
 *
 * A damaged volume may have a cycle already: the walk is bounded.
 */
#include "dir/dir_priv.h"

#define DEPTH_MAX 65536u

struct rename {
	struct dbfs_tx *tx;
	struct dbfs_ino odir;
	struct dbfs_ino ndir;
	struct dbfs_name oname;
	struct dbfs_name nname;
	struct dbfs_dent oent;
	struct dbfs_dent nent;
	struct dbfs_inode in;     /* what moves */
	struct dbfs_inode target; /* what stands there, if there is one */
};

/* The inode that an entry names, which must be of the entry's type. */
static int load_entry(struct dbfs_tx *tx, struct dbfs_ino dir, const struct dbfs_dent *e,
		      struct dbfs_inode *out)
{
	int err = dbfs_inode_load(tx, e->ino, out);

	if (err == -DBFS_ENOENT || (err == 0 && (out->mode & DBFS_S_IFMT) != e->type))
		return dbfs_fs_corrupt("an entry in this directory names a wrong inode", dir.n);
	return err;
}

/* -DBFS_EINVAL if moved is dir or above it. */
static int check_not_above(struct dbfs_tx *tx, struct dbfs_ino moved, struct dbfs_ino dir)
{
	for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
		struct dbfs_inode d;
		int err;

		if (dir.n == moved.n)
			return -DBFS_EINVAL;
		if (dir.n == DBFS_ROOT_INO.n)
			return 0;
		err = dbfs_inode_load_dir(tx, dir, &d);
		if (err != 0)
			return err == -DBFS_ENOENT || err == -DBFS_ENOTDIR
				       ? dbfs_fs_corrupt("is a parent but no directory", dir.n)
				       : err;
		dir.n = d.parent;
	}
	return dbfs_fs_corrupt("its parents do not lead to the root", dir.n);
}

/* Gives in its new parent, if it is a directory, and a new ctime. */
static int settle(struct dbfs_tx *tx, struct dbfs_inode *in, struct dbfs_ino dir)
{
	dbfs_inode_changed(in);
	if (!dbfs_inode_is(in, DBFS_S_IFDIR))
		return dbfs_inode_store(tx, in);
	if (in->parent != dir.n) {
		in->parent = dir.n;
		return dbfs_inode_store(tx, in);
	}
	return dbfs_dir_changed(tx, in->ino);
}

/* Removes what stands at the target, whose entry is about to be overwritten. */
static int replace_target(struct rename *r)
{
	bool dir = dbfs_inode_is(&r->in, DBFS_S_IFDIR);
	int err;

	if (dbfs_inode_is(&r->target, DBFS_S_IFDIR) != dir)
		return dir ? -DBFS_ENOTDIR : -DBFS_EISDIR;
	err = dir ? dbfs_dent_none(r->tx, r->target.ino) : 0;
	if (err == 0)
		err = dbfs_dir_count(r->tx, r->ndir, dir ? -1 : 0, -1);
	return err != 0 ? err : dbfs_inode_drop_link(r->tx, &r->target);
}

static int move(struct rename *r, bool replace)
{
	int64_t links = dbfs_inode_is(&r->in, DBFS_S_IFDIR) ? 1 : 0;
	int err = replace ? replace_target(r) : 0;

	if (err == 0)
		err = dbfs_dent_delete(r->tx, r->odir, r->oent.cookie);
	r->nent.ino = r->in.ino;
	r->nent.type = r->in.mode & DBFS_S_IFMT;
	if (err == 0)
		err = dbfs_dent_put(r->tx, r->ndir, r->nname, &r->nent);
	if (err == 0)
		err = dbfs_dir_count(r->tx, r->odir, -links, -1);
	if (err == 0)
		err = dbfs_dir_count(r->tx, r->ndir, links, 1);
	return err != 0 ? err : settle(r->tx, &r->in, r->ndir);
}

static int exchange(struct rename *r)
{
	int64_t links = (dbfs_inode_is(&r->target, DBFS_S_IFDIR) ? 1 : 0) -
			(dbfs_inode_is(&r->in, DBFS_S_IFDIR) ? 1 : 0);
	struct dbfs_dent o = {r->target.ino, r->target.mode & DBFS_S_IFMT, r->oent.cookie};
	struct dbfs_dent n = {r->in.ino, r->in.mode & DBFS_S_IFMT, r->nent.cookie};
	int err = 0;

	if (dbfs_inode_is(&r->target, DBFS_S_IFDIR) && r->odir.n != r->ndir.n)
		err = check_not_above(r->tx, r->target.ino, r->odir);
	if (err == 0)
		err = dbfs_dent_put(r->tx, r->odir, r->oname, &o);
	if (err == 0)
		err = dbfs_dent_put(r->tx, r->ndir, r->nname, &n);
	if (err == 0)
		err = dbfs_dir_count(r->tx, r->odir, links, 0);
	if (err == 0)
		err = dbfs_dir_count(r->tx, r->ndir, -links, 0);
	if (err == 0)
		err = settle(r->tx, &r->in, r->ndir);
	return err != 0 ? err : settle(r->tx, &r->target, r->odir);
}

static int do_rename(struct rename *r, unsigned flags)
{
	struct dbfs_inode d;
	bool there = false;
	int err = dbfs_dir_load_alive(r->tx, r->odir, &d);

	if (err == 0)
		err = dbfs_dir_load_alive(r->tx, r->ndir, &d);
	if (err == 0)
		err = dbfs_dent_find(r->tx, r->odir, r->oname, &r->oent);
	if (err == 0)
		err = load_entry(r->tx, r->odir, &r->oent, &r->in);
	if (err != 0)
		return err;
	err = dbfs_dent_find(r->tx, r->ndir, r->nname, &r->nent);
	if (err == 0) {
		there = true;
		err = load_entry(r->tx, r->ndir, &r->nent, &r->target);
	} else if (err == -DBFS_ENOENT && (flags & DBFS_RENAME_EXCHANGE) == 0) {
		err = 0;
	}
	if (err != 0)
		return err;
	if (there && (flags & DBFS_RENAME_NOREPLACE) != 0)
		return -DBFS_EEXIST;
	if (there && r->target.ino.n == r->in.ino.n)
		return 0; /* two names of one file: nothing happens, says POSIX */
	if (dbfs_inode_is(&r->in, DBFS_S_IFDIR) && r->odir.n != r->ndir.n) {
		err = check_not_above(r->tx, r->in.ino, r->ndir);
		if (err != 0)
			return err;
	}
	return (flags & DBFS_RENAME_EXCHANGE) != 0 ? exchange(r) : move(r, there);
}

int dbfs_rename(struct dbfs_tx *tx, struct dbfs_ino odir, struct dbfs_name oname,
		struct dbfs_ino ndir, struct dbfs_name nname, unsigned flags)
{
	struct rename r = {.tx = tx, .odir = odir, .ndir = ndir, .oname = oname, .nname = nname};
	struct dbfs_savepoint sp;
	int err;

	if ((flags & ~(unsigned)(DBFS_RENAME_NOREPLACE | DBFS_RENAME_EXCHANGE)) != 0 ||
	    flags == (DBFS_RENAME_NOREPLACE | DBFS_RENAME_EXCHANGE))
		return -DBFS_EINVAL;
	err = dbfs_name_check(oname);
	if (err == 0)
		err = dbfs_name_check(nname);
	if (err != 0)
		return err;
	sp = dbfs_tx_savepoint(tx);
	return dbfs_end_op(tx, sp, do_rename(&r, flags));
}
