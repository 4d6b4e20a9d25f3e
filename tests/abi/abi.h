/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Programs that check the system-call ABI. Each prints a line for each check, the same under Linux
 * and under Alien OS (values, never addresses or times), and exits 1 if one failed.
 */
#ifndef ABI_H
#define ABI_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int failures;

/* A check by its name. */
#define CHECK(name, cond)                                                                     \
	do {                                                                                  \
		int ok_ = (cond) ? 1 : 0;                                                     \
		printf("%s %s\n", ok_ ? "ok" : "FAIL", name);                                 \
		if (!ok_)                                                                     \
			printf("  %s:%d: %s (errno %d)\n", __FILE__, __LINE__, #cond, errno); \
		failures += !ok_;                                                             \
		fflush(stdout);                                                               \
	} while (0)

/* The call fails with that errno. */
#define CHECK_ERRNO(name, call, err) CHECK(name, (errno = 0, (long)(call) == -1) && errno == (err))

/* What a call answered, without a verdict: the line must be the same under Linux. */
#define SAY(name, call)                                                                    \
	do {                                                                               \
		errno = 0;                                                                 \
		long res_ = (long)(call);                                                  \
		if (res_ == -1)                                                            \
			printf("= %s: %s\n", name, errno ? strerrorname_np(errno) : "-1"); \
		else                                                                       \
			printf("= %s: %ld\n", name, res_);                                 \
		fflush(stdout);                                                            \
	} while (0)

static inline int abi_done(void)
{
	printf("%s\n", failures ? "FAILED" : "done");
	return failures != 0;
}

#endif
