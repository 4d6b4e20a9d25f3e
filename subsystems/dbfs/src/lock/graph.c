/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Deadlocks: a breadth-first search from the locker that has just begun to wait. Its members visit and
 * pred mark what was seen and how it was reached; there is no other memory. By LOCK-4 a new cycle
 * passes through that locker. The victim of a cycle is its youngest member by original start that is not
 * protected; the search is repeated until no cycle is left.
 */
#include "lock/lock_priv.h"

#include "base/assert.h"

struct search {
	struct dbfs_locker *start;
	struct dbfs_locker *from; /* whose blockers are being looked at */
	struct dbfs_locker *tail; /* end of the queue of those to be looked at */
	bool closed;              /* from waits for start */
};

static bool look_at(void *arg, struct request *other)
{
	struct search *s = arg;
	struct dbfs_locker *l = other->locker;

	if (!dbfs_lock_blocks(s->from->waiting, other))
		return true;
	if (l == s->start) {
		s->closed = true;
		return false;
	}
	if (l->visit == s->start->mgr->visit || l->waiting == NULL)
		return true;
	l->visit = s->start->mgr->visit;
	l->pred = s->from;
	l->next_visit = NULL;
	s->tail->next_visit = l;
	s->tail = l;
	return true;
}

/* The last locker of a shortest cycle through start (follow pred back to start), or NULL. */
static struct dbfs_locker *find_cycle(struct dbfs_locker *start)
{
	struct search s = {.start = start, .tail = start};

	start->mgr->visit++;
	start->visit = start->mgr->visit;
	start->pred = NULL;
	start->next_visit = NULL;
	for (s.from = start; s.from != NULL; s.from = s.from->next_visit) {
		dbfs_lock_each_overlap(s.from->waiting, look_at, &s);
		if (s.closed)
			return s.from;
	}
	return NULL;
}

static struct dbfs_locker *youngest(struct dbfs_locker *last)
{
	struct dbfs_locker *victim = NULL;

	for (struct dbfs_locker *l = last; l != NULL; l = l->pred) {
		if (!l->protected && (victim == NULL || l->age > victim->age))
			victim = l;
	}
	return victim;
}

/* Ends the wait of l; its thread will see doom. The others go on once it has released. */
static void doom(struct dbfs_locker *l)
{
	struct request *r = l->waiting;

	l->doom = -DBFS_EDEADLK;
	l->waiting = NULL;
	r->want = DBFS_LOCK_NONE;
	l->mgr->stats.waiting--;
	l->mgr->stats.deadlocks++;
	dbfs_lock_wake(r);
	port_cond_signal(&l->wake);
}

void dbfs_lock_break_cycles(struct dbfs_locker *l)
{
	while (l->waiting != NULL) {
		struct dbfs_locker *last = find_cycle(l);

		if (last == NULL)
			return;
		struct dbfs_locker *victim = youngest(last);

		DBFS_ASSERT(victim != NULL); /* one that is protected does not wait */
		doom(victim);
	}
}
