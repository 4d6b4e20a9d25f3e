/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Threads of the kernel: what the scheduler needs, and slots for the layers above.
 *
 * Life: thread_create (NEW) -> thread_start (RUNNING) -> thread_exit (DEAD) -> thread_put by
 * the last holder frees it. thread_create gives the caller one reference; the thread itself
 * holds another until it is off its hart for the last time.
 */
#ifndef SCHED_THREAD_H
#define SCHED_THREAD_H

#include <stdatomic.h>

#include "arch/cpu.h"
#include "arch/layout.h"
#include "base/list.h"
#include "lib/heap.h"
#include "sync/wait.h"

struct arch_space;
struct fp_state;
struct spinlock;

/* Pending flags: looked at on each return to user mode and by interruptible waits. */
enum thread_flag {
	THREAD_RESCHED = 1, /* the scheduler's own */
	THREAD_SIGNAL = 2,  /* a signal is to be handled: ends interruptible waits */
	THREAD_KILLED = 4,  /* it will not return to user mode: ends killable waits too */
	THREAD_WORK = 8,    /* other work before the return to user mode (user_return) */
};

enum thread_state {
	THREAD_RUNNING, /* on a hart or in a run queue */
	THREAD_SLEEPING,
	THREAD_SLEEPING_KILLABLE,
	THREAD_SLEEPING_INTERRUPTIBLE,
	THREAD_NEW,
	THREAD_DEAD,
};

#define THREAD_NAME_LEN 16
#define THREAD_MAX_HELD 24

struct thread_context {
	uint64_t ra, sp, s[12];
};

struct thread {
	/* Known to assembly (arch/riscv64/asm_offsets.h). */
	struct thread_context ctx;
	uint64_t kstack_top;      /* const after create */
	uint64_t trap_sp;         /* scratch of the trap entry */
	_Atomic uint32_t pending; /* enum thread_flag bits */
	_Atomic uint32_t hart;    /* where it runs, waits or last ran; lock: its run queue's */
	uint32_t preempt_count;   /* owner thread only */

	/* Scheduler. lock: run queue of .hart */
	_Atomic uint32_t state; /* enum thread_state; set to a sleeping state by itself */
	bool on_queue;          /* runs or is queued */
	bool idle;              /* const */
	int8_t nice;            /* -20..19: thread_set_nice */
	struct heap_node rq_node;
	uint64_t vruntime;
	uint64_t run_start;        /* ticks when it got the hart */
	uint64_t run_ticks;        /* total, up to run_start: thread_cpu_time */
	_Atomic uint64_t affinity; /* mask of harts: thread_set_affinity */

	/* References and end. */
	_Atomic uint32_t refs;
	struct wait_queue exit_wait;
	_Atomic uint32_t ended; /* release by itself, acquire by waiters */
	uint32_t fp_hart;       /* 1 + the hart whose registers held fp last */
	uint32_t last_hart;     /* 1 + the hart it ran on last; 0: none yet */

	/* For the port (subsystems/port). owner thread only */
	void *port_slot;

	/* Lock checks (debug builds). owner thread only */
	uint32_t held_count;
	uint32_t held_base; /* locks below belong to the interrupted context */
	struct {
		const void *lock;
		uint32_t rank;
	} held[THREAD_MAX_HELD];

	/* Owned by the process layer. */
	struct fp_state *fp;      /* NULL: kernel thread */
	struct arch_space *space; /* NULL: kernel thread, borrows; changed by thread_set_space */
	void *proc;
	uint64_t user_ticks;               /* time in user mode, sampled at the scheduler's tick */
	void (*on_free)(struct thread *t); /* called once with the last reference; must not sleep */

	void (*entry)(void *arg);
	void *arg;
	char name[THREAD_NAME_LEN];
	struct list all; /* lock: list of all threads */
	uint32_t id;     /* unique, for messages */
};

static inline struct thread *current_thread(void)
{
	return arch_current();
}

/*
 * A thread that will run entry(arg) on its own kernel stack and ends when that returns. It
 * does not run before thread_start. NULL: no memory. May sleep. The caller gets a reference.
 */
struct thread *thread_create(const char *name, void (*entry)(void *arg), void *arg) MUST_CHECK;
/* Makes it runnable, on this hart's queue. Once. */
void thread_start(struct thread *t);
/* A created thread that was never started: frees it (takes the caller's reference). */
void thread_discard(struct thread *t);

NORETURN void thread_exit(void);
/* Waits until t is dead (not a reference count: the caller still holds one). */
void thread_wait_dead(struct thread *t);

/* Start-up: the cache; the fields of a thread that is not from thread_create (idle threads). */
void thread_module_init(void);
void thread_prepare(struct thread *t, const char *name);

void thread_get(struct thread *t);
/* Any context except under a run-queue lock. */
void thread_put(struct thread *t);

/*
 * Sets pending flags and ends a wait that they interrupt; a running thread on another hart re-
 * enters the kernel. Any context.
 */
void thread_interrupt(struct thread *t, uint32_t flags);
static inline void thread_clear_pending(struct thread *t, uint32_t flags)
{
	atomic_fetch_and_explicit(&t->pending, ~flags, memory_order_acq_rel);
}
static inline uint32_t thread_pending(const struct thread *t)
{
	return atomic_load_explicit(&t->pending, memory_order_acquire);
}

/* exec, exit: the current thread's space from now on. The old one is not put. */
void thread_set_space(struct arch_space *s);

void thread_set_nice(struct thread *t, int nice);
/*
 * Mask of allowed harts (at least one online). Moves the current thread at once, another when
 * it next sleeps.
 */
void thread_set_affinity(struct thread *t, uint64_t mask);
/* Ticks on a hart so far (including the current slice), of which in user mode (a snapshot). */
uint64_t thread_cpu_ticks(const struct thread *t);

/* Calls fn for every thread under the list's spinlock: fn must not sleep. */
void thread_for_each(void (*fn)(struct thread *t, void *arg), void *arg);

#endif
