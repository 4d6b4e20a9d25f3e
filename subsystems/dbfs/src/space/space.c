/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Free space in memory: two bitmaps, cut into chunks of 32768 blocks.
 *
 *   used	what cannot be allocated now
 *   persist	what a checkpoint writes: blocks of the frozen commits, of the tree and of the map
 *
 *	   alloc		commit + checkpoint		    free committed
 *   free ------> used, not persist ------> used, persist ----------------------------+
 *    ^	 cancel |							      |
 *    +---------+	release: the checkpoint that contains the free is durable     v
 *    +------------------ and nobody can reach the block <-------- used, not persist (deferred)
 *
 * SPACE-1  persist is a subset of used. (What the disk knows as taken is never given out.)
 * SPACE-2  A block changes from used to free only by cancel (no commit ever named it) or release.
 * SPACE-3  Blocks allocated by transactions that never committed are free after a crash, because only
 *	    commits enter persist (by checkpoint) or the log (by replay).
 * SPACE-4  free - need(promised) >= 0 whenever a transaction was allowed to grow: a checkpoint finds its
 *	    blocks. need() bounds what a merge of the promised keys can write: at most each page of the
 *	    tree once (twice with a second checkpoint following), the new bytes at half-filled pages,
 *	    and the whole map.
 *
 * Lock: space.lock for used and the counters; persist belongs to the one running checkpoint.
 * On crash: nothing here is on disk but what store.c wrote; see there.
 */
#include "space/space_priv.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/overflow.h"
#include "port/log.h"
#include "port/mem.h"

static int alloc_chunks(struct dbfs_space *s)
{
	for (uint64_t i = 0; i < s->nchunks; i++) {
		struct chunk *c = &s->chunks[i];

		c->used = port_alloc_zeroed(DBFS_BLOCK_SIZE);
		c->persist = port_alloc_zeroed(DBFS_BLOCK_SIZE);
		if (!c->used || !c->persist)
			return -DBFS_ENOMEM;
		c->nfree = DBFS_CHUNK_BLOCKS;
	}
	return 0;
}

static void mark(struct dbfs_space *s, uint64_t block, uint64_t count, bool persist)
{
	while (count > 0) {
		struct chunk *c = &s->chunks[block / DBFS_CHUNK_BLOCKS];
		uint64_t at = block % DBFS_CHUNK_BLOCKS;
		uint64_t n = MIN(count, DBFS_CHUNK_BLOCKS - at);

		bitmap_set_range(c->used, at, n);
		c->nfree -= n;
		if (persist) {
			bitmap_set_range(c->persist, at, n);
			c->dirty = true;
		}
		s->free -= n;
		block += n;
		count -= n;
	}
}

struct dbfs_space *dbfs_space_create(struct dbfs_io *io, const struct dbfs_super *super)
{
	struct dbfs_space *s = port_alloc_zeroed(sizeof(*s));

	if (!s)
		return NULL;
	port_mutex_init(&s->lock, LOCK_RANK_DBFS_SPACE, "dbfs space");
	s->io = io;
	s->total = super->total_blocks;
	s->data_start = super->data_start;
	s->nchunks = (s->total + DBFS_CHUNK_BLOCKS - 1) / DBFS_CHUNK_BLOCKS;
	s->nindexes = (s->nchunks + DBFS_INDEX_ENTRIES - 1) / DBFS_INDEX_ENTRIES;
	s->chunks = port_alloc_zeroed(s->nchunks * sizeof(*s->chunks));
	s->indexes = port_alloc_zeroed(s->nindexes * sizeof(*s->indexes));
	s->page = port_alloc_pages(1);
	if (!s->chunks || !s->indexes || !s->page || alloc_chunks(s)) {
		dbfs_space_destroy(s);
		return NULL;
	}
	s->free = s->nchunks * DBFS_CHUNK_BLOCKS;
	s->cursor = s->data_start;
	s->reserve = MAX(32, MIN(s->total / 64, 2048));
	/* Written to disk like every other block in use, so that the map is complete by itself. */
	mark(s, 0, s->data_start, true);
	mark(s, s->total, s->nchunks * DBFS_CHUNK_BLOCKS - s->total, true);
	return s;
}

void dbfs_space_destroy(struct dbfs_space *s)
{
	if (!s)
		return;
	for (uint64_t i = 0; s->chunks && i < s->nchunks; i++) {
		port_free(s->chunks[i].used);
		port_free(s->chunks[i].persist);
	}
	port_free(s->chunks);
	port_free(s->indexes);
	if (s->page)
		port_free_pages(s->page, 1);
	port_mutex_fini(&s->lock);
	port_free(s);
}

static uint64_t need(const struct dbfs_space *s, struct dbfs_promise extra) REQUIRES(&s->lock)
{
	uint64_t keys = s->promised.keys + extra.keys;
	uint64_t bytes = s->promised.bytes + extra.bytes;

	if (keys == 0)
		return s->nchunks + s->nindexes + 4;
	return MIN(2 * keys, 4 * s->tree_pages) + bytes / 1024 + s->nchunks + s->nindexes + 32;
}

static int check(const struct dbfs_space *s, uint64_t blocks, struct dbfs_promise extra,
		 enum dbfs_space_class cls) REQUIRES(&s->lock)
{
	uint64_t keep = cls == DBFS_SPACE_CHECKPOINT ? 0 : need(s, extra);

	if (cls == DBFS_SPACE_NORMAL)
		keep += s->reserve;
	return blocks <= s->free && keep <= s->free - blocks ? 0 : -DBFS_ENOSPC;
}

/* The first clear bit of used in [from, to), or BITMAP_NONE. */
static uint64_t find_free(const struct dbfs_space *s, uint64_t from, uint64_t to) REQUIRES(&s->lock)
{
	while (from < to) {
		uint64_t i = from / DBFS_CHUNK_BLOCKS;
		uint64_t base = i * DBFS_CHUNK_BLOCKS;
		uint64_t bits = MIN((uint64_t)DBFS_CHUNK_BLOCKS, to - base);
		uint64_t at = BITMAP_NONE;

		if (s->chunks[i].nfree > 0)
			at = bitmap_find_clear(s->chunks[i].used, from - base, bits);
		if (at != BITMAP_NONE)
			return base + at;
		from = base + DBFS_CHUNK_BLOCKS;
	}
	return BITMAP_NONE;
}

int dbfs_space_alloc(struct dbfs_space *s, uint64_t hint, uint64_t max, enum dbfs_space_class cls,
		     struct dbfs_run *out)
{
	static const struct dbfs_promise none;
	uint64_t start;
	uint64_t block;
	struct chunk *c;
	uint64_t n;
	int err;

	port_mutex_lock(&s->lock);
	err = check(s, 1, none, cls);
	if (err)
		goto out;
	start = hint >= s->data_start && hint < s->total ? hint : s->cursor;
	block = find_free(s, start, s->total);
	if (block == BITMAP_NONE)
		block = find_free(s, s->data_start, start);
	DBFS_ASSERT(block != BITMAP_NONE); /* free > 0 */
	c = &s->chunks[block / DBFS_CHUNK_BLOCKS];
	if (cls != DBFS_SPACE_CHECKPOINT && check(s, max, none, cls))
		max = 1;
	n = bitmap_clear_run(c->used, block % DBFS_CHUNK_BLOCKS, DBFS_CHUNK_BLOCKS, max);
	mark(s, block, n, false);
	s->cursor = block + n < s->total ? block + n : s->data_start;
	*out = (struct dbfs_run){block, n};
out:
	port_mutex_unlock(&s->lock);
	return err;
}

static void clear_used(struct dbfs_space *s, uint64_t block, uint64_t count) REQUIRES(&s->lock)
{
	while (count > 0) {
		struct chunk *c = &s->chunks[block / DBFS_CHUNK_BLOCKS];
		uint64_t at = block % DBFS_CHUNK_BLOCKS;
		uint64_t n = MIN(count, DBFS_CHUNK_BLOCKS - at);

		DBFS_ASSERT(bitmap_test(c->used, at));
		bitmap_clear_range(c->used, at, n);
		c->nfree += n;
		s->free += n;
		block += n;
		count -= n;
	}
}

static bool is_data(const struct dbfs_space *s, uint64_t block, uint64_t count)
{
	return count > 0 && block >= s->data_start && range_fits(block, count, s->total);
}

/* Are all blocks of the run used (or all free)? */
static bool all_are(const struct dbfs_space *s, uint64_t block, uint64_t count, bool used)
	REQUIRES(&s->lock)
{
	for (uint64_t b = block; b < block + count; b++)
		if (bitmap_test(s->chunks[b / DBFS_CHUNK_BLOCKS].used, b % DBFS_CHUNK_BLOCKS) !=
		    used)
			return false;
	return true;
}

void dbfs_space_cancel(struct dbfs_space *s, uint64_t block, uint64_t count)
{
	port_mutex_lock(&s->lock);
	clear_used(s, block, count); /* SPACE-2 */
	port_mutex_unlock(&s->lock);
}

void dbfs_space_release(struct dbfs_space *s, const struct dbfs_runs *runs)
{
	const struct dbfs_runs_chunk *c;
	const struct dbfs_run *r;

	port_mutex_lock(&s->lock);
	dbfs_runs_for_each(r, c, runs)
	{
		/* A damaged tree may name a block twice; then it is in doubt, and stays in use. */
		if (is_data(s, r->block, r->count) && all_are(s, r->block, r->count, true))
			clear_used(s, r->block, r->count); /* SPACE-2 */
		else
			port_log(PORT_LOG_ERROR, "dbfs: %llu blocks at %llu were freed twice",
				 (unsigned long long)r->count, (unsigned long long)r->block);
	}
	s->deferred -= MIN(s->deferred, runs->blocks);
	port_mutex_unlock(&s->lock);
}

void dbfs_space_note_freed(struct dbfs_space *s, uint64_t count)
{
	port_mutex_lock(&s->lock);
	s->deferred += count;
	port_mutex_unlock(&s->lock);
}

int dbfs_space_replay_alloc(struct dbfs_space *s, uint64_t block, uint64_t count)
{
	bool ok;

	port_mutex_lock(&s->lock);
	ok = is_data(s, block, count) && all_are(s, block, count, false);
	if (ok)
		mark(s, block, count, false);
	port_mutex_unlock(&s->lock);
	return ok ? 0 : -DBFS_ECORRUPT;
}

int dbfs_space_check_used(struct dbfs_space *s, uint64_t block, uint64_t count)
{
	bool ok;

	port_mutex_lock(&s->lock);
	ok = is_data(s, block, count) && all_are(s, block, count, true);
	port_mutex_unlock(&s->lock);
	return ok ? 0 : -DBFS_ECORRUPT;
}

int dbfs_space_check(struct dbfs_space *s, uint64_t blocks, enum dbfs_space_class cls)
{
	static const struct dbfs_promise none;
	int err;

	port_mutex_lock(&s->lock);
	err = check(s, blocks, none, cls);
	port_mutex_unlock(&s->lock);
	return err;
}

int dbfs_space_promise(struct dbfs_space *s, struct dbfs_promise p, enum dbfs_space_class cls)
{
	int err;

	port_mutex_lock(&s->lock);
	err = check(s, 0, p, cls);
	if (!err) {
		s->promised.keys += p.keys;
		s->promised.bytes += p.bytes;
	}
	port_mutex_unlock(&s->lock);
	return err;
}

void dbfs_space_promise_nofail(struct dbfs_space *s, struct dbfs_promise p)
{
	port_mutex_lock(&s->lock);
	s->promised.keys += p.keys;
	s->promised.bytes += p.bytes;
	port_mutex_unlock(&s->lock);
}

void dbfs_space_unpromise(struct dbfs_space *s, struct dbfs_promise p)
{
	port_mutex_lock(&s->lock);
	DBFS_ASSERT(s->promised.keys >= p.keys && s->promised.bytes >= p.bytes);
	s->promised.keys -= p.keys;
	s->promised.bytes -= p.bytes;
	port_mutex_unlock(&s->lock);
}

void dbfs_space_set_tree_pages(struct dbfs_space *s, uint64_t pages)
{
	port_mutex_lock(&s->lock);
	s->tree_pages = pages;
	port_mutex_unlock(&s->lock);
}

void dbfs_space_stats(struct dbfs_space *s, struct dbfs_space_stats *out)
{
	static const struct dbfs_promise none;

	port_mutex_lock(&s->lock);
	out->total = s->total;
	out->free = s->free;
	out->deferred = s->deferred;
	out->promised = need(s, none);
	port_mutex_unlock(&s->lock);
}

bool dbfs_space_is_used(struct dbfs_space *s, uint64_t block)
{
	bool used;

	if (block >= s->total)
		return false;
	port_mutex_lock(&s->lock);
	used = bitmap_test(s->chunks[block / DBFS_CHUNK_BLOCKS].used, block % DBFS_CHUNK_BLOCKS);
	port_mutex_unlock(&s->lock);
	return used;
}

void dbfs_space_map_blocks(struct dbfs_space *s, void (*fn)(void *arg, uint64_t block), void *arg)
{
	for (uint64_t i = 0; i < s->nindexes; i++) {
		if (s->indexes[i].block != 0)
			fn(arg, s->indexes[i].block);
	}
	for (uint64_t i = 0; i < s->nchunks; i++) {
		if (s->chunks[i].block != 0)
			fn(arg, s->chunks[i].block);
	}
}
