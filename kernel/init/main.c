/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The order of start-up. kernel_main runs on the boot hart's first stack once memory works;
 * init_thread is the first real thread, with the scheduler, timers, all harts and devices running.
 */
#include "init/main.h"

#include "dev/device.h"
#include "lib/printf.h"
#include "sched/sched.h"
#include "sched/thread.h"

/*
 * What the layers above do at start, in this order. Each function may sleep and use everything that
 * stands above it here.
 */
static void (*const init_hooks[])(void) = {
	/* vfs_init, tmpfs, devfs, procfs ... */
	/* proc_init: installs arch_trap_install() and starts the first process */
	NULL,
};

void init_thread(void *arg)
{
	(void)arg;
	dev_init();
	for (size_t i = 0; i < ARRAY_SIZE(init_hooks) && init_hooks[i]; i++)
		init_hooks[i]();
}
