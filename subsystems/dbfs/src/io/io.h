/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The device as the engine sees it: whole blocks by number, bounds checked, flushes counted; the
 * superblock and the root slots. All calls may sleep; any thread.
 */
#ifndef DBFS_IO_IO_H
#define DBFS_IO_IO_H

#include <stdatomic.h>

#include "io/ondisk.h"
#include "port/blk.h"

struct dbfs_io {
	struct port_blk *dev;      /* const after init */
	uint64_t blocks;           /* const after init; of the volume, <= the device */
	_Atomic(uint64_t) flushes; /* relaxed: statistics */
};

/* What the superblock says. */
struct dbfs_super {
	uint8_t uuid[16];
	char label[32];
	uint8_t secret[16];
	uint64_t total_blocks;
	uint64_t log_start;
	uint64_t log_blocks;
	uint64_t data_start;
};

/* -DBFS_EIO also for blocks outside the volume (a hostile number; logged). */
int dbfs_io_read(struct dbfs_io *io, uint64_t block, void *buf, uint32_t count) MUST_CHECK;
/* The same past the host's caches, for recovery. */
int dbfs_io_read_stable(struct dbfs_io *io, uint64_t block, void *buf, uint32_t count) MUST_CHECK;
int dbfs_io_write(struct dbfs_io *io, uint64_t block, void *buf, uint32_t count) MUST_CHECK;
/* iov in whole blocks, n <= DBFS_IO_IOV_MAX. */
int dbfs_io_writev(struct dbfs_io *io, uint64_t block, const struct port_iov *iov, unsigned n)
	MUST_CHECK;
int dbfs_io_flush(struct dbfs_io *io) MUST_CHECK;

#define DBFS_IO_IOV_MAX 64u

/* CRC32C of a whole block in which the field at crc_off is taken as zero. */
uint32_t dbfs_io_block_crc(const void *block, size_t crc_off);

/* buf: one block of scratch memory. -DBFS_EFORMAT, -DBFS_ECORRUPT, -DBFS_EIO. */
int dbfs_super_read(struct dbfs_io *io, struct dbfs_super *out, void *buf) MUST_CHECK;
/* Writes both copies; the caller flushes. */
int dbfs_super_write(struct dbfs_io *io, const struct dbfs_super *s, void *buf) MUST_CHECK;

/*
 * The newest valid root of the four stored ones, into the block *root; *slot says where it stood.
 * scratch: one more block. -DBFS_ECORRUPT if there is none.
 */
int dbfs_root_read(struct dbfs_io *io, const struct dbfs_super *s, struct dbfs_disk_root *root,
		   void *scratch, unsigned *slot) MUST_CHECK;
/* Sets the CRC and writes the block at root to both copies of slot; the caller flushes. */
int dbfs_root_write(struct dbfs_io *io, struct dbfs_disk_root *root, unsigned slot) MUST_CHECK;

#endif
