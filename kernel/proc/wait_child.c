/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* wait4 and waitid: a child of this process (of any of its threads) that changed its state. */
#include "proc/wait_child.h"

#include "lib/errno.h"
#include "proc/proc_priv.h"

static bool matches(const struct process *c, enum wait_which which, int id, unsigned options)
{
	bool clone = c->exit_signal != SIGCHLD;

	switch (which) {
	case WAIT_PID:
		if (c->pid != id)
			return false;
		break;
	case WAIT_PGRP:
		if (!c->pgrp || c->pgrp->id != id)
			return false;
		break;
	case WAIT_ANY:
		break;
	}
	return (options & (unsigned)WALL) || clone == ((options & (unsigned)WCLONE) != 0);
}

/* Is c's state one that is asked for? Fills out and (unless WNOWAIT) consumes the event. */
static bool event_locked(struct process *c, unsigned options, struct wait_result *out)
{
	bool keep = (options & WNOWAIT) != 0;

	out->pid = c->pid;
	if (c->zombie && (options & WEXITED)) {
		out->status = c->exit_code;
		out->code = (c->exit_code & 0x7f) ? CLD_KILLED : CLD_EXITED;
		return true;
	}
	if (c->stop == PROC_STOPPED && c->stop_report && (options & WUNTRACED)) {
		out->status = (uint32_t)c->stop_signal << 8 | 0x7f;
		out->code = CLD_STOPPED;
		c->stop_report = keep;
		return true;
	}
	if (c->continue_report && (options & WCONTINUED)) {
		out->status = 0xffff;
		out->code = CLD_CONTINUED;
		c->continue_report = keep;
		return true;
	}
	return false;
}

/* The children of its own and how they did become the parent's. */
static void reap_times_locked(struct process *parent, const struct process *c)
{
	times_add(&parent->child_times, &c->dead_times);
	times_add(&parent->child_times, &c->child_times);
}

/* -EAGAIN: there are children, but nothing to tell. */
static int try_wait(enum wait_which which, int id, unsigned options, struct wait_result *out)
{
	struct process *p = current_process(), *c, *reaped = NULL;
	int err = -ECHILD;
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	list_for_each_entry (c, &p->children, struct process, sibling) {
		if (!matches(c, which, id, options))
			continue;
		err = -EAGAIN;
		if (!event_locked(c, options, out))
			continue;
		err = 0;
		process_times_locked(c, &out->times);
		times_add(&out->times, &c->child_times);
		out->uid = c->last_uid;
		if (out->code <= CLD_DUMPED && !(options & WNOWAIT)) {
			reap_times_locked(p, c);
			process_reap_locked(c);
			reaped = c;
		}
		break;
	}
	spin_unlock_irqrestore(&proc_lock, flags);
	if (reaped)
		process_put(reaped);
	return err;
}

int wait_child(enum wait_which which, int id, unsigned options, struct wait_result *out)
{
	struct process *p = current_process();
	int res, err;

	if (which == WAIT_PGRP && id == 0)
		id = current_pgid();
	*out = (struct wait_result){0};
	err = WAIT_EVENT_UNTIL(&p->child_wait,
			       (res = try_wait(which, id, options, out)) != -EAGAIN ||
				       (options & WNOHANG),
			       WAIT_FOREVER, WAIT_INTERRUPTIBLE);
	if (err)
		return -ERESTARTSYS;
	if (res == -EAGAIN) {
		*out = (struct wait_result){0};
		return 0;
	}
	return res;
}
