/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The space map on disk: for each chunk a bitmap block (none if all its blocks are free), described
 * with its checksum in an index block, which is described in the root. All of it is copy-on-write: a
 * checkpoint writes changed bitmaps and their indexes to new blocks, so that the old root's map
 * stays whole until the new root is durable.
 *
 * Giving a bitmap a new block changes bitmaps: the one where the new block lies and the one where the old
 * one lay. So places are given first, round by round, until no changed chunk is without a new
 * place; each chunk and each index moves at most once a checkpoint, so this ends. Then all are written.
 *
 * STORE-1  What is written is never written over something that the current root reaches.
 */
#include "space/space_priv.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "base/overflow.h"
#include "port/log.h"

static void set_persist(struct dbfs_space *s, uint64_t block, uint64_t count, bool value)
{
	while (count > 0) {
		struct chunk *c = &s->chunks[block / DBFS_CHUNK_BLOCKS];
		uint64_t at = block % DBFS_CHUNK_BLOCKS;
		uint64_t n = MIN(count, DBFS_CHUNK_BLOCKS - at);

		if (value)
			bitmap_set_range(c->persist, at, n);
		else
			bitmap_clear_range(c->persist, at, n);
		c->dirty = true;
		block += n;
		count -= n;
	}
}

static void apply(struct dbfs_space *s, const struct dbfs_runs *const *lists, bool value)
{
	const struct dbfs_runs_chunk *c;
	const struct dbfs_run *r;

	for (; *lists; lists++)
		dbfs_runs_for_each(r, c, *lists) set_persist(s, r->block, r->count, value);
}

/* A new place for what lay at *block; the old one goes to old. */
static int move(struct dbfs_space *s, uint64_t *block, struct dbfs_runs *old)
{
	struct dbfs_run run;
	int err = dbfs_space_alloc(s, 0, 1, DBFS_SPACE_CHECKPOINT, &run); /* STORE-1 */

	if (err)
		return err;
	set_persist(s, run.block, 1, true);
	if (*block) {
		set_persist(s, *block, 1, false);
		dbfs_runs_add_nofail(old, *block, 1);
	}
	*block = run.block;
	return 0;
}

static int give_places(struct dbfs_space *s, struct dbfs_runs *old)
{
	bool again = true;

	while (again) {
		again = false;
		for (uint64_t i = 0; i < s->nchunks; i++) {
			struct chunk *c = &s->chunks[i];
			struct index *x = &s->indexes[i / DBFS_INDEX_ENTRIES];
			int err = 0;

			if (c->dirty && !c->moved) {
				err = move(s, &c->block, old);
				c->moved = true;
				x->dirty = true;
				again = true;
			}
			if (!err && x->dirty && !x->moved) {
				err = move(s, &x->block, old);
				x->moved = true;
				again = true;
			}
			if (err)
				return err;
		}
	}
	return 0;
}

static int write_bitmap(struct dbfs_space *s, struct chunk *c)
{
	struct le64 *words = s->page;

	for (unsigned i = 0; i < CHUNK_WORDS; i++)
		words[i] = le64_of(c->persist[i]);
	c->crc = base_crc32c(0, s->page, DBFS_BLOCK_SIZE);
	return dbfs_io_write(s->io, c->block, s->page, 1);
}

static int write_index(struct dbfs_space *s, uint64_t number, uint64_t generation)
{
	struct index *x = &s->indexes[number];
	struct dbfs_disk_index *d = s->page;
	uint64_t first = number * DBFS_INDEX_ENTRIES;
	uint64_t n = MIN((uint64_t)DBFS_INDEX_ENTRIES, s->nchunks - first);

	memset(d, 0, sizeof(*d));
	memcpy(d->magic, "DIDX", sizeof(d->magic));
	d->number = le32_of((uint32_t)number);
	d->generation = le64_of(generation);
	for (uint64_t i = 0; i < n; i++) {
		const struct chunk *c = &s->chunks[first + i];
		uint64_t set = bitmap_count(c->persist, DBFS_CHUNK_BLOCKS);

		d->chunks[i].block = le64_of(c->block);
		d->chunks[i].crc = le32_of(c->crc);
		d->chunks[i].aux = le32_of((uint32_t)(DBFS_CHUNK_BLOCKS - set));
	}
	x->crc = base_crc32c(0, d, DBFS_BLOCK_SIZE);
	return dbfs_io_write(s->io, x->block, d, 1);
}

int dbfs_space_store_prepare(const struct dbfs_space *s, struct dbfs_runs *old)
{
	return dbfs_runs_reserve(old, s->nchunks + s->nindexes); /* each moves at most once */
}

int dbfs_space_store(struct dbfs_space *s, const struct dbfs_runs *const *allocs,
		     const struct dbfs_runs *const *frees, struct dbfs_disk_root *root,
		     struct dbfs_runs *old)
{
	int err;

	/* A block is allocated and then freed at most once between two checkpoints. */
	apply(s, allocs, true);
	apply(s, frees, false);
	err = give_places(s, old);
	for (uint64_t i = 0; !err && i < s->nchunks; i++) {
		if (s->chunks[i].dirty)
			err = write_bitmap(s, &s->chunks[i]);
		if (!err) {
			s->chunks[i].dirty = false;
			s->chunks[i].moved = false;
		}
	}
	for (uint64_t i = 0; !err && i < s->nindexes; i++) {
		struct index *x = &s->indexes[i];

		if (x->dirty)
			err = write_index(s, i, le64_get(root->generation));
		x->dirty = false;
		x->moved = false;
		root->indexes[i].block = le64_of(x->block);
		root->indexes[i].crc = le32_of(x->crc);
		root->indexes[i].aux = le32_of(0);
	}
	root->nindexes = le32_of((uint32_t)s->nindexes);
	return err;
}

static int corrupt(const char *what, uint64_t number)
{
	port_log(PORT_LOG_ERROR, "dbfs: space map: %s %llu is damaged", what,
		 (unsigned long long)number);
	return -DBFS_ECORRUPT;
}

static int read_checked(struct dbfs_space *s, uint64_t block, uint32_t crc)
{
	int err;

	if (block < s->data_start || block >= s->total)
		return -DBFS_ECORRUPT;
	err = dbfs_io_read(s->io, block, s->page, 1);
	if (!err && base_crc32c(0, s->page, DBFS_BLOCK_SIZE) != crc)
		err = -DBFS_ECORRUPT;
	return err;
}

/* Reads the bitmap of chunk i; what creation marked (log, end of the volume) must be in it. */
static int load_chunk(struct dbfs_space *s, uint64_t i)
{
	struct chunk *c = &s->chunks[i];
	const struct le64 *words = s->page;
	uint64_t nfree;
	int err;

	c->dirty = false;
	if (c->block == 0)
		return c->nfree == DBFS_CHUNK_BLOCKS ? 0 : corrupt("chunk", i);
	err = read_checked(s, c->block, c->crc);
	if (err)
		return err == -DBFS_ECORRUPT ? corrupt("bitmap block", c->block) : err;
	for (unsigned w = 0; w < CHUNK_WORDS; w++) {
		uint64_t word = le64_get(words[w]);

		if ((c->used[w] & word) != c->used[w])
			return corrupt("bitmap block", c->block);
		c->persist[w] = word;
		c->used[w] = word;
	}
	nfree = DBFS_CHUNK_BLOCKS - bitmap_count(c->used, DBFS_CHUNK_BLOCKS);
	s->free -= c->nfree - nfree;
	c->nfree = nfree;
	return 0;
}

static int load_index(struct dbfs_space *s, uint64_t number)
{
	struct index *x = &s->indexes[number];
	const struct dbfs_disk_index *d = s->page;
	uint64_t first = number * DBFS_INDEX_ENTRIES;
	uint64_t n = MIN((uint64_t)DBFS_INDEX_ENTRIES, s->nchunks - first);
	int err = read_checked(s, x->block, x->crc);

	if (err)
		return err == -DBFS_ECORRUPT ? corrupt("index", number) : err;
	if (memcmp(d->magic, "DIDX", sizeof(d->magic)) != 0 || le32_get(d->number) != number)
		return corrupt("index", number);
	for (uint64_t i = 0; i < n; i++) {
		s->chunks[first + i].block = le64_get(d->chunks[i].block);
		s->chunks[first + i].crc = le32_get(d->chunks[i].crc);
	}
	for (uint64_t i = 0; !err && i < n; i++)
		err = load_chunk(s, first + i);
	return err;
}

/* The map's own blocks must be in use in it, or they would be given out. */
static int check_own_blocks(struct dbfs_space *s)
{
	for (uint64_t i = 0; i < s->nchunks; i++)
		if (s->chunks[i].block && dbfs_space_check_used(s, s->chunks[i].block, 1))
			return corrupt("bitmap block", s->chunks[i].block);
	for (uint64_t i = 0; i < s->nindexes; i++)
		if (dbfs_space_check_used(s, s->indexes[i].block, 1))
			return corrupt("index", i);
	return 0;
}

int dbfs_space_load(struct dbfs_space *s, const struct dbfs_disk_root *root)
{
	for (uint64_t i = 0; i < s->nindexes; i++) {
		int err;

		s->indexes[i].block = le64_get(root->indexes[i].block);
		s->indexes[i].crc = le32_get(root->indexes[i].crc);
		err = load_index(s, i);
		if (err)
			return err;
	}
	s->tree_pages = le64_get(root->tree_pages);
	return check_own_blocks(s);
}
