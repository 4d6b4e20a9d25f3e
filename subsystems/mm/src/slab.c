/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Object caches and the general allocator on them.
 *
 * A slab is a block of 2^order pages cut into equal objects. Its state lives in the struct
 * page of its head, so objects fill the whole block:
 *
 *   owner = the cache   private = first free object   index = objects in use   lru = cache list
 *
 * A free object's first word points to the next free one. All pages of a slab carry
 * MM_PAGE_SLAB and the order, by which an address finds its head.
 *
 * Invariants:
 *   SLAB-1  A slab is on exactly one list: full (index == per_slab), empty (index == 0), partial.
 *   SLAB-2  At most SLAB_KEEP_EMPTY slabs are empty; further ones go back to the page allocator.
 *
 * mm_alloc serves sizes up to 3 KiB from caches, larger ones as page blocks (MM_PAGE_LARGE,
 * index = bytes), and what is too large or too fragmented for that from virtually contiguous
 * memory.
 *
 * Locking: a spinlock a cache. Pages are taken and given back without it.
 */
#include "mm/slab.h"

#include "base/assert.h"
#include "base/overflow.h"
#include "mm_priv.h"

#define SLAB_KEEP_EMPTY 2
#define SLAB_MAX_OBJECT 8192
#define LARGE_TRY_ORDER 4 /* larger blocks may also come from virtually contiguous memory */

struct free_object {
	struct free_object *next;
};

static struct {
	struct mm_spinlock lock;
	struct list caches; /* lock: lock */
} slab;

static const uint16_t class_sizes[] = {16,  32,  48,  64,   96,   128,  192, 256,
				       384, 512, 768, 1024, 1536, 2048, 3072};
static struct mm_cache classes[ARRAY_SIZE(class_sizes)];
/* Class by (size + 15) / 16. const after init */
static uint8_t class_of[3072 / 16 + 1];

void mm_cache_init(struct mm_cache *c, const char *name, size_t size, size_t align)
{
	unsigned long flags;

	if (align == 0)
		align = 16;
	KASSERT(size > 0 && size <= SLAB_MAX_OBJECT && align <= 64);
	*c = (struct mm_cache){.name = name};
	mm_spin_init(&c->lock);
	c->size = (uint32_t)ALIGN_UP(MAX(size, sizeof(struct free_object)), align);
	while (c->order < 3 && (MM_PAGE_SIZE << c->order) / c->size < 8)
		c->order++;
	c->per_slab = (uint32_t)((MM_PAGE_SIZE << c->order) / c->size);
	list_init(&c->partial);
	list_init(&c->full);
	list_init(&c->empty);
	flags = mm_spin_lock(&slab.lock);
	list_add_tail(&slab.caches, &c->caches);
	mm_spin_unlock(&slab.lock, flags);
}

static struct page *head_of(void *p)
{
	struct page *pg = mm_page_of(p);
	uintptr_t mask;

	KASSERT(pg && mm_page_test_flag(pg, MM_PAGE_SLAB));
	mask = (MM_PAGE_SIZE << pg->order) - 1;
	return mm_page_of_pa(mm_page_pa(pg) & ~(uint64_t)mask);
}

/* A new slab with all objects free, on no list. */
static struct page *slab_create(struct mm_cache *c, unsigned flags)
{
	struct page *pg = mm_page_alloc(c->order, flags & ~(unsigned)MM_ZERO);
	char *data;
	struct free_object *first = NULL;

	if (!pg)
		return NULL;
	for (size_t i = 0; i < (size_t)1 << c->order; i++) {
		pg[i].order = c->order;
		mm_page_set_flag(&pg[i], MM_PAGE_SLAB);
	}
	data = mm_page_data(pg);
	for (uint32_t i = c->per_slab; i-- > 0;) {
		struct free_object *o = (struct free_object *)(void *)(data + (size_t)i * c->size);

		o->next = first;
		first = o;
	}
	pg->private = (uint64_t)(uintptr_t)first;
	pg->owner = c;
	atomic_fetch_add_explicit(&mm_slab_pages, (uint64_t)1 << c->order, memory_order_relaxed);
	return pg;
}

static void slab_destroy(struct mm_cache *c, struct page *pg)
{
	for (size_t i = 0; i < (size_t)1 << c->order; i++)
		mm_page_clear_flag(&pg[i], MM_PAGE_SLAB);
	atomic_fetch_sub_explicit(&mm_slab_pages, (uint64_t)1 << c->order, memory_order_relaxed);
	mm_page_put(pg);
}

/* An object of an existing slab, or NULL. */
static void *take_locked(struct mm_cache *c)
{
	struct page *pg;
	struct free_object *o;

	if (!list_empty(&c->partial)) {
		pg = list_first(&c->partial, struct page, lru);
	} else if (!list_empty(&c->empty)) {
		pg = list_first(&c->empty, struct page, lru);
		c->empty_slabs--;
		list_del(&pg->lru);
		list_add_head(&c->partial, &pg->lru);
	} else {
		return NULL;
	}
	o = (struct free_object *)(uintptr_t)pg->private;
	pg->private = (uint64_t)(uintptr_t)o->next;
	c->objects++;
	if (++pg->index == c->per_slab) {
		list_del(&pg->lru);
		list_add_head(&c->full, &pg->lru);
	}
	return o;
}

void *mm_cache_alloc(struct mm_cache *c, unsigned flags)
{
	unsigned long irq = mm_spin_lock(&c->lock);
	void *p = take_locked(c);
	struct page *pg;

	mm_spin_unlock(&c->lock, irq);
	if (!p) {
		pg = slab_create(c, flags);
		if (!pg)
			return NULL;
		irq = mm_spin_lock(&c->lock);
		list_add_head(&c->empty, &pg->lru);
		c->empty_slabs++;
		c->slabs++;
		p = take_locked(c);
		mm_spin_unlock(&c->lock, irq);
	}
	if (flags & MM_ZERO)
		__builtin_memset(p, 0, c->size);
	return p;
}

static void free_to(struct mm_cache *c, struct page *pg, void *p)
{
	struct free_object *o = p;
	struct page *surplus = NULL;
	unsigned long irq = mm_spin_lock(&c->lock);

	KASSERT(pg->index > 0);
	o->next = (struct free_object *)(uintptr_t)pg->private;
	pg->private = (uint64_t)(uintptr_t)o;
	c->objects--;
	pg->index--;
	list_del(&pg->lru);
	if (pg->index > 0) {
		list_add_head(&c->partial, &pg->lru);
	} else if (c->empty_slabs < SLAB_KEEP_EMPTY) { /* SLAB-2 */
		list_add_head(&c->empty, &pg->lru);
		c->empty_slabs++;
	} else {
		c->slabs--;
		surplus = pg;
	}
	mm_spin_unlock(&c->lock, irq);
	if (surplus)
		slab_destroy(c, surplus);
}

void mm_cache_free(struct mm_cache *c, void *p)
{
	struct page *pg = head_of(p);

	KASSERT(pg->owner == c);
	free_to(c, pg, p);
}

void mm_slab_init(void)
{
	static const char *const names[] = {"alloc-16",   "alloc-32",   "alloc-48",  "alloc-64",
					    "alloc-96",   "alloc-128",  "alloc-192", "alloc-256",
					    "alloc-384",  "alloc-512",  "alloc-768", "alloc-1024",
					    "alloc-1536", "alloc-2048", "alloc-3072"};
	uint8_t k = 0;

	mm_spin_init(&slab.lock);
	list_init(&slab.caches);
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		mm_cache_init(&classes[i], names[i], class_sizes[i], 16);
	for (size_t i = 0; i < ARRAY_SIZE(class_of); i++) {
		if (i * 16 > class_sizes[k])
			k++;
		class_of[i] = k;
	}
}

static void *alloc_large(size_t size, unsigned flags)
{
	size_t pages = (size + MM_PAGE_SIZE - 1) / MM_PAGE_SIZE;
	unsigned order = 0;
	struct page *pg = NULL;
	void *p;

	while (order <= MM_MAX_ORDER && ((size_t)1 << order) < pages)
		order++;
	if (order <= MM_MAX_ORDER)
		pg = mm_page_alloc(order, flags & ~(unsigned)MM_ZERO);
	if (pg) {
		mm_page_set_flag(pg, MM_PAGE_LARGE);
		pg->index = size;
		atomic_fetch_add_explicit(&mm_large_pages, (uint64_t)1 << order,
					  memory_order_relaxed);
		p = mm_page_data(pg);
	} else {
		if (order < LARGE_TRY_ORDER || flags & MM_ATOMIC)
			return NULL;
		p = mm_platform_vmalloc(size);
	}
	if (p && flags & MM_ZERO)
		__builtin_memset(p, 0, size);
	return p;
}

void *mm_alloc(size_t size, unsigned flags)
{
	size_t end;

	if (size == 0 || add_size(size, MM_PAGE_SIZE, &end))
		return NULL;
	if (size <= 3072)
		return mm_cache_alloc(&classes[class_of[(size + 15) / 16]], flags);
	return alloc_large(size, flags);
}

void mm_free(void *p)
{
	struct page *pg;

	if (!p)
		return;
	if (mm_platform_is_vmalloc(p)) {
		mm_platform_vfree(p);
		return;
	}
	pg = mm_page_of(p);
	KASSERT(pg);
	if (mm_page_test_flag(pg, MM_PAGE_SLAB)) {
		pg = head_of(p);
		free_to(pg->owner, pg, p);
		return;
	}
	KASSERT(mm_page_test_flag(pg, MM_PAGE_LARGE));
	atomic_fetch_sub_explicit(&mm_large_pages, (uint64_t)1 << pg->order, memory_order_relaxed);
	mm_page_put(pg);
}

size_t mm_alloc_size(const void *p)
{
	const struct page *pg;

	if (mm_platform_is_vmalloc(p))
		return mm_platform_vmalloc_size(p);
	pg = mm_page_of(p);
	KASSERT(pg);
	if (mm_page_test_flag(pg, MM_PAGE_SLAB)) {
		const struct mm_cache *c = head_of((void *)(uintptr_t)p)->owner;

		return c->size;
	}
	return MM_PAGE_SIZE << pg->order;
}

void mm_cache_for_each(void (*fn)(const struct mm_cache *c, void *arg), void *arg)
{
	struct mm_cache *c;
	unsigned long flags = mm_spin_lock(&slab.lock);

	list_for_each_entry (c, &slab.caches, struct mm_cache, caches)
		fn(c, arg);
	mm_spin_unlock(&slab.lock, flags);
}
