/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Traps: the saved registers and the table by which the layers above take part.
 *
 * A trap from user mode saves all integer registers at the top of the thread's kernel stack
 * (arch_user_frame(t)); the return path runs user_return whenever the thread has a pending flag
 * (sched/thread.h), with interrupts enabled, until none is left. Faults of the kernel itself are
 * bugs and panic: user memory is never accessed through user addresses (sstatus.SUM stays 0).
 */
#ifndef ARCH_TRAP_H
#define ARCH_TRAP_H

#define TRAP_FRAME_SIZE 288 /* sizeof(struct trap_frame), for assembly */

#ifndef __ASSEMBLER__
#include "base/types.h"

struct thread;

struct trap_frame {
	uint64_t x[32]; /* x[0] is not used; x[2] = sp, x[10..17] = a0..a7 */
	uint64_t epc;
	uint64_t status; /* sstatus: FS holds the state of the FP registers */
	uint64_t cause;
	uint64_t tval;
};

_Static_assert(sizeof(struct trap_frame) == TRAP_FRAME_SIZE, "assembly knows the size");

enum trap_x { TRAP_RA = 1, TRAP_SP = 2, TRAP_GP = 3, TRAP_TP = 4, TRAP_A0 = 10, TRAP_A7 = 17 };

enum trap_access { TRAP_READ, TRAP_WRITE, TRAP_EXEC };

/* Exceptions of user mode that are not system calls or page faults (values of scause). */
enum trap_cause {
	TRAP_FETCH_MISALIGNED = 0,
	TRAP_FETCH_ACCESS = 1,
	TRAP_ILLEGAL = 2,
	TRAP_BREAKPOINT = 3,
	TRAP_LOAD_MISALIGNED = 4,
	TRAP_LOAD_ACCESS = 5,
	TRAP_STORE_MISALIGNED = 6,
	TRAP_STORE_ACCESS = 7,
};

/*
 * Installed once at start by kernel/proc. All run in thread context, interrupts enabled, on the
 * kernel stack of the current thread; they may sleep.
 */
struct trap_user_ops {
	/*
	 * ecall; epc already points behind it. Arguments x[10..15], number x[17], result to
	 * x[10].
	 */
	void (*syscall)(struct trap_frame *f);
	/* Page fault at f->tval. Delivers a signal itself if it cannot be resolved. */
	void (*page_fault)(struct trap_frame *f, enum trap_access access);
	/* Any other exception (f->cause is one of enum trap_cause). */
	void (*exception)(struct trap_frame *f);
	/* Before the return to user mode while pending flags other than RESCHED are set. */
	void (*user_return)(struct trap_frame *f);
};

void arch_trap_install(const struct trap_user_ops *ops);

/* The frame of t's last entry from user mode (valid while a user thread is in the kernel). */
struct trap_frame *arch_user_frame(struct thread *t);

/* A frame for the first entry: entry point and stack pointer, FS initial, all else zero. */
void arch_user_frame_init(struct trap_frame *f, uint64_t entry, uint64_t sp);

/* Enters user mode with the current thread's arch_user_frame. The end of a user thread's main. */
NORETURN void arch_enter_user(void);
#endif

#endif
