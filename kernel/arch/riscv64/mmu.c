/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The kernel's own page tables.
 *
 * boot_root (entry.S) becomes the kernel's root: mmu_init replaces its gigapages by exact
 * mappings. The upper half of every space is a copy of its upper half made at creation, so
 * entries 256..511 never change after mmu_init: tables below the stack and vmap areas are made
 * once.
 *
 * Kernel mappings are global. One that becomes valid needs no flush of other harts:
 * map_generation makes every hart fence once before its next switch, and whoever hands a new
 * address to a running thread does so through memory that it wrote after its own fence
 * (mmu_map_kernel).
 */
#include "arch/mmu.h"

#include "base/assert.h"
#include "csr.h"
#include "dev/fdt.h"
#include "lib/errno.h"
#include "machine.h"
#include "mm/page.h"

#define PTE_V 1u
#define PTE_G 0x20u
#define PTE_AD 0xc0u
#define BIG_PAGE 0x200000ull

static _Atomic uint32_t map_generation; /* release after a mapping; acquire by mmu_sync_kernel */
static uint32_t seen_generation[ARCH_MAX_HARTS]; /* this hart only */
static bool allocator_ready;

static arch_pte leaf(uint64_t pa, unsigned prot)
{
	return (pa >> 12) << 10 | prot | PTE_V | PTE_G | PTE_AD;
}

static uint64_t table_alloc(void)
{
	struct page *p;

	if (!allocator_ready)
		return early_alloc(ARCH_PAGE_SIZE);
	p = mm_page_alloc(0, MM_ZERO);
	if (!p)
		return 0;
	mm_page_set_flag(p, MM_PAGE_TABLE);
	return mm_page_pa(p);
}

/* The table below an entry, made if it is missing. NULL: no memory. */
static arch_pte *below(arch_pte *slot)
{
	uint64_t pa;

	if (arch_pte_none(*slot)) {
		pa = table_alloc();
		if (!pa)
			return NULL;
		arch_pte_set(slot, (pa >> 12) << 10 | PTE_V);
	}
	return arch_direct(arch_pte_pa(*slot));
}

static arch_pte *entry_of(arch_pte *root, uint64_t va, bool big)
{
	arch_pte *t = below(&root[va >> 30 & 511]);

	if (!t || big)
		return t ? &t[va >> 21 & 511] : NULL;
	t = below(&t[va >> 21 & 511]);
	return t ? &t[va >> 12 & 511] : NULL;
}

static void map_early(arch_pte *root, uint64_t va, uint64_t pa, uint64_t len, unsigned prot)
{
	while (len > 0) {
		bool big = !((va | pa) % BIG_PAGE) && len >= BIG_PAGE;
		uint64_t step = big ? BIG_PAGE : ARCH_PAGE_SIZE;

		*entry_of(root, va, big) = leaf(pa, prot);
		va += step;
		pa += step;
		len -= step;
	}
}

static void map_image(arch_pte *root, const char *from, const char *to, unsigned prot)
{
	uint64_t va = (uint64_t)from;

	map_early(root, va, va - ARCH_KERNEL_BASE + ARCH_KERNEL_PHYS, (uint64_t)(to - from), prot);
}

void mmu_init(void)
{
	arch_pte *root = arch_direct(early_alloc(ARCH_PAGE_SIZE));

	for (uint32_t i = 0; i < boot_info.mem_count; i++) {
		uint64_t from = ALIGN_DOWN(boot_info.mem[i].base, BIG_PAGE);
		uint64_t to = ALIGN_UP(boot_info.mem[i].base + boot_info.mem[i].size, BIG_PAGE);

		map_early(root, from + ARCH_DIRECT_BASE, from, to - from,
			  ARCH_PROT_READ | ARCH_PROT_WRITE);
	}
	map_image(root, image_start, image_rodata, ARCH_PROT_READ | ARCH_PROT_EXEC);
	map_image(root, image_rodata, image_data, ARCH_PROT_READ);
	map_image(root, image_data, image_end, ARCH_PROT_READ | ARCH_PROT_WRITE);
	(void)below(&root[ARCH_KSTACK_BASE >> 30 & 511]);
	(void)below(&root[ARCH_VMAP_BASE >> 30 & 511]);
	/*
	 * The new root replaces the contents of boot_root, which stays in satp and which other
	 * harts start with. Its identity entry for the first gigabyte stays too (supervisor only,
	 * and no space copies the lower half).
	 */
	for (unsigned i = 256; i < 512; i++)
		arch_pte_set(&boot_root[i], root[i]);
	arch_tlb_flush_local();
	allocator_ready = false;
}

void mmu_allocator_ready(void)
{
	allocator_ready = true;
}

uint64_t mmu_kernel_satp(void)
{
	return SATP_SV39 | ((uint64_t)boot_root - ARCH_KERNEL_BASE + ARCH_KERNEL_PHYS) >> 12;
}

int mmu_map_kernel(uint64_t va, uint64_t pa, unsigned prot)
{
	arch_pte *pte = entry_of(boot_root, va, false);

	if (!pte)
		return -ENOMEM;
	KASSERT(arch_pte_none(*pte));
	arch_pte_set(pte, leaf(pa, prot));
	return 0;
}

void mmu_kernel_mapped(void)
{
	atomic_fetch_add_explicit(&map_generation, 1, memory_order_release);
	arch_tlb_flush_local();
}

uint64_t mmu_unmap_kernel(uint64_t va)
{
	arch_pte *pte = entry_of(boot_root, va, false);
	arch_pte old;

	if (!pte || arch_pte_none(*pte))
		return 0;
	old = *pte;
	arch_pte_set(pte, 0);
	return arch_pte_pa(old);
}

void mmu_sync_kernel(unsigned hart)
{
	uint32_t now = atomic_load_explicit(&map_generation, memory_order_acquire);

	if (seen_generation[hart] == now)
		return;
	seen_generation[hart] = now;
	arch_tlb_flush_local();
}

static uint64_t walk(uint64_t va)
{
	arch_pte *t = boot_root;

	for (unsigned shift = 30;; shift -= 9) {
		arch_pte v = arch_pte_get(&t[va >> shift & 511]);

		if (!arch_pte_valid(v))
			return 0;
		if (shift == 12 || arch_pte_prot(v) & (ARCH_PROT_READ | ARCH_PROT_EXEC))
			return arch_pte_pa(v) | (va & (((uint64_t)1 << shift) - 1));
		t = arch_direct(arch_pte_pa(v));
	}
}

uint64_t arch_kernel_pa(const void *va)
{
	if (arch_is_direct(va))
		return arch_direct_pa(va);
	return (uint64_t)va >= ARCH_DIRECT_BASE ? walk((uint64_t)va) : 0;
}
