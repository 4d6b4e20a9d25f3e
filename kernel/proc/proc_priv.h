/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Between the files of kernel/proc. "_locked": the caller holds proc_lock. */
#ifndef PROC_PROC_PRIV_H
#define PROC_PROC_PRIV_H

#include "proc/process.h"

/* One queued signal. */
struct sigqueue_entry {
	struct list link;
	struct siginfo info;
	bool owned; /* belongs to a timer: not freed */
};

/* tables.c */
void tables_init(void);
/* An unused number, or -EAGAIN. */
int pid_alloc_locked(void) MUST_CHECK;
void task_enter_locked(struct task *t, int tid);
void task_leave_locked(struct task *t);
void process_enter_locked(struct process *p, int pid);
void process_leave_locked(struct process *p);
/*
 * Puts p into group id of session s (both made by the caller's spare objects where they do not
 * exist yet; what was used is set to NULL).
 */
struct pgrp_spare {
	struct pgrp *pgrp;
	struct session *session;
};
int pgrp_spare_alloc(struct pgrp_spare *s) MUST_CHECK;
void pgrp_spare_free(struct pgrp_spare *s);
void pgrp_join_locked(struct process *p, int pgid, struct session *session,
		      struct pgrp_spare *spare);
void pgrp_leave_locked(struct process *p);
bool pgrp_orphaned_locked(const struct pgrp *g, const struct process *ignore);

/* task.c */
struct task *task_create(const char *comm, void (*entry)(void *arg)) MUST_CHECK;
/* A task that never became visible. */
void task_discard(struct task *t);
struct process *process_create(void) MUST_CHECK;
struct sighand *sighand_create(const struct sighand *from) MUST_CHECK;
void sighand_put(struct sighand *s);
uint64_t ticks_to_ns(uint64_t ticks);
/* CPU time of one task, and of a process with its dead tasks. */
void task_times(const struct task *t, uint64_t *user_ns, uint64_t *system_ns);
void process_times_locked(const struct process *p, struct proc_times *out);
void times_add(struct proc_times *to, const struct proc_times *from);

/* send.c */
void sigqueue_init(struct sigqueue *q);
void sigqueue_flush_locked(struct sigqueue *q, sigset which);
/* task NULL: to the process. entry: a timer's, or NULL. */
void signal_send_locked(struct process *p, struct task *task, const struct siginfo *info,
			struct sigqueue_entry *entry);
/* Takes the next deliverable signal not in mask. 0: none. */
int signal_dequeue_locked(struct task *t, sigset mask, struct siginfo *info) MUST_CHECK;
bool signal_ignored_locked(const struct process *p, int sig);
/* Sets the pending flag if something is to be done. */
void signal_recalc_locked(struct task *t);
/* All tasks die with this wait status. */
void process_kill_all_locked(struct process *p, uint32_t status);
void notify_parent_locked(struct process *p, int code);
sigset signal_default_ignored(void);

/* stop.c */
void stop_begin_locked(struct process *p, int sig);
void stop_continue_locked(struct process *p, bool report);
/* The current task parks while its process is stopped. */
void stop_park(struct task *t);
/* A task has left: the rest may be stopped completely. */
void stop_check_locked(struct process *p);

/* deliver.c */
void signal_user_return(struct trap_frame *f);

/* exit.c */
NORETURN void task_exit(void);

/* exec.c: the first program. 0 or an error. */
int exec_kernel(const char *path, const char *const argv[], const char *const envp[]) MUST_CHECK;

/* vdso.c */
void vdso_init(void);

#endif
