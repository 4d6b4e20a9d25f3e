/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Looking up and walking. A page that is read is checked by the cache (checksum from the parent,
 * form) and here for its level; that keys of a child lie between its separators is fsck's business:
 * a wrong order can make a key unfindable, never an access outside the page. From leaf to leaf, keys must
 * go on in the direction of the walk: so no walk is longer than there are keys, whatever a tree made
 * to hurt refers to how often.
 */
#include "btree/btree_priv.h"

#include "base/assert.h"
#include "port/log.h"

int dbfs_btree_get(const struct dbfs_btree_env *env, struct dbfs_tree t, struct dbfs_btree_key key,
		   void *buf, size_t cap, size_t *len)
{
	struct page_child at = {t.block, t.crc};

	for (unsigned level = t.levels; level-- > 0;) {
		struct dbfs_frame *f;
		unsigned i;
		int err = dbfs_btree_pin(env, at.block, at.crc, level, &f);

		if (err)
			return err;
		if (level > 0) {
			at = page_child(f->data, dbfs_btree_page_route(f->data, key));
			dbfs_cache_put(env->cache, f);
			continue;
		}
		i = dbfs_btree_page_search(f->data, key, true);
		err = -DBFS_ENOENT;
		if (i > 0 && dbfs_btree_page_search(f->data, key, false) == i - 1) {
			struct page_value v = page_value(f->data, i - 1);

			err = dbfs_btree_value_copy(env, v, buf, cap);
			if (!err)
				*len = dbfs_btree_value_len(v);
		}
		dbfs_cache_put(env->cache, f);
		return err;
	}
	return -DBFS_ENOENT;
}

void dbfs_btree_iter_init(struct dbfs_btree_iter *it, const struct dbfs_btree_env *env,
			  struct dbfs_tree t)
{
	it->env = env;
	it->tree = t;
	it->valid = false;
	for (unsigned i = 0; i < DBFS_TREE_LEVELS_MAX; i++)
		it->path[i] = NULL;
}

static void unpin(struct dbfs_btree_iter *it, unsigned level)
{
	if (it->path[level])
		dbfs_cache_put(it->env->cache, it->path[level]);
	it->path[level] = NULL;
}

void dbfs_btree_iter_fini(struct dbfs_btree_iter *it)
{
	for (unsigned i = 0; i < DBFS_TREE_LEVELS_MAX; i++)
		unpin(it, i);
	it->valid = false;
}

/* Pins the page for level: the root's, or the child at which the level above stands. */
static int enter(struct dbfs_btree_iter *it, unsigned level)
{
	struct page_child at = {it->tree.block, it->tree.crc};
	struct dbfs_frame *f;
	int err;

	if (level + 1 < it->tree.levels)
		at = page_child(it->path[level + 1]->data, it->at[level + 1]);
	if (it->path[level] && it->path[level]->block == at.block && it->path[level]->crc == at.crc)
		return 0;
	unpin(it, level);
	err = dbfs_btree_pin(it->env, at.block, at.crc, level, &f);
	if (!err)
		it->path[level] = f;
	return err;
}

static int arrive(struct dbfs_btree_iter *it)
{
	it->klen = dbfs_btree_page_key(it->path[0]->data, it->at[0], it->key);
	it->valid = true;
	return 0;
}

/* At the first element of a leaf that was entered after edge (or the last one, before it). */
static int arrive_beyond(struct dbfs_btree_iter *it, struct dbfs_btree_key edge, bool forward)
{
	int c;

	it->klen = dbfs_btree_page_key(it->path[0]->data, it->at[0], it->key);
	c = dbfs_btree_key_cmp((struct dbfs_btree_key){it->key, it->klen}, edge);
	it->valid = forward ? c > 0 : c < 0;
	if (it->valid)
		return 0;
	port_log(PORT_LOG_ERROR,
		 "dbfs: tree page %llu: its keys do not go on where those %s it end",
		 (unsigned long long)it->path[0]->block, forward ? "before" : "after");
	return -DBFS_ECORRUPT;
}

/* The leaf at[0] has run out: to the first cell of the next leaf (last of the one before). */
static int step_leaf(struct dbfs_btree_iter *it, bool forward)
{
	const uint8_t *leaf = it->path[0]->data;
	uint8_t edge[DBFS_FULL_KEY_MAX];
	struct dbfs_btree_key last = {edge, 0};
	unsigned level = 1;

	last.len = dbfs_btree_page_key(leaf, forward ? page_count(leaf) - 1 : 0, edge);
	it->valid = false;
	while (level < it->tree.levels) {
		unsigned count = page_count(it->path[level]->data);

		if (forward ? it->at[level] + 1u < count : it->at[level] > 0)
			break;
		level++;
	}
	if (level >= it->tree.levels)
		return 0;
	it->at[level] = (uint16_t)(forward ? it->at[level] + 1 : it->at[level] - 1);
	while (level-- > 0) {
		int err = enter(it, level);

		if (err)
			return err;
		it->at[level] = forward ? 0 : (uint16_t)(page_count(it->path[level]->data) - 1);
	}
	return arrive_beyond(it, last, forward);
}

static int descend(struct dbfs_btree_iter *it, struct dbfs_btree_key key)
{
	it->valid = false;
	for (unsigned level = it->tree.levels; level-- > 0;) {
		int err = enter(it, level);

		if (err)
			return err;
		if (level > 0)
			it->at[level] = (uint16_t)dbfs_btree_page_route(it->path[level]->data, key);
	}
	return 0;
}

int dbfs_btree_iter_seek(struct dbfs_btree_iter *it, struct dbfs_btree_key key, bool after)
{
	int err = descend(it, key);

	if (err || it->tree.levels == 0)
		return err;
	it->at[0] = (uint16_t)dbfs_btree_page_search(it->path[0]->data, key, after);
	if (it->at[0] >= page_count(it->path[0]->data))
		return step_leaf(it, true);
	return arrive(it);
}

int dbfs_btree_iter_seek_back(struct dbfs_btree_iter *it, struct dbfs_btree_key key, bool at)
{
	int err = descend(it, key);
	unsigned n;

	if (err || it->tree.levels == 0)
		return err;
	n = dbfs_btree_page_search(it->path[0]->data, key, at);
	if (n == 0)
		return step_leaf(it, false);
	it->at[0] = (uint16_t)(n - 1);
	return arrive(it);
}

int dbfs_btree_iter_next(struct dbfs_btree_iter *it)
{
	DBFS_ASSERT(it->valid);
	if (++it->at[0] >= page_count(it->path[0]->data))
		return step_leaf(it, true);
	return arrive(it);
}

int dbfs_btree_iter_prev(struct dbfs_btree_iter *it)
{
	DBFS_ASSERT(it->valid);
	if (it->at[0] == 0)
		return step_leaf(it, false);
	it->at[0]--;
	return arrive(it);
}

size_t dbfs_btree_iter_value_len(const struct dbfs_btree_iter *it)
{
	return dbfs_btree_value_len(page_value(it->path[0]->data, it->at[0]));
}

const uint8_t *dbfs_btree_iter_inline(const struct dbfs_btree_iter *it)
{
	struct page_value v = page_value(it->path[0]->data, it->at[0]);

	return v.overflow ? NULL : v.p;
}

int dbfs_btree_iter_value(const struct dbfs_btree_iter *it, void *buf, size_t cap)
{
	return dbfs_btree_value_copy(it->env, page_value(it->path[0]->data, it->at[0]), buf, cap);
}
