/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The platform-level interrupt controller: each source has a priority, each hart a context with
 * enable bits, a threshold, and a claim register. All sources are enabled on all harts; whoever
 * claims first handles.
 */
#include "arch/cpu.h"
#include "arch/smp.h"
#include "arch/vmap.h"
#include "dev/fdt.h"
#include "dev/irq.h"
#include "lib/errno.h"
#include "lib/panic.h"
#include "sync/spinlock.h"

#define PLIC_ENABLE 0x2000u
#define PLIC_ENABLE_STRIDE 0x80u
#define PLIC_CONTEXT 0x200000u
#define PLIC_CONTEXT_STRIDE 0x1000u
#define PLIC_CLAIM 4u

struct irq_slot {
	void (*fn)(void *arg); /* written once, before the source is enabled */
	void *arg;
	_Atomic uint64_t count; /* relaxed */
};

static volatile uint8_t *plic; /* const after plic_init; NULL: none */
static struct irq_slot slots[IRQ_MAX];
static struct spinlock irq_lock = SPINLOCK_INIT(LOCK_RANK_SPIN_DEV);
static uint32_t enabled[IRQ_MAX / 32]; /* lock: irq_lock */
static uint64_t ready_harts;           /* lock: irq_lock */

static volatile uint32_t *reg(uint64_t off)
{
	return (volatile uint32_t *)(volatile void *)(plic + off);
}

static volatile uint32_t *context_reg(unsigned hart, uint32_t off)
{
	return reg(PLIC_CONTEXT + (uint64_t)boot_info.plic_context[hart] * PLIC_CONTEXT_STRIDE +
		   off);
}

/* Writes the enable words of a hart. */
static void apply(unsigned hart)
{
	uint64_t base = PLIC_ENABLE + (uint64_t)boot_info.plic_context[hart] * PLIC_ENABLE_STRIDE;

	for (uint32_t i = 0; i < ARRAY_SIZE(enabled); i++) {
		if (i * 32 <= boot_info.plic_sources)
			*reg(base + i * 4) = enabled[i];
	}
}

void plic_init(void)
{
	if (!boot_info.plic.base)
		panic("no interrupt controller (riscv,plic0) in the device tree");
	plic = (volatile uint8_t *)arch_ioremap(boot_info.plic.base, boot_info.plic.size);
	if (!plic)
		panic("no room for the registers of the PLIC");
	plic_init_hart(0);
}

void plic_init_hart(unsigned hart)
{
	unsigned long flags;

	if (!plic)
		return;
	flags = spin_lock_irqsave(&irq_lock);
	*context_reg(hart, 0) = 0; /* threshold */
	ready_harts |= (uint64_t)1 << hart;
	apply(hart);
	spin_unlock_irqrestore(&irq_lock, flags);
}

int irq_register(uint32_t irq, void (*fn)(void *arg), void *arg)
{
	unsigned long flags;

	if (irq == 0 || irq >= IRQ_MAX || irq > boot_info.plic_sources)
		return -ENOENT;
	flags = spin_lock_irqsave(&irq_lock);
	if (slots[irq].fn) {
		spin_unlock_irqrestore(&irq_lock, flags);
		return -EBUSY;
	}
	slots[irq].arg = arg;
	slots[irq].fn = fn;
	*reg(irq * 4) = 1; /* priority */
	enabled[irq / 32] |= 1u << irq % 32;
	for (unsigned h = 0; h < ARCH_MAX_HARTS; h++) {
		if (ready_harts >> h & 1)
			apply(h);
	}
	spin_unlock_irqrestore(&irq_lock, flags);
	return 0;
}

void plic_handle(unsigned hart)
{
	volatile uint32_t *claim = context_reg(hart, PLIC_CLAIM);
	uint32_t irq;

	while ((irq = *claim) != 0) {
		if (irq < IRQ_MAX && slots[irq].fn) {
			atomic_fetch_add_explicit(&slots[irq].count, 1, memory_order_relaxed);
			slots[irq].fn(slots[irq].arg);
		}
		*claim = irq;
	}
}

uint64_t irq_count(uint32_t irq)
{
	return irq < IRQ_MAX ? atomic_load_explicit(&slots[irq].count, memory_order_relaxed) : 0;
}
