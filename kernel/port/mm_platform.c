/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The page allocator's way into the kernel (mm_platform.h), and the background reclaim thread. */
#include "mm_platform.h"

#include "arch/vmap.h"
#include "lib/panic.h"
#include "mm/page.h"
#include "port/reclaim.h"
#include "sched/clock.h"
#include "sched/sched.h"
#include "sched/thread.h"
#include "sync/preempt.h"

#define RECLAIM_BATCH 64
#define PAUSE_NS (20 * NS_PER_MS)

static struct wait_queue reclaim_wait = WAIT_QUEUE_INIT(reclaim_wait);
static _Atomic uint32_t reclaim_wanted; /* release by allocators, acquire by the thread */

void *mm_platform_vmalloc(size_t size)
{
	return arch_vmalloc(size);
}

void mm_platform_vfree(void *p)
{
	arch_vfree(p);
}

bool mm_platform_is_vmalloc(const void *p)
{
	return arch_is_vmap(p);
}

size_t mm_platform_vmalloc_size(const void *p)
{
	return arch_vmalloc_size(p);
}

bool mm_platform_may_reclaim(void)
{
	return preempt_may_sleep();
}

void mm_platform_wake_reclaim(void)
{
	if (atomic_exchange_explicit(&reclaim_wanted, 1, memory_order_acq_rel) == 0)
		wait_wake_all(&reclaim_wait);
}

static void reclaim_thread(void *arg)
{
	(void)arg;
	for (;;) {
		WAIT_EVENT(&reclaim_wait,
			   atomic_load_explicit(&reclaim_wanted, memory_order_acquire));
		while (mm_low() && mm_reclaim_slow(RECLAIM_BATCH) > 0) {
		}
		/* Not at once again: if nothing could be freed, others must run first. */
		(void)sched_sleep_until(clock_now() + PAUSE_NS, WAIT_UNINTERRUPTIBLE);
		atomic_store_explicit(&reclaim_wanted, 0, memory_order_release);
	}
}

void reclaim_start(void)
{
	struct thread *t = thread_create("reclaim", reclaim_thread, NULL);

	if (!t)
		panic("no memory for the reclaim thread");
	thread_start(t);
	thread_put(t);
}
