/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* What the simulator's files tell each other. */
#ifndef SIM_PRIV_H
#define SIM_PRIV_H

#include <pthread.h>
#include <semaphore.h>

#include "port/sync.h"

/* Purposes of the world's random streams. */
enum sim_purpose {
	SIM_PURPOSE_SCHED = 1,
	SIM_PURPOSE_RANDOM,
	SIM_PURPOSE_MEM,
	SIM_PURPOSE_TEST = 1000,
};

enum sim_state {
	SIM_RUNNABLE,
	SIM_WAITS_MUTEX,
	SIM_WAITS_COND,
	SIM_WAITS_JOIN,
	SIM_SLEEPS,
	SIM_DONE,
};

#define SIM_HELD_MAX 32

/* One simulated thread. Only whoever has the baton reads or writes any of them. */
struct sim_thread {
	unsigned id; /* 0: the one that called sim_init */
	char name[16];
	sem_t baton;
	pthread_t os;
	void (*fn)(void *arg);
	void *arg;
	void *slot;

	enum sim_state state;
	const struct port_mutex
		*wait_mutex;               /* SIM_WAITS_MUTEX; also what a condition wait gave up */
	const struct port_cond *wait_cond; /* SIM_WAITS_COND */
	struct sim_thread *wait_thread;    /* SIM_WAITS_JOIN */
	uint64_t deadline;                 /* of SIM_WAITS_COND and SIM_SLEEPS; UINT64_MAX: none */
	enum port_wait woke;               /* why the last wait ended */
	bool killable;
	bool killed;

	uint64_t priority; /* SIM_POLICY_PRIORITY */
	unsigned held_count;
	const struct port_mutex *held[SIM_HELD_MAX];
};

/* Makes the world if the program has not (seed 0). */
void sim_need_world(void);
/* Is there a world yet? For messages. */
bool sim_have_world(void);

/* The calling thread, which has the baton. Makes the world if need be. */
struct sim_thread *sim_self(void);
/* All threads that are not joined; NULL-terminated walk by index. */
struct sim_thread *sim_thread_at(unsigned i);
/* The scheduler's stream, for decisions of the other files. */
struct sim_prng *sim_sched_prng(void);
bool sim_mischief(void);
/* Gives the baton away until the calling thread, whose state is set, is chosen again. */
void sim_block(void);
/* Ends a wait. */
void sim_wake(struct sim_thread *t, enum port_wait why);

void sim_mem_reset(uint64_t seed);
void sim_log_reset(void);
/* Does the next allocation fail on purpose? Counts it. */
bool sim_mem_refuses(void);

#endif
