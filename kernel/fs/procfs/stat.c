/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* /proc/PID/stat, statm and status: proc(5) says what each field is. */
#include "fs/procfs/procfs.h"

#include "lib/string.h"
#include "sched/clock.h"
#include "vm/space.h"

#define NS_PER_TICK (NS_PER_SEC / PROC_TICKS_PER_SEC)

/* Numbers copied in one look under proc_lock. */
struct snapshot {
	char comm[COMM_LEN + 1];
	char state;
	int tid, pid, ppid, pgrp, session, tty;
	unsigned threads;
	int nice, policy, exit_signal;
	struct proc_times times, child_times;
	sigset pending, shared, blocked, ignored, caught;
	uint32_t hart, exit_code;
};

static char state_of(const struct target *t)
{
	if (t->task == NULL)
		return t->process->zombie ? 'Z' : 'X';
	if (t->process->stop == PROC_STOPPED)
		return 'T';
	switch ((enum thread_state)t->task->thread->state) {
	case THREAD_RUNNING:
	case THREAD_NEW:
		return 'R';
	case THREAD_SLEEPING_INTERRUPTIBLE:
		return 'S';
	case THREAD_SLEEPING:
	case THREAD_SLEEPING_KILLABLE:
		return 'D';
	case THREAD_DEAD:
		return 'Z';
	}
	return 'R';
}

static void take_signals(const struct process *p, struct snapshot *s)
{
	for (int sig = 1; p->sighand != NULL && sig < NSIG; sig++) {
		uint64_t handler = p->sighand->actions[sig].handler;

		if (handler == SIG_IGN)
			s->ignored |= SIGBIT(sig);
		else if (handler != SIG_DFL)
			s->caught |= SIGBIT(sig);
	}
	s->shared = p->shared.set;
}

static void take_locked(const struct target *t, struct snapshot *s)
{
	const struct process *p = t->process;

	s->state = state_of(t);
	s->pid = p->pid;
	s->tid = p->pid;
	s->ppid = p->parent != NULL ? p->parent->pid : 0;
	if (p->pgrp != NULL) {
		s->pgrp = p->pgrp->id;
		s->session = p->pgrp->session->id;
		s->tty = p->pgrp->session->tty_dev;
	}
	s->threads = p->task_count;
	s->exit_signal = p->exit_signal;
	s->exit_code = p->exit_code;
	process_times(p, &s->times);
	s->child_times = p->child_times;
	take_signals(p, s);
	if (t->task == NULL)
		return;
	memcpy(s->comm, t->task->comm, COMM_LEN);
	s->tid = t->task->tid;
	s->nice = t->task->thread->nice;
	s->policy = t->task->sched_policy;
	s->pending = t->task->pending.set;
	s->blocked = t->task->blocked;
	s->hart = t->task->thread->hart;
}

static void take(const struct target *t, struct snapshot *s)
{
	*s = (struct snapshot){0};
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	take_locked(t, s);
	spin_unlock_irqrestore(&proc_lock, flags);
}

static void put_number(struct text *out, uint64_t n)
{
	text_printf(out, " %llu", (unsigned long long)n);
}

/* Fields 3..22: who it is and what it used. */
static void stat_process(struct text *out, const struct target *t, const struct snapshot *s)
{
	text_printf(out, "%d (%s) %c %d %d %d %d -1 0", s->tid, s->comm, s->state, s->ppid, s->pgrp,
		    s->session, s->tty);
	put_number(out, s->times.minor_faults);
	put_number(out, s->child_times.minor_faults);
	put_number(out, s->times.major_faults);
	put_number(out, s->child_times.major_faults);
	put_number(out, s->times.user_ns / NS_PER_TICK);
	put_number(out, s->times.system_ns / NS_PER_TICK);
	put_number(out, s->child_times.user_ns / NS_PER_TICK);
	put_number(out, s->child_times.system_ns / NS_PER_TICK);
	text_printf(out, " %d %d %u 0", 20 + s->nice, s->nice, s->threads);
	put_number(out, t->process->start_ns / NS_PER_TICK);
}

/* Fields 23..52: memory, signals and the rest. Addresses are for those who may look. */
int show_stat(const struct target *t, struct text *out)
{
	static const struct vm_space none;
	const struct vm_space *mm = t->mm != NULL ? t->mm : &none;
	bool look = target_may_look(t) == 0;
	struct snapshot s;

	take(t, &s);
	stat_process(out, t, &s);
	put_number(out, mm->total_pages * PAGE_SIZE);
	put_number(out, mm->rss);
	put_number(out, t->process->rlimits[RLIMIT_RSS].cur);
	put_number(out, look ? mm->code_start : 1);
	put_number(out, look ? mm->code_end : 1);
	put_number(out, look ? mm->stack_start : 0);
	text_printf(out, " 0 0");
	put_number(out, s.pending & 0x7fffffff);
	put_number(out, s.blocked & 0x7fffffff);
	put_number(out, s.ignored & 0x7fffffff);
	put_number(out, s.caught & 0x7fffffff);
	text_printf(out, " 0 0 0 %d %u 0 %d 0 0 0", s.exit_signal, s.hart, s.policy);
	const uint64_t places[] = {mm->data_start, mm->data_end,  mm->brk_start, mm->arg_start,
				   mm->arg_end,    mm->env_start, mm->env_end};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		put_number(out, look ? places[i] : 0);
	text_printf(out, " %u\n", look ? s.exit_code : 0);
	return 0;
}

int show_statm(const struct target *t, struct text *out)
{
	uint64_t size = t->mm != NULL ? t->mm->total_pages : 0;
	uint64_t rss = t->mm != NULL ? t->mm->rss : 0;

	text_printf(out, "%llu %llu 0 0 0 0 0\n", (unsigned long long)size,
		    (unsigned long long)rss);
	return 0;
}

static const char *state_name(char state)
{
	switch (state) {
	case 'R':
		return "running";
	case 'S':
		return "sleeping";
	case 'D':
		return "disk sleep";
	case 'T':
		return "stopped";
	case 'Z':
		return "zombie";
	default:
		return "dead";
	}
}

static void status_memory(const struct vm_space *mm, struct text *out)
{
	uint64_t per_page = PAGE_SIZE / 1024;
	uint64_t rss = mm->rss;

	text_kib(out, "VmPeak", mm->total_pages * per_page);
	text_kib(out, "VmSize", mm->total_pages * per_page);
	text_kib(out, "VmLck", mm->locked_pages * per_page);
	text_kib(out, "VmHWM", MAX(mm->max_rss, rss) * per_page);
	text_kib(out, "VmRSS", rss * per_page);
	text_kib(out, "VmData", (mm->brk - mm->brk_start) / 1024);
	text_kib(out, "VmSwap", 0);
}

static void status_ids(const struct cred *c, struct text *out)
{
	text_printf(out, "Uid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid, c->fsuid);
	text_printf(out, "Gid:\t%u\t%u\t%u\t%u\n", c->gid, c->egid, c->sgid, c->fsgid);
	text_printf(out, "Groups:\t");
	for (uint32_t i = 0; i < c->ngroups; i++)
		text_printf(out, "%u ", c->groups[i]);
	text_printf(out, "\n");
}

static void status_set(struct text *out, const char *name, uint64_t set)
{
	text_printf(out, "%s:\t%016llx\n", name, (unsigned long long)set);
}

int show_status(const struct target *t, struct text *out)
{
	struct snapshot s;

	take(t, &s);
	text_printf(out, "Name:\t%s\n", s.comm);
	if (t->fs != NULL)
		text_printf(out, "Umask:\t%04o\n", t->fs->umask);
	text_printf(out,
		    "State:\t%c (%s)\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n",
		    s.state, state_name(s.state), s.pid, s.tid, s.ppid);
	if (t->cred != NULL)
		status_ids(t->cred, out);
	if (t->mm != NULL)
		status_memory(t->mm, out);
	text_printf(out, "Threads:\t%u\n", s.threads);
	status_set(out, "SigPnd", s.pending);
	status_set(out, "ShdPnd", s.shared);
	status_set(out, "SigBlk", s.blocked);
	status_set(out, "SigIgn", s.ignored);
	status_set(out, "SigCgt", s.caught);
	if (t->cred != NULL) {
		status_set(out, "CapInh", t->cred->cap_inheritable);
		status_set(out, "CapPrm", t->cred->cap_permitted);
		status_set(out, "CapEff", t->cred->cap_effective);
		status_set(out, "CapBnd", t->cred->cap_bounding);
		text_printf(out, "NoNewPrivs:\t%d\n", t->cred->no_new_privs);
	}
	text_printf(out, "voluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n",
		    (unsigned long long)s.times.voluntary, (unsigned long long)s.times.involuntary);
	return 0;
}
