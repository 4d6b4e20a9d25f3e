/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Error numbers of DBFS. Functions return 0 or a negative one of these. The first group has the
 * values of Linux's errno (asserted where a system's own errno.h is at hand); the second has none
 * there and is mapped at the edge by dbfs_errno() - docs/errors.md.
 */
#ifndef DBFS_ERRORS_H
#define DBFS_ERRORS_H

enum dbfs_error {
	DBFS_EPERM = 1,
	DBFS_ENOENT = 2,
	DBFS_EINTR = 4, /* the waiting thread is being killed */
	DBFS_EIO = 5,
	DBFS_ENXIO = 6,
	DBFS_E2BIG = 7,
	DBFS_EBADF = 9,
	DBFS_EAGAIN = 11,
	DBFS_ENOMEM = 12,
	DBFS_EACCES = 13,
	DBFS_EBUSY = 16,
	DBFS_EEXIST = 17,
	DBFS_EXDEV = 18,
	DBFS_ENODEV = 19,
	DBFS_ENOTDIR = 20,
	DBFS_EISDIR = 21,
	DBFS_EINVAL = 22,
	DBFS_EFBIG = 27,
	DBFS_ENOSPC = 28,
	DBFS_EROFS = 30,
	DBFS_EMLINK = 31,
	DBFS_ERANGE = 34,
	DBFS_EDEADLK = 35, /* victim of a deadlock: retry the transaction */
	DBFS_ENAMETOOLONG = 36,
	DBFS_ENOTEMPTY = 39,
	DBFS_ELOOP = 40,   /* too many symbolic links (callers that walk paths) */
	DBFS_ENODATA = 61, /* no such extended attribute */
	DBFS_ETIME = 62,   /* deadline of the transaction passed */
	DBFS_EOVERFLOW = 75,
	DBFS_EOPNOTSUPP = 95,
	DBFS_ESTALE = 116, /* the transaction has ended */

	DBFS_ECONFLICT = 1001, /* what an optimistic transaction read has changed -> EAGAIN */
	DBFS_ECORRUPT = 1002,  /* a checksum or structure is wrong -> EIO */
	DBFS_EFORMAT = 1003,   /* not a DBFS image, or a newer format version -> EINVAL */
	DBFS_ELOGFULL = 1004,  /* the transaction is larger than the log can take -> EFBIG */
};

/* err is what a function returned (<= 0). Its negative Linux errno, or 0. */
int dbfs_errno(int err);
/* A short text for messages; never NULL. */
const char *dbfs_strerror(int err);

#endif
