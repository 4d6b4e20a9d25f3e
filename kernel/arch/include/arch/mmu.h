/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Page tables (Sv39): what the address-space layer (kernel/vm) is built on.
 *
 * A struct arch_space is a root whose upper half is the kernel's. Table pages are added
 * without a lock (compare and swap) and live as long as the space. Leaf entries (4 KiB pages)
 * are read and changed only under the spinlock of their table page (rank SPIN_VM), also by
 * user copies.
 *
 *   pte = arch_pte_lock(space, va, true);   NULL: no memory for a table
 *   ... arch_pte_get(pte), arch_pte_set(pte, arch_pte_make(pa, prot)) ...
 *   arch_pte_unlock(pte);                   pte + 1 .. stay in the same table up to a 2 MiB bound
 *
 * No fence is needed for invalid-to-valid and for wider permissions (a spurious fault is
 * possible: the fault handler calls arch_tlb_flush_page_local and returns). After anything
 * else: arch_tlb_shootdown, once per operation, before frames are freed.
 *
 * A is always set, D exactly with W: hardware never writes entries.
 */
#ifndef ARCH_MMU_H
#define ARCH_MMU_H

#include <stdatomic.h>

#include "arch/layout.h"
#include "base/types.h"

typedef uint64_t arch_pte; /* opaque: through the functions below */

enum arch_prot {
	ARCH_PROT_READ = 1 << 1,
	ARCH_PROT_WRITE = 1 << 2, /* needs READ */
	ARCH_PROT_EXEC = 1 << 3,
	ARCH_PROT_USER = 1 << 4,
	ARCH_PROT_SOFT1 = 1 << 8, /* two bits for the owner of the space */
	ARCH_PROT_SOFT2 = 1 << 9,
};

struct arch_space {
	arch_pte *root;         /* const after init */
	_Atomic uint32_t refs;  /* the owner's, and one for each hart that has it in satp */
	_Atomic uint64_t harts; /* those whose TLB may hold its entries */
	void (*release)(struct arch_space *s); /* const after init */
};

/*
 * release(s) is called when the last reference is gone and the tables are freed: the memory of
 * s may be reused. It may be called with interrupts off and must not sleep. 0 or -PORT_ENOMEM.
 */
int arch_space_init(struct arch_space *s, void (*release)(struct arch_space *s)) MUST_CHECK;
/*
 * Gives up the owner's reference; idle harts may still borrow the tables. All frames are
 * unmapped.
 */
void arch_space_put(struct arch_space *s);

/*
 * The locked entry for va (user half). With create, missing tables are allocated (may sleep,
 * NULL: no memory); without, NULL means that there is no table for va.
 */
arch_pte *arch_pte_lock(struct arch_space *s, uint64_t va, bool create) MUST_CHECK;
void arch_pte_unlock(arch_pte *pte);
/* Start of the first existing leaf table's range at or after va: skips holes; end if none. */
uint64_t arch_pte_next(struct arch_space *s, uint64_t va, uint64_t end);

static inline arch_pte arch_pte_get(const arch_pte *pte)
{
	return atomic_load_explicit((const _Atomic arch_pte *)pte, memory_order_relaxed);
}

static inline void arch_pte_set(arch_pte *pte, arch_pte v)
{
	/*
	 * release: the page's contents are visible before the entry; pairs with the walker's
	 * dependency
	 */
	atomic_store_explicit((_Atomic arch_pte *)pte, v, memory_order_release);
}

/* prot: enum arch_prot bits. With none of READ and EXEC the entry is present but inaccessible. */
static inline arch_pte arch_pte_make(uint64_t pa, unsigned prot)
{
	arch_pte v = (pa >> 12) << 10 | prot;

	if (prot & (ARCH_PROT_READ | ARCH_PROT_EXEC))
		v |= 1 | 1 << 6; /* V, A */
	if (prot & ARCH_PROT_WRITE)
		v |= 1 << 7; /* D */
	return v;
}

/* Nothing there at all. */
static inline bool arch_pte_none(arch_pte v)
{
	return v == 0;
}

/* The hardware may use it. (Neither none nor valid: PROT_NONE, or the owner's own use.) */
static inline bool arch_pte_valid(arch_pte v)
{
	return v & 1;
}

static inline uint64_t arch_pte_pa(arch_pte v)
{
	return (v >> 10 & (((uint64_t)1 << 44) - 1)) << 12;
}

/* The enum arch_prot bits. */
static inline unsigned arch_pte_prot(arch_pte v)
{
	return (unsigned)(v & (7 << 1 | 1 << 4 | 3 << 8));
}

/* TLB of this hart only. */
static inline void arch_tlb_flush_page_local(uint64_t va)
{
	__asm__ volatile("sfence.vma %0" ::"r"(va) : "memory");
}

static inline void arch_tlb_flush_local(void)
{
	__asm__ volatile("sfence.vma" ::: "memory");
}

/*
 * Removes stale entries for [va, va + len) of s from the TLBs of all harts and returns when
 * all have acknowledged. Interrupts enabled, not from an interrupt; spinlocks without irqsave
 * may be held.
 */
void arch_tlb_shootdown(struct arch_space *s, uint64_t va, uint64_t len);
/* The same for kernel addresses, all harts. */
void arch_tlb_shootdown_kernel(void);

/* fence.i on all harts (riscv_flush_icache). Context as arch_tlb_shootdown. */
void arch_icache_sync_all(void);
/*
 * What the kernel has written (by now) may be executed in s through entries that are set after this: no
 * hart has older contents of these frames in its instruction cache. Context as arch_tlb_shootdown.
 */
void arch_icache_publish(struct arch_space *s);

/* Physical address of any mapped kernel address (direct map, image, stacks, vmalloc); 0: none. */
uint64_t arch_kernel_pa(const void *va);

/* Switches this hart to s (NULL: the kernel's own root). Scheduler and exec (preemption off). */
void arch_space_activate(struct arch_space *s);

#endif
