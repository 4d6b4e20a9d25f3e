/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* execve. */
#ifndef PROC_EXEC_H
#define PROC_EXEC_H

#include "base/types.h"

struct path;

/*
 * Replaces the current program by the one at *p (borrowed), called name; argv and envp are user
 * arrays. 0: the registers are the new program's. Else an error, or the process is dead.
 */
int exec_user(const struct path *p, const char *name, uint64_t argv, uint64_t envp) MUST_CHECK;

#endif
