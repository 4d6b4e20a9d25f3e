/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#include "io/runs.h"

#include "base/assert.h"
#include "dbfs/errors.h"
#include "port/mem.h"

static void free_chunks(struct dbfs_runs_chunk *c)
{
	while (c) {
		struct dbfs_runs_chunk *next = c->next;

		port_free(c);
		c = next;
	}
}

void dbfs_runs_fini(struct dbfs_runs *r)
{
	free_chunks(r->first);
	free_chunks(r->spare);
	dbfs_runs_init(r);
}

int dbfs_runs_reserve(struct dbfs_runs *r, uint64_t n)
{
	uint64_t room = r->last ? DBFS_RUNS_PER_CHUNK - r->last->n : 0;

	for (struct dbfs_runs_chunk *c = r->spare; c && room < n; c = c->next)
		room += DBFS_RUNS_PER_CHUNK;
	while (room < n) {
		struct dbfs_runs_chunk *c = port_alloc(sizeof(*c));

		if (!c)
			return -DBFS_ENOMEM;
		c->n = 0;
		c->next = r->spare;
		r->spare = c;
		room += DBFS_RUNS_PER_CHUNK;
	}
	return 0;
}

void dbfs_runs_add_nofail(struct dbfs_runs *r, uint64_t block, uint64_t count)
{
	struct dbfs_runs_chunk *c = r->last;

	r->blocks += count;
	if (c && c->n > 0 && c->v[c->n - 1].block + c->v[c->n - 1].count == block) {
		c->v[c->n - 1].count += count;
		return;
	}
	if (!c || c->n == DBFS_RUNS_PER_CHUNK) {
		c = r->spare;
		DBFS_ASSERT(c); /* reserved */
		r->spare = c->next;
		c->next = NULL;
		if (r->last)
			r->last->next = c;
		else
			r->first = c;
		r->last = c;
	}
	c->v[c->n++] = (struct dbfs_run){block, count};
}

int dbfs_runs_add(struct dbfs_runs *r, uint64_t block, uint64_t count)
{
	int err = dbfs_runs_reserve(r, 1);

	if (!err)
		dbfs_runs_add_nofail(r, block, count);
	return err;
}

void dbfs_runs_move(struct dbfs_runs *to, struct dbfs_runs *from)
{
	if (from->first) {
		if (to->last)
			to->last->next = from->first;
		else
			to->first = from->first;
		to->last = from->last;
		to->blocks += from->blocks;
	}
	free_chunks(from->spare);
	dbfs_runs_init(from);
}
