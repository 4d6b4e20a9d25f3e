/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The file system's records as text, for people who look for what is wrong. */
#include "check/text.h"
#include "dbfs/check.h"
#include "dir/dirent.h"
#include "inode/extent.h"
#include "port/mem.h"

struct dump {
	struct dbfs_tx *tx;
	void (*print)(void *arg, const char *line);
	void *arg;
	struct dbfs_text t;
	struct dbfs_extent_rec rec;
};

static void field(struct dump *d, const char *name, uint64_t n)
{
	dbfs_text_str(&d->t, name);
	dbfs_text_num(&d->t, n);
}

static void time_field(struct dump *d, const char *name, struct dbfs_time t)
{
	dbfs_text_str(&d->t, name);
	dbfs_text_int(&d->t, t.sec);
	field(d, ".", t.nsec);
}

static bool dump_inode(struct dump *d, struct dbfs_key key, struct dbfs_val val)
{
	struct dbfs_inode in;

	if (key.len != 8 ||
	    dbfs_inode_decode((struct dbfs_ino){be64_load(key.p)}, val.p, val.len, &in) != 0)
		return false;
	dbfs_text_str(&d->t, " mode ");
	dbfs_text_oct(&d->t, in.mode);
	field(d, " nlink ", in.nlink);
	field(d, " uid ", in.uid);
	field(d, " gid ", in.gid);
	field(d, " flags ", in.flags);
	field(d, " size ", in.size);
	field(d, " blocks ", in.blocks);
	field(d, " parent ", in.parent);
	field(d, " rdev ", in.rdev_major);
	field(d, ",", in.rdev_minor);
	time_field(d, " mtime ", in.mtime);
	time_field(d, " ctime ", in.ctime);
	return true;
}

static bool dump_dirent(struct dump *d, struct dbfs_key key, struct dbfs_val val)
{
	struct dbfs_dirent e;
	uint64_t dir;

	if (dbfs_dent_decode(key, val, &dir, &e) != 0)
		return false;
	field(d, " cookie ", e.cookie);
	field(d, " -> inode ", e.ino.n);
	dbfs_text_str(&d->t, " type ");
	dbfs_text_oct(&d->t, e.type);
	dbfs_text_str(&d->t, " name ");
	dbfs_text_bytes(&d->t, e.name.s, e.name.len);
	return true;
}

static bool dump_extent(struct dump *d, struct dbfs_key key, struct dbfs_val val)
{
	uint64_t ino;

	if (dbfs_extent_decode(key, val, &ino, &d->rec) != 0)
		return false;
	field(d, " file block ", d->rec.first);
	field(d, " count ", d->rec.count);
	field(d, " at block ", d->rec.block);
	return true;
}

static bool dump_xattr(struct dump *d, struct dbfs_key key, struct dbfs_val val)
{
	if (key.len <= 8)
		return false;
	dbfs_text_str(&d->t, " name ");
	dbfs_text_bytes(&d->t, (const uint8_t *)key.p + 8, key.len - 8);
	field(d, " bytes ", val.len);
	return true;
}

static bool dump_bytes(struct dump *d, struct dbfs_key key, struct dbfs_val val)
{
	(void)key;
	field(d, " bytes ", val.len);
	dbfs_text_str(&d->t, ": ");
	dbfs_text_bytes(&d->t, val.p, MIN(val.len, (size_t)64));
	return true;
}

static bool dump_counters(struct dump *d, struct dbfs_key key, struct dbfs_val val)
{
	struct dbfs_counters c;

	(void)val;
	if (dbfs_txn_get_counters(d->tx, key, &c) != 0)
		return false;
	dbfs_text_str(&d->t, " links ");
	dbfs_text_int(&d->t, c.links);
	dbfs_text_str(&d->t, " entries ");
	dbfs_text_int(&d->t, c.entries);
	time_field(d, " mtime ", (struct dbfs_time){c.mtime_sec, c.mtime_nsec});
	return true;
}

static const struct bucket {
	uint32_t number;
	const char *name;
	bool (*dump)(struct dump *d, struct dbfs_key key, struct dbfs_val val);
} buckets[] = {
	{DBFS_BUCKET_META, "meta", dump_bytes},
	{DBFS_BUCKET_INODE, "inode", dump_inode},
	{DBFS_BUCKET_COUNTERS, "counters", dump_counters},
	{DBFS_BUCKET_DIRENT, "entry", dump_dirent},
	{DBFS_BUCKET_EXTENT, "extent", dump_extent},
	{DBFS_BUCKET_INLINE, "inline", dump_bytes},
	{DBFS_BUCKET_XATTR, "xattr", dump_xattr},
	{DBFS_BUCKET_ORPHAN, "orphan", dump_bytes},
};

static int dump_bucket(struct dump *d, const struct bucket *b, uint64_t ino)
{
	uint8_t lo[8];
	uint8_t hi[8];
	struct dbfs_key first = {b->number, 0, ""};
	struct dbfs_key end = {b->number + 1, 0, ""};
	struct dbfs_cursor *c;
	int err;

	if (ino != 0) {
		first = dbfs_fs_key1(b->number, lo, ino);
		end = dbfs_fs_key1(b->number, hi, ino + 1);
	}
	err = dbfs_cursor_open(d->tx, first, end, DBFS_READ_UNTRACKED, &c);
	if (err != 0)
		return err;
	while ((err = dbfs_cursor_next(c)) == 0) {
		struct dbfs_key key = dbfs_cursor_key(c);
		struct dbfs_val val;

		err = dbfs_cursor_value(c, &val);
		if (err != 0)
			break;
		dbfs_text_start(&d->t);
		dbfs_text_str(&d->t, b->name);
		if (b->number != DBFS_BUCKET_META && key.len >= 8)
			field(d, " ", be64_load(key.p));
		if (!b->dump(d, key, val))
			dbfs_text_str(&d->t, " DAMAGED");
		d->print(d->arg, d->t.s);
	}
	dbfs_cursor_close(c);
	return err == -DBFS_ENOENT ? 0 : err;
}

int dbfs_check_dump(struct dbfs_tx *tx, uint64_t ino, void (*print)(void *arg, const char *line),
		    void *arg)
{
	struct dump *d;
	int result = 0;

	if (ino == UINT64_MAX)
		return -DBFS_EINVAL;
	d = port_alloc(sizeof(*d));
	if (d == NULL)
		return -DBFS_ENOMEM;
	d->tx = tx;
	d->print = print;
	d->arg = arg;
	for (size_t i = 0; i < ARRAY_SIZE(buckets); i++) {
		int err = 0;

		if (ino == 0 || buckets[i].number != DBFS_BUCKET_META)
			err = dump_bucket(d, &buckets[i], ino);
		if (err != 0)
			result = err; /* the others may be readable */
	}
	port_free(d);
	return result;
}
