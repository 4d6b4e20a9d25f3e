/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The runner and helpers of the kernel's own tests. */
#include "selftest/selftest.h"

#include "lib/printf.h"
#include "sched/clock.h"
#include "sched/thread.h"

#define MAX_PARALLEL 64

bool selftest_failed(const char *expr, const char *file, int line)
{
	printk("selftest: %s:%d: expected %s\n", file, line, expr);
	return false;
}

uint64_t selftest_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

bool selftest_parallel(unsigned n, void (*fn)(void *arg), void *arg, size_t stride)
{
	struct thread *threads[MAX_PARALLEL];
	unsigned made = 0;

	for (; made < n && made < MAX_PARALLEL; made++) {
		threads[made] = thread_create("selftest", fn, (char *)arg + made * stride);
		if (!threads[made])
			break;
		thread_start(threads[made]);
	}
	for (unsigned i = 0; i < made; i++) {
		thread_wait_dead(threads[i]);
		thread_put(threads[i]);
	}
	return made == n;
}

static unsigned run_group(const struct selftest *t, unsigned *total)
{
	unsigned failed = 0;

	for (; t->name; t++) {
		uint64_t start = clock_now();
		bool ok = t->run();

		printk("selftest: %-24s %s (%llu ms)\n", t->name, ok ? "ok" : "FAILED",
		       (unsigned long long)((clock_now() - start) / NS_PER_MS));
		failed += !ok;
		(*total)++;
	}
	return failed;
}

unsigned selftest_run(void)
{
	unsigned total = 0;
	unsigned failed = run_group(selftest_mem, &total);

	failed += run_group(selftest_sched, &total);
	failed += run_group(selftest_blk, &total);
	failed += run_group(selftest_char, &total);
	printk("selftest: %u passed, %u failed\n", total - failed, failed);
	return failed;
}
