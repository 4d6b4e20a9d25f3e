/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Actions, waiting for signals, and kill with its permissions. */
#include "proc/sigops.h"

#include "lib/errno.h"
#include "proc/proc_priv.h"

void signal_set_action(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct process *p = current_process();
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	*old = p->sighand->actions[sig - 1];
	if (act) {
		p->sighand->actions[sig - 1] = *act;
		if (signal_ignored_locked(p, sig)) {
			struct task *t;

			sigqueue_flush_locked(&p->shared, SIGBIT(sig));
			list_for_each_entry (t, &p->tasks, struct task, in_process)
				sigqueue_flush_locked(&t->pending, SIGBIT(sig));
		}
	}
	spin_unlock_irqrestore(&proc_lock, flags);
}

sigset signal_pending_set(void)
{
	struct task *t = current_task();
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	sigset set = (t->pending.set | t->process->shared.set) & t->blocked;

	spin_unlock_irqrestore(&proc_lock, flags);
	return set;
}

bool signal_is_pending(sigset set)
{
	struct task *t = current_task();
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	bool any = ((t->pending.set | t->process->shared.set) & set) != 0;

	spin_unlock_irqrestore(&proc_lock, flags);
	return any;
}

static int try_take(struct task *t, sigset set, struct siginfo *info)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	int sig = signal_dequeue_locked(t, ~set, info);

	spin_unlock_irqrestore(&proc_lock, flags);
	return sig;
}

int signal_wait(sigset set, uint64_t deadline, struct siginfo *info)
{
	struct task *t = current_task();
	int sig = 0, err;
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	t->sigwait = set;
	spin_unlock_irqrestore(&proc_lock, flags);
	err = WAIT_EVENT_UNTIL(&t->process->signal_wait, (sig = try_take(t, set, info)) != 0,
			       deadline, WAIT_INTERRUPTIBLE);
	flags = spin_lock_irqsave(&proc_lock);
	t->sigwait = 0;
	spin_unlock_irqrestore(&proc_lock, flags);
	if (err && !sig)
		sig = try_take(t, set, info); /* the sender interrupts us as well */
	if (sig)
		return sig;
	return err == -ETIMEDOUT ? -EAGAIN : -EINTR;
}

static bool may_signal_locked(const struct process *p, int sig)
{
	const struct cred *me = current_cred(), *c;
	const struct task *t;

	if (p == current_process() || capable(CAP_KILL) || list_empty(&p->tasks))
		return true;
	t = list_first(&p->tasks, struct task, in_process);
	c = t->cred;
	if (me->euid == c->suid || me->euid == c->uid || me->uid == c->suid || me->uid == c->uid)
		return true;
	return sig == SIGCONT && p->pgrp && current_process()->pgrp &&
	       p->pgrp->session == current_process()->pgrp->session;
}

static int send_one(struct process *p, struct task *t, const struct siginfo *info)
{
	if (!may_signal_locked(p, info->signo))
		return -EPERM;
	if (info->signo)
		signal_send_locked(p, t, info, NULL);
	return 0;
}

static int kill_group_locked(int pgid, const struct siginfo *info)
{
	struct pgrp *g = pgid ? pgrp_find_locked(pgid) : current_process()->pgrp;
	struct process *p;
	int err = -ESRCH;

	if (!g)
		return -ESRCH;
	list_for_each_entry (p, &g->members, struct process, in_pgrp) {
		int e = send_one(p, NULL, info);

		if (err)
			err = e;
	}
	return err;
}

static int kill_all(const struct siginfo *info)
{
	struct process *p = process_next(1), *n;
	int err = -ESRCH;

	for (; p; p = n) {
		unsigned long flags = spin_lock_irqsave(&proc_lock);

		if (p != current_process() && !p->zombie) {
			int e = send_one(p, NULL, info);

			if (err)
				err = e;
		}
		spin_unlock_irqrestore(&proc_lock, flags);
		n = process_next(p->pid);
		process_put(p);
	}
	return err;
}

int signal_kill(int pid, const struct siginfo *info)
{
	struct process *p;
	unsigned long flags;
	int err;

	if (info->signo < 0 || info->signo > NSIG)
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid == -1)
		return kill_all(info);
	flags = spin_lock_irqsave(&proc_lock);
	if (pid <= 0) {
		err = kill_group_locked(-pid, info);
	} else {
		p = process_find_locked(pid);
		if (!p) {
			struct task *t = task_find_locked(pid);

			p = t ? t->process : NULL;
		}
		err = p ? send_one(p, NULL, info) : -ESRCH;
	}
	spin_unlock_irqrestore(&proc_lock, flags);
	return err;
}

int signal_kill_thread(int tgid, int tid, const struct siginfo *info)
{
	struct task *t;
	unsigned long flags;
	int err = -ESRCH;

	if (info->signo < 0 || info->signo > NSIG)
		return -EINVAL;
	flags = spin_lock_irqsave(&proc_lock);
	t = task_find_locked(tid);
	if (t && (!tgid || t->process->pid == tgid))
		err = send_one(t->process, t, info);
	spin_unlock_irqrestore(&proc_lock, flags);
	return err;
}
