/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Which blocks are in use. See space.c for the life of a block and the promise about checkpoints.
 * Thread-safe unless said otherwise.
 */
#ifndef DBFS_SPACE_SPACE_H
#define DBFS_SPACE_SPACE_H

#include "io/io.h"
#include "io/runs.h"

struct dbfs_space;

/* What the next checkpoints will need at most, counted while transactions grow. */
struct dbfs_promise {
	uint64_t keys;
	uint64_t bytes;
};

/* An empty map for super: everything before data_start in use. NULL: no memory. */
struct dbfs_space *dbfs_space_create(struct dbfs_io *io, const struct dbfs_super *super) MUST_CHECK;
void dbfs_space_destroy(struct dbfs_space *s);

/* Reads the map that root describes. -DBFS_ECORRUPT, -DBFS_EIO, -DBFS_ENOMEM. */
int dbfs_space_load(struct dbfs_space *s, const struct dbfs_disk_root *root) MUST_CHECK;

enum dbfs_space_class {
	DBFS_SPACE_NORMAL,     /* leaves the reserve and what is promised to checkpoints alone */
	DBFS_SPACE_RESERVE,    /* may use the reserve */
	DBFS_SPACE_CHECKPOINT, /* may use everything */
};

/* Gives 1..max contiguous blocks, near hint if that is not 0. -DBFS_ENOSPC. */
int dbfs_space_alloc(struct dbfs_space *s, uint64_t hint, uint64_t max, enum dbfs_space_class cls,
		     struct dbfs_run *out) MUST_CHECK;
/* The run, allocated by the call above, was never part of a commit: free at once. */
void dbfs_space_cancel(struct dbfs_space *s, uint64_t block, uint64_t count);
/* The run's free is durable and nobody can reach it. */
void dbfs_space_release(struct dbfs_space *s, const struct dbfs_runs *runs);
/* The run was freed by a commit; counted in statistics until it is released. */
void dbfs_space_note_freed(struct dbfs_space *s, uint64_t count);
/* Replay: the log says that the run was allocated (freed). -DBFS_ECORRUPT if that cannot be. */
int dbfs_space_replay_alloc(struct dbfs_space *s, uint64_t block, uint64_t count) MUST_CHECK;
int dbfs_space_check_used(struct dbfs_space *s, uint64_t block, uint64_t count) MUST_CHECK;

/* Could blocks more be allocated in this class? -DBFS_ENOSPC. */
int dbfs_space_check(struct dbfs_space *s, uint64_t blocks, enum dbfs_space_class cls) MUST_CHECK;

/*
 * Promises room in coming checkpoints for keys more keys with bytes more bytes. -DBFS_ENOSPC. The promise is given
 * back by the caller when the checkpoint is done or the transaction is not.
 */
int dbfs_space_promise(struct dbfs_space *s, struct dbfs_promise p, enum dbfs_space_class cls)
	MUST_CHECK;
/* As above, without asking: replay. */
void dbfs_space_promise_nofail(struct dbfs_space *s, struct dbfs_promise p);
void dbfs_space_unpromise(struct dbfs_space *s, struct dbfs_promise p);
/* The tree has this many pages (bounds what a checkpoint rewrites). */
void dbfs_space_set_tree_pages(struct dbfs_space *s, uint64_t pages);

/* Room in *old for all that dbfs_space_store will add: it allocates no memory. -DBFS_ENOMEM. */
int dbfs_space_store_prepare(const struct dbfs_space *s, struct dbfs_runs *old) MUST_CHECK;

/*
 * The checkpoint's part: applies what the commits and the checkpoint itself allocated and freed to
 * the persistent map, writes the changed parts to new blocks and describes them in root. Blocks of the old map
 * are added to *old (prepared), to be released with the rest. One caller at a time. After an
 * error the map in memory is ahead of the disk: the volume must not be written any more.
 */
int dbfs_space_store(struct dbfs_space *s, const struct dbfs_runs *const *allocs,
		     const struct dbfs_runs *const *frees, struct dbfs_disk_root *root,
		     struct dbfs_runs *old) MUST_CHECK;

/* total, free now, freed but not yet reusable. */
struct dbfs_space_stats {
	uint64_t total;
	uint64_t free;
	uint64_t deferred;
	uint64_t promised; /* blocks that promises may need */
};
void dbfs_space_stats(struct dbfs_space *s, struct dbfs_space_stats *out);

/* For fsck: calls fn for each block that the map on disk consists of. */
void dbfs_space_map_blocks(struct dbfs_space *s, void (*fn)(void *arg, uint64_t block), void *arg);

/* For fsck, with nobody writing: is block in use in the persistent map? */
bool dbfs_space_is_used(struct dbfs_space *s, uint64_t block);

#endif
