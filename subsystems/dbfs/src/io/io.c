/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#include "io/io.h"

#include "base/crc32c.h"
#include "base/overflow.h"
#include "port/log.h"

static int check_range(const struct dbfs_io *io, uint64_t block, uint64_t count, const char *what)
{
	if (range_fits(block, count, io->blocks))
		return 0;
	port_log(PORT_LOG_ERROR, "dbfs: %s of %llu blocks at %llu: the volume has %llu", what,
		 (unsigned long long)count, (unsigned long long)block,
		 (unsigned long long)io->blocks);
	return -DBFS_EIO;
}

int dbfs_io_read(struct dbfs_io *io, uint64_t block, void *buf, uint32_t count)
{
	int err = check_range(io, block, count, "read");

	if (err)
		return err;
	return port_blk_read(io->dev, block * DBFS_BLOCK_SIZE, buf,
			     (size_t)count * DBFS_BLOCK_SIZE);
}

int dbfs_io_read_stable(struct dbfs_io *io, uint64_t block, void *buf, uint32_t count)
{
	struct port_iov iov = {buf, (size_t)count * DBFS_BLOCK_SIZE};
	int err = check_range(io, block, count, "read");

	if (err)
		return err;
	if (!io->dev->ops->readv_stable)
		return port_blk_readv(io->dev, block * DBFS_BLOCK_SIZE, &iov, 1);
	return io->dev->ops->readv_stable(io->dev, block * DBFS_BLOCK_SIZE, &iov, 1);
}

int dbfs_io_writev(struct dbfs_io *io, uint64_t block, const struct port_iov *iov, unsigned n)
{
	uint64_t bytes = 0;
	int err;

	for (unsigned i = 0; i < n; i++)
		bytes += iov[i].len;
	err = check_range(io, block, bytes / DBFS_BLOCK_SIZE, "write");
	if (err)
		return err;
	return port_blk_writev(io->dev, block * DBFS_BLOCK_SIZE, iov, n);
}

int dbfs_io_write(struct dbfs_io *io, uint64_t block, void *buf, uint32_t count)
{
	struct port_iov iov = {buf, (size_t)count * DBFS_BLOCK_SIZE};

	return dbfs_io_writev(io, block, &iov, 1);
}

int dbfs_io_flush(struct dbfs_io *io)
{
	atomic_fetch_add_explicit(&io->flushes, 1, memory_order_relaxed);
	return port_blk_flush(io->dev);
}

uint32_t dbfs_io_block_crc(const void *block, size_t crc_off)
{
	static const uint8_t zero[4];
	const uint8_t *p = block;
	uint32_t crc = base_crc32c(0, p, crc_off);

	crc = base_crc32c(crc, zero, sizeof(zero));
	return base_crc32c(crc, p + crc_off + 4, DBFS_BLOCK_SIZE - crc_off - 4);
}
