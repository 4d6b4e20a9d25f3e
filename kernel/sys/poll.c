/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * ppoll and pselect6. The first look registers a waiter on each queue that a file names; then the call
 * sleeps and looks again until something is ready, the time is over, or a signal comes.
 */
#include "lib/string.h"
#include "port/mem.h"
#include "proc/process.h"
#include "sched/clock.h"
#include "sync/wait.h"
#include "sys/fs_util.h"
#include "vm/uaccess.h"

#define CHUNK 16u
#define SELECT_MAX 65536u

struct entry {
	struct wait_queue *q;
	struct waiter w;
};

struct chunk {
	struct chunk *next;
	unsigned n;
	struct entry e[CHUNK];
};

struct poller {
	struct vfs_poll p; /* first */
	struct chunk *chunks;
	bool no_memory;
};

static void add_queue(struct vfs_poll *vp, struct wait_queue *q)
{
	struct poller *p = container_of(vp, struct poller, p);
	struct chunk *c = p->chunks;

	if (!c || c->n == CHUNK) {
		c = port_alloc_zeroed(sizeof(*c));
		if (!c) {
			p->no_memory = true;
			return;
		}
		c->next = p->chunks;
		p->chunks = c;
	}
	c->e[c->n].q = q;
	wait_add(q, &c->e[c->n].w, false);
	c->n++;
}

static void drop_queues(struct poller *p)
{
	while (p->chunks) {
		struct chunk *c = p->chunks;

		for (unsigned i = 0; i < c->n; i++)
			wait_remove(c->e[i].q, &c->e[i].w);
		p->chunks = c->next;
		port_free(c);
	}
}

/* One descriptor of a call: f is NULL for a number that is not open. */
struct item {
	struct file *f;
	uint32_t events;
	uint32_t revents;
};

/* Looks at all; p registers. Returns how many are ready. */
static long look(struct item *items, unsigned n, struct vfs_poll *p)
{
	long ready = 0;

	for (unsigned i = 0; i < n; i++) {
		struct item *it = &items[i];

		if (!it->f) {
			ready += it->revents != 0;
			continue;
		}
		it->revents = file_poll(it->f, ready ? NULL : p) &
			      (it->events | VFS_POLLERR | VFS_POLLHUP | VFS_POLLNVAL);
		ready += it->revents != 0;
	}
	return ready;
}

/* Until something is ready: how many, 0 (time over), -EINTR, -ENOMEM. */
static long wait_items(struct item *items, unsigned n, uint64_t deadline)
{
	struct poller p = {.p = {.add = add_queue}};
	long ready = look(items, n, deadline ? &p.p : NULL);
	int err = 0;

	if (p.no_memory)
		ready = ready ? ready : -ENOMEM;
	while (!ready && !err && deadline) {
		wait_prepare(WAIT_INTERRUPTIBLE);
		ready = look(items, n, NULL);
		if (!ready)
			err = wait_sleep(deadline);
	}
	wait_done();
	if (!ready && err)
		ready = look(items, n, NULL);
	drop_queues(&p);
	if (ready || err != -EINTR)
		return ready;
	return -EINTR;
}

static void put_files(struct item *items, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		file_put(items[i].f);
}

/* --- Time and mask, common to both calls --- */

struct user_timespec {
	int64_t sec;
	int64_t nsec;
};

/* The deadline of a timespec at user (0: none); 0 means "do not wait". */
static int get_deadline(uint64_t user, uint64_t *deadline)
{
	struct user_timespec ts;
	uint64_t ns;

	*deadline = WAIT_FOREVER;
	if (!user)
		return 0;
	if (copy_from_user(&ts, user, sizeof(ts)))
		return -EFAULT;
	if (ts.sec < 0 || ts.nsec < 0 || ts.nsec > 999999999)
		return -EINVAL;
	if (ts.sec == 0 && ts.nsec == 0) {
		*deadline = 0;
		return 0;
	}
	if (__builtin_mul_overflow((uint64_t)ts.sec, NS_PER_SEC, &ns) ||
	    __builtin_add_overflow(ns, (uint64_t)ts.nsec, &ns) ||
	    __builtin_add_overflow(ns, clock_now(), deadline))
		*deadline = WAIT_FOREVER - 1;
	return 0;
}

/* What is left of the time goes back to the user, as Linux does; a failure to write is ignored there. */
static void put_remaining(uint64_t user, uint64_t deadline)
{
	struct user_timespec ts = {0, 0};
	uint64_t now = clock_now();

	if (!user || deadline == WAIT_FOREVER)
		return;
	if (deadline > now) {
		ts.sec = (int64_t)((deadline - now) / NS_PER_SEC);
		ts.nsec = (int64_t)((deadline - now) % NS_PER_SEC);
	}
	if (copy_to_user(user, &ts, sizeof(ts)))
		return;
}

static int set_mask(uint64_t user, uint64_t size)
{
	sigset mask;

	if (!user)
		return 0;
	if (size != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, user, sizeof(mask)))
		return -EFAULT;
	signal_set_temp_mask(mask);
	return 0;
}

/* The result of a call that may have set a mask. */
static long finish(long n, bool masked)
{
	if (n == -EINTR)
		return -ERESTARTNOHAND; /* the mask comes back after the handler */
	if (masked)
		signal_restore_temp_mask();
	return n;
}

/* --- ppoll --- */

struct user_pollfd {
	int32_t fd;
	int16_t events;
	int16_t revents;
};

static long poll_all(struct user_pollfd *u, struct item *items, unsigned n, uint64_t deadline)
{
	long ready;

	for (unsigned i = 0; i < n; i++) {
		items[i].events = (uint16_t)u[i].events;
		if (u[i].fd < 0)
			continue;
		items[i].f = sys_file(u[i].fd);
		if (!items[i].f)
			items[i].revents = VFS_POLLNVAL;
	}
	ready = wait_items(items, n, deadline);
	for (unsigned i = 0; i < n; i++)
		u[i].revents = (int16_t)items[i].revents;
	put_files(items, n);
	return ready;
}

static long do_ppoll(uint64_t user, unsigned n, uint64_t deadline)
{
	struct user_pollfd *u = NULL;
	struct item *items = NULL;
	long ready = -ENOMEM;

	if (n == 0)
		return wait_items(NULL, 0, deadline);
	u = port_alloc(n * sizeof(*u));
	items = port_alloc_zeroed(n * sizeof(*items));
	if (u && items)
		ready = copy_from_user(u, user, n * sizeof(*u));
	if (!ready) {
		ready = poll_all(u, items, n, deadline);
		for (unsigned i = 0; i < n && ready >= 0; i++) {
			uint64_t at = user + i * sizeof(*u) + offsetof(struct user_pollfd, revents);

			if (copy_to_user(at, &u[i].revents, sizeof(u[i].revents)))
				ready = -EFAULT;
		}
	}
	port_free(u);
	port_free(items);
	return ready;
}

SYSCALL(ppoll)
{
	uint32_t n = arg_u32(a, 1);
	uint64_t deadline;
	long r = get_deadline(a->v[2], &deadline);

	if (!r && n > current_rlimit(RLIMIT_NOFILE))
		r = -EINVAL;
	if (!r && n > FDTABLE_MAX)
		r = -EINVAL;
	if (!r)
		r = set_mask(a->v[3], a->v[4]);
	if (r)
		return r;
	r = finish(do_ppoll(a->v[0], n, deadline), a->v[3] != 0);
	put_remaining(a->v[2], deadline);
	return r;
}

/* --- pselect6 --- */

struct select {
	uint64_t *set[3]; /* in: what is asked for; out: what is ready */
	size_t bytes;     /* of each */
	struct item *items;
	int *fd;
	unsigned n;
};

static const uint32_t select_in[3] = {
	VFS_POLLRDNORM | VFS_POLLIN | VFS_POLLHUP | VFS_POLLERR,
	VFS_POLLWRNORM | VFS_POLLOUT | VFS_POLLERR,
	VFS_POLLPRI,
};

static bool bit(const uint64_t *set, unsigned i)
{
	return (set[i / 64] >> (i % 64) & 1) != 0;
}

static long select_files(struct select *s, unsigned nfds)
{
	for (unsigned fd = 0; fd < nfds; fd++) {
		struct item *it = &s->items[s->n];

		for (unsigned k = 0; k < 3; k++) {
			if (bit(s->set[k], fd))
				it->events |= select_in[k];
		}
		if (!it->events)
			continue;
		it->f = sys_file((int)fd);
		if (!it->f)
			return -EBADF;
		s->fd[s->n++] = (int)fd;
	}
	return 0;
}

/* Results into the sets. Returns the number of bits. */
static long select_result(struct select *s)
{
	long bits = 0;

	for (unsigned i = 0; i < s->n; i++) {
		unsigned fd = (unsigned)s->fd[i];

		for (unsigned k = 0; k < 3; k++) {
			uint64_t m = (uint64_t)1 << (fd % 64);

			if (!bit(s->set[k], fd))
				continue;
			if (s->items[i].revents & select_in[k])
				bits++;
			else
				s->set[k][fd / 64] &= ~m;
		}
	}
	return bits;
}

static long run_select(struct select *s, const struct syscall_args *a, unsigned nfds,
		       uint64_t deadline)
{
	long r = 0;

	for (unsigned k = 0; k < 3 && !r; k++) {
		if (a->v[1 + k])
			r = copy_from_user(s->set[k], a->v[1 + k], s->bytes);
	}
	if (!r)
		r = select_files(s, nfds);
	if (!r)
		r = wait_items(s->items, s->n, deadline);
	if (r >= 0)
		r = select_result(s);
	for (unsigned k = 0; k < 3 && r >= 0; k++) {
		if (a->v[1 + k] && copy_to_user(a->v[1 + k], s->set[k], s->bytes))
			r = -EFAULT;
	}
	put_files(s->items, s->n);
	return r;
}

static long do_select(const struct syscall_args *a, unsigned nfds, uint64_t deadline)
{
	struct select s = {.bytes = ALIGN_UP(nfds, 64u) / 8};
	long r = -ENOMEM;

	for (unsigned k = 0; k < 3; k++)
		s.set[k] = port_alloc_zeroed(s.bytes + 8);
	s.items = port_alloc_zeroed((nfds + 1) * sizeof(*s.items));
	s.fd = port_alloc((nfds + 1) * sizeof(*s.fd));
	if (s.set[0] && s.set[1] && s.set[2] && s.items && s.fd)
		r = run_select(&s, a, nfds, deadline);
	for (unsigned k = 0; k < 3; k++)
		port_free(s.set[k]);
	port_free(s.items);
	port_free(s.fd);
	return r;
}

SYSCALL(pselect6)
{
	int nfds = arg_int(a, 0);
	uint64_t mask[2] = {0, 0};
	uint64_t deadline;
	long r = get_deadline(a->v[4], &deadline);

	if (!r && nfds < 0)
		r = -EINVAL;
	if (!r && a->v[5] && copy_from_user(mask, a->v[5], sizeof(mask)))
		r = -EFAULT;
	if (!r)
		r = set_mask(mask[0], mask[1]);
	if (r)
		return r;
	r = do_select(a, MIN((unsigned)nfds, SELECT_MAX), deadline);
	r = finish(r, mask[0] != 0);
	put_remaining(a->v[4], deadline);
	return r;
}
