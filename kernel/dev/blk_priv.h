/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#ifndef DEV_BLK_PRIV_H
#define DEV_BLK_PRIV_H

#include "dev/blk.h"

/* Whole 512-byte sectors. Errors as port_blk. */
int virtio_blk_rw(struct blkdev *b, bool write, uint64_t off, const struct port_iov *iov,
		  unsigned n) MUST_CHECK;

#endif
