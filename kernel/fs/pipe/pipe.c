/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Pipes: a ring of pages (16, or what F_SETPIPE_SZ asks for), allocated as they are first used.
 *
 * PIPE-1  [tail, head) are byte positions that count up; head - tail <= ring_size. Page number n of
 *         these positions is pages[n % page_count].
 * PIPE-2  A write of at most ATOMIC bytes goes in as a whole or waits.
 * PIPE-3  A FIFO's pipe hangs at vn->special and exists while it is open or being opened (users).
 * Locks: p->lock (rank PIPE) is below the address space's: user memory may fault under it.
 */
#include "fs/pipe/pipe.h"

#include "base/assert.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "port/sync.h"
#include "sched/thread.h"
#include "sync/wait.h"
#include "vm/uaccess.h"

#define PAGES 16u
#define PAGES_MAX 256u /* without privilege, as Linux's fs.pipe-max-size */
#define PAGES_LIMIT 4096u
#define PAGE 4096u
#define ATOMIC 4096u
#define FIONREAD 0x541b

struct pipe {
	struct port_mutex lock;
	struct page **pages; /* lock: lock, as all to writer_opens */
	uint32_t page_count; /* a power of two */
	uint64_t head;
	uint64_t tail;
	uint32_t readers;
	uint32_t writers;
	uint32_t reader_opens; /* FIFO: how often, to see one that came and went */
	uint32_t writer_opens;
	uint32_t users;        /* FIFO: lock: vn->lock */
	_Atomic uint32_t refs; /* pipe(2): ends not yet released */
	struct wait_queue read_wait;
	struct wait_queue write_wait;
	uint64_t ino;
};

static _Atomic uint64_t next_ino = 1;

static struct pipe *alloc_pipe(void)
{
	struct pipe *p = mm_alloc(sizeof(*p), MM_ZERO);

	if (!p)
		return NULL;
	p->pages = mm_alloc(PAGES * sizeof(struct page *), MM_ZERO);
	if (!p->pages) {
		mm_free(p);
		return NULL;
	}
	p->page_count = PAGES;
	port_mutex_init(&p->lock, LOCK_RANK_PIPE, "pipe");
	wait_init(&p->read_wait);
	wait_init(&p->write_wait);
	p->ino = atomic_fetch_add_explicit(&next_ino, 1, memory_order_relaxed);
	return p;
}

static void free_pipe(struct pipe *p)
{
	for (unsigned i = 0; i < p->page_count; i++) {
		if (p->pages[i])
			mm_page_put(p->pages[i]);
	}
	mm_free(p->pages);
	port_mutex_fini(&p->lock);
	mm_free(p);
}

static uint64_t ring_size(const struct pipe *p)
{
	return (uint64_t)p->page_count * PAGE;
}

static bool nonblocking(struct file *f)
{
	return (atomic_load_explicit(&f->flags, memory_order_relaxed) & VFS_O_NONBLOCK) != 0;
}

/* Moves what is there, as far as it goes. Under the lock. */
static size_t take(struct pipe *p, struct vfs_iter *it, bool *fault)
{
	size_t total = 0;

	while (it->left && p->tail < p->head) {
		size_t in = (size_t)(p->tail % PAGE);
		size_t n = MIN(MIN(it->left, (size_t)(p->head - p->tail)), PAGE - in);
		struct page *page = p->pages[p->tail / PAGE % p->page_count];
		size_t moved = it->move(it, (uint8_t *)mm_page_data(page) + in, n);

		p->tail += moved;
		total += moved;
		if (moved < n) {
			*fault = true;
			break;
		}
	}
	return total;
}

static int64_t pipe_read(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	struct pipe *p = f->private;
	bool fault = false;
	size_t n = 0;

	(void)pos;
	if (!it->left)
		return 0;
	for (;;) {
		bool end;
		int err;

		port_mutex_lock(&p->lock);
		n = take(p, it, &fault);
		end = p->writers == 0;
		port_mutex_unlock(&p->lock);
		if (n)
			wait_wake_all(&p->write_wait);
		if (n || fault)
			return n ? (int64_t)n : -EFAULT;
		if (end)
			return 0;
		if (nonblocking(f))
			return -EAGAIN;
		err = WAIT_EVENT_UNTIL(&p->read_wait, p->head != p->tail || p->writers == 0,
				       WAIT_FOREVER, WAIT_INTERRUPTIBLE);
		if (err)
			return err;
	}
}

/* Puts in what fits. Under the lock. */
static size_t give(struct pipe *p, struct vfs_iter *it, int *err)
{
	size_t total = 0;

	while (it->left && p->head - p->tail < ring_size(p)) {
		size_t in = (size_t)(p->head % PAGE);
		size_t n =
			MIN(MIN(it->left, (size_t)(ring_size(p) - (p->head - p->tail))), PAGE - in);
		struct page **page = &p->pages[p->head / PAGE % p->page_count];
		size_t moved;

		if (!*page)
			*page = mm_page_alloc(0, MM_NORMAL);
		if (!*page) {
			*err = -ENOMEM;
			break;
		}
		moved = it->move(it, (uint8_t *)mm_page_data(*page) + in, n);
		p->head += moved;
		total += moved;
		if (moved < n) {
			*err = -EFAULT;
			break;
		}
	}
	return total;
}

static bool has_room(struct pipe *p, size_t want)
{
	return ring_size(p) - (p->head - p->tail) >= MIN(want, (size_t)ATOMIC);
}

static int64_t pipe_write(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	struct pipe *p = f->private;
	size_t total = 0;

	(void)pos;
	if (!it->left)
		return 0;
	for (;;) {
		/* PIPE-2 for the first step; the rest of a long write takes any room */
		size_t want = total || it->left > ATOMIC ? 1 : it->left;
		size_t n = 0;
		int err = 0;

		port_mutex_lock(&p->lock);
		if (p->readers == 0)
			err = -EPIPE;
		else if (has_room(p, want))
			n = give(p, it, &err);
		port_mutex_unlock(&p->lock);
		total += n;
		if (n)
			wait_wake_all(&p->read_wait);
		if (err || !it->left)
			return total ? (int64_t)total : err;
		if (nonblocking(f))
			return total ? (int64_t)total : -EAGAIN;
		err = WAIT_EVENT_UNTIL(&p->write_wait, p->readers == 0 || has_room(p, want),
				       WAIT_FOREVER, WAIT_INTERRUPTIBLE);
		if (err)
			return total ? (int64_t)total : err;
	}
}

static uint32_t pipe_poll(struct file *f, struct vfs_poll *w)
{
	struct pipe *p = f->private;
	uint32_t r = 0;

	if (f->mode & FILE_READ)
		vfs_poll_wait(w, &p->read_wait);
	if (f->mode & FILE_WRITE)
		vfs_poll_wait(w, &p->write_wait);
	port_mutex_lock(&p->lock);
	if (f->mode & FILE_READ) {
		if (p->head != p->tail)
			r |= VFS_POLLIN | VFS_POLLRDNORM;
		if (p->writers == 0 && p->writer_opens)
			r |= VFS_POLLHUP;
	}
	if (f->mode & FILE_WRITE) {
		if (has_room(p, ATOMIC))
			r |= VFS_POLLOUT | VFS_POLLWRNORM;
		if (p->readers == 0)
			r |= VFS_POLLERR;
	}
	port_mutex_unlock(&p->lock);
	return r;
}

static int64_t pipe_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct pipe *p = f->private;
	uint32_t n;

	if (cmd != FIONREAD)
		return -ENOTTY;
	port_mutex_lock(&p->lock);
	n = (uint32_t)(p->head - p->tail);
	port_mutex_unlock(&p->lock);
	return put_user_u32(arg, n);
}

/* One end less. */
static void close_end(struct pipe *p, struct file *f)
{
	port_mutex_lock(&p->lock);
	if (f->mode & FILE_READ)
		p->readers--;
	if (f->mode & FILE_WRITE)
		p->writers--;
	port_mutex_unlock(&p->lock);
	wait_wake_all(&p->read_wait);
	wait_wake_all(&p->write_wait);
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->private;

	close_end(p, f);
	/* acq_rel: the other end, which may be closed at the same time, is through with it */
	if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
		free_pipe(p);
}

static const struct file_ops pipe_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

int pipe_create(unsigned flags, struct file *out[2])
{
	struct pipe *p = alloc_pipe();
	struct file *r = p ? file_create(&pipe_ops, VFS_O_RDONLY | flags) : NULL;
	struct file *w = r ? file_create(&pipe_ops, VFS_O_WRONLY | flags) : NULL;

	if (!w) {
		if (r) {
			r->ops = NULL;
			file_put(r);
		}
		if (p)
			free_pipe(p);
		return -ENOMEM;
	}
	p->readers = p->writers = p->reader_opens = p->writer_opens = 1;
	atomic_store_explicit(&p->refs, 2, memory_order_relaxed);
	r->private = w->private = p;
	r->kind = w->kind = "pipe:[%llu]";
	r->kind_ino = w->kind_ino = p->ino;
	out[0] = r;
	out[1] = w;
	return 0;
}

/* --- Their size --- */

static bool is_pipe(const struct file *f)
{
	return f->ops && f->ops->read == pipe_read;
}

long pipe_get_size(struct file *f)
{
	return is_pipe(f) ? (long)ring_size(f->private) : -EBADF;
}

/* Moves what is in it to a ring of count pages (PIPE-1). Under the lock. */
static int change_ring(struct pipe *p, struct page **pages, uint32_t count)
{
	uint64_t first = p->tail / PAGE;
	uint64_t end = p->head == p->tail ? first : (p->head + PAGE - 1) / PAGE;

	/* Or a wrapped ring whose first and last bytes share a page: as good as full. */
	if (end - first > count || end - first > p->page_count)
		return -EBUSY;
	for (uint64_t n = first; n < end; n++) {
		pages[n % count] = p->pages[n % p->page_count];
		p->pages[n % p->page_count] = NULL;
	}
	for (uint32_t i = 0; i < p->page_count; i++) {
		if (p->pages[i])
			mm_page_put(p->pages[i]);
	}
	mm_free(p->pages);
	p->pages = pages;
	p->page_count = count;
	return 0;
}

long pipe_set_size(struct file *f, uint64_t bytes, bool privileged)
{
	struct pipe *p = f->private;
	struct page **pages;
	uint32_t count = 1;
	int err;

	if (!is_pipe(f))
		return -EBADF;
	if (bytes > (uint64_t)PAGES_LIMIT * PAGE)
		return privileged ? -EINVAL : -EPERM;
	while ((uint64_t)count * PAGE < bytes)
		count *= 2;
	if (count > PAGES_MAX && !privileged)
		return -EPERM;
	pages = mm_alloc(count * sizeof(struct page *), MM_ZERO);
	if (!pages)
		return -ENOMEM;
	port_mutex_lock(&p->lock);
	err = change_ring(p, pages, count);
	port_mutex_unlock(&p->lock);
	if (err)
		mm_free(pages);
	else
		wait_wake_all(&p->write_wait);
	return err ? err : (long)count * PAGE;
}

/* --- FIFOs --- */

static void fifo_unuse(struct vnode *vn, struct pipe *p)
{
	bool last;

	port_mutex_lock(&vn->lock);
	last = --p->users == 0;
	if (last)
		vn->special = NULL; /* PIPE-3 */
	port_mutex_unlock(&vn->lock);
	if (last)
		free_pipe(p);
}

static void fifo_release(struct file *f)
{
	struct pipe *p = f->private;

	close_end(p, f);
	fifo_unuse(f->path.vn, p);
}

static const struct file_ops fifo_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = fifo_release,
};

static struct pipe *fifo_use(struct vnode *vn)
{
	struct pipe *fresh = alloc_pipe();
	struct pipe *p;

	port_mutex_lock(&vn->lock);
	if (!vn->special) {
		vn->special = fresh;
		fresh = NULL;
	}
	p = vn->special;
	if (p)
		p->users++;
	port_mutex_unlock(&vn->lock);
	if (fresh)
		free_pipe(fresh);
	return p;
}

/* What an open waits for, noted under the lock together with its own registration. */
struct partner {
	bool wait;
	uint32_t seen; /* opens of the other side so far */
};

/* Counts f in. -ENXIO: a writer that will not wait finds no reader. */
static int fifo_register(struct pipe *p, struct file *f, struct partner *w)
{
	bool reads = (f->mode & FILE_READ) != 0;
	bool writes = (f->mode & FILE_WRITE) != 0;
	int err = 0;

	port_mutex_lock(&p->lock);
	*w = (struct partner){false, 0};
	if (reads != writes) {
		w->wait = reads ? p->writers == 0 && !nonblocking(f) : p->readers == 0;
		w->seen = reads ? p->writer_opens : p->reader_opens;
		if (writes && w->wait && nonblocking(f))
			err = -ENXIO;
	}
	if (!err && reads) {
		p->readers++;
		p->reader_opens++;
	}
	if (!err && writes) {
		p->writers++;
		p->writer_opens++;
	}
	port_mutex_unlock(&p->lock);
	return err;
}

static int fifo_wait(struct pipe *p, struct file *f, const struct partner *w)
{
	if (!w->wait)
		return 0;
	if (f->mode & FILE_READ)
		return WAIT_EVENT_UNTIL(&p->read_wait, p->writer_opens != w->seen, WAIT_FOREVER,
					WAIT_INTERRUPTIBLE);
	return WAIT_EVENT_UNTIL(&p->write_wait, p->reader_opens != w->seen, WAIT_FOREVER,
				WAIT_INTERRUPTIBLE);
}

int fifo_open(struct vnode *vn, struct file *f)
{
	struct pipe *p = fifo_use(vn);
	struct partner w;
	int err;

	if (!p)
		return -ENOMEM;
	err = fifo_register(p, f, &w);
	if (err) {
		fifo_unuse(vn, p);
		return err;
	}
	wait_wake_all(&p->read_wait);
	wait_wake_all(&p->write_wait);
	err = fifo_wait(p, f, &w);
	if (err) {
		(void)close_end(p, f);
		fifo_unuse(vn, p);
		return err;
	}
	f->private = p;
	f->ops = &fifo_ops;
	return 0;
}
