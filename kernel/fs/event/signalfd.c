/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * signalfd(2): takes pending signals of whoever reads. The mask is the file's, the signals are the
 * reader's own and its process's, so a descriptor that a child inherits gives the child's signals.
 *
 * SFD-1  Every process whose queue was handed to poll or epoll is referenced by the file until its
 *        end, because an epoll may keep the queue longer than the process lives.
 */
#include "fs/event/event.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "port/sync.h"
#include "proc/process.h"
#include "proc/sigops.h"
#include "sync/wait.h"

struct known {
	struct list link;
	struct process *process;
};

struct signalfd {
	struct port_mutex lock;
	struct list known;    /* lock: lock. SFD-1 */
	_Atomic uint64_t set; /* a racing change: either is right */
};

/* struct signalfd_siginfo of Linux. */
struct record {
	uint32_t signo;
	int32_t err;
	int32_t code;
	uint32_t pid;
	uint32_t uid;
	int32_t fd;
	uint32_t tid;
	uint32_t band;
	uint32_t overrun;
	uint32_t trapno;
	int32_t status;
	int32_t value_int;
	uint64_t value_ptr;
	uint64_t utime;
	uint64_t stime;
	uint64_t addr;
	uint8_t pad[48];
};
_Static_assert(sizeof(struct record) == 128, "Linux's size");

static bool is_fault(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE || sig == SIGTRAP;
}

static void fill(struct record *r, const struct siginfo *info)
{
	*r = (struct record){.signo = (uint32_t)info->signo, .err = info->err, .code = info->code};
	if (info->code == SI_TIMER) {
		r->tid = (uint32_t)info->timer.id;
		r->overrun = (uint32_t)info->timer.overrun;
		r->value_ptr = info->timer.value;
		r->value_int = (int32_t)info->timer.value;
	} else if (info->code > 0 && info->code != SI_KERNEL && is_fault(info->signo)) {
		r->addr = info->fault.addr;
	} else if (info->code > 0 && info->code != SI_KERNEL && info->signo == SIGCHLD) {
		r->pid = (uint32_t)info->chld.pid;
		r->uid = info->chld.uid;
		r->status = info->chld.status;
		r->utime = (uint64_t)info->chld.utime;
		r->stime = (uint64_t)info->chld.stime;
	} else {
		r->pid = (uint32_t)info->rt.pid;
		r->uid = info->rt.uid;
	}
	if (info->code == SI_QUEUE) {
		r->value_ptr = info->rt.value;
		r->value_int = (int32_t)info->rt.value;
	}
}

static int64_t signalfd_read(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	struct signalfd *s = f->private;
	bool wait = !(atomic_load_explicit(&f->flags, memory_order_relaxed) & VFS_O_NONBLOCK);
	int64_t total = 0;

	(void)pos;
	if (it->left < sizeof(struct record))
		return -EINVAL;
	while (it->left >= sizeof(struct record)) {
		sigset set = atomic_load_explicit(&s->set, memory_order_relaxed);
		struct siginfo info = {.signo = 0};
		struct record r;
		int sig = signal_wait(set, wait && !total ? WAIT_FOREVER : 0, &info);

		if (sig < 0)
			return total ? total : sig;
		info.signo = sig;
		fill(&r, &info);
		if (it->move(it, &r, sizeof(r)) != sizeof(r))
			return total ? total : -EFAULT;
		total += (int64_t)sizeof(r);
	}
	return total;
}

/* SFD-1. False: no memory. */
static bool know(struct signalfd *s, struct process *p)
{
	struct known *k;
	bool found = false;

	port_mutex_lock(&s->lock);
	list_for_each_entry (k, &s->known, struct known, link)
		found = found || k->process == p;
	if (!found) {
		k = mm_alloc(sizeof(*k), MM_NORMAL);
		found = k != NULL;
		if (k) {
			process_get(p);
			k->process = p;
			list_add_tail(&s->known, &k->link);
		}
	}
	port_mutex_unlock(&s->lock);
	return found;
}

static uint32_t signalfd_poll(struct file *f, struct vfs_poll *w)
{
	struct signalfd *s = f->private;
	struct process *p = current_process();

	if (w && !know(s, p))
		return VFS_POLLERR;
	vfs_poll_wait(w, &p->signal_wait);
	return signal_is_pending(atomic_load_explicit(&s->set, memory_order_relaxed)) ? VFS_POLLIN
										      : 0;
}

static void signalfd_release(struct file *f)
{
	struct signalfd *s = f->private;
	struct known *k, *next;

	list_for_each_entry_safe (k, next, &s->known, struct known, link) {
		process_put(k->process);
		mm_free(k);
	}
	port_mutex_fini(&s->lock);
	mm_free(s);
}

static const struct file_ops signalfd_ops = {.read = signalfd_read,
					     .poll = signalfd_poll,
					     .seek = event_seek,
					     .release = signalfd_release};

struct file *signalfd_create(uint64_t set, unsigned flags)
{
	struct signalfd *s = mm_alloc(sizeof(*s), MM_ZERO);
	struct file *f =
		s ? file_create(&signalfd_ops, VFS_O_RDWR | (flags & VFS_O_NONBLOCK)) : NULL;

	if (!f) {
		mm_free(s);
		return NULL;
	}
	port_mutex_init(&s->lock, LOCK_RANK_NONE, "signalfd");
	list_init(&s->known);
	atomic_init(&s->set, set);
	f->private = s;
	f->kind = "anon_inode:[signalfd]";
	return f;
}

int signalfd_change(struct file *f, uint64_t set)
{
	struct signalfd *s = f->private;

	if (f->ops != &signalfd_ops)
		return -EINVAL;
	atomic_store_explicit(&s->set, set, memory_order_relaxed);
	wait_wake_all(&current_process()->signal_wait);
	return 0;
}
