/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Preemption: a thread may be taken off its hart at any interrupt unless its count is raised
 * or interrupts are off. Spinlocks raise it. preempt_enable reschedules if that was asked for
 * meanwhile.
 */
#ifndef SYNC_PREEMPT_H
#define SYNC_PREEMPT_H

#include "base/types.h"

void preempt_disable(void);
void preempt_enable(void);
/* May the current context sleep? (Preemptible, interrupts on, not in an interrupt.) */
bool preempt_may_sleep(void);

#endif
