/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Power-off and reset: the test finisher of QEMU's virt machine, which passes a status on, or
 * SBI.
 */
#include "arch/power.h"

#include "arch/console.h"
#include "arch/cpu.h"
#include "arch/smp.h"
#include "arch/vmap.h"
#include "dev/fdt.h"
#include "machine.h"
#include "sbi.h"

#define FINISHER_PASS 0x5555u
#define FINISHER_FAIL 0x3333u
#define FINISHER_RESET 0x7777u

static volatile uint32_t *finisher; /* set once at start; NULL: none */

void power_init(void)
{
	if (boot_info.finisher.base)
		finisher = (volatile uint32_t *)arch_ioremap(boot_info.finisher.base,
							     boot_info.finisher.size);
}

static NORETURN void end(uint32_t finish, unsigned long sbi_type)
{
	arch_irq_disable();
	arch_smp_stop();
	if (finisher)
		*finisher = finish;
	(void)sbi_call(SBI_EXT_SRST, 0, sbi_type, 0, 0);
	for (;;)
		arch_wait_for_interrupt();
}

void arch_power_off(int status)
{
	if (status == 0)
		end(FINISHER_PASS, 0);
	end(FINISHER_FAIL | (uint32_t)(status & 0xff) << 16, 0);
}

void arch_reboot(void)
{
	end(FINISHER_RESET, 1);
}

void arch_console_putchar(uint8_t c)
{
	(void)sbi_call(SBI_LEGACY_PUTCHAR, 0, c, 0, 0);
}
