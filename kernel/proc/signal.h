/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Signals: numbers, the Linux layouts, sending. docs/kernel/signals.md has the whole story.
 * Sending works in any context; everything about queues and actions is under proc_lock.
 */
#ifndef PROC_SIGNAL_H
#define PROC_SIGNAL_H

#include "base/list.h"
#include "base/types.h"

struct task;
struct process;
struct trap_frame;

enum {
	SIGHUP = 1,
	SIGINT,
	SIGQUIT,
	SIGILL,
	SIGTRAP,
	SIGABRT,
	SIGBUS,
	SIGFPE,
	SIGKILL,
	SIGUSR1,
	SIGSEGV,
	SIGUSR2,
	SIGPIPE,
	SIGALRM,
	SIGTERM,
	SIGSTKFLT,
	SIGCHLD,
	SIGCONT,
	SIGSTOP,
	SIGTSTP,
	SIGTTIN,
	SIGTTOU,
	SIGURG,
	SIGXCPU,
	SIGXFSZ,
	SIGVTALRM,
	SIGPROF,
	SIGWINCH,
	SIGIO,
	SIGPWR,
	SIGSYS,
	SIGRTMIN = 32,
	NSIG = 64,
};

/* Signal n is bit n - 1. */
typedef uint64_t sigset;
#define SIGBIT(n) ((sigset)1 << ((n)-1))

/* si_code */
enum {
	SI_USER = 0,
	SI_KERNEL = 0x80,
	SI_QUEUE = -1,
	SI_TIMER = -2,
	SI_MESGQ = -3,
	SI_ASYNCIO = -4,
	SI_SIGIO = -5,
	SI_TKILL = -6,
	ILL_ILLOPC = 1,
	FPE_INTDIV = 1,
	SEGV_MAPERR = 1,
	SEGV_ACCERR = 2,
	BUS_ADRALN = 1,
	BUS_ADRERR = 2,
	TRAP_BRKPT = 1,
	CLD_EXITED = 1,
	CLD_KILLED = 2,
	CLD_DUMPED = 3,
	CLD_TRAPPED = 4,
	CLD_STOPPED = 5,
	CLD_CONTINUED = 6,
};

/* The first 48 bytes of Linux's siginfo_t; the other 80 are zero. */
struct siginfo {
	int32_t signo;
	int32_t err;
	int32_t code;
	int32_t pad;
	union {
		struct {
			int32_t pid;
			uint32_t uid;
			uint64_t value;
		} rt; /* kill uses pid and uid */
		struct {
			int32_t id;
			int32_t overrun;
			uint64_t value;
			int32_t private;
		} timer;
		struct {
			int32_t pid;
			uint32_t uid;
			int32_t status;
			int32_t pad;
			int64_t utime;
			int64_t stime;
		} chld;
		struct {
			uint64_t addr;
		} fault;
		struct {
			int64_t band;
			int32_t fd;
		} poll;
	};
};

#define SIGINFO_SIZE 128
_Static_assert(sizeof(struct siginfo) == 48, "prefix of siginfo_t");

/* struct kernel_sigaction of riscv64: no restorer. */
struct sigaction {
	uint64_t handler; /* SIG_DFL, SIG_IGN or an address */
	uint64_t flags;
	sigset mask;
};

#define SIG_DFL 0
#define SIG_IGN 1

enum {
	SA_NOCLDSTOP = 1,
	SA_NOCLDWAIT = 2,
	SA_SIGINFO = 4,
	SA_ONSTACK = 0x08000000,
	SA_RESTART = 0x10000000,
	SA_NODEFER = 0x40000000,
};
#define SA_RESETHAND 0x80000000u

/* An information block for a signal from the kernel itself. */
static inline struct siginfo siginfo_kernel(int sig)
{
	return (struct siginfo){.signo = sig, .code = SI_KERNEL};
}

/* Sends to one thread, to a process, by any context. Ignored signals vanish. */
void signal_send_task(struct task *t, const struct siginfo *info);
void signal_send_process(struct process *p, const struct siginfo *info);
/*
 * As a terminal sends: from the kernel, without permission checks. False: no such group. Any
 * context.
 */
bool signal_kernel_pgrp(int pgid, int sig);
/* The same for one process. */
bool signal_kernel_pid(int pid, int sig);

/*
 * Sends a signal that the current thread caused (fault, SIGPIPE ...) to itself. If it is
 * blocked or ignored and force is set, the default action is taken.
 */
void signal_self(const struct siginfo *info, bool force);
/* SIGPIPE and the like: a thread-directed signal with code SI_USER from the process itself. */
void signal_self_sig(int sig);

/* Is a signal pending that would end an interruptible wait of the current thread? */
bool signal_pending(void);
/* Has it been told to die? */
bool signal_killed(void);

/*
 * Job control, for the terminal. Does the current thread block or its process ignore sig?
 * (SIGTTIN, SIGTTOU.)
 */
bool signal_blocked_or_ignored(int sig);

/*
 * ppoll, pselect, sigsuspend: sets the blocked set until the system call ends. The old one
 * comes back on the return to user mode: if a handler runs, after it.
 */
void signal_set_temp_mask(sigset mask);
/* The call ended without a signal: restores the old one at once. */
void signal_restore_temp_mask(void);

#endif
