/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Objects and the regions that map them. maps_lock keeps a region's bounds still (and with the
 * region its space's tables) while somebody who does not hold the space's lock takes entries away.
 */
#include "vm/vm_priv.h"

void vm_object_init(struct vm_object *o, const struct vm_object_ops *ops)
{
	o->ops = ops;
	atomic_store_explicit(&o->refs, 1, memory_order_relaxed);
	atomic_store_explicit(&o->unmap_seq, 0, memory_order_relaxed);
	mutex_init(&o->maps_lock, LOCK_RANK_OBJECT_MAPS, "object maps");
	list_init(&o->regions);
}

void vm_object_get(struct vm_object *o)
{
	atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
}

void vm_object_put(struct vm_object *o)
{
	/* acq_rel: the last put sees what the others wrote */
	if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) == 1)
		o->ops->release(o);
}

bool vm_object_mapped(struct vm_object *o)
{
	return !list_empty(&o->regions);
}

/* The part of r that shows [first, first + count): false if none. */
static bool overlap(const struct vm_region *r, uint64_t first, uint64_t count, uint64_t *lo,
		    uint64_t *hi)
{
	uint64_t pages = (r->end - r->start) >> PAGE_SHIFT;
	uint64_t last = count > UINT64_MAX - first ? UINT64_MAX : first + count;
	uint64_t from = MAX(first, r->pgoff);
	uint64_t to = MIN(last, r->pgoff + pages);

	if (from >= to)
		return false;
	*lo = r->start + ((from - r->pgoff) << PAGE_SHIFT);
	*hi = r->start + ((to - r->pgoff) << PAGE_SHIFT);
	return true;
}

/* As vm_zap, but only shared pages of the object: private copies stay. */
static uint64_t zap_shared_table(struct vm_space *s, uint64_t va, uint64_t end, struct vm_gather *g)
{
	arch_pte *pte = arch_pte_lock(&s->arch, va, false);

	if (!pte)
		return end;
	for (arch_pte *e = pte; va < end; va += PAGE_SIZE, e++) {
		arch_pte v = arch_pte_get(e);
		struct page *p = vm_pte_page(v);

		if (arch_pte_none(v) || (p && mm_page_test_flag(p, MM_PAGE_ANON)))
			continue;
		if (!vm_gather_add(g, va, p))
			break;
		arch_pte_set(e, 0);
		if (p)
			atomic_fetch_sub_explicit(&s->rss, 1, memory_order_relaxed);
	}
	arch_pte_unlock(pte);
	return va;
}

static void zap_shared(struct vm_space *s, uint64_t addr, uint64_t end, struct vm_gather *g)
{
	while ((addr = arch_pte_next(&s->arch, addr, end)) < end) {
		uint64_t stop = MIN(ALIGN_DOWN(addr, 1ull << 21) + (1ull << 21), end);
		uint64_t at = zap_shared_table(s, addr, stop, g);

		if (at < stop)
			vm_gather_flush(g);
		addr = at;
	}
}

void vm_object_unmap(struct vm_object *o, uint64_t first, uint64_t count, bool cow)
{
	struct vm_region *r;

	/* seq_cst: a fault that still reads the old number is done before we look (VM-4) */
	atomic_fetch_add_explicit(&o->unmap_seq, 1, memory_order_seq_cst);
	mutex_lock(&o->maps_lock);
	list_for_each_entry (r, &o->regions, struct vm_region, in_object) {
		struct vm_gather g;
		uint64_t lo, hi;

		if (!overlap(r, first, count, &lo, &hi))
			continue;
		vm_gather_init(&g, r->space, false);
		if (cow)
			vm_zap(r->space, lo, hi, &g);
		else
			zap_shared(r->space, lo, hi, &g);
		vm_gather_flush(&g);
	}
	mutex_unlock(&o->maps_lock);
}

static unsigned protect_table(struct vm_space *s, uint64_t va, uint64_t end, struct vm_gather *g)
{
	arch_pte *pte = arch_pte_lock(&s->arch, va, false);
	unsigned n = 0;

	if (!pte)
		return 0;
	for (arch_pte *e = pte; va < end; va += PAGE_SIZE, e++) {
		arch_pte v = arch_pte_get(e);
		unsigned prot = arch_pte_prot(v);

		if (!arch_pte_valid(v) || !(prot & ARCH_PROT_WRITE))
			continue;
		arch_pte_set(e, arch_pte_make(arch_pte_pa(v), prot & ~(unsigned)ARCH_PROT_WRITE));
		(void)!vm_gather_add(g, va, NULL); /* without a page it always fits */
		n++;
	}
	arch_pte_unlock(pte);
	return n;
}

unsigned vm_object_write_protect(struct vm_object *o, uint64_t first, uint64_t count)
{
	struct vm_region *r;
	unsigned n = 0;

	/*
	 * As in vm_object_unmap: a fault that has made the page dirty before the writer took it as clean must
	 * not make its entry writable after we have looked; its stores would never be written.
	 */
	atomic_fetch_add_explicit(&o->unmap_seq, 1, memory_order_seq_cst);
	mutex_lock(&o->maps_lock);
	list_for_each_entry (r, &o->regions, struct vm_region, in_object) {
		struct vm_gather g;
		uint64_t lo, hi;

		if (!(r->flags & VM_SHARED) || !overlap(r, first, count, &lo, &hi))
			continue;
		vm_gather_init(&g, r->space, false);
		while ((lo = arch_pte_next(&r->space->arch, lo, hi)) < hi) {
			uint64_t stop = MIN(ALIGN_DOWN(lo, 1ull << 21) + (1ull << 21), hi);

			n += protect_table(r->space, lo, stop, &g);
			lo = stop;
		}
		vm_gather_flush(&g);
	}
	mutex_unlock(&o->maps_lock);
	return n;
}
