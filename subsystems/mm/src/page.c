/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The page allocator: a binary buddy system over an array of struct page.
 *
 *   map[0 .. count)      one struct page a page of RAM, holes included (MM_PAGE_ABSENT)
 *   free_list[order]     heads of free blocks of 2^order pages, most recently freed first
 *
 * Invariants:
 *   MM-1  A free block of order k starts at an index that is a multiple of 2^k; its head has
 *         MM_PAGE_FREE and order k and is on free_list[k]; its other pages have neither.
 *   MM-2  Two free buddies of the same order below MM_MAX_ORDER do not exist: they are merged.
 *   MM-3  free_pages is the sum over the lists.
 *   MM-4  Ordinary allocations leave at least reserve pages; atomic ones half of that.
 *
 * Under pressure an ordinary allocation runs the reclaimers, and the platform's background
 * thread is woken when the low mark is crossed.
 *
 * Locking: one spinlock for lists and counters; reclaimers run without it. The list of
 * reclaimers only grows, at start.
 */
#include "mm/page.h"

#include "base/assert.h"
#include "base/bitmap.h"
#include "mm/mm_init.h"
#include "mm_priv.h"

static struct {
	struct mm_spinlock lock;
	uint64_t base_pa; /* const after init, also the next three */
	char *direct;
	struct page *map;
	size_t count;
	struct list free_list[MM_MAX_ORDER + 1]; /* lock: lock, also the next three */
	uint64_t free_pages;
	uint64_t total_pages;
	uint64_t failures;
	uint64_t reserve; /* const after mm_set_marks */
	uint64_t low;
	struct list reclaimers;
} mm;

_Atomic uint64_t mm_slab_pages;
_Atomic uint64_t mm_large_pages;

void mm_init(uint64_t pa, void *direct, struct page *map, size_t pages)
{
	mm_spin_init(&mm.lock);
	mm.base_pa = pa;
	mm.direct = direct;
	mm.map = map;
	mm.count = pages;
	mm.free_pages = 0;
	mm.total_pages = 0;
	mm.failures = 0;
	mm.reserve = 0;
	mm.low = 0;
	list_init(&mm.reclaimers);
	for (unsigned i = 0; i <= MM_MAX_ORDER; i++)
		list_init(&mm.free_list[i]);
	for (size_t i = 0; i < pages; i++) {
		struct page *p = &map[i];

		*p = (struct page){0};
		atomic_store_explicit(&p->flags, MM_PAGE_ABSENT, memory_order_relaxed);
		list_init(&p->lru);
		mm_spin_init(&p->lock);
	}
}

static size_t index_of(const struct page *p)
{
	return (size_t)(p - mm.map);
}

static bool is_free_block(size_t i, unsigned order)
{
	const struct page *p;

	if (i >= mm.count)
		return false;
	p = &mm.map[i];
	return mm_page_test_flag(p, MM_PAGE_FREE) && p->order == order;
}

/* Puts the block at index i back and merges it upwards: MM-1, MM-2. */
static void free_locked(size_t i, unsigned order)
{
	struct page *p;

	mm.free_pages += (uint64_t)1 << order;
	while (order < MM_MAX_ORDER && is_free_block(i ^ ((size_t)1 << order), order)) {
		struct page *buddy = &mm.map[i ^ ((size_t)1 << order)];

		list_del(&buddy->lru);
		mm_page_clear_flag(buddy, MM_PAGE_FREE);
		i &= ~((size_t)1 << order);
		order++;
	}
	p = &mm.map[i];
	p->order = order;
	mm_page_set_flag(p, MM_PAGE_FREE);
	list_add_head(&mm.free_list[order], &p->lru);
}

/* Takes a block of exactly this order, splitting a larger one. */
static struct page *take_locked(unsigned order)
{
	unsigned k = order;
	struct page *p;

	while (k <= MM_MAX_ORDER && list_empty(&mm.free_list[k]))
		k++;
	if (k > MM_MAX_ORDER)
		return NULL;
	p = list_first(&mm.free_list[k], struct page, lru);
	list_del(&p->lru);
	mm_page_clear_flag(p, MM_PAGE_FREE);
	mm.free_pages -= (uint64_t)1 << k;
	while (k > order) {
		k--;
		free_locked(index_of(p) + ((size_t)1 << k), k);
	}
	return p;
}

void mm_add_free(uint64_t pa, size_t pages)
{
	unsigned long flags = mm_spin_lock(&mm.lock);
	size_t i = (size_t)((pa - mm.base_pa) >> MM_PAGE_SHIFT);

	KASSERT(pa >= mm.base_pa && i + pages <= mm.count);
	for (size_t k = 0; k < pages; k++) {
		KASSERT(mm_page_test_flag(&mm.map[i + k], MM_PAGE_ABSENT));
		mm_page_clear_flag(&mm.map[i + k], MM_PAGE_ABSENT);
		free_locked(i + k, 0);
	}
	mm.total_pages += pages;
	mm_spin_unlock(&mm.lock, flags);
}

void mm_set_marks(void)
{
	unsigned long flags = mm_spin_lock(&mm.lock);

	mm.reserve = MAX(MIN(mm.free_pages / 64, 1024), 16);
	mm.low = mm.reserve * 3;
	mm_spin_unlock(&mm.lock, flags);
}

/* The number of free pages that this kind of allocation may not touch: MM-4. */
static uint64_t floor_of(unsigned flags)
{
	if (flags & MM_RESERVE)
		return 0;
	return flags & MM_ATOMIC ? mm.reserve / 2 : mm.reserve;
}

static struct page *try_alloc(unsigned order, unsigned flags, bool last)
{
	unsigned long irq = mm_spin_lock(&mm.lock);
	struct page *p = NULL;
	bool low;

	if (mm.free_pages >= ((uint64_t)1 << order) + floor_of(flags))
		p = take_locked(order);
	if (!p && last)
		mm.failures++;
	low = mm.free_pages < mm.low;
	mm_spin_unlock(&mm.lock, irq);
	if (low)
		mm_platform_wake_reclaim();
	return p;
}

static struct page *prepare(struct page *p, unsigned order, unsigned flags)
{
	p->order = order;
	p->owner = NULL;
	p->index = 0;
	p->private = 0;
	atomic_store_explicit(&p->flags, 0, memory_order_relaxed);
	atomic_store_explicit(&p->maps, 0, memory_order_relaxed);
	atomic_store_explicit(&p->refs, 1, memory_order_release); /* pairs with mm_page_tryget */
	if (flags & MM_ZERO)
		__builtin_memset(mm_page_data(p), 0, MM_PAGE_SIZE << order);
	return p;
}

struct page *mm_page_alloc(unsigned order, unsigned flags)
{
	bool may_reclaim = !(flags & MM_ATOMIC) && mm_platform_may_reclaim();
	struct page *p;

	if (order > MM_MAX_ORDER)
		return NULL;
	p = try_alloc(order, flags, !may_reclaim);
	for (unsigned tries = 0; !p && may_reclaim && tries < 3; tries++) {
		size_t got = mm_reclaim(((size_t)1 << order) + 32);

		p = try_alloc(order, flags, tries == 2 || got == 0);
		if (got == 0)
			break;
	}
	return p ? prepare(p, order, flags) : NULL;
}

bool mm_page_tryget(struct page *p)
{
	uint32_t n = atomic_load_explicit(&p->refs, memory_order_relaxed);

	while (n != 0) {
		if (atomic_compare_exchange_weak_explicit(&p->refs, &n, n + 1, memory_order_acquire,
							  memory_order_relaxed))
			return true;
	}
	return false;
}

void mm_page_put(struct page *p)
{
	uint32_t old = atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel);
	unsigned long flags;

	KASSERT(old != 0);
	if (old != 1)
		return;
	KASSERT(!mm_page_test_flag(p, MM_PAGE_FREE | MM_PAGE_ABSENT) && list_empty(&p->lru));
	flags = mm_spin_lock(&mm.lock);
	atomic_store_explicit(&p->flags, 0, memory_order_relaxed);
	free_locked(index_of(p), p->order);
	mm_spin_unlock(&mm.lock, flags);
}

void *mm_page_data(const struct page *p)
{
	return mm.direct + (index_of(p) << MM_PAGE_SHIFT);
}

uint64_t mm_page_pa(const struct page *p)
{
	return mm.base_pa + ((uint64_t)index_of(p) << MM_PAGE_SHIFT);
}

struct page *mm_page_of_pa(uint64_t pa)
{
	uint64_t i = (pa - mm.base_pa) >> MM_PAGE_SHIFT;

	return pa >= mm.base_pa && i < mm.count ? &mm.map[i] : NULL;
}

struct page *mm_page_of(const void *direct)
{
	return mm_page_of_pa((uint64_t)((uintptr_t)direct - (uintptr_t)mm.direct) + mm.base_pa);
}

void mm_reclaim_register(struct mm_reclaimer *r)
{
	unsigned long flags = mm_spin_lock(&mm.lock);

	list_add_tail(&mm.reclaimers, &r->link);
	mm_spin_unlock(&mm.lock, flags);
}

size_t mm_reclaim(size_t want)
{
	size_t got = 0;
	struct mm_reclaimer *r;

	list_for_each_entry (r, &mm.reclaimers, struct mm_reclaimer, link) {
		if (got >= want)
			break;
		got += r->reclaim(r, want - got);
	}
	return got;
}

size_t mm_reclaim_slow(size_t want)
{
	size_t got = mm_reclaim(want);
	struct mm_reclaimer *r;

	list_for_each_entry (r, &mm.reclaimers, struct mm_reclaimer, link) {
		if (got >= want)
			break;
		if (r->reclaim_slow)
			got += r->reclaim_slow(r, want - got);
	}
	return got;
}

bool mm_low(void)
{
	/* A snapshot: the caller only decides how hard to work. */
	return *(volatile uint64_t *)&mm.free_pages < mm.low;
}

void mm_stats_get(struct mm_stats *out)
{
	unsigned long flags = mm_spin_lock(&mm.lock);

	out->total_pages = mm.total_pages;
	out->free_pages = mm.free_pages;
	out->failures = mm.failures;
	out->reserve_pages = mm.reserve;
	out->low_pages = mm.low;
	mm_spin_unlock(&mm.lock, flags);
	out->slab_pages = atomic_load_explicit(&mm_slab_pages, memory_order_relaxed);
	out->large_pages = atomic_load_explicit(&mm_large_pages, memory_order_relaxed);
}
