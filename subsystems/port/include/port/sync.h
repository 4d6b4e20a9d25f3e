/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Sleeping locks and condition variables. <port/arch_types.h> of the chosen port defines the
 * structures, so that there is no indirection and no allocation.
 *
 * Ranks: a thread takes mutexes in strictly rising rank (base/lockrank.h); debug builds assert it.
 * None of these may be called with a spinlock held or from an interrupt.
 */
#ifndef PORT_SYNC_H
#define PORT_SYNC_H

#include "base/lockrank.h"
#include "base/types.h"
#include "port/arch_types.h" /* struct port_mutex (LOCKABLE), struct port_cond */

/* name must outlive the mutex; it appears in messages. Cannot fail. */
void port_mutex_init(struct port_mutex *m, enum lock_rank rank, const char *name);
void port_mutex_fini(struct port_mutex *m);
void port_mutex_lock(struct port_mutex *m) ACQUIRES(m);
bool port_mutex_trylock(struct port_mutex *m) TRY_ACQUIRES(true, m) MUST_CHECK;
void port_mutex_unlock(struct port_mutex *m) RELEASES(m);
/* For assertions: does the calling thread hold m? */
bool port_mutex_held(const struct port_mutex *m);

void port_cond_init(struct port_cond *c);
void port_cond_fini(struct port_cond *c);
/* Releases m, sleeps, takes m again. May wake without a signal: wait in a loop. */
void port_cond_wait(struct port_cond *c, struct port_mutex *m) REQUIRES(m);

enum port_wait { PORT_WAIT_SIGNALED, PORT_WAIT_TIMEOUT, PORT_WAIT_KILLED };

/*
 * As port_cond_wait, but returns at the latest when port_now() reaches deadline (UINT64_MAX: no
 * limit), and, if killable, when the thread is being killed (kernel only; it then stays true).
 */
enum port_wait port_cond_wait_until(struct port_cond *c, struct port_mutex *m, uint64_t deadline,
				    bool killable) REQUIRES(m);
void port_cond_signal(struct port_cond *c);
void port_cond_broadcast(struct port_cond *c);

#endif
