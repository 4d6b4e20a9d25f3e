/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Group stops. RUNNING -> STOPPING when a task takes a stop signal's default action; each task
 * parks on its way to user mode (or is already asleep in the kernel, is interrupted, and parks);
 * the last one makes it STOPPED and tells the parent. SIGCONT (or death) -> RUNNING.
 */
#include "proc/proc_priv.h"

void stop_begin_locked(struct process *p, int sig)
{
	struct task *t;

	if (p->stop == PROC_RUNNING) {
		p->stop = PROC_STOPPING;
		p->stop_signal = sig;
	}
	list_for_each_entry (t, &p->tasks, struct task, in_process)
		signal_recalc_locked(t);
}

void stop_check_locked(struct process *p)
{
	struct task *t;

	if (p->stop != PROC_STOPPING)
		return;
	list_for_each_entry (t, &p->tasks, struct task, in_process) {
		if (!t->stopped && !t->exited)
			return;
	}
	p->stop = PROC_STOPPED;
	p->stop_report = true;
	p->continue_report = false;
	notify_parent_locked(p, CLD_STOPPED);
}

void stop_continue_locked(struct process *p, bool report)
{
	bool was = p->stop != PROC_RUNNING;

	p->stop = PROC_RUNNING;
	p->stop_report = false;
	if (was && report) {
		p->continue_report = true;
		notify_parent_locked(p, CLD_CONTINUED);
	}
	wait_wake_all(&p->stop_wait);
}

static bool may_run(struct process *p)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	bool run = p->stop == PROC_RUNNING || p->exiting;

	spin_unlock_irqrestore(&proc_lock, flags);
	return run;
}

void stop_park(struct task *t)
{
	struct process *p = t->process;
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	if (p->stop == PROC_RUNNING || p->exiting) {
		spin_unlock_irqrestore(&proc_lock, flags);
		return;
	}
	t->stopped = true;
	stop_check_locked(p);
	spin_unlock_irqrestore(&proc_lock, flags);
	(void)WAIT_EVENT_UNTIL(&p->stop_wait, may_run(p), WAIT_FOREVER, WAIT_KILLABLE);
	flags = spin_lock_irqsave(&proc_lock);
	t->stopped = false;
	spin_unlock_irqrestore(&proc_lock, flags);
}
