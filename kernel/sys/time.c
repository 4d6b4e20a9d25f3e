/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Clocks and sleeping. */
#include "base/overflow.h"
#include "proc/process.h"
#include "sched/clock.h"
#include "sched/sched.h"
#include "sys/clocks.h"
#include "sys/syscall.h"
#include "sys/user_types.h"
#include "vdso/vdso.h"
#include "vm/uaccess.h"

#define TIMER_ABSTIME 1

static uint64_t cpu_ns(bool whole_process)
{
	struct proc_times t;
	unsigned long flags;

	if (!whole_process) {
		task_own_times(&t);
		return t.user_ns + t.system_ns;
	}
	flags = spin_lock_irqsave(&proc_lock);
	process_times(current_process(), &t);
	spin_unlock_irqrestore(&proc_lock, flags);
	return t.user_ns + t.system_ns;
}

/* CPU clocks of others: -8 * pid - 8 + kind, bit 2 for a thread. Only the caller's own here. */
static int dynamic_clock(int id, uint64_t *ns)
{
	int pid = ~(id >> 3);
	bool thread = id & 4;

	if ((id & 3) == 3)
		return -EINVAL;
	if (thread ? pid && pid != current_task()->tid : pid && pid != current_process()->pid)
		return -EINVAL;
	*ns = cpu_ns(!thread);
	return 0;
}

int clock_read(int id, uint64_t *ns)
{
	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		*ns = (uint64_t)clock_wall();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = clock_now();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*ns = cpu_ns(true);
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = cpu_ns(false);
		return 0;
	default:
		return id < 0 ? dynamic_clock(id, ns) : -EINVAL;
	}
}

uint64_t clock_deadline(int id, bool absolute, uint64_t ns)
{
	uint64_t now = clock_now(), wall;

	if (!absolute)
		return ns > UINT64_MAX - 1 - now ? UINT64_MAX - 1 : now + ns;
	if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_ALARM && id != CLOCK_TAI)
		return ns;
	wall = (uint64_t)clock_wall();
	return ns <= wall ? now : now + (ns - wall);
}

SYSCALL(clock_gettime)
{
	uint64_t ns;
	int err = clock_read(arg_int(a, 0), &ns);

	return err ? err : put_user_timespec(a->v[1], ns);
}

SYSCALL(clock_getres)
{
	int id = arg_int(a, 0), err;
	uint64_t ns;

	err = clock_read(id, &ns);
	if (err)
		return err;
	ns = id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE ? 4000000 : 1;
	return a->v[1] ? put_user_timespec(a->v[1], ns) : 0;
}

static void set_wall(int64_t ns)
{
	clock_set_wall(ns);
	vdso_update();
}

SYSCALL(clock_settime)
{
	uint64_t ns;
	int err;

	if (arg_int(a, 0) != CLOCK_REALTIME)
		return -EINVAL;
	err = get_user_timespec(a->v[1], &ns);
	if (err)
		return err;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	set_wall((int64_t)ns);
	return 0;
}

SYSCALL(gettimeofday)
{
	struct user_timeval tv = timeval_of((uint64_t)clock_wall());
	int32_t tz[2] = {0, 0};

	if (a->v[0] && copy_to_user(a->v[0], &tv, sizeof(tv)))
		return -EFAULT;
	return a->v[1] ? copy_to_user(a->v[1], tz, sizeof(tz)) : 0;
}

SYSCALL(settimeofday)
{
	struct user_timeval tv;

	if (a->v[0] && copy_from_user(&tv, a->v[0], sizeof(tv)))
		return -EFAULT;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	if (!a->v[0])
		return 0;
	if (tv.sec < 0 || tv.sec > INT64_MAX / 1000000001 || tv.usec < 0 || tv.usec >= 1000000)
		return -EINVAL;
	set_wall(tv.sec * (int64_t)NS_PER_SEC + tv.usec * 1000);
	return 0;
}

/* Only reads: nothing disciplines the clock here. struct timex is 208 bytes. */
static long read_timex(uint64_t addr)
{
	uint32_t modes;
	struct user_timeval now = timeval_of((uint64_t)clock_wall());

	if (get_user_u32(&modes, addr))
		return -EFAULT;
	if (modes)
		return capable(CAP_SYS_TIME) ? -EOPNOTSUPP : -EPERM;
	if (clear_user(addr, 208) || copy_to_user(addr + 72, &now, sizeof(now)))
		return -EFAULT;
	return 5; /* TIME_ERROR: not synchronized */
}

SYSCALL(adjtimex)
{
	return read_timex(a->v[0]);
}

SYSCALL(clock_adjtime)
{
	return arg_int(a, 0) == CLOCK_REALTIME ? read_timex(a->v[1]) : -EINVAL;
}

static int put_remaining(uint64_t addr, uint64_t deadline)
{
	uint64_t now = clock_now();

	return addr ? put_user_timespec(addr, deadline > now ? deadline - now : 0) : 0;
}

/* restart[0]: deadline, [1]: where the rest goes. */
static long sleep_again(struct task *t)
{
	uint64_t deadline = t->restart[0], rest = t->restart[1];

	if (sched_sleep_until(deadline, WAIT_INTERRUPTIBLE) != -EINTR)
		return 0;
	return put_remaining(rest, deadline) ? -EFAULT : -ERESTART_RESTARTBLOCK;
}

static long sleep_for(uint64_t ns, uint64_t rest)
{
	struct task *t = current_task();

	t->restart[0] = clock_deadline(CLOCK_MONOTONIC, false, ns);
	t->restart[1] = rest;
	t->restart_fn = sleep_again;
	return sleep_again(t);
}

SYSCALL(nanosleep)
{
	uint64_t ns;
	int err = get_user_timespec(a->v[0], &ns);

	return err ? err : sleep_for(ns, a->v[1]);
}

SYSCALL(clock_nanosleep)
{
	int id = arg_int(a, 0), err;
	uint64_t ns, now;

	err = clock_read(id, &now);
	if (err)
		return err;
	if (id == CLOCK_THREAD_CPUTIME_ID || id < 0)
		return -EINVAL;
	if (id == CLOCK_PROCESS_CPUTIME_ID || id == CLOCK_MONOTONIC_RAW ||
	    id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE)
		return -EOPNOTSUPP;
	err = get_user_timespec(a->v[2], &ns);
	if (err)
		return err;
	if (!(arg_u32(a, 1) & TIMER_ABSTIME))
		return sleep_for(ns, a->v[3]);
	err = sched_sleep_until(clock_deadline(id, true, ns), WAIT_INTERRUPTIBLE);
	return err == -EINTR ? -ERESTARTNOHAND : 0;
}
