/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * From the first C function to kernel_main: device tree, memory, page tables, traps. The boot
 * hart runs on boot_stack as boot_thread, which becomes its idle thread.
 */
#include "arch/layout.h"
#include "base/types.h"
#include "csr.h"
#include "dev/fdt.h"
#include "dev/random.h"
#include "init/main.h"
#include "lib/panic.h"
#include "machine.h"
#include "port/log.h"
#include "sched/sched.h"
#include "space_priv.h"

extern char boot_stack_top[];

struct thread boot_thread;

/* The value that -fstack-protector functions check. */
uint64_t __stack_chk_guard = 0x5bd1e995a0b4c37d;
NORETURN void __stack_chk_fail(void);

void __stack_chk_fail(void)
{
	panic("stack smashed in the function that called this");
}

static void set_stack_guard(void)
{
	uint64_t v = __stack_chk_guard ^ arch_ticks();

	for (uint32_t i = 0; i < boot_info.rng_seed_len && i < 8; i++)
		v ^= (uint64_t)boot_info.rng_seed[i] << (8 * i);
	__stack_chk_guard = v & ~(uint64_t)0xff; /* a NUL byte stops string overruns */
}

/* No stack protector: the guard changes while it runs. */
__attribute__((no_stack_protector)) void boot_main(uint64_t hart_id, uint64_t dtb_pa)
{
	thread_prepare(&boot_thread, "idle");
	boot_thread.kstack_top = (uint64_t)boot_stack_top;
	if (!boot_info_read(arch_direct(dtb_pa), hart_id))
		panic("unusable device tree at %llx", (unsigned long long)dtb_pa);
	set_stack_guard();
	early_init();
	mmu_init();
	vmap_init();
	early_finish();
	thread_module_init();
	space_init_hart(0);
	if (trap_init_hart(0))
		panic("no memory for the interrupt stack");
	time_init();
	sched_init();
	kernel_main();
}
