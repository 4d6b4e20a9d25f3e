/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The goldfish RTC: nanoseconds since 1970; reading the low word latches the high one. */
#include "arch/vmap.h"
#include "dev/device.h"
#include "dev/fdt.h"

int64_t rtc_read(void)
{
	static volatile uint32_t *regs;
	uint64_t low;

	if (!boot_info.rtc.base)
		return 0;
	if (!regs)
		regs = (volatile uint32_t *)arch_ioremap(boot_info.rtc.base, boot_info.rtc.size);
	if (!regs)
		return 0;
	low = regs[0];
	return (int64_t)((uint64_t)regs[1] << 32 | low);
}
