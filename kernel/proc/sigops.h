/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* What the system calls do with signals. */
#ifndef PROC_SIGOPS_H
#define PROC_SIGOPS_H

#include "proc/signal.h"

struct cred;

/* act NULL: only asks. Signals that become ignored are dropped. */
void signal_set_action(int sig, const struct sigaction *act, struct sigaction *old);
/* Pending and blocked. */
sigset signal_pending_set(void);
/* Is one of set pending for the current task, blocked or not? */
bool signal_is_pending(sigset set);
/* Waits for one of set: its number, -EAGAIN (deadline), -EINTR. */
int signal_wait(sigset set, uint64_t deadline, struct siginfo *info) MUST_CHECK;
/* kill(2)'s pid; signal 0 only checks. -EINVAL, -ESRCH, -EPERM. */
int signal_kill(int pid, const struct siginfo *info) MUST_CHECK;
/* tgid 0: any. */
int signal_kill_thread(int tgid, int tid, const struct siginfo *info) MUST_CHECK;

#endif
