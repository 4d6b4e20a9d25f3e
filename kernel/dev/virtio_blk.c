/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * virtio-blk: disks as struct port_blk.
 *
 * A call is cut into requests of at most MAX_SEGS pieces that are physically contiguous; all
 * go to the device before the call waits, so a large transfer is pipelined and the doorbell is
 * rung once. Requests come from a fixed pool: no allocation on the I/O path.
 *
 *   struct io        one call, on the caller's stack: requests outstanding, first error
 *   struct request   header, status byte and buffer list; in the pool or owned by one io
 *
 * BLK-1  A request belongs to its io from take_request to its completion under the disk's
 * lock; the io leaves
 *        the caller's stack only after pending is 0 and the lock was taken once more.
 * BLK-2  flush returns 0 only if the device confirmed a flush that was submitted after the
 * call began, or has
 *        no volatile cache (the feature is not offered).
 * BLK-3  A request is whole sectors. Pieces are whole sectors, or halves of one where a page
 * of scattered
 *        memory ends inside it; so one that is full but for one piece ends at a sector.
 *
 * Locking: one spinlock a disk (rank SPIN_DEV, irqsave).
 */
#include <stdatomic.h>

#include "arch/mmu.h"
#include "dev/blk.h"
#include "dev/blk_priv.h"
#include "dev/virtio_mmio.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "port/log.h"
#include "sync/wait.h"

#define MAX_SEGS 62u
#define POOL 24u
#define QUEUE_SIZE 256u
#define SECTOR 512u
#define MAX_DISKS 8u
#define MAX_SEG_BYTES 0x400000u

#define F_SIZE_MAX (1ull << 1)
#define F_SEG_MAX (1ull << 2)
#define F_RO (1ull << 5)
#define F_FLUSH (1ull << 9)

enum blk_type { BLK_READ = 0, BLK_WRITE = 1, BLK_FLUSH = 4, BLK_GET_ID = 8 };

struct blk_header { /* as the device reads it */
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};

struct io {
	uint32_t pending; /* lock: disk.lock */
	int err;          /* lock: disk.lock */
	struct wait_queue wait;
};

struct request {
	struct blk_header header;
	uint8_t status;
	unsigned segs;
	uint64_t bytes;
	struct io *io;
	struct request *next; /* in the pool; lock: disk.lock */
	struct virtq_buf bufs[MAX_SEGS + 2];
};

struct disk {
	struct blkdev dev;
	struct virtio_dev *v;
	struct spinlock lock;
	struct virtq q;         /* lock: lock */
	struct request *pool;   /* lock: lock */
	struct wait_queue room; /* for a request or descriptors */
	uint32_t max_segs;      /* const after probe, also the next two */
	uint32_t max_seg_bytes;
	bool has_flush;
	bool stopped; /* lock: lock */
};

static struct disk *disks[MAX_DISKS]; /* grows at start only */
static unsigned disk_count;

static void complete(struct disk *d, struct request *r)
{
	struct io *io = r->io;

	if (r->status != 0 && !io->err)
		io->err = r->status == 2 ? -EOPNOTSUPP : -EIO;
	r->next = d->pool;
	d->pool = r;
	if (--io->pending == 0)
		wait_wake_all(&io->wait); /* BLK-1: under the lock */
}

/* The device has returned nonsense: it is stopped, and what it had fails. */
static void fail_all(struct disk *d)
{
	port_log(PORT_LOG_ERROR, "%s: the device's answers make no sense; it is stopped",
		 d->dev.name);
	virtio_fail(d->v);
	d->stopped = true;
	for (unsigned i = 0; i < d->q.size; i++) {
		struct request *r = d->q.tokens[i];

		if (!r)
			continue;
		d->q.tokens[i] = NULL;
		r->status = 1;
		complete(d, r);
	}
}

static void blk_interrupt(struct virtio_dev *v)
{
	struct disk *d = v->driver;
	unsigned long flags = spin_lock_irqsave(&d->lock);
	struct request *r;
	uint32_t len;

	do {
		while ((r = virtq_pop(&d->q, &len)) != NULL)
			complete(d, r);
	} while (virtq_rearm(&d->q));
	if (d->q.broken && !d->stopped)
		fail_all(d);
	spin_unlock_irqrestore(&d->lock, flags);
	wait_wake_all(&d->room);
}

static struct request *pop_pool(struct disk *d)
{
	unsigned long flags = spin_lock_irqsave(&d->lock);
	struct request *r = d->pool;

	if (r)
		d->pool = r->next;
	spin_unlock_irqrestore(&d->lock, flags);
	return r;
}

static bool kick_locked(struct disk *d)
{
	return virtq_publish(&d->q);
}

static void kick(struct disk *d)
{
	unsigned long flags = spin_lock_irqsave(&d->lock);
	bool ring = kick_locked(d);

	spin_unlock_irqrestore(&d->lock, flags);
	if (ring)
		virtio_notify(d->v, 0);
}

/* Waits for a free request if need be (after ringing for those that wait to be seen). */
static struct request *take_request(struct disk *d, enum blk_type type, uint64_t sector,
				    struct io *io)
{
	struct request *r = pop_pool(d);

	if (!r) {
		kick(d);
		WAIT_EVENT(&d->room, (r = pop_pool(d)) != NULL);
	}
	r->header = (struct blk_header){type, 0, sector};
	r->status = 0xff;
	r->segs = 0;
	r->bytes = 0;
	r->io = io;
	r->bufs[0] = (struct virtq_buf){arch_direct_pa(&r->header), sizeof(r->header)};
	return r;
}

static bool try_submit(struct disk *d, struct request *r)
{
	unsigned long flags = spin_lock_irqsave(&d->lock);
	bool in = r->header.type == BLK_READ || r->header.type == BLK_GET_ID;
	bool ok;

	r->bufs[r->segs + 1] = (struct virtq_buf){arch_direct_pa(&r->status), 1};
	ok = virtq_add(&d->q, r->bufs, in ? 1 : r->segs + 1, in ? r->segs + 1 : 1, r);
	if (ok)
		r->io->pending++;
	if (!ok && d->q.broken) { /* the device is out of order: every request fails */
		r->io->pending++;
		r->status = 1;
		complete(d, r);
		ok = true;
	}
	spin_unlock_irqrestore(&d->lock, flags);
	return ok;
}

static void submit(struct disk *d, struct request *r)
{
	if (try_submit(d, r))
		return;
	kick(d);
	WAIT_EVENT(&d->room, try_submit(d, r));
}

/* The physically contiguous start of [p, p + len), at most max bytes. */
static struct virtq_buf piece(const char *p, size_t len, size_t max)
{
	size_t n = len;

	if (!arch_is_direct(p))
		n = MIN(n, ARCH_PAGE_SIZE - (uintptr_t)p % ARCH_PAGE_SIZE);
	return (struct virtq_buf){arch_kernel_pa(p), (uint32_t)MIN(n, max)};
}

static bool io_done(struct disk *d, struct io *io)
{
	unsigned long flags = spin_lock_irqsave(&d->lock);
	bool done = io->pending == 0;

	spin_unlock_irqrestore(&d->lock, flags);
	return done;
}

static int finish(struct disk *d, struct io *io)
{
	kick(d);
	WAIT_EVENT(&io->wait, io_done(d, io)); /* BLK-1: io_done takes the lock */
	return io->err;
}

/* Each iov is a whole number of sectors. */
static int transfer(struct disk *d, enum blk_type type, uint64_t sector, const struct port_iov *iov,
		    unsigned n)
{
	struct io io = {0};
	struct request *r = NULL;

	wait_init(&io.wait);
	for (unsigned i = 0; i < n; i++) {
		const char *p = iov[i].base;
		size_t left = iov[i].len;

		while (left > 0) {
			struct virtq_buf b = piece(p, left, d->max_seg_bytes);

			/* A full request goes off, but only at a sector's end: BLK-3. */
			if (r && r->segs >= d->max_segs - 1 && r->bytes % SECTOR == 0) {
				submit(d, r);
				r = NULL;
			}
			if (!r)
				r = take_request(d, type, sector, &io);
			r->bufs[++r->segs] = b;
			r->bytes += b.len;
			if (r->bytes % SECTOR == 0)
				sector = r->header.sector + r->bytes / SECTOR;
			p += b.len;
			left -= b.len;
		}
	}
	if (r)
		submit(d, r);
	return finish(d, &io);
}

static struct disk *disk_of(struct port_blk *b)
{
	return container_of(b, struct disk, dev.blk);
}

/* Sum of the lengths; odd (so not accepted) if one is not a whole number of sectors. */
static size_t total(const struct port_iov *iov, unsigned n)
{
	size_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		if (iov[i].len % SECTOR)
			return 1;
		sum += iov[i].len;
	}
	return sum;
}

int virtio_blk_rw(struct blkdev *b, bool write, uint64_t off, const struct port_iov *iov,
		  unsigned n)
{
	struct disk *d = container_of(b, struct disk, dev);
	size_t len = total(iov, n);

	if (write && b->blk.read_only)
		return -EROFS;
	if (off % SECTOR || len % SECTOR || off / SECTOR > b->sectors ||
	    len / SECTOR > b->sectors - off / SECTOR)
		return -EIO;
	if (write) {
		atomic_fetch_add_explicit(&b->writes, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&b->write_sectors, len / SECTOR, memory_order_relaxed);
	} else {
		atomic_fetch_add_explicit(&b->reads, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&b->read_sectors, len / SECTOR, memory_order_relaxed);
	}
	return transfer(d, write ? BLK_WRITE : BLK_READ, off / SECTOR, iov, n);
}

static int blk_readv(struct port_blk *b, uint64_t off, const struct port_iov *iov, unsigned n)
{
	return virtio_blk_rw(&disk_of(b)->dev, false, off, iov, n);
}

static int blk_writev(struct port_blk *b, uint64_t off, const struct port_iov *iov, unsigned n)
{
	return virtio_blk_rw(&disk_of(b)->dev, true, off, iov, n);
}

static int blk_flush(struct port_blk *b)
{
	struct disk *d = disk_of(b);
	struct io io = {0};

	atomic_fetch_add_explicit(&d->dev.flushes, 1, memory_order_relaxed);
	if (!d->has_flush)
		return 0; /* BLK-2 */
	wait_init(&io.wait);
	submit(d, take_request(d, BLK_FLUSH, 0, &io));
	return finish(d, &io);
}

static void blk_close(struct port_blk *b)
{
	(void)b;
}

static const struct port_blk_ops blk_ops = {
	.readv = blk_readv,
	.writev = blk_writev,
	.flush = blk_flush,
	.close = blk_close,
};

static void read_serial(struct disk *d)
{
	struct io io = {0};
	struct request *r;
	char *id = mm_alloc(32, MM_ZERO);

	if (!id)
		return;
	wait_init(&io.wait);
	r = take_request(d, BLK_GET_ID, 0, &io);
	r->bufs[++r->segs] = (struct virtq_buf){arch_direct_pa(id), 20};
	submit(d, r);
	if (finish(d, &io) == 0)
		strlcpy(d->dev.serial, id, sizeof(d->dev.serial));
	mm_free(id);
}

static int setup(struct disk *d)
{
	struct virtio_dev *v = d->v;
	struct blkdev *b = &d->dev;
	int err = virtio_negotiate(v, F_SIZE_MAX | F_SEG_MAX | F_RO | F_FLUSH);

	if (err)
		return err;
	b->sectors = (uint64_t)virtio_config32(v, 4) << 32 | virtio_config32(v, 0);
	b->blk.size = ALIGN_DOWN(b->sectors * SECTOR, (uint64_t)PORT_BLK_ALIGN);
	b->blk.read_only = (v->features & F_RO) != 0;
	b->blk.ops = &blk_ops;
	d->has_flush = (v->features & F_FLUSH) != 0;
	d->max_seg_bytes = v->features & F_SIZE_MAX ? virtio_config32(v, 8) : MAX_SEG_BYTES;
	d->max_seg_bytes = ALIGN_DOWN(d->max_seg_bytes, (uint32_t)ARCH_PAGE_SIZE);
	d->max_segs = v->features & F_SEG_MAX ? MIN(virtio_config32(v, 12), MAX_SEGS) : MAX_SEGS;
	if (d->max_segs < 2 || d->max_seg_bytes == 0)
		return -ENODEV;
	err = virtio_queue(v, &d->q, 0, QUEUE_SIZE);
	if (err)
		return err;
	d->max_segs = MIN(d->max_segs, d->q.size - 2u);
	for (unsigned i = 0; i < POOL; i++) {
		struct request *r = mm_alloc(sizeof(*r), MM_ZERO);

		if (!r)
			return i >= 2 ? 0 : -ENOMEM;
		r->next = d->pool;
		d->pool = r;
	}
	return 0;
}

int virtio_blk_probe(struct virtio_dev *v)
{
	struct disk *d;
	int err;

	if (disk_count == MAX_DISKS)
		return -ENOSPC;
	d = mm_alloc(sizeof(*d), MM_ZERO);
	if (!d)
		return -ENOMEM;
	d->v = v;
	v->driver = d;
	v->interrupt = blk_interrupt;
	spin_init(&d->lock, LOCK_RANK_SPIN_DEV);
	wait_init(&d->room);
	err = setup(d);
	if (!err)
		err = virtio_start(v);
	if (err)
		return err;
	(void)!virtq_rearm(&d->q); /* nothing is in flight yet */
	snprintf(d->dev.name, sizeof(d->dev.name), "vd%c", 'a' + (char)disk_count);
	d->dev.blk.name = d->dev.name;
	d->dev.major = 254;
	d->dev.minor = disk_count * 16;
	disks[disk_count++] = d;
	read_serial(d);
	port_log(PORT_LOG_INFO, "%s: %llu sectors%s%s", d->dev.name,
		 (unsigned long long)d->dev.sectors, d->dev.blk.read_only ? ", read-only" : "",
		 d->has_flush ? "" : ", no write cache");
	return 0;
}

struct blkdev *blkdev_get(unsigned i)
{
	return i < disk_count ? &disks[i]->dev : NULL;
}
