/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The end of tasks and processes.
 *
 * task_exit, in this order: what user memory must learn (robust futexes, clear_child_tid, the vfork
 * parent), then memory, files and directory; then, under proc_lock, the task leaves. The last
 * task of a process makes it a zombie: children go to init or the next subreaper, the parent is
 * told, and whoever waits for it frees it. Init's death ends the machine.
 */
#include "base/assert.h"
#include "lib/errno.h"
#include "lib/panic.h"
#include "proc/proc_priv.h"
#include "proc/wait_child.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vfs/path.h"
#include "vm/space.h"
#include "vm/uaccess.h"

void task_drop_space(struct task *t)
{
	struct vm_space *s = t->mm;
	unsigned long flags;

	if (!s)
		return;
	if (t->robust_list && proc_hooks.robust_exit)
		proc_hooks.robust_exit(t);
	if (t->clear_child_tid && atomic_load_explicit(&s->users, memory_order_relaxed) > 1) {
		if (!put_user_u32(t->clear_child_tid, 0) && proc_hooks.futex_wake)
			proc_hooks.futex_wake(t->clear_child_tid);
	}
	t->clear_child_tid = 0;
	t->robust_list = 0;
	thread_set_space(NULL);
	flags = spin_lock_irqsave(&proc_lock);
	t->mm = NULL;
	t->process->dead_times.max_rss = MAX(t->process->dead_times.max_rss, s->max_rss);
	spin_unlock_irqrestore(&proc_lock, flags);
	/* release: the parent's memory is its own again */
	if (t->is_vfork) {
		t->is_vfork = false;
		atomic_store_explicit(&t->vfork_done, 1, memory_order_release);
		wait_wake_all(&t->vfork_wait);
	}
	vm_space_put(s);
}

static void drop_files(struct task *t)
{
	struct fd_table *fds = t->fds;
	struct fs_context *fs = t->fs;
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	t->fds = NULL;
	t->fs = NULL;
	spin_unlock_irqrestore(&proc_lock, flags);
	if (fds)
		fdtable_put(fds);
	if (fs)
		fs_context_put(fs);
}

/* Who takes over the children of p? */
static struct process *reaper_locked(struct process *p)
{
	struct process *r = p->parent;

	while (r && !(r->subreaper && !r->zombie && !r->exiting))
		r = r->parent;
	return r ? r : process_find_locked(1);
}

static void reparent_locked(struct process *p)
{
	struct process *reaper = reaper_locked(p), *c, *n;

	list_for_each_entry_safe (c, n, &p->children, struct process, sibling) {
		struct pgrp *g = c->pgrp;
		bool was = g && pgrp_orphaned_locked(g, NULL);
		struct task *t;

		list_del(&c->sibling);
		c->parent = reaper;
		c->exit_signal = SIGCHLD;
		list_add_tail(&reaper->children, &c->sibling);
		list_for_each_entry (t, &c->tasks, struct task, in_process) {
			struct siginfo info = {.signo = t->pdeath_signal, .code = SI_USER};

			if (t->pdeath_signal)
				signal_send_locked(c, t, &info, NULL);
		}
		if (c->zombie)
			notify_parent_locked(c, (c->exit_code & 0x7f) ? CLD_KILLED : CLD_EXITED);
		/* A stopped group that lost its last possible waker is woken and hung up. */
		if (g && !was && pgrp_orphaned_locked(g, NULL) && c->stop == PROC_STOPPED) {
			struct siginfo hup = siginfo_kernel(SIGHUP), cont = siginfo_kernel(SIGCONT);

			signal_send_locked(c, NULL, &hup, NULL);
			signal_send_locked(c, NULL, &cont, NULL);
		}
	}
}

/* The session's leader dies: its terminal is hung up. */
static void end_session(struct process *p)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct session *s = p->pgrp ? p->pgrp->session : NULL;
	bool leader = s && s->id == p->pid;
	struct tty *tty = leader ? s->tty : NULL;

	if (leader)
		s->leader_dead = true;
	spin_unlock_irqrestore(&proc_lock, flags);
	if (tty && proc_hooks.tty_hangup)
		proc_hooks.tty_hangup(tty, p->pid);
}

void process_reap_locked(struct process *p)
{
	if (p->parent)
		list_del(&p->sibling);
	pgrp_leave_locked(p);
	process_leave_locked(p);
	p->parent = NULL;
}

/* The last task is gone. True: nobody will wait, the caller puts the table's reference. */
static bool become_zombie_locked(struct process *p)
{
	sigqueue_flush_locked(&p->shared, ~(sigset)0);
	p->zombie = true;
	reparent_locked(p);
	notify_parent_locked(p, (p->exit_code & 0x7f) ? CLD_KILLED : CLD_EXITED);
	if (p->autoreap || !p->exit_signal) {
		struct process *parent = p->parent;

		process_reap_locked(p);
		if (parent)
			wait_wake_all(&parent->child_wait);
		return true;
	}
	return false;
}

static void account_locked(struct task *t)
{
	struct proc_times times = {.minor_faults = t->minor_faults,
				   .major_faults = t->major_faults};

	task_times(t, &times.user_ns, &times.system_ns);
	times_add(&t->process->dead_times, &times);
}

/* The next to last act: the task is nobody's any more. */
static void leave(struct task *t)
{
	struct process *p = t->process;
	bool reaped = false, last;
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	account_locked(t);
	p->last_uid = t->cred->uid;
	sigqueue_flush_locked(&t->pending, ~(sigset)0);
	if (p->leader == t)
		p->leader = NULL;
	task_leave_locked(t);
	last = p->task_count == 0;
	if (last)
		reaped = become_zombie_locked(p);
	else
		stop_check_locked(p);
	wait_wake_all(&p->task_wait);
	spin_unlock_irqrestore(&proc_lock, flags);
	if (reaped)
		process_put(p);
}

void task_exit(void)
{
	struct task *t = current_task();
	struct process *p = t->process;
	struct file *exe = NULL;
	bool last = false;
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	t->exited = true;
	/* A thread that ends alone takes no signals with it that others could handle. */
	t->blocked = ~(sigset)0;
	last = true;
	for (struct list *l = p->tasks.next; l != &p->tasks; l = l->next)
		last &= list_entry(l, struct task, in_process)->exited;
	if (last && !p->exiting) {
		p->exiting = true;
		p->exit_code = t->exit_code;
	}
	stop_check_locked(p);
	spin_unlock_irqrestore(&proc_lock, flags);
	if (last && p->pid == 1)
		panic("init has ended (status %x)", p->exit_code);
	if (last && proc_hooks.timers_gone)
		proc_hooks.timers_gone(p, false);
	task_drop_space(t);
	drop_files(t);
	if (last) {
		end_session(p);
		flags = spin_lock_irqsave(&proc_lock);
		exe = p->exe;
		p->exe = NULL;
		spin_unlock_irqrestore(&proc_lock, flags);
		file_put(exe);
	}
	leave(t);
	thread_put(t->thread); /* the creator's reference, which the tables stood for */
	thread_exit();
}

void task_exit_status(uint32_t status)
{
	current_task()->exit_code = status;
	task_exit();
}

void process_exit(uint32_t status)
{
	struct process *p = current_process();
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	process_kill_all_locked(p, status);
	spin_unlock_irqrestore(&proc_lock, flags);
	task_exit();
}
