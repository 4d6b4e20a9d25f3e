/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Intrusive circular doubly linked lists. A head is a struct list that is linked to itself when
 * empty; an element that is on no list is likewise linked to itself (list_init), so that
 * list_del may be called twice and list_empty tells of either.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/types.h"

struct list {
	struct list *next;
	struct list *prev;
};

#define LIST_INIT(name)          \
	{                        \
		&(name), &(name) \
	}

static inline void list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_add_after(struct list *where, struct list *e)
{
	e->next = where->next;
	e->prev = where;
	where->next->prev = e;
	where->next = e;
}

static inline void list_add_head(struct list *head, struct list *e)
{
	list_add_after(head, e);
}

static inline void list_add_tail(struct list *head, struct list *e)
{
	list_add_after(head->prev, e);
}

static inline void list_del(struct list *e)
{
	e->prev->next = e->next;
	e->next->prev = e->prev;
	list_init(e);
}

/* Moves all elements of from to the end of to; from is empty afterwards. */
static inline void list_splice_tail(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_last(head, type, member) list_entry((head)->prev, type, member)

#define list_for_each(pos, head) for (pos = (head)->next; pos != (head); pos = pos->next)

/* Safe against removal of pos; n is a second cursor. */
#define list_for_each_safe(pos, n, head) \
	for (pos = (head)->next, n = pos->next; pos != (head); pos = n, n = pos->next)

#define list_for_each_entry(pos, head, type, member)                               \
	for (pos = list_entry((head)->next, type, member); &pos->member != (head); \
	     pos = list_entry(pos->member.next, type, member))

#define list_for_each_entry_safe(pos, n, head, type, member) \
	for (pos = list_entry((head)->next, type, member),   \
	    n = list_entry(pos->member.next, type, member);  \
	     &pos->member != (head); pos = n, n = list_entry(n->member.next, type, member))

#endif
