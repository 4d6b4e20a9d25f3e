/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* What mm needs, for host programs: locks that count, and malloc as "vmalloc". */
#ifndef MM_PLATFORM_H
#define MM_PLATFORM_H

#include "base/types.h"

struct mm_spinlock {
	uint32_t held;
};

void mm_platform_lock_error(void);

static inline void mm_spin_init(struct mm_spinlock *l)
{
	l->held = 0;
}

static inline unsigned long mm_spin_lock(struct mm_spinlock *l)
{
	if (l->held++)
		mm_platform_lock_error();
	return 0;
}

static inline void mm_spin_unlock(struct mm_spinlock *l, unsigned long flags)
{
	(void)flags;
	if (--l->held)
		mm_platform_lock_error();
}

void *mm_platform_vmalloc(size_t size) MUST_CHECK;
void mm_platform_vfree(void *p);
bool mm_platform_is_vmalloc(const void *p);
size_t mm_platform_vmalloc_size(const void *p);
void mm_platform_wake_reclaim(void);
bool mm_platform_may_reclaim(void);

#endif
