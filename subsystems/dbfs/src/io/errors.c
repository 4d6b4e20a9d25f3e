/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Errors that only DBFS knows, mapped to errno's at the edge, and their texts (docs/errors.md). */
#include "dbfs/errors.h"

#include "base/types.h"

struct error_row {
	int err;
	int as_errno;
	const char *text;
};

static const struct error_row errors[] = {
	{DBFS_EPERM, DBFS_EPERM, "operation not permitted"},
	{DBFS_ENOENT, DBFS_ENOENT, "no such object"},
	{DBFS_EINTR, DBFS_EINTR, "interrupted"},
	{DBFS_EIO, DBFS_EIO, "input/output error"},
	{DBFS_ENXIO, DBFS_ENXIO, "no data beyond this offset"},
	{DBFS_E2BIG, DBFS_E2BIG, "too large"},
	{DBFS_EBADF, DBFS_EBADF, "bad handle"},
	{DBFS_EAGAIN, DBFS_EAGAIN, "try again"},
	{DBFS_ENOMEM, DBFS_ENOMEM, "out of memory"},
	{DBFS_EACCES, DBFS_EACCES, "permission denied"},
	{DBFS_EBUSY, DBFS_EBUSY, "in use by another process"},
	{DBFS_EEXIST, DBFS_EEXIST, "exists already"},
	{DBFS_EXDEV, DBFS_EXDEV, "not on the same view"},
	{DBFS_ENODEV, DBFS_ENODEV, "no such device"},
	{DBFS_ENOTDIR, DBFS_ENOTDIR, "not a directory"},
	{DBFS_EISDIR, DBFS_EISDIR, "is a directory"},
	{DBFS_EINVAL, DBFS_EINVAL, "invalid argument"},
	{DBFS_EFBIG, DBFS_EFBIG, "file too large"},
	{DBFS_ENOSPC, DBFS_ENOSPC, "no space left on the volume"},
	{DBFS_EROFS, DBFS_EROFS, "the volume or transaction is read-only"},
	{DBFS_EMLINK, DBFS_EMLINK, "too many links"},
	{DBFS_ERANGE, DBFS_ERANGE, "result does not fit"},
	{DBFS_EDEADLK, DBFS_EDEADLK, "deadlock; retry the transaction"},
	{DBFS_ENAMETOOLONG, DBFS_ENAMETOOLONG, "name too long"},
	{DBFS_ENOTEMPTY, DBFS_ENOTEMPTY, "directory not empty"},
	{DBFS_ELOOP, DBFS_ELOOP, "too many symbolic links"},
	{DBFS_ENODATA, DBFS_ENODATA, "no such attribute"},
	{DBFS_ETIME, DBFS_ETIME, "deadline of the transaction passed"},
	{DBFS_EOVERFLOW, DBFS_EOVERFLOW, "value too large"},
	{DBFS_EOPNOTSUPP, DBFS_EOPNOTSUPP, "not supported"},
	{DBFS_ESTALE, DBFS_ESTALE, "the transaction has ended"},
	{DBFS_ECONFLICT, DBFS_EAGAIN, "what the transaction read has changed; retry it"},
	{DBFS_ECORRUPT, DBFS_EIO, "damaged: a checksum or structure is wrong"},
	{DBFS_EFORMAT, DBFS_EINVAL, "not a DBFS volume, or of an unknown format version"},
	{DBFS_ELOGFULL, DBFS_EFBIG, "the transaction is larger than the log can take"},
};

static const struct error_row *find(int err)
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i].err == -err)
			return &errors[i];
	return NULL;
}

int dbfs_errno(int err)
{
	const struct error_row *row;

	if (err >= 0)
		return 0;
	row = find(err);
	return row ? -row->as_errno : -DBFS_EIO;
}

const char *dbfs_strerror(int err)
{
	const struct error_row *row = find(err);

	if (err >= 0)
		return "success";
	return row ? row->text : "unknown error";
}
