/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Sending signals. Everything happens under proc_lock and never sleeps, so any context may send.
 *
 * SIG-1  A signal below SIGRTMIN is pending at most once; real-time signals queue in order.
 * SIG-2  A task that has something to do about signals has THREAD_SIGNAL set (it may also be
 *        set for nothing; user_return looks again).
 * SIG-3  SIGKILL and other fatal defaults of a whole process set exiting once, with the status.
 */
#include "lib/errno.h"
#include "mm/slab.h"
#include "proc/proc_priv.h"
#include "sched/clock.h"

#define MAX_QUEUED 4096 /* real-time signals of one queue */

#define STOP_SET (SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define FATAL_NEVER_BLOCKED (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))
#define SYNCHRONOUS                                                                             \
	(SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGFPE) | \
	 SIGBIT(SIGSYS))

sigset signal_default_ignored(void)
{
	return SIGBIT(SIGCHLD) | SIGBIT(SIGCONT) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH);
}

void sigqueue_init(struct sigqueue *q)
{
	q->set = 0;
	list_init(&q->list);
}

static void entry_free(struct sigqueue_entry *e)
{
	list_del(&e->link);
	if (!e->owned)
		mm_free(e);
}

void sigqueue_flush_locked(struct sigqueue *q, sigset which)
{
	struct sigqueue_entry *e, *n;

	list_for_each_entry_safe (e, n, &q->list, struct sigqueue_entry, link) {
		if (which & SIGBIT(e->info.signo))
			entry_free(e);
	}
	q->set &= ~which;
}

static bool action_ignores(const struct process *p, int sig)
{
	uint64_t h = p->sighand->actions[sig - 1].handler;

	return h == SIG_IGN || (h == SIG_DFL && (signal_default_ignored() & SIGBIT(sig)));
}

bool signal_ignored_locked(const struct process *p, int sig)
{
	return action_ignores(p, sig);
}

/* Init does not die of signals that it has not asked for. */
static bool init_protected(const struct process *p, int sig)
{
	return p->pid == 1 && p->sighand->actions[sig - 1].handler == SIG_DFL;
}

static void flush_all_locked(struct process *p, sigset which)
{
	struct task *t;

	sigqueue_flush_locked(&p->shared, which);
	list_for_each_entry (t, &p->tasks, struct task, in_process)
		sigqueue_flush_locked(&t->pending, which);
}

void signal_recalc_locked(struct task *t)
{
	struct process *p = t->process;
	sigset ready = (t->pending.set | p->shared.set) & ~t->blocked;

	if (p->exiting)
		thread_interrupt(t->thread, THREAD_SIGNAL | THREAD_KILLED);
	else if (ready || (p->stop != PROC_RUNNING && !t->stopped))
		thread_interrupt(t->thread, THREAD_SIGNAL);
}

void process_kill_all_locked(struct process *p, uint32_t status)
{
	struct task *t;

	if (!p->exiting) {
		p->exiting = true;
		p->exit_code = status;
	}
	p->stop = PROC_RUNNING;
	list_for_each_entry (t, &p->tasks, struct task, in_process)
		thread_interrupt(t->thread, THREAD_SIGNAL | THREAD_KILLED);
	wait_wake_all(&p->stop_wait);
}

static void enqueue(struct sigqueue *q, const struct siginfo *info, struct sigqueue_entry *entry)
{
	struct sigqueue_entry *e = entry;

	if (!e)
		e = mm_alloc(sizeof(*e), MM_ATOMIC);
	q->set |= SIGBIT(info->signo);
	if (!e)
		return; /* pending all the same, with an empty siginfo */
	e->owned = entry != NULL;
	e->info = *info;
	list_add_tail(&q->list, &e->link);
}

/* Which task should take a signal of the process? */
static void wake_for_process(struct process *p, int sig)
{
	struct task *t, *best = NULL;

	list_for_each_entry (t, &p->tasks, struct task, in_process) {
		if (t->exited)
			continue;
		if (t->sigwait & SIGBIT(sig)) {
			thread_interrupt(t->thread, THREAD_SIGNAL);
			return;
		}
		if (!best && !(t->blocked & SIGBIT(sig)))
			best = t;
	}
	if (best)
		thread_interrupt(best->thread, THREAD_SIGNAL);
}

/* What a stop or continue signal does at once, whoever blocks it. */
static void job_control_locked(struct process *p, int sig)
{
	if (STOP_SET & SIGBIT(sig))
		flush_all_locked(p, SIGBIT(SIGCONT));
	if (sig != SIGCONT)
		return;
	flush_all_locked(p, STOP_SET);
	stop_continue_locked(p, true);
}

void signal_send_locked(struct process *p, struct task *task, const struct siginfo *info,
			struct sigqueue_entry *entry)
{
	int sig = info->signo;
	sigset blocked = task ? task->blocked : 0;
	struct sigqueue *q = task ? &task->pending : &p->shared;

	if (sig < 1 || sig > NSIG || p->zombie || p->exiting || list_empty(&p->tasks))
		return;
	job_control_locked(p, sig);
	if (!task) {
		/* Blocked by all: it must stay pending, even if it is ignored now. */
		struct task *t;

		blocked = ~(sigset)0;
		list_for_each_entry (t, &p->tasks, struct task, in_process)
			blocked &= t->blocked | t->sigwait;
	}
	if (action_ignores(p, sig) && !(blocked & SIGBIT(sig)))
		return;
	if (init_protected(p, sig) && !(blocked & SIGBIT(sig)))
		return;
	if (sig == SIGKILL) {
		process_kill_all_locked(p, SIGKILL);
		return;
	}
	if (sig < SIGRTMIN && (q->set & SIGBIT(sig)))
		return; /* SIG-1 */
	enqueue(q, info, entry);
	wait_wake_all(&p->signal_wait);
	if (!task)
		wake_for_process(p, sig);
	else if (!(task->blocked & SIGBIT(sig)) || (task->sigwait & SIGBIT(sig)))
		thread_interrupt(task->thread, THREAD_SIGNAL);
}

void signal_send_task(struct task *t, const struct siginfo *info)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	signal_send_locked(t->process, t, info, NULL);
	spin_unlock_irqrestore(&proc_lock, flags);
}

void signal_send_process(struct process *p, const struct siginfo *info)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	signal_send_locked(p, NULL, info, NULL);
	spin_unlock_irqrestore(&proc_lock, flags);
}

bool signal_kernel_pgrp(int pgid, int sig)
{
	struct siginfo info = siginfo_kernel(sig);
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct pgrp *g = pgrp_find_locked(pgid);
	struct process *p;

	if (g) {
		list_for_each_entry (p, &g->members, struct process, in_pgrp)
			signal_send_locked(p, NULL, &info, NULL);
	}
	spin_unlock_irqrestore(&proc_lock, flags);
	return g != NULL;
}

bool signal_kernel_pid(int pid, int sig)
{
	struct siginfo info = siginfo_kernel(sig);
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct process *p = process_find_locked(pid);

	if (p)
		signal_send_locked(p, NULL, &info, NULL);
	spin_unlock_irqrestore(&proc_lock, flags);
	return p != NULL;
}

void signal_self(const struct siginfo *info, bool force)
{
	struct task *t = current_task();
	struct process *p = t->process;
	sigset bit = SIGBIT(info->signo);
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	if (force && (action_ignores(p, info->signo) || (t->blocked & bit))) {
		p->sighand->actions[info->signo - 1].handler = SIG_DFL;
		t->blocked &= ~bit;
	}
	if (force && init_protected(p, info->signo))
		process_kill_all_locked(p, (uint32_t)info->signo);
	else
		signal_send_locked(p, t, info, NULL);
	spin_unlock_irqrestore(&proc_lock, flags);
}

void signal_self_sig(int sig)
{
	struct siginfo info = {.signo = sig, .code = SI_USER};

	info.rt.pid = current_process()->pid;
	info.rt.uid = current_cred()->uid;
	signal_self(&info, false);
}

bool signal_pending(void)
{
	return (thread_pending(current_thread()) & (THREAD_SIGNAL | THREAD_KILLED)) != 0;
}

bool signal_killed(void)
{
	return (thread_pending(current_thread()) & THREAD_KILLED) != 0;
}

bool signal_blocked_or_ignored(int sig)
{
	struct task *t = current_task();
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	bool yes = (t->blocked & SIGBIT(sig)) ||
		   t->process->sighand->actions[sig - 1].handler == SIG_IGN;

	spin_unlock_irqrestore(&proc_lock, flags);
	return yes;
}

static int lowest(sigset s)
{
	int n = 1;

	while (!(s & 1)) {
		s >>= 1;
		n++;
	}
	return n;
}

/* Takes signal sig off a queue. */
static void take(struct sigqueue *q, int sig, struct siginfo *info)
{
	struct sigqueue_entry *e, *n;
	bool found = false, more = false;

	*info = (struct siginfo){.signo = sig, .code = SI_USER};
	list_for_each_entry_safe (e, n, &q->list, struct sigqueue_entry, link) {
		if (e->info.signo != sig)
			continue;
		if (found) {
			more = true;
			break;
		}
		*info = e->info;
		found = true;
		entry_free(e);
	}
	if (!more)
		q->set &= ~SIGBIT(sig);
}

int signal_dequeue_locked(struct task *t, sigset mask, struct siginfo *info)
{
	struct sigqueue *queues[2] = {&t->pending, &t->process->shared};

	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < 2; i++) {
			sigset ready = queues[i]->set & ~mask;

			if (pass == 0)
				ready &= SYNCHRONOUS;
			if (ready) {
				int sig = lowest(ready);

				take(queues[i], sig, info);
				return sig;
			}
		}
	}
	return 0;
}

/* SIGCHLD (or whatever was asked for) with the reason; wakes a parent that waits. */
void notify_parent_locked(struct process *p, int code)
{
	struct process *parent = p->parent;
	struct siginfo info = {.signo = SIGCHLD, .code = code};
	struct proc_times times;
	const struct sigaction *act;

	if (!parent)
		return;
	process_times_locked(p, &times);
	info.chld.pid = p->pid;
	info.chld.uid = p->zombie || !p->leader ? p->last_uid : p->leader->cred->uid;
	info.chld.utime = (int64_t)(times.user_ns / 10000000);
	info.chld.stime = (int64_t)(times.system_ns / 10000000);
	if (code == CLD_EXITED)
		info.chld.status = (int32_t)(p->exit_code >> 8 & 0xff);
	else if (code == CLD_STOPPED)
		info.chld.status = p->stop_signal;
	else if (code == CLD_CONTINUED)
		info.chld.status = SIGCONT;
	else
		info.chld.status = (int32_t)(p->exit_code & 0x7f);
	act = &parent->sighand->actions[SIGCHLD - 1];
	if (p->zombie) {
		info.signo = p->exit_signal;
		if (p->exit_signal == SIGCHLD &&
		    (act->handler == SIG_IGN || (act->flags & SA_NOCLDWAIT)))
			p->autoreap = true;
		if (p->exit_signal && !(p->exit_signal == SIGCHLD && act->handler == SIG_IGN))
			signal_send_locked(parent, NULL, &info, NULL);
	} else if (!(act->flags & SA_NOCLDSTOP)) {
		signal_send_locked(parent, NULL, &info, NULL);
	}
	wait_wake_all(&parent->child_wait);
}
