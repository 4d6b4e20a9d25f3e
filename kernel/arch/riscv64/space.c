/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Address spaces: satp, ASIDs, TLB flushes across harts, and the user half of page tables.
 *
 * Each time a hart loads a space that is not the one it has, the hart gives it a new ASID of
 * its own counter; when the counter wraps, the hart flushes its whole TLB. So the privileged
 * specification is met without a fence at each switch (entries of older ASIDs can never match
 * again before that flush), and a hart that left a space needs no flush for it. Where satp has
 * too few ASID bits, each load is followed by a fence.
 *
 * SPACE-1  hart h has space s in satp  =>  bit h of s->harts is set and h holds a reference to
 * s. SPACE-2  A flush request for s that finds bit h clear needs nothing from h: h has to load
 * s anew, with a new ASID,
 *          after the entries were changed (seq_cst on harts and a fence before the load).
 * SPACE-3  Tables are freed only by whoever puts the last reference: no satp points to them
 * then.
 *
 * SPACE-4  Before an entry makes contents executable that the kernel has written, the writer counts
 *          icache_generation and has the harts of s fence; a hart that loads s later fences by itself if
 *          the number has moved (seq_cst on both sides, as in SPACE-2).
 *
 * Idle harts and kernel threads keep (borrow) the space they had. They never use user
 * addresses, but their harts are flushed like others.
 */
#include "arch/mmu.h"

#include "arch/smp.h"
#include "base/assert.h"
#include "csr.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "machine.h"
#include "mm/page.h"
#include "space_priv.h"

#define ASID_SHIFT 44
#define ASID_MAX 0xffffu
#define FLUSH_ALL_PAGES 8 /* more than so many pages: one flush of everything */

struct hart_space {
	struct arch_space *loaded; /* NULL: the kernel's root; this hart only */
	struct arch_space *drop;   /* replaced, reference not yet put */
	uint32_t asid;             /* last one given */
	uint32_t asid_max;
	uint64_t icache_seen; /* icache_generation at the last fence.i of space_switch */
} ALIGNED(64);

static struct hart_space harts[ARCH_MAX_HARTS];
static _Atomic uint64_t icache_generation; /* SPACE-4 */

int arch_space_init(struct arch_space *s, void (*release)(struct arch_space *s))
{
	struct page *p = mm_page_alloc(0, MM_ZERO);

	if (!p)
		return -ENOMEM;
	mm_page_set_flag(p, MM_PAGE_TABLE);
	s->root = mm_page_data(p);
	memcpy(s->root + 256, boot_root + 256, 256 * sizeof(arch_pte));
	atomic_store_explicit(&s->refs, 1, memory_order_relaxed);
	atomic_store_explicit(&s->harts, 0, memory_order_relaxed);
	s->release = release;
	return 0;
}

static void free_tables(struct arch_space *s)
{
	for (unsigned i = 0; i < 256; i++) {
		arch_pte *mid;

		if (arch_pte_none(s->root[i]))
			continue;
		mid = arch_direct(arch_pte_pa(s->root[i]));
		for (unsigned k = 0; k < 512; k++) {
			if (!arch_pte_none(mid[k]))
				mm_page_put(mm_page_of_pa(arch_pte_pa(mid[k])));
		}
		mm_page_put(mm_page_of(mid));
	}
	mm_page_put(mm_page_of(s->root));
}

void arch_space_put(struct arch_space *s)
{
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	free_tables(s); /* SPACE-3 */
	s->release(s);
}

void space_drop(unsigned hart)
{
	struct arch_space *s = harts[hart].drop;

	harts[hart].drop = NULL;
	if (s)
		arch_space_put(s);
}

void space_init_hart(unsigned hart)
{
	csr_write(satp, mmu_kernel_satp() | (uint64_t)ASID_MAX << ASID_SHIFT);
	harts[hart].asid_max = (uint32_t)(csr_read(satp) >> ASID_SHIFT & ASID_MAX);
	csr_write(satp, mmu_kernel_satp());
	arch_tlb_flush_local();
}

/* A value for satp with an ASID that this hart has not used since its last full flush. */
static void load_satp(struct hart_space *h, uint64_t root_pa)
{
	uint64_t satp = SATP_SV39 | root_pa >> ARCH_PAGE_SHIFT;
	bool fence = false;

	if (h->asid >= h->asid_max) {
		h->asid = 0;
		fence = true;
	}
	if (h->asid_max > 0)
		h->asid++;
	csr_write(satp, satp | (uint64_t)h->asid << ASID_SHIFT);
	if (fence)
		arch_tlb_flush_local();
}

/* SPACE-4. After the hart's bit in the space's harts is set. */
static void sync_icache(struct hart_space *h)
{
	uint64_t now = atomic_load_explicit(&icache_generation, memory_order_seq_cst);

	if (h->icache_seen == now)
		return;
	h->icache_seen = now;
	arch_icache_sync_local();
}

void space_switch(struct arch_space *s, unsigned hart)
{
	struct hart_space *h = &harts[hart];
	struct arch_space *old = h->loaded;

	if (old == s)
		return;
	KASSERT(!h->drop);
	if (s) {
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
		/* before any walk of its tables; pairs with arch_tlb_shootdown: SPACE-2 */
		atomic_fetch_or_explicit(&s->harts, (uint64_t)1 << hart, memory_order_seq_cst);
		atomic_thread_fence(memory_order_seq_cst);
		load_satp(h, arch_direct_pa(s->root));
		sync_icache(h);
	} else {
		csr_write(satp, mmu_kernel_satp());
	}
	h->loaded = s;
	h->drop = old;
	if (old)
		atomic_fetch_and_explicit(&old->harts, ~((uint64_t)1 << hart),
					  memory_order_seq_cst);
}

void arch_space_activate(struct arch_space *s)
{
	unsigned long flags = arch_irq_save();

	space_switch(s, this_hart());
	space_drop(this_hart());
	arch_irq_restore(flags);
}

/*
 * The table below *slot, made if wanted. Several harts may race: one wins, the others free
 * theirs.
 */
static arch_pte *table_below(arch_pte *slot, bool create)
{
	arch_pte v = arch_pte_get(slot);
	arch_pte want;
	struct page *p;

	if (!arch_pte_none(v))
		return arch_direct(arch_pte_pa(v));
	if (!create)
		return NULL;
	p = mm_page_alloc(0, MM_ZERO);
	if (!p)
		return NULL;
	mm_page_set_flag(p, MM_PAGE_TABLE);
	spin_init(&p->lock, LOCK_RANK_SPIN_VM);
	want = (mm_page_pa(p) >> 12) << 10 | 1;
	/* release: the zeroed table is visible before the entry */
	if (atomic_compare_exchange_strong_explicit((_Atomic arch_pte *)slot, &v, want,
						    memory_order_acq_rel, memory_order_acquire))
		return mm_page_data(p);
	mm_page_put(p);
	return arch_direct(arch_pte_pa(v));
}

arch_pte *arch_pte_lock(struct arch_space *s, uint64_t va, bool create) NO_THREAD_SAFETY
{
	arch_pte *t;

	if (va >= ARCH_USER_END)
		return NULL;
	t = table_below(&s->root[va >> 30], create);
	if (t)
		t = table_below(&t[va >> 21 & 511], create);
	if (!t)
		return NULL;
	spin_lock(&mm_page_of(t)->lock);
	return &t[va >> 12 & 511];
}

void arch_pte_unlock(arch_pte *pte) NO_THREAD_SAFETY
{
	spin_unlock(&mm_page_of(pte)->lock);
}

uint64_t arch_pte_next(struct arch_space *s, uint64_t va, uint64_t end)
{
	while (va < end && va < ARCH_USER_END) {
		arch_pte *mid = table_below(&s->root[va >> 30], false);

		if (!mid) {
			va = ((va >> 30) + 1) << 30;
			continue;
		}
		if (!arch_pte_none(arch_pte_get(&mid[va >> 21 & 511])))
			return va;
		va = ((va >> 21) + 1) << 21;
	}
	return end;
}

struct flush {
	struct arch_space *space;
	uint64_t va;
	uint64_t pages;
};

static void flush_here(void *arg)
{
	const struct flush *f = arg;

	if (f->pages > FLUSH_ALL_PAGES) {
		arch_tlb_flush_local();
		return;
	}
	for (uint64_t i = 0; i < f->pages; i++)
		arch_tlb_flush_page_local(f->va + i * ARCH_PAGE_SIZE);
}

void arch_tlb_shootdown(struct arch_space *s, uint64_t va, uint64_t len)
{
	struct flush f = {s, va, (len + ARCH_PAGE_SIZE - 1) >> ARCH_PAGE_SHIFT};
	uint64_t mask;

	atomic_thread_fence(memory_order_seq_cst); /* the changed entries before harts: SPACE-2 */
	mask = atomic_load_explicit(&s->harts, memory_order_seq_cst);
	if (mask)
		arch_smp_call(mask, flush_here, &f);
}

void arch_tlb_shootdown_kernel(void)
{
	struct flush f = {NULL, 0, UINT64_MAX};

	arch_smp_call(arch_harts_online(), flush_here, &f);
}

static void icache_here(void *arg)
{
	(void)arg;
	arch_icache_sync_local();
}

void arch_icache_sync_all(void)
{
	arch_smp_call(arch_harts_online(), icache_here, NULL);
}

void arch_icache_publish(struct arch_space *s)
{
	atomic_fetch_add_explicit(&icache_generation, 1, memory_order_seq_cst);
	arch_smp_call(atomic_load_explicit(&s->harts, memory_order_seq_cst), icache_here, NULL);
}
