/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Attributes of inodes, and what needs no more: targets of symbolic links, permissions. */
#include "dbfs/fs.h"

#include "file/file.h"
#include "inode/inode.h"

#define SECTORS_PER_BLOCK (DBFS_BLOCK_SIZE / 512)
#define SET_ALL                                                                         \
	(DBFS_SET_MODE | DBFS_SET_UID | DBFS_SET_GID | DBFS_SET_SIZE | DBFS_SET_ATIME | \
	 DBFS_SET_MTIME | DBFS_SET_CTIME | DBFS_SET_BTIME)
#define NSEC_PER_SEC 1000000000u

int dbfs_getattr(struct dbfs_tx *tx, struct dbfs_ino ino, struct dbfs_attr *out)
{
	struct dbfs_inode in;
	struct dbfs_attr a = {.generation = 1};
	int err = dbfs_inode_load(tx, ino, &in);

	if (err != 0)
		return err;
	a.ino = ino;
	a.mode = in.mode;
	a.nlink = in.nlink;
	a.uid = in.uid;
	a.gid = in.gid;
	a.rdev_major = in.rdev_major;
	a.rdev_minor = in.rdev_minor;
	a.size = in.size;
	a.blocks = in.blocks * SECTORS_PER_BLOCK;
	if ((in.flags & FS_INODE_INLINE) != 0)
		a.blocks = (in.size + 511) / 512;
	a.atime = in.atime;
	a.mtime = in.mtime;
	a.ctime = in.ctime;
	a.btime = in.btime;
	if (dbfs_inode_is(&in, DBFS_S_IFDIR)) {
		a.size = DBFS_BLOCK_SIZE;
		err = dbfs_dir_times(tx, &in, &a.mtime, &a.ctime, &a.nlink);
	}
	if (err == 0)
		*out = a;
	return err;
}

/* The counters' present times become the bases of those that are about to be set. */
static int rebase(struct dbfs_tx *tx, struct dbfs_inode *in, unsigned mask)
{
	uint8_t kb[8];
	struct dbfs_counters c;
	int err = dbfs_txn_get_counters(tx, dbfs_fs_key1(DBFS_BUCKET_COUNTERS, kb, in->ino.n), &c);

	if (err != 0)
		return err;
	if ((mask & DBFS_SET_MTIME) != 0)
		in->mtime_base = (struct dbfs_time){c.mtime_sec, c.mtime_nsec};
	in->ctime_base = (struct dbfs_time){c.ctime_sec, c.ctime_nsec};
	return 0;
}

static int set_all(struct dbfs_tx *tx, struct dbfs_inode *in, unsigned mask,
		   const struct dbfs_attr *a)
{
	int err = 0;

	if ((mask & DBFS_SET_SIZE) != 0) {
		err = dbfs_file_resize(tx, in, a->size);
		dbfs_inode_modified(in);
	}
	if (err == 0 && dbfs_inode_is(in, DBFS_S_IFDIR))
		err = rebase(tx, in, mask);
	if (err != 0)
		return err;
	if ((mask & DBFS_SET_MODE) != 0)
		in->mode = (in->mode & DBFS_S_IFMT) | (a->mode & 07777);
	if ((mask & DBFS_SET_UID) != 0)
		in->uid = a->uid;
	if ((mask & DBFS_SET_GID) != 0)
		in->gid = a->gid;
	if ((mask & DBFS_SET_ATIME) != 0)
		in->atime = a->atime;
	if ((mask & DBFS_SET_MTIME) != 0)
		in->mtime = a->mtime;
	if ((mask & DBFS_SET_BTIME) != 0)
		in->btime = a->btime;
	if ((mask & DBFS_SET_CTIME) != 0)
		in->ctime = a->ctime;
	else
		dbfs_inode_changed(in);
	return dbfs_inode_store(tx, in);
}

int dbfs_setattr(struct dbfs_tx *tx, struct dbfs_ino ino, unsigned mask, const struct dbfs_attr *in)
{
	struct dbfs_savepoint sp;
	struct dbfs_inode i;
	int err;

	if ((mask & ~(unsigned)SET_ALL) != 0)
		return -DBFS_EINVAL;
	if (((mask & DBFS_SET_ATIME) != 0 && in->atime.nsec >= NSEC_PER_SEC) ||
	    ((mask & DBFS_SET_MTIME) != 0 && in->mtime.nsec >= NSEC_PER_SEC) ||
	    ((mask & DBFS_SET_CTIME) != 0 && in->ctime.nsec >= NSEC_PER_SEC) ||
	    ((mask & DBFS_SET_BTIME) != 0 && in->btime.nsec >= NSEC_PER_SEC))
		return -DBFS_EINVAL;
	err = dbfs_inode_load(tx, ino, &i);
	if (err != 0)
		return err;
	sp = dbfs_tx_savepoint(tx);
	err = set_all(tx, &i, mask, in);
	if (err != 0)
		dbfs_tx_rollback_to(tx, sp);
	return err;
}

bool dbfs_may_access(const struct dbfs_attr *attr, uint32_t uid, const uint32_t *gids, size_t ngids,
		     unsigned mask)
{
	unsigned bits = attr->mode & 7;

	if (uid == 0)
		return (mask & 1) == 0 || (attr->mode & 0111) != 0 ||
		       (attr->mode & DBFS_S_IFMT) == DBFS_S_IFDIR;
	if (uid == attr->uid) {
		bits = attr->mode >> 6 & 7;
	} else {
		for (size_t i = 0; i < ngids; i++) {
			if (gids[i] == attr->gid) {
				bits = attr->mode >> 3 & 7;
				break;
			}
		}
	}
	return (mask & ~bits & 7) == 0;
}

int dbfs_readlink(struct dbfs_tx *tx, struct dbfs_ino ino, char *buf, size_t *len)
{
	uint8_t kb[8];
	struct dbfs_inode in;
	size_t full;
	int err = dbfs_inode_load(tx, ino, &in);

	if (err != 0)
		return err;
	if (!dbfs_inode_is(&in, DBFS_S_IFLNK))
		return -DBFS_EINVAL;
	err = dbfs_txn_get(tx, dbfs_fs_key1(DBFS_BUCKET_INLINE, kb, ino.n), buf, *len, &full, 0);
	if (err == -DBFS_ENOENT || (err == 0 && full != in.size))
		return dbfs_fs_corrupt("target of symbolic link missing or of wrong length", ino.n);
	if (err == 0)
		*len = MIN(*len, full);
	return err;
}
