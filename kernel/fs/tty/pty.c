/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Pseudo-terminals. A pair is a struct tty (the slave's side) whose device is a ring that the master reads;
 * what the master writes is the terminal's input.
 *
 * PTY-1  A pair exists from the open of ptmx until both the master and all slaves are closed.
 * PTY-2  ring, master_open and refs are under tty.lock; the table of pairs under pairs_lock.
 */
#include "fs/tty/tty.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "port/sync.h"
#include "proc/process.h"
#include "vm/uaccess.h"

#define PAIRS 64u
#define RING 8192u
#define TIOCGPTN 0x80045430u
#define TIOCSPTLCK 0x40045431u
#define TIOCGPTLCK 0x80045439u
#define FIONREAD 0x541bu

struct pty {
	struct tty tty; /* first */
	uint32_t index;
	bool locked; /* until unlockpt */
	bool master_open;
	uint32_t slaves;               /* open descriptions of the slave */
	bool slave_opened;             /* ever: a master without slaves then reads EIO */
	struct wait_queue master_wait; /* something to read, or room to write */
	uint64_t head;
	uint64_t tail;
	char ring[RING];
};

static struct port_mutex pairs_lock;
static struct pty *pairs[PAIRS]; /* lock: pairs_lock */
static int (*notify)(uint32_t index, bool on);

void pty_install_notify(int (*fn)(uint32_t index, bool on))
{
	port_mutex_init(&pairs_lock, LOCK_RANK_NONE, "ptys");
	notify = fn;
}

static struct pty *pty_of(struct tty *t)
{
	return container_of(t, struct pty, tty);
}

/* --- The slave's device; tty.lock is held --- */

static size_t ring_room(struct tty *t)
{
	struct pty *p = pty_of(t);

	return p->master_open ? RING - (size_t)(p->head - p->tail) : RING;
}

static size_t ring_put(struct tty *t, const char *s, size_t n)
{
	struct pty *p = pty_of(t);

	if (!p->master_open)
		return n;
	n = MIN(n, ring_room(t));
	for (size_t i = 0; i < n; i++)
		p->ring[p->head++ % RING] = s[i];
	wait_wake_all(&p->master_wait);
	return n;
}

static size_t ring_pending(struct tty *t)
{
	(void)t;
	return 0; /* what is in the ring is as good as sent */
}

static const struct tty_driver driver = {.put = ring_put,
					 .room = ring_room,
					 .pending = ring_pending};

/* --- The master --- */

static bool master_readable(struct pty *p)
{
	unsigned long flags = spin_lock_irqsave(&p->tty.lock);
	bool r = p->head != p->tail || (p->slave_opened && p->slaves == 0);

	spin_unlock_irqrestore(&p->tty.lock, flags);
	return r;
}

static int64_t master_read(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	struct pty *p = f->private;
	char piece[256];

	(void)pos;
	if (!it->left)
		return 0;
	for (;;) {
		unsigned long flags = spin_lock_irqsave(&p->tty.lock);
		size_t n = 0;
		bool gone = p->slave_opened && p->slaves == 0;
		int err;

		while (n < MIN(it->left, sizeof(piece)) && p->tail < p->head)
			piece[n++] = p->ring[p->tail++ % RING];
		spin_unlock_irqrestore(&p->tty.lock, flags);
		if (n) {
			tty_room(&p->tty);
			n = it->move(it, piece, n);
			return n ? (int64_t)n : -EFAULT;
		}
		if (gone)
			return -EIO;
		if (atomic_load_explicit(&f->flags, memory_order_relaxed) & VFS_O_NONBLOCK)
			return -EAGAIN;
		err = WAIT_EVENT_UNTIL(&p->master_wait, master_readable(p), WAIT_FOREVER,
				       WAIT_INTERRUPTIBLE);
		if (err)
			return err;
	}
}

/* Room for input: as long as the reader of the slave keeps up. */
static size_t input_room(struct pty *p)
{
	unsigned long flags = spin_lock_irqsave(&p->tty.lock);
	size_t room = LDISC_BUF - (size_t)(p->tty.ld.head - p->tty.ld.tail);

	/* In canonical mode a line that is too long is cut by the discipline, not waited for. */
	if ((p->tty.ld.t.lflag & LDISC_ICANON) && !p->tty.ld.lines)
		room = LDISC_BUF;
	spin_unlock_irqrestore(&p->tty.lock, flags);
	return room > 64 ? room - 64 : 0;
}

static int64_t master_write(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	struct pty *p = f->private;
	uint8_t piece[256];
	int64_t total = 0;

	(void)pos;
	while (it->left) {
		size_t room = input_room(p);
		size_t n;
		int err;

		if (!room) {
			if (atomic_load_explicit(&f->flags, memory_order_relaxed) & VFS_O_NONBLOCK)
				return total ? total : -EAGAIN;
			err = WAIT_EVENT_UNTIL(&p->tty.write_wait, input_room(p) != 0, WAIT_FOREVER,
					       WAIT_INTERRUPTIBLE);
			if (err)
				return total ? total : err;
			continue;
		}
		n = it->move(it, piece, MIN(MIN(it->left, sizeof(piece)), room));
		if (!n)
			return total ? total : -EFAULT;
		tty_receive(&p->tty, piece, n);
		total += (int64_t)n;
	}
	return total;
}

static uint32_t master_poll(struct file *f, struct vfs_poll *w)
{
	struct pty *p = f->private;
	uint32_t r = 0;

	vfs_poll_wait(w, &p->master_wait);
	vfs_poll_wait(w, &p->tty.write_wait);
	if (p->head != p->tail)
		r |= VFS_POLLIN | VFS_POLLRDNORM;
	if (p->slave_opened && p->slaves == 0)
		r |= VFS_POLLHUP;
	if (input_room(p))
		r |= VFS_POLLOUT | VFS_POLLWRNORM;
	return r;
}

static int64_t master_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct pty *p = f->private;
	uint32_t v;

	switch (cmd) {
	case TIOCGPTN:
		return put_user_u32(arg, p->index);
	case TIOCSPTLCK:
		if (get_user_u32(&v, arg))
			return -EFAULT;
		p->locked = v != 0;
		return 0;
	case TIOCGPTLCK:
		return put_user_u32(arg, p->locked);
	case FIONREAD:
		return put_user_u32(arg, (uint32_t)(p->head - p->tail));
	default:
		return tty_ioctl(&p->tty, f, cmd, arg);
	}
}

/* Frees the pair if nobody has it open any more (PTY-1). */
static void drop_if_unused(struct pty *p)
{
	bool gone;

	port_mutex_lock(&pairs_lock);
	gone = !p->master_open && p->slaves == 0;
	if (gone)
		pairs[p->index] = NULL;
	port_mutex_unlock(&pairs_lock);
	if (gone) {
		tty_hangup(&p->tty); /* no session may keep it */
		mm_free(p);
	}
}

static void master_release(struct file *f)
{
	struct pty *p = f->private;

	(void)!notify(p->index, false); /* ENOENT: the node was removed by hand */
	tty_hangup(&p->tty);
	port_mutex_lock(&pairs_lock);
	p->master_open = false;
	port_mutex_unlock(&pairs_lock);
	drop_if_unused(p);
}

static const struct file_ops master_ops = {
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = master_ioctl,
	.release = master_release,
};

int ptmx_open(struct file *f)
{
	struct pty *p = mm_alloc(sizeof(*p), MM_ZERO);
	uint32_t i = 0;
	int err;

	if (!p)
		return -ENOMEM;
	port_mutex_lock(&pairs_lock);
	while (i < PAIRS && pairs[i])
		i++;
	if (i < PAIRS)
		pairs[i] = p;
	port_mutex_unlock(&pairs_lock);
	if (i == PAIRS) {
		mm_free(p);
		return -ENOSPC;
	}
	tty_setup(&p->tty, &driver, vfs_dev(136, i));
	wait_init(&p->master_wait);
	p->index = i;
	p->locked = true;
	p->master_open = true;
	err = notify(i, true);
	if (err) {
		p->master_open = false;
		drop_if_unused(p);
		return err;
	}
	f->private = p;
	f->ops = &master_ops;
	return 0;
}

/* --- The slave --- */

static struct file_ops slave_ops; /* the terminal's, with this unit's release */
static void (*tty_release)(struct file *f);

static void slave_release(struct file *f)
{
	struct pty *p = pty_of(f->private);

	tty_release(f);
	port_mutex_lock(&pairs_lock);
	p->slaves--;
	port_mutex_unlock(&pairs_lock);
	wait_wake_all(&p->master_wait);
	drop_if_unused(p);
}

int pts_open(uint32_t index, struct file *f)
{
	bool noctty = (atomic_load_explicit(&f->flags, memory_order_relaxed) & VFS_O_NOCTTY) != 0;
	struct pty *p;
	int err = 0;

	port_mutex_lock(&pairs_lock);
	p = index < PAIRS ? pairs[index] : NULL;
	if (!p || !p->master_open)
		err = -ENXIO;
	else if (p->locked)
		err = -EIO;
	else {
		p->slaves++;
		p->slave_opened = true;
	}
	port_mutex_unlock(&pairs_lock);
	if (err)
		return err;
	err = tty_open(&p->tty, f, !noctty);
	if (err) {
		port_mutex_lock(&pairs_lock);
		p->slaves--;
		port_mutex_unlock(&pairs_lock);
		drop_if_unused(p);
		return err;
	}
	port_mutex_lock(&pairs_lock);
	if (!tty_release) {
		tty_release = f->ops->release;
		slave_ops = *f->ops;
		slave_ops.release = slave_release;
	}
	port_mutex_unlock(&pairs_lock);
	f->ops = &slave_ops;
	return 0;
}
