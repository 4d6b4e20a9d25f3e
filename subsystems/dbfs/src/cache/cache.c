/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The cache of tree pages.
 *
 * Shards by block number, each with a mutex, a hash table with chains and a ring of frames for the
 * CLOCK hand. A shard may exceed its share while everything in it is pinned; the next misses bring
 * it back. A read of the device happens without the lock; who loses the race to insert the same
 * block drops his copy.
 *
 * CACHE-1  A frame in the table has passed the checksum of its parent's pointer and the check of its form.
 * CACHE-2  A frame with pins > 0 is neither freed nor changed.
 * CACHE-3  For each block the table has at most one frame. A frame whose CRC is not the one asked for is
 *	    stale (the block was freed and written again): it is dropped, never returned.
 */
#include "cache/cache.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "port/log.h"
#include "port/mem.h"
#include "port/sync.h"

enum { SHARDS = 16 };

struct shard {
	struct port_mutex lock;
	struct dbfs_frame **table; /* lock: lock */
	uint64_t mask;             /* const after init */
	struct dbfs_frame **ring;  /* lock: lock; cap slots, n used */
	size_t cap;                /* const after init */
	size_t n;
	size_t hand;
	uint64_t hits;
	uint64_t misses;
};

struct dbfs_cache {
	struct dbfs_io *io;
	dbfs_cache_check *check;
	struct shard shards[SHARDS];
};

static struct shard *shard_of(struct dbfs_cache *c, uint64_t block)
{
	return &c->shards[block % SHARDS];
}

static struct dbfs_frame **bucket_of(struct shard *s, uint64_t block)
{
	return &s->table[(block / SHARDS) & s->mask];
}

static int init_shard(struct shard *s, size_t frames)
{
	uint64_t buckets = 16;

	while (buckets < frames)
		buckets *= 2;
	port_mutex_init(&s->lock, LOCK_RANK_DBFS_CACHE, "dbfs cache");
	s->mask = buckets - 1;
	s->cap = frames;
	s->table = port_alloc_zeroed(buckets * sizeof(struct dbfs_frame *));
	s->ring = port_alloc_zeroed(frames * sizeof(struct dbfs_frame *));
	return s->table && s->ring ? 0 : -DBFS_ENOMEM;
}

static void free_frame(struct dbfs_frame *f)
{
	port_free_pages(f->data, 1);
	port_free(f);
}

void dbfs_cache_destroy(struct dbfs_cache *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *s = &c->shards[i];

		for (uint64_t b = 0; s->table && b <= s->mask; b++) {
			while (s->table[b]) {
				struct dbfs_frame *f = s->table[b];

				DBFS_ASSERT(f->pins == 0); /* CACHE-2 */
				s->table[b] = f->next;
				free_frame(f);
			}
		}
		port_free(s->table);
		port_free(s->ring);
		port_mutex_fini(&s->lock);
	}
	port_free(c);
}

struct dbfs_cache *dbfs_cache_create(struct dbfs_io *io, size_t bytes, dbfs_cache_check *check)
{
	struct dbfs_cache *c = port_alloc_zeroed(sizeof(*c));
	size_t frames = bytes / DBFS_BLOCK_SIZE / SHARDS;
	int err = 0;

	if (!c)
		return NULL;
	c->io = io;
	c->check = check;
	for (unsigned i = 0; i < SHARDS; i++)
		if (init_shard(&c->shards[i], MAX(frames, 4)))
			err = -DBFS_ENOMEM;
	if (err) {
		dbfs_cache_destroy(c);
		return NULL;
	}
	return c;
}

static struct dbfs_frame *find(struct shard *s, uint64_t block) REQUIRES(&s->lock)
{
	struct dbfs_frame *f = *bucket_of(s, block);

	while (f && f->block != block)
		f = f->next;
	return f;
}

static void unhash(struct shard *s, struct dbfs_frame *f) REQUIRES(&s->lock)
{
	struct dbfs_frame **link = bucket_of(s, f->block);

	while (*link != f)
		link = &(*link)->next;
	*link = f->next;
}

/* A slot of the ring for a new frame: a free one, or that of a victim. cap when all are pinned. */
static size_t find_slot(struct shard *s) REQUIRES(&s->lock)
{
	if (s->n < s->cap) {
		for (size_t i = 0; i < s->cap; i++) {
			size_t slot = (s->hand + i) % s->cap;

			if (!s->ring[slot])
				return slot;
		}
	}
	for (size_t i = 0; i < 2 * s->cap; i++) {
		size_t slot = s->hand;
		struct dbfs_frame *f = s->ring[slot];

		s->hand = (s->hand + 1) % s->cap;
		if (f->pins > 0)
			continue;
		if (f->used) {
			f->used = 0;
			continue;
		}
		unhash(s, f);
		free_frame(f);
		s->ring[slot] = NULL;
		s->n--;
		return slot;
	}
	return s->cap;
}

static void drop_stale(struct shard *s, struct dbfs_frame *f) REQUIRES(&s->lock)
{
	unhash(s, f);
	for (size_t i = 0; i < s->cap; i++) {
		if (s->ring[i] == f) {
			s->ring[i] = NULL;
			s->n--;
		}
	}
	free_frame(f);
}

/* Puts f into the table; it may stay outside the ring, in which case the last unpin frees it. */
static void add(struct shard *s, struct dbfs_frame *f) REQUIRES(&s->lock)
{
	struct dbfs_frame **bucket;
	size_t slot = find_slot(s);

	f->used = 1;
	if (slot < s->cap) {
		s->ring[slot] = f;
		s->n++;
	} else {
		f->used = 2; /* not in the ring */
	}
	bucket = bucket_of(s, f->block);
	f->next = *bucket;
	*bucket = f;
}

static int read_checked(struct dbfs_cache *c, uint64_t block, uint32_t crc, uint8_t *page)
{
	int err = dbfs_io_read(c->io, block, page, 1);
	uint32_t found;

	if (err)
		return err;
	found = base_crc32c(0, page, DBFS_BLOCK_SIZE);
	if (found != crc) {
		port_log(PORT_LOG_ERROR, "dbfs: tree page %llu: checksum %x, its parent says %x",
			 (unsigned long long)block, (unsigned)found, (unsigned)crc);
		return -DBFS_ECORRUPT;
	}
	if (!c->check(page, block)) {
		port_log(PORT_LOG_ERROR, "dbfs: tree page %llu is malformed",
			 (unsigned long long)block);
		return -DBFS_ECORRUPT;
	}
	return 0;
}

static struct dbfs_frame *make_frame(uint64_t block, uint32_t crc)
{
	struct dbfs_frame *f = port_alloc_zeroed(sizeof(*f));

	if (!f)
		return NULL;
	f->data = port_alloc_pages(1);
	if (!f->data) {
		port_free(f);
		return NULL;
	}
	f->block = block;
	f->crc = crc;
	return f;
}

int dbfs_cache_get(struct dbfs_cache *c, uint64_t block, uint32_t crc, struct dbfs_frame **out)
{
	struct shard *s = shard_of(c, block);
	struct dbfs_frame *f;
	struct dbfs_frame *old;
	int err;

	port_mutex_lock(&s->lock);
	f = find(s, block);
	if (f && f->crc == crc) {
		f->pins++;
		f->used |= 1;
		s->hits++;
		port_mutex_unlock(&s->lock);
		*out = f;
		return 0;
	}
	s->misses++;
	port_mutex_unlock(&s->lock);

	f = make_frame(block, crc);
	if (!f)
		return -DBFS_ENOMEM;
	err = read_checked(c, block, crc, f->data);
	if (err) {
		free_frame(f);
		return err;
	}
	port_mutex_lock(&s->lock);
	old = find(s, block);
	if (old && old->crc == crc) {
		free_frame(f);
		f = old;
	} else if (old && old->pins > 0) { /* two parents disagree, and the device changed */
		port_mutex_unlock(&s->lock);
		free_frame(f);
		return -DBFS_ECORRUPT;
	} else {
		if (old)
			drop_stale(s, old);
		add(s, f);
	}
	f->pins++;
	port_mutex_unlock(&s->lock);
	*out = f;
	return 0;
}

void dbfs_cache_put(struct dbfs_cache *c, struct dbfs_frame *f)
{
	struct shard *s = shard_of(c, f->block);

	port_mutex_lock(&s->lock);
	DBFS_ASSERT(f->pins > 0);
	f->pins--;
	if (f->pins == 0 && (f->used & 2)) {
		unhash(s, f);
		free_frame(f);
	}
	port_mutex_unlock(&s->lock);
}

void dbfs_cache_insert(struct dbfs_cache *c, uint64_t block, uint32_t crc, uint8_t *page)
{
	struct shard *s = shard_of(c, block);
	struct dbfs_frame *f = port_alloc_zeroed(sizeof(*f));
	struct dbfs_frame *old;

	port_mutex_lock(&s->lock);
	old = find(s, block);
	/* Nobody reaches a block that was free, unless the map of a damaged volume lied. Then who stands in
	 * the old page keeps it (CACHE-2), and the new one is not kept here. */
	if (old && old->pins > 0) {
		port_log(PORT_LOG_ERROR, "dbfs: tree page %llu was in use but free in the map",
			 (unsigned long long)block);
		port_free(f);
		f = NULL;
	} else if (old) {
		drop_stale(s, old);
	}
	if (f) {
		f->data = page;
		f->block = block;
		f->crc = crc;
		add(s, f);
		if (f->used & 2) {
			unhash(s, f);
			free_frame(f);
		}
	}
	port_mutex_unlock(&s->lock);
	if (!f)
		port_free_pages(page, 1);
}

void dbfs_cache_stats(struct dbfs_cache *c, uint64_t *hits, uint64_t *misses)
{
	*hits = 0;
	*misses = 0;
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *s = &c->shards[i];

		port_mutex_lock(&s->lock);
		*hits += s->hits;
		*misses += s->misses;
		port_mutex_unlock(&s->lock);
	}
}
