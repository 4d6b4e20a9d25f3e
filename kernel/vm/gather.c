/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Removing page-table entries. A flush of the TLB is dear, so all removals of one operation
 * share one: pages wait in chunks until the flush is done, then their references are put (VM-5).
 */
#include "vm/vm_priv.h"

#include "mm/slab.h"

#define CHUNK_PAGES 509

struct vm_gather_chunk {
	struct vm_gather_chunk *next;
	uint64_t count;
	struct page *pages[CHUNK_PAGES];
};

void vm_gather_init(struct vm_gather *g, struct vm_space *s, bool quiet)
{
	*g = (struct vm_gather){.space = s, .lo = UINT64_MAX, .quiet = quiet};
}

static struct vm_gather_chunk *room(struct vm_gather *g)
{
	struct vm_gather_chunk *c = g->chunks;

	if (c && c->count < CHUNK_PAGES)
		return c;
	c = mm_alloc(sizeof(*c), MM_ATOMIC | MM_RESERVE);
	if (!c)
		return NULL;
	c->next = g->chunks;
	c->count = 0;
	g->chunks = c;
	return c;
}

bool vm_gather_add(struct vm_gather *g, uint64_t va, struct page *page)
{
	struct vm_gather_chunk *c;

	g->lo = MIN(g->lo, va);
	g->hi = MAX(g->hi, va + PAGE_SIZE);
	if (!page)
		return true;
	c = room(g);
	if (!c)
		return false;
	c->pages[c->count++] = page;
	return true;
}

void vm_gather_flush(struct vm_gather *g)
{
	struct vm_gather_chunk *c;

	if (g->lo < g->hi && !g->quiet)
		arch_tlb_shootdown(&g->space->arch, g->lo, g->hi - g->lo);
	while ((c = g->chunks) != NULL) {
		for (uint64_t i = 0; i < c->count; i++)
			mm_page_put(c->pages[i]);
		g->chunks = c->next;
		mm_free(c);
	}
	g->lo = UINT64_MAX;
	g->hi = 0;
}

/* Removes entries of one leaf table from va on; returns where it stopped (end, or for lack of room). */
static uint64_t zap_table(struct vm_space *s, uint64_t va, uint64_t end, struct vm_gather *g)
{
	arch_pte *pte = arch_pte_lock(&s->arch, va, false);
	uint64_t gone = 0;

	if (!pte)
		return end;
	for (arch_pte *e = pte; va < end; va += PAGE_SIZE, e++) {
		arch_pte v = arch_pte_get(e);

		if (arch_pte_none(v))
			continue;
		if (!vm_gather_add(g, va, NULL))
			break;
		if (vm_pte_page(v) && !vm_gather_add(g, va, vm_pte_page(v)))
			break;
		arch_pte_set(e, 0);
		gone += vm_pte_page(v) != NULL;
	}
	arch_pte_unlock(pte);
	atomic_fetch_sub_explicit(&s->rss, gone, memory_order_relaxed);
	return va;
}

void vm_zap(struct vm_space *s, uint64_t addr, uint64_t end, struct vm_gather *g)
{
	while ((addr = arch_pte_next(&s->arch, addr, end)) < end) {
		uint64_t bound = ALIGN_DOWN(addr, 1ull << 21) + (1ull << 21);
		uint64_t stop = MIN(bound, end);
		uint64_t at = zap_table(s, addr, stop, g);

		if (at < stop)
			vm_gather_flush(g); /* no memory for the list: one more flush makes room */
		addr = at;
	}
}
