/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Where requests are found: see lock_priv.h. */
#include "lock/lock_priv.h"

#include "port/mem.h"

static size_t bucket(const struct dbfs_lockmgr *m, uint64_t space, uint64_t key)
{
	uint64_t h = (space * 0x9e3779b97f4a7c15u) ^ (key * 0xc2b2ae3d27d4eb4fu);

	return (size_t)(h ^ h >> 29) & m->mask;
}

static struct space *find_space(struct dbfs_lockmgr *m, uint64_t id)
{
	struct space *s;

	list_for_each_entry (s, &m->spaces[bucket(m, id, 0)], struct space, hash) {
		if (s->id == id)
			return s;
	}
	return NULL;
}

static struct space *get_space(struct dbfs_lockmgr *m, uint64_t id)
{
	struct space *s = find_space(m, id);

	if (s != NULL)
		return s;
	s = port_alloc(sizeof *s);
	if (s == NULL)
		return NULL;
	s->id = id;
	list_init(&s->ranges);
	list_init(&s->points);
	list_add_head(&m->spaces[bucket(m, id, 0)], &s->hash);
	return s;
}

static void put_space(struct space *s)
{
	if (!list_empty(&s->ranges) || !list_empty(&s->points))
		return;
	list_del(&s->hash);
	port_free(s);
}

static struct head *find_head(struct dbfs_lockmgr *m, uint64_t space, uint64_t key)
{
	struct head *h;

	list_for_each_entry (h, &m->heads[bucket(m, space, key)], struct head, hash) {
		if (h->key == key && h->space->id == space)
			return h;
	}
	return NULL;
}

static struct head *get_head(struct dbfs_lockmgr *m, struct space *s, uint64_t key)
{
	struct head *h = find_head(m, s->id, key);

	if (h != NULL)
		return h;
	h = port_alloc(sizeof *h);
	if (h == NULL)
		return NULL;
	h->key = key;
	h->space = s;
	list_init(&h->queue);
	list_add_head(&s->points, &h->in_space);
	list_add_head(&m->heads[bucket(m, s->id, key)], &h->hash);
	return h;
}

static void put_head(struct head *h)
{
	if (h == NULL || !list_empty(&h->queue))
		return;
	list_del(&h->hash);
	list_del(&h->in_space);
	port_free(h);
}

struct request *dbfs_lock_request_create(struct dbfs_locker *l, const struct dbfs_lock_name *name)
{
	struct dbfs_lockmgr *m = l->mgr;
	struct request *r = port_alloc_zeroed(sizeof *r);
	struct space *s = r != NULL ? get_space(m, name->space) : NULL;

	if (s == NULL) {
		port_free(r);
		return NULL;
	}
	r->locker = l;
	r->name = *name;
	r->space = s;
	r->ticket = ++m->ticket;
	if (lock_is_point(name)) {
		r->head = get_head(m, s, name->lo);
		if (r->head == NULL) {
			put_space(s);
			port_free(r);
			return NULL;
		}
	}
	list_add_tail(r->head != NULL ? &r->head->queue : &s->ranges, &r->in_queue);
	list_add_tail(&l->held, &r->of_locker);
	return r;
}

void dbfs_lock_request_destroy(struct request *r)
{
	list_del(&r->in_queue);
	list_del(&r->of_locker);
	put_head(r->head);
	put_space(r->space);
	port_free(r);
}

struct request *dbfs_lock_request_find(struct dbfs_locker *l, const struct dbfs_lock_name *name)
{
	struct space *s = find_space(l->mgr, name->space);
	struct head *h = lock_is_point(name) ? find_head(l->mgr, name->space, name->lo) : NULL;
	struct list *queue = h != NULL ? &h->queue : NULL;
	struct request *r;

	if (s != NULL && !lock_is_point(name))
		queue = &s->ranges;
	if (queue == NULL)
		return NULL;
	list_for_each_entry (r, queue, struct request, in_queue) {
		if (r->locker == l && r->name.lo == name->lo && r->name.hi == name->hi)
			return r;
	}
	return NULL;
}

static bool each_in(struct list *queue, struct request *r,
		    bool (*fn)(void *arg, struct request *other), void *arg)
{
	struct request *other;

	list_for_each_entry (other, queue, struct request, in_queue) {
		if (other != r && lock_overlap(&r->name, &other->name) && !fn(arg, other))
			return false;
	}
	return true;
}

bool dbfs_lock_each_overlap(struct request *r, bool (*fn)(void *arg, struct request *other),
			    void *arg)
{
	struct head *h;

	if (!each_in(&r->space->ranges, r, fn, arg))
		return false;
	if (r->head != NULL)
		return each_in(&r->head->queue, r, fn, arg);
	list_for_each_entry (h, &r->space->points, struct head, in_space) {
		if (h->key >= r->name.lo && h->key <= r->name.hi && !each_in(&h->queue, r, fn, arg))
			return false;
	}
	return true;
}
