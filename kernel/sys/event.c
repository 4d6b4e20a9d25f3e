/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* System calls of eventfd, epoll, timerfd and signalfd. */
#include "fs/event/event.h"
#include "sys/clocks.h"
#include "sys/user_types.h"
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

SYSCALL(timerfd_create)
{
	int clock = arg_int(a, 0);
	uint32_t flags = arg_u32(a, 1);
	bool alarm = clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;

	if ((flags & ~(uint32_t)(VFS_O_NONBLOCK | VFS_O_CLOEXEC)) ||
	    (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
	     !alarm))
		return -EINVAL;
	if (alarm)
		return capable(CAP_SYS_ADMIN) ? -EOPNOTSUPP
					      : -EPERM; /* nothing wakes this machine */
	return install(timerfd_create(clock == CLOCK_REALTIME, flags),
		       (flags & VFS_O_CLOEXEC) != 0);
}

static long put_itimerspec(uint64_t user, const struct timerfd_setting *s)
{
	int err = put_user_timespec(user, s->interval);

	return err ? err : put_user_timespec(user + 16, s->value);
}

SYSCALL(timerfd_settime)
{
	enum { ABSTIME = 1, CANCEL_ON_SET = 2 };
	struct timerfd_setting new, old;
	uint32_t flags = arg_u32(a, 1);
	struct file *f;
	long err;

	if (flags & ~(uint32_t)(ABSTIME | CANCEL_ON_SET))
		return -EINVAL;
	err = get_user_timespec(a->v[2], &new.interval);
	if (!err)
		err = get_user_timespec(a->v[2] + 16, &new.value);
	if (err)
		return err;
	f = sys_file(arg_int(a, 0));
	err = f ? timerfd_set(f, flags & ABSTIME, &new, &old) : -EBADF;
	file_put(f);
	return err || !a->v[3] ? err : put_itimerspec(a->v[3], &old);
}

SYSCALL(timerfd_gettime)
{
	struct timerfd_setting now;
	struct file *f = sys_file(arg_int(a, 0));
	long err = f ? timerfd_get(f, &now) : -EBADF;

	file_put(f);
	return err ? err : put_itimerspec(a->v[1], &now);
}

SYSCALL(signalfd4)
{
	uint32_t flags = arg_u32(a, 3);
	struct file *f;
	sigset set;
	long err;

	if (a->v[2] != sizeof(set) || (flags & ~(uint32_t)(VFS_O_NONBLOCK | VFS_O_CLOEXEC)))
		return -EINVAL;
	if (copy_from_user(&set, a->v[1], sizeof(set)))
		return -EFAULT;
	set &= ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP));
	if (arg_int(a, 0) == -1)
		return install(signalfd_create(set, flags), (flags & VFS_O_CLOEXEC) != 0);
	f = sys_file(arg_int(a, 0));
	err = f ? signalfd_change(f, set) : -EBADF;
	file_put(f);
	return err ? err : arg_int(a, 0);
}

/* There is no address family yet; programs know this answer and do without (netlink, syslog). */
SYSCALL(socket)
{
	(void)a;
	return -EAFNOSUPPORT;
}

SYSCALL(socketpair)
{
	(void)a;
	return -EAFNOSUPPORT;
}
