/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Futexes (docs/kernel/processes.md). */
#ifndef IPC_FUTEX_H
#define IPC_FUTEX_H

#include "base/types.h"

struct task;

#define FUTEX_MATCH_ANY UINT32_MAX

void futex_init(void);
/* 0, -EAGAIN (the word differs), -ETIMEDOUT, -EINTR, -EFAULT, -EINVAL. */
int futex_wait(uint64_t addr, bool shared, uint32_t val, uint64_t deadline, uint32_t bitset)
	MUST_CHECK;
/* How many were woken. */
int futex_wake(uint64_t addr, bool shared, uint32_t count, uint32_t bitset) MUST_CHECK;
struct futex_requeue {
	uint64_t from, to;
	bool shared;
	uint32_t wake, requeue;
	bool compare; /* the word at from must be val */
	uint32_t val;
};
int futex_requeue(const struct futex_requeue *r) MUST_CHECK;
/* op: FUTEX_WAKE_OP's encoded operation. */
int futex_wake_op(uint64_t addr, uint64_t addr2, bool shared, uint32_t wake, uint32_t wake2,
		  uint32_t op) MUST_CHECK;

#endif
