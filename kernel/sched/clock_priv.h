/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#ifndef SCHED_CLOCK_PRIV_H
#define SCHED_CLOCK_PRIV_H

/* Once the timebase is known. */
void clock_init(void);

#endif
