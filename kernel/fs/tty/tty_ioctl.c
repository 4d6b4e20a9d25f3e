/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The ioctls of terminals: settings, window size, job control. */
#include "fs/tty/tty.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "proc/process.h"
#include "sched/clock.h"
#include "vm/uaccess.h"

enum {
	TCGETS = 0x5401,
	TCSETS,
	TCSETSW,
	TCSETSF,
	TCSBRK = 0x5409,
	TCXONC,
	TCFLSH,
	TIOCEXCL,
	TIOCNXCL,
	TIOCSCTTY,
	TIOCGPGRP,
	TIOCSPGRP,
	TIOCOUTQ,
	TIOCSTI,
	TIOCGWINSZ,
	TIOCSWINSZ,
	TIOCMGET,
	FIONREAD = 0x541b,
	TIOCNOTTY = 0x5422,
	TIOCSETD,
	TIOCGETD,
	TCSBRKP,
	TIOCGSID = 0x5429,
	TIOCVHANGUP = 0x5437,
};
#define TCGETS2 0x802c542au
#define TCSETS2 0x402c542bu
#define TCSETSW2 0x402c542cu
#define TCSETSF2 0x402c542du

struct termios2 {
	struct ldisc_termios t;
	uint32_t ispeed;
	uint32_t ospeed;
};
_Static_assert(sizeof(struct ldisc_termios) == 36, "struct termios of the kernel's ABI");
_Static_assert(sizeof(struct termios2) == 44, "struct termios2 of the ABI");

/* A change by a background process: SIGTTOU first. */
static int may_change(struct tty *t)
{
	int pgid = current_pgid();

	if (session_tty() != t || t->pgrp == 0 || t->pgrp == pgid)
		return 0;
	if (signal_blocked_or_ignored(SIGTTOU))
		return 0;
	if (pgrp_orphaned(pgid))
		return -EIO;
	(void)signal_kernel_pgrp(pgid, SIGTTOU);
	return -ERESTARTSYS;
}

static int drain(struct tty *t)
{
	int err = 0;

	/* The device says when it has room, not when it is empty: look every few milliseconds. */
	while (!t->hung && t->driver->pending(t) && (!err || err == -ETIMEDOUT))
		err = WAIT_EVENT_UNTIL(&t->write_wait, t->hung || t->driver->pending(t) == 0,
				       clock_now() + 5 * NS_PER_MS, WAIT_INTERRUPTIBLE);
	return err == -EINTR ? err : 0;
}

static void flush_input(struct tty *t)
{
	unsigned long flags = spin_lock_irqsave(&t->lock);

	ldisc_flush(&t->ld);
	spin_unlock_irqrestore(&t->lock, flags);
}

static int64_t get_settings(struct tty *t, uint64_t arg, bool two)
{
	struct termios2 s = {.ispeed = 38400, .ospeed = 38400};
	unsigned long flags = spin_lock_irqsave(&t->lock);

	s.t = t->ld.t;
	spin_unlock_irqrestore(&t->lock, flags);
	return copy_to_user(arg, &s, two ? sizeof(s) : sizeof(s.t));
}

/* how: 0 now, 1 after output, 2 after output and without pending input */
static int64_t set_settings(struct tty *t, uint64_t arg, unsigned how)
{
	struct ldisc_termios s;
	unsigned long flags;
	int err = may_change(t);

	if (!err && copy_from_user(&s, arg, sizeof(s)))
		err = -EFAULT;
	if (!err && how)
		err = drain(t);
	if (err)
		return err;
	flags = spin_lock_irqsave(&t->lock);
	if (how == 2)
		ldisc_flush(&t->ld);
	ldisc_set(&t->ld, &s);
	if (!(s.iflag & LDISC_IXON))
		t->ld.stopped = false;
	spin_unlock_irqrestore(&t->lock, flags);
	wait_wake_all(&t->read_wait);
	wait_wake_all(&t->write_wait);
	return 0;
}

static int64_t set_size(struct tty *t, uint64_t arg)
{
	struct tty_winsize w;
	unsigned long flags;
	bool changed;
	int pgrp;

	if (copy_from_user(&w, arg, sizeof(w)))
		return -EFAULT;
	flags = spin_lock_irqsave(&t->lock);
	changed = memcmp(&t->size, &w, sizeof(w)) != 0;
	t->size = w;
	pgrp = t->pgrp;
	spin_unlock_irqrestore(&t->lock, flags);
	if (changed && pgrp)
		(void)signal_kernel_pgrp(pgrp, SIGWINCH);
	return 0;
}

/* Becomes the controlling terminal of the caller's session. */
int tty_set_controlling(struct tty *t, uint64_t force)
{
	unsigned long flags;
	int sid = current_sid();
	int old;
	int err;

	if (session_tty() == t)
		return 0;
	flags = spin_lock_irqsave(&t->lock);
	old = t->session;
	spin_unlock_irqrestore(&t->lock, flags);
	if (old && old != sid) {
		if (force != 1 || !capable(CAP_SYS_ADMIN))
			return -EPERM;
		session_clear_tty(old);
	}
	err = session_set_tty(t, (int)t->dev);
	if (err)
		return err;
	flags = spin_lock_irqsave(&t->lock);
	t->session = sid;
	t->pgrp = current_pgid();
	spin_unlock_irqrestore(&t->lock, flags);
	return 0;
}

static int64_t give_up(struct tty *t)
{
	int sid = current_sid();
	int pgrp = 0;
	unsigned long flags;

	if (session_tty() != t)
		return -ENOTTY;
	if (current_process()->pid != sid)
		return 0; /* only the leader's word ends it for the session */
	flags = spin_lock_irqsave(&t->lock);
	pgrp = t->pgrp;
	t->session = 0;
	t->pgrp = 0;
	spin_unlock_irqrestore(&t->lock, flags);
	session_clear_tty(sid);
	if (pgrp) {
		(void)signal_kernel_pgrp(pgrp, SIGHUP);
		(void)signal_kernel_pgrp(pgrp, SIGCONT);
	}
	return 0;
}

static int64_t set_foreground(struct tty *t, uint64_t arg)
{
	uint32_t pgid;
	unsigned long flags;
	int session;
	int err = may_change(t);

	if (err)
		return err;
	if (session_tty() != t)
		return -ENOTTY;
	if (get_user_u32(&pgid, arg))
		return -EFAULT;
	if ((int)pgid < 0)
		return -EINVAL;
	session = pgrp_session((int)pgid);
	if (!session)
		return -ESRCH;
	if (session != current_sid())
		return -EPERM;
	flags = spin_lock_irqsave(&t->lock);
	t->pgrp = (int)pgid;
	spin_unlock_irqrestore(&t->lock, flags);
	return 0;
}

static int64_t flow(struct tty *t, uint64_t arg)
{
	unsigned long flags;

	if (arg > 3)
		return -EINVAL;
	flags = spin_lock_irqsave(&t->lock);
	if (arg < 2)
		t->ld.stopped = arg == 0;
	spin_unlock_irqrestore(&t->lock, flags);
	wait_wake_all(&t->write_wait);
	return 0;
}

static int64_t push_input(struct tty *t, uint64_t arg)
{
	uint8_t c;

	if (session_tty() != t && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&c, arg, 1))
		return -EFAULT;
	tty_receive(t, &c, 1);
	return 0;
}

static int64_t count_input(struct tty *t, uint64_t arg)
{
	unsigned long flags = spin_lock_irqsave(&t->lock);
	uint32_t n = (uint32_t)ldisc_available(&t->ld);

	spin_unlock_irqrestore(&t->lock, flags);
	return put_user_u32(arg, n);
}

static int64_t job_ioctl(struct tty *t, unsigned cmd, uint64_t arg)
{
	switch (cmd) {
	case TIOCSCTTY:
		return tty_set_controlling(t, arg);
	case TIOCNOTTY:
		return give_up(t);
	case TIOCGPGRP:
		return session_tty() != t ? -ENOTTY : put_user_u32(arg, (uint32_t)t->pgrp);
	case TIOCSPGRP:
		return set_foreground(t, arg);
	case TIOCGSID:
		return session_tty() != t ? -ENOTTY : put_user_u32(arg, (uint32_t)t->session);
	case TIOCVHANGUP:
		if (!capable(CAP_SYS_ADMIN))
			return -EPERM;
		tty_hangup(t);
		return 0;
	default:
		return -ENOTTY;
	}
}

int64_t tty_ioctl(struct tty *t, struct file *f, unsigned cmd, uint64_t arg)
{
	(void)f;
	switch (cmd) {
	case TCGETS:
	case TCGETS2:
		return get_settings(t, arg, cmd == TCGETS2);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set_settings(t, arg, cmd - TCSETS);
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
		return set_settings(t, arg, cmd - TCSETS2);
	case TCSBRK:
	case TCSBRKP:
		return drain(t);
	case TCXONC:
		return flow(t, arg);
	case TCFLSH:
		if (arg > 2)
			return -EINVAL;
		if (arg != 1)
			flush_input(t);
		return 0;
	case TIOCEXCL:
	case TIOCNXCL:
		t->excl = cmd == TIOCEXCL;
		return 0;
	case TIOCOUTQ:
		return put_user_u32(arg, (uint32_t)t->driver->pending(t));
	case TIOCSTI:
		return push_input(t, arg);
	case TIOCGWINSZ:
		return copy_to_user(arg, &t->size, sizeof(t->size));
	case TIOCSWINSZ:
		return set_size(t, arg);
	case FIONREAD:
		return count_input(t, arg);
	case TIOCGETD:
		return put_user_u32(arg, 0);
	case TIOCSETD:
		return 0;
	default:
		return job_ioctl(t, cmd, arg);
	}
}
