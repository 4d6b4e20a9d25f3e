/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Who is there: tasks by tid, processes by pid, groups and sessions by id. A number is free when
 * none of the four uses it. One spinlock, proc_lock, guards all of it: the sections are short, and
 * the order "tree before process before signals" has no chance to go wrong.
 */
#include "base/assert.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "proc/proc_priv.h"

#define BUCKETS 512u
#define FIRST_REUSED 300 /* numbers below are not given out again, as on Linux */

struct spinlock proc_lock = SPINLOCK_INIT(LOCK_RANK_SPIN_SIGNAL);

static struct list tasks[BUCKETS], processes[BUCKETS], groups[BUCKETS], sessions[BUCKETS];
static int last_pid;

void tables_init(void)
{
	for (unsigned i = 0; i < BUCKETS; i++) {
		list_init(&tasks[i]);
		list_init(&processes[i]);
		list_init(&groups[i]);
		list_init(&sessions[i]);
	}
}

static struct list *bucket(struct list *table, int id)
{
	return &table[(uint32_t)id % BUCKETS];
}

struct task *task_find_locked(int tid)
{
	struct task *t;

	list_for_each_entry (t, bucket(tasks, tid), struct task, hash) {
		if (t->tid == tid)
			return t;
	}
	return NULL;
}

struct process *process_find_locked(int pid)
{
	struct process *p;

	list_for_each_entry (p, bucket(processes, pid), struct process, hash) {
		if (p->pid == pid)
			return p;
	}
	return NULL;
}

struct pgrp *pgrp_find_locked(int pgid)
{
	struct pgrp *g;

	list_for_each_entry (g, bucket(groups, pgid), struct pgrp, hash) {
		if (g->id == pgid)
			return g;
	}
	return NULL;
}

static struct session *session_find_locked(int sid)
{
	struct session *s;

	list_for_each_entry (s, bucket(sessions, sid), struct session, hash) {
		if (s->id == sid)
			return s;
	}
	return NULL;
}

int pid_alloc_locked(void)
{
	for (int i = 0; i < PID_MAX; i++) {
		last_pid = last_pid + 1 < PID_MAX ? last_pid + 1 : FIRST_REUSED;
		if (!task_find_locked(last_pid) && !process_find_locked(last_pid) &&
		    !pgrp_find_locked(last_pid) && !session_find_locked(last_pid))
			return last_pid;
	}
	return -EAGAIN;
}

void task_enter_locked(struct task *t, int tid)
{
	t->tid = tid;
	list_add_tail(bucket(tasks, tid), &t->hash);
	list_add_tail(&t->process->tasks, &t->in_process);
	t->process->task_count++;
}

void task_leave_locked(struct task *t)
{
	list_del(&t->hash);
	list_del(&t->in_process);
	t->process->task_count--;
}

void process_enter_locked(struct process *p, int pid)
{
	p->pid = pid;
	list_add_tail(bucket(processes, pid), &p->hash);
}

void process_leave_locked(struct process *p)
{
	list_del(&p->hash);
}

int pgrp_spare_alloc(struct pgrp_spare *s)
{
	s->pgrp = mm_alloc(sizeof(*s->pgrp), MM_ZERO);
	s->session = mm_alloc(sizeof(*s->session), MM_ZERO);
	if (s->pgrp && s->session)
		return 0;
	pgrp_spare_free(s);
	return -ENOMEM;
}

void pgrp_spare_free(struct pgrp_spare *s)
{
	mm_free(s->pgrp);
	mm_free(s->session);
	*s = (struct pgrp_spare){NULL, NULL};
}

void pgrp_leave_locked(struct process *p)
{
	struct pgrp *g = p->pgrp;
	struct session *s;

	if (!g)
		return;
	p->pgrp = NULL;
	list_del(&p->in_pgrp);
	if (!list_empty(&g->members))
		return;
	s = g->session;
	list_del(&g->hash);
	mm_free(g);
	if (--s->groups == 0) {
		list_del(&s->hash);
		mm_free(s);
	}
}

void pgrp_join_locked(struct process *p, int pgid, struct session *session,
		      struct pgrp_spare *spare)
{
	struct pgrp *g = pgrp_find_locked(pgid);

	if (g && g == p->pgrp)
		return;
	if (!session) {
		session = spare->session;
		spare->session = NULL;
		session->id = pgid;
		list_add_tail(bucket(sessions, pgid), &session->hash);
	}
	if (!g) {
		g = spare->pgrp;
		spare->pgrp = NULL;
		g->id = pgid;
		g->session = session;
		session->groups++;
		list_init(&g->members);
		list_add_tail(bucket(groups, pgid), &g->hash);
	}
	pgrp_leave_locked(p);
	p->pgrp = g;
	list_add_tail(&g->members, &p->in_pgrp);
}

bool pgrp_orphaned_locked(const struct pgrp *g, const struct process *ignore)
{
	const struct process *p;

	list_for_each_entry (p, &g->members, struct process, in_pgrp) {
		const struct process *parent = p->parent;

		if (p == ignore || p->zombie || !parent || parent->pid == 1)
			continue;
		if (parent->pgrp && parent->pgrp != g && parent->pgrp->session == g->session)
			return false;
	}
	return true;
}

void process_get(struct process *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
}

struct process *process_find(int pid)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct process *p = process_find_locked(pid);

	if (p)
		process_get(p);
	spin_unlock_irqrestore(&proc_lock, flags);
	return p;
}

struct task *task_find(int tid)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct task *t = task_find_locked(tid);

	if (t)
		thread_get(t->thread);
	spin_unlock_irqrestore(&proc_lock, flags);
	return t;
}

struct process *process_next(int pid)
{
	struct process *best = NULL, *p;
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	for (unsigned i = 0; i < BUCKETS; i++) {
		list_for_each_entry (p, &processes[i], struct process, hash) {
			if (p->pid > pid && (!best || p->pid < best->pid))
				best = p;
		}
	}
	if (best)
		process_get(best);
	spin_unlock_irqrestore(&proc_lock, flags);
	return best;
}

struct task *process_next_task(struct process *p, int tid)
{
	struct task *best = NULL, *t;
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	list_for_each_entry (t, &p->tasks, struct task, in_process) {
		if (t->tid > tid && (!best || t->tid < best->tid))
			best = t;
	}
	if (best)
		thread_get(best->thread);
	spin_unlock_irqrestore(&proc_lock, flags);
	return best;
}

int current_pgid(void)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	int id = current_process()->pgrp ? current_process()->pgrp->id : 0;

	spin_unlock_irqrestore(&proc_lock, flags);
	return id;
}

int current_sid(void)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	int id = current_process()->pgrp ? current_process()->pgrp->session->id : 0;

	spin_unlock_irqrestore(&proc_lock, flags);
	return id;
}

bool pgrp_orphaned(int pgid)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct pgrp *g = pgrp_find_locked(pgid);
	bool orphaned = !g || pgrp_orphaned_locked(g, NULL);

	spin_unlock_irqrestore(&proc_lock, flags);
	return orphaned;
}

int pgrp_session(int pgid)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct pgrp *g = pgrp_find_locked(pgid);
	int sid = g ? g->session->id : 0;

	spin_unlock_irqrestore(&proc_lock, flags);
	return sid;
}

int session_set_tty(struct tty *tty, int dev)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct process *p = current_process();
	struct session *s = p->pgrp ? p->pgrp->session : NULL;
	int err = -EPERM;

	if (s && s->id == p->pid && (!s->tty || s->tty == tty)) {
		s->tty = tty;
		s->tty_dev = dev;
		err = 0;
	}
	spin_unlock_irqrestore(&proc_lock, flags);
	return err;
}

struct tty *session_tty(void)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct pgrp *g = current_process()->pgrp;
	struct tty *tty = g ? g->session->tty : NULL;

	spin_unlock_irqrestore(&proc_lock, flags);
	return tty;
}

void session_clear_tty(int sid)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct session *s = session_find_locked(sid);

	if (s) {
		s->tty = NULL;
		s->tty_dev = 0;
	}
	spin_unlock_irqrestore(&proc_lock, flags);
}
