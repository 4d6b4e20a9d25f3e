/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#ifndef INIT_MAIN_H
#define INIT_MAIN_H

/* Called by the boot code of hart 0 with page tables, memory and traps set up. Does not return. */
void kernel_main(void);
void init_thread(void *arg);

#endif
