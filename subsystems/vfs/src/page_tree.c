/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The index of a file's cached pages: a radix tree with 64 slots a node, as high as its largest
 * index needs (at most 11 levels). All under page_cache.lock.
 *
 * TREE-1  height 0: no root. A tree of height h holds indices below 64^h.
 * TREE-2  A node's count is its non-empty slots; a node without any is freed.
 */
#include "vfs_priv.h"

#define SHIFT 6u
#define SLOTS 64u
#define MAX_HEIGHT 11u

struct page_node {
	uint32_t count;
	void *slot[SLOTS]; /* nodes, or pages at the lowest level */
};

/* Is index below 64^height? */
static bool covers(uint32_t height, uint64_t index)
{
	return height * SHIFT >= 64 || (index >> (height * SHIFT)) == 0;
}

static unsigned slot_of(uint64_t index, uint32_t level)
{
	return (unsigned)(index >> ((level - 1) * SHIFT)) & (SLOTS - 1);
}

struct page *tree_get(const struct page_cache *pc, uint64_t index)
{
	void *p = pc->root;

	if (!p || !covers(pc->height, index))
		return NULL;
	for (uint32_t level = pc->height; level && p; level--)
		p = ((struct page_node *)p)->slot[slot_of(index, level)];
	return p;
}

static int grow(struct page_cache *pc, uint64_t index)
{
	while (!pc->root || !covers(pc->height, index)) {
		struct page_node *n = port_alloc_zeroed(sizeof(*n));

		if (!n)
			return -VFS_ENOMEM;
		if (pc->root) {
			n->slot[0] = pc->root;
			n->count = 1;
			if (pc->root->count == 0) { /* left empty by a failed insertion */
				port_free(pc->root);
				n->slot[0] = NULL;
				n->count = 0;
			}
		}
		pc->root = n;
		pc->height++;
	}
	return 0;
}

/* Frees the nodes above index that have become empty (TREE-2). */
static void prune(struct page_cache *pc, uint64_t index)
{
	struct page_node *path[MAX_HEIGHT + 1] = {NULL};
	struct page_node *n = pc->root;

	for (uint32_t level = pc->height; level && n; level--) {
		path[level] = n;
		n = level > 1 ? n->slot[slot_of(index, level)] : NULL;
	}
	for (uint32_t level = 1; level <= pc->height; level++) {
		if (!path[level])
			continue;
		if (path[level]->count)
			return;
		port_free(path[level]);
		if (level == pc->height) {
			pc->root = NULL;
			pc->height = 0;
			return;
		}
		path[level + 1]->slot[slot_of(index, level + 1)] = NULL;
		path[level + 1]->count--;
	}
}

int tree_insert(struct page_cache *pc, uint64_t index, struct page *page)
{
	struct page_node *n;
	int err = grow(pc, index);

	if (err)
		return err;
	n = pc->root;
	for (uint32_t level = pc->height; level > 1; level--) {
		void **slot = &n->slot[slot_of(index, level)];

		if (!*slot) {
			*slot = port_alloc_zeroed(sizeof(*n));
			if (!*slot) {
				prune(pc, index);
				return -VFS_ENOMEM;
			}
			n->count++;
		}
		n = *slot;
	}
	DBFS_ASSERT(!n->slot[slot_of(index, 1)]);
	n->slot[slot_of(index, 1)] = page;
	n->count++;
	return 0;
}

void tree_remove(struct page_cache *pc, uint64_t index)
{
	struct page_node *n = pc->root;

	if (!n || !covers(pc->height, index))
		return;
	for (uint32_t level = pc->height; level > 1; level--) {
		n = n->slot[slot_of(index, level)];
		if (!n)
			return;
	}
	if (!n->slot[slot_of(index, 1)])
		return;
	n->slot[slot_of(index, 1)] = NULL;
	n->count--;
	prune(pc, index);
}

struct page *tree_next(const struct page_cache *pc, uint64_t index)
{
	while (pc->root && covers(pc->height, index)) {
		struct page_node *n = pc->root;
		uint32_t level = pc->height;
		uint64_t step;

		for (;;) {
			unsigned s = slot_of(index, level);

			while (s < SLOTS && !n->slot[s])
				s++;
			if (s == SLOTS)
				break; /* nothing left in n */
			if (s != slot_of(index, level)) {
				step = (uint64_t)1 << ((level - 1) * SHIFT);
				index = (index & ~(step * SLOTS - 1)) + s * step;
			}
			if (level == 1)
				return n->slot[s];
			n = n->slot[s];
			level--;
		}
		if (level == pc->height)
			return NULL;
		/* The first index behind n. */
		step = (uint64_t)1 << (level * SHIFT);
		index = (index & ~(step - 1)) + step;
		if (index == 0)
			return NULL;
	}
	return NULL;
}
