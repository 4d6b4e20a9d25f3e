/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The simulator: an implementation of the port in which everything that a program can notice
 * (who runs when, the clock, random numbers, failing allocations, what a crash leaves) comes from one
 * seed. Link port_sim in place of port_posix. See docs/testing-simulator.md.
 *
 *	for (seed = ...) {
 *		sim_init(seed);
 *		... open a volume on a simulated disk (sim/disk.h), start threads, join them ...
 *		sim_fini();
 *	}
 *
 * The thread that calls sim_init is the first simulated thread; port_thread_create starts more. They are
 * real threads of which exactly one runs: the others wait for the baton, which changes hands at
 * the scheduling points only (mutex lock and unlock, condition wait, signal and broadcast, thread create,
 * join, yield, sleep, disk I/O). So plain variables of a test need no lock as long as no
 * scheduling point lies between. A program that never calls sim_init gets seed 0.
 *
 * Time is virtual: a scheduling point takes 1 us, a look at the clock 10 ns; when all threads sleep, time
 * jumps to the first deadline.
 *
 * What ends the program (a message with the seed, the last log lines, then abort): a deadlock, with who
 * waits for what; a lock out of rank, taken twice, or released by a stranger; a mutex or condition used
 * without init or destroyed in use; more scheduling points than the limit; what sim_fini finds.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "base/types.h"
#include "port/log.h"
#include "sim/prng.h"

struct port_thread;

/*
 * Starts the world over: time, random numbers, schedule, faults, counters. No other simulated
 * thread may exist. Allocations that are outstanding from before are no longer counted.
 */
void sim_init(uint64_t seed);
/*
 * Ends the program with a message unless every thread was joined, every mutex of the caller is released
 * and every port_alloc is freed. The world stays usable.
 */
void sim_fini(void);

uint64_t sim_seed(void);
/* A stream of random numbers for the test itself, by seed and purpose; independent of the world's. */
struct sim_prng sim_stream(uint64_t purpose);

/* Reports broken expectations of a test from any thread: message with the seed, then abort. */
NORETURN void sim_fail(const char *fmt, ...) PRINTF_LIKE(1, 2);
#define SIM_CHECK(x) ((x) ? (void)0 : sim_fail("%s:%d: check failed: %s", __FILE__, __LINE__, #x))

/* --- Schedule --- */

/* How the next thread is chosen at a scheduling point. sim_init draws one of these by seed. */
enum sim_policy {
	SIM_POLICY_RANDOM,   /* any runnable thread, with seeded bias to stay */
	SIM_POLICY_PRIORITY, /* random priorities that change at few random points */
	SIM_POLICY_STAY,     /* switch only where the thread must wait (for single-minded tests) */
};

void sim_set_policy(enum sim_policy policy);
/* Off: condition waits never wake without cause and time never jumps ahead of need. Default: on. */
void sim_set_mischief(bool on);
/* Scheduling points allowed since sim_init (default 50 million). */
void sim_set_step_limit(uint64_t steps);
uint64_t sim_steps(void);
/* A hash of all scheduling decisions and their times so far: equal means the same run. */
uint64_t sim_trace_hash(void);
/* A scheduling point of the test's own. */
void sim_point(void);
/* Marks t as being killed: its killable waits end with PORT_WAIT_KILLED from now on. */
void sim_kill(struct port_thread *t);
/* Lets time pass without others running. */
void sim_advance(uint64_t ns);

/* --- Memory --- */

/*
 * The nth allocation from now (1: the next) fails; thread creation counts as one. sticky: all
 * later ones as well. 0: none fails.
 */
void sim_mem_fail_at(uint64_t nth, bool sticky);
/* Each allocation fails in num of a million cases. */
void sim_mem_fail_chance(unsigned num);
/* Allocations asked for since sim_init; the bound for a loop over sim_mem_fail_at. */
uint64_t sim_mem_calls(void);
/* Allocations that failed on purpose since sim_init. */
uint64_t sim_mem_failures(void);
/* Allocations not freed, and their bytes (as the host counts them). */
uint64_t sim_mem_outstanding(void);
uint64_t sim_mem_bytes(void);
/* The most bytes that were outstanding at one time since sim_init. */
uint64_t sim_mem_peak(void);

/* --- Messages --- */

/*
 * port_log keeps the last lines in memory (they are printed by sim_fail) and prints a line at
 * once only up to the level in the environment variable SIM_LOG (0 error ... 3 debug; default
 * none). SIM_TRACE=1 prints each change of the running thread.
 */
/* Messages of a level since sim_init. */
uint64_t sim_log_count(enum port_log_level level);
/* Is text part of one of the last 64 lines? */
bool sim_log_has(const char *text);
/* Prints them to stderr. */
void sim_log_dump(void);

#endif
