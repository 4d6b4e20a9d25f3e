/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#ifndef INIT_MAIN_H
#define INIT_MAIN_H

#include "base/attr.h"

/* Called by the boot code of hart 0 with page tables, memory and traps set up. */
NORETURN void kernel_main(void);

#endif
