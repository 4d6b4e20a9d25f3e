/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Debug builds (KERNEL_DEBUG): each thread lists the locks it holds; ranks must rise and
 * nothing may sleep under a spinlock. Interrupts check only against locks taken since they
 * began (held_base).
 */
#ifndef SYNC_LOCKCHECK_H
#define SYNC_LOCKCHECK_H

#include "base/types.h"

#if defined(KERNEL_DEBUG)
void lockcheck_acquire(const void *lock, uint32_t rank, bool trylock);
void lockcheck_release(const void *lock);
void lockcheck_may_sleep(void);
#else
static inline void lockcheck_acquire(const void *lock, uint32_t rank, bool trylock)
{
	(void)lock;
	(void)rank;
	(void)trylock;
}
static inline void lockcheck_release(const void *lock)
{
	(void)lock;
}
static inline void lockcheck_may_sleep(void)
{
}
#endif

#endif
