/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Address spaces as the context switch sees them. Interrupts off. */
#ifndef RISCV64_SPACE_PRIV_H
#define RISCV64_SPACE_PRIV_H

#include "arch/mmu.h"

/*
 * Loads s (NULL: the kernel's root) into satp unless it is there. What it replaces waits for
 * space_drop.
 */
void space_switch(struct arch_space *s, unsigned hart);
/*
 * Puts the hart's reference to a replaced space; frees its tables if it was the last. No lock
 * held.
 */
void space_drop(unsigned hart);
void space_init_hart(unsigned hart);

#endif
