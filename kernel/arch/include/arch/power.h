/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The end of the machine's run. Any context. */
#ifndef ARCH_POWER_H
#define ARCH_POWER_H

#include "base/types.h"

/* status: QEMU's exit status (0..255); where the machine cannot tell it, it is lost. */
NORETURN void arch_power_off(int status);
NORETURN void arch_reboot(void);

/* Start-up: finds the machine's power control. */
void power_init(void);

#endif
