/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Timers that send signals: setitimer and POSIX timers. Both are a struct ptimer on a timer of the
 * machine layer, whose callback runs in interrupt context and takes proc_lock.
 *
 * Timers on CPU time also run on the machine's timers: when one fires and the time is not used up
 * yet, it is set again for what is left (CPU time passes at most as fast as all harts together).
 *
 * TMR-1  armed, expires, interval and the queued entry change under proc_lock; whoever frees a
 *        timer first disarms it, then cancels the machine timer without the lock, then frees.
 */
#include "arch/smp.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/process.h"
#include "proc/sigtimer.h"
#include "sched/clock.h"
#include "sched/timer.h"
#include "sync/mutex.h"
#include "sys/clocks.h"
#include "sys/syscall.h"
#include "sys/timers.h"
#include "sys/user_types.h"
#include "vm/uaccess.h"

#define MAX_TIMERS 128
#define SIGEV_SIGNAL 0
#define SIGEV_NONE 1
#define SIGEV_THREAD_ID 4
#define TIMER_ABSTIME 1

enum itimer { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF, ITIMER_COUNT };
enum time_kind { TIME_WALL, TIME_MONOTONIC, TIME_USER, TIME_CPU, TIME_THREAD };

struct ptimer {
	struct timer timer;
	struct process *process;      /* const; the process outlives its timers */
	enum time_kind kind;          /* const */
	bool armed;                   /* lock: proc_lock, as all below */
	uint64_t expires;             /* on its clock */
	uint64_t interval;            /* 0: once */
	int signo;                    /* 0: none */
	int tid;                      /* SIGEV_THREAD_ID, else 0 */
	struct sigqueue_entry *entry; /* NULL for interval timers */
	int32_t overrun;
};

struct process_timers {
	struct mutex lock; /* rank PROC: posix[] */
	struct ptimer it[ITIMER_COUNT];
	struct ptimer *posix[MAX_TIMERS];
};

static uint64_t read_kind(const struct ptimer *t)
{
	struct proc_times times;

	switch (t->kind) {
	case TIME_WALL:
		return (uint64_t)clock_wall();
	case TIME_MONOTONIC:
		return clock_now();
	case TIME_USER:
		process_times(t->process, &times);
		return times.user_ns;
	case TIME_CPU:
	case TIME_THREAD:
		process_times(t->process, &times);
		return times.user_ns + times.system_ns;
	}
	return 0;
}

/* Sets the machine timer for t->expires. proc_lock held. */
static void arm_machine(struct ptimer *t, uint64_t now)
{
	uint64_t left = t->expires > now ? t->expires - now : 0;

	if (t->kind >= TIME_USER)
		left = MAX(left / arch_hart_count(), NS_PER_MS);
	timer_set(&t->timer, left > UINT64_MAX / 2 ? UINT64_MAX / 2 : clock_now() + left);
}

static void send(struct ptimer *t)
{
	struct siginfo info = {.signo = t->signo, .code = SI_KERNEL};

	if (!t->signo)
		return;
	if (!t->entry) {
		sigtimer_send_locked(t->process, 0, &info, NULL);
	} else if (!sigtimer_queued_locked(t->entry)) {
		sigtimer_info(t->entry)->timer.overrun = 0;
		t->overrun = 0;
		sigtimer_send_locked(t->process, t->tid, sigtimer_info(t->entry), t->entry);
	} else {
		sigtimer_info(t->entry)->timer.overrun = ++t->overrun;
	}
}

static void fired(struct timer *mt)
{
	struct ptimer *t = container_of(mt, struct ptimer, timer);
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	uint64_t now;

	if (!t->armed)
		goto out;
	now = read_kind(t);
	if (now < t->expires) {
		arm_machine(t, now);
		goto out;
	}
	send(t);
	if (t->interval) {
		uint64_t missed = (now - t->expires) / t->interval;

		t->overrun += (int32_t)MIN(missed, (uint64_t)INT32_MAX / 2);
		t->expires += (missed + 1) * t->interval;
		arm_machine(t, now);
	} else {
		t->armed = false;
	}
out:
	spin_unlock_irqrestore(&proc_lock, flags);
}

static void ptimer_init(struct ptimer *t, struct process *p, enum time_kind kind, int signo)
{
	memset(t, 0, sizeof(*t));
	timer_init(&t->timer, fired);
	t->process = p;
	t->kind = kind;
	t->signo = signo;
}

/* The process's timers, made when they are first wanted. NULL: no memory. */
static struct process_timers *timers_of(struct process *p)
{
	struct process_timers *ts = p->timers;
	unsigned long flags;

	if (ts)
		return ts;
	ts = mm_alloc(sizeof(*ts), MM_ZERO);
	if (!ts)
		return NULL;
	mutex_init(&ts->lock, LOCK_RANK_PROC, "timers");
	ptimer_init(&ts->it[ITIMER_REAL], p, TIME_MONOTONIC, SIGALRM);
	ptimer_init(&ts->it[ITIMER_VIRTUAL], p, TIME_USER, SIGVTALRM);
	ptimer_init(&ts->it[ITIMER_PROF], p, TIME_CPU, SIGPROF);
	flags = spin_lock_irqsave(&proc_lock);
	if (!p->timers) {
		p->timers = ts;
		ts = NULL;
	}
	spin_unlock_irqrestore(&proc_lock, flags);
	mm_free(ts);
	return p->timers;
}

struct setting {
	uint64_t interval, value;
};

/* Sets t (value 0: stops it; absolute: value is a time) and tells what it was. */
static void change(struct ptimer *t, const struct setting *new, bool absolute, struct setting *old)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	uint64_t now = read_kind(t);

	old->interval = t->interval;
	old->value = 0;
	if (t->armed)
		old->value = t->expires > now ? t->expires - now : 1;
	if (new) {
		t->armed = new->value != 0;
		t->interval = new->interval;
		t->expires = absolute ? new->value : now + new->value;
		t->overrun = 0;
		if (t->expires < now && !absolute)
			t->expires = UINT64_MAX;
		if (t->armed)
			arm_machine(t, now);
		else
			(void)timer_cancel_nowait(&t->timer); /* armed is false: harmless */
	}
	spin_unlock_irqrestore(&proc_lock, flags);
}

struct user_itimerval {
	struct user_timeval interval, value;
};

static bool timeval_ns(const struct user_timeval *tv, uint64_t *ns)
{
	if (tv->sec < 0 || tv->usec < 0 || tv->usec >= 1000000)
		return false;
	*ns = (uint64_t)MIN(tv->sec, 4000000000ll) * NS_PER_SEC + (uint64_t)tv->usec * 1000;
	return true;
}

static long interval_timer(uint32_t which, uint64_t new_addr, uint64_t old_addr)
{
	struct user_itimerval u = {{0, 0}, {0, 0}};
	struct setting new, old;
	struct process_timers *ts;

	if (which >= ITIMER_COUNT)
		return -EINVAL;
	if (new_addr && copy_from_user(&u, new_addr, sizeof(u)))
		return -EFAULT;
	if (!timeval_ns(&u.interval, &new.interval) || !timeval_ns(&u.value, &new.value))
		return -EINVAL;
	ts = timers_of(current_process());
	if (!ts)
		return -ENOMEM;
	change(&ts->it[which], new_addr ? &new : NULL, false, &old);
	if (!old_addr)
		return 0;
	u.interval = timeval_of(old.interval);
	/* rounded up: a running timer is never shown as stopped */
	u.value = timeval_of(old.value + (old.value ? 999 : 0));
	return copy_to_user(old_addr, &u, sizeof(u));
}

SYSCALL(setitimer)
{
	struct user_itimerval zero = {{0, 0}, {0, 0}};

	if (a->v[1])
		return interval_timer(arg_u32(a, 0), a->v[1], a->v[2]);
	if (arg_u32(a, 0) >= ITIMER_COUNT)
		return -EINVAL;
	return a->v[2] ? copy_to_user(a->v[2], &zero, sizeof(zero)) : 0;
}

SYSCALL(getitimer)
{
	return interval_timer(arg_u32(a, 0), 0, a->v[1]);
}

static int kind_of(int clock, enum time_kind *kind)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		*kind = TIME_WALL;
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*kind = TIME_MONOTONIC;
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID:
		*kind = TIME_CPU;
		return 0;
	default:
		return clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_REALTIME_COARSE ||
				       clock == CLOCK_MONOTONIC_COARSE
			       ? -EOPNOTSUPP
			       : -EINVAL;
	}
}

struct user_sigevent {
	uint64_t value;
	int32_t signo, notify, tid;
	uint8_t rest[44];
};

static int check_event(const struct user_sigevent *e)
{
	struct task *t;
	unsigned long flags;
	bool ours;

	if (e->notify != SIGEV_SIGNAL && e->notify != SIGEV_NONE && e->notify != SIGEV_THREAD_ID)
		return -EINVAL;
	if (e->notify != SIGEV_NONE && (e->signo < 1 || e->signo > NSIG))
		return -EINVAL;
	if (e->notify != SIGEV_THREAD_ID)
		return 0;
	flags = spin_lock_irqsave(&proc_lock);
	t = task_find_locked(e->tid);
	ours = t && t->process == current_process();
	spin_unlock_irqrestore(&proc_lock, flags);
	return ours ? 0 : -EINVAL;
}

/* Disarms and frees a timer that nobody can find any more. */
static void ptimer_destroy(struct ptimer *t)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	t->armed = false;
	spin_unlock_irqrestore(&proc_lock, flags);
	(void)timer_cancel(&t->timer);
	if (t->entry)
		sigtimer_entry_free(t->entry);
	mm_free(t);
}

static struct ptimer *ptimer_create(struct process *p, enum time_kind kind,
				    const struct user_sigevent *e)
{
	struct ptimer *t = mm_alloc(sizeof(*t), MM_ZERO);

	if (!t)
		return NULL;
	ptimer_init(t, p, kind, e->notify == SIGEV_NONE ? 0 : e->signo);
	t->tid = e->notify == SIGEV_THREAD_ID ? e->tid : 0;
	t->entry = sigtimer_entry_create();
	if (t->entry)
		return t;
	mm_free(t);
	return NULL;
}

SYSCALL(timer_create)
{
	struct process_timers *ts = timers_of(current_process());
	struct user_sigevent e = {.signo = SIGALRM, .notify = SIGEV_SIGNAL};
	enum time_kind kind;
	struct ptimer *t;
	int id = 0, err = kind_of(arg_int(a, 0), &kind);

	if (err)
		return err;
	if (a->v[1] && copy_from_user(&e, a->v[1], sizeof(e)))
		return -EFAULT;
	err = check_event(&e);
	if (err)
		return err;
	t = ts ? ptimer_create(current_process(), kind, &e) : NULL;
	if (!t)
		return -ENOMEM;
	mutex_lock(&ts->lock);
	while (id < MAX_TIMERS && ts->posix[id])
		id++;
	if (id < MAX_TIMERS)
		ts->posix[id] = t;
	mutex_unlock(&ts->lock);
	if (id == MAX_TIMERS) {
		ptimer_destroy(t);
		return -EAGAIN;
	}
	*sigtimer_info(t->entry) = (struct siginfo){.signo = t->signo, .code = SI_TIMER};
	sigtimer_info(t->entry)->timer.id = id;
	sigtimer_info(t->entry)->timer.value = a->v[1] ? e.value : (uint64_t)id;
	return put_user_u32(a->v[2], (uint32_t)id);
}

/* The timer of that number with ts->lock held (release it), or NULL without. */
static struct ptimer *find(int id) NO_THREAD_SAFETY
{
	struct process_timers *ts = current_process()->timers;

	if (!ts || id < 0 || id >= MAX_TIMERS)
		return NULL;
	mutex_lock(&ts->lock);
	if (ts->posix[id])
		return ts->posix[id];
	mutex_unlock(&ts->lock);
	return NULL;
}

static void unfind(void) NO_THREAD_SAFETY
{
	mutex_unlock(&current_process()->timers->lock);
}

static int put_setting(uint64_t addr, const struct setting *s)
{
	int err = put_user_timespec(addr, s->interval);

	return err ? err : put_user_timespec(addr + 16, s->value);
}

SYSCALL(timer_settime)
{
	struct setting new, old;
	struct ptimer *t;
	int err;

	if (!a->v[2])
		return -EINVAL;
	err = get_user_timespec(a->v[2], &new.interval);
	if (!err)
		err = get_user_timespec(a->v[2] + 16, &new.value);
	if (err)
		return err;
	t = find(arg_int(a, 0));
	if (!t)
		return -EINVAL;
	change(t, &new, arg_u32(a, 1) & TIMER_ABSTIME, &old);
	unfind();
	return a->v[3] ? put_setting(a->v[3], &old) : 0;
}

SYSCALL(timer_gettime)
{
	struct setting now;
	struct ptimer *t = find(arg_int(a, 0));

	if (!t)
		return -EINVAL;
	change(t, NULL, false, &now);
	unfind();
	return put_setting(a->v[1], &now);
}

SYSCALL(timer_getoverrun)
{
	struct ptimer *t = find(arg_int(a, 0));
	int n;

	if (!t)
		return -EINVAL;
	n = t->overrun;
	unfind();
	return n;
}

SYSCALL(timer_delete)
{
	struct ptimer *t = find(arg_int(a, 0));

	if (!t)
		return -EINVAL;
	current_process()->timers->posix[arg_int(a, 0)] = NULL;
	unfind();
	ptimer_destroy(t);
	return 0;
}

/* exec keeps the interval timers; exit ends all. */
static void timers_gone(struct process *p, bool exec)
{
	struct process_timers *ts = p->timers;

	if (!ts)
		return;
	for (unsigned i = 0; i < MAX_TIMERS; i++) {
		struct ptimer *t = ts->posix[i];

		ts->posix[i] = NULL;
		if (t)
			ptimer_destroy(t);
	}
	if (exec)
		return;
	for (unsigned i = 0; i < ITIMER_COUNT; i++) {
		struct setting stop = {0, 0}, old;

		change(&ts->it[i], &stop, false, &old);
		(void)timer_cancel(&ts->it[i].timer);
	}
	p->timers = NULL;
	mm_free(ts);
}

void timers_init(void)
{
	proc_hooks.timers_gone = timers_gone;
}
