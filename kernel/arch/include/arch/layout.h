/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The kernel's view of memory (Sv39; the user half is [0, ARCH_USER_END)).
 *
 *   ffffffc0'00000000  direct map: all RAM, virtual = physical + ARCH_DIRECT_BASE, RW
 *   ffffffe0'00000000  kernel stacks, 32 KiB slots: 16 KiB guard, 16 KiB stack
 *   ffffffe0'40000000  vmalloc and device registers (arch/vmap.h)
 *   ffffffff'80200000  the kernel image, W^X
 */
#ifndef ARCH_LAYOUT_H
#define ARCH_LAYOUT_H

#define ARCH_PAGE_SHIFT 12
#define ARCH_PAGE_SIZE 4096
#define ARCH_KERNEL_BASE 0xffffffff80000000
#define ARCH_KERNEL_PHYS 0x80000000
#define ARCH_DIRECT_BASE 0xffffffc000000000
#define ARCH_DIRECT_SIZE 0x1f00000000
#define ARCH_KSTACK_BASE 0xffffffe000000000
#define ARCH_KSTACK_AREA 0x40000000
#define ARCH_VMAP_BASE 0xffffffe040000000
#define ARCH_VMAP_SIZE 0x40000000
#define ARCH_KSTACK_SIZE 16384 /* also the guard below it: bit 14 of sp is set on a good stack */
#define ARCH_USER_END 0x4000000000
#define ARCH_MAX_HARTS 8

#ifndef __ASSEMBLER__
#include "base/types.h"

/* A byte of RAM through the direct map. */
static inline void *arch_direct(uint64_t pa)
{
	return (void *)(pa + ARCH_DIRECT_BASE);
}

/* The inverse, for pointers into the direct map only (see arch_kernel_pa in mmu.h for any). */
static inline uint64_t arch_direct_pa(const void *va)
{
	return (uint64_t)va - ARCH_DIRECT_BASE;
}

static inline bool arch_is_direct(const void *va)
{
	return (uint64_t)va - ARCH_DIRECT_BASE < ARCH_DIRECT_SIZE;
}
#endif

#endif
