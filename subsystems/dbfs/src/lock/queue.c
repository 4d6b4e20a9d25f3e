/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Who waits for whom.
 *
 * LOCK-1  No two lockers hold overlapping resources in modes of which neither admits the other.
 * LOCK-2  A request waits for each overlapping granted mode of another locker that does not admit it.
 * LOCK-3  FIFO: a new request also waits for each overlapping one that came earlier, still waits, and
 *         would be refused if the new one were granted; so nobody is overtaken for ever. Conversions
 *         wait for granted modes only, and a new request does not pass a waiting conversion.
 * LOCK-4  A new edge of the wait-for graph ends at a locker that runs (it has just been granted something) or
 *         touches the one that starts to wait. The former is on no cycle before it waits itself. So looking
 *         for cycles through each locker that starts to wait finds every deadlock.
 * LOCK-5  Nothing that could be granted is left waiting.
 */
#include "lock/lock_priv.h"

#include "base/assert.h"

static bool is_conversion(const struct request *r)
{
	return r->mode != DBFS_LOCK_NONE;
}

bool dbfs_lock_blocks(const struct request *r, const struct request *other)
{
	if (other->locker == r->locker)
		return false;
	if (!dbfs_lock_compatible(other->mode, r->want))
		return true; /* LOCK-2 */
	if (is_conversion(r) || other->want == DBFS_LOCK_NONE)
		return false;
	if (!is_conversion(other) && other->ticket > r->ticket)
		return false;
	return !dbfs_lock_compatible(r->want, other->want); /* LOCK-3 */
}

static bool does_not_block(void *arg, struct request *other)
{
	return !dbfs_lock_blocks(arg, other);
}

bool dbfs_lock_can_grant(struct request *r)
{
	return dbfs_lock_each_overlap(r, does_not_block, r);
}

void dbfs_lock_grant(struct request *r)
{
	r->mode = r->want;
	r->want = DBFS_LOCK_NONE;
}

struct oldest {
	uint64_t above; /* tickets up to this have been tried */
	struct request *found;
};

/* The waiting request with the smallest ticket above; conversions are tried like the others. */
static bool find_oldest(void *arg, struct request *other)
{
	struct oldest *o = arg;

	if (other->want != DBFS_LOCK_NONE && other->ticket > o->above &&
	    (o->found == NULL || other->ticket < o->found->ticket))
		o->found = other;
	return true;
}

static void grant_waiting(struct request *r)
{
	struct dbfs_locker *l = r->locker;

	DBFS_ASSERT(l->waiting == r);
	dbfs_lock_grant(r);
	l->waiting = NULL;
	l->mgr->stats.waiting--;
	port_cond_signal(&l->wake);
}

/* Grants what waited for r and need not any more; adds it to the list of those to be looked at. */
static void wake_around(struct request *r, struct request **last)
{
	struct oldest o = {0};

	for (;;) {
		o.found = NULL;
		dbfs_lock_each_overlap(r, find_oldest, &o);
		if (o.found == NULL)
			return;
		o.above = o.found->ticket;
		if (!dbfs_lock_can_grant(o.found))
			continue;
		grant_waiting(o.found); /* LOCK-5 */
		o.found->next_wake = NULL;
		(*last)->next_wake = o.found;
		*last = o.found;
	}
}

/* A granted conversion no longer holds newcomers back (LOCK-3): so its surroundings are looked at in turn. */
void dbfs_lock_wake(struct request *r)
{
	struct request *last = r;

	r->next_wake = NULL;
	for (; r != NULL; r = r->next_wake)
		wake_around(r, &last);
}
