/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The port's lock and thread types in the kernel. */
#ifndef PORT_ARCH_TYPES_H
#define PORT_ARCH_TYPES_H

#include "sync/lock_types.h"

struct thread;

struct LOCKABLE port_mutex {
	struct mutex m;
};

struct port_cond {
	struct wait_queue q;
};

struct port_thread {
	struct thread *t;
};

#endif
