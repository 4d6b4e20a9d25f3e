/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Strings of exec in a growing list of pages: up to a few MiB, never in one piece. */
#include "proc/args.h"

#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "vm/uaccess.h"

void arg_list_fini(struct arg_list *l)
{
	for (size_t i = 0; i < l->page_count; i++)
		mm_page_put(l->pages[i]);
	mm_free(l->pages);
	*l = (struct arg_list){0};
}

static int grow(struct arg_list *l)
{
	struct page *p;

	if (l->page_count == l->page_cap) {
		size_t cap = l->page_cap ? l->page_cap * 2 : 16;
		struct page **n = mm_alloc(cap * sizeof(struct page *), MM_NORMAL);

		if (!n)
			return -ENOMEM;
		if (l->page_count)
			memcpy(n, l->pages, l->page_count * sizeof(struct page *));
		mm_free(l->pages);
		l->pages = n;
		l->page_cap = cap;
	}
	p = mm_page_alloc(0, MM_NORMAL);
	if (!p)
		return -ENOMEM;
	l->pages[l->page_count++] = p;
	return 0;
}

/* Room at the end: the address of byte l->bytes and how much follows in its page. */
static int tail(struct arg_list *l, char **at, size_t *room)
{
	size_t off = l->bytes % MM_PAGE_SIZE;

	if (l->bytes == l->page_count * MM_PAGE_SIZE) {
		int err = grow(l);

		if (err)
			return err;
	}
	*at = (char *)mm_page_data(l->pages[l->bytes / MM_PAGE_SIZE]) + off;
	*room = MM_PAGE_SIZE - off;
	return 0;
}

int arg_list_add(struct arg_list *l, const char *s, size_t limit)
{
	size_t left = strlen(s) + 1, room;
	char *at;

	if (left > ARG_MAX_STRING || left > limit || l->bytes > limit - left)
		return -E2BIG;
	while (left) {
		int err = tail(l, &at, &room);
		size_t n = MIN(left, room);

		if (err)
			return err;
		memcpy(at, s, n);
		s += n;
		l->bytes += n;
		left -= n;
	}
	l->count++;
	return 0;
}

static int add_user_string(struct arg_list *l, uint64_t s, size_t limit)
{
	size_t total = 0, room;
	char *at;

	for (;;) {
		int err = tail(l, &at, &room);
		int64_t n;
		bool end;

		if (err)
			return err;
		n = strncpy_from_user(at, s + total, room);
		if (n == -EFAULT)
			return -EFAULT;
		end = n >= 0;
		if (!end)
			n = (int64_t)room;
		total += (size_t)n + end;
		l->bytes += (size_t)n + end;
		if (total > ARG_MAX_STRING || l->bytes > limit)
			return -E2BIG;
		if (end)
			break;
	}
	l->count++;
	return 0;
}

int arg_list_add_user(struct arg_list *l, uint64_t array, size_t limit)
{
	for (; array; array += 8) {
		uint64_t s;
		int err = get_user_u64(&s, array);

		if (err)
			return err;
		if (!s)
			break;
		/* the pointers count too */
		if ((l->count + 1) * 8 > limit || l->bytes > limit - (l->count + 1) * 8)
			return -E2BIG;
		err = add_user_string(l, s, limit);
		if (err)
			return err;
	}
	return 0;
}

int arg_list_store(const struct arg_list *l, size_t skip, uint64_t addr)
{
	while (skip < l->bytes) {
		size_t off = skip % MM_PAGE_SIZE;
		size_t n = MIN(MM_PAGE_SIZE - off, l->bytes - skip);
		const char *p = mm_page_data(l->pages[skip / MM_PAGE_SIZE]);
		int err = copy_to_user(addr, p + off, n);

		if (err)
			return err;
		addr += n;
		skip += n;
	}
	return 0;
}

size_t arg_list_length(const struct arg_list *l, size_t off)
{
	size_t at = off;

	while (at < l->bytes) {
		size_t in = at % MM_PAGE_SIZE;
		size_t n = MIN(MM_PAGE_SIZE - in, l->bytes - at);
		const char *p = mm_page_data(l->pages[at / MM_PAGE_SIZE]);
		const char *end = memchr(p + in, 0, n);

		if (end)
			return at + (size_t)(end - (p + in)) + 1 - off;
		at += n;
	}
	return at - off;
}
