/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Lines of text without a libc: appended piece by piece, cut when full, always terminated. */
#ifndef DBFS_CHECK_TEXT_H
#define DBFS_CHECK_TEXT_H

#include "base/types.h"

#define TEXT_MAX 400u

struct dbfs_text {
	size_t len;
	char s[TEXT_MAX];
};

void dbfs_text_start(struct dbfs_text *t);
void dbfs_text_str(struct dbfs_text *t, const char *s);
void dbfs_text_num(struct dbfs_text *t, uint64_t n);
void dbfs_text_int(struct dbfs_text *t, int64_t n);
void dbfs_text_oct(struct dbfs_text *t, uint64_t n);
/* Printable bytes as they are, others as \xNN. */
void dbfs_text_bytes(struct dbfs_text *t, const void *p, size_t len);
/* fmt with each # replaced by the next number of v. */
void dbfs_text_fmt(struct dbfs_text *t, const char *fmt, const uint64_t *v);

#endif
