/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Terminals (fs/tty/tty.h).
 *
 * Input comes in interrupts: under t->lock each byte goes through the discipline, which echoes straight
 * into the device, and signals go to the foreground group. Readers wait until a line (or VMIN bytes) is
 * there. Output is processed in small pieces under the lock into the device's ring; a writer that finds
 * it full waits for tty_room, holding t->out so that writes do not mix.
 *
 * TTY-1  User memory is touched without t->lock.
 * TTY-2  session and pgrp are 0 or both set by the session's own processes.
 */
#include "fs/tty/tty.h"

#include "lib/errno.h"
#include "lib/string.h"
#include "proc/process.h"
#include "sched/clock.h"
#include "sync/mutex.h"
#include "vm/uaccess.h"

#define PIECE 256u

/* --- The discipline's side; t->lock is held --- */

static struct tty *tty_of(struct ldisc *l)
{
	return container_of(l, struct tty, ld);
}

static void do_echo(struct ldisc *l, const char *s, size_t n)
{
	struct tty *t = tty_of(l);

	if (t->driver->room(t) >= n)
		(void)t->driver->put(t, s, n);
}

static void do_signal(struct ldisc *l, int sig)
{
	struct tty *t = tty_of(l);

	if (t->pgrp)
		(void)signal_kernel_pgrp(t->pgrp, sig);
}

static void do_flow(struct ldisc *l, bool stopped)
{
	if (!stopped)
		wait_wake_all(&tty_of(l)->write_wait);
}

static const struct ldisc_ops ld_ops = {.echo = do_echo, .signal = do_signal, .flow = do_flow};

void tty_setup(struct tty *t, const struct tty_driver *driver, uint32_t dev)
{
	spin_init(&t->lock, LOCK_RANK_SPIN_DEV);
	ldisc_init(&t->ld, &ld_ops);
	t->driver = driver;
	t->dev = dev;
	wait_init(&t->read_wait);
	wait_init(&t->write_wait);
	mutex_init(&t->out, LOCK_RANK_TTY, "tty output");
}

void tty_receive(struct tty *t, const uint8_t *s, size_t n)
{
	unsigned long flags = spin_lock_irqsave(&t->lock);

	for (size_t i = 0; i < n; i++)
		ldisc_input(&t->ld, s[i]);
	spin_unlock_irqrestore(&t->lock, flags);
	wait_wake_all(&t->read_wait);
}

void tty_room(struct tty *t)
{
	wait_wake_all(&t->write_wait);
}

void tty_hangup(struct tty *t)
{
	unsigned long flags = spin_lock_irqsave(&t->lock);
	int pgrp = t->pgrp;
	int session = t->session;

	t->hung = true;
	t->pgrp = 0;
	t->session = 0;
	spin_unlock_irqrestore(&t->lock, flags);
	wait_wake_all(&t->read_wait);
	wait_wake_all(&t->write_wait);
	if (session) {
		(void)signal_kernel_pid(session, SIGHUP);
		(void)signal_kernel_pid(session, SIGCONT);
		session_clear_tty(session);
	}
	if (pgrp && pgrp != session) {
		(void)signal_kernel_pgrp(pgrp, SIGHUP);
		(void)signal_kernel_pgrp(pgrp, SIGCONT);
	}
}

/* --- Job control --- */

/*
 * May the current process read (SIGTTIN) or change (SIGTTOU) its terminal? 0, -EIO, or
 * -ERESTARTSYS after the signal went to its group.
 */
static int check_background(struct tty *t, int sig)
{
	int pgid = current_pgid();

	if (session_tty() != t || t->pgrp == 0 || t->pgrp == pgid)
		return 0;
	if (signal_blocked_or_ignored(sig))
		return sig == SIGTTIN ? -EIO : 0;
	if (pgrp_orphaned(pgid))
		return -EIO;
	(void)signal_kernel_pgrp(pgid, sig);
	return -ERESTARTSYS;
}

/* --- Reading --- */

struct read_mode {
	bool canon;
	uint8_t min;
	uint64_t time; /* ns, 0: none */
};

static struct read_mode read_mode(struct tty *t)
{
	unsigned long flags = spin_lock_irqsave(&t->lock);
	struct read_mode m = {(t->ld.t.lflag & LDISC_ICANON) != 0, t->ld.t.cc[LDISC_VMIN],
			      t->ld.t.cc[LDISC_VTIME] * 100 * NS_PER_MS};

	spin_unlock_irqrestore(&t->lock, flags);
	return m;
}

static bool readable(struct tty *t, size_t min)
{
	unsigned long flags = spin_lock_irqsave(&t->lock);
	bool r = t->hung || ldisc_readable(&t->ld, min);

	spin_unlock_irqrestore(&t->lock, flags);
	return r;
}

/* Takes what is there, in pieces. *end: the line's end was reached. */
static int64_t take(struct tty *t, struct vfs_iter *it, bool *end)
{
	uint8_t piece[PIECE];
	int64_t total = 0;

	*end = false;
	while (it->left && !*end) {
		unsigned long flags = spin_lock_irqsave(&t->lock);
		size_t n = ldisc_read(&t->ld, piece, MIN(it->left, (size_t)PIECE), end);
		size_t moved;

		spin_unlock_irqrestore(&t->lock, flags);
		if (!n)
			break;
		moved = it->move(it, piece, n); /* TTY-1 */
		total += (int64_t)moved;
		if (moved < n)
			return total ? total : -EFAULT;
	}
	return total;
}

static bool is_hung(struct tty *t)
{
	return *(volatile bool *)&t->hung;
}

/* Waits until a read can return something. 1: read now; 0: the time is over; an error. */
static int wait_input(struct tty *t, struct file *f, const struct read_mode *m, size_t want)
{
	size_t min = MIN(MAX((size_t)m->min, (size_t)1), want);
	uint64_t deadline = WAIT_FOREVER;
	int err;

	if (readable(t, m->canon ? 1 : min))
		return 1;
	if (atomic_load_explicit(&f->flags, memory_order_relaxed) & VFS_O_NONBLOCK)
		return readable(t, 1) ? 1 : -EAGAIN;
	if (!m->canon && m->min == 0 && m->time == 0)
		return 0;
	if (!m->canon && m->time) {
		if (m->min) { /* the clock starts with the first byte */
			err = WAIT_EVENT_UNTIL(&t->read_wait, readable(t, 1), WAIT_FOREVER,
					       WAIT_INTERRUPTIBLE);
			if (err)
				return err;
		}
		deadline = clock_now() + m->time;
	}
	err = WAIT_EVENT_UNTIL(&t->read_wait, readable(t, m->canon ? 1 : min), deadline,
			       WAIT_INTERRUPTIBLE);
	if (err == -ETIMEDOUT)
		return readable(t, 1) ? 1 : 0;
	return err ? err : 1;
}

static int64_t tty_read(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	struct tty *t = f->private;

	(void)pos;
	if (!it->left)
		return 0;
	for (;;) {
		struct read_mode m = read_mode(t);
		bool end;
		int64_t n;
		int ready = check_background(t, SIGTTIN);

		if (!ready)
			ready = wait_input(t, f, &m, it->left);
		if (ready <= 0)
			return ready;
		/* The group may have changed while this one waited. */
		ready = check_background(t, SIGTTIN);
		if (ready)
			return ready;
		n = take(t, it, &end);
		if (n || end)
			return n;
		if (is_hung(t))
			return 0;
		/* another reader was faster */
	}
}

/* --- Writing --- */

/* Processes bytes while the device has room. Returns how many were used up. */
static size_t emit(struct tty *t, const uint8_t *s, size_t n)
{
	unsigned long flags = spin_lock_irqsave(&t->lock);
	size_t done = 0;

	while (done < n && !t->ld.stopped && t->driver->room(t) >= 8) {
		char out[8];
		size_t len = ldisc_output(&t->ld, s[done], out);

		(void)t->driver->put(t, out, len);
		done++;
	}
	t->ld.line_column = t->ld.column;
	spin_unlock_irqrestore(&t->lock, flags);
	return done;
}

static bool writable(struct tty *t)
{
	unsigned long flags = spin_lock_irqsave(&t->lock);
	bool w = t->hung || (!t->ld.stopped && t->driver->room(t) >= 8);

	spin_unlock_irqrestore(&t->lock, flags);
	return w;
}

static int wait_room(struct tty *t, struct file *f)
{
	if (writable(t))
		return 0;
	if (atomic_load_explicit(&f->flags, memory_order_relaxed) & VFS_O_NONBLOCK)
		return -EAGAIN;
	return WAIT_EVENT_UNTIL(&t->write_wait, writable(t), WAIT_FOREVER, WAIT_INTERRUPTIBLE);
}

static int64_t write_all(struct tty *t, struct file *f, struct vfs_iter *it)
{
	uint8_t piece[PIECE];
	int64_t total = 0;

	while (it->left) {
		size_t want = MIN(it->left, (size_t)PIECE);
		size_t got = it->move(it, piece, want);
		size_t at = 0;

		while (at < got) {
			int err = is_hung(t) ? -EIO : wait_room(t, f);

			if (err)
				return total ? total : err;
			if (is_hung(t))
				continue;
			err = (int)emit(t, piece + at, got - at);
			at += (size_t)err;
			total += err;
		}
		if (got < want)
			return total ? total : -EFAULT;
	}
	return total;
}

static int64_t tty_write(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	struct tty *t = f->private;
	int64_t n;
	int err;

	(void)pos;
	if (t->ld.t.lflag & LDISC_TOSTOP) {
		err = check_background(t, SIGTTOU);
		if (err)
			return err;
	}
	err = mutex_lock_killable(&t->out);
	if (err)
		return err;
	n = write_all(t, f, it);
	mutex_unlock(&t->out);
	return n;
}

static uint32_t tty_poll(struct file *f, struct vfs_poll *p)
{
	struct tty *t = f->private;
	struct read_mode m = read_mode(t);
	uint32_t r = 0;

	vfs_poll_wait(p, &t->read_wait);
	vfs_poll_wait(p, &t->write_wait);
	if (readable(t, m.canon || m.time ? 1 : m.min))
		r |= VFS_POLLIN | VFS_POLLRDNORM;
	if (is_hung(t))
		return VFS_POLLIN | VFS_POLLRDNORM | VFS_POLLOUT | VFS_POLLWRNORM | VFS_POLLERR |
		       VFS_POLLHUP; /* nothing waits any more */
	if (writable(t))
		r |= VFS_POLLOUT | VFS_POLLWRNORM;
	return r;
}

static int64_t tty_file_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	return tty_ioctl(f->private, f, cmd, arg);
}

static void tty_release(struct file *f)
{
	struct tty *t = f->private;
	unsigned long flags = spin_lock_irqsave(&t->lock);

	t->opens--;
	spin_unlock_irqrestore(&t->lock, flags);
}

static const struct file_ops tty_ops = {
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.ioctl = tty_file_ioctl,
	.release = tty_release,
};

int tty_open(struct tty *t, struct file *f, bool may_control)
{
	unsigned long flags = spin_lock_irqsave(&t->lock);
	bool busy = t->excl && t->opens;
	bool free_tty = t->session == 0;

	if (!busy) {
		t->hung = false;
		t->opens++;
	}
	spin_unlock_irqrestore(&t->lock, flags);
	if (busy)
		return -EBUSY;
	f->private = t;
	f->ops = &tty_ops;
	/* A session leader without a terminal gets the first one that it opens. */
	if (may_control && free_tty && current_task() && !session_tty() &&
	    current_process()->pid == current_sid())
		(void)!tty_set_controlling(t, 0);
	return 0;
}
