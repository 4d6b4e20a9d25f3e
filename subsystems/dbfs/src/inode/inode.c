/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Inodes: the records, their times, link counts, and their end.
 *
 * An inode is one record in DBFS_BUCKET_INODE and what other buckets hold under its number: extents or
 * inline contents, xattrs, and for a directory its entries and counters. Numbers are never used twice.
 *
 *   INODE-1  A regular file either has FS_INODE_INLINE and a value of exactly `size` bytes in
 *            DBFS_BUCKET_INLINE, or has no such value. A symbolic link always has one.
 *   INODE-2  `blocks` is the sum of the counts of the inode's extents.
 *   INODE-3  An inode without names (nlink 0) has an entry in DBFS_BUCKET_ORPHAN, and only those have.
 *   INODE-4  The volume's counters (number 0) hold in `entries` how many inode records there are.
 *   INODE-5  A directory's nlink is 2 + the `links` of its counters, which count its subdirectories;
 *            `entries` counts its names.
 *
 * Life of an inode: dbfs_inode_new -> stored with a name (dir) or as an orphan (create_anon) -> names
 * come and go -> the last goes (dbfs_inode_drop_link): destroyed at once, or, while somebody holds it,
 * an orphan, destroyed by the last release or by the next mount. All of it happens inside transactions,
 * so a crash leaves a state between two of them; only orphans remain to be cleared.
 *
 * Directories. Every create and unlink in a directory changes its times and counts. If these stood in
 * the record, any two transactions in one directory would conflict. They are deltas
 * (dbfs_txn_merge), and times there can only rise. utimes(2) must be able to set them back: the record
 * then holds the time that was set and, as `base`, the counters' time at that moment; a later
 * counters' time wins (dbfs_dir_times).
 */
#include "inode/inode.h"

#include "inode/extent.h"
#include "port/time.h"

#define NSEC_PER_SEC 1000000000

struct dbfs_time dbfs_time_now(void)
{
	int64_t ns = port_wallclock();
	int64_t sec = ns / NSEC_PER_SEC;
	int64_t rest = ns % NSEC_PER_SEC;

	if (rest < 0) {
		rest += NSEC_PER_SEC;
		sec--;
	}
	return (struct dbfs_time){sec, (uint32_t)rest};
}

bool dbfs_time_before(struct dbfs_time a, struct dbfs_time b)
{
	return a.sec < b.sec || (a.sec == b.sec && a.nsec < b.nsec);
}

int dbfs_inode_load(struct dbfs_tx *tx, struct dbfs_ino ino, struct dbfs_inode *out)
{
	uint8_t kb[8];
	uint8_t buf[DBFS_INODE_DISK_MAX];
	size_t len;
	int err = dbfs_txn_get(tx, dbfs_fs_key1(DBFS_BUCKET_INODE, kb, ino.n), buf, sizeof(buf),
			       &len, 0);

	if (err != 0)
		return err;
	if (len > sizeof(buf) || dbfs_inode_decode(ino, buf, len, out) != 0)
		return dbfs_fs_corrupt("damaged inode record", ino.n);
	return 0;
}

int dbfs_inode_load_dir(struct dbfs_tx *tx, struct dbfs_ino ino, struct dbfs_inode *out)
{
	int err = dbfs_inode_load(tx, ino, out);

	if (err != 0)
		return err;
	return dbfs_inode_is(out, DBFS_S_IFDIR) ? 0 : -DBFS_ENOTDIR;
}

int dbfs_inode_store(struct dbfs_tx *tx, const struct dbfs_inode *in)
{
	uint8_t kb[8];
	uint8_t buf[DBFS_INODE_DISK_MAX];
	size_t len = dbfs_inode_encode(in, buf);

	return dbfs_txn_put(tx, dbfs_fs_key1(DBFS_BUCKET_INODE, kb, in->ino.n),
			    (struct dbfs_val){buf, len});
}

/* Adds to the number of inodes (INODE-4). */
static int count_inodes(struct dbfs_tx *tx, int64_t delta)
{
	uint8_t kb[8];
	struct dbfs_counters c = {.entries = delta};

	return dbfs_txn_merge(tx, dbfs_fs_key1(DBFS_BUCKET_COUNTERS, kb, 0), &c);
}

int dbfs_inode_new(struct dbfs_tx *tx, const struct dbfs_new *what, struct dbfs_inode *out)
{
	struct dbfs_time now = dbfs_time_now();
	uint32_t type = what->mode & DBFS_S_IFMT;
	bool device = type == DBFS_S_IFCHR || type == DBFS_S_IFBLK;
	uint64_t n;
	int err;

	if (!dbfs_mode_valid(what->mode))
		return -DBFS_EINVAL;
	if (type == DBFS_S_IFLNK && (what->target_len == 0 || what->target_len > DBFS_SYMLINK_MAX))
		return what->target_len == 0 ? -DBFS_ENOENT : -DBFS_ENAMETOOLONG;
	err = dbfs_txn_new_id(tx, &n);
	if (err == 0)
		err = count_inodes(tx, 1);
	if (err != 0)
		return err;
	*out = (struct dbfs_inode){
		.ino = {n},
		.mode = type == DBFS_S_IFLNK ? DBFS_S_IFLNK | 0777u : what->mode,
		.nlink = 1,
		.uid = what->uid,
		.gid = what->gid,
		.rdev_major = device ? what->rdev_major : 0,
		.rdev_minor = device ? what->rdev_minor : 0,
		.size = type == DBFS_S_IFLNK ? what->target_len : 0,
		.atime = now,
		.mtime = now,
		.ctime = now,
		.btime = now,
	};
	if (type == DBFS_S_IFLNK) {
		uint8_t kb[8];

		err = dbfs_txn_put(tx, dbfs_fs_key1(DBFS_BUCKET_INLINE, kb, n),
				   (struct dbfs_val){what->target, what->target_len});
	}
	return err;
}

void dbfs_inode_changed(struct dbfs_inode *in)
{
	in->ctime = dbfs_time_now();
}

void dbfs_inode_modified(struct dbfs_inode *in)
{
	in->mtime = dbfs_time_now();
	in->ctime = in->mtime;
}

/* The counters' time if it came after the record's was set, else the record's. */
static struct dbfs_time newest(struct dbfs_time counted, struct dbfs_time base,
			       struct dbfs_time own)
{
	return dbfs_time_before(base, counted) ? counted : own;
}

int dbfs_dir_times(struct dbfs_tx *tx, const struct dbfs_inode *dir, struct dbfs_time *mtime,
		   struct dbfs_time *ctime, uint32_t *nlink)
{
	uint8_t kb[8];
	struct dbfs_counters c;
	int err = dbfs_txn_get_counters(tx, dbfs_fs_key1(DBFS_BUCKET_COUNTERS, kb, dir->ino.n), &c);

	if (err != 0)
		return err;
	if (c.links < 0 || c.links > UINT32_MAX - 2 || c.mtime_nsec >= NSEC_PER_SEC ||
	    c.ctime_nsec >= NSEC_PER_SEC)
		return dbfs_fs_corrupt("damaged directory counters", dir->ino.n);
	*mtime = newest((struct dbfs_time){c.mtime_sec, c.mtime_nsec}, dir->mtime_base, dir->mtime);
	*ctime = newest((struct dbfs_time){c.ctime_sec, c.ctime_nsec}, dir->ctime_base, dir->ctime);
	*nlink = dir->nlink == 0 ? 0 : 2 + (uint32_t)c.links;
	return 0;
}

int dbfs_dir_count(struct dbfs_tx *tx, struct dbfs_ino dir, int64_t links, int64_t entries)
{
	struct dbfs_time now = dbfs_time_now();
	struct dbfs_counters c = {now.sec, now.sec, now.nsec, now.nsec, links, entries};
	uint8_t kb[8];

	return dbfs_txn_merge(tx, dbfs_fs_key1(DBFS_BUCKET_COUNTERS, kb, dir.n), &c);
}

int dbfs_dir_changed(struct dbfs_tx *tx, struct dbfs_ino dir)
{
	struct dbfs_time now = dbfs_time_now();
	struct dbfs_counters c = {.mtime_sec = INT64_MIN,
				  .ctime_sec = now.sec,
				  .ctime_nsec = now.nsec};
	uint8_t kb[8];

	return dbfs_txn_merge(tx, dbfs_fs_key1(DBFS_BUCKET_COUNTERS, kb, dir.n), &c);
}

/* --- The end of an inode ------------------------------------------------------------------ */

int dbfs_inode_add_orphan(struct dbfs_tx *tx, struct dbfs_ino ino)
{
	uint8_t kb[8];

	return dbfs_txn_put(tx, dbfs_fs_key1(DBFS_BUCKET_ORPHAN, kb, ino.n),
			    (struct dbfs_val){"", 0});
}

int dbfs_inode_del_orphan(struct dbfs_tx *tx, struct dbfs_ino ino)
{
	uint8_t kb[8];

	return dbfs_txn_delete(tx, dbfs_fs_key1(DBFS_BUCKET_ORPHAN, kb, ino.n));
}

/* Deletes every key of the bucket that begins with ino. */
static int delete_all(struct dbfs_tx *tx, uint32_t bucket, struct dbfs_ino ino)
{
	uint8_t lo[8];
	uint8_t hi[8];
	uint8_t copy[DBFS_KEY_MAX];
	struct dbfs_key first = dbfs_fs_key1(bucket, lo, ino.n);
	struct dbfs_cursor *c;
	int err = dbfs_cursor_open(tx, first, dbfs_fs_key1(bucket, hi, ino.n + 1), 0, &c);

	if (err != 0)
		return err;
	while ((err = dbfs_cursor_next(c)) == 0) {
		struct dbfs_key k = dbfs_cursor_key(c);

		if (k.len > sizeof(copy)) {
			err = -DBFS_ECORRUPT;
			break;
		}
		for (size_t i = 0; i < k.len; i++)
			copy[i] = ((const uint8_t *)k.p)[i];
		k.p = copy;
		err = dbfs_txn_delete(tx, k);
		if (err != 0)
			break;
	}
	dbfs_cursor_close(c);
	return err == -DBFS_ENOENT ? 0 : err;
}

int dbfs_inode_destroy(struct dbfs_tx *tx, struct dbfs_inode *in)
{
	uint8_t kb[8];
	int err = 0;

	if (dbfs_inode_is(in, DBFS_S_IFREG) && (in->flags & FS_INODE_INLINE) == 0)
		err = dbfs_extent_cut(tx, in, 0, DBFS_EXTENT_END);
	else if (!dbfs_inode_is(in, DBFS_S_IFDIR))
		err = dbfs_txn_delete(tx, dbfs_fs_key1(DBFS_BUCKET_INLINE, kb, in->ino.n));
	if (err == 0)
		err = delete_all(tx, DBFS_BUCKET_XATTR, in->ino);
	if (err == 0 && dbfs_inode_is(in, DBFS_S_IFDIR))
		err = dbfs_txn_delete(tx, dbfs_fs_key1(DBFS_BUCKET_COUNTERS, kb, in->ino.n));
	if (err == 0)
		err = dbfs_inode_del_orphan(tx, in->ino);
	if (err == 0)
		err = dbfs_txn_delete(tx, dbfs_fs_key1(DBFS_BUCKET_INODE, kb, in->ino.n));
	if (err == 0)
		err = count_inodes(tx, -1);
	return err;
}

int dbfs_inode_drop_link(struct dbfs_tx *tx, struct dbfs_inode *in)
{
	int err;

	if (in->nlink == 0)
		return dbfs_fs_corrupt("a name leads to it but its link count is 0", in->ino.n);
	dbfs_txn_use_reserve(tx);
	in->nlink--;
	dbfs_inode_changed(in);
	if (in->nlink == 0 && !dbfs_holds_mark(dbfs_tx_volume(tx), in->ino))
		return dbfs_inode_destroy(tx, in);
	err = dbfs_inode_store(tx, in);
	if (err == 0 && in->nlink == 0)
		err = dbfs_inode_add_orphan(tx, in->ino);
	return err;
}
