/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The copy-on-write B+-tree of a volume: byte-string keys (up to DBFS_FULL_KEY_MAX) to values. A tree
 * on disk never changes; dbfs_btree_merge makes a new one that shares what it did not touch.
 */
#ifndef DBFS_BTREE_BTREE_H
#define DBFS_BTREE_BTREE_H

#include "cache/cache.h"
#include "space/space.h"

/* A tree: its root page and that page's CRC32C. levels 0: empty. */
struct dbfs_tree {
	uint64_t block;
	uint32_t crc;
	uint32_t levels;
};

struct dbfs_btree_key {
	const uint8_t *p;
	uint32_t len;
};

/* For dbfs_cache_create: is page a well-formed tree page that says it lies at block? */
bool dbfs_btree_page_ok(const uint8_t *page, uint64_t block);

/* Where a tree is read through. */
struct dbfs_btree_env {
	struct dbfs_io *io;
	struct dbfs_cache *cache;
};

/* Copies up to cap bytes of the value; *len is its full length. -DBFS_ENOENT. */
int dbfs_btree_get(const struct dbfs_btree_env *env, struct dbfs_tree t, struct dbfs_btree_key key,
		   void *buf, size_t cap, size_t *len) MUST_CHECK;

/* --- Walking ------------------------------------------------------------------------------ */

/* A place in a tree; pins its path. Plain memory of the caller; fini unpins. */
struct dbfs_btree_iter {
	const struct dbfs_btree_env *env;
	struct dbfs_tree tree;
	struct dbfs_frame *path[DBFS_TREE_LEVELS_MAX]; /* [0] is the leaf */
	uint16_t at[DBFS_TREE_LEVELS_MAX];
	bool valid; /* stands on an element */
	uint32_t klen;
	uint8_t key[DBFS_FULL_KEY_MAX]; /* of the element */
};

void dbfs_btree_iter_init(struct dbfs_btree_iter *it, const struct dbfs_btree_env *env,
			  struct dbfs_tree t);
void dbfs_btree_iter_fini(struct dbfs_btree_iter *it);
/* To the first element >= key, or > key. Not valid if there is none (0 is returned). */
int dbfs_btree_iter_seek(struct dbfs_btree_iter *it, struct dbfs_btree_key key, bool after)
	MUST_CHECK;
/* To the last element < key, or <= key. */
int dbfs_btree_iter_seek_back(struct dbfs_btree_iter *it, struct dbfs_btree_key key, bool at)
	MUST_CHECK;
/* From a valid place to the neighbor. */
int dbfs_btree_iter_next(struct dbfs_btree_iter *it) MUST_CHECK;
int dbfs_btree_iter_prev(struct dbfs_btree_iter *it) MUST_CHECK;
size_t dbfs_btree_iter_value_len(const struct dbfs_btree_iter *it);
/* The value in place (valid until the iterator moves), or NULL when it lies in overflow blocks. */
const uint8_t *dbfs_btree_iter_inline(const struct dbfs_btree_iter *it);
int dbfs_btree_iter_value(const struct dbfs_btree_iter *it, void *buf, size_t cap) MUST_CHECK;

/* --- Merging ------------------------------------------------------------------------------ */

struct dbfs_merge_op {
	struct dbfs_btree_key key;
	const uint8_t *val;
	uint32_t len;
	bool deleted;
};

struct dbfs_merge {
	/* The next operation in strictly rising key order, or false at the end. */
	bool (*next)(void *arg, struct dbfs_merge_op *op);
	void *arg;
	struct dbfs_space *space;
	uint64_t generation;
	struct dbfs_runs *allocated; /* blocks of the new tree are added */
	struct dbfs_runs *freed;     /* blocks of the old one that the new one does not use */
	uint64_t tree_pages;         /* in: of the old tree; out: of the new one */
};

/*
 * Writes the tree that has m's operations applied to old. Nothing is flushed. On an error the caller cancels what
 * is in m->allocated and forgets m->freed; the old tree is untouched. -DBFS_EIO, -DBFS_ECORRUPT,
 * -DBFS_ENOMEM, -DBFS_ENOSPC.
 */
int dbfs_btree_merge(const struct dbfs_btree_env *env, struct dbfs_tree old, struct dbfs_merge *m,
		     struct dbfs_tree *out) MUST_CHECK;

/* --- Checking ----------------------------------------------------------------------------- */

/*
 * Calls block for each block of the tree (page or overflow), with the result of reading and checking
 * it (0 or an error); goes on after damage. depth-first. *arg is the caller's.
 */
struct dbfs_btree_visit {
	void (*block)(void *arg, uint64_t block, uint64_t count, bool page, int err);
	void *arg;
};
int dbfs_btree_walk(const struct dbfs_btree_env *env, struct dbfs_tree t,
		    const struct dbfs_btree_visit *v) MUST_CHECK;

#endif
