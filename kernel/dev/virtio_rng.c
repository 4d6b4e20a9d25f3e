/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* virtio-rng: one buffer at a time, stirred into the generator; refilled a few times at start. */
#include "arch/layout.h"
#include "dev/random.h"
#include "dev/virtio_mmio.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "sched/clock.h"
#include "sync/wait.h"

#define BYTES 64u
#define TIMEOUT (200 * NS_PER_MS)

struct rng {
	struct virtio_dev *v;
	struct virtq q;
	struct wait_queue wait;
	_Atomic uint32_t got; /* release by the interrupt */
	uint8_t *buf;
};

static void rng_interrupt(struct virtio_dev *v)
{
	struct rng *r = v->driver;
	uint32_t len;

	if (virtq_pop(&r->q, &len)) {
		random_add(r->buf, MIN(len, BYTES), len >= 32);
		atomic_store_explicit(&r->got, 1, memory_order_release);
		wait_wake_all(&r->wait);
	}
	(void)!virtq_rearm(&r->q);
}

int virtio_rng_probe(struct virtio_dev *v)
{
	struct rng *r = mm_alloc(sizeof(*r), MM_ZERO);
	struct virtq_buf b;
	int err;

	if (!r)
		return -ENOMEM;
	r->v = v;
	r->buf = mm_alloc(BYTES, MM_ZERO);
	wait_init(&r->wait);
	v->driver = r;
	v->interrupt = rng_interrupt;
	if (!r->buf)
		return -ENOMEM;
	err = virtio_negotiate(v, 0);
	if (!err)
		err = virtio_queue(v, &r->q, 0, 8);
	if (!err)
		err = virtio_start(v);
	if (err)
		return err;
	b = (struct virtq_buf){arch_direct_pa(r->buf), BYTES};
	if (!virtq_add(&r->q, &b, 0, 1, r))
		return -EIO;
	if (virtq_publish(&r->q))
		virtio_notify(v, 0);
	/* The interrupt stirs it in; waiting makes the generator ready before programs run. */
	(void)WAIT_EVENT_UNTIL(&r->wait, atomic_load_explicit(&r->got, memory_order_acquire),
			       clock_now() + TIMEOUT, WAIT_UNINTERRUPTIBLE);
	return 0;
}
