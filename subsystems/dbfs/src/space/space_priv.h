/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#ifndef DBFS_SPACE_SPACE_PRIV_H
#define DBFS_SPACE_SPACE_PRIV_H

#include "base/bitmap.h"
#include "port/sync.h"
#include "space/space.h"

#define CHUNK_WORDS BITMAP_WORDS(DBFS_CHUNK_BLOCKS)

struct chunk {
	uint64_t *used;    /* lock: lock; not to be allocated */
	uint64_t *persist; /* checkpoint only; as of the frozen commits */
	uint64_t nfree;    /* lock: lock; clear bits of used */
	uint64_t block;    /* checkpoint only; where persist stands on disk, 0: all clear */
	uint32_t crc;
	bool dirty; /* checkpoint only */
	bool moved; /* has its new place in this checkpoint */
};

struct index {
	uint64_t block;
	uint32_t crc;
	bool dirty;
	bool moved;
};

struct dbfs_space {
	struct port_mutex lock;
	struct dbfs_io *io;
	uint64_t total;
	uint64_t data_start;
	uint64_t nchunks;
	struct chunk *chunks;
	uint64_t nindexes;
	struct index *indexes;
	uint64_t free;                /* lock: lock */
	uint64_t deferred;            /* lock: lock */
	uint64_t cursor;              /* lock: lock; next fit */
	uint64_t tree_pages;          /* lock: lock */
	uint64_t reserve;             /* const after init */
	struct dbfs_promise promised; /* lock: lock */
	void *page;                   /* checkpoint only: scratch */
};

#endif
