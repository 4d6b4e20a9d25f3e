/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Virtually contiguous kernel memory and device registers. May sleep; thread context only. */
#ifndef ARCH_VMAP_H
#define ARCH_VMAP_H

#include "base/types.h"

/* size bytes (rounded up to pages) of unspecified content, or NULL. */
void *arch_vmalloc(size_t size) MUST_CHECK;
void arch_vfree(void *p);
/* Bytes of a block of arch_vmalloc (whole pages). */
size_t arch_vmalloc_size(const void *p);

/* Device registers [pa, pa + len): never unmapped. NULL: no room. */
volatile void *arch_ioremap(uint64_t pa, uint64_t len) MUST_CHECK;

#include "arch/layout.h"

static inline bool arch_is_vmap(const void *p)
{
	return (uint64_t)p - ARCH_VMAP_BASE < ARCH_VMAP_SIZE;
}

/* A kernel stack of ARCH_KSTACK_SIZE with a guard; the top, or NULL. */
void *arch_kstack_alloc(void) MUST_CHECK;
void arch_kstack_free(void *top);

#endif
