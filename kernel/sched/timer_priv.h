/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The timers' side towards the scheduler, which owns the hart's timer interrupt. */
#ifndef SCHED_TIMER_PRIV_H
#define SCHED_TIMER_PRIV_H

#include "base/types.h"

void timer_module_init(void);
/*
 * Runs what is due on this hart; the next deadline in nanoseconds (UINT64_MAX: none).
 * Interrupts off.
 */
uint64_t timer_run_due(void);
/* Makes sure that this hart gets its timer interrupt at ns or before. Interrupts off. */
void timer_program(uint64_t ns);
/*
 * At the end of the timer interrupt: programs ns whatever was programmed before (UINT64_MAX:
 * none). The interrupt stays pending until this is done.
 */
void timer_rearm(uint64_t ns);

#endif
