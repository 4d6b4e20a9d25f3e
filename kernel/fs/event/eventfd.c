/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* eventfd(2): a counter that reads take and writes add to. */
#include "fs/event/event.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "sync/spinlock.h"
#include "sync/wait.h"

#define SEMAPHORE 1u

struct eventfd {
	struct spinlock lock;
	uint64_t count; /* lock: lock */
	bool semaphore;
	struct wait_queue wait;
};

static bool readable(struct eventfd *e)
{
	return *(volatile uint64_t *)&e->count != 0;
}

static int64_t event_read(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	struct eventfd *e = f->private;
	uint64_t v = 0;

	(void)pos;
	if (it->left < sizeof(v))
		return -EINVAL;
	while (!v) {
		int err;

		spin_lock(&e->lock);
		v = e->semaphore && e->count ? 1 : e->count;
		e->count -= v;
		spin_unlock(&e->lock);
		if (v)
			break;
		if (atomic_load_explicit(&f->flags, memory_order_relaxed) & VFS_O_NONBLOCK)
			return -EAGAIN;
		err = WAIT_EVENT_UNTIL(&e->wait, readable(e), WAIT_FOREVER, WAIT_INTERRUPTIBLE);
		if (err)
			return err;
	}
	wait_wake_all(&e->wait);
	return it->move(it, &v, sizeof(v)) == sizeof(v) ? (int64_t)sizeof(v) : -EFAULT;
}

/* Is there room for v? */
static bool fits(struct eventfd *e, uint64_t v)
{
	return UINT64_MAX - 1 - *(volatile uint64_t *)&e->count >= v;
}

static int64_t event_write(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	struct eventfd *e = f->private;
	uint64_t v;

	(void)pos;
	if (it->left < sizeof(v))
		return -EINVAL;
	if (it->move(it, &v, sizeof(v)) != sizeof(v))
		return -EFAULT;
	if (v == UINT64_MAX)
		return -EINVAL;
	for (;;) {
		bool done;
		int err;

		spin_lock(&e->lock);
		done = fits(e, v);
		if (done)
			e->count += v;
		spin_unlock(&e->lock);
		if (done)
			break;
		if (atomic_load_explicit(&f->flags, memory_order_relaxed) & VFS_O_NONBLOCK)
			return -EAGAIN;
		err = WAIT_EVENT_UNTIL(&e->wait, fits(e, v), WAIT_FOREVER, WAIT_INTERRUPTIBLE);
		if (err)
			return err;
	}
	wait_wake_all(&e->wait);
	return (int64_t)sizeof(v);
}

static uint32_t event_poll(struct file *f, struct vfs_poll *p)
{
	struct eventfd *e = f->private;
	uint32_t r = 0;

	vfs_poll_wait(p, &e->wait);
	if (readable(e))
		r |= VFS_POLLIN;
	if (fits(e, 1))
		r |= VFS_POLLOUT;
	return r;
}

static void event_release(struct file *f)
{
	mm_free(f->private);
}

static const struct file_ops event_ops = {.read = event_read,
					  .write = event_write,
					  .poll = event_poll,
					  .seek = event_seek,
					  .release = event_release};

struct file *eventfd_create(uint32_t value, unsigned flags)
{
	struct eventfd *e = mm_alloc(sizeof(*e), MM_ZERO);
	struct file *f = e ? file_create(&event_ops, VFS_O_RDWR | (flags & VFS_O_NONBLOCK)) : NULL;

	if (!f) {
		mm_free(e);
		return NULL;
	}
	spin_init(&e->lock, LOCK_RANK_SPIN_DEV);
	wait_init(&e->wait);
	e->count = value;
	e->semaphore = (flags & SEMAPHORE) != 0;
	f->private = e;
	f->kind = "anon_inode:[eventfd]";
	return f;
}
