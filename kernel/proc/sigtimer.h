/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Queued signals that timers own: allocated once, reused, never lost for lack of memory. */
#ifndef PROC_SIGTIMER_H
#define PROC_SIGTIMER_H

#include "proc/signal.h"

struct sigqueue_entry;

struct sigqueue_entry *sigtimer_entry_create(void) MUST_CHECK;
/* Takes it off its queue first. */
void sigtimer_entry_free(struct sigqueue_entry *e);
struct siginfo *sigtimer_info(struct sigqueue_entry *e);
/* proc_lock held: */
bool sigtimer_queued_locked(const struct sigqueue_entry *e);
/* To the process, or (tid) to one task of it if that still lives. e NULL: an ordinary signal. */
void sigtimer_send_locked(struct process *p, int tid, const struct siginfo *info,
			  struct sigqueue_entry *e);

#endif
