/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986). Children form a list through next;
 * prev is the address of the pointer that leads to a node, so any node can be cut out in O(1).
 *
 * HEAP-1  No node's (key, seq) is smaller than its parent's.
 */
#include "lib/heap.h"

#include "base/assert.h"

void heap_init(struct heap *h)
{
	*h = (struct heap){0};
}

static bool less(const struct heap_node *a, const struct heap_node *b)
{
	return a->key != b->key ? a->key < b->key : a->seq < b->seq;
}

/* Makes the larger of two roots the first child of the other. */
static struct heap_node *meld(struct heap_node *a, struct heap_node *b)
{
	if (!a || !b)
		return a ? a : b;
	if (less(b, a)) {
		struct heap_node *t = a;

		a = b;
		b = t;
	}
	b->next = a->child;
	if (b->next)
		b->next->prev = &b->next;
	b->prev = &a->child;
	a->child = b;
	a->next = NULL;
	return a;
}

/* The two passes: melds siblings in pairs from the left, then the results from the right. */
static struct heap_node *combine(struct heap_node *list)
{
	struct heap_node *pairs = NULL;
	struct heap_node *root = NULL;

	while (list) {
		struct heap_node *a = list;
		struct heap_node *b = a->next;

		list = b ? b->next : NULL;
		a->next = NULL;
		if (b)
			b->next = NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		struct heap_node *rest = pairs->next;

		pairs->next = NULL;
		root = meld(root, pairs);
		pairs = rest;
	}
	return root;
}

static void set_root(struct heap *h, struct heap_node *root)
{
	h->root = root;
	if (root) {
		root->prev = &h->root;
		root->next = NULL;
	}
}

void heap_insert(struct heap *h, struct heap_node *n, uint64_t key)
{
	KASSERT(!n->prev);
	n->key = key;
	n->seq = h->seq++;
	n->child = NULL;
	n->next = NULL;
	set_root(h, meld(h->root, n));
	h->count++;
}

void heap_remove(struct heap *h, struct heap_node *n)
{
	struct heap_node *sub = combine(n->child);

	KASSERT(n->prev);
	if (h->root == n) {
		set_root(h, sub);
	} else {
		*n->prev = n->next;
		if (n->next)
			n->next->prev = n->prev;
		if (sub)
			set_root(h, meld(h->root, sub));
	}
	n->child = NULL;
	n->next = NULL;
	n->prev = NULL;
	h->count--;
}
