/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * What port/posix offers to Linux programs beyond the port's contract: block devices over files,
 * a counting wrapper for any block device, and control over messages.
 */
#ifndef PORT_POSIX_H
#define PORT_POSIX_H

#include "base/types.h"
#include "port/blk.h"
#include "port/log.h"

enum port_posix_flag {
	PORT_POSIX_RDONLY = 1,
	/* readv and writev go past the host's cache as well (readv_stable always tries to). */
	PORT_POSIX_DIRECT = 2,
};

/*
 * Opens the regular file or block device at path; its size is rounded down to PORT_BLK_ALIGN.
 * Gives *dev, to be closed by dev->ops->close. Returns 0, -errno of open(2), -PORT_EBUSY (a block
 * device that is mounted, opened for writing), -PORT_EINVAL (not a file or block device, or
 * shorter than one block) or -PORT_ENOMEM. Prints nothing.
 *
 * lock_exclusive takes an open-file-description lock on the whole file (shared if read-only), which
 * conflicts with other holders and with the locks of a running QEMU; it ends with close or the process.
 */
int port_posix_blk_open(const char *path, unsigned flags, struct port_blk **dev) MUST_CHECK;

/*
 * Makes path a sparse regular file of size bytes that reads as zeros (an existing regular file is
 * emptied first), and opens it as above. size is a multiple of PORT_BLK_ALIGN. For an existing
 * block device: checks that it is large enough and opens it. Additionally returns -PORT_ENOSPC
 * (block device too small). The caller has asked the user before.
 */
int port_posix_blk_create(const char *path, uint64_t size, struct port_blk **dev) MUST_CHECK;

/* What went through a counting device. Exact once no call is in flight. */
struct port_blk_counts {
	uint64_t reads; /* calls of readv and readv_stable */
	uint64_t writes;
	uint64_t flushes;
	uint64_t discards;
	uint64_t read_bytes;
	uint64_t write_bytes;
	uint64_t errors; /* calls that failed */
};

/* Takes lower and gives *dev, which counts and passes on; closing it closes lower. 0, -PORT_ENOMEM. */
int port_blk_count(struct port_blk *lower, struct port_blk **dev) MUST_CHECK;
/* dev came from port_blk_count. Any thread. */
void port_blk_counts_read(struct port_blk *dev, struct port_blk_counts *out);
void port_blk_counts_reset(struct port_blk *dev);

/* Messages above level are dropped. The default is PORT_LOG_WARN. Any thread. */
void port_posix_log_level(enum port_log_level level);
/*
 * Messages go to hook instead of stderr (NULL: stderr again). Set it before threads start. text has no
 * newline and lives during the call only.
 */
void port_posix_log_hook(void (*hook)(void *ctx, enum port_log_level level, const char *text),
			 void *ctx);
/* Precedes each line on stderr ("mkfs.dbfs"); must outlive its use. NULL: none. */
void port_posix_log_program(const char *name);

#endif
