/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Clocks. Any context, including with a spinlock held; never fail. */
#ifndef PORT_TIME_H
#define PORT_TIME_H

#include "base/types.h"

/* Nanoseconds on a clock that never goes back; its start is arbitrary. */
uint64_t port_now(void);
/* Nanoseconds since 1970-01-01 UTC. May jump. */
int64_t port_wallclock(void);

#define PORT_NS_PER_MS ((uint64_t)1000000)
#define PORT_NS_PER_SEC ((uint64_t)1000000000)

#endif
