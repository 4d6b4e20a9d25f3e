/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* fsck from above: the records of each bucket, one after the other. */
#include "check/check_priv.h"

#include "dir/dirent.h"
#include "port/mem.h"
#include "txn/inspect.h"

static bool is_type(const struct check_inode *i, uint32_t type)
{
	return (i->mode & DBFS_S_IFMT) == type;
}

/* The inode number that a key begins with; 0: too short. */
static uint64_t ino_of(struct dbfs_key key)
{
	return key.len < 8 ? 0 : be64_load(key.p);
}

/* The inode that a record belongs to, or NULL with a report. */
static struct check_inode *owner(struct check *c, struct dbfs_key key, const char *what)
{
	uint64_t ino = ino_of(key);
	struct check_inode *i = ino == 0 ? NULL : dbfs_check_find(c, ino);

	if (i == NULL)
		CHECK_SAY(c, "inode", ino, what);
	return i;
}

static int more_room(struct check *c)
{
	size_t room = c->room == 0 ? 256 : c->room * 2;
	struct check_inode *v;

	if (c->count < c->room)
		return 0;
	v = port_alloc(room * sizeof(*v));
	if (v == NULL)
		return -DBFS_ENOMEM;
	for (size_t i = 0; i < c->count; i++)
		v[i] = c->inodes[i];
	port_free(c->inodes);
	c->inodes = v;
	c->room = room;
	return 0;
}

static void inode_record(struct check *c, struct dbfs_key key, struct dbfs_val val)
{
	uint64_t ino = ino_of(key);
	struct dbfs_inode in;

	if (key.len != 8 || ino == 0) {
		CHECK_SAY(c, "inode", ino, "impossible key");
		return;
	}
	if (dbfs_inode_decode((struct dbfs_ino){ino}, val.p, val.len, &in) != 0) {
		CHECK_SAY(c, "inode", ino, "damaged record");
		return;
	}
	if (c->count > 0 && c->inodes[c->count - 1].ino >= ino) {
		CHECK_SAY(c, "inode", ino, "keys are not in order");
		return;
	}
	if (ino >= dbfs_inspect_next_id(c->db))
		CHECK_SAY(c, "inode", ino, "has a number that was never given out");
	c->err = more_room(c);
	if (c->err != 0)
		return;
	c->r.inodes++;
	if (dbfs_inode_is(&in, DBFS_S_IFDIR))
		c->r.directories++;
	c->inodes[c->count++] = (struct check_inode){
		.ino = ino,
		.parent = in.parent,
		.size = in.size,
		.blocks = in.blocks,
		.mode = in.mode,
		.nlink = in.nlink,
		.flags = in.flags,
	};
}

/* The entry's place must be the one where look-ups find its name. */
static void check_place(struct check *c, uint64_t dir, const struct dbfs_dirent *e)
{
	struct dbfs_dent found;
	uint64_t base = dbfs_name_cookie(c->db, e->name);
	const uint64_t v[] = {e->ino.n};

	if (base != (e->cookie & ~(uint64_t)255)) {
		dbfs_check_say(c, "directory", dir, "the entry for inode # cannot be found by name",
			       v);
		return;
	}
	if (e->cookie == base)
		return;
	if (dbfs_dent_find(c->tx, (struct dbfs_ino){dir}, e->name, &found) == 0 &&
	    found.cookie != e->cookie)
		dbfs_check_say(c, "directory", dir,
			       "the name of the entry for inode # is there twice", v);
}

static void dirent_record(struct check *c, struct dbfs_key key, struct dbfs_val val)
{
	struct check_inode *d;
	struct check_inode *i;
	struct dbfs_dirent e;
	uint64_t dir;
	uint64_t v[1];

	if (dbfs_dent_decode(key, val, &dir, &e) != 0) {
		CHECK_SAY(c, "directory", ino_of(key), "damaged entry");
		return;
	}
	v[0] = e.ino.n;
	d = owner(c, key, "has entries but does not exist");
	if (d == NULL)
		return;
	if (!is_type(d, DBFS_S_IFDIR)) {
		CHECK_SAY(c, "inode", dir, "has entries but is no directory");
		return;
	}
	check_place(c, dir, &e);
	d->entries++;
	if (e.type == DBFS_S_IFDIR)
		d->subdirs++;
	i = dbfs_check_find(c, e.ino.n);
	if (i == NULL) {
		dbfs_check_say(c, "directory", dir, "an entry names inode #, which does not exist",
			       v);
		return;
	}
	if (!is_type(i, e.type))
		dbfs_check_say(c, "directory", dir, "the entry for inode # has a wrong type", v);
	i->names++;
	i->named_in = dir;
}

/* Reads the extent's blocks, a few at a time, and compares the checksums. */
static void check_data(struct check *c, uint64_t ino, const struct dbfs_extent_rec *rec)
{
	void *buf = port_alloc_pages(1);

	if (buf == NULL) {
		c->err = -DBFS_ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < rec->count; i++) {
		struct dbfs_extent e = {rec->block + i, 1};
		int err = dbfs_txn_data_read(c->tx, e, &rec->crcs[i], buf);
		const uint64_t v[] = {rec->first + i, rec->block + i};

		if (err == -DBFS_ENOMEM)
			c->err = err;
		else if (err != 0)
			dbfs_check_say(c, "inode", ino,
				       err == -DBFS_ECORRUPT
					       ? "wrong checksum of file block # (device block #)"
					       : "file block # (device block #) cannot be read",
				       v);
	}
	port_free_pages(buf, 1);
	c->done += rec->count;
	if (c->opts->progress != NULL && c->done < c->total)
		c->opts->progress(c->opts->arg, c->done, c->total);
}

static void extent_record(struct check *c, struct dbfs_key key, struct dbfs_val val)
{
	struct check_inode *i;
	uint64_t ino;
	uint64_t v[1];

	if (dbfs_extent_decode(key, val, &ino, c->rec) != 0) {
		CHECK_SAY(c, "inode", ino_of(key), "damaged extent record");
		return;
	}
	v[0] = c->rec->first;
	i = owner(c, key, "has extents but does not exist");
	if (i != NULL) {
		if (!is_type(i, DBFS_S_IFREG) || (i->flags & FS_INODE_INLINE) != 0)
			CHECK_SAY(c, "inode", ino, "has extents but cannot have any");
		if (i->extents > 0 && c->rec->first < c->extent_end)
			dbfs_check_say(c, "inode", ino,
				       "the extent at file block # overlaps the one before", v);
		if (c->rec->first + c->rec->count >
		    (i->size + DBFS_BLOCK_SIZE - 1) / DBFS_BLOCK_SIZE)
			dbfs_check_say(
				c, "inode", ino,
				"the extent at file block # reaches past the end of the file", v);
		i->extents += c->rec->count;
	}
	c->extent_end = c->rec->first + c->rec->count;
	c->r.data_blocks += c->rec->count;
	dbfs_check_own(c, c->rec->block, c->rec->count, "inode", ino);
	if (c->opts->data)
		check_data(c, ino, c->rec);
}

static void inline_record(struct check *c, struct dbfs_key key, struct dbfs_val val)
{
	struct check_inode *i = owner(c, key, "has inline contents but does not exist");

	if (i == NULL)
		return;
	if (key.len != 8 || (!is_type(i, DBFS_S_IFLNK) && (i->flags & FS_INODE_INLINE) == 0))
		CHECK_SAY(c, "inode", i->ino, "has inline contents but should not");
	else if (val.len != i->size)
		CHECK_SAY(c, "inode", i->ino, "inline contents are not as long as the file");
	i->has_inline = true;
}

static void xattr_record(struct check *c, struct dbfs_key key, struct dbfs_val val)
{
	struct check_inode *i = owner(c, key, "has extended attributes but does not exist");

	if (i != NULL &&
	    (key.len <= 8 || key.len > 8 + DBFS_XATTR_NAME_MAX || val.len > DBFS_XATTR_VALUE_MAX))
		CHECK_SAY(c, "inode", i->ino, "impossible extended attribute");
}

static void orphan_record(struct check *c, struct dbfs_key key, struct dbfs_val val)
{
	struct check_inode *i = owner(c, key, "is listed as an orphan but does not exist");

	if (i == NULL)
		return;
	if (key.len != 8 || val.len != 0)
		CHECK_SAY(c, "inode", i->ino, "impossible orphan record");
	i->orphan = true;
}

static void counters_record(struct check *c, struct dbfs_key key, struct dbfs_val val)
{
	struct check_inode *i;

	(void)val; /* read again by the pass over inodes, through the engine */
	if (key.len == 8 && be64_load(key.p) == 0)
		return;
	i = owner(c, key, "has counters but does not exist");
	if (i != NULL && (key.len != 8 || !is_type(i, DBFS_S_IFDIR)))
		CHECK_SAY(c, "inode", i->ino, "has counters but is no directory");
}

static void check_meta(struct check *c)
{
	const struct dbfs_key key = {DBFS_BUCKET_META, sizeof(FS_META_KEY) - 1, FS_META_KEY};
	struct fs_meta_disk meta;
	size_t len;
	int err = dbfs_txn_get(c->tx, key, &meta, sizeof(meta), &len, DBFS_READ_UNTRACKED);

	if (err == -DBFS_ENOMEM)
		c->err = err;
	else if (err == -DBFS_ENOENT)
		CHECK_SAY(c, "volume", UINT64_MAX, "has no file system");
	else if (err != 0)
		CHECK_SAY(c, "volume", UINT64_MAX, "the file system's record cannot be read");
	else if (len != sizeof(meta) || le32_get(meta.version) != FS_META_VERSION)
		CHECK_SAY(c, "volume", UINT64_MAX, "the file system has an unknown version");
}

void dbfs_check_records(struct check *c)
{
	check_meta(c);
	if (c->err == 0)
		dbfs_check_bucket(c, DBFS_BUCKET_INODE, "inodes", inode_record);
	if (c->err == 0)
		dbfs_check_bucket(c, DBFS_BUCKET_DIRENT, "directory entries", dirent_record);
	if (c->err == 0)
		dbfs_check_bucket(c, DBFS_BUCKET_EXTENT, "extents", extent_record);
	if (c->err == 0)
		dbfs_check_bucket(c, DBFS_BUCKET_INLINE, "inline contents", inline_record);
	if (c->err == 0)
		dbfs_check_bucket(c, DBFS_BUCKET_XATTR, "extended attributes", xattr_record);
	if (c->err == 0)
		dbfs_check_bucket(c, DBFS_BUCKET_ORPHAN, "orphans", orphan_record);
	if (c->err == 0)
		dbfs_check_bucket(c, DBFS_BUCKET_COUNTERS, "counters", counters_record);
}
