/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Arithmetic on numbers that come from a disk or a user. Each returns true if the exact result
 * does not fit; *out is then not to be used.
 */
#ifndef BASE_OVERFLOW_H
#define BASE_OVERFLOW_H

#include "base/types.h"

static inline MUST_CHECK bool add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
	return __builtin_add_overflow(a, b, out);
}

static inline MUST_CHECK bool sub_u64(uint64_t a, uint64_t b, uint64_t *out)
{
	return __builtin_sub_overflow(a, b, out);
}

static inline MUST_CHECK bool mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
	return __builtin_mul_overflow(a, b, out);
}

static inline MUST_CHECK bool add_size(size_t a, size_t b, size_t *out)
{
	return __builtin_add_overflow(a, b, out);
}

static inline MUST_CHECK bool mul_size(size_t a, size_t b, size_t *out)
{
	return __builtin_mul_overflow(a, b, out);
}

/* Does [start, start + len) lie inside [0, limit)? Never overflows. */
static inline bool range_fits(uint64_t start, uint64_t len, uint64_t limit)
{
	return start <= limit && len <= limit - start;
}

#endif
