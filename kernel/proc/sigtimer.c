/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#include "proc/sigtimer.h"

#include "mm/slab.h"
#include "proc/proc_priv.h"

struct sigqueue_entry *sigtimer_entry_create(void)
{
	struct sigqueue_entry *e = mm_alloc(sizeof(*e), MM_ZERO);

	if (e) {
		list_init(&e->link);
		e->owned = true;
	}
	return e;
}

void sigtimer_entry_free(struct sigqueue_entry *e)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	list_del(&e->link);
	spin_unlock_irqrestore(&proc_lock, flags);
	mm_free(e);
}

struct siginfo *sigtimer_info(struct sigqueue_entry *e)
{
	return &e->info;
}

bool sigtimer_queued_locked(const struct sigqueue_entry *e)
{
	return !list_empty(&e->link);
}

void sigtimer_send_locked(struct process *p, int tid, const struct siginfo *info,
			  struct sigqueue_entry *e)
{
	struct task *t = NULL;

	if (tid) {
		t = task_find_locked(tid);
		if (!t || t->process != p)
			return;
	}
	signal_send_locked(p, t, info, e);
}
