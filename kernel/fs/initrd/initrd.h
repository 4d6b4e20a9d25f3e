/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The initial root: a tar archive in memory, unpacked into the root file system. */
#ifndef INITRD_INITRD_H
#define INITRD_INITRD_H

#include "base/types.h"

struct fs_context;

/*
 * Unpacks an archive (ustar, GNU long names, pax path/linkpath) below the root of fc as root. Returns how
 * many members it made, or a negative errno: -EINVAL for what is no tar archive. Members that
 * fail are reported and left out.
 */
int64_t initrd_unpack(struct fs_context *fc, const uint8_t *tar, uint64_t size);

#endif
