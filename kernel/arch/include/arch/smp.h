/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Other harts. Hart numbers are logical: 0 is the boot hart, 1.. in device-tree order. */
#ifndef ARCH_SMP_H
#define ARCH_SMP_H

#include "base/types.h"

/* How many run (const once init is in user mode) and the mask of them. */
unsigned arch_hart_count(void);
uint64_t arch_harts_online(void);

/* Makes another hart look at its run queue. Any context. */
void arch_ipi_resched(unsigned hart);

/*
 * Runs fn(arg) on the harts of mask (the caller's too if it is in it) with interrupts off, and
 * waits for all of them. Interrupts enabled, not from an interrupt. fn must not sleep.
 */
void arch_smp_call(uint64_t mask, void (*fn)(void *arg), void *arg);

/* Start-up: the other harts of the device tree. Thread context. */
void smp_start_others(void);

/* Stops all other harts for good (panic, power-off). Does not wait long. Any context. */
void arch_smp_stop(void);

#endif
