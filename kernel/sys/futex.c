/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* futex(2): decodes the operation. Priority inheritance is not offered (ENOSYS). */
#include "ipc/futex.h"

#include "proc/process.h"
#include "sys/clocks.h"
#include "sys/syscall.h"
#include "sys/user_types.h"

enum {
	FUTEX_WAIT = 0,
	FUTEX_WAKE = 1,
	FUTEX_REQUEUE = 3,
	FUTEX_CMP_REQUEUE = 4,
	FUTEX_WAKE_OP = 5,
	FUTEX_WAIT_BITSET = 9,
	FUTEX_WAKE_BITSET = 10,
	FUTEX_PRIVATE_FLAG = 128,
	FUTEX_CLOCK_REALTIME = 256,
};

/* restart: address, value, deadline, shared, bitset */
static long wait_again(struct task *t)
{
	const uint64_t *r = t->restart;
	int err = futex_wait(r[0], r[3] != 0, (uint32_t)r[1], r[2], (uint32_t)r[4]);

	if (err != -EINTR)
		return err;
	return r[2] == WAIT_FOREVER ? -ERESTARTSYS : -ERESTART_RESTARTBLOCK;
}

static long do_wait(const struct syscall_args *a, uint32_t op, bool shared)
{
	struct task *t = current_task();
	bool bitset = (op & 127) == FUTEX_WAIT_BITSET;
	uint64_t deadline = WAIT_FOREVER, ns;
	int id = op & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;

	if (a->v[3]) {
		int err = get_user_timespec(a->v[3], &ns);

		if (err)
			return err;
		deadline = clock_deadline(id, bitset, ns);
	}
	t->restart[0] = a->v[0];
	t->restart[1] = arg_u32(a, 2);
	t->restart[2] = deadline;
	t->restart[3] = shared;
	t->restart[4] = bitset ? arg_u32(a, 5) : FUTEX_MATCH_ANY;
	t->restart_fn = wait_again;
	return wait_again(t);
}

SYSCALL(futex)
{
	uint32_t op = arg_u32(a, 1), val = arg_u32(a, 2);
	bool shared = !(op & FUTEX_PRIVATE_FLAG);
	struct futex_requeue r = {.from = a->v[0],
				  .to = a->v[4],
				  .shared = shared,
				  .wake = val,
				  .requeue = (uint32_t)a->v[3],
				  .val = arg_u32(a, 5)};

	switch (op & 127) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		return do_wait(a, op, shared);
	case FUTEX_WAKE:
		return futex_wake(a->v[0], shared, val, FUTEX_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(a->v[0], shared, val, arg_u32(a, 5));
	case FUTEX_CMP_REQUEUE:
		r.compare = true;
		if ((int32_t)r.wake < 0 || (int32_t)r.requeue < 0)
			return -EINVAL;
		return futex_requeue(&r);
	case FUTEX_REQUEUE:
		if ((int32_t)r.wake < 0 || (int32_t)r.requeue < 0)
			return -EINVAL;
		return futex_requeue(&r);
	case FUTEX_WAKE_OP:
		return futex_wake_op(a->v[0], a->v[4], shared, val, (uint32_t)a->v[3],
				     arg_u32(a, 5));
	default:
		return -ENOSYS;
	}
}
