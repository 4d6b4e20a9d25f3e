/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Start-up of the process layer. */
#ifndef PROC_START_H
#define PROC_START_H

#include "proc/process.h"

/* Once at start, before any process: the system-call entry (kernel/sys lies above). */
void proc_install_syscalls(void (*entry)(struct trap_frame *f));
/* Starts process 1 with these (takes both references). It panics if there is no init. */
void proc_start_init(struct fs_context *fs, struct fd_table *fds);

#endif
