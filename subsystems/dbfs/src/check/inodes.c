/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* fsck: what was found per inode against what its record says, and the way up to the root. */
#include "check/check_priv.h"

static void check_links(struct check *c, const struct check_inode *i)
{
	const uint64_t v[] = {i->nlink, i->names};

	if (i->ino == DBFS_ROOT_INO.n) {
		if (i->names != 0 || i->nlink != 1 || i->parent != i->ino)
			CHECK_SAY(c, "inode", i->ino,
				  "the root has a name, another parent, or no link");
	} else if (i->names != i->nlink) {
		dbfs_check_say(c, "inode", i->ino, "link count is #, but # names lead to it", v);
	}
	if (i->orphan != (i->nlink == 0))
		CHECK_SAY(c, "inode", i->ino,
			  i->orphan ? "has links but is listed as an orphan"
				    : "has no links and is not listed as an orphan");
}

static void check_contents(struct check *c, const struct check_inode *i)
{
	const uint64_t v[] = {i->blocks, i->extents};
	bool wants = (i->flags & FS_INODE_INLINE) != 0 || (i->mode & DBFS_S_IFMT) == DBFS_S_IFLNK;

	if (i->blocks != i->extents)
		dbfs_check_say(c, "inode", i->ino, "has # blocks by its record, # in extents", v);
	if (wants && !i->has_inline)
		CHECK_SAY(c, "inode", i->ino, "inline contents are missing");
}

static void check_counters(struct check *c, const struct check_inode *i)
{
	uint8_t kb[8];
	struct dbfs_counters n;
	int err = dbfs_txn_get_counters(c->tx, dbfs_fs_key1(DBFS_BUCKET_COUNTERS, kb, i->ino), &n);

	if (err == -DBFS_ENOMEM)
		c->err = err;
	if (err != 0) {
		CHECK_SAY(c, "directory", i->ino, "counters cannot be read");
		return;
	}
	if (n.entries < 0 || (uint64_t)n.entries != i->entries) {
		const uint64_t v[] = {(uint64_t)n.entries, i->entries};

		dbfs_check_say(c, "directory", i->ino, "counts # entries, has #", v);
	}
	if (n.links < 0 || (uint64_t)n.links != i->subdirs) {
		const uint64_t v[] = {(uint64_t)n.links, i->subdirs};

		dbfs_check_say(c, "directory", i->ino, "counts # subdirectories, has #", v);
	}
	if (i->nlink == 0 && i->entries != 0)
		CHECK_SAY(c, "directory", i->ino, "is removed but has entries");
	if (i->names == 1 && i->named_in != i->parent) {
		const uint64_t v[] = {i->named_in, i->parent};

		dbfs_check_say(c, "directory", i->ino,
			       "has its name in directory #, its parent is #", v);
	}
}

/*
 * Follows the parents of each directory. A walk ends at the root, at nothing, at itself or where an
 * earlier one came by, and marks its way with what was found: so no way is gone twice.
 */
static void check_reachable(struct check *c, size_t index)
{
	struct check_inode *start = &c->inodes[index];
	uint32_t walk = (uint32_t)(index % (CHECK_LOST - 1)) + 1;
	struct check_inode *i = start;
	uint32_t mark = CHECK_LOST;

	while (i != NULL && (i->mode & DBFS_S_IFMT) == DBFS_S_IFDIR && i->walk != walk) {
		if (i->walk == CHECK_REACHED || i->ino == DBFS_ROOT_INO.n)
			mark = CHECK_REACHED;
		if (mark == CHECK_REACHED || i->walk == CHECK_LOST)
			break;
		i->walk = walk;
		i = dbfs_check_find(c, i->parent);
	}
	if (mark == CHECK_LOST)
		CHECK_SAY(c, "directory", start->ino, "its parents do not lead to the root");
	for (i = start; i != NULL && i->walk == walk && i->ino != DBFS_ROOT_INO.n;
	     i = dbfs_check_find(c, i->parent))
		i->walk = mark;
}

static void check_count(struct check *c)
{
	uint8_t kb[8];
	struct dbfs_counters n;
	int err = dbfs_txn_get_counters(c->tx, dbfs_fs_key1(DBFS_BUCKET_COUNTERS, kb, 0), &n);
	const uint64_t v[] = {err == 0 ? (uint64_t)n.entries : 0, c->count};

	if (err == -DBFS_ENOMEM)
		c->err = err;
	else if (err != 0 || n.entries < 0 || (uint64_t)n.entries != c->count)
		dbfs_check_say(c, "volume", UINT64_MAX, "counts # inodes, has #", v);
}

void dbfs_check_inodes(struct check *c)
{
	const struct check_inode *root = dbfs_check_find(c, DBFS_ROOT_INO.n);

	if (root == NULL || (root->mode & DBFS_S_IFMT) != DBFS_S_IFDIR)
		CHECK_SAY(c, "inode", DBFS_ROOT_INO.n, "there is no root directory");
	for (size_t k = 0; k < c->count && c->err == 0; k++) {
		const struct check_inode *i = &c->inodes[k];

		check_links(c, i);
		check_contents(c, i);
		if ((i->mode & DBFS_S_IFMT) == DBFS_S_IFDIR) {
			check_counters(c, i);
			/* A removed directory that is still held leads nowhere. */
			if (i->nlink != 0)
				check_reachable(c, k);
		}
	}
	if (c->err == 0)
		check_count(c);
}
