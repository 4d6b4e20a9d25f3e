/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#include "txn/inspect.h"

#include "txn/txn_priv.h"

struct visit {
	void (*fn)(void *arg, uint64_t block, uint64_t count, enum dbfs_inspect_kind kind, int err);
	void *arg;
};

static void tree_block(void *arg, uint64_t block, uint64_t count, bool page, int err)
{
	const struct visit *v = arg;

	v->fn(v->arg, block, count, page ? DBFS_INSPECT_TREE_PAGE : DBFS_INSPECT_TREE_VALUE, err);
}

static void map_block(void *arg, uint64_t block)
{
	const struct visit *v = arg;

	v->fn(v->arg, block, 1, DBFS_INSPECT_MAP, 0);
}

static void freed(const struct visit *v, const struct dbfs_runs *runs)
{
	const struct dbfs_runs_chunk *c;
	const struct dbfs_run *r;

	dbfs_runs_for_each(r, c, runs) v->fn(v->arg, r->block, r->count, DBFS_INSPECT_FREED, 0);
}

int dbfs_inspect_blocks(struct dbfs *db,
			void (*fn)(void *arg, uint64_t block, uint64_t count,
				   enum dbfs_inspect_kind kind, int err),
			void *arg)
{
	struct visit v = {fn, arg};
	const struct dbfs_btree_visit bv = {tree_block, &v};
	struct set *set = dbfs_current_get(db);
	struct list *l;
	int err;

	fn(arg, 0, db->super.data_start, DBFS_INSPECT_RESERVED, 0);
	dbfs_space_map_blocks(db->space, map_block, &v);
	for (l = db->layers.next; l != &db->layers; l = l->next)
		freed(&v, &list_entry(l, struct vlayer, link)->frees);
	for (l = db->sets.next; l != &db->sets; l = l->next)
		freed(&v, &list_entry(l, struct set, link)->retired);
	err = dbfs_btree_walk(&db->env, set->tree, &bv);
	dbfs_current_put(db, set);
	return err;
}

bool dbfs_inspect_used(struct dbfs *db, uint64_t block)
{
	return dbfs_space_is_used(db->space, block);
}

uint64_t dbfs_inspect_next_id(struct dbfs *db)
{
	return atomic_load_explicit(&db->next_id, memory_order_relaxed);
}
