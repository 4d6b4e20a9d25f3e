/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Signals: actions, masks, sending, waiting. */
#include "arch/trap.h"
#include "lib/string.h"
#include "proc/deliver.h"
#include "proc/process.h"
#include "proc/sigops.h"
#include "sched/clock.h"
#include "sys/syscall.h"
#include "sys/user_types.h"
#include "vm/uaccess.h"

#define UNBLOCKABLE (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))
enum { SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK };

SYSCALL(rt_sigaction)
{
	int sig = arg_int(a, 0);
	struct sigaction act, old;
	bool set = a->v[1] != 0;

	if (a->v[3] != sizeof(sigset))
		return -EINVAL;
	if (set && copy_from_user(&act, a->v[1], sizeof(act)))
		return -EFAULT;
	if (sig < 1 || sig > NSIG || (set && (UNBLOCKABLE & SIGBIT(sig))))
		return -EINVAL;
	if (set)
		act.mask &= ~UNBLOCKABLE;
	signal_set_action(sig, set ? &act : NULL, &old);
	return a->v[2] ? copy_to_user(a->v[2], &old, sizeof(old)) : 0;
}

SYSCALL(rt_sigprocmask)
{
	sigset old = current_task()->blocked, set;

	if (a->v[3] != sizeof(sigset))
		return -EINVAL;
	if (a->v[1]) {
		if (copy_from_user(&set, a->v[1], sizeof(set)))
			return -EFAULT;
		switch (arg_int(a, 0)) {
		case SIG_BLOCK:
			set |= old;
			break;
		case SIG_UNBLOCK:
			set = old & ~set;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		signal_set_blocked(set);
	}
	return a->v[2] ? copy_to_user(a->v[2], &old, sizeof(old)) : 0;
}

SYSCALL(rt_sigpending)
{
	sigset set = signal_pending_set();

	if (a->v[1] > sizeof(set))
		return -EINVAL;
	return copy_to_user(a->v[0], &set, a->v[1]);
}

SYSCALL(rt_sigsuspend)
{
	struct wait_queue never = WAIT_QUEUE_INIT(never);
	sigset set;

	if (a->v[1] != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, a->v[0], sizeof(set)))
		return -EFAULT;
	signal_set_temp_mask(set);
	(void)WAIT_EVENT_UNTIL(&never, signal_pending(), WAIT_FOREVER, WAIT_INTERRUPTIBLE);
	return -ERESTARTNOHAND;
}

static int put_siginfo(uint64_t addr, const struct siginfo *info)
{
	uint8_t block[SIGINFO_SIZE] = {0};

	memcpy(block, info, sizeof(*info));
	return copy_to_user(addr, block, sizeof(block));
}

static int get_siginfo(struct siginfo *info, uint64_t addr, int sig)
{
	if (copy_from_user(info, addr, sizeof(*info)))
		return -EFAULT;
	info->signo = sig;
	return 0;
}

SYSCALL(rt_sigtimedwait)
{
	uint64_t deadline = WAIT_FOREVER, ns;
	struct siginfo info;
	sigset set;
	int err, sig;

	if (a->v[3] != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, a->v[0], sizeof(set)))
		return -EFAULT;
	if (a->v[2]) {
		err = get_user_timespec(a->v[2], &ns);
		if (err)
			return err;
		deadline = clock_now() + ns;
	}
	sig = signal_wait(set & ~UNBLOCKABLE, deadline, &info);
	if (sig > 0 && a->v[1] && put_siginfo(a->v[1], &info))
		return -EFAULT;
	return sig;
}

SYSCALL(kill)
{
	struct siginfo info = {.signo = arg_int(a, 1), .code = SI_USER};

	info.rt.pid = current_process()->pid;
	info.rt.uid = current_cred()->uid;
	return signal_kill(arg_int(a, 0), &info);
}

static long to_thread(int tgid, int tid, int sig)
{
	struct siginfo info = {.signo = sig, .code = SI_TKILL};

	if (tid <= 0)
		return -EINVAL;
	info.rt.pid = current_process()->pid;
	info.rt.uid = current_cred()->uid;
	return signal_kill_thread(tgid, tid, &info);
}

SYSCALL(tkill)
{
	return to_thread(0, arg_int(a, 0), arg_int(a, 1));
}

SYSCALL(tgkill)
{
	if (arg_int(a, 0) <= 0)
		return -EINVAL;
	return to_thread(arg_int(a, 0), arg_int(a, 1), arg_int(a, 2));
}

SYSCALL(rt_sigqueueinfo)
{
	struct siginfo info;
	int pid = arg_int(a, 0), err = get_siginfo(&info, a->v[2], arg_int(a, 1));

	if (err)
		return err;
	if ((info.code >= 0 || info.code == SI_TKILL) && pid != current_process()->pid)
		return -EPERM;
	return pid > 0 ? signal_kill(pid, &info) : -ESRCH;
}

SYSCALL(rt_tgsigqueueinfo)
{
	struct siginfo info;
	int err = get_siginfo(&info, a->v[3], arg_int(a, 2));

	if (arg_int(a, 0) <= 0 || arg_int(a, 1) <= 0)
		return -EINVAL;
	if (err)
		return err;
	if ((info.code >= 0 || info.code == SI_TKILL) && arg_int(a, 1) != current_task()->tid)
		return -EPERM;
	return signal_kill_thread(arg_int(a, 0), arg_int(a, 1), &info);
}

struct user_stack {
	uint64_t sp;
	int32_t flags;
	int32_t pad;
	uint64_t size;
};

#define MINSIGSTKSZ 2048
enum { SS_ONSTACK = 1, SS_DISABLE = 2 };
#define SS_AUTODISARM 0x80000000u

SYSCALL(sigaltstack)
{
	struct task *t = current_task();
	uint64_t sp = arch_user_frame(t->thread)->x[TRAP_SP];
	int state = signal_altstack_get_flags(sp);
	struct user_stack old = {.sp = t->altstack, .size = t->altstack_size}, s;

	old.flags = state | (int32_t)((uint32_t)t->altstack_flags & SS_AUTODISARM);
	if (a->v[0]) {
		uint32_t mode;

		if (copy_from_user(&s, a->v[0], sizeof(s)))
			return -EFAULT;
		mode = (uint32_t)s.flags & ~SS_AUTODISARM;
		if (state == SS_ONSTACK)
			return -EPERM;
		if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE)
			return -EINVAL;
		if (mode == SS_DISABLE)
			s.sp = s.size = 0;
		else if (s.size < MINSIGSTKSZ)
			return -ENOMEM;
		t->altstack = s.sp;
		t->altstack_size = s.size;
		t->altstack_flags = s.flags & ~SS_ONSTACK;
	}
	return a->v[1] ? copy_to_user(a->v[1], &old, sizeof(old)) : 0;
}

SYSCALL(rt_sigreturn)
{
	(void)a;
	return signal_return(arch_user_frame(current_thread()));
}

SYSCALL(restart_syscall)
{
	struct task *t = current_task();

	(void)a;
	return t->restart_fn ? t->restart_fn(t) : -EINTR;
}
