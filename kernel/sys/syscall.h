/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * System calls: kernel/sys/table names each number's handler; a script makes the dispatch array
 * and docs/kernel/syscalls.md of it. A handler gets the six argument registers as they are (all
 * 64 bits hostile) and returns a result or a negative errno. To be restarted after a signal it
 * returns -ERESTARTSYS (if SA_RESTART), -ERESTARTNOINTR (always), -ERESTARTNOHAND (only if no
 * handler ran). A wait's -EINTR that should restart is mapped with syscall_restart().
 */
#ifndef SYS_SYSCALL_H
#define SYS_SYSCALL_H

#include "base/types.h"
#include "lib/errno.h"

struct syscall_args {
	uint64_t v[6];
};

typedef long syscall_fn(const struct syscall_args *a);

struct syscall_entry {
	syscall_fn *fn; /* NULL: no such call */
	const char *name;
	uint32_t args;
};

/* Defines handler sys_NAME(a). */
#define SYSCALL(name)                                  \
	long sys_##name(const struct syscall_args *a); \
	long sys_##name(const struct syscall_args *a)

/* An argument that Linux declares as int or unsigned int: the upper half is ignored. */
static inline int arg_int(const struct syscall_args *a, unsigned i)
{
	return (int)(uint32_t)a->v[i];
}
static inline uint32_t arg_u32(const struct syscall_args *a, unsigned i)
{
	return (uint32_t)a->v[i];
}

/* -EINTR of an interrupted wait becomes "restart me if the handler says SA_RESTART". */
static inline long syscall_restart(long err)
{
	return err == -EINTR ? -ERESTARTSYS : err;
}

extern const struct syscall_entry syscall_table[];
extern const uint32_t syscall_count;

#endif
