/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#include <stdlib.h>

#include "fake_txn.h"
#include "inode/extent.h"
#include "vol.h"

struct vol {
	struct dbfs *db;
};

struct vol *vol_create(uint64_t blocks, uint64_t seed)
{
	struct vol *v = malloc(sizeof(*v));
	struct dbfs_tx *tx;

	(void)seed;
	CHECK(v != NULL);
	v->db = fake_create(blocks);
	tx = t_begin(v);
	OK(dbfs_fs_make(tx));
	GIVES(DBFS_EEXIST, dbfs_fs_make(tx));
	t_commit(tx);
	OK(dbfs_fs_mount(v->db));
	return v;
}

struct dbfs *vol_db(struct vol *v)
{
	return v->db;
}

void vol_remount(struct vol *v)
{
	fake_remount(v->db);
	OK(dbfs_fs_mount(v->db));
}

void vol_fail(struct vol *v, unsigned nth)
{
	fake_fail(v->db, nth, -DBFS_ENOMEM);
}

bool vol_failed(struct vol *v)
{
	bool yes = fake_failed(v->db);

	fake_fail(v->db, 0, 0);
	return yes;
}

/* Counts the blocks in all extents; the fake knows how many it gave. */
void vol_check(struct vol *v)
{
	struct dbfs_extent_rec *rec = malloc(sizeof(*rec));
	struct dbfs_tx *tx = t_begin_ro(v);
	struct dbfs_cursor *c;
	uint64_t blocks = 0;
	int err;

	CHECK(rec != NULL);
	OK(dbfs_cursor_open(tx, (struct dbfs_key){DBFS_BUCKET_EXTENT, 0, ""},
			    (struct dbfs_key){DBFS_BUCKET_EXTENT + 1, 0, ""}, 0, &c));
	while ((err = dbfs_cursor_next(c)) == 0) {
		struct dbfs_val val;
		uint64_t ino;

		OK(dbfs_cursor_value(c, &val));
		OK(dbfs_extent_decode(dbfs_cursor_key(c), val, &ino, rec));
		blocks += rec->count;
	}
	GIVES(DBFS_ENOENT, err);
	dbfs_cursor_close(c);
	dbfs_tx_rollback(tx);
	free(rec);
	CHECK(blocks == fake_used_blocks(v->db));
	CHECK(fake_count(v->db, DBFS_BUCKET_INODE) >= 1);
}

void vol_destroy(struct vol *v)
{
	fake_destroy(v->db);
	free(v);
}
