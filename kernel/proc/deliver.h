/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Signal state of the current task, for the system calls. */
#ifndef PROC_DELIVER_H
#define PROC_DELIVER_H

#include "proc/signal.h"

struct trap_frame;

/* Sets the blocked set (SIGKILL and SIGSTOP stay free). */
void signal_set_blocked(sigset mask);
/* rt_sigreturn: restores the registers; the value for a0. A bad frame sends SIGSEGV. */
long signal_return(struct trap_frame *f);
/* SS_ONSTACK, SS_DISABLE or 0, seen from stack pointer sp. */
int signal_altstack_get_flags(uint64_t sp) MUST_CHECK;

#endif
