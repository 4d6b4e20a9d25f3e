/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Page faults: demand, copy-on-write, growth of the stack, fault-around.
 *
 * What a fault does depends on the region and the entry, both looked at under the space's lock:
 *
 *   entry                 private region                     shared region
 *   none, read            zero page, or the object's page    the object's page, read-only
 *   none, write           new page (zero or a copy)          mkwrite, then writable
 *   present, write        copy, or take over if it is ours   mkwrite, then writable
 *   present and allowed   stale TLB entry: flush it here     the same
 *
 * Pages are got before the leaf table is locked; under its lock the entry is read again and, if
 * it is not what it was, the fault is tried anew from the start by the hardware.
 */
#include "vm/vm_priv.h"

#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"

#define AROUND_PAGES 16

static void count_page(struct vm_space *s)
{
	uint64_t n = atomic_fetch_add_explicit(&s->rss, 1, memory_order_relaxed) + 1;

	s->max_rss = MAX(s->max_rss, n);
}

static enum vm_fault_result of_error(int err)
{
	switch (err) {
	case -ENOMEM:
		return VM_FAULT_OOM;
	case -EINTR:
		return VM_FAULT_KILLED;
	default:
		return VM_FAULT_BUS;
	}
}

/* The contents of a page for r are complete; its entry is set next. */
static void before_install(const struct vm_region *r)
{
	if (r->prot & VM_EXEC)
		arch_icache_publish(&r->space->arch);
}

/* Installs an anonymous page over what the entry was. */
static enum vm_fault_result install_anon(const struct vm_region *r, uint64_t va, arch_pte expect,
					 struct page *page)
{
	struct vm_space *s = r->space;
	struct page *old;
	arch_pte *pte;

	before_install(r);
	pte = arch_pte_lock(&s->arch, va, true);
	if (!pte) {
		mm_page_put(page);
		return VM_FAULT_OOM;
	}
	if (arch_pte_get(pte) != expect) {
		arch_pte_unlock(pte);
		mm_page_put(page);
		return VM_FAULT_OK;
	}
	arch_pte_set(pte, arch_pte_make(mm_page_pa(page), vm_pte_prot(r, true)));
	arch_pte_unlock(pte);
	old = vm_pte_page(expect);
	if (!old)
		count_page(s);
	/* The old frame may stand in other harts' TLBs (VM-5). */
	if (arch_pte_valid(expect))
		arch_tlb_shootdown(&s->arch, va, PAGE_SIZE);
	if (old)
		mm_page_put(old);
	return VM_FAULT_OK;
}

static struct page *anon_page(unsigned flags)
{
	struct page *p = mm_page_alloc(0, flags);

	if (p)
		mm_page_set_flag(p, MM_PAGE_ANON);
	return p;
}

/* First touch of private anonymous memory. */
static enum vm_fault_result fault_zero(const struct vm_region *r, uint64_t va, bool write)
{
	struct page *page;
	arch_pte *pte;

	if (write) {
		page = anon_page(MM_ZERO);
		return page ? install_anon(r, va, 0, page) : VM_FAULT_OOM;
	}
	pte = arch_pte_lock(&r->space->arch, va, true);
	if (!pte)
		return VM_FAULT_OOM;
	if (arch_pte_none(arch_pte_get(pte)))
		arch_pte_set(pte, arch_pte_make(vm_zero_pa(), vm_pte_prot(r, false)));
	arch_pte_unlock(pte);
	return VM_FAULT_OK;
}

/* A write to a present page of a private region. */
static enum vm_fault_result fault_cow(const struct vm_region *r, uint64_t va, arch_pte v)
{
	struct vm_space *s = r->space;
	struct page *old = vm_pte_page(v), *page;
	arch_pte *pte;

	if (old && mm_page_test_flag(old, MM_PAGE_ANON)) {
		bool ours = false, same;

		pte = arch_pte_lock(&s->arch, va, true);
		if (!pte)
			return VM_FAULT_OOM;
		same = arch_pte_get(pte) == v;
		/* acquire: pairs with the release of whoever shared it and put it */
		if (same)
			ours = atomic_load_explicit(&old->refs, memory_order_acquire) == 1;
		if (ours)
			arch_pte_set(pte, arch_pte_make(arch_pte_pa(v), vm_pte_prot(r, true)));
		arch_pte_unlock(pte);
		if (ours)
			arch_tlb_flush_page_local(va); /* wider: others may fault spuriously */
		if (ours || !same)
			return VM_FAULT_OK;
	}
	page = anon_page(old ? MM_NORMAL : MM_ZERO);
	if (!page)
		return VM_FAULT_OOM;
	/*
	 * A page of an object may be taken out of the table now, without our lock: copy under the
	 * leaf lock. An anonymous one cannot, but one way is enough.
	 */
	if (old) {
		pte = arch_pte_lock(&s->arch, va, false);
		if (!pte || arch_pte_get(pte) != v) {
			if (pte)
				arch_pte_unlock(pte);
			mm_page_put(page);
			return VM_FAULT_OK;
		}
		memcpy(mm_page_data(page), mm_page_data(old), PAGE_SIZE);
		arch_pte_unlock(pte);
	}
	return install_anon(r, va, v, page);
}

/* Maps neighbors of a file page that are in memory already, read-only. Leaf table exists. */
static void fault_around(const struct vm_region *r, uint64_t va, uint32_t seq)
{
	uint64_t lo = MAX(r->start, ALIGN_DOWN(va, AROUND_PAGES * PAGE_SIZE));
	uint64_t hi =
		MIN(r->end, ALIGN_DOWN(va, AROUND_PAGES * PAGE_SIZE) + AROUND_PAGES * PAGE_SIZE);
	struct page *pages[AROUND_PAGES] = {NULL};
	struct vm_object *o = r->object;
	unsigned n = (unsigned)((hi - lo) >> PAGE_SHIFT);
	arch_pte *pte;

	for (unsigned i = 0; i < n; i++) {
		if (lo + i * PAGE_SIZE != va)
			pages[i] = o->ops->peek(o, r->pgoff + ((lo - r->start) >> PAGE_SHIFT) + i);
	}
	before_install(r);
	pte = arch_pte_lock(&r->space->arch, lo, false);
	/* acquire: VM-4 */
	if (pte && atomic_load_explicit(&o->unmap_seq, memory_order_acquire) == seq) {
		for (unsigned i = 0; i < n; i++) {
			if (!pages[i] || !arch_pte_none(arch_pte_get(pte + i)))
				continue;
			arch_pte_set(pte + i,
				     arch_pte_make(mm_page_pa(pages[i]), vm_pte_prot(r, false)));
			pages[i] = NULL;
			count_page(r->space);
		}
	}
	if (pte)
		arch_pte_unlock(pte);
	for (unsigned i = 0; i < n; i++) {
		if (pages[i])
			mm_page_put(pages[i]);
	}
}

/* Installs page of the object (takes its reference) unless the object was unmapped meanwhile. */
static enum vm_fault_result install_object(const struct vm_region *r, uint64_t va, uint32_t seq,
					   struct page *page, bool write)
{
	struct vm_space *s = r->space;
	arch_pte *pte, v;

	before_install(r);
	pte = arch_pte_lock(&s->arch, va, true);
	if (!pte) {
		mm_page_put(page);
		return VM_FAULT_OOM;
	}
	v = arch_pte_get(pte);
	/* acquire: VM-4 */
	if (atomic_load_explicit(&r->object->unmap_seq, memory_order_acquire) != seq ||
	    (!arch_pte_none(v) && vm_pte_page(v) != page)) {
		arch_pte_unlock(pte);
		mm_page_put(page);
		return VM_FAULT_OK;
	}
	arch_pte_set(pte, arch_pte_make(mm_page_pa(page), vm_pte_prot(r, write)));
	arch_pte_unlock(pte);
	if (arch_pte_none(v)) {
		count_page(s);
	} else {
		mm_page_put(page); /* the entry holds one already */
		arch_tlb_flush_page_local(va);
	}
	return VM_FAULT_OK;
}

/* A file page or shared memory. none: the entry was empty. */
static enum vm_fault_result fault_object(struct vm_region *r, uint64_t va, bool write, bool none,
					 bool *major)
{
	struct vm_object *o = r->object;
	uint64_t index = r->pgoff + ((va - r->start) >> PAGE_SHIFT);
	bool shared = r->flags & VM_SHARED;
	enum vm_fault_result res;
	struct page *page, *copy;
	uint32_t seq = atomic_load_explicit(&o->unmap_seq, memory_order_seq_cst); /* VM-4 */
	int err;

	page = o->ops->peek(o, index);
	if (!page) {
		*major = o->ops->mkwrite != NULL;
		err = o->ops->get(o, index, &page);
		if (err)
			return of_error(err);
	}
	if (write && !shared) {
		copy = anon_page(MM_NORMAL);
		if (copy)
			memcpy(mm_page_data(copy), mm_page_data(page), PAGE_SIZE);
		mm_page_put(page);
		return copy ? install_anon(r, va, 0, copy) : VM_FAULT_OOM;
	}
	if (write && o->ops->mkwrite) {
		err = o->ops->mkwrite(o, index, page);
		if (err) {
			mm_page_put(page);
			return err == -EAGAIN ? VM_FAULT_OK : of_error(err);
		}
	}
	/* Objects without mkwrite do not care who writes: no second fault. */
	res = install_object(r, va, seq, page, write || (shared && !o->ops->mkwrite));
	if (res == VM_FAULT_OK && none && !write)
		fault_around(r, va, seq);
	return res;
}

/* The region for addr: itself, or a stack that grows to it. NULL: nothing. */
static struct vm_region *region_for(struct vm_space *s, uint64_t addr)
{
	uint32_t i = vm_index(s, addr);
	struct vm_region *r = i < s->count ? s->regions[i] : NULL;
	uint64_t start, below;

	if (!r || addr >= r->start)
		return r;
	if (!(r->flags & VM_GROWSDOWN))
		return NULL;
	start = ALIGN_DOWN(addr, PAGE_SIZE);
	below = i ? s->regions[i - 1]->end : VM_MMAP_MIN;
	if (r->end - start > s->limit_stack || start < below || start - below < VM_STACK_GAP)
		return NULL;
	if (((s->total_pages << PAGE_SHIFT) + (r->start - start)) > s->limit_as)
		return NULL;
	s->total_pages += (r->start - start) >> PAGE_SHIFT;
	r->start = start; /* anonymous: no object looks at it */
	return r;
}

enum vm_fault_result vm_fault_locked(struct vm_space *s, uint64_t addr, uint32_t access,
				     bool *major)
{
	struct vm_region *r;
	uint64_t va = ALIGN_DOWN(addr, PAGE_SIZE);
	bool write = access == VM_WRITE;
	arch_pte *pte, v = 0;

	if (addr >= ARCH_USER_END)
		return VM_FAULT_MAPERR;
	r = region_for(s, addr);
	if (!r)
		return VM_FAULT_MAPERR;
	/* Writable implies readable, as the hardware has it. */
	if (!(r->prot & access) && !(access == VM_READ && (r->prot & VM_WRITE)))
		return VM_FAULT_ACCERR;
	pte = arch_pte_lock(&s->arch, va, false);
	if (pte) {
		v = arch_pte_get(pte);
		arch_pte_unlock(pte);
	}
	if (arch_pte_none(v))
		return r->object ? fault_object(r, va, write, true, major)
				 : fault_zero(r, va, write);
	if (arch_pte_valid(v) && (!write || (arch_pte_prot(v) & ARCH_PROT_WRITE))) {
		arch_tlb_flush_page_local(va);
		return VM_FAULT_OK;
	}
	if (!write)
		return VM_FAULT_ACCERR; /* PROT_NONE entries never outlive their protection */
	if (r->flags & VM_SHARED)
		return fault_object(r, va, true, false, major);
	return fault_cow(r, va, v);
}

enum vm_fault_result vm_fault(struct vm_space *s, uint64_t addr, uint32_t access, bool *major)
{
	enum vm_fault_result res;

	*major = false;
	mutex_lock(&s->lock);
	res = vm_fault_locked(s, addr, access, major);
	mutex_unlock(&s->lock);
	return res;
}
