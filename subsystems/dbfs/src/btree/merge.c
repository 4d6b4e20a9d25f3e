/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Merging a sorted stream of operations into a tree: a walk over the old tree, depth first, that
 * takes apart only pages into which an operation falls (or which a hungry builder takes in); all
 * others are reused by their pointer.
 *
 * MERGE-1  A page that was taken apart is in m->freed, with the overflow blocks of values that were
 *	    replaced or deleted; nothing else is. Its block was checked to be in use, so that a damaged
 *	    tree cannot free what does not exist.
 * MERGE-2  Operations are used up in order, each exactly once.
 */
#include "btree/build_priv.h"

#include "base/assert.h"
#include "port/log.h"
#include "port/mem.h"

struct step {
	struct dbfs_frame *frame;
	unsigned at;
};

struct merge {
	struct build b;
	struct step path[DBFS_TREE_LEVELS_MAX]; /* [level] */
	unsigned level;                         /* of the lowest page on the path */
	struct dbfs_merge_op op;
	bool has_op;
	uint64_t taken; /* pages of the old tree */
	uint8_t lower[DBFS_FULL_KEY_MAX];
	uint8_t upper[DBFS_FULL_KEY_MAX];
	uint8_t key[DBFS_FULL_KEY_MAX];
};

static void next_op(struct merge *g)
{
	g->has_op = g->b.m->next(g->b.m->arg, &g->op);
}

static int free_run(struct merge *g, uint64_t block, uint64_t count)
{
	int err = dbfs_space_check_used(g->b.m->space, block, count); /* MERGE-1 */

	if (err) {
		port_log(PORT_LOG_ERROR, "dbfs: the tree uses blocks that are free (%llu at %llu)",
			 (unsigned long long)count, (unsigned long long)block);
		return err;
	}
	return dbfs_runs_add(g->b.m->freed, block, count);
}

static int free_value(struct merge *g, struct page_value v)
{
	for (unsigned i = 0; v.overflow && i < dbfs_btree_overflow_runs(v); i++) {
		struct dbfs_run r = dbfs_btree_overflow_run(v, i);
		int err = free_run(g, r.block, r.count);

		if (err)
			return err;
	}
	return 0;
}

static int add_op(struct merge *g, struct dbfs_btree_key lower)
{
	struct page_value v = {g->op.val, g->op.len, false};
	int err = 0;

	if (!g->op.deleted) {
		if (g->op.len > DBFS_INLINE_VALUE_MAX)
			err = dbfs_build_overflow(&g->b, g->op.val, g->op.len, &v);
		if (!err)
			err = dbfs_build_add(&g->b, 0, g->op.key, v, lower);
	}
	next_op(g); /* MERGE-2 */
	return err;
}

/* The upper bound of where the path stands at level; false: none. */
static bool upper_bound(struct merge *g, unsigned level, struct dbfs_btree_key *out)
{
	for (; level < DBFS_TREE_LEVELS_MAX && g->path[level].frame; level++) {
		const uint8_t *page = g->path[level].frame->data;

		if (g->path[level].at + 1 < page_count(page)) {
			out->len = dbfs_btree_page_key(page, g->path[level].at + 1, g->upper);
			out->p = g->upper;
			return true;
		}
	}
	return false;
}

static struct dbfs_btree_key lower_bound(struct merge *g, unsigned level)
{
	for (; level < DBFS_TREE_LEVELS_MAX && g->path[level].frame; level++) {
		const uint8_t *page = g->path[level].frame->data;

		if (g->path[level].at > 0)
			return (struct dbfs_btree_key){g->lower,
						       dbfs_btree_page_key(page, g->path[level].at,
									   g->lower)};
	}
	return (struct dbfs_btree_key){g->lower, 0};
}

static int push(struct merge *g, unsigned level, struct page_child at)
{
	struct dbfs_frame *f;
	int err = dbfs_btree_pin(g->b.env, at.block, at.crc, level, &f);

	if (err)
		return err;
	g->path[level] = (struct step){f, 0};
	g->level = level;
	err = free_run(g, at.block, 1);
	g->taken++;
	return err;
}

static void pop(struct merge *g)
{
	dbfs_cache_put(g->b.env->cache, g->path[g->level].frame);
	g->path[g->level].frame = NULL;
	g->level++;
}

/* All elements of the leaf on the path and all operations below its upper bound, in order. */
static int merge_leaf(struct merge *g)
{
	const uint8_t *page = g->path[0].frame->data;
	struct dbfs_btree_key lower = lower_bound(g, 1);
	struct dbfs_btree_key upper;
	bool bounded = upper_bound(g, 1, &upper);
	unsigned count = page_count(page);
	unsigned i = 0;
	int err = 0;

	while (!err) {
		struct dbfs_btree_key key = {g->key, 0};
		bool mine = g->has_op && (!bounded || dbfs_btree_key_cmp(g->op.key, upper) < 0);
		int c = -1;

		if (i == count && !mine)
			break;
		if (i < count) {
			key.len = dbfs_btree_page_key(page, i, g->key);
			c = mine ? dbfs_btree_key_cmp(g->op.key, key) : 1;
		}
		if (c > 0) {
			err = dbfs_build_add(&g->b, 0, key, page_value(page, i++), lower);
			continue;
		}
		if (c == 0)
			err = free_value(g, page_value(page, i++));
		if (!err)
			err = add_op(g, lower);
	}
	return err;
}

/* The inner page at g->level stands at a child: reuse it or take it apart. */
static int step_inner(struct merge *g)
{
	struct step *s = &g->path[g->level];
	struct page_child child = page_child(s->frame->data, s->at);
	struct dbfs_btree_key upper;
	struct dbfs_btree_key key = {g->key, 0};
	bool touched = g->has_op;

	if (touched && upper_bound(g, g->level, &upper))
		touched = dbfs_btree_key_cmp(g->op.key, upper) < 0;
	if (touched || dbfs_build_hungry(&g->b, g->level))
		return push(g, g->level - 1, child);
	key.len = dbfs_btree_page_key(s->frame->data, s->at, g->key);
	s->at++;
	return dbfs_build_child(&g->b, g->level, key, child);
}

static int walk(struct merge *g, struct dbfs_tree old)
{
	int err = push(g, old.levels - 1, (struct page_child){old.block, old.crc});

	while (!err && g->level < old.levels) {
		struct step *s = &g->path[g->level];

		if (g->level == 0) {
			err = merge_leaf(g);
		} else if (s->at < page_count(s->frame->data)) {
			err = step_inner(g);
			continue;
		}
		if (!err) {
			pop(g);
			if (g->level < old.levels)
				g->path[g->level].at++;
		}
	}
	return err;
}

int dbfs_btree_merge(const struct dbfs_btree_env *env, struct dbfs_tree old, struct dbfs_merge *m,
		     struct dbfs_tree *out)
{
	struct merge *g = port_alloc_zeroed(sizeof(*g));
	int err = 0;

	if (!g)
		return -DBFS_ENOMEM;
	g->b.env = env;
	g->b.m = m;
	next_op(g);
	if (!g->has_op) {
		*out = old;
		goto out;
	}
	if (old.levels > 0)
		err = walk(g, old);
	while (!err && g->has_op)
		err = add_op(g, (struct dbfs_btree_key){g->lower, 0});
	if (!err)
		err = dbfs_build_finish(&g->b, out);
	if (!err)
		m->tree_pages += g->b.pages - MIN(g->taken, m->tree_pages);
	for (unsigned i = 0; i < DBFS_TREE_LEVELS_MAX; i++)
		if (g->path[i].frame)
			dbfs_cache_put(env->cache, g->path[i].frame);
out:
	dbfs_build_fini(&g->b);
	port_free(g);
	return err;
}
