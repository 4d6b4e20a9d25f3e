/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Traps after assembly has saved the registers.
 *
 * Interrupts run with interrupts off: from user mode on the thread's (empty) kernel stack,
 * from the kernel on the hart's interrupt stack. PREEMPT_IRQ in the thread's preempt count
 * marks them. After an interrupt of preemptible kernel code the thread may be switched.
 *
 * TRAP-1  The return to user mode checks the pending flags with interrupts off, after the last
 * point at
 *         which anything may have set them.
 */
#include "arch/trap.h"

#include "arch/fp.h"
#include "arch/vmap.h"
#include "base/assert.h"
#include "csr.h"
#include "dev/irq.h"
#include "lib/errno.h"
#include "lib/panic.h"
#include "machine.h"
#include "sched/sched.h"
#include "sync/preempt.h"

#define CAUSE_INTERRUPT (1ull << 63)
#define IRQ_SOFTWARE 1
#define IRQ_TIMER 5
#define IRQ_EXTERNAL 9
#define CAUSE_ECALL_U 8
#define CAUSE_FETCH_PAGE 12
#define CAUSE_LOAD_PAGE 13
#define CAUSE_STORE_PAGE 15

static uint64_t irq_stacks[ARCH_MAX_HARTS];  /* const after trap_init_hart */
static const struct trap_user_ops *user_ops; /* const after start */

void arch_trap_install(const struct trap_user_ops *ops)
{
	user_ops = ops;
}

int trap_init_hart(unsigned hart)
{
	void *top = arch_kstack_alloc();

	if (!top)
		return -ENOMEM;
	irq_stacks[hart] = (uint64_t)top;
	csr_write(sscratch, 0);
	csr_write(stvec, trap_entry);
	csr_clear(sstatus, SSTATUS_SUM | SSTATUS_FS);
	csr_set(sstatus, SSTATUS_FS_CLEAN);
	csr_write(scounteren, 7); /* user mode reads time (and the other counters, as on Linux) */
	csr_write(sie, SIE_SSIE | SIE_STIE | SIE_SEIE);
	return 0;
}

static void interrupt(void *arg)
{
	const struct trap_frame *f = arg;
	struct thread *t = arch_current();
	uint32_t base = t->held_base;

	t->preempt_count += PREEMPT_IRQ;
	t->held_base = t->held_count;
	switch (f->cause & ~CAUSE_INTERRUPT) {
	case IRQ_TIMER:
		sched_timer_interrupt(!(f->status & SSTATUS_SPP));
		break;
	case IRQ_SOFTWARE:
		smp_ipi();
		break;
	case IRQ_EXTERNAL:
		plic_handle(this_hart());
		break;
	default:
		panic_trap(f, "unknown interrupt %llu",
			   (unsigned long long)(f->cause & ~CAUSE_INTERRUPT));
	}
	t->held_base = base;
	t->preempt_count -= PREEMPT_IRQ;
}

static const char *cause_name(uint64_t cause)
{
	static const char *const names[] = {"misaligned fetch",
					    "fetch access fault",
					    "illegal instruction",
					    "breakpoint or trapped undefined behavior",
					    "misaligned load",
					    "load access fault",
					    "misaligned store",
					    "store access fault",
					    "call from user mode",
					    "call from the kernel",
					    "?",
					    "?",
					    "fetch page fault",
					    "load page fault",
					    "?",
					    "store page fault"};

	return cause < ARRAY_SIZE(names) ? names[cause] : "?";
}

/* A mapping of the kernel's own areas that this hart's TLB did not know yet (mmu.c). */
static bool spurious(const struct trap_frame *f)
{
	bool area = f->tval - ARCH_KSTACK_BASE < ARCH_KSTACK_AREA ||
		    f->tval - ARCH_VMAP_BASE < ARCH_VMAP_SIZE;

	if (!area || (f->cause != CAUSE_LOAD_PAGE && f->cause != CAUSE_STORE_PAGE) ||
	    !arch_kernel_pa((void *)f->tval))
		return false;
	arch_tlb_flush_page_local(f->tval);
	return true;
}

void trap_kernel(struct trap_frame *f)
{
	struct thread *t = arch_current();

	if (f->cause & CAUSE_INTERRUPT) {
		if (t->preempt_count < PREEMPT_IRQ)
			irq_stack_call(interrupt, f, irq_stacks[this_hart()]);
		else
			interrupt(f);
		if (t->preempt_count == 0 && thread_pending(t) & THREAD_RESCHED)
			sched_preempt();
		return;
	}
	if (spurious(f))
		return;
	panic_trap(f, "%s in the kernel at address %016llx", cause_name(f->cause),
		   (unsigned long long)f->tval);
}

static void user_exception(struct trap_frame *f)
{
	arch_irq_enable();
	switch (f->cause) {
	case CAUSE_ECALL_U:
		f->epc += 4;
		user_ops->syscall(f);
		break;
	case CAUSE_FETCH_PAGE:
		user_ops->page_fault(f, TRAP_EXEC);
		break;
	case CAUSE_LOAD_PAGE:
		user_ops->page_fault(f, TRAP_READ);
		break;
	case CAUSE_STORE_PAGE:
		user_ops->page_fault(f, TRAP_WRITE);
		break;
	default:
		user_ops->exception(f);
	}
	arch_irq_disable();
}

/* TRAP-1. Interrupts off on entry and return. */
static void prepare_return(struct trap_frame *f)
{
	struct thread *t = arch_current();
	uint32_t pending;

	KASSERT(t->preempt_count == 0);
	while (UNLIKELY((pending = thread_pending(t)) != 0)) {
		if (pending & THREAD_RESCHED)
			sched_preempt();
		if (pending & ~(uint32_t)THREAD_RESCHED) {
			arch_irq_enable();
			user_ops->user_return(f);
			arch_irq_disable();
		}
	}
}

void trap_user(struct trap_frame *f)
{
	if (f->cause & CAUSE_INTERRUPT)
		interrupt(f);
	else
		user_exception(f);
	prepare_return(f);
}

void arch_enter_user(void)
{
	struct trap_frame *f = arch_user_frame(arch_current());

	KASSERT(user_ops);
	arch_irq_disable();
	prepare_return(f);
	if (arch_current()->fp && (f->status & SSTATUS_FS) == SSTATUS_FS_INITIAL)
		arch_fp_load();
	trap_exit_to_user(f);
}

void trap_overflow(struct trap_frame *f)
{
	panic_trap(f, "kernel stack overflow in thread %s (stack %016llx..%016llx)",
		   arch_current()->name,
		   (unsigned long long)(arch_current()->kstack_top - ARCH_KSTACK_SIZE),
		   (unsigned long long)arch_current()->kstack_top);
}
