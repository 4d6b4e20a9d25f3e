/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Tests of block devices. They overwrite vda; vdb must be read-only with known contents (each
 * 512-byte sector begins with its number, little-endian), vdc must fail its reads of sector 64
 * and its flushes. The driver script makes them.
 */
#include "arch/vmap.h"
#include "dev/blk.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "selftest/selftest.h"

#define WORKERS 6u
#define ROUNDS 40u
#define AREA 0x100000u /* bytes of vda for each worker */

static struct blkdev *need(const char *name)
{
	struct blkdev *d = blkdev_find(name);

	return d && d->blk.size >= WORKERS * AREA ? d : NULL;
}

static void fill(uint8_t *p, size_t n, uint64_t seed)
{
	for (size_t i = 0; i + 8 <= n; i += 8) {
		uint64_t v = selftest_random(&seed);

		memcpy(p + i, &v, 8);
	}
}

static bool filled(const uint8_t *p, size_t n, uint64_t seed)
{
	for (size_t i = 0; i + 8 <= n; i += 8) {
		uint64_t v = selftest_random(&seed);

		if (memcmp(p + i, &v, 8) != 0)
			return false;
	}
	return true;
}

struct worker {
	unsigned id;
	bool ok;
};

static bool write_and_check(struct blkdev *d, uint8_t *buf, uint64_t off, size_t n, uint64_t seed)
{
	struct port_iov iov[3] = {{buf, 4096}, {buf + 4096, n - 8192}, {buf + n - 4096, 4096}};

	fill(buf, n, seed);
	EXPECT(d->blk.ops->writev(&d->blk, off, iov, 3) == 0);
	memset(buf, 0, n);
	EXPECT(port_blk_read(&d->blk, off, buf, n) == 0);
	EXPECT(filled(buf, n, seed));
	return true;
}

static void work(void *arg)
{
	struct worker *w = arg;
	struct blkdev *d = blkdev_find("vda");
	size_t max = 0x80000;
	uint8_t *buf = w->id % 2 ? arch_vmalloc(max) : mm_alloc(max, 0);
	uint64_t seed = w->id;

	w->ok = buf != NULL;
	for (unsigned i = 0; w->ok && i < ROUNDS; i++) {
		size_t n = 4096 * (3 + selftest_random(&seed) % (max / 4096 - 3));
		uint64_t off = w->id * AREA + 4096 * (selftest_random(&seed) % 128);

		w->ok = write_and_check(d, buf, off, n, seed);
		if (w->ok && i % 8 == 0)
			w->ok = port_blk_flush(&d->blk) == 0;
	}
	mm_free(buf);
}

static bool test_parallel(void)
{
	struct worker w[WORKERS];

	EXPECT(need("vda"));
	for (unsigned i = 0; i < WORKERS; i++)
		w[i] = (struct worker){i, false};
	EXPECT(selftest_parallel(WORKERS, work, w, sizeof(w[0])));
	for (unsigned i = 0; i < WORKERS; i++)
		EXPECT(w[i].ok);
	return true;
}

static bool test_bytes(void)
{
	struct blkdev *d = need("vda");
	static uint8_t buf[3000];
	uint64_t size;

	EXPECT(d);
	size = d->sectors * 512;
	fill(buf, sizeof(buf), 9);
	EXPECT(blkdev_write_bytes(d, 777, buf, sizeof(buf)) == 0);
	memset(buf, 0, sizeof(buf));
	EXPECT(blkdev_read_bytes(d, 777, buf, sizeof(buf)) == 0);
	EXPECT(filled(buf, sizeof(buf), 9));
	EXPECT(blkdev_read_bytes(d, size - 5, buf, 5) == 0);
	EXPECT(blkdev_read_bytes(d, size - 5, buf, 6) == -EINVAL);
	EXPECT(blkdev_read_bytes(d, UINT64_MAX, buf, 2) == -EINVAL);
	return true;
}

static bool test_read_only(void)
{
	struct blkdev *d = blkdev_find("vdb");
	uint8_t *buf = mm_alloc(4096, 0);
	uint64_t n;

	EXPECT(d && buf && d->blk.read_only);
	EXPECT(port_blk_read(&d->blk, 8192, buf, 4096) == 0);
	for (unsigned i = 0; i < 8; i++) {
		memcpy(&n, buf + i * 512, 8);
		EXPECT(n == 16 + i);
	}
	EXPECT(blkdev_write_bytes(d, 0, buf, 4096) == -EROFS);
	EXPECT(port_blk_read(&d->blk, d->blk.size, buf, 4096) == -EIO);
	mm_free(buf);
	return true;
}

static bool test_errors(void)
{
	struct blkdev *d = blkdev_find("vdc");
	uint8_t *buf = mm_alloc(65536, 0);

	EXPECT(d && buf);
	EXPECT(port_blk_read(&d->blk, 0, buf, 4096) == 0);
	EXPECT(port_blk_read(&d->blk, 32768, buf, 4096) == -EIO);
	EXPECT(port_blk_read(&d->blk, 0, buf, 65536) == -EIO);
	EXPECT(port_blk_read(&d->blk, 0, buf, 4096) == 0);
	/* QEMU passes a flush on only after a write. */
	EXPECT(blkdev_write_bytes(d, 0, buf, 4096) == 0);
	EXPECT(port_blk_flush(&d->blk) == -EIO);
	mm_free(buf);
	return true;
}

const struct selftest selftest_blk[] = {
	{"disk, in parallel", test_parallel},
	{"disk, bytes", test_bytes},
	{"disk, read-only", test_read_only},
	{"disk, errors", test_errors},
	{NULL, NULL},
};
