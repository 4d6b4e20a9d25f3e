/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#ifndef SYS_TIMERS_H
#define SYS_TIMERS_H

/* Once at start: timers end with their processes. */
void timers_init(void);

#endif
