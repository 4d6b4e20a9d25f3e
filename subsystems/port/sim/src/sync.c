/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * port/sync.h in the simulator. A mutex is its owner field: the baton makes it exclusive. Waiters are
 * found by walking the threads; a release makes all of them runnable and the schedule decides, as
 * does a signal among those that wait, because neither order is promised.
 *
 * All rules are checked in every build: init before use, ranks, owner, nothing destroyed in use.
 */
#include "port/sync.h"

#include <string.h>

#include "sim/sim.h"
#include "sim_priv.h"

#define MUTEX_MAGIC UINT64_C(0x6d757465786f6b21)
#define COND_MAGIC UINT64_C(0x636f6e646f6b2121)

static struct sim_thread *owner_of(const struct port_mutex *m)
{
	return (struct sim_thread *)atomic_load_explicit(&m->owner, memory_order_relaxed);
}

static void set_owner(struct port_mutex *m, struct sim_thread *t)
{
	atomic_store_explicit(&m->owner, (uintptr_t)t, memory_order_relaxed);
}

static void check_mutex(const struct port_mutex *m)
{
	if (m->os[0] != MUTEX_MAGIC)
		sim_fail("a mutex is used before init or after fini");
}

static void check_cond(const struct port_cond *c)
{
	if (c->os[0] != COND_MAGIC)
		sim_fail("a condition is used before init or after fini");
}

void port_mutex_init(struct port_mutex *m, enum lock_rank rank, const char *name)
{
	sim_need_world();
	memset(m->os, 0, sizeof(m->os));
	m->os[0] = MUTEX_MAGIC;
	atomic_init(&m->owner, 0);
	m->rank = rank;
	m->name = name;
}

void port_mutex_fini(struct port_mutex *m)
{
	const struct sim_thread *t;

	check_mutex(m);
	if (owner_of(m))
		sim_fail("mutex %s is destroyed while %s holds it", m->name, owner_of(m)->name);
	for (unsigned i = 0; (t = sim_thread_at(i)) != NULL; i++) {
		if (t->state == SIM_WAITS_MUTEX && t->wait_mutex == m)
			sim_fail("mutex %s is destroyed while %s waits for it", m->name, t->name);
	}
	m->os[0] = 0;
}

static void check_rank(const struct sim_thread *self, const struct port_mutex *m, const char *what)
{
	if (m->rank == LOCK_RANK_NONE)
		return;
	for (unsigned i = 0; i < self->held_count; i++) {
		const struct port_mutex *h = self->held[i];

		if (h != m && h->rank >= m->rank)
			sim_fail("lock order: %s %s (rank %d) while holding %s (rank %d)", what,
				 m->name, (int)m->rank, h->name, (int)h->rank);
	}
}

static void take(struct sim_thread *self, struct port_mutex *m)
{
	if (self->held_count == SIM_HELD_MAX)
		sim_fail("%s: a thread holds more than %d mutexes", m->name, SIM_HELD_MAX);
	set_owner(m, self);
	self->held[self->held_count++] = m;
}

static void wait_and_take(struct sim_thread *self, struct port_mutex *m)
{
	while (owner_of(m)) {
		self->state = SIM_WAITS_MUTEX;
		self->wait_mutex = m;
		sim_block();
		check_mutex(m);
	}
	take(self, m);
}

static void release(struct sim_thread *self, struct port_mutex *m, const char *what)
{
	struct sim_thread *t;

	if (owner_of(m) != self)
		sim_fail("%s %s: the calling thread does not hold it", what, m->name);
	for (unsigned i = self->held_count; i-- > 0;) {
		if (self->held[i] == m) {
			self->held[i] = self->held[--self->held_count];
			break;
		}
	}
	set_owner(m, NULL);
	for (unsigned i = 0; (t = sim_thread_at(i)) != NULL; i++) {
		if (t->state == SIM_WAITS_MUTEX && t->wait_mutex == m)
			sim_wake(t, PORT_WAIT_SIGNALED);
	}
}

void port_mutex_lock(struct port_mutex *m) NO_THREAD_SAFETY
{
	struct sim_thread *self = sim_self();

	check_mutex(m);
	if (owner_of(m) == self)
		sim_fail("lock %s: the calling thread holds it already", m->name);
	check_rank(self, m, "lock");
	sim_point();
	wait_and_take(self, m);
}

bool port_mutex_trylock(struct port_mutex *m) NO_THREAD_SAFETY
{
	struct sim_thread *self = sim_self();

	check_mutex(m);
	sim_point();
	if (owner_of(m))
		return false;
	take(self, m);
	return true;
}

void port_mutex_unlock(struct port_mutex *m) NO_THREAD_SAFETY
{
	check_mutex(m);
	release(sim_self(), m, "unlock");
	sim_point();
}

bool port_mutex_held(const struct port_mutex *m)
{
	return owner_of(m) == sim_self();
}

void port_cond_init(struct port_cond *c)
{
	sim_need_world();
	memset(c->os, 0, sizeof(c->os));
	c->os[0] = COND_MAGIC;
}

static unsigned waiters_of(const struct port_cond *c)
{
	const struct sim_thread *t;
	unsigned n = 0;

	for (unsigned i = 0; (t = sim_thread_at(i)) != NULL; i++)
		n += t->state == SIM_WAITS_COND && t->wait_cond == c;
	return n;
}

void port_cond_fini(struct port_cond *c)
{
	check_cond(c);
	if (waiters_of(c) > 0)
		sim_fail("a condition is destroyed while a thread waits for it");
	c->os[0] = 0;
}

enum port_wait port_cond_wait_until(struct port_cond *c, struct port_mutex *m, uint64_t deadline,
				    bool killable)
{
	struct sim_thread *self = sim_self();
	enum port_wait why;

	check_cond(c);
	check_mutex(m);
	check_rank(self, m, "wait with");
	release(self, m, "wait with");
	self->killable = killable;
	if (killable && self->killed) {
		self->woke = PORT_WAIT_KILLED;
	} else if (sim_mischief() && sim_prng_chance(sim_sched_prng(), 1, 64)) {
		self->woke = PORT_WAIT_SIGNALED; /* the spurious wake-up that the contract allows */
	} else {
		self->state = SIM_WAITS_COND;
		self->wait_cond = c;
		self->wait_mutex = m;
		self->deadline = deadline;
	}
	sim_block();
	why = self->woke;
	self->killable = false;
	wait_and_take(self, m);
	return why;
}

void port_cond_wait(struct port_cond *c, struct port_mutex *m)
{
	(void)port_cond_wait_until(c, m, UINT64_MAX, false);
}

void port_cond_signal(struct port_cond *c)
{
	unsigned n;
	struct sim_thread *t;

	check_cond(c);
	sim_self();
	n = waiters_of(c);
	if (n > 0) {
		uint64_t chosen = sim_prng_below(sim_sched_prng(), n);

		for (unsigned i = 0; (t = sim_thread_at(i)) != NULL; i++) {
			if (t->state == SIM_WAITS_COND && t->wait_cond == c && chosen-- == 0) {
				sim_wake(t, PORT_WAIT_SIGNALED);
				break;
			}
		}
	}
	sim_point();
}

void port_cond_broadcast(struct port_cond *c)
{
	struct sim_thread *t;

	check_cond(c);
	sim_self();
	for (unsigned i = 0; (t = sim_thread_at(i)) != NULL; i++) {
		if (t->state == SIM_WAITS_COND && t->wait_cond == c)
			sim_wake(t, PORT_WAIT_SIGNALED);
	}
	sim_point();
}
