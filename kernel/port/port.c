/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The port (subsystems/port) in the kernel: thin names over mutexes, wait queues, threads, the
 * object caches and clocks. port_log and port_panic are in lib, port_random in dev.
 */
#include "arch/vmap.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "port/mem.h"
#include "port/sync.h"
#include "port/thread.h"
#include "port/time.h"
#include "sched/clock.h"
#include "sched/sched.h"
#include "sched/thread.h"
#include "sync/mutex.h"
#include "sync/wait.h"

void *port_alloc(size_t size)
{
	return mm_alloc(size, MM_NORMAL);
}

void *port_alloc_zeroed(size_t size)
{
	return mm_alloc(size, MM_ZERO);
}

void port_free(void *p)
{
	mm_free(p);
}

void *port_alloc_pages(size_t pages)
{
	return pages > SIZE_MAX / PORT_PAGE_SIZE
		       ? NULL
		       : mm_alloc(MAX(pages, 1) * PORT_PAGE_SIZE, MM_NORMAL);
}

void port_free_pages(void *p, size_t pages)
{
	(void)pages;
	mm_free(p);
}

void port_mutex_init(struct port_mutex *m, enum lock_rank rank, const char *name)
{
	mutex_init(&m->m, rank, name);
}

void port_mutex_fini(struct port_mutex *m)
{
	(void)m;
}

void port_mutex_lock(struct port_mutex *m) NO_THREAD_SAFETY
{
	mutex_lock(&m->m);
}

bool port_mutex_trylock(struct port_mutex *m) NO_THREAD_SAFETY
{
	return mutex_trylock(&m->m);
}

void port_mutex_unlock(struct port_mutex *m) NO_THREAD_SAFETY
{
	mutex_unlock(&m->m);
}

bool port_mutex_held(const struct port_mutex *m)
{
	return mutex_held(&m->m);
}

void port_cond_init(struct port_cond *c)
{
	wait_init(&c->q);
}

void port_cond_fini(struct port_cond *c)
{
	(void)c;
}

enum port_wait port_cond_wait_until(struct port_cond *c, struct port_mutex *m, uint64_t deadline,
				    bool killable) NO_THREAD_SAFETY
{
	struct waiter w;
	int err;

	wait_add(&c->q, &w, true);
	wait_prepare(killable ? WAIT_KILLABLE : WAIT_UNINTERRUPTIBLE);
	mutex_unlock(&m->m);
	err = wait_sleep(deadline);
	wait_done();
	wait_remove(&c->q, &w);
	mutex_lock(&m->m);
	if (w.woken || err == 0)
		return PORT_WAIT_SIGNALED;
	return err == -EINTR ? PORT_WAIT_KILLED : PORT_WAIT_TIMEOUT;
}

void port_cond_wait(struct port_cond *c, struct port_mutex *m)
{
	(void)port_cond_wait_until(c, m, WAIT_FOREVER, false);
}

void port_cond_signal(struct port_cond *c)
{
	wait_wake_one(&c->q);
}

void port_cond_broadcast(struct port_cond *c)
{
	wait_wake_all(&c->q);
}

int port_thread_create(struct port_thread *t, void (*fn)(void *arg), void *arg, const char *name)
{
	t->t = thread_create(name, fn, arg);
	if (!t->t)
		return -ENOMEM;
	thread_start(t->t);
	return 0;
}

void port_thread_join(struct port_thread *t)
{
	thread_wait_dead(t->t);
	thread_put(t->t);
}

void port_thread_yield(void)
{
	sched_yield();
}

void port_thread_sleep(uint64_t ns)
{
	(void)sched_sleep_until(clock_now() + ns, WAIT_UNINTERRUPTIBLE);
}

void **port_thread_slot(void)
{
	return &current_thread()->port_slot;
}

uint64_t port_now(void)
{
	return clock_now();
}

int64_t port_wallclock(void)
{
	return clock_wall();
}
