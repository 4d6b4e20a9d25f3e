/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Physical pages: one struct page for each page of RAM, a buddy allocator, reference counts,
 * and a table of reclaimers that give clean pages back under pressure.
 *
 * States of a page: free (in the buddy, refs 0) -> allocated (refs >= 1) -> free when the last
 * reference is put. A block of 2^order pages is described by its first page; only that counts.
 * Fields owner, index, private, lru, maps belong to whoever allocated the page.
 */
#ifndef MM_PAGE_H
#define MM_PAGE_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/types.h"
#include "mm_platform.h" /* struct mm_spinlock; supplied by the kernel or the test */

#define MM_PAGE_SHIFT 12
#define MM_PAGE_SIZE ((size_t)4096)
#define MM_MAX_ORDER 10 /* blocks of up to 4 MiB */

enum mm_flags {
	MM_NORMAL =
		0, /* may call reclaimers (which drop clean pages only, without sleeping on I/O) */
	MM_ATOMIC = 1,  /* does not reclaim: usable under spinlocks and in interrupts */
	MM_RESERVE = 2, /* may dip into the reserve: threads that make memory free */
	MM_ZERO = 4,
};

/* Bits of page->flags; set and cleared with mm_page_set/clear_flag. */
enum mm_page_flag {
	MM_PAGE_FREE = 1,   /* the buddy's own */
	MM_PAGE_SLAB = 2,   /* the object caches' own */
	MM_PAGE_LARGE = 4,  /* first page of a large port_alloc block */
	MM_PAGE_ABSENT = 8, /* no RAM: firmware, holes, kernel image */
	MM_PAGE_DIRTY = 16, /* from here on: the owner's */
	MM_PAGE_UPTODATE = 32,
	MM_PAGE_LOCKED = 64,
	MM_PAGE_WRITEBACK = 128,
	MM_PAGE_ERROR = 256,
	MM_PAGE_ACCESSED = 512,
	MM_PAGE_TABLE = 1024, /* a page table */
	MM_PAGE_ANON = 2048,
	MM_PAGE_OWNER1 = 1 << 16, /* and up: free use */
};

struct page {
	_Atomic uint32_t flags;
	_Atomic uint32_t refs;
	struct list lru; /* owner's list; the buddy's while free */
	void *owner;
	uint64_t index;
	uint64_t private;
	_Atomic uint32_t maps;   /* how many page-table entries (owner's count) */
	uint32_t order;          /* of the block; const while allocated */
	struct mm_spinlock lock; /* page tables: their entries; otherwise free for the owner */
};

/* A block of 2^order pages with one reference; NULL: none. Content undefined without MM_ZERO. */
struct page *mm_page_alloc(unsigned order, unsigned flags) MUST_CHECK;

static inline void mm_page_get(struct page *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
}

/* Takes a reference unless the page is on its way to be free. */
bool mm_page_tryget(struct page *p) MUST_CHECK;
/* Gives a reference back; the last one frees the block. Any context. */
void mm_page_put(struct page *p);

void *mm_page_data(const struct page *p);    /* its bytes, through the direct map */
uint64_t mm_page_pa(const struct page *p);   /* physical address */
struct page *mm_page_of_pa(uint64_t pa);     /* NULL: not RAM */
struct page *mm_page_of(const void *direct); /* for a direct-map address; NULL: not RAM */

static inline void mm_page_set_flag(struct page *p, uint32_t f)
{
	atomic_fetch_or_explicit(&p->flags, f, memory_order_acq_rel);
}

static inline void mm_page_clear_flag(struct page *p, uint32_t f)
{
	atomic_fetch_and_explicit(&p->flags, ~f, memory_order_acq_rel);
}

static inline bool mm_page_test_flag(const struct page *p, uint32_t f)
{
	return (atomic_load_explicit(&p->flags, memory_order_acquire) & f) != 0;
}

/*
 * Reclaimers: asked in order of registration for want pages until enough are free. They may be
 * called by any thread in mm_page_alloc with any sleeping lock held, so they take sleeping
 * locks only by trylock, never wait for I/O, and drop clean things only. Returns how many
 * pages it freed.
 */
struct mm_reclaimer {
	struct list link;
	const char *name;
	size_t (*reclaim)(struct mm_reclaimer *r, size_t want);
	/* May be NULL. May wait for locks and for the disk: called by threads that hold nothing. */
	size_t (*reclaim_slow)(struct mm_reclaimer *r, size_t want);
};
void mm_reclaim_register(struct mm_reclaimer *r);
/* Runs them now; the background thread's work. Returns pages freed. */
size_t mm_reclaim(size_t want);
/* What mm_reclaim cannot have: mapped and dirty pages. No lock held. Returns pages freed. */
size_t mm_reclaim_slow(size_t want);
/* Should writers be throttled and dirty pages be written (free pages below the low mark)? */
bool mm_low(void);

struct mm_stats {
	uint64_t total_pages; /* managed */
	uint64_t free_pages;
	uint64_t slab_pages;
	uint64_t large_pages;
	uint64_t reserve_pages;
	uint64_t low_pages; /* the mark of mm_low */
	uint64_t failures;  /* allocations that returned NULL */
};
void mm_stats_get(struct mm_stats *out);

#endif
