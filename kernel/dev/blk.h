/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Block devices: struct port_blk by name ("vda", "vdb" ...). The first -device/-drive on
 * QEMU's command line is vda: QEMU gives the first device the highest virtio-mmio address, so
 * names follow descending addresses.
 */
#ifndef DEV_BLK_H
#define DEV_BLK_H

#include "port/blk.h"

struct blkdev {
	struct port_blk blk; /* size rounded down to PORT_BLK_ALIGN */
	char name[8];
	uint32_t major;   /* 254, as Linux's virtblk */
	uint32_t minor;   /* 16 a disk */
	uint64_t sectors; /* exact size in 512-byte units */
	_Atomic uint64_t reads, read_sectors, writes, write_sectors, flushes; /* /proc/diskstats */
	char serial[21];
};

/* NULL: no such disk. Disks never go away. */
struct blkdev *blkdev_find(const char *name);
struct blkdev *blkdev_by_minor(uint32_t minor);
/* The i-th disk, NULL after the last. */
struct blkdev *blkdev_get(unsigned i);

/*
 * Any byte range, through a bounce buffer where it is not block aligned (for /dev/vdX and
 * partition readers). Sleeps. 0 or -EIO, -EINVAL (past the end), -EROFS, -ENOMEM.
 */
int blkdev_read_bytes(struct blkdev *d, uint64_t off, void *buf, size_t n) MUST_CHECK;
int blkdev_write_bytes(struct blkdev *d, uint64_t off, const void *buf, size_t n) MUST_CHECK;

#endif
