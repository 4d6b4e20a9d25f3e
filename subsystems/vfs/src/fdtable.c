/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Descriptor tables (vfs/fdtable.h).
 *
 * FD-1  used bit n is set exactly if files[n] is not NULL; cloexec bits only where used ones are.
 * FD-2  All numbers below next are in use.
 * FD-3  A file that leaves the table is put after the lock is released: its release may sleep.
 */
#include "vfs/fdtable.h"

#include "vfs/lock.h"
#include "vfs_priv.h"

#define FIRST_SIZE 64u

static bool bit(const uint64_t *map, unsigned n)
{
	return (map[n / 64] >> (n % 64) & 1) != 0;
}

static void set_bit(uint64_t *map, unsigned n, bool on)
{
	uint64_t mask = (uint64_t)1 << (n % 64);

	if (on)
		map[n / 64] |= mask;
	else
		map[n / 64] &= ~mask;
}

struct fd_table *fdtable_create(void)
{
	struct fd_table *t = port_alloc_zeroed(sizeof(*t));

	if (!t)
		return NULL;
	atomic_store_explicit(&t->refs, 1, memory_order_relaxed);
	port_mutex_init(&t->lock, LOCK_RANK_FDTABLE, "fd table");
	return t;
}

/* Makes room for descriptor fd. Under the lock. */
static int grow_locked(struct fd_table *t, unsigned fd)
{
	unsigned size = t->size ? t->size : FIRST_SIZE;
	struct file **files;
	uint64_t *maps;

	if (fd < t->size)
		return 0;
	while (size <= fd)
		size *= 2;
	files = port_alloc_zeroed(size * sizeof(struct file *));
	maps = port_alloc_zeroed(size / 64 * 2 * sizeof(uint64_t));
	if (!files || !maps) {
		port_free(files);
		port_free(maps);
		return -VFS_ENOMEM;
	}
	if (t->size) {
		memcpy(files, t->files, t->size * sizeof(struct file *));
		memcpy(maps, t->used, t->size / 8);
		memcpy(maps + size / 64, t->cloexec, t->size / 8);
	}
	port_free(t->files);
	port_free(t->used);
	t->files = files;
	t->used = maps;
	t->cloexec = maps + size / 64;
	t->size = size;
	return 0;
}

struct fd_table *fdtable_clone(struct fd_table *t)
{
	struct fd_table *n = fdtable_create();
	bool ok = true;

	if (!n)
		return NULL;
	port_mutex_lock(&t->lock);
	if (t->size && grow_locked(n, t->size - 1))
		ok = false;
	for (unsigned i = 0; ok && i < t->size; i++) {
		if (t->files[i])
			n->files[i] = file_get(t->files[i]);
	}
	if (ok && t->size) {
		memcpy(n->used, t->used, t->size / 8);
		memcpy(n->cloexec, t->cloexec, t->size / 8);
		n->next = t->next;
		n->count = t->count;
	}
	port_mutex_unlock(&t->lock);
	if (ok)
		return n;
	fdtable_put(n);
	return NULL;
}

void fdtable_get(struct fd_table *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
}

/* A descriptor of t to f is gone. */
static void closed(struct fd_table *t, struct file *f)
{
	if (f->path.vn)
		vfs_lock_release(f->path.vn, VFS_LOCK_POSIX, t);
	if (f->ops && f->ops->flush)
		f->ops->flush(f);
	file_put(f);
}

void fdtable_put(struct fd_table *t)
{
	if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	fdtable_close_range(t, 0, FDTABLE_MAX, false);
	port_free(t->files);
	port_free(t->used);
	port_mutex_fini(&t->lock);
	port_free(t);
}

struct file *fdtable_file(struct fd_table *t, int fd)
{
	struct file *f = NULL;

	port_mutex_lock(&t->lock);
	if (fd >= 0 && (unsigned)fd < t->size && t->files[fd])
		f = file_get(t->files[fd]);
	port_mutex_unlock(&t->lock);
	return f;
}

/* Takes fd out. Under the lock; NULL: not open. */
static struct file *take_locked(struct fd_table *t, unsigned fd)
{
	struct file *f = fd < t->size ? t->files[fd] : NULL;

	if (!f)
		return NULL;
	t->files[fd] = NULL;
	set_bit(t->used, fd, false);
	set_bit(t->cloexec, fd, false);
	t->count--;
	t->next = MIN(t->next, fd);
	return f;
}

static void put_locked(struct fd_table *t, unsigned fd, struct file *f, bool cloexec)
{
	t->files[fd] = f;
	set_bit(t->used, fd, true);
	set_bit(t->cloexec, fd, cloexec);
	t->count++;
}

/* The lowest free number >= from, with room for it; an error otherwise. */
static int find_free_locked(struct fd_table *t, unsigned from, uint64_t limit)
{
	unsigned fd = MAX(from, t->next);
	int err;

	while (fd < t->size && bit(t->used, fd)) {
		if (fd % 64 == 0 && t->used[fd / 64] == UINT64_MAX)
			fd += 64;
		else
			fd++;
	}
	if (fd >= limit || fd >= FDTABLE_MAX)
		return -VFS_EMFILE;
	err = grow_locked(t, fd);
	return err ? err : (int)fd;
}

static int install_locked(struct fd_table *t, struct file *f, unsigned from, uint64_t limit,
			  bool cloexec)
{
	int fd = find_free_locked(t, from, limit);

	if (fd < 0)
		return fd;
	put_locked(t, (unsigned)fd, f, cloexec);
	if (from <= t->next)
		t->next = (unsigned)fd + 1; /* FD-2 */
	return fd;
}

int fdtable_install(struct fd_table *t, struct file *f, unsigned from, uint64_t limit, bool cloexec)
{
	int fd;

	if (from >= limit || from >= FDTABLE_MAX)
		return from ? -VFS_EINVAL : -VFS_EMFILE;
	port_mutex_lock(&t->lock);
	fd = install_locked(t, f, from, limit, cloexec);
	port_mutex_unlock(&t->lock);
	return fd;
}

int fdtable_install2(struct fd_table *t, struct file *f[2], uint64_t limit, bool cloexec, int fd[2])
{
	int a;
	int b = -VFS_EMFILE;

	port_mutex_lock(&t->lock);
	a = install_locked(t, f[0], 0, limit, cloexec);
	if (a >= 0) {
		b = install_locked(t, f[1], 0, limit, cloexec);
		if (b < 0)
			(void)take_locked(t, (unsigned)a);
	}
	port_mutex_unlock(&t->lock);
	if (a < 0)
		return a;
	if (b < 0)
		return b;
	fd[0] = a;
	fd[1] = b;
	return 0;
}

int fdtable_replace(struct fd_table *t, struct file *f, int fd, uint64_t limit, bool cloexec)
{
	struct file *old = NULL;
	int err;

	if (fd < 0 || (uint64_t)fd >= limit || fd >= FDTABLE_MAX)
		return -VFS_EBADF;
	port_mutex_lock(&t->lock);
	err = grow_locked(t, (unsigned)fd);
	if (!err) {
		old = take_locked(t, (unsigned)fd);
		put_locked(t, (unsigned)fd, f, cloexec);
		if (t->next == (unsigned)fd)
			t->next++;
	}
	port_mutex_unlock(&t->lock);
	if (old)
		closed(t, old); /* FD-3 */
	return err ? err : fd;
}

int fdtable_close(struct fd_table *t, int fd)
{
	struct file *f = NULL;

	port_mutex_lock(&t->lock);
	if (fd >= 0)
		f = take_locked(t, (unsigned)fd);
	port_mutex_unlock(&t->lock);
	if (!f)
		return -VFS_EBADF;
	closed(t, f);
	return 0;
}

/* The first number in [from, last] that is open and, if asked for, close-on-exec; -1: none. */
static int next_locked(const struct fd_table *t, unsigned from, unsigned last, bool cloexec)
{
	const uint64_t *map = cloexec ? t->cloexec : t->used;

	for (unsigned fd = from; fd < t->size && fd <= last;) {
		if (fd % 64 == 0 && map[fd / 64] == 0) {
			fd += 64;
			continue;
		}
		if (bit(map, fd))
			return (int)fd;
		fd++;
	}
	return -1;
}

static void close_matching(struct fd_table *t, unsigned first, unsigned last, bool only_cloexec)
{
	for (;;) {
		struct file *f = NULL;
		int fd;

		port_mutex_lock(&t->lock);
		fd = next_locked(t, first, last, only_cloexec);
		if (fd >= 0)
			f = take_locked(t, (unsigned)fd);
		port_mutex_unlock(&t->lock);
		if (!f)
			return;
		closed(t, f);
		first = (unsigned)fd + 1;
	}
}

void fdtable_exec(struct fd_table *t)
{
	close_matching(t, 0, FDTABLE_MAX, true);
}

void fdtable_close_range(struct fd_table *t, unsigned first, unsigned last, bool cloexec)
{
	if (!cloexec) {
		close_matching(t, first, last, false);
		return;
	}
	port_mutex_lock(&t->lock);
	for (int fd; first <= last && (fd = next_locked(t, first, last, false)) >= 0;) {
		set_bit(t->cloexec, (unsigned)fd, true);
		first = (unsigned)fd + 1;
	}
	port_mutex_unlock(&t->lock);
}

int fdtable_get_cloexec(struct fd_table *t, int fd)
{
	int on = -VFS_EBADF;

	port_mutex_lock(&t->lock);
	if (fd >= 0 && (unsigned)fd < t->size && t->files[fd])
		on = bit(t->cloexec, (unsigned)fd);
	port_mutex_unlock(&t->lock);
	return on;
}

int fdtable_set_cloexec(struct fd_table *t, int fd, bool on)
{
	int err = -VFS_EBADF;

	port_mutex_lock(&t->lock);
	if (fd >= 0 && (unsigned)fd < t->size && t->files[fd]) {
		set_bit(t->cloexec, (unsigned)fd, on);
		err = 0;
	}
	port_mutex_unlock(&t->lock);
	return err;
}

int fdtable_next(struct fd_table *t, int from)
{
	int fd;

	port_mutex_lock(&t->lock);
	fd = from < 0 ? -1 : next_locked(t, (unsigned)from, FDTABLE_MAX, false);
	port_mutex_unlock(&t->lock);
	return fd;
}
