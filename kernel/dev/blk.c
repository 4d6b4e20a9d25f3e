/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Looking disks up, and access to any byte range through a bounce buffer. */
#include "dev/blk.h"

#include "arch/layout.h"
#include "dev/blk_priv.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"

#define SECTOR 512u
#define BOUNCE 16384u

struct blkdev *blkdev_find(const char *name)
{
	struct blkdev *d;

	for (unsigned i = 0; (d = blkdev_get(i)) != NULL; i++) {
		if (strcmp(d->name, name) == 0)
			return d;
	}
	return NULL;
}

struct blkdev *blkdev_by_minor(uint32_t minor)
{
	struct blkdev *d;

	for (unsigned i = 0; (d = blkdev_get(i)) != NULL; i++) {
		if (d->minor == minor)
			return d;
	}
	return NULL;
}

static int rw_once(struct blkdev *d, bool write, uint64_t off, void *buf, size_t n)
{
	struct port_iov iov = {buf, n};

	return virtio_blk_rw(d, write, off, &iov, 1);
}

/* One step: at most a bounce buffer, sectors rounded outwards. Returns bytes done or an error. */
static int64_t step(struct blkdev *d, bool write, uint64_t off, char *buf, size_t n, char *bounce)
{
	uint64_t from = ALIGN_DOWN(off, (uint64_t)SECTOR);
	size_t len = (size_t)MIN(n, BOUNCE - (off - from));
	size_t span = (size_t)ALIGN_UP(off - from + len, (uint64_t)SECTOR);
	int err = 0;

	if (!write || span != len)
		err = rw_once(d, false, from, bounce, span);
	if (err)
		return err;
	if (!write) {
		memcpy(buf, bounce + (off - from), len);
		return (int64_t)len;
	}
	memcpy(bounce + (off - from), buf, len);
	err = rw_once(d, true, from, bounce, span);
	return err ? err : (int64_t)len;
}

static int rw_bytes(struct blkdev *d, bool write, uint64_t off, char *buf, size_t n)
{
	uint64_t size = d->sectors * SECTOR;
	char *bounce;
	int err = 0;

	if (off > size || n > size - off)
		return -EINVAL;
	if (write && d->blk.read_only)
		return -EROFS;
	if (n == 0)
		return 0;
	if (off % SECTOR == 0 && n % SECTOR == 0)
		return rw_once(d, write, off, buf, n);
	bounce = mm_alloc(BOUNCE, MM_NORMAL);
	if (!bounce)
		return -ENOMEM;
	while (n > 0 && !err) {
		int64_t done = step(d, write, off, buf, n, bounce);

		if (done < 0) {
			err = (int)done;
			break;
		}
		off += (uint64_t)done;
		buf += done;
		n -= (size_t)done;
	}
	mm_free(bounce);
	return err;
}

int blkdev_read_bytes(struct blkdev *d, uint64_t off, void *buf, size_t n)
{
	return rw_bytes(d, false, off, buf, n);
}

int blkdev_write_bytes(struct blkdev *d, uint64_t off, const void *buf, size_t n)
{
	return rw_bytes(d, true, off, (char *)(uintptr_t)buf, n);
}
