/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Process groups and sessions, as the system calls want them. pid 0: the caller. */
#ifndef PROC_GROUP_H
#define PROC_GROUP_H

#include "base/types.h"

int process_set_group(int pid, int pgid) MUST_CHECK;
/* The group's or session's id, -ESRCH. */
int process_get_group(int pid, bool session) MUST_CHECK;
/* The new session's id, -EPERM. */
int process_new_session(void) MUST_CHECK;

#endif
