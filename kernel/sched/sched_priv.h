/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Between the files of sched, and the two functions that the context switch of arch provides. */
#ifndef SCHED_SCHED_PRIV_H
#define SCHED_SCHED_PRIV_H

#include "base/types.h"

struct thread;

/* Makes a NEW thread runnable. */
void sched_add_new(struct thread *t);
NORETURN void sched_exit(void);
/* First C function of a new thread, called by context_begin with interrupts off. */
NORETURN void sched_thread_begin(struct thread *last);

#endif
