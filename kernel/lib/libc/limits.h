/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* For libfdt and the portable units. */
#ifndef LIBC_LIMITS_H
#define LIBC_LIMITS_H

#define INT_MAX __INT_MAX__
#define UINT_MAX (__INT_MAX__ * 2u + 1)

#endif
