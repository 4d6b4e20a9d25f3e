/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Visiting every block of a tree, for fsck. Goes on after damage; each pointer is followed once. In a tree made to
 * hurt, few pages can be referred to so often that this would never end: after as many pages as the
 * volume has blocks some were visited twice, the caller knows which, and the walk ends.
 */
#include "btree/btree_priv.h"

#include "base/crc32c.h"
#include "port/mem.h"

struct walk {
	const struct dbfs_btree_env *env;
	const struct dbfs_btree_visit *v;
	struct dbfs_frame *path[DBFS_TREE_LEVELS_MAX];
	unsigned at[DBFS_TREE_LEVELS_MAX];
	uint64_t pages;
};

static void visit_values(struct walk *w, const uint8_t *page)
{
	for (unsigned i = 0; i < page_count(page); i++) {
		struct page_value val = page_value(page, i);

		if (!val.overflow)
			continue;
		for (unsigned r = 0; r < dbfs_btree_overflow_runs(val); r++) {
			struct dbfs_run run = dbfs_btree_overflow_run(val, r);

			w->v->block(w->v->arg, run.block, run.count, false, 0);
		}
	}
}

/* The value's own checksums are checked by reading it whole. */
static int check_values(struct walk *w, const uint8_t *page)
{
	int err = 0;

	for (unsigned i = 0; i < page_count(page) && !err; i++) {
		struct page_value val = page_value(page, i);
		size_t len = dbfs_btree_value_len(val);
		void *buf;

		if (!val.overflow)
			continue;
		buf = port_alloc(len);
		if (!buf)
			return -DBFS_ENOMEM;
		err = dbfs_btree_value_copy(w->env, val, buf, len);
		port_free(buf);
		if (err && err != -DBFS_ENOMEM) {
			w->v->block(w->v->arg, dbfs_btree_overflow_run(val, 0).block, 0, false,
				    err);
			err = 0;
		}
	}
	return err;
}

static int enter(struct walk *w, unsigned level, uint64_t block, uint32_t crc)
{
	int err = dbfs_btree_pin(w->env, block, crc, level, &w->path[level]);

	w->pages++;
	if (err == -DBFS_ENOMEM)
		return err;
	w->v->block(w->v->arg, block, 1, true, err);
	w->at[level] = 0;
	if (err)
		w->path[level] = NULL;
	return 0;
}

static int leave_leaf(struct walk *w)
{
	const uint8_t *page = w->path[0]->data;
	int err;

	visit_values(w, page);
	err = check_values(w, page);
	dbfs_cache_put(w->env->cache, w->path[0]);
	w->path[0] = NULL;
	return err;
}

int dbfs_btree_walk(const struct dbfs_btree_env *env, struct dbfs_tree t,
		    const struct dbfs_btree_visit *v)
{
	struct walk *w;
	unsigned level = t.levels;
	int err;

	if (t.levels == 0)
		return 0;
	w = port_alloc_zeroed(sizeof(*w));
	if (!w)
		return -DBFS_ENOMEM;
	w->env = env;
	w->v = v;
	level = t.levels - 1;
	err = enter(w, level, t.block, t.crc);
	while (!err && level < t.levels) {
		struct dbfs_frame *f = w->path[level];

		if (f && level > 0 && w->at[level] < page_count(f->data) &&
		    w->pages < env->io->blocks) {
			struct page_child c = page_child(f->data, w->at[level]++);

			level--;
			err = enter(w, level, c.block, c.crc);
			continue;
		}
		if (f && level == 0) {
			err = leave_leaf(w);
		} else if (f) {
			dbfs_cache_put(env->cache, f);
			w->path[level] = NULL;
		}
		level++;
	}
	for (unsigned i = 0; i < DBFS_TREE_LEVELS_MAX; i++)
		if (w->path[i])
			dbfs_cache_put(env->cache, w->path[i]);
	port_free(w);
	return err;
}
