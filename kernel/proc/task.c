/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Memory and times of tasks and processes. A task is freed with its thread (on_free). */
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/cred.h"
#include "proc/proc_priv.h"
#include "sched/clock.h"
#include "vm/space.h"

struct proc_hooks proc_hooks;

static void task_free(struct thread *thread)
{
	struct task *t = thread->proc;

	cred_put(t->cred);
	if (t->process)
		process_put(t->process);
	mm_free(t);
}

struct task *task_create(const char *comm, void (*entry)(void *arg))
{
	struct task *t = mm_alloc(sizeof(*t), MM_ZERO);

	if (!t)
		return NULL;
	t->thread = thread_create(comm, entry, t);
	if (!t->thread) {
		mm_free(t);
		return NULL;
	}
	t->thread->proc = t;
	t->thread->on_free = task_free;
	t->thread->fp = &t->fp_area;
	list_init(&t->hash);
	list_init(&t->in_process);
	sigqueue_init(&t->pending);
	wait_init(&t->vfork_wait);
	t->altstack_flags = 2; /* SS_DISABLE */
	t->timer_slack = 50000;
	t->start_ns = clock_now();
	strlcpy(t->comm, comm, sizeof(t->comm));
	return t;
}

void task_discard(struct task *t)
{
	t->thread->space = NULL;
	thread_discard(t->thread);
}

struct process *process_create(void)
{
	struct process *p = mm_alloc(sizeof(*p), MM_ZERO);

	if (!p)
		return NULL;
	atomic_store_explicit(&p->refs, 1, memory_order_relaxed);
	list_init(&p->hash);
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->in_pgrp);
	list_init(&p->tasks);
	sigqueue_init(&p->shared);
	wait_init(&p->signal_wait);
	wait_init(&p->child_wait);
	wait_init(&p->task_wait);
	wait_init(&p->stop_wait);
	p->start_ns = clock_now();
	p->dumpable = 1;
	return p;
}

void process_put(struct process *p)
{
	if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	sighand_put(p->sighand);
	mm_free(p);
}

struct sighand *sighand_create(const struct sighand *from)
{
	struct sighand *s = mm_alloc(sizeof(*s), MM_ZERO);

	if (!s)
		return NULL;
	atomic_store_explicit(&s->refs, 1, memory_order_relaxed);
	if (from) {
		unsigned long flags = spin_lock_irqsave(&proc_lock);

		memcpy(s->actions, from->actions, sizeof(s->actions));
		spin_unlock_irqrestore(&proc_lock, flags);
	}
	return s;
}

void sighand_put(struct sighand *s)
{
	if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		mm_free(s);
}

uint64_t current_rlimit(enum rlimit_resource r)
{
	return current_process()->rlimits[r].cur;
}

uint64_t ticks_to_ns(uint64_t ticks)
{
	uint64_t mult;
	unsigned shift;

	clock_scale(&mult, &shift);
	return (uint64_t)((unsigned __int128)ticks * mult >> shift);
}

void task_times(const struct task *t, uint64_t *user_ns, uint64_t *system_ns)
{
	uint64_t total = thread_cpu_ticks(t->thread);
	uint64_t user = MIN(t->thread->user_ticks, total);

	*user_ns = ticks_to_ns(user);
	*system_ns = ticks_to_ns(total - user);
}

void times_add(struct proc_times *to, const struct proc_times *from)
{
	to->user_ns += from->user_ns;
	to->system_ns += from->system_ns;
	to->minor_faults += from->minor_faults;
	to->major_faults += from->major_faults;
	to->voluntary += from->voluntary;
	to->involuntary += from->involuntary;
	to->max_rss = MAX(to->max_rss, from->max_rss);
}

void process_times_locked(const struct process *p, struct proc_times *out)
{
	const struct task *t;

	*out = p->dead_times;
	list_for_each_entry (t, &p->tasks, struct task, in_process) {
		struct proc_times one = {.minor_faults = t->minor_faults,
					 .major_faults = t->major_faults};

		task_times(t, &one.user_ns, &one.system_ns);
		times_add(out, &one);
	}
}

void process_times(const struct process *p, struct proc_times *out)
{
	const struct task *t = current_task(); /* NULL: a timer's interrupt met an idle hart */

	process_times_locked(p, out);
	if (t && t->process == p && t->mm)
		out->max_rss = MAX(out->max_rss, t->mm->max_rss);
}

void task_own_times(struct proc_times *out)
{
	struct task *t = current_task();

	*out = (struct proc_times){.minor_faults = t->minor_faults,
				   .major_faults = t->major_faults,
				   .max_rss = t->mm->max_rss};
	task_times(t, &out->user_ns, &out->system_ns);
}
