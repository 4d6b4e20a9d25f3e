/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* A block device that counts what passes through it. The counters are relaxed: statistics only. */
#include <stdatomic.h>
#include <stdlib.h>

#include "port/errors.h"
#include "port/posix.h"

struct count_blk {
	struct port_blk blk;
	struct port_blk *lower; /* owned */
	struct port_blk_ops ops;
	atomic_ullong reads;
	atomic_ullong writes;
	atomic_ullong flushes;
	atomic_ullong discards;
	atomic_ullong read_bytes;
	atomic_ullong write_bytes;
	atomic_ullong errors;
};

static struct count_blk *count_of(struct port_blk *dev)
{
	return container_of(dev, struct count_blk, blk);
}

static void add(atomic_ullong *counter, unsigned long long n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static uint64_t bytes_of(const struct port_iov *iov, unsigned n)
{
	uint64_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += iov[i].len;
	return len;
}

static int note(struct count_blk *c, int err)
{
	if (err)
		add(&c->errors, 1);
	return err;
}

static int count_readv(struct port_blk *dev, uint64_t off, const struct port_iov *iov, unsigned n)
{
	struct count_blk *c = count_of(dev);

	add(&c->reads, 1);
	add(&c->read_bytes, bytes_of(iov, n));
	return note(c, c->lower->ops->readv(c->lower, off, iov, n));
}

static int count_readv_stable(struct port_blk *dev, uint64_t off, const struct port_iov *iov,
			      unsigned n)
{
	struct count_blk *c = count_of(dev);

	add(&c->reads, 1);
	add(&c->read_bytes, bytes_of(iov, n));
	return note(c, c->lower->ops->readv_stable(c->lower, off, iov, n));
}

static int count_writev(struct port_blk *dev, uint64_t off, const struct port_iov *iov, unsigned n)
{
	struct count_blk *c = count_of(dev);

	add(&c->writes, 1);
	add(&c->write_bytes, bytes_of(iov, n));
	return note(c, c->lower->ops->writev(c->lower, off, iov, n));
}

static int count_flush(struct port_blk *dev)
{
	struct count_blk *c = count_of(dev);

	add(&c->flushes, 1);
	return note(c, c->lower->ops->flush(c->lower));
}

static int count_discard(struct port_blk *dev, uint64_t off, uint64_t len)
{
	struct count_blk *c = count_of(dev);

	add(&c->discards, 1);
	return note(c, c->lower->ops->discard(c->lower, off, len));
}

static int count_lock(struct port_blk *dev)
{
	struct count_blk *c = count_of(dev);

	return c->lower->ops->lock_exclusive(c->lower);
}

static void count_close(struct port_blk *dev)
{
	struct count_blk *c = count_of(dev);

	c->lower->ops->close(c->lower);
	free(c);
}

/* Optional operations stay absent where lower has none, so the table is the device's own. */
int port_blk_count(struct port_blk *lower, struct port_blk **dev)
{
	struct count_blk *c = calloc(1, sizeof(*c));

	if (!c)
		return -PORT_ENOMEM;
	c->lower = lower;
	c->ops.readv = count_readv;
	c->ops.writev = count_writev;
	c->ops.flush = count_flush;
	c->ops.discard = lower->ops->discard ? count_discard : NULL;
	c->ops.readv_stable = lower->ops->readv_stable ? count_readv_stable : NULL;
	c->ops.lock_exclusive = lower->ops->lock_exclusive ? count_lock : NULL;
	c->ops.close = count_close;
	c->blk = *lower;
	c->blk.ops = &c->ops;
	*dev = &c->blk;
	return 0;
}

static uint64_t get(atomic_ullong *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void port_blk_counts_read(struct port_blk *dev, struct port_blk_counts *out)
{
	struct count_blk *c = count_of(dev);

	out->reads = get(&c->reads);
	out->writes = get(&c->writes);
	out->flushes = get(&c->flushes);
	out->discards = get(&c->discards);
	out->read_bytes = get(&c->read_bytes);
	out->write_bytes = get(&c->write_bytes);
	out->errors = get(&c->errors);
}

void port_blk_counts_reset(struct port_blk *dev)
{
	struct count_blk *c = count_of(dev);
	atomic_ullong *all[] = {&c->reads,      &c->writes,      &c->flushes, &c->discards,
				&c->read_bytes, &c->write_bytes, &c->errors};

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
		atomic_store_explicit(all[i], 0, memory_order_relaxed);
}
