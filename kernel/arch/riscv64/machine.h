/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * What the files of this folder share. Nothing outside includes it.
 */
#ifndef RISCV64_MACHINE_H
#define RISCV64_MACHINE_H

#include "arch/layout.h"
#include "arch/mmu.h"
#include "arch/trap.h"
#include "sched/thread.h"

extern char image_start[], image_rodata[], image_data[], image_end[];
extern arch_pte boot_root[512];

/* vectors.S, fp.S */
void trap_entry(void);
NORETURN void trap_exit_to_user(struct trap_frame *f);
void irq_stack_call(void (*fn)(void *), void *arg, uint64_t top);
struct thread *context_switch(struct thread *prev, struct thread *next);
void context_begin(void);
int probe_stimecmp(void) MUST_CHECK;
void fp_store(struct fp_state *s);
void fp_fetch(const struct fp_state *s);
void secondary_start(void);

/* Called from assembly. */
void trap_kernel(struct trap_frame *f);
void trap_user(struct trap_frame *f);
NORETURN void trap_overflow(struct trap_frame *f);
NORETURN void boot_main(uint64_t hart_id, uint64_t dtb_pa);
NORETURN void secondary_main(void);

/* The boot context of hart 0: later its idle thread. */
extern struct thread boot_thread;

/* Sets up this hart's trap-related state: stacks, FP on, interrupts enabled in sie. */
int trap_init_hart(unsigned hart) MUST_CHECK;

/* early.c: memory before the page allocator. */
void early_init(void);
uint64_t early_alloc(size_t bytes); /* physical, page aligned, zeroed; panics if there is none */
void early_finish(void);            /* hands the rest to the page allocator */

/* mmu.c */
void mmu_init(void);
uint64_t mmu_kernel_satp(void);
/* Maps a kernel page (KSTACK or VMAP area, whose owner serializes): 0 or -ENOMEM. */
int mmu_map_kernel(uint64_t va, uint64_t pa, unsigned prot) MUST_CHECK;
/* After a batch of new mappings: this hart sees them at once, others from their next switch on. */
void mmu_kernel_mapped(void);
/* Clears one: what was mapped, or 0. Flush (arch_tlb_shootdown_kernel) before it is reused. */
uint64_t mmu_unmap_kernel(uint64_t va);
/* Makes new kernel mappings certain to be seen by this hart: called at each switch. */
void mmu_sync_kernel(unsigned hart);
/* From here on tables come from the page allocator. */
void mmu_allocator_ready(void);

/* vmap.c */
void vmap_init(void); /* needs early_alloc */

/* time.c */
void time_init(void);
bool time_has_sstc(void);

/* smp.c */

void smp_ipi(void);

static inline unsigned this_hart(void)
{
	return atomic_load_explicit(&arch_current()->hart, memory_order_relaxed);
}

#endif
