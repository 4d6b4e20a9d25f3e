/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* fsck: damage that every checksum approves of, planted under a sound file system, is found. */
#include <stdio.h>
#include <string.h>

#include "dbfs/check.h"
#include "dir/dirent.h"
#include "inode/inode.h"
#include "txn/txn_priv.h"
#include "vol.h"

static struct vol *v;
static struct dbfs_ino dir;
static struct dbfs_ino file;

static void make(void)
{
	static const uint8_t data[3 * DBFS_BLOCK_SIZE] = {1};
	struct dbfs_tx *tx;

	v = vol_create(2048, 1);
	tx = t_begin(v);
	dir = t_mkdir(tx, DBFS_ROOT_INO, "dir");
	file = t_mkfile(tx, dir, "file");
	t_write(tx, file, 0, data, sizeof(data));
	t_commit(tx);
	OK(dbfs_checkpoint(vol_db(v)));
	vol_check(v);
}

static char found[256]; /* object and text of the first finding */

static void note(void *arg, const char *object, const char *text)
{
	(void)arg;
	if (found[0] == '\0')
		snprintf(found, sizeof(found), "%s: %s", object, text);
}

static struct dbfs_check_result check(void)
{
	const struct dbfs_check_opts opts = {.data = true, .finding = note};
	struct dbfs_check_result r;

	found[0] = '\0';
	OK(dbfs_check(vol_db(v), &opts, &r));
	return r;
}

static void must_find(const char *what)
{
	struct dbfs_check_result r = check();

	snprintf(t_context, sizeof(t_context), "%s; found: %.100s", what, found);
	CHECK(r.findings > 0);
}

static void leaked_and_lost_blocks(void)
{
	struct dbfs_space *s = vol_db(v)->space;
	uint64_t tree = vol_db(v)->current->tree.block;
	struct dbfs_run run;

	OK(dbfs_space_alloc(s, 0, 3, DBFS_SPACE_NORMAL, &run));
	CHECK(check().leaked_blocks == run.count);
	dbfs_space_cancel(s, run.block, run.count);
	dbfs_space_cancel(s, tree, 1);
	must_find("the root of the tree is free in the map");
	OK(dbfs_space_replay_alloc(s, tree, 1));
	vol_check(v);
}

/* Takes a record away, lets fsck look, and puts it back. */
static void without(struct dbfs_key key, const char *what)
{
	uint8_t value[512];
	struct dbfs_tx *tx = t_begin(v);
	size_t len;

	OK(dbfs_txn_get(tx, key, value, sizeof(value), &len, 0));
	CHECK(len <= sizeof(value));
	OK(dbfs_txn_delete(tx, key));
	t_commit(tx);
	must_find(what);
	tx = t_begin(v);
	OK(dbfs_txn_put(tx, key, (struct dbfs_val){value, len}));
	t_commit(tx);
	vol_check(v);
}

static void missing_records(void)
{
	uint64_t cookie = dbfs_name_cookie(vol_db(v), t_name("file"));
	uint8_t kb[16];

	without(dbfs_fs_key1(DBFS_BUCKET_INODE, kb, file.n), "an entry names no inode");
	without(dbfs_fs_key1(DBFS_BUCKET_INODE, kb, dir.n), "a directory is gone");
	without(dbfs_fs_key2(DBFS_BUCKET_DIRENT, kb, dir.n, cookie), "a file has lost its name");
	without(dbfs_fs_key2(DBFS_BUCKET_EXTENT, kb, file.n, 0), "a file has lost its blocks");
}

static void wrong_records(void)
{
	uint8_t kb[8];
	struct dbfs_key key = dbfs_fs_key1(DBFS_BUCKET_ORPHAN, kb, file.n);
	struct dbfs_tx *tx = t_begin(v);

	OK(dbfs_inode_add_orphan(tx, file));
	t_commit(tx);
	must_find("a file with a name is listed as an orphan");
	tx = t_begin(v);
	OK(dbfs_txn_delete(tx, key));
	t_commit(tx);
	vol_check(v);
}

int main(void)
{
	make();
	leaked_and_lost_blocks();
	missing_records();
	wrong_records();
	vol_destroy(v);
	return 0;
}
