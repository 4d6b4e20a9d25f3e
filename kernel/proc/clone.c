/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Making tasks: everything that can fail happens before the new task has a number; then, in one
 * section under proc_lock, it enters the tables, and from there on nothing fails.
 */
#include "proc/clone.h"

#include "arch/fp.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/cred.h"
#include "proc/proc_priv.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vfs/mount.h"
#include "vfs/path.h"
#include "vm/space.h"
#include "vm/uaccess.h"

#define NAMESPACES                                                                      \
	(CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
	 CLONE_NEWNET)

static int check(const struct clone_request *r)
{
	uint64_t f = r->flags;

	if ((f & (CLONE_FS | CLONE_NEWNS)) == (CLONE_FS | CLONE_NEWNS))
		return -EINVAL;
	if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && (f & CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if (f & CLONE_PIDFD)
		return -EINVAL;
	if ((f & CLONE_PARENT) && current_process()->pid == 1)
		return -EINVAL;
	if (f & (NAMESPACES & ~(uint64_t)(CLONE_NEWUTS | CLONE_NEWIPC)))
		return -EINVAL;
	if ((f & (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC)) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (r->exit_signal < 0 || r->exit_signal > NSIG)
		return -EINVAL;
	return 0;
}

/* The child's first steps. */
static void child_entry(void *arg)
{
	struct task *t = arg;

	if (t->set_child_tid)
		(void)!put_user_u32(t->set_child_tid, (uint32_t)t->tid);
	arch_enter_user();
}

static int copy_fs(struct task *t, const struct task *from, uint64_t flags)
{
	if (flags & CLONE_FS) {
		fs_context_get(from->fs);
		t->fs = from->fs;
	} else {
		t->fs = fs_context_clone(from->fs);
		if (!t->fs)
			return -ENOMEM;
	}
	return flags & CLONE_NEWNS ? mnt_ns_unshare(t->fs) : 0;
}

static int copy_files(struct task *t, const struct task *from, uint64_t flags)
{
	if (flags & CLONE_FILES) {
		fdtable_get(from->fds);
		t->fds = from->fds;
		return 0;
	}
	t->fds = fdtable_clone(from->fds);
	return t->fds ? 0 : -ENOMEM;
}

static int copy_space(struct task *t, const struct task *from, uint64_t flags)
{
	if (flags & CLONE_VM) {
		vm_space_get(from->mm);
		t->mm = from->mm;
	} else {
		t->mm = vm_space_fork(from->mm);
	}
	if (!t->mm)
		return -ENOMEM;
	t->thread->space = &t->mm->arch;
	return 0;
}

static int copy_process(struct task *t, const struct task *from, uint64_t flags)
{
	struct process *p = from->process, *n;
	unsigned long irq;

	if (flags & CLONE_THREAD) {
		process_get(p);
		t->process = p;
		return 0;
	}
	n = process_create();
	if (!n)
		return -ENOMEM;
	t->process = n; /* the reference of the tables; the task's own comes with enter() */
	if (flags & CLONE_SIGHAND) {
		atomic_fetch_add_explicit(&p->sighand->refs, 1, memory_order_relaxed);
		n->sighand = p->sighand;
	} else {
		n->sighand = sighand_create(p->sighand);
		if (!n->sighand)
			return -ENOMEM;
	}
	if (flags & CLONE_CLEAR_SIGHAND) {
		for (int i = 0; i < NSIG; i++) {
			if (n->sighand->actions[i].handler > SIG_IGN)
				n->sighand->actions[i].handler = SIG_DFL;
		}
	}
	memcpy(n->rlimits, p->rlimits, sizeof(n->rlimits));
	n->dumpable = p->dumpable;
	n->oom_score_adj = p->oom_score_adj;
	irq = spin_lock_irqsave(&proc_lock);
	n->exe = p->exe ? file_get(p->exe) : NULL;
	spin_unlock_irqrestore(&proc_lock, irq);
	return 0;
}

static void copy_task(struct task *t, struct task *from, const struct clone_request *r)
{
	struct trap_frame *f = arch_user_frame(t->thread);

	cred_get(from->cred);
	t->cred = from->cred;
	memcpy(t->comm, from->comm, sizeof(t->comm));
	t->blocked = from->blocked;
	t->timer_slack = from->timer_slack;
	t->personality = from->personality;
	t->sched_policy = from->sched_policy;
	t->sched_priority = from->sched_priority;
	if (!(r->flags & CLONE_VM) || (r->flags & CLONE_VFORK)) {
		t->altstack = from->altstack;
		t->altstack_size = from->altstack_size;
		t->altstack_flags = from->altstack_flags;
	}
	if (r->flags & CLONE_CHILD_SETTID)
		t->set_child_tid = r->child_tid;
	if (r->flags & CLONE_CHILD_CLEARTID)
		t->clear_child_tid = r->child_tid;
	arch_fp_save();
	t->fp_area = from->fp_area;
	*f = *arch_user_frame(from->thread);
	f->x[TRAP_A0] = 0;
	if (r->stack)
		f->x[TRAP_SP] = r->stack;
	if (r->flags & CLONE_SETTLS)
		f->x[TRAP_TP] = r->tls;
	thread_set_nice(t->thread, from->thread->nice);
	atomic_store_explicit(&t->thread->affinity,
			      atomic_load_explicit(&from->thread->affinity, memory_order_relaxed),
			      memory_order_relaxed);
}

/* The new task becomes visible. Its tid, or -EAGAIN, -ERESTARTNOINTR. */
static int enter(struct task *t, struct task *from, const struct clone_request *r)
{
	struct process *p = t->process, *parent = from->process;
	bool thread = r->flags & CLONE_THREAD;
	unsigned long irq = spin_lock_irqsave(&proc_lock);
	int tid;

	/* A signal for the group that came before the fork must not miss the child. */
	if (from->process->exiting || signal_pending())
		tid = -ERESTARTNOINTR;
	else
		tid = pid_alloc_locked();
	if (tid < 0)
		goto out;
	if (!thread) {
		process_enter_locked(p, tid);
		process_get(p);
		p->leader = t;
		p->exit_signal = r->flags & CLONE_PARENT ? parent->exit_signal : r->exit_signal;
		if (r->flags & CLONE_PARENT)
			parent = parent->parent;
		p->parent = parent;
		list_add_tail(&parent->children, &p->sibling);
		p->pgrp = from->process->pgrp;
		list_add_tail(&p->pgrp->members, &p->in_pgrp);
	}
	task_enter_locked(t, tid);
	if (thread && p->stop != PROC_RUNNING)
		signal_recalc_locked(t);
out:
	spin_unlock_irqrestore(&proc_lock, irq);
	return tid;
}

static void undo(struct task *t)
{
	struct process *p = t->process;

	if (t->mm)
		vm_space_put(t->mm);
	if (t->fds)
		fdtable_put(t->fds);
	if (t->fs)
		fs_context_put(t->fs);
	if (p && p->pid == 0) {
		file_put(p->exe);
		p->exe = NULL;
	}
	task_discard(t); /* and with it cred and process */
}

static bool vfork_over(struct task *t)
{
	/* acquire: pairs with the release in task_drop_space */
	return atomic_load_explicit(&t->vfork_done, memory_order_acquire) != 0;
}

long task_clone(const struct clone_request *r)
{
	struct task *from = current_task(), *t;
	int tid, err = check(r);

	if (err)
		return err;
	t = task_create(from->comm, child_entry);
	if (!t)
		return -ENOMEM;
	err = copy_process(t, from, r->flags);
	if (!err)
		err = copy_space(t, from, r->flags);
	if (!err)
		err = copy_files(t, from, r->flags);
	if (!err)
		err = copy_fs(t, from, r->flags);
	if (err) {
		undo(t);
		return err;
	}
	copy_task(t, from, r);
	t->is_vfork = (r->flags & CLONE_VFORK) != 0;
	if (t->is_vfork)
		thread_get(t->thread);
	tid = enter(t, from, r);
	if (tid < 0) {
		if (t->is_vfork)
			thread_put(t->thread);
		undo(t);
		return tid;
	}
	if (r->flags & CLONE_PARENT_SETTID)
		(void)!put_user_u32(r->parent_tid, (uint32_t)tid);
	thread_start(t->thread);
	if (r->flags & CLONE_VFORK) {
		(void)WAIT_EVENT_UNTIL(&t->vfork_wait, vfork_over(t), WAIT_FOREVER, WAIT_KILLABLE);
		thread_put(t->thread);
	}
	return tid;
}

static int unshare_fs(struct task *t, bool ns)
{
	struct fs_context *fs = fs_context_clone(t->fs), *old = t->fs;
	unsigned long irq;
	int err;

	if (!fs)
		return -ENOMEM;
	err = ns ? mnt_ns_unshare(fs) : 0;
	if (err) {
		fs_context_put(fs);
		return err;
	}
	irq = spin_lock_irqsave(&proc_lock);
	t->fs = fs;
	spin_unlock_irqrestore(&proc_lock, irq);
	fs_context_put(old);
	return 0;
}

static int unshare_files(struct task *t)
{
	struct fd_table *fds, *old = t->fds;
	unsigned long irq;

	if (atomic_load_explicit(&old->refs, memory_order_relaxed) == 1)
		return 0;
	fds = fdtable_clone(old);
	if (!fds)
		return -ENOMEM;
	irq = spin_lock_irqsave(&proc_lock);
	t->fds = fds;
	spin_unlock_irqrestore(&proc_lock, irq);
	fdtable_put(old);
	return 0;
}

int task_unshare(uint64_t flags)
{
	struct task *t = current_task();
	uint64_t known =
		CLONE_FS | CLONE_FILES | CLONE_NEWNS | CLONE_SYSVSEM | CLONE_NEWUTS | CLONE_NEWIPC;
	int err = 0;

	/* The rest of a thread group cannot be left, and other namespaces do not exist here. */
	if (flags & (CLONE_VM | CLONE_THREAD | CLONE_SIGHAND)) {
		if (t->process->task_count > 1)
			return -EINVAL;
		flags &= ~(uint64_t)(CLONE_VM | CLONE_THREAD | CLONE_SIGHAND);
	}
	if (flags & ~known)
		return -EINVAL;
	if ((flags & (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC)) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (flags & (CLONE_FS | CLONE_NEWNS))
		err = unshare_fs(t, (flags & CLONE_NEWNS) != 0);
	if (!err && (flags & CLONE_FILES))
		err = unshare_files(t);
	return err;
}
