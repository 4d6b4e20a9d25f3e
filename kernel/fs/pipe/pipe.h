/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Pipes and FIFOs. */
#ifndef PIPE_PIPE_H
#define PIPE_PIPE_H

#include "vfs/file.h"

/* The read end and the write end. flags: VFS_O_NONBLOCK. 0 or -ENOMEM. */
int pipe_create(unsigned flags, struct file *out[2]) MUST_CHECK;
/* Opening a FIFO: sets f->ops; may wait for the other side (-EINTR). */
int fifo_open(struct vnode *vn, struct file *f) MUST_CHECK;

/* fcntl(F_GETPIPE_SZ): bytes that fit, or -EBADF if f is no pipe. */
long pipe_get_size(struct file *f);
/*
 * fcntl(F_SETPIPE_SZ): rounds up to a power of two of pages and returns that. -EBUSY: more is in
 * it; -EPERM: above 1 MiB and not privileged.
 */
long pipe_set_size(struct file *f, uint64_t bytes, bool privileged);

#endif
