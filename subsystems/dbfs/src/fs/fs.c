/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The file system as a whole: making, mounting, attributes, holds.
 *
 * A volume carries a file system when the key "fs" stands in DBFS_BUCKET_META with a version that this
 * code knows, and inode 1 is a directory. Mounting clears orphans: what had lost its
 * last name while it was open, when the machine stopped. Each goes in a transaction of its own,
 * so a mount that is cut short continues at the next.
 */
#include "dbfs/fs.h"

#include "file/file.h"
#include "inode/extent.h"
#include "inode/inode.h"
#include "port/log.h"

/* Extent records that one transaction removes from an orphan. */
#define RECORDS_PER_STEP 1024u

static struct dbfs_key meta_key(void)
{
	return (struct dbfs_key){DBFS_BUCKET_META, sizeof(FS_META_KEY) - 1, FS_META_KEY};
}

static int make_root(struct dbfs_tx *tx)
{
	struct fs_meta_disk meta = {le32_of(FS_META_VERSION), le32_of(0)};
	struct dbfs_time now = dbfs_time_now();
	struct dbfs_inode root = {
		.ino = DBFS_ROOT_INO,
		.mode = DBFS_S_IFDIR | 0755,
		.nlink = 1,
		.parent = DBFS_ROOT_INO.n,
		.atime = now,
		.mtime = now,
		.ctime = now,
		.btime = now,
	};
	struct dbfs_counters one = {.entries = 1};
	uint8_t kb[8];
	int err = dbfs_txn_put(tx, meta_key(), (struct dbfs_val){&meta, sizeof(meta)});

	if (err == 0)
		err = dbfs_inode_store(tx, &root);
	if (err == 0)
		err = dbfs_txn_merge(tx, dbfs_fs_key1(DBFS_BUCKET_COUNTERS, kb, 0), &one);
	return err;
}

int dbfs_fs_make(struct dbfs_tx *tx)
{
	struct dbfs_savepoint sp;
	size_t len;
	int err = dbfs_txn_get(tx, meta_key(), NULL, 0, &len, 0);

	if (err != -DBFS_ENOENT)
		return err == 0 ? -DBFS_EEXIST : err;
	sp = dbfs_tx_savepoint(tx);
	err = make_root(tx);
	if (err != 0)
		dbfs_tx_rollback_to(tx, sp);
	return err;
}

/* --- Orphans ------------------------------------------------------------------------------ */

/* Inside tx: destroys ino if it is an orphan, or frees a part of it (*more). */
static int free_some(struct dbfs_tx *tx, struct dbfs_ino ino, bool *more)
{
	uint8_t kb[8];
	struct dbfs_inode in;
	size_t len;
	int err;

	*more = false;
	dbfs_txn_use_reserve(tx);
	err = dbfs_txn_get(tx, dbfs_fs_key1(DBFS_BUCKET_ORPHAN, kb, ino.n), NULL, 0, &len, 0);
	if (err == 0)
		err = dbfs_inode_load(tx, ino, &in);
	if (err == 0 && in.nlink != 0)
		err = dbfs_fs_corrupt("listed as an orphan but has names", ino.n);
	if (err == 0 && in.blocks > 0)
		err = dbfs_extent_cut_some(tx, &in, RECORDS_PER_STEP, more);
	if (err != 0)
		return err;
	return *more ? dbfs_inode_store(tx, &in) : dbfs_inode_destroy(tx, &in);
}

/*
 * Destroys ino if it is an orphan in the committed state. A large file goes in steps, so that no transaction is
 * larger than a small log can take; it stays an orphan until the last.
 */
static int free_orphan(struct dbfs *db, struct dbfs_ino ino)
{
	const struct dbfs_tx_opts opts = {DBFS_TX_LOCKING, DBFS_NOSYNC, 0};
	bool more = true;
	int err = 0;

	while (err == 0 && more) {
		struct dbfs_tx *tx;

		err = dbfs_tx_begin(db, &opts, &tx);
		if (err != 0)
			return err;
		err = free_some(tx, ino, &more);
		if (err == 0)
			err = dbfs_tx_commit(tx);
		else
			dbfs_tx_rollback(tx);
	}
	return err == -DBFS_ENOENT ? 0 : err;
}

/* The first orphan with a number of at least from. */
static int next_orphan(struct dbfs *db, uint64_t from, struct dbfs_ino *out)
{
	const struct dbfs_tx_opts opts = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};
	uint8_t lo[8];
	struct dbfs_cursor *c;
	struct dbfs_tx *tx;
	int err = dbfs_tx_begin(db, &opts, &tx);

	if (err != 0)
		return err;
	err = dbfs_cursor_open(tx, dbfs_fs_key1(DBFS_BUCKET_ORPHAN, lo, from),
			       (struct dbfs_key){DBFS_BUCKET_ORPHAN + 1, 0, ""},
			       DBFS_READ_UNTRACKED, &c);
	if (err == 0) {
		err = dbfs_cursor_next(c);
		if (err == 0) {
			struct dbfs_key k = dbfs_cursor_key(c);

			if (k.len == 8)
				*out = (struct dbfs_ino){be64_load(k.p)};
			else
				err = -DBFS_ECORRUPT;
		}
		dbfs_cursor_close(c);
	}
	dbfs_tx_rollback(tx);
	return err;
}

static int free_orphans(struct dbfs *db)
{
	struct dbfs_ino ino = {0};
	unsigned count = 0;
	int err;

	while ((err = next_orphan(db, ino.n + 1, &ino)) == 0) {
		err = free_orphan(db, ino);
		if (err != 0)
			break;
		count++;
	}
	if (count > 0)
		port_log(PORT_LOG_INFO, "freed %u inodes that were unlinked but open", count);
	return err == -DBFS_ENOENT ? 0 : err;
}

static int check_meta(struct dbfs_tx *tx)
{
	struct fs_meta_disk meta;
	struct dbfs_inode root;
	size_t len;
	int err = dbfs_txn_get(tx, meta_key(), &meta, sizeof(meta), &len, 0);

	if (err == -DBFS_ENOENT)
		return -DBFS_EFORMAT;
	if (err != 0)
		return err;
	if (len != sizeof(meta) || le32_get(meta.version) != FS_META_VERSION)
		return -DBFS_EFORMAT;
	err = dbfs_inode_load_dir(tx, DBFS_ROOT_INO, &root);
	if (err == -DBFS_ENOENT || err == -DBFS_ENOTDIR)
		return dbfs_fs_corrupt("the root is not a directory", DBFS_ROOT_INO.n);
	return err;
}

int dbfs_fs_mount(struct dbfs *db)
{
	const struct dbfs_tx_opts opts = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};
	struct dbfs_tx *tx;
	int err = dbfs_tx_begin(db, &opts, &tx);

	if (err != 0)
		return err;
	err = check_meta(tx);
	dbfs_tx_rollback(tx);
	if (err == 0)
		err = dbfs_holds_create(db);
	if (err == 0 && !dbfs_is_read_only(db))
		err = free_orphans(db);
	return err;
}

int dbfs_hold(struct dbfs *db, struct dbfs_ino ino)
{
	return dbfs_holds_get(db, ino);
}

void dbfs_release(struct dbfs *db, struct dbfs_ino ino)
{
	int err;

	if (!dbfs_holds_put(db, ino) || dbfs_is_read_only(db))
		return;
	err = free_orphan(db, ino);
	if (err != 0)
		port_log(PORT_LOG_WARN, "inode %llu: not freed (%s); the next mount will",
			 (unsigned long long)ino.n, dbfs_strerror(err));
}

int dbfs_statfs(struct dbfs *db, struct dbfs_statfs *out)
{
	const struct dbfs_tx_opts opts = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};
	struct dbfs_stats stats;
	struct dbfs_counters c;
	struct dbfs_tx *tx;
	uint8_t kb[8];
	int err = dbfs_tx_begin(db, &opts, &tx);

	if (err != 0)
		return err;
	err = dbfs_txn_get_counters(tx, dbfs_fs_key1(DBFS_BUCKET_COUNTERS, kb, 0), &c);
	dbfs_tx_rollback(tx);
	if (err != 0)
		return err;
	dbfs_get_stats(db, &stats);
	*out = (struct dbfs_statfs){stats.total_blocks, stats.free_blocks,
				    c.entries < 0 ? 0 : (uint64_t)c.entries};
	return 0;
}
