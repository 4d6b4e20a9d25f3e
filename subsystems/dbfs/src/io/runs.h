/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Lists of block runs of any length, in chunks of a page. Room can be reserved, so that adding
 * inside a critical section cannot fail. No locking: the owner's.
 */
#ifndef DBFS_IO_RUNS_H
#define DBFS_IO_RUNS_H

#include "base/types.h"

struct dbfs_run {
	uint64_t block;
	uint64_t count;
};

#define DBFS_RUNS_PER_CHUNK 254u

struct dbfs_runs_chunk {
	struct dbfs_runs_chunk *next;
	uint64_t n;
	struct dbfs_run v[DBFS_RUNS_PER_CHUNK];
};

struct dbfs_runs {
	struct dbfs_runs_chunk *first;
	struct dbfs_runs_chunk *last;
	struct dbfs_runs_chunk *spare; /* reserved, empty */
	uint64_t blocks;               /* sum of counts */
};

static inline void dbfs_runs_init(struct dbfs_runs *r)
{
	*r = (struct dbfs_runs){0};
}

void dbfs_runs_fini(struct dbfs_runs *r);

/* After this, n more runs can be added without failing. -DBFS_ENOMEM (nothing changed). */
int dbfs_runs_reserve(struct dbfs_runs *r, uint64_t n) MUST_CHECK;

/* Adds a run, joining it to the last one where they touch. Room was reserved. */
void dbfs_runs_add_nofail(struct dbfs_runs *r, uint64_t block, uint64_t count);

/* reserve(1) and add. -DBFS_ENOMEM. */
int dbfs_runs_add(struct dbfs_runs *r, uint64_t block, uint64_t count) MUST_CHECK;

/* Appends all of from, which is empty afterwards. Cannot fail. */
void dbfs_runs_move(struct dbfs_runs *to, struct dbfs_runs *from);

#define dbfs_runs_for_each(run, c, r)        \
	for (c = (r)->first; c; c = c->next) \
		for (run = c->v; run < c->v + c->n; run++)

#endif
