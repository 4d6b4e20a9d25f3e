/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Linux's structures of riscv64 as programs see them, and their conversions. */
#ifndef SYS_USER_TYPES_H
#define SYS_USER_TYPES_H

#include "base/types.h"
#include "lib/errno.h"
#include "sched/clock.h"
#include "vm/uaccess.h"

struct user_timespec {
	int64_t sec, nsec;
};
struct user_timeval {
	int64_t sec, usec;
};

/* Nanoseconds, saturating at INT64_MAX. -EFAULT, -EINVAL (negative or too many nanoseconds). */
static inline MUST_CHECK int get_user_timespec(uint64_t addr, uint64_t *ns)
{
	struct user_timespec ts;

	if (copy_from_user(&ts, addr, sizeof(ts)))
		return -EFAULT;
	if (ts.sec < 0 || ts.nsec < 0 || ts.nsec >= (int64_t)NS_PER_SEC)
		return -EINVAL;
	if ((uint64_t)ts.sec >= INT64_MAX / NS_PER_SEC)
		*ns = INT64_MAX;
	else
		*ns = (uint64_t)ts.sec * NS_PER_SEC + (uint64_t)ts.nsec;
	return 0;
}

static inline MUST_CHECK int put_user_timespec(uint64_t addr, uint64_t ns)
{
	struct user_timespec ts = {(int64_t)(ns / NS_PER_SEC), (int64_t)(ns % NS_PER_SEC)};

	return copy_to_user(addr, &ts, sizeof(ts));
}

static inline struct user_timeval timeval_of(uint64_t ns)
{
	return (struct user_timeval){(int64_t)(ns / NS_PER_SEC), (int64_t)(ns % NS_PER_SEC / 1000)};
}

#endif
