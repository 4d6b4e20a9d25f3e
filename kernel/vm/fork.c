/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * fork: the child gets the parent's regions and, for private memory, its entries: both sides read-
 * only, one more reference a page. Entries of shared and of clean file memory are not copied;
 * the child faults them in, 16 at a time. The parent is flushed once, at the end, if a writable
 * entry was narrowed; a store of a sibling thread that slips in before lands in both, which is a
 * state that the parent had while fork ran.
 */
#include "vm/vm_priv.h"

#include "lib/errno.h"
#include "lib/string.h"

#define COPY_STEP 64

/* Shares up to n entries from va of region r with the child. Returns -ENOMEM, or 0. */
static int copy_step(const struct vm_region *r, struct vm_space *child, uint64_t va, unsigned n,
		     struct vm_gather *g)
{
	arch_pte copy[COPY_STEP];
	arch_pte *pte = arch_pte_lock(&r->space->arch, va, false);
	unsigned any = 0;

	if (!pte)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		arch_pte v = arch_pte_get(pte + i);
		unsigned prot = arch_pte_prot(v) & ~(unsigned)ARCH_PROT_WRITE;
		struct page *p = vm_pte_page(v);

		copy[i] = 0;
		if (!p || !mm_page_test_flag(p, MM_PAGE_ANON))
			continue;
		mm_page_get(p);
		copy[i] = arch_pte_make(arch_pte_pa(v), prot);
		any++;
		if (copy[i] == v)
			continue;
		arch_pte_set(pte + i, copy[i]);
		(void)!vm_gather_add(g, va + i * PAGE_SIZE, NULL);
	}
	arch_pte_unlock(pte);
	if (!any)
		return 0;
	pte = arch_pte_lock(&child->arch, va, true);
	for (unsigned i = 0; i < n && pte; i++) {
		if (copy[i])
			arch_pte_set(pte + i, copy[i]);
	}
	if (pte) {
		arch_pte_unlock(pte);
		atomic_fetch_add_explicit(&child->rss, any, memory_order_relaxed);
		return 0;
	}
	for (unsigned i = 0; i < n; i++) {
		if (copy[i])
			mm_page_put(vm_pte_page(copy[i]));
	}
	return -ENOMEM;
}

static int copy_entries(const struct vm_region *r, struct vm_space *child, struct vm_gather *g)
{
	uint64_t va = r->start;
	int err = 0;

	while (!err && (va = arch_pte_next(&r->space->arch, va, r->end)) < r->end) {
		unsigned n = (unsigned)(512 - (va >> PAGE_SHIFT & 511));

		n = (unsigned)MIN(MIN(n, COPY_STEP), (r->end - va) >> PAGE_SHIFT);
		err = copy_step(r, child, va, n, g);
		va += n * PAGE_SIZE;
	}
	return err;
}

static int copy_regions(struct vm_space *s, struct vm_space *child, struct vm_gather *g)
{
	int err = vm_reserve(child, s->count);

	for (uint32_t i = 0; !err && i < s->count; i++) {
		const struct vm_region *r = s->regions[i];
		struct vm_map_args a = {
			.addr = r->start,
			.len = r->end - r->start,
			.prot = r->prot,
			.flags = r->flags & ~(uint32_t)VM_LOCKED,
			.object = r->object,
			.pgoff = r->pgoff,
			.file = r->file,
		};
		struct vm_region *n;

		if (r->flags & VM_DONTFORK)
			continue;
		n = vm_region_create(child, &a);
		if (!n)
			return -ENOMEM;
		vm_insert(child, n);
		if (!(r->flags & (VM_SHARED | VM_WIPEONFORK)))
			err = copy_entries(r, child, g);
	}
	return err;
}

static void copy_layout(const struct vm_space *s, struct vm_space *child)
{
	child->mmap_top = s->mmap_top;
	child->brk_start = s->brk_start;
	child->brk = s->brk;
	child->limit_as = s->limit_as;
	child->limit_stack = s->limit_stack;
	child->limit_data = s->limit_data;
	child->code_start = s->code_start;
	child->code_end = s->code_end;
	child->data_start = s->data_start;
	child->data_end = s->data_end;
	child->arg_start = s->arg_start;
	child->arg_end = s->arg_end;
	child->env_start = s->env_start;
	child->env_end = s->env_end;
	child->stack_start = s->stack_start;
	child->vdso = s->vdso;
	child->auxv_words = s->auxv_words;
	memcpy(child->auxv, s->auxv, sizeof(s->auxv));
}

struct vm_space *vm_space_fork(struct vm_space *s)
{
	struct vm_space *child = vm_space_create();
	struct vm_gather g;
	int err;

	if (!child)
		return NULL;
	vm_gather_init(&g, s, false);
	/* The child is nobody else's yet: two locks of one rank, the second never waits. */
	mutex_lock(&s->lock);
	copy_layout(s, child);
	err = copy_regions(s, child, &g);
	vm_gather_flush(&g);
	mutex_unlock(&s->lock);
	if (err) {
		vm_space_put(child);
		return NULL;
	}
	return child;
}
