/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Ends and waiting for them. */
#ifndef PROC_WAIT_CHILD_H
#define PROC_WAIT_CHILD_H

#include "proc/process.h"

enum wait_option {
	WNOHANG = 1,
	WUNTRACED = 2, /* also WSTOPPED */
	WEXITED = 4,
	WCONTINUED = 8,
	WNOWAIT = 0x01000000,
	WNOTHREAD = 0x20000000,
	WALL = 0x40000000,
	WCLONE = (int)0x80000000,
};

enum wait_which { WAIT_PID, WAIT_PGRP, WAIT_ANY };

struct wait_result {
	int32_t pid; /* 0: none (WNOHANG) */
	uint32_t uid;
	uint32_t status; /* as wait4 gives it */
	int32_t code;    /* CLD_* */
	struct proc_times times;
};

/* 0, -ECHILD, -ERESTARTSYS. Sleeps. */
int wait_child(enum wait_which which, int id, unsigned options, struct wait_result *out) MUST_CHECK;

/* exit(2): this task only. */
NORETURN void task_exit_status(uint32_t status);

/* Inside kernel/proc. */
void task_drop_space(struct task *t);
void process_reap_locked(struct process *p);

#endif
