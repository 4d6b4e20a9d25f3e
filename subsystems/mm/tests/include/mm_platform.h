/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * What subsystems/mm needs, answered for the host: a spinlock that threads of a test can use. The
 * functions are the test's.
 */
#ifndef TESTS_MM_PLATFORM_H
#define TESTS_MM_PLATFORM_H

#include <stdatomic.h>

#include "base/attr.h"
#include "base/types.h"

struct mm_spinlock {
	atomic_uint taken; /* atomic: release by unlock / acquire by lock */
};

static inline void mm_spin_init(struct mm_spinlock *l)
{
	atomic_init(&l->taken, 0);
}

static inline unsigned long mm_spin_lock(struct mm_spinlock *l)
{
	while (atomic_exchange_explicit(&l->taken, 1, memory_order_acquire))
		;
	return 0;
}

static inline void mm_spin_unlock(struct mm_spinlock *l, unsigned long flags)
{
	(void)flags;
	atomic_store_explicit(&l->taken, 0, memory_order_release);
}

void *mm_platform_vmalloc(size_t size) MUST_CHECK;
void mm_platform_vfree(void *p);
bool mm_platform_is_vmalloc(const void *p);
size_t mm_platform_vmalloc_size(const void *p);
void mm_platform_wake_reclaim(void);
bool mm_platform_may_reclaim(void);

#endif
