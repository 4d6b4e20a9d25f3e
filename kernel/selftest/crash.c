/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Ways to make the kernel panic on purpose: boot argument crash=KIND. For tests of the panic
 * itself.
 */
#include "dev/fdt.h"
#include "lib/panic.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "selftest/selftest.h"
#include "sync/mutex.h"

static struct mutex low = MUTEX_INIT(low, LOCK_RANK_MM, "low");
static struct mutex high = MUTEX_INIT(high, LOCK_RANK_FS, "high");

/* Uses up the stack: each level keeps a buffer alive. */
static __attribute__((noinline)) unsigned dig(volatile unsigned depth)
{
	volatile char hole[256];

	memset((char *)(uintptr_t)hole, (int)depth, sizeof(hole));
	return depth == 0 ? 0 : dig(depth - 1) + (unsigned)hole[depth % sizeof(hole)];
}

static __attribute__((noinline)) unsigned smash(size_t n)
{
	volatile char small[16];
	volatile char *p = small;

	for (size_t i = 0; i < n; i++)
		p[i] = (char)i;
	return (unsigned)p[n / 8];
}

static __attribute__((noinline)) void touch(volatile uint64_t *p)
{
	*p = 1;
}

static __attribute__((noinline)) void take_in_wrong_order(void) NO_THREAD_SAFETY
{
	mutex_lock(&high);
	mutex_lock(&low);
	mutex_unlock(&low);
	mutex_unlock(&high);
}

void selftest_crash(void)
{
	char kind[16];

	if (!boot_arg("crash", kind, sizeof(kind)))
		return;
	if (strcmp(kind, "panic") == 0)
		panic("asked for by the command line");
	if (strcmp(kind, "null") == 0)
		touch((volatile uint64_t *)8);
	if (strcmp(kind, "text") == 0)
		touch((volatile uint64_t *)ALIGN_DOWN((uintptr_t)selftest_crash, (uintptr_t)8));
	if (strcmp(kind, "overflow") == 0)
		printk("%u\n", dig(100000));
	if (strcmp(kind, "smash") == 0)
		printk("%u\n", smash(64));
	if (strcmp(kind, "rank") == 0)
		take_in_wrong_order();
	panic("crash=%s: no such crash, or it did not happen", kind);
}
