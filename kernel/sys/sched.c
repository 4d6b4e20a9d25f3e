/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Scheduling: priorities, affinity, processor numbers. All user threads are SCHED_OTHER here. */
#include "sched/sched.h"

#include "arch/smp.h"
#include "lib/string.h"
#include "proc/process.h"
#include "sys/syscall.h"
#include "sys/user_types.h"
#include "vm/uaccess.h"

SYSCALL(sched_yield)
{
	(void)a;
	sched_yield();
	return 0;
}

static struct task *task_of(int pid)
{
	if (pid == 0) {
		thread_get(current_thread());
		return current_task();
	}
	return task_find(pid);
}

static bool may_change(const struct task *t)
{
	const struct cred *c = current_cred();
	bool ok;
	unsigned long flags;

	if (capable(CAP_SYS_NICE))
		return true;
	flags = spin_lock_irqsave(&proc_lock);
	ok = c->euid == t->cred->euid || c->euid == t->cred->uid;
	spin_unlock_irqrestore(&proc_lock, flags);
	return ok;
}

SYSCALL(sched_setaffinity)
{
	uint64_t mask = 0;
	size_t n = MIN(a->v[1], sizeof(mask));
	struct task *t = task_of(arg_int(a, 0));
	long err = 0;

	if (!t)
		return -ESRCH;
	if (copy_from_user(&mask, a->v[2], n))
		err = -EFAULT;
	else if (!may_change(t))
		err = -EPERM;
	mask &= arch_harts_online();
	if (!err && !mask)
		err = -EINVAL;
	if (!err)
		thread_set_affinity(t->thread, mask);
	thread_put(t->thread);
	return err;
}

SYSCALL(sched_getaffinity)
{
	struct task *t = task_of(arg_int(a, 0));
	uint64_t mask;

	if (!t)
		return -ESRCH;
	mask = atomic_load_explicit(&t->thread->affinity, memory_order_relaxed) &
	       arch_harts_online();
	thread_put(t->thread);
	if (a->v[1] < sizeof(mask) || (a->v[1] & 7))
		return -EINVAL;
	return copy_to_user(a->v[2], &mask, sizeof(mask)) ? -EFAULT : (long)sizeof(mask);
}

SYSCALL(getcpu)
{
	uint32_t hart = atomic_load_explicit(&current_thread()->hart, memory_order_relaxed);

	if (a->v[0] && put_user_u32(a->v[0], hart))
		return -EFAULT;
	return a->v[1] ? put_user_u32(a->v[1], 0) : 0;
}

enum { SCHED_OTHER = 0, SCHED_FIFO = 1, SCHED_RR = 2, SCHED_BATCH = 3, SCHED_IDLE = 5 };

static int check_policy(int policy, int priority)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		if (priority < 1 || priority > 99)
			return -EINVAL;
		return capable(CAP_SYS_NICE) ? 0 : -EPERM;
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return priority ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

static long set_scheduler(int pid, int policy, uint64_t param)
{
	struct task *t;
	uint32_t priority;
	long err;

	if (pid < 0 || !param)
		return -EINVAL;
	if (get_user_u32(&priority, param))
		return -EFAULT;
	t = task_of(pid);
	if (!t)
		return -ESRCH;
	if (policy < 0)
		policy = t->sched_policy;
	err = check_policy(policy & 0xffff, (int)priority);
	if (!err && !may_change(t))
		err = -EPERM;
	if (!err) {
		t->sched_policy = policy & 0xffff;
		t->sched_priority = (int)priority;
	}
	thread_put(t->thread);
	return err;
}

SYSCALL(sched_setscheduler)
{
	return arg_int(a, 1) < 0 ? -EINVAL : set_scheduler(arg_int(a, 0), arg_int(a, 1), a->v[2]);
}

SYSCALL(sched_setparam)
{
	return set_scheduler(arg_int(a, 0), -1, a->v[1]);
}

SYSCALL(sched_getscheduler)
{
	struct task *t = arg_int(a, 0) < 0 ? NULL : task_of(arg_int(a, 0));
	long policy;

	if (!t)
		return arg_int(a, 0) < 0 ? -EINVAL : -ESRCH;
	policy = t->sched_policy;
	thread_put(t->thread);
	return policy;
}

SYSCALL(sched_getparam)
{
	struct task *t = arg_int(a, 0) < 0 ? NULL : task_of(arg_int(a, 0));
	uint32_t priority;

	if (!t)
		return arg_int(a, 0) < 0 ? -EINVAL : -ESRCH;
	priority = (uint32_t)t->sched_priority;
	thread_put(t->thread);
	return put_user_u32(a->v[1], priority);
}

static bool policy_known(int p)
{
	return p == SCHED_OTHER || p == SCHED_FIFO || p == SCHED_RR || p == SCHED_BATCH ||
	       p == SCHED_IDLE;
}

SYSCALL(sched_get_priority_max)
{
	int p = arg_int(a, 0);

	if (!policy_known(p))
		return -EINVAL;
	return p == SCHED_FIFO || p == SCHED_RR ? 99 : 0;
}

SYSCALL(sched_get_priority_min)
{
	int p = arg_int(a, 0);

	if (!policy_known(p))
		return -EINVAL;
	return p == SCHED_FIFO || p == SCHED_RR;
}

SYSCALL(sched_rr_get_interval)
{
	if (arg_int(a, 0) < 0)
		return -EINVAL;
	return put_user_timespec(a->v[1], 4 * NS_PER_MS);
}

enum { PRIO_PROCESS, PRIO_PGRP, PRIO_USER };

/* Does process p belong to (which, who)? proc_lock held. */
static bool selected(const struct process *p, int which, int who)
{
	const struct process *me = current_process();
	const struct cred *c = current_cred();
	const struct task *t;

	if (list_empty(&p->tasks))
		return false;
	t = list_first(&p->tasks, struct task, in_process);
	switch (which) {
	case PRIO_PROCESS:
		return p == (who ? process_find_locked(who) : me);
	case PRIO_PGRP:
		return p->pgrp && p->pgrp->id == (who ? who : me->pgrp->id);
	default:
		return t->cred->uid == (who ? (uint32_t)who : c->uid);
	}
}

static long set_nice_locked(struct process *p, int nice)
{
	struct task *t;

	list_for_each_entry (t, &p->tasks, struct task, in_process) {
		if (!capable(CAP_SYS_NICE) && t->cred->uid != current_cred()->euid)
			return -EPERM;
		if (nice < t->thread->nice && !capable(CAP_SYS_NICE))
			return -EACCES;
		thread_set_nice(t->thread, nice);
	}
	return 0;
}

/* fn-like loop over all processes: set (nice in -20..19) or find the best (get). */
static long priority_of(int which, int who, bool set, int nice)
{
	long result = -ESRCH;
	struct process *p, *n;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	for (p = process_next(0); p; p = n) {
		unsigned long flags = spin_lock_irqsave(&proc_lock);

		if (selected(p, which, who)) {
			struct task *t = list_first(&p->tasks, struct task, in_process);
			long v = set ? set_nice_locked(p, nice) : 20 - t->thread->nice;

			result = set ? (result == -ESRCH || v ? v : result) : MAX(result, v);
		}
		spin_unlock_irqrestore(&proc_lock, flags);
		n = process_next(p->pid);
		process_put(p);
	}
	return result;
}

SYSCALL(setpriority)
{
	int nice = arg_int(a, 2);

	nice = MAX(-20, MIN(19, nice));
	return priority_of(arg_int(a, 0), arg_int(a, 1), true, nice);
}

SYSCALL(getpriority)
{
	return priority_of(arg_int(a, 0), arg_int(a, 1), false, 0);
}
