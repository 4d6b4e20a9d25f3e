/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* port/time.h on the host. */
#include "port/time.h"

#include <time.h>

uint64_t port_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * PORT_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

int64_t port_wallclock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * (int64_t)PORT_NS_PER_SEC + ts.tv_nsec;
}
