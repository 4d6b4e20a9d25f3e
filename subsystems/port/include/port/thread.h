/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Threads of the core itself (log writer, checkpoint) and a pointer that each thread carries. */
#ifndef PORT_THREAD_H
#define PORT_THREAD_H

#include "base/types.h"
#include "port/arch_types.h" /* struct port_thread */

/* Starts fn(arg). name (at most 15 bytes are shown) must outlive the thread. 0 or -PORT_ENOMEM. */
int port_thread_create(struct port_thread *t, void (*fn)(void *arg), void *arg, const char *name)
	MUST_CHECK;
/* Waits until it has returned. Every created thread is joined exactly once. */
void port_thread_join(struct port_thread *t);

/* Lets others run. A scheduling point of the simulator. */
void port_thread_yield(void);
/* Sleeps at least ns nanoseconds of port_now(). */
void port_thread_sleep(uint64_t ns);

/* One pointer per thread, NULL at its start; for whoever owns the thread's current operation. */
void **port_thread_slot(void);

#endif
