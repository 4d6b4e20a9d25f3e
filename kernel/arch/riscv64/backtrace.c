/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Frame records as gcc and clang lay them out: return address at fp - 8, caller's fp at fp - 16. */
#include "arch/backtrace.h"

#include "machine.h"

#define MAX_FRAMES 32

/* Is fp inside this thread's stack, an interrupt or overflow stack (all in the kernel's areas)? */
static bool plausible(uint64_t fp)
{
	bool area = fp - ARCH_KSTACK_BASE < ARCH_KSTACK_AREA ||
		    (fp >= (uint64_t)image_data && fp <= (uint64_t)image_end);

	return area && fp % 8 == 0 && arch_kernel_pa((void *)(fp - 16)) &&
	       arch_kernel_pa((void *)(fp - 8));
}

void arch_backtrace(uint64_t fp, void (*fn)(uint64_t pc, void *arg), void *arg)
{
	for (unsigned i = 0; i < MAX_FRAMES && plausible(fp); i++) {
		uint64_t pc = *(const uint64_t *)(fp - 8);
		uint64_t up = *(const uint64_t *)(fp - 16);

		if (pc < (uint64_t)image_start || pc >= (uint64_t)image_rodata)
			return;
		fn(pc, arg);
		if (up == fp)
			return;
		fp = up;
	}
}
