/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * A block device: a table of functions with a context, so that they stack (fault injector over
 * crash simulator over RAM; counter over file; virtio in the kernel).
 *
 * Offsets and lengths are multiples of PORT_BLK_ALIGN and inside the device; buffers are
 * aligned to 16 bytes (pages from port_alloc_pages avoid a copy under direct I/O). Calls may come
 * from many threads at once; overlapping writes in flight have no defined order.
 *
 * Durability: a completed write may be lost, torn at any 512-byte boundary, or overtaken by later
 * ones in a crash, until a flush that began after its completion has returned 0. After a failed flush
 * nothing written since the last good one may be assumed durable, and trying again proves nothing.
 */
#ifndef PORT_BLK_H
#define PORT_BLK_H

#include "base/types.h"

#define PORT_BLK_ALIGN 4096u

struct port_iov {
	void *base; /* not written through by writev */
	size_t len;
};

struct port_blk;

struct port_blk_ops {
	/* All of it or an error: 0, -PORT_EIO, -PORT_ENOMEM, -PORT_EROFS. They may sleep. */
	int (*readv)(struct port_blk *dev, uint64_t off, const struct port_iov *iov, unsigned n);
	int (*writev)(struct port_blk *dev, uint64_t off, const struct port_iov *iov, unsigned n);
	int (*flush)(struct port_blk *dev);
	/* A hint; contents are undefined afterwards. May be NULL. */
	int (*discard)(struct port_blk *dev, uint64_t off, uint64_t len);
	/*
	 * Reads what is on stable storage or as near to it as can be got (past the host's cache).
	 * For recovery. NULL: readv does.
	 */
	int (*readv_stable)(struct port_blk *dev, uint64_t off, const struct port_iov *iov,
			    unsigned n);
	/* Takes the device for one writer (across processes). 0 or -PORT_EBUSY. NULL: no sharing. */
	int (*lock_exclusive)(struct port_blk *dev);
	/* Releases the device; dev is not used afterwards. */
	void (*close)(struct port_blk *dev);
};

/* Embedded in the implementation's own structure (container_of). Const after open. */
struct port_blk {
	const struct port_blk_ops *ops;
	uint64_t size; /* bytes, a multiple of PORT_BLK_ALIGN */
	bool read_only;
	const char *name; /* for messages */
};

static inline MUST_CHECK int port_blk_readv(struct port_blk *dev, uint64_t off,
					    const struct port_iov *iov, unsigned n)
{
	return dev->ops->readv(dev, off, iov, n);
}

static inline MUST_CHECK int port_blk_writev(struct port_blk *dev, uint64_t off,
					     const struct port_iov *iov, unsigned n)
{
	return dev->ops->writev(dev, off, iov, n);
}

static inline MUST_CHECK int port_blk_flush(struct port_blk *dev)
{
	return dev->ops->flush(dev);
}

static inline MUST_CHECK int port_blk_read(struct port_blk *dev, uint64_t off, void *buf,
					   size_t len)
{
	struct port_iov iov = {buf, len};

	return dev->ops->readv(dev, off, &iov, 1);
}

#endif
