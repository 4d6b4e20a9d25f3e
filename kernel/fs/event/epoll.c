/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * epoll(7). An epoll has items: a file, the events asked for, and waiters on the file's queues whose
 * callback notes that something happened and wakes who waits for the epoll. A wait looks at all its items.
 *
 * EP-1  An item is on ep->items and on its file's watchers; both change under files_lock and ep->lock.
 *       An item holds no reference to its file: the file's end removes it (watch_release).
 * EP-2  Under ep->lock an item's file exists: watch_release needs that lock before the file goes.
 * EP-3  notify runs in any context under the file's queue lock: it sets flags and wakes ep->wait, whose
 *       lock has the higher rank SPIN_EPOLL. Therefore an epoll cannot watch an epoll (EINVAL).
 * Locks: files_lock, then ep->lock, then what the file's poll takes.
 */
#include "base/list.h"
#include "fs/event/event.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "port/sync.h"
#include "sched/thread.h"
#include "sync/mutex.h"
#include "sync/wait.h"

#define MAX_QUEUES 3u

struct epoll {
	struct mutex lock;
	struct list items;
	struct wait_queue wait;
	_Atomic uint32_t changes; /* counts notifications */
};

struct item {
	struct list link;    /* ep->items */
	struct list in_file; /* file->watchers */
	struct epoll *ep;
	struct file *file;
	int fd;
	struct epoll_event event;
	_Atomic uint32_t happened; /* since the last report (EPOLLET) */
	unsigned queues;
	struct watch {
		struct waiter w;
		struct item *item;
		struct wait_queue *q;
	} watch[MAX_QUEUES];
};

static struct mutex files_lock = MUTEX_INIT(files_lock, LOCK_RANK_NONE, "epoll files");

static void notify(struct waiter *w)
{
	struct item *i = container_of(w, struct watch, w)->item;

	atomic_store_explicit(&i->happened, 1, memory_order_release);
	atomic_fetch_add_explicit(&i->ep->changes, 1, memory_order_release);
	wait_wake_all(&i->ep->wait); /* EP-3 */
}

struct registrar {
	struct vfs_poll p;
	struct item *item;
};

static void add_queue(struct vfs_poll *p, struct wait_queue *q)
{
	struct item *i = container_of(p, struct registrar, p)->item;
	struct watch *w;

	if (i->queues == MAX_QUEUES)
		return;
	w = &i->watch[i->queues++];
	w->item = i;
	w->q = q;
	wait_add_notify(q, &w->w, notify);
}

/* Off all lists and queues, and freed. Both locks are held. */
static void remove_item(struct item *i)
{
	for (unsigned k = 0; k < i->queues; k++)
		wait_remove(i->watch[k].q, &i->watch[k].w);
	list_del(&i->link);
	list_del(&i->in_file);
	mm_free(i);
}

static void watch_release(struct file *f)
{
	mutex_lock(&files_lock);
	while (!list_empty(&f->watchers)) {
		struct item *i = list_first(&f->watchers, struct item, in_file);
		struct epoll *ep = i->ep;

		mutex_lock(&ep->lock);
		remove_item(i);
		mutex_unlock(&ep->lock);
	}
	mutex_unlock(&files_lock);
}

static uint32_t ready_events(struct item *i)
{
	return file_poll(i->file, NULL) & (i->event.events | VFS_POLLERR | VFS_POLLHUP);
}

static uint32_t epoll_poll(struct file *f, struct vfs_poll *p)
{
	struct epoll *ep = f->private;
	struct item *i;
	uint32_t r = 0;

	vfs_poll_wait(p, &ep->wait);
	mutex_lock(&ep->lock);
	list_for_each_entry (i, &ep->items, struct item, link) {
		if (i->event.events && ready_events(i)) {
			r = VFS_POLLIN | VFS_POLLRDNORM;
			break;
		}
	}
	mutex_unlock(&ep->lock);
	return r;
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->private;

	mutex_lock(&files_lock);
	mutex_lock(&ep->lock);
	while (!list_empty(&ep->items))
		remove_item(list_first(&ep->items, struct item, link));
	mutex_unlock(&ep->lock);
	mutex_unlock(&files_lock);
	mm_free(ep);
}

static const struct file_ops epoll_ops = {.poll = epoll_poll, .release = epoll_release};

struct file *epoll_create(void)
{
	struct epoll *ep = mm_alloc(sizeof(*ep), MM_ZERO);
	struct file *f = ep ? file_create(&epoll_ops, VFS_O_RDWR) : NULL;

	if (!f) {
		mm_free(ep);
		return NULL;
	}
	vfs_install_watch_release(watch_release);
	mutex_init(&ep->lock, LOCK_RANK_NONE, "epoll");
	list_init(&ep->items);
	wait_init(&ep->wait);
	spin_init(&ep->wait.lock, LOCK_RANK_SPIN_EPOLL);
	f->private = ep;
	f->kind = "anon_inode:[eventpoll]";
	return f;
}

static struct item *find(struct epoll *ep, int fd, const struct file *f)
{
	struct item *i;

	list_for_each_entry (i, &ep->items, struct item, link) {
		if (i->fd == fd && i->file == f)
			return i;
	}
	return NULL;
}

static int add(struct epoll *ep, int fd, struct file *f, const struct epoll_event *e)
{
	struct item *i = mm_alloc(sizeof(*i), MM_ZERO);
	struct registrar r = {{.add = add_queue}, i};

	if (!i)
		return -ENOMEM;
	i->ep = ep;
	i->file = f;
	i->fd = fd;
	i->event = *e;
	atomic_store_explicit(&i->happened, 1, memory_order_relaxed);
	list_add_tail(&ep->items, &i->link);
	list_add_tail(&f->watchers, &i->in_file);
	(void)file_poll(f, &r.p);
	return 0;
}

static int ctl_locked(struct epoll *ep, int op, int fd, struct file *f, const struct epoll_event *e)
{
	struct item *i = find(ep, fd, f);

	switch (op) {
	case EPOLL_CTL_ADD:
		return i ? -EEXIST : add(ep, fd, f, e);
	case EPOLL_CTL_DEL:
		if (!i)
			return -ENOENT;
		remove_item(i);
		return 0;
	case EPOLL_CTL_MOD:
		if (!i)
			return -ENOENT;
		i->event = *e;
		atomic_store_explicit(&i->happened, 1, memory_order_relaxed);
		return 0;
	default:
		return -EINVAL;
	}
}

int epoll_ctl(struct file *epf, int op, int fd, struct file *f, const struct epoll_event *e)
{
	struct epoll *ep = epf->private;
	int err;

	if (epf->ops != &epoll_ops || f->ops == &epoll_ops)
		return -EINVAL;
	if (!f->ops->poll) /* regular files and directories */
		return -EPERM;
	mutex_lock(&files_lock);
	mutex_lock(&ep->lock);
	err = ctl_locked(ep, op, fd, f, e);
	mutex_unlock(&ep->lock);
	mutex_unlock(&files_lock);
	if (!err && op != EPOLL_CTL_DEL) { /* it may be ready at once */
		atomic_fetch_add_explicit(&ep->changes, 1, memory_order_release);
		wait_wake_all(&ep->wait);
	}
	return err;
}

/* What is ready now, up to max. What was reported goes to the end of the list: all get their turn. */
static unsigned collect(struct epoll *ep, struct epoll_event *out, unsigned max)
{
	struct list reported = LIST_INIT(reported);
	struct item *i;
	struct item *n;
	unsigned count = 0;

	mutex_lock(&ep->lock);
	list_for_each_entry_safe (i, n, &ep->items, struct item, link) {
		uint32_t r;

		if (count == max)
			break;
		if (!(i->event.events & ~(EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE)))
			continue; /* disarmed by EPOLLONESHOT */
		if ((i->event.events & EPOLLET) &&
		    !atomic_exchange_explicit(&i->happened, 0, memory_order_acquire))
			continue;
		r = ready_events(i);
		if (!r)
			continue;
		out[count++] = (struct epoll_event){.events = r, .data = i->event.data};
		if (i->event.events & EPOLLONESHOT)
			i->event.events &= EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE;
		list_del(&i->link);
		list_add_tail(&reported, &i->link);
	}
	list_splice_tail(&ep->items, &reported);
	mutex_unlock(&ep->lock);
	return count;
}

int epoll_wait(struct file *epf, struct epoll_event *out, unsigned max, uint64_t deadline)
{
	struct epoll *ep = epf->private;

	if (epf->ops != &epoll_ops)
		return -EINVAL;
	for (;;) {
		uint32_t seen = atomic_load_explicit(&ep->changes, memory_order_acquire);
		unsigned n = collect(ep, out, max);
		int err;

		if (n || !deadline)
			return (int)n;
		err = WAIT_EVENT_UNTIL(&ep->wait,
				       atomic_load_explicit(&ep->changes, memory_order_acquire) !=
					       seen,
				       deadline, WAIT_INTERRUPTIBLE);
		if (err == -ETIMEDOUT)
			return (int)collect(ep, out, max);
		if (err)
			return err;
	}
}
