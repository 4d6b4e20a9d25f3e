/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * timerfd(2): a timer whose expirations are read from a descriptor.
 *
 * TFD-1  armed, expires, interval and ticks change under t->lock, which the timer's callback takes
 *        in interrupt context. Expirations of an interval are counted when it fires late, too.
 */
#include "base/overflow.h"
#include "fs/event/event.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "sched/clock.h"
#include "sched/timer.h"
#include "sync/spinlock.h"
#include "sync/wait.h"

struct timerfd {
	struct spinlock lock;
	bool wall;         /* const: counts on the wall clock, else since boot */
	bool armed;        /* lock: lock, as all below */
	uint64_t expires;  /* on its clock */
	uint64_t interval; /* 0: once */
	uint64_t ticks;    /* expirations that nobody has read */
	struct timer timer;
	struct wait_queue wait;
};

static uint64_t now_of(const struct timerfd *t)
{
	return t->wall ? (uint64_t)clock_wall() : clock_now();
}

/* Sets the machine timer. The lock is held. */
static void arm(struct timerfd *t, uint64_t now)
{
	uint64_t left = t->expires > now ? t->expires - now : 0;

	timer_set(&t->timer, clock_now() + MIN(left, (uint64_t)INT64_MAX));
}

/* Counts what has expired by now. The lock is held. */
static void advance(struct timerfd *t, uint64_t now)
{
	uint64_t n = 1;

	if (!t->armed || now < t->expires)
		return;
	if (t->interval) {
		n += (now - t->expires) / t->interval;
		t->expires += n * t->interval;
	} else {
		t->armed = false;
	}
	t->ticks += n;
}

static void fired(struct timer *mt)
{
	struct timerfd *t = container_of(mt, struct timerfd, timer);
	unsigned long flags = spin_lock_irqsave(&t->lock);
	uint64_t now = now_of(t);

	advance(t, now);
	if (t->armed)
		arm(t, now);
	spin_unlock_irqrestore(&t->lock, flags);
	wait_wake_all(&t->wait);
}

static uint64_t take_ticks(struct timerfd *t)
{
	unsigned long flags = spin_lock_irqsave(&t->lock);
	uint64_t n = t->ticks;

	t->ticks = 0;
	spin_unlock_irqrestore(&t->lock, flags);
	return n;
}

static bool has_ticks(struct timerfd *t)
{
	return *(volatile uint64_t *)&t->ticks != 0;
}

static int64_t timerfd_read(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	struct timerfd *t = f->private;
	uint64_t n;

	(void)pos;
	if (it->left < sizeof(n))
		return -EINVAL;
	while (!(n = take_ticks(t))) {
		int err;

		if (atomic_load_explicit(&f->flags, memory_order_relaxed) & VFS_O_NONBLOCK)
			return -EAGAIN;
		err = WAIT_EVENT_UNTIL(&t->wait, has_ticks(t), WAIT_FOREVER, WAIT_INTERRUPTIBLE);
		if (err)
			return err;
	}
	return it->move(it, &n, sizeof(n)) == sizeof(n) ? (int64_t)sizeof(n) : -EFAULT;
}

static uint32_t timerfd_poll(struct file *f, struct vfs_poll *p)
{
	struct timerfd *t = f->private;

	vfs_poll_wait(p, &t->wait);
	return has_ticks(t) ? VFS_POLLIN : 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->private;
	unsigned long flags = spin_lock_irqsave(&t->lock);

	t->armed = false;
	spin_unlock_irqrestore(&t->lock, flags);
	(void)timer_cancel(&t->timer);
	mm_free(t);
}

static const struct file_ops timerfd_ops = {.read = timerfd_read,
					    .poll = timerfd_poll,
					    .seek = event_seek,
					    .release = timerfd_release};

struct file *timerfd_create(bool wall, unsigned flags)
{
	struct timerfd *t = mm_alloc(sizeof(*t), MM_ZERO);
	struct file *f =
		t ? file_create(&timerfd_ops, VFS_O_RDWR | (flags & VFS_O_NONBLOCK)) : NULL;

	if (!f) {
		mm_free(t);
		return NULL;
	}
	spin_init(&t->lock, LOCK_RANK_SPIN_DEV);
	wait_init(&t->wait);
	timer_init(&t->timer, fired);
	t->wall = wall;
	f->private = t;
	f->kind = "anon_inode:[timerfd]";
	return f;
}

/* What is left and the interval. The lock is held. */
static void describe(struct timerfd *t, struct timerfd_setting *out)
{
	uint64_t now = now_of(t);

	advance(t, now);
	out->interval = t->interval;
	out->value = t->armed ? t->expires - now : 0;
}

int timerfd_get(struct file *f, struct timerfd_setting *out)
{
	struct timerfd *t = f->private;
	unsigned long flags;

	if (f->ops != &timerfd_ops)
		return -EINVAL;
	flags = spin_lock_irqsave(&t->lock);
	describe(t, out);
	spin_unlock_irqrestore(&t->lock, flags);
	return 0;
}

int timerfd_set(struct file *f, bool absolute, const struct timerfd_setting *new,
		struct timerfd_setting *old)
{
	struct timerfd *t = f->private;
	unsigned long flags;
	uint64_t now;

	if (f->ops != &timerfd_ops)
		return -EINVAL;
	flags = spin_lock_irqsave(&t->lock);
	describe(t, old);
	t->ticks = 0;
	t->armed = new->value != 0;
	t->interval = new->interval;
	now = now_of(t);
	t->expires = new->value;
	if (!absolute && __builtin_add_overflow(now, new->value, &t->expires))
		t->expires = UINT64_MAX;
	if (t->armed)
		arm(t, now);
	spin_unlock_irqrestore(&t->lock, flags);
	return 0;
}
