/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* What subsystems/mm needs of the kernel: a spinlock usable in any context. */
#ifndef MM_PLATFORM_H
#define MM_PLATFORM_H

#include "sync/spinlock.h"

#define mm_spinlock spinlock /* struct mm_spinlock is the kernel's struct spinlock */

static inline void mm_spin_init(struct spinlock *l)
{
	spin_init(l, LOCK_RANK_SPIN_MEM);
}

static inline unsigned long mm_spin_lock(struct spinlock *l) NO_THREAD_SAFETY
{
	return spin_lock_irqsave(l);
}

static inline void mm_spin_unlock(struct spinlock *l, unsigned long flags) NO_THREAD_SAFETY
{
	spin_unlock_irqrestore(l, flags);
}

/*
 * Memory that is contiguous in virtual addresses only, for what the buddy cannot give; NULL:
 * none.
 */
void *mm_platform_vmalloc(size_t size) MUST_CHECK;
void mm_platform_vfree(void *p);
bool mm_platform_is_vmalloc(const void *p);
size_t mm_platform_vmalloc_size(const void *p);
/* Memory has become scarce: wakes the thread that calls mm_reclaim. Any context. */
void mm_platform_wake_reclaim(void);
/* May the caller run reclaimers? (Thread context, no spinlock held.) */
bool mm_platform_may_reclaim(void);

#endif
