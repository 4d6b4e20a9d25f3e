/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Directories: look-up, creation, links, removal, listing. Rename is in rename.c.
 *
 *   DIR-1  Each entry names an inode that exists, with the entry's type.
 *   DIR-2  A directory has exactly one name, and its parent field is the directory with that name.
 *   DIR-3  A file's link count is the number of entries that name it.
 *   DIR-4  A removed directory (nlink 0) has no entries and never gets one.
 *
 * Each operation takes a savepoint first and rolls back to it on error, so that it is atomic inside
 * its transaction. Two operations in one directory conflict only where they touch the same name: both
 * read the directory's record (it must stay a directory), and its counts and times are deltas.
 */
#include "dir/dir_priv.h"

int dbfs_dir_load_alive(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_inode *out)
{
	int err = dbfs_inode_load_dir(tx, dir, out);

	if (err != 0)
		return err;
	return out->nlink == 0 ? -DBFS_ENOENT : 0;
}

int dbfs_lookup(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
		struct dbfs_ino *out)
{
	struct dbfs_inode d;
	struct dbfs_dent e;
	int err = dbfs_name_check(name);

	if (err == 0)
		err = dbfs_inode_load_dir(tx, dir, &d);
	if (err == 0)
		err = dbfs_dent_find(tx, dir, name, &e);
	if (err == 0)
		*out = e.ino;
	return err;
}

int dbfs_parent(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_ino *out)
{
	struct dbfs_inode d;
	int err = dbfs_inode_load_dir(tx, dir, &d);

	if (err == 0)
		*out = (struct dbfs_ino){d.parent};
	return err;
}

/* Adds the name; the place must be free. */
static int add_name(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
		    const struct dbfs_inode *in)
{
	struct dbfs_dent e;
	bool subdir = dbfs_inode_is(in, DBFS_S_IFDIR);
	int err = dbfs_dent_vacant(tx, dir, name, &e);

	if (err != 0)
		return err;
	e.ino = in->ino;
	e.type = in->mode & DBFS_S_IFMT;
	err = dbfs_dent_put(tx, dir, name, &e);
	return err != 0 ? err : dbfs_dir_count(tx, dir, subdir ? 1 : 0, 1);
}

static int create(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
		  const struct dbfs_new *what, struct dbfs_ino *out)
{
	struct dbfs_inode d;
	struct dbfs_inode in;
	int err = dbfs_dir_load_alive(tx, dir, &d);

	if (err == 0)
		err = dbfs_inode_new(tx, what, &in);
	if (err != 0)
		return err;
	if ((d.mode & DBFS_S_ISGID) != 0) {
		in.gid = d.gid;
		if (dbfs_inode_is(&in, DBFS_S_IFDIR))
			in.mode |= DBFS_S_ISGID;
	}
	if (dbfs_inode_is(&in, DBFS_S_IFDIR))
		in.parent = dir.n;
	err = add_name(tx, dir, name, &in);
	if (err == 0)
		err = dbfs_inode_store(tx, &in);
	if (err == 0)
		*out = in.ino;
	return err;
}

int dbfs_create(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
		const struct dbfs_new *what, struct dbfs_ino *out)
{
	struct dbfs_savepoint sp;
	int err = dbfs_name_check(name);

	if (err != 0)
		return err;
	sp = dbfs_tx_savepoint(tx);
	return dbfs_end_op(tx, sp, create(tx, dir, name, what, out));
}

static int create_anon(struct dbfs_tx *tx, const struct dbfs_new *what, struct dbfs_ino *out)
{
	struct dbfs_inode in;
	int err = dbfs_inode_new(tx, what, &in);

	if (err != 0)
		return err;
	in.nlink = 0;
	in.flags |= FS_INODE_LINKABLE;
	err = dbfs_inode_store(tx, &in);
	if (err == 0)
		err = dbfs_inode_add_orphan(tx, in.ino);
	if (err == 0)
		*out = in.ino;
	return err;
}

int dbfs_create_anon(struct dbfs_tx *tx, const struct dbfs_new *what, struct dbfs_ino *out)
{
	struct dbfs_savepoint sp;

	if ((what->mode & DBFS_S_IFMT) == DBFS_S_IFDIR)
		return -DBFS_EINVAL;
	sp = dbfs_tx_savepoint(tx);
	return dbfs_end_op(tx, sp, create_anon(tx, what, out));
}

static int add_link(struct dbfs_tx *tx, struct dbfs_ino ino, struct dbfs_ino dir,
		    struct dbfs_name name)
{
	struct dbfs_inode d;
	struct dbfs_inode in;
	int err = dbfs_dir_load_alive(tx, dir, &d);

	if (err == 0)
		err = dbfs_inode_load(tx, ino, &in);
	if (err != 0)
		return err;
	if (dbfs_inode_is(&in, DBFS_S_IFDIR))
		return -DBFS_EPERM;
	if (in.nlink >= DBFS_LINK_MAX)
		return -DBFS_EMLINK;
	if (in.nlink == 0) {
		if ((in.flags & FS_INODE_LINKABLE) == 0)
			return -DBFS_ENOENT;
		in.flags &= ~(uint32_t)FS_INODE_LINKABLE;
		err = dbfs_inode_del_orphan(tx, ino);
		if (err != 0)
			return err;
	}
	in.nlink++;
	dbfs_inode_changed(&in);
	err = add_name(tx, dir, name, &in);
	return err != 0 ? err : dbfs_inode_store(tx, &in);
}

int dbfs_link(struct dbfs_tx *tx, struct dbfs_ino ino, struct dbfs_ino dir, struct dbfs_name name)
{
	struct dbfs_savepoint sp;
	int err = dbfs_name_check(name);

	if (err != 0)
		return err;
	sp = dbfs_tx_savepoint(tx);
	return dbfs_end_op(tx, sp, add_link(tx, ino, dir, name));
}

/* Unlink and rmdir. */
static int remove_name(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name, bool is_dir,
		       struct dbfs_ino *gone)
{
	struct dbfs_inode d;
	struct dbfs_inode in;
	struct dbfs_dent e;
	int err = dbfs_dir_load_alive(tx, dir, &d);

	dbfs_txn_use_reserve(tx);
	if (err == 0)
		err = dbfs_dent_find(tx, dir, name, &e);
	if (err != 0)
		return err;
	err = dbfs_inode_load(tx, e.ino, &in);
	if (err == -DBFS_ENOENT || (err == 0 && (in.mode & DBFS_S_IFMT) != e.type))
		return dbfs_fs_corrupt("an entry in this directory names a wrong inode", dir.n);
	if (err != 0)
		return err;
	if (dbfs_inode_is(&in, DBFS_S_IFDIR) != is_dir)
		return is_dir ? -DBFS_ENOTDIR : -DBFS_EISDIR;
	err = is_dir ? dbfs_dent_none(tx, in.ino) : 0;
	if (err == 0)
		err = dbfs_dent_delete(tx, dir, e.cookie);
	if (err == 0)
		err = dbfs_dir_count(tx, dir, is_dir ? -1 : 0, -1);
	if (err == 0)
		err = dbfs_inode_drop_link(tx, &in);
	if (err == 0 && gone != NULL)
		*gone = e.ino;
	return err;
}

int dbfs_unlink(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
		struct dbfs_ino *gone)
{
	struct dbfs_savepoint sp;
	int err = dbfs_name_check(name);

	if (err != 0)
		return err;
	sp = dbfs_tx_savepoint(tx);
	return dbfs_end_op(tx, sp, remove_name(tx, dir, name, false, gone));
}

int dbfs_rmdir(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
	       struct dbfs_ino *gone)
{
	struct dbfs_savepoint sp;
	int err = dbfs_name_check(name);

	if (err != 0)
		return err;
	sp = dbfs_tx_savepoint(tx);
	return dbfs_end_op(tx, sp, remove_name(tx, dir, name, true, gone));
}

int dbfs_readdir(struct dbfs_tx *tx, struct dbfs_ino dir, uint64_t cookie,
		 int (*fn)(void *arg, const struct dbfs_dirent *e), void *arg)
{
	uint8_t lo[16];
	uint8_t hi[8];
	struct dbfs_inode d;
	struct dbfs_cursor *c;
	int err = dbfs_inode_load_dir(tx, dir, &d);

	if (err != 0 || cookie >= INT64_MAX)
		return err;
	err = dbfs_cursor_open(tx, dbfs_fs_key2(DBFS_BUCKET_DIRENT, lo, dir.n, cookie + 1),
			       dbfs_fs_key1(DBFS_BUCKET_DIRENT, hi, dir.n + 1), 0, &c);
	if (err != 0)
		return err;
	while ((err = dbfs_cursor_next(c)) == 0) {
		struct dbfs_val val;
		struct dbfs_dirent e;
		uint64_t n;

		err = dbfs_cursor_value(c, &val);
		if (err != 0)
			break;
		if (dbfs_dent_decode(dbfs_cursor_key(c), val, &n, &e) != 0) {
			err = dbfs_fs_corrupt("damaged entry in this directory", dir.n);
			break;
		}
		if (fn(arg, &e) != 0)
			break;
	}
	dbfs_cursor_close(c);
	return err == -DBFS_ENOENT ? 0 : err;
}
