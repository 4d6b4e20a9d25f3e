/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Requests, and where they are found.
 *
 *   mgr.table[hash(space)] -> space -> ranges:  requests for ranges, by ticket
 *                                   -> points:  every request for a point, grouped in heads
 *   mgr.heads[hash(space, key)] -> head -> requests for that point, by ticket
 *
 * A request is granted (mode != NONE), waiting (want != NONE), or both: a conversion.
 */
#ifndef DBFS_LOCK_LOCK_PRIV_H
#define DBFS_LOCK_LOCK_PRIV_H

#include "lock/lock.h"

struct request {
	struct dbfs_locker *locker; /* const */
	struct dbfs_lock_name name; /* const */
	enum dbfs_lock_mode mode;   /* granted; NONE: not yet */
	enum dbfs_lock_mode want;   /* what it waits for; NONE: nothing */
	uint64_t ticket;            /* order of arrival */
	struct list in_queue;       /* of head or space */
	struct list of_locker;
	struct request *next_wake; /* dbfs_lock_wake's list */
	struct head *head;         /* points */
	struct space *space;
};

struct head {
	struct list hash;
	struct list in_space;
	uint64_t key;
	struct space *space;
	struct list queue; /* requests by ticket */
};

struct space {
	struct list hash;
	uint64_t id;
	struct list ranges; /* requests by ticket */
	struct list points; /* heads */
};

struct dbfs_lockmgr {
	struct port_mutex lock; /* everything below, and all requests */
	struct list *spaces;
	struct list *heads;
	size_t mask; /* const: buckets - 1 */
	uint64_t ticket;
	uint64_t visit;
	struct dbfs_lock_stats stats;
};

static inline bool lock_is_point(const struct dbfs_lock_name *n)
{
	return n->lo == n->hi;
}

static inline bool lock_overlap(const struct dbfs_lock_name *a, const struct dbfs_lock_name *b)
{
	return a->lo <= b->hi && b->lo <= a->hi;
}

/*
 * All of these are called with mgr.lock held. (Not as annotations: the analysis cannot know that every request and
 * locker in sight leads to the same manager.)
 */

/* table.c. A new request, queued, not granted; NULL: no memory. */
struct request *dbfs_lock_request_create(struct dbfs_locker *l, const struct dbfs_lock_name *name)
	MUST_CHECK;
/* Out of its queue and locker, and freed; empty heads and spaces go too. */
void dbfs_lock_request_destroy(struct request *r);
struct request *dbfs_lock_request_find(struct dbfs_locker *l, const struct dbfs_lock_name *name);

/*
 * Calls fn for each request of the same space that overlaps r, r itself excepted, until it returns false;
 * false then. fn must not add or remove requests.
 */
bool dbfs_lock_each_overlap(struct request *r, bool (*fn)(void *arg, struct request *other),
			    void *arg);

/* queue.c. Must r (which wants something) wait for other? LOCK-2, LOCK-3. */
bool dbfs_lock_blocks(const struct request *r, const struct request *other);
/* Is there nothing that r must wait for? */
bool dbfs_lock_can_grant(struct request *r);
void dbfs_lock_grant(struct request *r);
/* r has gone, or weakened: grants what waited for it. r is still in its queue. */
void dbfs_lock_wake(struct request *r);

/* graph.c. l has begun to wait: dooms the youngest of each cycle through it. */
void dbfs_lock_break_cycles(struct dbfs_locker *l);

#endif
