/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* A byte to the firmware's console, before there is a driver. */
#ifndef ARCH_CONSOLE_H
#define ARCH_CONSOLE_H

#include "base/types.h"

void arch_console_putchar(uint8_t c);

#endif
