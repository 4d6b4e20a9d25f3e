/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * port/sync.h and port/thread.h over pthreads.
 *
 * Each thread carries a record with its slot and, in debug builds (BASE_DEBUG), the mutexes it
 * holds. Its address identifies the thread in port_mutex.owner: the holder always reads its own
 * store, and no other thread can have written the holder's address, so relaxed order is enough.
 *
 * Rank check (BASE_DEBUG): a mutex of rank r may be taken only while all held ones rank below r,
 * except LOCK_RANK_NONE, which is exempt. try-lock cannot deadlock and is exempt as well, but what
 * it took counts for later locks. A condition wait gives up m only: it takes m again afterwards, so
 * nothing that ranks above m may be held across it.
 */
#include "port/sync.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "port/errors.h"
#include "port/log.h"
#include "port/thread.h"
#include "port/time.h"

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(((struct port_mutex *)0)->os), "storage");
_Static_assert(sizeof(pthread_cond_t) <= sizeof(((struct port_cond *)0)->os), "storage");
_Static_assert(sizeof(pthread_t) <= sizeof(((struct port_thread *)0)->os), "storage");

#define HELD_MAX 32

struct self {
	void *slot;
	unsigned held_count;
	const struct port_mutex *held[HELD_MAX];
};

static _Thread_local struct self self;

static pthread_mutex_t *os_mutex(struct port_mutex *m)
{
	return (pthread_mutex_t *)(void *)m->os;
}

static pthread_cond_t *os_cond(struct port_cond *c)
{
	return (pthread_cond_t *)(void *)c->os;
}

/* pthread calls on valid objects fail only through broken logic. */
static void must(int err, const char *what, const char *name)
{
	if (UNLIKELY(err))
		port_panic("%s %s: %s", what, name, strerror(err));
}

#ifdef BASE_DEBUG
static void check_rank(const struct port_mutex *m, const char *what)
{
	if (m->rank == LOCK_RANK_NONE)
		return;
	for (unsigned i = 0; i < self.held_count; i++) {
		const struct port_mutex *h = self.held[i];

		if (h != m && h->rank >= m->rank)
			port_panic("lock order: %s %s (rank %d) while holding %s (rank %d)", what,
				   m->name, (int)m->rank, h->name, (int)h->rank);
	}
}

static void note_held(const struct port_mutex *m)
{
	if (self.held_count == HELD_MAX)
		port_panic("%s: a thread holds more than %d mutexes", m->name, HELD_MAX);
	self.held[self.held_count++] = m;
}

static void note_released(const struct port_mutex *m)
{
	for (unsigned i = self.held_count; i-- > 0;) {
		if (self.held[i] == m) {
			self.held[i] = self.held[--self.held_count];
			return;
		}
	}
}
#else
static void check_rank(const struct port_mutex *m, const char *what)
{
	(void)m;
	(void)what;
}

static void note_held(const struct port_mutex *m)
{
	(void)m;
}

static void note_released(const struct port_mutex *m)
{
	(void)m;
}
#endif

static void own(struct port_mutex *m)
{
	atomic_store_explicit(&m->owner, (uintptr_t)&self, memory_order_relaxed);
	note_held(m);
}

static void disown(struct port_mutex *m, const char *what)
{
	if (UNLIKELY(!port_mutex_held(m)))
		port_panic("%s %s: the calling thread does not hold it", what, m->name);
	note_released(m);
	atomic_store_explicit(&m->owner, 0, memory_order_relaxed);
}

void port_mutex_init(struct port_mutex *m, enum lock_rank rank, const char *name)
{
	must(pthread_mutex_init(os_mutex(m), NULL), "mutex init", name);
	atomic_init(&m->owner, 0);
	m->rank = rank;
	m->name = name;
}

void port_mutex_fini(struct port_mutex *m)
{
	must(pthread_mutex_destroy(os_mutex(m)), "mutex fini", m->name);
}

void port_mutex_lock(struct port_mutex *m) NO_THREAD_SAFETY
{
	if (UNLIKELY(port_mutex_held(m)))
		port_panic("lock %s: the calling thread holds it already", m->name);
	check_rank(m, "lock");
	must(pthread_mutex_lock(os_mutex(m)), "lock", m->name);
	own(m);
}

bool port_mutex_trylock(struct port_mutex *m) NO_THREAD_SAFETY
{
	int err = pthread_mutex_trylock(os_mutex(m));

	if (err == EBUSY)
		return false;
	must(err, "trylock", m->name);
	own(m);
	return true;
}

void port_mutex_unlock(struct port_mutex *m) NO_THREAD_SAFETY
{
	disown(m, "unlock");
	must(pthread_mutex_unlock(os_mutex(m)), "unlock", m->name);
}

bool port_mutex_held(const struct port_mutex *m)
{
	return atomic_load_explicit(&m->owner, memory_order_relaxed) == (uintptr_t)&self;
}

void port_cond_init(struct port_cond *c)
{
	pthread_condattr_t attr;

	must(pthread_condattr_init(&attr), "cond init", "");
	must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), "cond init", "");
	must(pthread_cond_init(os_cond(c), &attr), "cond init", "");
	pthread_condattr_destroy(&attr);
}

void port_cond_fini(struct port_cond *c)
{
	must(pthread_cond_destroy(os_cond(c)), "cond fini", "");
}

void port_cond_wait(struct port_cond *c, struct port_mutex *m)
{
	check_rank(m, "wait with");
	disown(m, "wait with");
	must(pthread_cond_wait(os_cond(c), os_mutex(m)), "wait with", m->name);
	own(m);
}

enum port_wait port_cond_wait_until(struct port_cond *c, struct port_mutex *m, uint64_t deadline,
				    bool killable)
{
	struct timespec ts = {
		.tv_sec = (time_t)(deadline / PORT_NS_PER_SEC),
		.tv_nsec = (long)(deadline % PORT_NS_PER_SEC),
	};
	int err;

	(void)killable;
	if (deadline == UINT64_MAX) {
		port_cond_wait(c, m);
		return PORT_WAIT_SIGNALED;
	}
	check_rank(m, "wait with");
	disown(m, "wait with");
	err = pthread_cond_timedwait(os_cond(c), os_mutex(m), &ts);
	own(m);
	if (err == ETIMEDOUT)
		return PORT_WAIT_TIMEOUT;
	must(err, "wait with", m->name);
	return PORT_WAIT_SIGNALED;
}

void port_cond_signal(struct port_cond *c)
{
	must(pthread_cond_signal(os_cond(c)), "signal", "");
}

void port_cond_broadcast(struct port_cond *c)
{
	must(pthread_cond_broadcast(os_cond(c)), "broadcast", "");
}

static void *thread_main(void *arg)
{
	struct port_thread *t = arg;
	char name[16];

	memset(name, 0, sizeof(name));
	strncpy(name, t->name, sizeof(name) - 1);
	pthread_setname_np(pthread_self(), name);
	t->fn(t->arg);
	DBFS_ASSERT(self.held_count == 0); /* a thread ends without mutexes (debug builds) */
	return NULL;
}

/*
 * Signals stay with the program's own threads: a thread of the core that a signal handler
 * interrupted would be a surprise.
 */
int port_thread_create(struct port_thread *t, void (*fn)(void *arg), void *arg, const char *name)
{
	sigset_t all;
	sigset_t old;
	pthread_t id;
	int err;

	t->fn = fn;
	t->arg = arg;
	t->name = name;
	sigfillset(&all);
	must(pthread_sigmask(SIG_SETMASK, &all, &old), "signal mask", name);
	err = pthread_create(&id, NULL, thread_main, t);
	must(pthread_sigmask(SIG_SETMASK, &old, NULL), "signal mask", name);
	if (err)
		return -PORT_ENOMEM;
	memcpy(t->os, &id, sizeof(id));
	return 0;
}

void port_thread_join(struct port_thread *t)
{
	pthread_t id;

	memcpy(&id, t->os, sizeof(id));
	must(pthread_join(id, NULL), "join", t->name);
}

void port_thread_yield(void)
{
	sched_yield();
}

void port_thread_sleep(uint64_t ns)
{
	uint64_t end = port_now() + ns;
	struct timespec ts = {
		.tv_sec = (time_t)(end / PORT_NS_PER_SEC),
		.tv_nsec = (long)(end % PORT_NS_PER_SEC),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		continue;
}

void **port_thread_slot(void)
{
	return &self.slot;
}
