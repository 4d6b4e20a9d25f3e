/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Error numbers of the port: the values of Linux's errno on riscv64 and x86-64, which DBFS's own
 * (dbfs/errors.h) continue. Functions return 0 or a negative one of these.
 */
#ifndef PORT_ERRORS_H
#define PORT_ERRORS_H

enum port_error {
	PORT_EPERM = 1,
	PORT_ENOENT = 2,
	PORT_EINTR = 4,
	PORT_EIO = 5,
	PORT_EAGAIN = 11,
	PORT_ENOMEM = 12,
	PORT_EBUSY = 16,
	PORT_EINVAL = 22,
	PORT_ENOSPC = 28,
	PORT_EROFS = 30,
};

#endif
