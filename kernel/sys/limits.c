/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Resource limits, prctl, personality. */
#include "lib/string.h"
#include "proc/cred.h"
#include "proc/process.h"
#include "sys/syscall.h"
#include "vm/space.h"
#include "vm/uaccess.h"

static void publish_limits(struct task *t)
{
	const struct rlimit *l = t->process->rlimits;

	if (!t->mm)
		return;
	t->mm->limit_as = l[RLIMIT_AS].cur;
	t->mm->limit_stack = l[RLIMIT_STACK].cur;
	t->mm->limit_data = l[RLIMIT_DATA].cur;
}

/* Sets (new non-NULL) and gets one limit of process pid (0: the caller). */
static int change_limit(int pid, unsigned r, const struct rlimit *new, struct rlimit *old)
{
	const struct cred *me = current_cred();
	bool root = capable(CAP_SYS_RESOURCE);
	struct process *p;
	unsigned long flags;
	int err = 0;

	if (r >= RLIMIT_COUNT || (new &&new->cur > new->max))
		return -EINVAL;
	flags = spin_lock_irqsave(&proc_lock);
	p = pid ? process_find_locked(pid) : current_process();
	if (!p)
		err = -ESRCH;
	else if (p != current_process() && !root && p->last_uid != me->uid)
		err = -EPERM;
	else if (new &&new->max > p->rlimits[r].max && !root)
		err = -EPERM;
	if (!err) {
		struct list *l;

		*old = p->rlimits[r];
		if (new)
			p->rlimits[r] = *new;
		list_for_each (l, &p->tasks)
			publish_limits(list_entry(l, struct task, in_process));
	}
	spin_unlock_irqrestore(&proc_lock, flags);
	return err;
}

SYSCALL(prlimit64)
{
	struct rlimit new, old;
	int err;

	if (a->v[2] && copy_from_user(&new, a->v[2], sizeof(new)))
		return -EFAULT;
	err = change_limit(arg_int(a, 0), arg_u32(a, 1), a->v[2] ? &new : NULL, &old);
	if (!err && a->v[3])
		err = copy_to_user(a->v[3], &old, sizeof(old));
	return err;
}

SYSCALL(getrlimit)
{
	struct rlimit old;
	int err = change_limit(0, arg_u32(a, 0), NULL, &old);

	return err ? err : copy_to_user(a->v[1], &old, sizeof(old));
}

SYSCALL(setrlimit)
{
	struct rlimit new, old;

	if (copy_from_user(&new, a->v[1], sizeof(new)))
		return -EFAULT;
	return change_limit(0, arg_u32(a, 0), &new, &old);
}

enum {
	PR_SET_PDEATHSIG = 1,
	PR_GET_PDEATHSIG = 2,
	PR_GET_DUMPABLE = 3,
	PR_SET_DUMPABLE = 4,
	PR_GET_KEEPCAPS = 7,
	PR_SET_KEEPCAPS = 8,
	PR_SET_NAME = 15,
	PR_GET_NAME = 16,
	PR_GET_SECCOMP = 21,
	PR_CAPBSET_READ = 23,
	PR_CAPBSET_DROP = 24,
	PR_GET_SECUREBITS = 27,
	PR_SET_SECUREBITS = 28,
	PR_SET_TIMERSLACK = 29,
	PR_GET_TIMERSLACK = 30,
	PR_SET_CHILD_SUBREAPER = 36,
	PR_GET_CHILD_SUBREAPER = 37,
	PR_SET_NO_NEW_PRIVS = 38,
	PR_GET_NO_NEW_PRIVS = 39,
	PR_GET_TID_ADDRESS = 40,
	PR_CAP_AMBIENT = 47,
	PR_SET_VMA = 0x53564d41,
};

static long set_name(uint64_t addr)
{
	struct task *t = current_task();
	char name[COMM_LEN] = {0};
	int64_t n = strncpy_from_user(name, addr, sizeof(name));
	unsigned long flags;

	if (n == -EFAULT)
		return -EFAULT;
	if (n == -ENAMETOOLONG && copy_from_user(name, addr, sizeof(name) - 1))
		return -EFAULT;
	name[COMM_LEN - 1] = 0;
	flags = spin_lock_irqsave(&proc_lock);
	memcpy(t->comm, name, sizeof(name));
	memcpy(t->thread->name, name, sizeof(name));
	spin_unlock_irqrestore(&proc_lock, flags);
	return 0;
}

enum cred_change {
	NO_NEW_PRIVS,
	DROP_BOUNDING,
	SET_SECUREBITS,
	AMBIENT_RAISE,
	AMBIENT_LOWER,
	AMBIENT_CLEAR
};

static long change_cred(enum cred_change what, uint64_t arg)
{
	struct cred *c = cred_copy(current_cred());

	if (!c)
		return -ENOMEM;
	switch (what) {
	case NO_NEW_PRIVS:
		c->no_new_privs = true;
		break;
	case DROP_BOUNDING:
		c->cap_bounding &= ~(1ull << arg);
		break;
	case SET_SECUREBITS:
		c->securebits = (uint32_t)arg;
		break;
	case AMBIENT_RAISE:
		c->cap_ambient |= 1ull << arg & c->cap_permitted & c->cap_inheritable;
		break;
	case AMBIENT_LOWER:
		c->cap_ambient &= ~(1ull << arg);
		break;
	case AMBIENT_CLEAR:
		c->cap_ambient = 0;
		break;
	}
	cred_replace(c);
	return 0;
}

static long prctl_caps(const struct syscall_args *a)
{
	uint64_t cap = a->v[1];

	switch (arg_int(a, 0)) {
	case PR_CAPBSET_READ:
		return cap > CAP_LAST ? -EINVAL : (long)(current_cred()->cap_bounding >> cap & 1);
	case PR_CAPBSET_DROP:
		if (!capable(CAP_SETPCAP))
			return -EPERM;
		return cap > CAP_LAST ? -EINVAL : change_cred(DROP_BOUNDING, cap);
	case PR_GET_SECUREBITS:
		return current_cred()->securebits;
	case PR_SET_SECUREBITS:
		return capable(CAP_SETPCAP) ? change_cred(SET_SECUREBITS, cap & 0xff) : -EPERM;
	case PR_CAP_AMBIENT:
		if (a->v[1] == 4)
			return change_cred(AMBIENT_CLEAR, 0);
		if (a->v[2] > CAP_LAST || a->v[1] < 1 || a->v[1] > 3)
			return -EINVAL;
		if (a->v[1] == 1)
			return (long)(current_cred()->cap_ambient >> a->v[2] & 1);
		return change_cred(a->v[1] == 2 ? AMBIENT_RAISE : AMBIENT_LOWER, a->v[2]);
	default:
		return -EINVAL;
	}
}

SYSCALL(prctl)
{
	struct task *t = current_task();
	struct process *p = t->process;
	uint64_t x = a->v[1];

	switch (arg_int(a, 0)) {
	case PR_SET_PDEATHSIG:
		if (x > NSIG)
			return -EINVAL;
		t->pdeath_signal = (int32_t)x;
		return 0;
	case PR_GET_PDEATHSIG:
		return put_user_u32(x, (uint32_t)t->pdeath_signal);
	case PR_GET_DUMPABLE:
		return p->dumpable;
	case PR_SET_DUMPABLE:
		if (x > 1)
			return -EINVAL;
		p->dumpable = (int32_t)x;
		return 0;
	case PR_GET_KEEPCAPS:
	case PR_GET_SECCOMP:
		return 0;
	case PR_SET_KEEPCAPS:
		return x > 1 ? -EINVAL : 0;
	case PR_SET_NAME:
		return set_name(x);
	case PR_GET_NAME:
		return copy_to_user(x, t->comm, COMM_LEN);
	case PR_SET_TIMERSLACK:
		t->timer_slack = x ? x : 50000;
		return 0;
	case PR_GET_TIMERSLACK:
		return (long)t->timer_slack;
	case PR_SET_CHILD_SUBREAPER:
		p->subreaper = x != 0;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_user_u32(x, p->subreaper);
	case PR_SET_NO_NEW_PRIVS:
		return x == 1 && !a->v[2] ? change_cred(NO_NEW_PRIVS, 0) : -EINVAL;
	case PR_GET_NO_NEW_PRIVS:
		return current_cred()->no_new_privs;
	case PR_GET_TID_ADDRESS:
		return put_user_u64(x, t->clear_child_tid);
	case PR_SET_VMA:
		return -EINVAL; /* as on a kernel without names for anonymous memory */
	default:
		return prctl_caps(a);
	}
}

SYSCALL(personality)
{
	struct task *t = current_task();
	uint32_t old = t->personality;

	if (arg_u32(a, 0) != UINT32_MAX)
		t->personality = arg_u32(a, 0);
	return old;
}
