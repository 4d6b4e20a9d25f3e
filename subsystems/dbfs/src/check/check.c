/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * fsck: is everything on the volume as the invariants say? Nothing is changed.
 *
 * Two views meet. From below (blocks.c): every block of the tree and of the space map is read and
 * checked, and marked as owned. From above (records.c): the file system's buckets are read through the
 * ordinary cursors, in the state with the log replayed; every record is decoded as if an enemy had
 * written it; extents mark their blocks as owned. Then the marks are compared with the space map:
 * a block that is taken there but owned by nobody is leaked, one that is owned but free will
 * be given out again, one owned twice is shared. Last (inodes.c), the counts found per inode are
 * compared with the records: names, links, entries, blocks, parents, orphans, and each directory is
 * followed up to the root.
 *
 * Passes, in order: engine blocks; META; INODE (into an array sorted by number); DIRENT; EXTENT; INLINE;
 * XATTR; ORPHAN; COUNTERS; per inode; reachability; space.
 *
 * Memory: about 100 bytes an inode and two bits a block. Each check that needs another's ground to stand on
 * (an entry's inode, say) uses what the passes before have collected, never recursion.
 *
 * Errors: what is wrong on the volume is a finding and the check goes on. Only lack of memory and a
 * device that fails end it. A damaged tree page hides what is below it; that shows as a finding
 * for each bucket that cannot be read to its end, and as leaks.
 */
#include "check/check_priv.h"

#include "base/bitmap.h"
#include "port/mem.h"
#include "txn/inspect.h"

void dbfs_check_say(struct check *c, const char *kind, uint64_t n, const char *fmt,
		    const uint64_t *v)
{
	c->r.findings++;
	if (c->opts->finding == NULL)
		return;
	dbfs_text_start(&c->object);
	dbfs_text_str(&c->object, kind);
	if (n != UINT64_MAX) {
		dbfs_text_str(&c->object, " ");
		dbfs_text_num(&c->object, n);
	}
	dbfs_text_start(&c->text);
	if (v == NULL)
		dbfs_text_str(&c->text, fmt);
	else
		dbfs_text_fmt(&c->text, fmt, v);
	c->opts->finding(c->opts->arg, c->object.s, c->text.s);
}

struct check_inode *dbfs_check_find(struct check *c, uint64_t ino)
{
	size_t lo = 0;
	size_t hi = c->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->inodes[mid].ino == ino)
			return &c->inodes[mid];
		if (c->inodes[mid].ino < ino)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

void dbfs_check_own(struct check *c, uint64_t block, uint64_t count, const char *kind, uint64_t n)
{
	uint64_t twice = 0;
	uint64_t first = 0;

	if (block > c->total || count > c->total - block) {
		const uint64_t v[] = {block, count};

		dbfs_check_say(c, kind, n, "block # (and # following) lies outside of the volume",
			       v);
		return;
	}
	for (uint64_t b = block; b < block + count; b++) {
		if (bitmap_test(c->owned, b)) {
			if (twice++ == 0)
				first = b;
		}
		bitmap_set(c->owned, b);
	}
	if (twice > 0) {
		const uint64_t v[] = {twice, first};

		dbfs_check_say(c, kind, n, "# blocks from # on belong to something else too", v);
	}
}

void dbfs_check_bucket(struct check *c, uint32_t bucket, const char *what,
		       void (*fn)(struct check *c, struct dbfs_key key, struct dbfs_val val))
{
	struct dbfs_cursor *cur;
	int err = dbfs_cursor_open(c->tx, (struct dbfs_key){bucket, 0, ""},
				   (struct dbfs_key){bucket + 1, 0, ""}, DBFS_READ_UNTRACKED, &cur);

	if (err != 0) {
		c->err = err;
		return;
	}
	while (c->err == 0 && (err = dbfs_cursor_next(cur)) == 0) {
		struct dbfs_val val;

		err = dbfs_cursor_value(cur, &val);
		if (err != 0)
			break;
		fn(c, dbfs_cursor_key(cur), val);
	}
	dbfs_cursor_close(cur);
	if (err == -DBFS_ENOMEM)
		c->err = err;
	else if (err != 0 && err != -DBFS_ENOENT)
		CHECK_SAY(c, what, UINT64_MAX, "cannot be read to the end: damaged tree");
}

static int prepare(struct check *c)
{
	struct dbfs_stats s;
	size_t bytes;

	dbfs_get_stats(c->db, &s);
	c->total = s.total_blocks;
	bytes = BITMAP_WORDS((size_t)c->total) * sizeof(uint64_t);
	c->owned = port_alloc_zeroed(bytes);
	c->freed = port_alloc_zeroed(bytes);
	c->rec = port_alloc(sizeof(*c->rec));
	return c->owned == NULL || c->freed == NULL || c->rec == NULL ? -DBFS_ENOMEM : 0;
}

static int run(struct check *c)
{
	int err = prepare(c);

	if (err == 0)
		err = dbfs_check_engine_blocks(c);
	if (err != 0)
		return err;
	dbfs_check_records(c);
	if (c->err == 0)
		dbfs_check_inodes(c);
	if (c->err == 0)
		dbfs_check_space(c);
	if (c->err == 0 && c->opts->progress != NULL)
		c->opts->progress(c->opts->arg, c->total, c->total);
	return c->err;
}

int dbfs_check(struct dbfs *db, const struct dbfs_check_opts *opts, struct dbfs_check_result *out)
{
	const struct dbfs_tx_opts to = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};
	struct check *c = port_alloc_zeroed(sizeof(*c));
	int err;

	if (c == NULL)
		return -DBFS_ENOMEM;
	c->db = db;
	c->opts = opts;
	err = dbfs_tx_begin(db, &to, &c->tx);
	if (err == 0) {
		err = run(c);
		dbfs_tx_rollback(c->tx);
	}
	if (err == 0)
		*out = c->r;
	port_free(c->inodes);
	port_free(c->owned);
	port_free(c->freed);
	port_free(c->rec);
	port_free(c);
	return err;
}
