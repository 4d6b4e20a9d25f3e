/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Checked tree pages in memory, by block number. A page on the device never changes while it can be reached
 * (copy-on-write), so a frame is immutable; it is checked once, when it is read.
 */
#ifndef DBFS_CACHE_CACHE_H
#define DBFS_CACHE_CACHE_H

#include "io/io.h"

struct dbfs_cache;

/* A pinned page; data stays valid until the unpin. */
struct dbfs_frame {
	uint8_t *data; /* DBFS_BLOCK_SIZE bytes */
	uint64_t block;
	uint32_t crc;
	uint32_t pins;           /* lock: the shard's */
	uint32_t used;           /* CLOCK's bit; lock: the shard's */
	struct dbfs_frame *next; /* in the hash chain; lock: the shard's */
};

/* Says whether a page whose checksum is right may be used as what the caller expects. */
typedef bool dbfs_cache_check(const uint8_t *page, uint64_t block);

/* bytes: of pages kept. NULL: no memory. */
struct dbfs_cache *dbfs_cache_create(struct dbfs_io *io, size_t bytes, dbfs_cache_check *check)
	MUST_CHECK;
/* Nothing may be pinned. NULL is fine. */
void dbfs_cache_destroy(struct dbfs_cache *c);

/*
 * Gives the page at block, pinned, whose CRC32C is crc. Reads it if need be. -DBFS_ECORRUPT (logged), -DBFS_EIO,
 * -DBFS_ENOMEM.
 */
int dbfs_cache_get(struct dbfs_cache *c, uint64_t block, uint32_t crc, struct dbfs_frame **out)
	MUST_CHECK;
void dbfs_cache_put(struct dbfs_cache *c, struct dbfs_frame *f);

/*
 * Takes page (from port_alloc_pages(1)), which was just written to block; replaces what was known of
 * the block. Keeping it is optional.
 */
void dbfs_cache_insert(struct dbfs_cache *c, uint64_t block, uint32_t crc, uint8_t *page);

void dbfs_cache_stats(struct dbfs_cache *c, uint64_t *hits, uint64_t *misses);

#endif
