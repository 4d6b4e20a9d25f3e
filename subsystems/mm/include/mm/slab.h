/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Object caches: equal-sized objects cut from pages. Thread-safe; usable with spinlocks held
 * when called with MM_ATOMIC.
 */
#ifndef MM_SLAB_H
#define MM_SLAB_H

#include "mm/page.h"

struct mm_cache {
	struct mm_spinlock lock;
	const char *name;
	uint32_t size; /* of an object, rounded up to its alignment */
	uint32_t per_slab;
	uint32_t order;       /* pages of a slab: 2^order */
	uint32_t empty_slabs; /* lock: lock (all below) */
	struct list partial;
	struct list full;
	struct list empty;
	uint64_t objects; /* in use */
	uint64_t slabs;
	struct list caches; /* list of all */
};

/* align: a power of two up to 64 (0: 16). size at most 8192. name must outlive the cache. */
void mm_cache_init(struct mm_cache *c, const char *name, size_t size, size_t align);
/* flags: enum mm_flags. NULL: no memory. Contents undefined without MM_ZERO. */
void *mm_cache_alloc(struct mm_cache *c, unsigned flags) MUST_CHECK;
/* Takes p, which came from c. */
void mm_cache_free(struct mm_cache *c, void *p);

/*
 * Any size, 16-byte aligned (a power of two from 4096 is page aligned). port_alloc is this
 * with MM_NORMAL.
 */
void *mm_alloc(size_t size, unsigned flags) MUST_CHECK;
/* Takes p from mm_alloc or port_alloc; NULL is fine. Any context for sizes up to 4 MiB. */
void mm_free(void *p);
/* Usable bytes of p. */
size_t mm_alloc_size(const void *p);

/* fn for each cache (slabinfo). */
void mm_cache_for_each(void (*fn)(const struct mm_cache *c, void *arg), void *arg);
/* Once, after mm_init. */
void mm_slab_init(void);

#endif
