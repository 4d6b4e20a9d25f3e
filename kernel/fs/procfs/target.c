/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* References to what a file of /proc/PID is about, taken in one look under proc_lock. */
#include "fs/procfs/procfs.h"

#include "lib/errno.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vm/space.h"

/* The leader of p, or, when that has ended, any task. */
static struct task *some_task(struct process *p)
{
	if (p->leader != NULL)
		return p->leader;
	return list_empty(&p->tasks) ? NULL : list_first(&p->tasks, struct task, in_process);
}

static int take(int pid, int tid, struct target *out)
{
	struct process *p = process_find_locked(pid);

	if (p == NULL)
		return -ESRCH;
	struct task *t = tid != 0 ? task_find_locked(tid) : some_task(p);

	if (tid != 0 && (t == NULL || t->process != p))
		return -ESRCH;
	process_get(p);
	out->process = p;
	out->exe = p->exe != NULL ? file_get(p->exe) : NULL;
	if (t == NULL || t->exited)
		return 0;
	thread_get(t->thread);
	out->task = t;
	out->cred = t->cred;
	cred_get(t->cred);
	if (t->fs != NULL) {
		fs_context_get(t->fs);
		out->fs = t->fs;
	}
	if (t->fds != NULL) {
		fdtable_get(t->fds);
		out->fds = t->fds;
	}
	if (t->mm != NULL && vm_space_tryget(t->mm))
		out->mm = t->mm;
	return 0;
}

int target_get(int pid, int tid, struct target *out)
{
	*out = (struct target){0};
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	int err = take(pid, tid, out);

	spin_unlock_irqrestore(&proc_lock, flags);
	return err;
}

void target_put(struct target *t)
{
	file_put(t->exe);
	if (t->mm != NULL)
		vm_space_put(t->mm);
	if (t->fds != NULL)
		fdtable_put(t->fds);
	if (t->fs != NULL)
		fs_context_put(t->fs);
	if (t->cred != NULL)
		cred_put(t->cred);
	if (t->task != NULL)
		thread_put(t->task->thread);
	if (t->process != NULL)
		process_put(t->process);
	*t = (struct target){0};
}

int target_may_look(const struct target *t)
{
	const struct cred *me = current_cred();

	if (capable(CAP_SYS_PTRACE))
		return 0;
	if (t->cred == NULL || t->cred->uid != me->fsuid || t->cred->euid != me->fsuid ||
	    t->cred->suid != me->fsuid)
		return -EACCES;
	return 0;
}
