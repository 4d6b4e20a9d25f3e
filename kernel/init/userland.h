/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#ifndef INIT_USERLAND_H
#define INIT_USERLAND_H

/* Mounts the root and starts process 1. Thread context; panics if it cannot. */
void userland_start(void);

#endif
