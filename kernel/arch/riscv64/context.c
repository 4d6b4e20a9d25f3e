/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The machine part of a switch: FP registers, address space, instruction caches, kernel
 * mappings.
 *
 * FP-1  thread.fp is current whenever its thread does not run: saved at switch-out if FS is
 * dirty. FP-2  A hart's registers hold thread t's state if fp_owner[hart] == t and t->fp_hart
 * == hart + 1;
 *       otherwise switch-in loads them.
 * While the kernel runs FS is never off in sstatus; what the user gets stands in its frame.
 */
#include "arch/context.h"

#include "arch/fp.h"
#include "base/assert.h"
#include "csr.h"
#include "machine.h"
#include "space_priv.h"
#include "sync/preempt.h"

static struct thread *fp_owner[ARCH_MAX_HARTS]; /* each: its hart only, interrupts off */

_Static_assert(offsetof(struct thread, kstack_top) == THREAD_KSTACK_TOP, "assembly");
_Static_assert(offsetof(struct thread, trap_sp) == THREAD_TRAP_SP, "assembly");
_Static_assert(offsetof(struct thread, hart) == THREAD_HART, "assembly");

void arch_context_init(struct thread *t)
{
	t->ctx.ra = (uint64_t)context_begin;
	/* The user frame's place stays free: it can be filled before the thread runs. */
	t->ctx.sp = t->kstack_top - TRAP_FRAME_SIZE;
}

static void fp_save(struct thread *t)
{
	struct trap_frame *f = arch_user_frame(t);

	if ((f->status & SSTATUS_FS) != SSTATUS_FS_DIRTY)
		return;
	fp_store(t->fp);
	f->status = (f->status & ~(uint64_t)SSTATUS_FS) | SSTATUS_FS_CLEAN;
}

static void fp_restore(struct thread *t, unsigned hart)
{
	if (fp_owner[hart] == t && t->fp_hart == hart + 1)
		return; /* FP-2 */
	fp_fetch(t->fp);
	fp_owner[hart] = t;
	t->fp_hart = hart + 1;
}

void arch_fp_save(void)
{
	preempt_disable();
	if (current_thread()->fp)
		fp_save(current_thread());
	preempt_enable();
}

void arch_fp_load(void)
{
	struct thread *t = current_thread();
	struct trap_frame *f = arch_user_frame(t);
	unsigned long flags = arch_irq_save();

	f->status = (f->status & ~(uint64_t)SSTATUS_FS) | SSTATUS_FS_CLEAN;
	t->fp_hart = 0;
	fp_restore(t, this_hart());
	arch_irq_restore(flags);
}

void arch_fp_set(const struct fp_state *state)
{
	unsigned long flags = arch_irq_save();

	*current_thread()->fp = *state;
	arch_fp_load();
	arch_irq_restore(flags);
}

struct thread *arch_switch_to(struct thread *prev, struct thread *next)
{
	unsigned hart = this_hart();

	if (prev->fp)
		fp_save(prev);
	mmu_sync_kernel(hart);
	if (next->space) {
		space_switch(next->space, hart);
		/* Code written on another hart before the thread moved. */
		if (next->last_hart != hart + 1)
			arch_icache_sync_local();
	}
	next->last_hart = hart + 1;
	if (next->fp)
		fp_restore(next, hart);
	return context_switch(prev, next);
}

void arch_switch_finish(void)
{
	space_drop(this_hart());
}

void thread_set_space(struct arch_space *s)
{
	unsigned long flags = arch_irq_save();

	current_thread()->space = s;
	space_switch(s, this_hart());
	space_drop(this_hart());
	arch_irq_restore(flags);
}

struct trap_frame *arch_user_frame(struct thread *t)
{
	return (struct trap_frame *)(t->kstack_top - TRAP_FRAME_SIZE);
}

void arch_user_frame_init(struct trap_frame *f, uint64_t entry, uint64_t sp)
{
	*f = (struct trap_frame){0};
	f->epc = entry;
	f->x[TRAP_SP] = sp;
	f->status = SSTATUS_SPIE | SSTATUS_FS_INITIAL | SSTATUS_UXL_64;
}
