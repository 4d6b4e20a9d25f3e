/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * One hart: interrupts on and off, the current thread, time. All any context.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include "base/types.h"

struct thread;

#define ARCH_SSTATUS_SIE 2ul

/* The running thread: register tp, so it is right even if the thread moves to another hart. */
static inline struct thread *arch_current(void)
{
	struct thread *t;

	__asm__("mv %0, tp" : "=r"(t));
	return t;
}

/* Disables interrupts; returns what arch_irq_restore takes. */
static inline unsigned long arch_irq_save(void)
{
	unsigned long s;

	__asm__ volatile("csrrci %0, sstatus, 2" : "=r"(s)::"memory");
	return s & ARCH_SSTATUS_SIE;
}

static inline void arch_irq_restore(unsigned long flags)
{
	__asm__ volatile("csrs sstatus, %0" ::"r"(flags) : "memory");
}

static inline void arch_irq_enable(void)
{
	__asm__ volatile("csrsi sstatus, 2" ::: "memory");
}

static inline void arch_irq_disable(void)
{
	__asm__ volatile("csrci sstatus, 2" ::: "memory");
}

static inline bool arch_irqs_enabled(void)
{
	unsigned long s;

	__asm__ volatile("csrr %0, sstatus" : "=r"(s)::"memory");
	return (s & ARCH_SSTATUS_SIE) != 0;
}

/* Sleeps until an interrupt is pending, also when interrupts are disabled. */
static inline void arch_wait_for_interrupt(void)
{
	__asm__ volatile("wfi" ::: "memory");
}

/* In a spin loop. (The pause hint, an encoding that is a no-op where it is unknown.) */
static inline void arch_relax(void)
{
	__asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" ::: "memory");
}

/* The free-running counter of arch_timebase() ticks a second; the same on all harts. */
static inline uint64_t arch_ticks(void)
{
	uint64_t t;

	__asm__ volatile("rdtime %0" : "=r"(t));
	return t;
}

/* Ticks a second, from the device tree; const after boot. */
uint64_t arch_timebase(void);

/* Asks for a timer interrupt on this hart when arch_ticks() reaches ticks (UINT64_MAX: never). */
void arch_timer_set(uint64_t ticks);

/* Makes code that this hart wrote, or that another hart wrote and this one has seen, executable. */
static inline void arch_icache_sync_local(void)
{
	__asm__ volatile("fence.i" ::: "memory");
}

#endif
