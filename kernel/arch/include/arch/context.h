/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The context switch: called by the scheduler only, interrupts off. */
#ifndef ARCH_CONTEXT_H
#define ARCH_CONTEXT_H

#include "base/types.h"

struct thread;

/* Prepares t->ctx so that the first switch to it calls sched_thread_begin. */
void arch_context_init(struct thread *t);
/* Saves prev, runs next; returns in next the thread that ran before. FP and satp included. */
struct thread *arch_switch_to(struct thread *prev, struct thread *next);
/* After it, with the run queue unlocked: drops what the last switch left behind. */
void arch_switch_finish(void);

#endif
