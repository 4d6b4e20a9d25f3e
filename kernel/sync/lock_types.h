/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The structures of locks and wait queues without their functions: what the port's types are made
 * of (port/arch_types.h), so that portable units see few of the kernel's names.
 */
#ifndef SYNC_LOCK_TYPES_H
#define SYNC_LOCK_TYPES_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/lockrank.h"
#include "base/types.h"

struct LOCKABLE spinlock {
	_Atomic uint32_t word; /* 0 free, else 1 + hart number of the holder */
	uint32_t rank;         /* const after init: enum lock_rank */
};

struct wait_queue {
	struct spinlock lock; /* rank SPIN_WAIT, irqsave */
	struct list waiters;  /* struct waiter.link, oldest first; lock: lock */
};

struct LOCKABLE mutex {
	_Atomic uintptr_t owner; /* struct thread *, bit 0: somebody waits */
	struct spinlock lock;
	struct list waiters; /* lock: lock */
	uint32_t rank;       /* const after init */
	const char *name;    /* const after init */
};

#endif
