/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* System calls of eventfd and epoll. */
#include "fs/event/event.h"
#include "port/mem.h"
#include "proc/process.h"
#include "sched/clock.h"
#include "sync/wait.h"
#include "sys/fs_util.h"
#include "vm/uaccess.h"

#define MAX_EVENTS 1024u

/* A descriptor for f (taken, or put on error). */
static long install(struct file *f, bool cloexec)
{
	int fd;

	if (!f)
		return -ENOMEM;
	fd = fdtable_install(current_task()->fds, f, 0, current_rlimit(RLIMIT_NOFILE), cloexec);
	if (fd < 0)
		file_put(f);
	return fd;
}

SYSCALL(eventfd2)
{
	uint32_t flags = arg_u32(a, 1);

	if (flags & ~(uint32_t)(1 | VFS_O_NONBLOCK | VFS_O_CLOEXEC))
		return -EINVAL;
	return install(eventfd_create(arg_u32(a, 0), flags), (flags & VFS_O_CLOEXEC) != 0);
}

SYSCALL(epoll_create1)
{
	if (arg_u32(a, 0) & ~(uint32_t)VFS_O_CLOEXEC)
		return -EINVAL;
	return install(epoll_create(), arg_u32(a, 0) != 0);
}

SYSCALL(epoll_ctl)
{
	struct file *ep = sys_file(arg_int(a, 0));
	struct file *f = sys_file(arg_int(a, 2));
	struct epoll_event e = {.events = 0};
	int op = arg_int(a, 1);
	long err = ep && f ? 0 : -EBADF;

	if (!err && op != EPOLL_CTL_DEL)
		err = copy_from_user(&e, a->v[3], sizeof(e));
	if (!err)
		err = epoll_ctl(ep, op, arg_int(a, 2), f, &e);
	file_put(ep);
	file_put(f);
	return err;
}

static long do_wait(const struct syscall_args *a, uint64_t deadline)
{
	struct file *ep = sys_file(arg_int(a, 0));
	int max = arg_int(a, 2);
	struct epoll_event *out;
	long n;

	if (!ep)
		return -EBADF;
	if (max <= 0) {
		file_put(ep);
		return -EINVAL;
	}
	out = port_alloc(MIN((unsigned)max, MAX_EVENTS) * sizeof(*out));
	n = out ? epoll_wait(ep, out, MIN((unsigned)max, MAX_EVENTS), deadline) : -ENOMEM;
	if (n > 0 && copy_to_user(a->v[1], out, (size_t)n * sizeof(*out)))
		n = -EFAULT;
	port_free(out);
	file_put(ep);
	return n;
}

static long wait_masked(const struct syscall_args *a, uint64_t deadline)
{
	sigset mask;
	long n;

	if (a->v[4]) {
		if (a->v[5] != sizeof(mask))
			return -EINVAL;
		if (copy_from_user(&mask, a->v[4], sizeof(mask)))
			return -EFAULT;
		signal_set_temp_mask(mask);
	}
	n = do_wait(a, deadline);
	if (n != -EINTR && a->v[4])
		signal_restore_temp_mask();
	return n; /* Linux: EINTR, never restarted */
}

SYSCALL(epoll_pwait)
{
	int ms = arg_int(a, 3);
	uint64_t deadline = WAIT_FOREVER;

	if (ms >= 0)
		deadline = ms ? clock_now() + (unsigned)ms * NS_PER_MS : 0;
	return wait_masked(a, deadline);
}

SYSCALL(epoll_pwait2)
{
	struct {
		int64_t sec;
		int64_t nsec;
	} ts;
	uint64_t deadline = WAIT_FOREVER;

	if (a->v[3]) {
		if (copy_from_user(&ts, a->v[3], sizeof(ts)))
			return -EFAULT;
		if (ts.sec < 0 || ts.nsec < 0 || ts.nsec > 999999999)
			return -EINVAL;
		deadline = 0;
		if (ts.sec || ts.nsec)
			deadline = clock_now() +
				   (ts.sec < (1ll << 31) ? (uint64_t)ts.sec : 1ull << 31) *
					   NS_PER_SEC +
				   (uint64_t)ts.nsec;
	}
	return wait_masked(a, deadline);
}
