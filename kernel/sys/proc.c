/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Processes: clone, execve, exit, wait. */
#include "base/overflow.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/clone.h"
#include "proc/cred.h"
#include "proc/exec.h"
#include "proc/process.h"
#include "proc/wait_child.h"
#include "sys/syscall.h"
#include "sys/user_types.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vfs/path.h"
#include "vm/uaccess.h"

#define AT_FDCWD (-100)
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_EMPTY_PATH 0x1000

SYSCALL(clone)
{
	struct clone_request r = {
		.flags = (uint32_t)a->v[0] & ~0xffull,
		.exit_signal = (int)(a->v[0] & 0xff),
		.stack = a->v[1],
		.parent_tid = a->v[2],
		.tls = a->v[3],
		.child_tid = a->v[4],
	};

	return task_clone(&r);
}

struct user_clone_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, set_tid_size, cgroup;
};

SYSCALL(clone3)
{
	struct user_clone_args u = {0};
	struct clone_request r;
	size_t size = a->v[1];

	if (size > 4096)
		return -E2BIG;
	if (size < 64)
		return -EINVAL;
	if (copy_from_user(&u, a->v[0], MIN(size, sizeof(u))))
		return -EFAULT;
	if (u.set_tid || u.set_tid_size || (u.flags & 0xff) || u.exit_signal > 64 ||
	    !!u.stack != !!u.stack_size || (u.flags & CLONE_DETACHED))
		return -EINVAL;
	if (u.flags & ~(0xffffffffull | CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if ((u.flags & (CLONE_THREAD | CLONE_PARENT)) && u.exit_signal)
		return -EINVAL;
	r = (struct clone_request){
		.flags = u.flags,
		.exit_signal = (int)u.exit_signal,
		.stack = u.stack ? u.stack + u.stack_size : 0,
		.parent_tid = u.parent_tid,
		.tls = u.tls,
		.child_tid = u.child_tid,
	};
	return task_clone(&r);
}

SYSCALL(unshare)
{
	return task_unshare(a->v[0]);
}

/* The place that (dirfd, name) stands for. */
static int find_program(int dirfd, const char *name, unsigned flags, struct path *out)
{
	struct task *t = current_task();
	struct vfs_cred cred;
	struct vfs_walk_from from = {.fc = t->fs, .cred = &cred};
	struct file *dir = NULL;
	unsigned walk = flags & AT_SYMLINK_NOFOLLOW ? 0 : VFS_FOLLOW;
	int err;

	cred_vfs(t->cred, &cred);
	if (flags & AT_EMPTY_PATH)
		walk |= VFS_EMPTY_PATH;
	if (dirfd != AT_FDCWD && name[0] != '/') {
		dir = fdtable_file(t->fds, dirfd);
		if (!dir)
			return -EBADF;
		from.at = &dir->path;
	}
	err = dir && !dir->path.vn ? -EACCES : vfs_walk(&from, name, walk, out);
	file_put(dir);
	return err;
}

static long do_exec(int dirfd, uint64_t user_name, uint64_t argv, uint64_t envp, unsigned flags)
{
	char *name = mm_alloc(VFS_PATH_MAX, MM_NORMAL);
	struct path p;
	int64_t n;
	int err;

	if (!name)
		return -ENOMEM;
	n = strncpy_from_user(name, user_name, VFS_PATH_MAX);
	err = n < 0 ? (int)n : find_program(dirfd, name, flags, &p);
	if (!err) {
		if (p.vn->type == VFS_S_IFLNK)
			err = -ELOOP;
		else
			err = exec_user(&p, name, argv, envp);
		path_put(&p);
	}
	mm_free(name);
	return err;
}

SYSCALL(execve)
{
	return do_exec(AT_FDCWD, a->v[0], a->v[1], a->v[2], 0);
}

SYSCALL(execveat)
{
	if (arg_u32(a, 4) & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return do_exec(arg_int(a, 0), a->v[1], a->v[2], a->v[3], arg_u32(a, 4));
}

SYSCALL(exit)
{
	task_exit_status((arg_u32(a, 0) & 0xff) << 8);
}

SYSCALL(exit_group)
{
	process_exit((arg_u32(a, 0) & 0xff) << 8);
}

struct user_rusage {
	struct user_timeval utime, stime;
	int64_t maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock;
	int64_t msgsnd, msgrcv, nsignals, nvcsw, nivcsw;
};

static int put_rusage(uint64_t addr, const struct proc_times *t)
{
	struct user_rusage u = {
		.utime = timeval_of(t->user_ns),
		.stime = timeval_of(t->system_ns),
		.maxrss = (int64_t)t->max_rss * 4,
		.minflt = (int64_t)t->minor_faults,
		.majflt = (int64_t)t->major_faults,
		.nvcsw = (int64_t)t->voluntary,
		.nivcsw = (int64_t)t->involuntary,
	};

	return copy_to_user(addr, &u, sizeof(u));
}

SYSCALL(wait4)
{
	int pid = arg_int(a, 0);
	unsigned options = arg_u32(a, 2);
	struct wait_result r;
	enum wait_which which = WAIT_PID;
	int err;

	if (options & ~(unsigned)(WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WALL | WCLONE))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid == -1)
		which = WAIT_ANY;
	else if (pid <= 0)
		which = WAIT_PGRP;
	err = wait_child(which, pid < 0 ? -pid : pid, options | WEXITED, &r);
	if (err)
		return err;
	if (r.pid && a->v[1] && put_user_u32(a->v[1], r.status))
		return -EFAULT;
	if (r.pid && a->v[3] && put_rusage(a->v[3], &r.times))
		return -EFAULT;
	return r.pid;
}

static int put_waitid_info(uint64_t addr, const struct wait_result *r)
{
	uint8_t block[SIGINFO_SIZE] = {0};
	struct siginfo info = {0};

	if (r->pid) {
		info.signo = SIGCHLD;
		info.code = r->code;
		info.chld.pid = r->pid;
		info.chld.uid = r->uid;
		if (r->code == CLD_EXITED || r->code == CLD_STOPPED)
			info.chld.status = (int32_t)(r->status >> 8 & 0xff);
		else if (r->code == CLD_CONTINUED)
			info.chld.status = SIGCONT;
		else
			info.chld.status = (int32_t)(r->status & 0x7f);
	}
	memcpy(block, &info, sizeof(info));
	return copy_to_user(addr, block, sizeof(block));
}

SYSCALL(waitid)
{
	static const enum wait_which kinds[] = {WAIT_ANY, WAIT_PID, WAIT_PGRP};
	unsigned kind = arg_u32(a, 0), options = arg_u32(a, 3);
	int id = arg_int(a, 1), err;
	struct wait_result r;

	if (options & ~(unsigned)(WNOHANG | WUNTRACED | WEXITED | WCONTINUED | WNOWAIT | WNOTHREAD |
				  WALL | WCLONE))
		return -EINVAL;
	if (!(options & (WEXITED | WUNTRACED | WCONTINUED)) || kind >= ARRAY_SIZE(kinds))
		return -EINVAL;
	if ((kind == 1 && id <= 0) || (kind == 2 && id < 0))
		return -EINVAL;
	err = wait_child(kinds[kind], id, options, &r);
	if (err)
		return err;
	if (a->v[2] && put_waitid_info(a->v[2], &r))
		return -EFAULT;
	if (r.pid && a->v[4] && put_rusage(a->v[4], &r.times))
		return -EFAULT;
	return 0;
}

static void sum_times(int who, struct proc_times *out)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	if (who == -1)
		*out = current_process()->child_times;
	else
		process_times(current_process(), out);
	spin_unlock_irqrestore(&proc_lock, flags);
}

SYSCALL(getrusage)
{
	struct proc_times t = {0};
	int who = arg_int(a, 0);

	if (who < -1 || who > 1)
		return -EINVAL;
	if (who == 1)
		task_own_times(&t);
	else
		sum_times(who, &t);
	return put_rusage(a->v[1], &t);
}

SYSCALL(times)
{
	struct proc_times self, kids;
	uint64_t tick = NS_PER_SEC / 100;
	int64_t v[4];

	sum_times(0, &self);
	sum_times(-1, &kids);
	v[0] = (int64_t)(self.user_ns / tick);
	v[1] = (int64_t)(self.system_ns / tick);
	v[2] = (int64_t)(kids.user_ns / tick);
	v[3] = (int64_t)(kids.system_ns / tick);
	if (a->v[0] && copy_to_user(a->v[0], v, sizeof(v)))
		return -EFAULT;
	return (long)(clock_now() / tick);
}

SYSCALL(set_tid_address)
{
	current_task()->clear_child_tid = a->v[0];
	return current_task()->tid;
}

SYSCALL(set_robust_list)
{
	if (a->v[1] != 24)
		return -EINVAL;
	current_task()->robust_list = a->v[0];
	return 0;
}

SYSCALL(get_robust_list)
{
	int tid = arg_int(a, 0);
	uint64_t head;
	struct task *t;
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	t = tid ? task_find_locked(tid) : current_task();
	head = t ? t->robust_list : 0;
	spin_unlock_irqrestore(&proc_lock, flags);
	if (!t)
		return -ESRCH;
	if (put_user_u64(a->v[2], 24) || put_user_u64(a->v[1], head))
		return -EFAULT;
	return 0;
}
