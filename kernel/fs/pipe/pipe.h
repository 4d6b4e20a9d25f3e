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

#endif
