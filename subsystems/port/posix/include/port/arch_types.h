/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The port's structures on a Linux host. port/posix and port/sim share them, so one archive of the
 * core links with either. The members called os are storage for the port's own objects (a
 * pthread_mutex_t ...; the port asserts their sizes), which keeps <pthread.h> out of the core.
 */
#ifndef PORT_ARCH_TYPES_H
#define PORT_ARCH_TYPES_H

#include <stdatomic.h>

#include "base/lockrank.h"
#include "base/types.h"

struct LOCKABLE port_mutex {
	uint64_t os[8];
	atomic_uintptr_t owner; /* the holder's thread, 0 if free; relaxed: exact for the holder */
	enum lock_rank rank;    /* const after init */
	const char *name;       /* const after init */
};

struct port_cond {
	uint64_t os[8];
};

struct port_thread {
	uint64_t os[2];
	void (*fn)(void *arg);
	void *arg;
	const char *name;
};

#endif
