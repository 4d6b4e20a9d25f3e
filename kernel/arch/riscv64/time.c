/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The timer interrupt: stimecmp (Sstc) where the hart lets us write it, else SBI calls. */
#include "arch/cpu.h"

#include "csr.h"
#include "dev/fdt.h"
#include "machine.h"
#include "sbi.h"

static bool have_sstc; /* const after time_init: all harts are alike */

uint64_t arch_timebase(void)
{
	return boot_info.timebase;
}

void time_init(void)
{
	have_sstc = probe_stimecmp() != 0;
}

bool time_has_sstc(void)
{
	return have_sstc;
}

void arch_timer_set(uint64_t ticks)
{
	if (have_sstc)
		__asm__ volatile("csrw 0x14d, %0" ::"r"(ticks) : "memory");
	else
		(void)sbi_call(SBI_EXT_TIME, 0, ticks, 0, 0);
}
