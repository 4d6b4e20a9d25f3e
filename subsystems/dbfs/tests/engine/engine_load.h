/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * A seeded workload of multi-key transactions and its oracle. Each transaction adds one to a sequence
 * number, which it writes under "seq", and changes a few keys as seed and number say; so the state
 * after transaction n is known for every n, and a volume is right if and only if it is exactly the
 * state after some n with durable <= n <= attempted.
 *
 * Keys have values of several sizes, some with file data in blocks of their own. Now and then a
 * transaction rolls back, runs through a savepoint, is not synced, or a checkpoint is made.
 */
#ifndef ENGINE_LOAD_H
#define ENGINE_LOAD_H

#include "dbfs/dbfs.h"

enum { LOAD_KEYS = 24 };

struct load {
	uint64_t seed;
	unsigned txs;        /* how many to run */
	unsigned ckpt_every; /* 0: never, otherwise about every nth transaction */
	bool mixed;          /* some transactions are not synced; else each is */
	bool background;     /* with the volume's threads */
	uint64_t log_bytes;

	uint64_t attempted; /* the last that may have happened */
	uint64_t durable;   /* the last that must have */
	int error;          /* that ended the work; 0: none */
};

/* Formats dev and runs nothing. */
int load_format(const struct load *l, struct port_blk *dev) MUST_CHECK;
/* Opens, runs to the end or the first error, closes. */
void load_work(struct load *l, struct port_blk *dev);
/* Opens read-write and compares. False, with why. */
bool load_check(const struct load *l, struct port_blk *dev, char *why, size_t size);
/* The same on an open volume; *n: the transaction that it shows. */
bool load_compare(const struct load *l, struct dbfs *db, uint64_t *n, char *why, size_t size);

#endif
