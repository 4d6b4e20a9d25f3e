/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Kernel stacks, virtually contiguous memory and device registers: two areas of a gigabyte
 * each, whose page tables exist in every space.
 *
 * Stacks: slot i is 32 KiB; its upper half is mapped, its lower half never is (guard). Freed
 * stacks stay mapped on a list (linked through their first word) up to KSTACK_KEEP of them;
 * beyond that a batch is unmapped with one flush. VMAP-1: a mapped slot's frames never change
 * while it is mapped.
 *
 * vmalloc: a bitmap of pages; each block is followed by one unmapped page. The length stands
 * in a table by first page.
 *
 * Locking: one mutex for the vmalloc area, a spinlock for the stack list. Freeing a stack may
 * happen with interrupts off (the switch after a thread's end), so surplus stacks are unmapped
 * by the next allocation.
 */
#include "arch/vmap.h"

#include "base/assert.h"
#include "base/bitmap.h"
#include "lib/errno.h"
#include "machine.h"
#include "mm/slab.h"
#include "sync/mutex.h"

#define SLOT_SIZE (2ull * ARCH_KSTACK_SIZE)
#define SLOTS (ARCH_KSTACK_AREA / SLOT_SIZE)
#define STACK_PAGES (ARCH_KSTACK_SIZE / ARCH_PAGE_SIZE)
#define KSTACK_KEEP 64
#define VMAP_PAGES (ARCH_VMAP_SIZE / ARCH_PAGE_SIZE)

struct free_stack {
	struct free_stack *next;
};

static struct spinlock stack_lock = SPINLOCK_INIT(LOCK_RANK_SPIN_MEM - 1);
static uint64_t slot_used[BITMAP_WORDS(SLOTS)]; /* lock: stack_lock, as the next three */
static struct free_stack *free_stacks;
static unsigned free_count;
static uint64_t slot_hint;

static struct mutex vmap_lock = MUTEX_INIT(vmap_lock, LOCK_RANK_HEAP, "vmap");
static uint64_t vmap_used[BITMAP_WORDS(VMAP_PAGES)]; /* lock: vmap_lock, as the next two */
static uint64_t vmap_hint;
static uint32_t *vmap_len; /* pages by first page; set at start */

static uint64_t slot_top(uint64_t slot)
{
	return ARCH_KSTACK_BASE + (slot + 1) * SLOT_SIZE;
}

static void unmap_pages(uint64_t va, size_t pages, uint64_t *frames)
{
	for (size_t i = 0; i < pages; i++)
		frames[i] = mmu_unmap_kernel(va + i * ARCH_PAGE_SIZE);
}

static void put_frames(const uint64_t *frames, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (frames[i])
			mm_page_put(mm_page_of_pa(frames[i]));
	}
}

static int map_pages(uint64_t va, size_t pages)
{
	for (size_t i = 0; i < pages; i++) {
		struct page *p = mm_page_alloc(0, MM_NORMAL);
		int err = p ? mmu_map_kernel(va + i * ARCH_PAGE_SIZE, mm_page_pa(p),
					     ARCH_PROT_READ | ARCH_PROT_WRITE)
			    : -ENOMEM;

		if (err) {
			if (p)
				mm_page_put(p);
			return err;
		}
	}
	mmu_kernel_mapped();
	return 0;
}

/* Gives the frames of half the kept stacks back when there are too many. */
static void trim_stacks(void)
{
	struct free_stack *list = NULL;
	unsigned n = 0;
	unsigned long flags = spin_lock_irqsave(&stack_lock);

	while (free_count > KSTACK_KEEP && n < KSTACK_KEEP / 2) {
		struct free_stack *s = free_stacks;

		free_stacks = s->next;
		free_count--;
		n++;
		s->next = list;
		list = s;
	}
	spin_unlock_irqrestore(&stack_lock, flags);
	while (list) { /* one at a time: a flush each is dear, but this is rare */
		uint64_t frames[STACK_PAGES];
		uint64_t bottom = (uint64_t)list;
		uint64_t slot = (bottom - ARCH_KSTACK_BASE) / SLOT_SIZE;

		list = list->next;
		unmap_pages(bottom, STACK_PAGES, frames);
		arch_tlb_shootdown_kernel();
		put_frames(frames, STACK_PAGES);
		flags = spin_lock_irqsave(&stack_lock);
		bitmap_clear(slot_used, slot);
		spin_unlock_irqrestore(&stack_lock, flags);
	}
}

static void *reuse_stack(void)
{
	unsigned long flags = spin_lock_irqsave(&stack_lock);
	struct free_stack *s = free_stacks;

	if (s) {
		free_stacks = s->next;
		free_count--;
	}
	spin_unlock_irqrestore(&stack_lock, flags);
	return s ? (char *)s + ARCH_KSTACK_SIZE : NULL;
}

void *arch_kstack_alloc(void)
{
	void *top;
	unsigned long flags;
	uint64_t slot;
	uint64_t frames[STACK_PAGES];

	if (free_count > KSTACK_KEEP)
		trim_stacks();
	top = reuse_stack();
	if (top)
		return top;
	flags = spin_lock_irqsave(&stack_lock);
	slot = bitmap_find_clear(slot_used, slot_hint, SLOTS);
	if (slot == BITMAP_NONE)
		slot = bitmap_find_clear(slot_used, 0, SLOTS);
	if (slot != BITMAP_NONE) {
		bitmap_set(slot_used, slot);
		slot_hint = slot + 1;
	}
	spin_unlock_irqrestore(&stack_lock, flags);
	if (slot == BITMAP_NONE)
		return NULL;
	if (map_pages(slot_top(slot) - ARCH_KSTACK_SIZE, STACK_PAGES) == 0)
		return (void *)slot_top(slot);
	unmap_pages(slot_top(slot) - ARCH_KSTACK_SIZE, STACK_PAGES, frames);
	arch_tlb_shootdown_kernel();
	put_frames(frames, STACK_PAGES);
	flags = spin_lock_irqsave(&stack_lock);
	bitmap_clear(slot_used, slot);
	spin_unlock_irqrestore(&stack_lock, flags);
	return NULL;
}

void arch_kstack_free(void *top)
{
	struct free_stack *s = (struct free_stack *)(void *)((char *)top - ARCH_KSTACK_SIZE);
	unsigned long flags = spin_lock_irqsave(&stack_lock);

	s->next = free_stacks;
	free_stacks = s;
	free_count++;
	spin_unlock_irqrestore(&stack_lock, flags);
}

/* Takes pages + 1 (the gap) page numbers; BITMAP_NONE: no room. */
static uint64_t take_range(size_t pages) REQUIRES(&vmap_lock)
{
	uint64_t at = vmap_hint;
	bool wrapped = false;

	for (;;) {
		uint64_t run;

		at = bitmap_find_clear(vmap_used, at, VMAP_PAGES);
		if (at == BITMAP_NONE) {
			if (wrapped)
				return BITMAP_NONE;
			wrapped = true;
			at = 0;
			continue;
		}
		run = bitmap_clear_run(vmap_used, at, VMAP_PAGES, pages + 1);
		if (run == pages + 1)
			break;
		at += run;
	}
	bitmap_set_range(vmap_used, at, pages + 1);
	vmap_len[at] = (uint32_t)pages;
	vmap_hint = at + pages + 1;
	return at;
}

static void give_range(uint64_t at) REQUIRES(&vmap_lock)
{
	bitmap_clear_range(vmap_used, at, vmap_len[at] + 1);
	vmap_len[at] = 0;
}

void vmap_init(void)
{
	vmap_len = arch_direct(early_alloc(VMAP_PAGES * sizeof(uint32_t)));
}

static void unmap_range(uint64_t at)
{
	uint64_t va = ARCH_VMAP_BASE + at * ARCH_PAGE_SIZE;
	uint64_t frames[32];
	size_t pages = vmap_len[at];

	for (size_t i = 0; i < pages; i += ARRAY_SIZE(frames)) {
		size_t n = MIN(pages - i, ARRAY_SIZE(frames));

		unmap_pages(va + i * ARCH_PAGE_SIZE, n, frames);
		arch_tlb_shootdown_kernel(); /* before the frames are free */
		put_frames(frames, n);
	}
}

void *arch_vmalloc(size_t size)
{
	size_t pages = (size + ARCH_PAGE_SIZE - 1) >> ARCH_PAGE_SHIFT;
	uint64_t at = BITMAP_NONE;
	void *p = NULL;

	mutex_lock(&vmap_lock);
	if (pages < VMAP_PAGES)
		at = take_range(pages);
	if (at != BITMAP_NONE) {
		p = (void *)(ARCH_VMAP_BASE + at * ARCH_PAGE_SIZE);
		if (map_pages((uint64_t)p, pages)) {
			unmap_range(at);
			give_range(at);
			p = NULL;
		}
	}
	mutex_unlock(&vmap_lock);
	return p;
}

void arch_vfree(void *p)
{
	uint64_t at = ((uint64_t)p - ARCH_VMAP_BASE) >> ARCH_PAGE_SHIFT;

	mutex_lock(&vmap_lock);
	KASSERT(arch_is_vmap(p) && vmap_len[at] > 0);
	unmap_range(at);
	give_range(at);
	mutex_unlock(&vmap_lock);
}

size_t arch_vmalloc_size(const void *p)
{
	uint64_t at = ((uint64_t)p - ARCH_VMAP_BASE) >> ARCH_PAGE_SHIFT;

	return (size_t)vmap_len[at] << ARCH_PAGE_SHIFT;
}

volatile void *arch_ioremap(uint64_t pa, uint64_t len)
{
	uint64_t from = ALIGN_DOWN(pa, (uint64_t)ARCH_PAGE_SIZE);
	size_t pages = (size_t)((pa + len - from + ARCH_PAGE_SIZE - 1) >> ARCH_PAGE_SHIFT);
	volatile char *p = NULL;
	uint64_t at;

	mutex_lock(&vmap_lock);
	at = take_range(pages);
	for (size_t i = 0; at != BITMAP_NONE && i < pages; i++) {
		if (mmu_map_kernel(ARCH_VMAP_BASE + (at + i) * ARCH_PAGE_SIZE,
				   from + i * ARCH_PAGE_SIZE, ARCH_PROT_READ | ARCH_PROT_WRITE))
			at = BITMAP_NONE; /* start-up without memory: the range stays taken */
	}
	if (at != BITMAP_NONE) {
		mmu_kernel_mapped();
		p = (volatile char *)(ARCH_VMAP_BASE + at * ARCH_PAGE_SIZE) + (pa - from);
	}
	mutex_unlock(&vmap_lock);
	return p;
}
