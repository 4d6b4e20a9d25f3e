/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Error numbers of the VFS: Linux's errno values. Functions return 0 or a negative one. */
#ifndef VFS_ERRORS_H
#define VFS_ERRORS_H

enum vfs_error {
	VFS_EPERM = 1,
	VFS_ENOENT = 2,
	VFS_EINTR = 4,
	VFS_EIO = 5,
	VFS_ENXIO = 6,
	VFS_E2BIG = 7,
	VFS_EBADF = 9,
	VFS_EAGAIN = 11,
	VFS_ENOMEM = 12,
	VFS_EACCES = 13,
	VFS_EFAULT = 14,
	VFS_EBUSY = 16,
	VFS_EEXIST = 17,
	VFS_EXDEV = 18,
	VFS_ENODEV = 19,
	VFS_ENOTDIR = 20,
	VFS_EISDIR = 21,
	VFS_EINVAL = 22,
	VFS_ENFILE = 23,
	VFS_EMFILE = 24,
	VFS_ENOTTY = 25,
	VFS_ETXTBSY = 26,
	VFS_EFBIG = 27,
	VFS_ENOSPC = 28,
	VFS_ESPIPE = 29,
	VFS_EROFS = 30,
	VFS_EMLINK = 31,
	VFS_EPIPE = 32,
	VFS_ERANGE = 34,
	VFS_EDEADLK = 35,
	VFS_ENAMETOOLONG = 36,
	VFS_ENOLCK = 37,
	VFS_ENOSYS = 38,
	VFS_ENOTEMPTY = 39,
	VFS_ELOOP = 40,
	VFS_ENODATA = 61,
	VFS_EOVERFLOW = 75,
	VFS_EOPNOTSUPP = 95,
	VFS_ESTALE = 116,
};

#endif
