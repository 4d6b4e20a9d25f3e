/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* External interrupts (PLIC). Handlers run in interrupt context with interrupts off. */
#ifndef DEV_IRQ_H
#define DEV_IRQ_H

#include "base/types.h"

#define IRQ_MAX 128

/* Registers a handler and enables the source (on all harts). -ENOENT, -EBUSY. Thread context. */
int irq_register(uint32_t irq, void (*fn)(void *arg), void *arg) MUST_CHECK;
/* Interrupts taken so far (for /proc/interrupts). */
uint64_t irq_count(uint32_t irq);

/* Machine layer. */
void plic_init(void);
void plic_init_hart(unsigned hart);
void plic_handle(unsigned hart);

#endif
