/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The order of start-up. kernel_main runs on the boot hart's first stack once memory works;
 * init_thread is the first real thread, with the scheduler, timers, all harts and devices
 * running.
 */
#include "init/main.h"

#include "arch/power.h"
#include "arch/smp.h"
#include "dev/console.h"
#include "dev/device.h"
#include "dev/fdt.h"
#include "dev/irq.h"
#include "lib/panic.h"
#include "lib/printf.h"
#include "mm/page.h"
#include "port/log.h"
#include "port/reclaim.h"
#include "sched/sched.h"
#include "sched/thread.h"
#include "init/userland.h"
#include "selftest/selftest.h"

/*
 * What the layers above do at start, in this order. Each may sleep and use everything that
 * stands above it here; one line each.
 */
static void (*const init_hooks[])(void) = {
	userland_start,
	NULL,
};

static void say_hello(void)
{
	struct mm_stats mm;

	mm_stats_get(&mm);
	port_log(PORT_LOG_INFO, "Alien OS on %u harts, %llu MiB of memory, %llu MiB free, %s",
		 arch_hart_count(), (unsigned long long)mm.total_pages / 256,
		 (unsigned long long)mm.free_pages / 256, boot_info.isa);
}

static void init_thread(void *arg)
{
	(void)arg;
	power_init();
	plic_init();
	uart_init();
	smp_start_others();
	reclaim_start();
	dev_init();
	say_hello();
	selftest_crash();
	if (boot_flag("selftest"))
		arch_power_off(selftest_run() ? 1 : 0);
	for (size_t i = 0; i < ARRAY_SIZE(init_hooks) && init_hooks[i]; i++)
		init_hooks[i]();
	if (!init_hooks[0])
		arch_power_off(0);
}

void kernel_main(void)
{
	struct thread *t;

	t = thread_create("init", init_thread, NULL);
	if (!t)
		panic("no memory for the first thread");
	thread_start(t);
	thread_put(t);
	arch_irq_enable();
	sched_start_hart();
}
