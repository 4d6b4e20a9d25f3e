/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Starting harts, interrupts between them, and calls on other harts.
 *
 * A call: the caller fills one node for each target and pushes it on the target's list (a
 * lock-free stack), sends one SBI call for all of them, and waits with interrupts on until
 * each target has run its node. So two harts that call each other both make progress.
 *
 * SMP-1  A node is in use from push to done; only its caller reuses it, and a caller has one
 * call at a time
 *        (preemption is off while it waits, and interrupts do not call).
 */
#include "arch/smp.h"

#include "arch/vmap.h"
#include "base/assert.h"
#include "csr.h"
#include "dev/fdt.h"
#include "dev/irq.h"
#include "lib/panic.h"
#include "machine.h"
#include "mm/slab.h"
#include "port/log.h"
#include "sbi.h"
#include "sched/sched.h"
#include "space_priv.h"
#include "sync/preempt.h"

struct call {
	struct call *next;
	void (*fn)(void *arg);
	void *arg;
	_Atomic uint32_t done; /* release by the target, acquire by the caller */
};

struct hart_boot { /* known to entry.S */
	uint64_t stack_top;
	uint64_t thread;
	uint64_t satp;
};

struct hart_calls {
	struct call *_Atomic pending; /* release push, acquire take */
	_Atomic uint32_t stop;
	struct call out[ARCH_MAX_HARTS]; /* SMP-1 */
} ALIGNED(64);

static struct hart_calls calls[ARCH_MAX_HARTS];
static _Atomic uint64_t online = 1; /* release by a starting hart */
static struct hart_boot boots[ARCH_MAX_HARTS];
extern uint64_t hart_starting; /* entry.S */

unsigned arch_hart_count(void)
{
	uint64_t mask = atomic_load_explicit(&online, memory_order_acquire);
	unsigned n = 0;

	while (mask >> n & 1)
		n++;
	return n;
}

uint64_t arch_harts_online(void)
{
	return atomic_load_explicit(&online, memory_order_acquire);
}

static uint64_t sbi_mask(uint64_t harts)
{
	uint64_t mask = 0;

	for (unsigned h = 0; h < ARCH_MAX_HARTS; h++) {
		if (harts >> h & 1)
			mask |= (uint64_t)1 << boot_info.hart_ids[h];
	}
	return mask;
}

void arch_ipi_resched(unsigned hart)
{
	sbi_send_ipi(sbi_mask((uint64_t)1 << hart));
}

void arch_smp_call(uint64_t mask, void (*fn)(void *arg), void *arg)
{
	unsigned self;
	uint64_t others;
	unsigned long flags;

	KASSERT(arch_irqs_enabled() && !(current_thread()->preempt_count & ~(PREEMPT_IRQ - 1)));
	preempt_disable();
	self = this_hart();
	others = mask & ~((uint64_t)1 << self) & arch_harts_online();
	for (unsigned h = 0; h < ARCH_MAX_HARTS; h++) {
		struct call *c = &calls[self].out[h];

		if (!(others >> h & 1))
			continue;
		c->fn = fn;
		c->arg = arg;
		atomic_store_explicit(&c->done, 0, memory_order_relaxed);
		c->next = atomic_load_explicit(&calls[h].pending, memory_order_relaxed);
		while (!atomic_compare_exchange_weak_explicit(&calls[h].pending, &c->next, c,
							      memory_order_acq_rel,
							      memory_order_relaxed)) {
		}
	}
	if (others)
		sbi_send_ipi(sbi_mask(others));
	if (mask >> self & 1) {
		flags = arch_irq_save();
		fn(arg);
		arch_irq_restore(flags);
	}
	for (unsigned h = 0; h < ARCH_MAX_HARTS; h++) {
		while (others >> h & 1 &&
		       !atomic_load_explicit(&calls[self].out[h].done, memory_order_acquire))
			arch_relax();
	}
	preempt_enable();
}

void smp_ipi(void)
{
	struct hart_calls *mine = &calls[this_hart()];
	struct call *c;

	csr_clear(sip, SIE_SSIE);
	if (atomic_load_explicit(&mine->stop, memory_order_acquire)) {
		for (;;)
			arch_wait_for_interrupt();
	}
	c = atomic_exchange_explicit(&mine->pending, NULL, memory_order_acq_rel);
	while (c) {
		struct call *next = c->next;

		c->fn(c->arg);
		atomic_store_explicit(&c->done, 1, memory_order_release);
		c = next;
	}
}

void arch_smp_stop(void)
{
	uint64_t others = arch_harts_online() & ~((uint64_t)1 << this_hart());

	for (unsigned h = 0; h < ARCH_MAX_HARTS; h++)
		atomic_store_explicit(&calls[h].stop, others >> h & 1, memory_order_release);
	if (others)
		sbi_send_ipi(sbi_mask(others));
}

static bool start_hart(unsigned h)
{
	struct thread *t = mm_alloc(sizeof(*t), MM_ZERO);
	void *stack = arch_kstack_alloc();
	uint64_t pa = (uint64_t)secondary_start - ARCH_KERNEL_BASE + ARCH_KERNEL_PHYS;
	struct sbi_ret r;

	if (!t || !stack)
		return false;
	thread_prepare(t, "idle");
	t->kstack_top = (uint64_t)stack;
	sched_adopt_hart(h, t);
	boots[h] = (struct hart_boot){(uint64_t)stack, (uint64_t)t, mmu_kernel_satp()};
	hart_starting = (uint64_t)&boots[h] - ARCH_KERNEL_BASE + ARCH_KERNEL_PHYS;
	atomic_thread_fence(memory_order_seq_cst); /* before the hart can run */
	r = sbi_call(SBI_EXT_HSM, 0, boot_info.hart_ids[h], pa, hart_starting);
	if (r.error)
		return false;
	for (uint64_t end = arch_ticks() + arch_timebase(); arch_ticks() < end;) {
		if (arch_harts_online() >> h & 1)
			return true;
		arch_relax();
	}
	return false;
}

void smp_start_others(void)
{
	for (unsigned h = 1; h < boot_info.hart_count; h++) {
		if (!start_hart(h)) {
			port_log(PORT_LOG_WARN, "hart %llu does not start; going on with %u",
				 (unsigned long long)boot_info.hart_ids[h], h);
			boot_info.hart_count = h;
			break;
		}
	}
}

void secondary_main(void)
{
	unsigned hart = this_hart();

	space_init_hart(hart);
	if (trap_init_hart(hart))
		panic("no memory for hart %u", hart);
	plic_init_hart(hart);
	/* release: all of the above is visible to whoever sees the bit */
	atomic_fetch_or_explicit(&online, (uint64_t)1 << hart, memory_order_acq_rel);
	arch_irq_enable();
	sched_start_hart();
}
