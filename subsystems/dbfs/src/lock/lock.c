/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The manager's face: acquiring, waiting, releasing. The policy is in queue.c and graph.c.
 *
 * States of a request:  created -> granted                    (nothing in its way)
 *                       created -> waiting -> granted | gone  (wake, or doom, deadline, kill, cancel)
 *                       granted -> converting -> granted      (either way it keeps its old mode at least)
 *
 * One mutex; nothing is called under it but the allocator. A waiter sleeps on its locker's condition.
 */
#include "lock/lock_priv.h"

#include "base/assert.h"
#include "port/mem.h"

#define DEFAULT_BUCKETS 4096u

static struct list *make_table(size_t n)
{
	struct list *t = port_alloc(n * sizeof *t);

	for (size_t i = 0; t != NULL && i < n; i++)
		list_init(&t[i]);
	return t;
}

struct dbfs_lockmgr *dbfs_lockmgr_create(const struct dbfs_lock_config *config)
{
	size_t n = config->buckets != 0 ? config->buckets : DEFAULT_BUCKETS;
	struct dbfs_lockmgr *m = port_alloc_zeroed(sizeof *m);

	if (m == NULL)
		return NULL;
	m->spaces = make_table(n);
	m->heads = make_table(n);
	m->mask = n - 1;
	port_mutex_init(&m->lock, LOCK_RANK_DBFS_LOCKMGR, "dbfs lock manager");
	if (m->spaces == NULL || m->heads == NULL) {
		dbfs_lockmgr_destroy(m);
		return NULL;
	}
	return m;
}

void dbfs_lockmgr_destroy(struct dbfs_lockmgr *m)
{
	if (m == NULL)
		return;
	DBFS_ASSERT(m->stats.held == 0 && m->stats.waiting == 0);
	port_mutex_fini(&m->lock);
	port_free(m->spaces);
	port_free(m->heads);
	port_free(m);
}

void dbfs_locker_init(struct dbfs_locker *l, struct dbfs_lockmgr *mgr, uint64_t age)
{
	*l = (struct dbfs_locker){.mgr = mgr, .age = age};
	list_init(&l->held);
	port_cond_init(&l->wake);
}

void dbfs_locker_fini(struct dbfs_locker *l)
{
	dbfs_lock_release_all(l);
	port_cond_fini(&l->wake);
}

static void release(struct request *r)
{
	r->locker->mgr->stats.held--;
	r->mode = DBFS_LOCK_NONE;
	dbfs_lock_wake(r);
	dbfs_lock_request_destroy(r);
}

void dbfs_lock_release_all(struct dbfs_locker *l)
{
	struct request *r;
	struct request *next;

	port_mutex_lock(&l->mgr->lock);
	DBFS_ASSERT(l->waiting == NULL);
	list_for_each_entry_safe (r, next, &l->held, struct request, of_locker)
		release(r);
	l->doom = 0;
	l->protected = false;
	port_mutex_unlock(&l->mgr->lock);
}

/* The wait of r ended without a grant: it has what it had before, and others may pass. */
static void give_up(struct dbfs_locker *l, struct request *r) REQUIRES(l->mgr->lock)
{
	if (l->waiting == r) {
		l->waiting = NULL;
		l->mgr->stats.waiting--;
	}
	r->want = DBFS_LOCK_NONE;
	dbfs_lock_wake(r);
	if (r->mode == DBFS_LOCK_NONE)
		dbfs_lock_request_destroy(r);
}

static int error_of(enum port_wait w)
{
	switch (w) {
	case PORT_WAIT_SIGNALED:
		return 0;
	case PORT_WAIT_TIMEOUT:
		return -DBFS_ETIME;
	case PORT_WAIT_KILLED:
		return -DBFS_EINTR;
	}
	return 0;
}

static int wait_for(struct dbfs_locker *l, struct request *r, uint64_t deadline)
	REQUIRES(l->mgr->lock)
{
	struct dbfs_lockmgr *m = l->mgr;
	int err = 0;

	l->waiting = r;
	m->stats.waits++;
	m->stats.waiting++;
	dbfs_lock_break_cycles(l);
	while (l->waiting != NULL && l->doom == 0 && err == 0)
		err = error_of(port_cond_wait_until(&l->wake, &l->mgr->lock, deadline, true));
	if (l->doom != 0)
		err = l->doom;
	else if (l->waiting == NULL)
		err = 0; /* granted at the last moment */
	if (err == -DBFS_ETIME)
		m->stats.timeouts++;
	return err;
}

static int acquire_locked(struct dbfs_locker *l, const struct dbfs_lock_name *name,
			  enum dbfs_lock_mode mode, uint64_t deadline) REQUIRES(l->mgr->lock)
{
	struct request *r = dbfs_lock_request_find(l, name);
	bool is_new = r == NULL;

	if (l->doom != 0)
		return l->doom;
	if (r != NULL && dbfs_lock_join(r->mode, mode) == r->mode)
		return 0;
	if (is_new)
		r = dbfs_lock_request_create(l, name);
	if (r == NULL)
		return -DBFS_ENOMEM;
	r->want = dbfs_lock_join(r->mode, mode);
	int err = 0;

	if (dbfs_lock_can_grant(r))
		dbfs_lock_grant(r);
	else
		err = deadline == 0 ? -DBFS_ETIME : wait_for(l, r, deadline);
	if (err != 0)
		give_up(l, r);
	else if (is_new)
		l->mgr->stats.held++;
	return err;
}

int dbfs_lock_acquire(struct dbfs_locker *l, struct dbfs_lock_name name, enum dbfs_lock_mode mode,
		      uint64_t deadline)
{
	DBFS_ASSERT(name.lo <= name.hi && mode != DBFS_LOCK_NONE);
	port_mutex_lock(&l->mgr->lock);
	int err = acquire_locked(l, &name, mode, deadline);

	l->mgr->stats.acquired += err == 0;
	port_mutex_unlock(&l->mgr->lock);
	return err;
}

static bool want_less(const struct dbfs_lock_want *a, const struct dbfs_lock_want *b)
{
	if (a->name.space != b->name.space)
		return a->name.space < b->name.space;
	if (a->name.lo != b->name.lo)
		return a->name.lo < b->name.lo;
	return a->name.hi < b->name.hi;
}

static void sift_down(struct dbfs_lock_want *w, size_t at, size_t n)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= n)
			return;
		if (child + 1 < n && want_less(&w[child], &w[child + 1]))
			child++;
		if (!want_less(&w[at], &w[child]))
			return;
		struct dbfs_lock_want t = w[at];

		w[at] = w[child];
		w[child] = t;
		at = child;
	}
}

/* Heapsort: in place, no recursion, no bad case. */
static void sort(struct dbfs_lock_want *w, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sift_down(w, i, n);
	for (size_t end = n; end-- > 1;) {
		struct dbfs_lock_want t = w[0];

		w[0] = w[end];
		w[end] = t;
		sift_down(w, 0, end);
	}
}

int dbfs_lock_declare(struct dbfs_locker *l, struct dbfs_lock_want *want, size_t n,
		      uint64_t deadline)
{
	sort(want, n);
	for (size_t i = 0; i < n; i++) {
		enum dbfs_lock_mode mode = want[i].mode;

		/* The same name twice: at once in the joined mode, or two declarers could deadlock. */
		while (i + 1 < n && !want_less(&want[i], &want[i + 1]))
			mode = dbfs_lock_join(mode, want[++i].mode);
		int err = dbfs_lock_acquire(l, want[i].name, mode, deadline);

		if (err != 0)
			return err;
	}
	return 0;
}

enum dbfs_lock_mode dbfs_lock_held(struct dbfs_locker *l, struct dbfs_lock_name name)
{
	port_mutex_lock(&l->mgr->lock);
	const struct request *r = dbfs_lock_request_find(l, &name);
	enum dbfs_lock_mode mode = r != NULL ? r->mode : DBFS_LOCK_NONE;

	port_mutex_unlock(&l->mgr->lock);
	return mode;
}

void dbfs_lock_protect(struct dbfs_locker *l)
{
	port_mutex_lock(&l->mgr->lock);
	DBFS_ASSERT(l->waiting == NULL);
	l->protected = true;
	port_mutex_unlock(&l->mgr->lock);
}

/* Takes effect at once if l waits, else at its next request. */
static void set_doom(struct dbfs_locker *l, int err)
{
	struct request *r = l->waiting;

	l->doom = err;
	if (r == NULL)
		return;
	l->waiting = NULL;
	l->mgr->stats.waiting--;
	r->want = DBFS_LOCK_NONE;
	dbfs_lock_wake(r);
	port_cond_signal(&l->wake);
}

struct wound {
	struct request *request;
	struct dbfs_locker *found;
};

/* Finds one blocker that can be wounded and has not been. */
static bool find_blocker(void *arg, struct request *other)
{
	struct wound *w = arg;
	struct dbfs_locker *l = other->locker;

	if (!dbfs_lock_blocks(w->request, other) || l->protected || l->doom != 0)
		return true;
	w->found = l;
	return false;
}

unsigned dbfs_lock_wound_blockers(struct dbfs_locker *l)
{
	struct wound w = {0};
	unsigned n = 0;

	port_mutex_lock(&l->mgr->lock);
	for (w.request = l->waiting; w.request != NULL; w.request = l->waiting) {
		w.found = NULL;
		dbfs_lock_each_overlap(w.request, find_blocker, &w);
		if (w.found == NULL)
			break;
		set_doom(w.found, -DBFS_EDEADLK);
		n++;
	}
	port_mutex_unlock(&l->mgr->lock);
	return n;
}

void dbfs_lock_cancel(struct dbfs_locker *l, int err)
{
	port_mutex_lock(&l->mgr->lock);
	if (!l->protected)
		set_doom(l, err);
	port_mutex_unlock(&l->mgr->lock);
}

void dbfs_lock_get_stats(struct dbfs_lockmgr *m, struct dbfs_lock_stats *out)
{
	port_mutex_lock(&m->lock);
	*out = m->stats;
	port_mutex_unlock(&m->lock);
}
