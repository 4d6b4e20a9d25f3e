/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Sleeping locks. Taken in rising rank (debug builds assert it), thread context only. Waiters are
 * served in order once they have lost a race: no starvation.
 */
#ifndef SYNC_MUTEX_H
#define SYNC_MUTEX_H

#include "sync/lock_types.h"
#include "sync/spinlock.h"
#include "sync/wait.h"

#define MUTEX_INIT(m, lock_rank, lock_name)                                    \
	{                                                                      \
		0, SPINLOCK_INIT(LOCK_RANK_SPIN_WAIT), LIST_INIT((m).waiters), \
			(uint32_t)(lock_rank), (lock_name)                     \
	}

void mutex_init(struct mutex *m, enum lock_rank rank, const char *name);
void mutex_lock(struct mutex *m) ACQUIRES(m);
/* 0 or -EINTR (then not held): the thread is being killed. */
int mutex_lock_killable(struct mutex *m) TRY_ACQUIRES(false, m) MUST_CHECK;
bool mutex_trylock(struct mutex *m) TRY_ACQUIRES(true, m) MUST_CHECK;
void mutex_unlock(struct mutex *m) RELEASES(m);
/* Does the current thread hold it? */
bool mutex_held(const struct mutex *m);

#endif
