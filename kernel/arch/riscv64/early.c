/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Memory before the page allocator: a cursor that runs through the ranges of RAM and jumps
 * over what is reserved (firmware, kernel image, device tree, initrd). In the end all but the
 * reserved ranges and what the cursor passed becomes free memory.
 */
#include "base/assert.h"
#include "dev/fdt.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "machine.h"
#include "mm/mm_init.h"
#include "mm/slab.h"

#define MAX_BUSY (BOOT_MAX_RESERVED + 2)

static struct boot_range busy[MAX_BUSY + 1]; /* the last one: what early_alloc gave out */
static uint32_t busy_count;
static uint64_t cursor;
static uint64_t cursor_start;

static bool overlap(const struct boot_range *r, uint64_t base, uint64_t size)
{
	return r->size > 0 && base < r->base + r->size && r->base < base + size;
}

static const struct boot_range *find_busy(uint64_t base, uint64_t size)
{
	for (uint32_t i = 0; i < busy_count; i++) {
		if (overlap(&busy[i], base, size))
			return &busy[i];
	}
	return NULL;
}

static bool in_memory(uint64_t base, uint64_t size)
{
	for (uint32_t i = 0; i < boot_info.mem_count; i++) {
		const struct boot_range *m = &boot_info.mem[i];

		if (base >= m->base && base - m->base <= m->size &&
		    size <= m->size - (base - m->base))
			return true;
	}
	return false;
}

void early_init(void)
{
	uint64_t image = (uint64_t)image_start - ARCH_KERNEL_BASE + ARCH_KERNEL_PHYS;
	uint64_t size = (uint64_t)(image_end - image_start);

	/* Firmware is below the image, whether or not the tree says so. */
	busy[busy_count++] = (struct boot_range){ARCH_KERNEL_PHYS, image - ARCH_KERNEL_PHYS};
	busy[busy_count++] = (struct boot_range){image, size};
	for (uint32_t i = 0; i < boot_info.reserved_count; i++)
		busy[busy_count++] = boot_info.reserved[i];
	cursor = ALIGN_UP(image + size, (uint64_t)ARCH_PAGE_SIZE);
	cursor_start = cursor;
}

uint64_t early_alloc(size_t bytes)
{
	const struct boot_range *r;
	uint64_t size = ALIGN_UP((uint64_t)bytes, (uint64_t)ARCH_PAGE_SIZE);
	uint64_t pa;

	while ((r = find_busy(cursor, size)) != NULL)
		cursor = ALIGN_UP(r->base + r->size, (uint64_t)ARCH_PAGE_SIZE);
	if (!in_memory(cursor, size))
		panic("not enough memory to start: %llu bytes wanted", (unsigned long long)size);
	pa = cursor;
	cursor += size;
	memset(arch_direct(pa), 0, size);
	return pa;
}

/* Frees [base, end) less what is busy, page by page of each gap. */
static void free_range(uint64_t base, uint64_t end)
{
	while (base < end) {
		const struct boot_range *r = find_busy(base, ARCH_PAGE_SIZE);
		uint64_t stop = base;

		if (r) {
			base = ALIGN_UP(r->base + r->size, (uint64_t)ARCH_PAGE_SIZE);
			continue;
		}
		while (stop < end && !find_busy(stop, ARCH_PAGE_SIZE))
			stop += ARCH_PAGE_SIZE;
		mm_add_free(base, (size_t)((stop - base) >> ARCH_PAGE_SHIFT));
		base = stop;
	}
}

void early_finish(void)
{
	uint64_t low = UINT64_MAX;
	uint64_t high = 0;
	size_t pages;
	struct page *map;

	for (uint32_t i = 0; i < boot_info.mem_count; i++) {
		low = MIN(low, boot_info.mem[i].base);
		high = MAX(high, boot_info.mem[i].base + boot_info.mem[i].size);
	}
	low = ALIGN_DOWN(low, (uint64_t)ARCH_PAGE_SIZE << MM_MAX_ORDER);
	pages = (size_t)((high - low) >> ARCH_PAGE_SHIFT);
	map = arch_direct(early_alloc(pages * sizeof(struct page)));
	mm_init(low, arch_direct(low), map, pages);
	/*
	 * What the cursor passed over is given up as busy: at most the gaps between reserved
	 * ranges.
	 */
	busy[busy_count++] = (struct boot_range){cursor_start, cursor - cursor_start};
	for (uint32_t i = 0; i < boot_info.mem_count; i++) {
		const struct boot_range *m = &boot_info.mem[i];

		free_range(ALIGN_UP(m->base, (uint64_t)ARCH_PAGE_SIZE),
			   ALIGN_DOWN(m->base + m->size, (uint64_t)ARCH_PAGE_SIZE));
	}
	mm_set_marks();
	mm_slab_init();
	mmu_allocator_ready();
}
