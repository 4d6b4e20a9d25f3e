/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The seeded scheduler: threads, time, and who runs next.
 *
 * Each simulated thread is a pthread that sleeps on its own semaphore, its baton. The running one
 * comes here at a scheduling point, chooses the next by the seed, posts that one's baton and waits for
 * its own. Everything else in the simulator is plain data of whoever has the baton; the semaphores
 * order the accesses (TSan agrees).
 *
 * Invariants
 *   SIM-1  exactly one thread is between sem_wait and sem_post: world.current.
 *   SIM-2  every decision is a function of the seed and of what the program did before; no address,
 *          host clock or host scheduler enters it.
 *   SIM-3  if no thread is runnable, time moves to the earliest deadline; without any, it is a deadlock.
 *
 * States of a thread: RUNNABLE -> WAITS_* or SLEEPS (sim_block) -> RUNNABLE (sim_wake) ... -> DONE
 * -> joined (freed). The policies differ in what they find: RANDOM with a strong bias to stay finds
 * orders that need few switches, PRIORITY finds those where one thread overtakes another by far
 * (its few random change points are what probabilistic concurrency testing uses).
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/errors.h"
#include "port/thread.h"
#include "port/time.h"
#include "sim/sim.h"
#include "sim_priv.h"

#define THREADS_MAX 256u
#define STEP_NS 1000u
#define LOOK_NS 10u
#define STEP_LIMIT 50000000u
#define EPOCH_NS ((int64_t)1000000000 * (int64_t)PORT_NS_PER_SEC)

static struct {
	bool made;
	uint64_t seed;
	struct sim_prng prng;
	uint64_t now;
	uint64_t steps;
	uint64_t step_limit;
	uint64_t hash; /* FNV-1a over (thread, time) of each switch */
	enum sim_policy policy;
	uint64_t stay;   /* RANDOM: stays in stay of 256 cases */
	uint64_t change; /* PRIORITY: a change point in one of that many cases */
	bool mischief;
	bool trace;
	bool yielded; /* the current thread would rather not be chosen */
	unsigned next_id;
	unsigned count; /* of threads[]; in order of creation */
	struct sim_thread *threads[THREADS_MAX];
	struct sim_thread *current;
} world;

static struct sim_thread first;
static _Thread_local struct sim_thread *me;

bool sim_have_world(void)
{
	return world.made;
}

void sim_need_world(void)
{
	if (!world.made)
		sim_init(0);
}

static void thread_reset(struct sim_thread *t, const char *name)
{
	memset(t, 0, sizeof(*t));
	sem_init(&t->baton, 0, 0);
	t->id = world.next_id++;
	strncpy(t->name, name, sizeof(t->name) - 1);
	t->deadline = UINT64_MAX;
	t->priority = sim_prng_next(&world.prng);
}

void sim_init(uint64_t seed)
{
	struct sim_prng root = sim_prng_of(seed);

	if (world.made && (world.count > 1 || me != &first))
		sim_fail("sim_init while other simulated threads exist");
	memset(&world, 0, sizeof(world));
	world.made = true;
	world.seed = seed;
	world.prng = sim_prng_split(&root, SIM_PURPOSE_SCHED);
	world.now = PORT_NS_PER_SEC;
	world.step_limit = STEP_LIMIT;
	world.hash = UINT64_C(0xcbf29ce484222325);
	world.policy = sim_prng_chance(&world.prng, 1, 3) ? SIM_POLICY_PRIORITY : SIM_POLICY_RANDOM;
	world.stay = sim_prng_below(&world.prng, 4) * 80;
	world.change = (uint64_t)1 << sim_prng_range(&world.prng, 3, 9);
	world.mischief = true;
	world.trace = getenv("SIM_TRACE") != NULL;
	me = &first;
	thread_reset(&first, "main");
	world.threads[world.count++] = &first;
	world.current = &first;
	sim_mem_reset(seed);
	sim_log_reset();
}

void sim_fini(void)
{
	struct sim_thread *self = sim_self();

	for (unsigned i = 0; i < world.count; i++) {
		if (world.threads[i] != self)
			sim_fail("thread %s was not joined", world.threads[i]->name);
	}
	if (self->held_count > 0)
		sim_fail("mutex %s is still held", self->held[0]->name);
	if (sim_mem_outstanding() > 0)
		sim_fail("%llu allocations (%llu bytes) were not freed",
			 (unsigned long long)sim_mem_outstanding(),
			 (unsigned long long)sim_mem_bytes());
}

struct sim_thread *sim_self(void)
{
	sim_need_world();
	if (!me || me != world.current)
		sim_fail("a thread that the simulator did not start calls the port");
	return me;
}

struct sim_thread *sim_thread_at(unsigned i)
{
	return i < world.count ? world.threads[i] : NULL;
}

struct sim_prng *sim_sched_prng(void)
{
	return &world.prng;
}

bool sim_mischief(void)
{
	return world.mischief && world.policy != SIM_POLICY_STAY;
}

uint64_t sim_seed(void)
{
	return world.seed;
}

struct sim_prng sim_stream(uint64_t purpose)
{
	struct sim_prng root;

	sim_need_world();
	root = sim_prng_of(world.seed);
	return sim_prng_split(&root, SIM_PURPOSE_TEST + purpose);
}

void sim_set_policy(enum sim_policy policy)
{
	sim_need_world();
	world.policy = policy;
}

void sim_set_mischief(bool on)
{
	sim_need_world();
	world.mischief = on;
}

void sim_set_step_limit(uint64_t steps)
{
	sim_need_world();
	world.step_limit = steps;
}

uint64_t sim_steps(void)
{
	return world.steps;
}

uint64_t sim_trace_hash(void)
{
	return world.hash;
}

/* --- Choosing --- */

void sim_wake(struct sim_thread *t, enum port_wait why)
{
	t->state = SIM_RUNNABLE;
	t->woke = why;
	t->deadline = UINT64_MAX;
}

static uint64_t earliest_deadline(void)
{
	uint64_t first_due = UINT64_MAX;

	for (unsigned i = 0; i < world.count; i++) {
		const struct sim_thread *t = world.threads[i];

		if (t->state == SIM_WAITS_COND || t->state == SIM_SLEEPS)
			first_due = MIN(first_due, t->deadline);
	}
	return first_due;
}

static void wake_due(void)
{
	for (unsigned i = 0; i < world.count; i++) {
		struct sim_thread *t = world.threads[i];

		if ((t->state == SIM_WAITS_COND || t->state == SIM_SLEEPS) &&
		    t->deadline <= world.now)
			sim_wake(t, PORT_WAIT_TIMEOUT);
	}
}

static void describe(const struct sim_thread *t)
{
	const char *holder = NULL;

	fprintf(stderr, "sim:   thread %u %s: ", t->id, t->name);
	switch (t->state) {
	case SIM_RUNNABLE:
		fprintf(stderr, "runnable");
		break;
	case SIM_WAITS_MUTEX:
		for (unsigned i = 0; i < world.count; i++) {
			if (atomic_load_explicit(&t->wait_mutex->owner, memory_order_relaxed) ==
			    (uintptr_t)world.threads[i])
				holder = world.threads[i]->name;
		}
		fprintf(stderr, "waits for mutex %s, held by %s", t->wait_mutex->name,
			holder ? holder : "nobody");
		break;
	case SIM_WAITS_COND:
		fprintf(stderr, "waits for a signal (condition used with mutex %s)",
			t->wait_mutex->name);
		break;
	case SIM_WAITS_JOIN:
		fprintf(stderr, "waits for thread %u %s to end", t->wait_thread->id,
			t->wait_thread->name);
		break;
	case SIM_SLEEPS:
		fprintf(stderr, "sleeps");
		break;
	case SIM_DONE:
		fprintf(stderr, "has ended");
		break;
	}
	for (unsigned i = 0; i < t->held_count; i++)
		fprintf(stderr, "%s %s", i ? "," : "; holds", t->held[i]->name);
	fprintf(stderr, "\n");
}

static NORETURN void fail_with_threads(const char *what)
{
	fprintf(stderr, "sim: threads at virtual time %llu ns:\n", (unsigned long long)world.now);
	for (unsigned i = 0; i < world.count; i++)
		describe(world.threads[i]);
	sim_fail("%s", what);
}

static struct sim_thread *nth_runnable(uint64_t n)
{
	for (unsigned i = 0; i < world.count; i++) {
		if (world.threads[i]->state == SIM_RUNNABLE && n-- == 0)
			return world.threads[i];
	}
	return NULL;
}

static struct sim_thread *highest_priority(void)
{
	struct sim_thread *best = NULL;

	for (unsigned i = 0; i < world.count; i++) {
		struct sim_thread *t = world.threads[i];

		if (t->state == SIM_RUNNABLE && (!best || t->priority > best->priority))
			best = t;
	}
	return best;
}

/* The next runnable one in order of creation, cur last. */
static struct sim_thread *runnable_after(const struct sim_thread *cur)
{
	unsigned at = 0;

	while (at < world.count && world.threads[at] != cur)
		at++;
	for (unsigned i = 1; i <= world.count; i++) {
		struct sim_thread *t = world.threads[(at + i) % world.count];

		if (t->state == SIM_RUNNABLE)
			return t;
	}
	return NULL;
}

static struct sim_thread *choose(unsigned runnable)
{
	struct sim_thread *cur = world.current;

	switch (world.policy) {
	case SIM_POLICY_STAY:
		if (cur->state == SIM_RUNNABLE && !world.yielded)
			return cur;
		return runnable_after(cur);
	case SIM_POLICY_RANDOM:
		if (cur->state == SIM_RUNNABLE && sim_prng_chance(&world.prng, world.stay, 256))
			return cur;
		return nth_runnable(sim_prng_below(&world.prng, runnable));
	case SIM_POLICY_PRIORITY:
		if (sim_prng_chance(&world.prng, 1, world.change))
			cur->priority = sim_prng_next(&world.prng);
		return highest_priority();
	}
	return nth_runnable(0);
}

static unsigned count_runnable(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < world.count; i++)
		n += world.threads[i]->state == SIM_RUNNABLE;
	return n;
}

/* The next thread to run (SIM-3). Moves time. */
static struct sim_thread *pick(void)
{
	uint64_t due = earliest_deadline();
	unsigned runnable;

	if (++world.steps > world.step_limit)
		fail_with_threads("livelock: more scheduling points than the limit");
	world.now += STEP_NS;
	if (due != UINT64_MAX && due > world.now && sim_mischief() &&
	    sim_prng_chance(&world.prng, 1, 256))
		world.now = due;
	wake_due();
	runnable = count_runnable();
	if (runnable == 0) {
		if (due == UINT64_MAX)
			fail_with_threads("deadlock: no thread can run");
		world.now = MAX(world.now, due);
		wake_due();
		runnable = count_runnable();
	}
	return choose(runnable);
}

static void note_switch(const struct sim_thread *next)
{
	world.hash = (world.hash ^ next->id) * UINT64_C(0x100000001b3);
	world.hash = (world.hash ^ world.now) * UINT64_C(0x100000001b3);
	if (world.trace)
		fprintf(stderr, "sim: step %llu: %s runs\n", (unsigned long long)world.steps,
			next->name);
}

static void wait_for_baton(struct sim_thread *self)
{
	while (sem_wait(&self->baton))
		continue; /* EINTR */
}

void sim_block(void)
{
	struct sim_thread *self = sim_self();
	struct sim_thread *next = pick();

	if (next == self)
		return;
	note_switch(next);
	world.current = next;
	sem_post(&next->baton);
	wait_for_baton(self);
}

void sim_point(void)
{
	sim_self();
	sim_block();
}

/* --- Time --- */

uint64_t port_now(void)
{
	sim_need_world();
	world.now += LOOK_NS;
	return world.now;
}

int64_t port_wallclock(void)
{
	return EPOCH_NS + (int64_t)port_now();
}

void sim_advance(uint64_t ns)
{
	sim_need_world();
	world.now += ns;
}

void port_thread_sleep(uint64_t ns)
{
	struct sim_thread *self = sim_self();

	self->state = SIM_SLEEPS;
	self->deadline = ns < UINT64_MAX - 1 - world.now ? world.now + ns : UINT64_MAX - 1;
	sim_block();
}

/* --- Threads --- */

static void *thread_main(void *arg)
{
	struct sim_thread *t = arg;
	struct sim_thread *next;

	me = t;
	wait_for_baton(t);
	t->fn(t->arg);
	if (t->held_count > 0)
		sim_fail("thread %s ends with mutex %s held", t->name, t->held[0]->name);
	t->state = SIM_DONE;
	for (unsigned i = 0; i < world.count; i++) {
		struct sim_thread *w = world.threads[i];

		if (w->state == SIM_WAITS_JOIN && w->wait_thread == t)
			sim_wake(w, PORT_WAIT_SIGNALED);
	}
	next = pick();
	note_switch(next);
	world.current = next;
	sem_post(&next->baton);
	return NULL;
}

static struct sim_thread *sim_of(const struct port_thread *t)
{
	return (struct sim_thread *)(uintptr_t)t->os[0];
}

int port_thread_create(struct port_thread *t, void (*fn)(void *arg), void *arg, const char *name)
{
	struct sim_thread *n;

	sim_self();
	if (sim_mem_refuses())
		return -PORT_ENOMEM;
	if (world.count == THREADS_MAX)
		sim_fail("more than %u threads", THREADS_MAX);
	n = malloc(sizeof(*n));
	if (!n)
		return -PORT_ENOMEM;
	thread_reset(n, name);
	n->fn = fn;
	n->arg = arg;
	if (pthread_create(&n->os, NULL, thread_main, n)) {
		sem_destroy(&n->baton);
		free(n);
		return -PORT_ENOMEM;
	}
	t->fn = fn;
	t->arg = arg;
	t->name = name;
	t->os[0] = (uintptr_t)n;
	world.threads[world.count++] = n;
	sim_point();
	return 0;
}

void port_thread_join(struct port_thread *t)
{
	struct sim_thread *self = sim_self();
	struct sim_thread *n = sim_of(t);
	unsigned i = 0;

	if (!n)
		sim_fail("join of a thread that was joined or never created");
	sim_point();
	while (n->state != SIM_DONE) {
		self->state = SIM_WAITS_JOIN;
		self->wait_thread = n;
		sim_block();
	}
	pthread_join(n->os, NULL);
	while (world.threads[i] != n)
		i++;
	world.count--;
	for (; i < world.count; i++)
		world.threads[i] = world.threads[i + 1];
	sem_destroy(&n->baton);
	free(n);
	t->os[0] = 0;
}

void port_thread_yield(void)
{
	struct sim_thread *self = sim_self();

	/* Who yields in a loop must let those through that it waits for. */
	for (unsigned i = 0; i < world.count; i++)
		self->priority = MIN(self->priority, world.threads[i]->priority);
	if (self->priority > 0)
		self->priority--;
	world.yielded = true;
	sim_block();
	world.yielded = false;
}

void **port_thread_slot(void)
{
	return &sim_self()->slot;
}

void sim_kill(struct port_thread *t)
{
	struct sim_thread *n = sim_of(t);

	n->killed = true;
	if (n->state == SIM_WAITS_COND && n->killable)
		sim_wake(n, PORT_WAIT_KILLED);
	sim_point();
}
