/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#ifndef SYS_DISPATCH_H
#define SYS_DISPATCH_H

/* Once at start: system calls of user programs reach their handlers. */
void syscalls_init(void);

#endif
