/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Intrusive pairing heap: smallest key first, equal keys in order of insertion. Insert O(1),
 * pop and remove O(log n) amortized; no allocation, no recursion. The owner locks.
 */
#ifndef LIB_HEAP_H
#define LIB_HEAP_H

#include "base/types.h"

struct heap_node {
	uint64_t key;
	uint64_t seq;
	struct heap_node *child;
	struct heap_node *next;  /* sibling */
	struct heap_node **prev; /* what points to this node; NULL: in no heap */
};

struct heap {
	struct heap_node *root;
	uint64_t seq;
	size_t count;
};

void heap_init(struct heap *h);
void heap_insert(struct heap *h, struct heap_node *n, uint64_t key);
void heap_remove(struct heap *h, struct heap_node *n);

static inline struct heap_node *heap_min(const struct heap *h)
{
	return h->root;
}

static inline bool heap_contains(const struct heap_node *n)
{
	return n->prev != NULL;
}

#endif
