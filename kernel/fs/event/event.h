/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* eventfd, epoll, timerfd and signalfd. */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include "vfs/file.h"

/* flags: EFD_SEMAPHORE 1, VFS_O_NONBLOCK. NULL: no memory. */
struct file *eventfd_create(uint32_t value, unsigned flags) MUST_CHECK;

/* flags: VFS_O_NONBLOCK. NULL: no memory. */
struct file *timerfd_create(bool wall, unsigned flags) MUST_CHECK;
struct timerfd_setting {
	uint64_t interval; /* nanoseconds; 0: once */
	uint64_t value;    /* 0: not armed */
};
/* -EINVAL: f is no timerfd. */
int timerfd_get(struct file *f, struct timerfd_setting *out) MUST_CHECK;
int timerfd_set(struct file *f, bool absolute, const struct timerfd_setting *new,
		struct timerfd_setting *old) MUST_CHECK;

/* set: a sigset without SIGKILL and SIGSTOP. NULL: no memory. */
struct file *signalfd_create(uint64_t set, unsigned flags) MUST_CHECK;
int signalfd_change(struct file *f, uint64_t set) MUST_CHECK; /* -EINVAL: f is no signalfd */

/* lseek on these descriptors does nothing and succeeds. */
static inline int64_t event_seek(struct file *f, int64_t off, int whence)
{
	(void)f;
	(void)off;
	(void)whence;
	return 0;
}

enum { EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2, EPOLL_CTL_MOD = 3 };
#define EPOLLEXCLUSIVE (1u << 28)
#define EPOLLWAKEUP (1u << 29)
#define EPOLLONESHOT (1u << 30)
#define EPOLLET (1u << 31)

struct epoll_event {
	uint32_t events;
	uint32_t pad; /* riscv64: not packed */
	uint64_t data;
};

struct file *epoll_create(void) MUST_CHECK; /* NULL: no memory */
/* ep must be an epoll description: -EINVAL otherwise. fd is only remembered. */
int epoll_ctl(struct file *ep, int op, int fd, struct file *f, const struct epoll_event *e)
	MUST_CHECK;
/* Up to max events; until deadline (clock_now; 0: do not wait). How many, or -EINTR, -EINVAL. */
int epoll_wait(struct file *ep, struct epoll_event *out, unsigned max, uint64_t deadline)
	MUST_CHECK;

#endif
