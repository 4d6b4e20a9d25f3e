/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The freestanding headers that everything uses, and the handful of helpers that C lacks. */
#ifndef BASE_TYPES_H
#define BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* C17's keyword by its readable name; <assert.h>, which has it, belongs to libc. */
#ifndef static_assert
#define static_assert _Static_assert
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The structure of which *ptr is the given member. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* align must be a power of two; the caller knows that x + align does not overflow. */
#define ALIGN_UP(x, align) (((x) + ((align)-1)) & ~((align)-1))
#define ALIGN_DOWN(x, align) ((x) & ~((align)-1))

#endif
