/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Floating-point state of user threads. The kernel itself uses no FP registers.
 *
 * It is saved at switch-out if the user wrote FP registers since the last save (FS dirty), and
 * restored at switch-in unless the registers of this hart still hold it: never lazily across
 * harts. struct thread's fp member (allocated by the process layer, NULL for kernel threads)
 * is current whenever the thread does not run; for the running thread call arch_fp_save first.
 */
#ifndef ARCH_FP_H
#define ARCH_FP_H

#define ARCH_FP_SIZE 264

#ifndef __ASSEMBLER__
#include "base/types.h"

/* The layout of struct __riscv_d_ext_state: rt_sigframe and core files contain it. */
struct fp_state {
	uint64_t f[32];
	uint32_t fcsr;
	uint32_t pad;
};

_Static_assert(sizeof(struct fp_state) == ARCH_FP_SIZE, "assembly and the ABI know the size");

/* The current thread's registers to its fp state, if dirty (fork, signal frames). */
void arch_fp_save(void);
/* The current thread's fp state to the registers, before it enters user mode for the first time. */
void arch_fp_load(void);
/*
 * state becomes the current thread's (sigreturn, exec). One step: a switch in the middle would save
 * the registers over it.
 */
void arch_fp_set(const struct fp_state *state);
#endif

#endif
