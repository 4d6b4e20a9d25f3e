/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Argument and environment strings of exec, held in kernel pages between the two spaces. */
#ifndef PROC_ARGS_H
#define PROC_ARGS_H

#include "base/types.h"

#define ARG_MAX_STRING 131072u

/* Strings one after the other, each with its terminator. */
struct arg_list {
	struct page **pages;
	size_t page_count, page_cap;
	size_t bytes;
	size_t count;
};

void arg_list_fini(struct arg_list *l);
/* -E2BIG beyond limit bytes, -ENOMEM. */
int arg_list_add(struct arg_list *l, const char *s, size_t limit) MUST_CHECK;
/* All strings of a NULL-terminated array of user pointers (0: an empty array). Also -EFAULT. */
int arg_list_add_user(struct arg_list *l, uint64_t array, size_t limit) MUST_CHECK;
/* Writes all strings, from byte skip on, to the current space at addr. -EFAULT. */
int arg_list_store(const struct arg_list *l, size_t skip, uint64_t addr) MUST_CHECK;
/* Length with terminator of the string that starts at byte off. */
size_t arg_list_length(const struct arg_list *l, size_t off);

#endif
