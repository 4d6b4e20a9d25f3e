/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Life and death of threads (sched/thread.h). The structure comes from an object cache, the stack
 * from the guarded stack area; both go when the last reference is put.
 */
#include "sched/thread.h"

#include "arch/context.h"
#include "arch/vmap.h"
#include "base/assert.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/sched.h"
#include "sched/sched_priv.h"
#include "sync/preempt.h"

static struct mm_cache thread_cache;
static struct spinlock list_lock = SPINLOCK_INIT(LOCK_RANK_SPIN_SIGNAL);
static struct list all_threads = LIST_INIT(all_threads); /* lock: list_lock */
static _Atomic uint32_t next_id = 1;                     /* relaxed: unique is enough */

void thread_module_init(void)
{
	mm_cache_init(&thread_cache, "thread", sizeof(struct thread), 64);
}

void thread_prepare(struct thread *t, const char *name)
{
	strlcpy(t->name, name, sizeof(t->name));
	t->id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
	atomic_store_explicit(&t->refs, 1, memory_order_relaxed);
	atomic_store_explicit(&t->affinity, UINT64_MAX, memory_order_relaxed);
	wait_init(&t->exit_wait);
	list_init(&t->all);
}

struct thread *thread_create(const char *name, void (*entry)(void *arg), void *arg)
{
	struct thread *t = mm_cache_alloc(&thread_cache, MM_ZERO);
	void *top;

	if (!t)
		return NULL;
	top = arch_kstack_alloc();
	if (!top) {
		mm_cache_free(&thread_cache, t);
		return NULL;
	}
	thread_prepare(t, name);
	t->kstack_top = (uint64_t)top;
	t->entry = entry;
	t->arg = arg;
	atomic_store_explicit(&t->state, THREAD_NEW, memory_order_relaxed);
	arch_context_init(t);
	return t;
}

static void free_thread(struct thread *t)
{
	if (t->on_free)
		t->on_free(t);
	arch_kstack_free((void *)t->kstack_top);
	mm_cache_free(&thread_cache, t);
}

void thread_start(struct thread *t)
{
	KASSERT(atomic_load_explicit(&t->state, memory_order_relaxed) == THREAD_NEW);
	thread_get(t); /* the thread's own, given back by finish_switch after its end */
	spin_lock(&list_lock);
	list_add_tail(&all_threads, &t->all);
	spin_unlock(&list_lock);
	sched_add_new(t);
}

void thread_discard(struct thread *t)
{
	KASSERT(atomic_load_explicit(&t->state, memory_order_relaxed) == THREAD_NEW);
	free_thread(t);
}

static bool ended(const struct thread *t)
{
	return atomic_load_explicit(&t->ended, memory_order_acquire) != 0;
}

void thread_exit(void)
{
	struct thread *t = current_thread();

	KASSERT(t->preempt_count == 0 && t->held_count == 0);
	spin_lock(&list_lock);
	list_del(&t->all);
	spin_unlock(&list_lock);
	atomic_store_explicit(&t->ended, 1, memory_order_release);
	wait_wake_all(&t->exit_wait);
	sched_exit();
}

void thread_wait_dead(struct thread *t)
{
	WAIT_EVENT(&t->exit_wait, ended(t));
}

void thread_get(struct thread *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
}

void thread_put(struct thread *t)
{
	if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1)
		free_thread(t);
}

void thread_for_each(void (*fn)(struct thread *t, void *arg), void *arg)
{
	struct thread *t;

	spin_lock(&list_lock);
	list_for_each_entry (t, &all_threads, struct thread, all)
		fn(t, arg);
	spin_unlock(&list_lock);
}
