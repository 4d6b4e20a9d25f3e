/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Start of all drivers: in order of need. Called once in thread context by kernel_main. */
#ifndef DEV_DEVICE_H
#define DEV_DEVICE_H

#include "base/types.h"

void dev_init(void);

/* Wall clock of the RTC in nanoseconds since 1970; 0: no RTC. */
int64_t rtc_read(void);

#endif
