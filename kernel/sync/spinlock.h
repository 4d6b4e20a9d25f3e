/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Spinlocks. Holding one disables preemption; nothing sleeps under it. A lock that interrupt
 * handlers take is always taken with the irqsave form. Debug builds assert that ranks rise
 * (base/lockrank.h) and that the holder unlocks.
 */
#ifndef SYNC_SPINLOCK_H
#define SYNC_SPINLOCK_H

#include "sync/lock_types.h"

#define SPINLOCK_INIT(lock_rank)         \
	{                                \
		0, (uint32_t)(lock_rank) \
	}

void spin_init(struct spinlock *l, enum lock_rank rank);
void spin_lock(struct spinlock *l) ACQUIRES(l);
bool spin_trylock(struct spinlock *l) TRY_ACQUIRES(true, l) MUST_CHECK;
void spin_unlock(struct spinlock *l) RELEASES(l);
unsigned long spin_lock_irqsave(struct spinlock *l) ACQUIRES(l) MUST_CHECK;
void spin_unlock_irqrestore(struct spinlock *l, unsigned long flags) RELEASES(l);
/* Does this hart hold it? For assertions. */
bool spin_held(const struct spinlock *l);

#endif
