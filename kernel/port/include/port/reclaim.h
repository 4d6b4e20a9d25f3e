/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Starts the thread that frees pages in the background. Once, at start. */
#ifndef PORT_RECLAIM_H
#define PORT_RECLAIM_H

void reclaim_start(void);

#endif
