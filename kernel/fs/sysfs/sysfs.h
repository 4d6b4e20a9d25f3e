/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#ifndef SYSFS_SYSFS_H
#define SYSFS_SYSFS_H

/* Registers sysfs. Once. */
void sysfs_init(void);

#endif
