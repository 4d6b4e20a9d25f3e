/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Assertions for broken logic; never for disk contents or user input, which return errors. Both
 * forms are functions of the port: the program that links this unit says what a failed assertion
 * does (abort with a message on the host, panic in the kernel).
 *
 *   DBFS_ASSERT(x); // WAL-3        always on, cheap, cites the numbered invariant
 *   DBFS_DEBUG_ASSERT(x)            expensive (whole page, whole tree): only with BASE_DEBUG
 */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#include "base/attr.h"

NORETURN void port_assert_fail(const char *expr, const char *file, int line);

#define DBFS_ASSERT(x) ((x) ? (void)0 : port_assert_fail(#x, __FILE__, __LINE__))
#define KASSERT(x) DBFS_ASSERT(x)

#if defined(BASE_DEBUG)
#define DBFS_DEBUG_ASSERT(x) DBFS_ASSERT(x)
#else
#define DBFS_DEBUG_ASSERT(x) ((void)sizeof(x))
#endif

#endif
