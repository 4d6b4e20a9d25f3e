/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Inode records: bytes to memory and back. Every number from disk is checked here, once. */
#include "inode/inode.h"

#include "port/log.h"

#define NSEC_PER_SEC 1000000000u

bool dbfs_mode_valid(uint32_t mode)
{
	switch (mode & DBFS_S_IFMT) {
	case DBFS_S_IFSOCK:
	case DBFS_S_IFLNK:
	case DBFS_S_IFREG:
	case DBFS_S_IFBLK:
	case DBFS_S_IFDIR:
	case DBFS_S_IFCHR:
	case DBFS_S_IFIFO:
		return (mode & ~(uint32_t)(DBFS_S_IFMT | 07777)) == 0;
	default:
		return false;
	}
}

int dbfs_fs_corrupt(const char *what, uint64_t ino)
{
	port_log(PORT_LOG_ERROR, "inode %llu: %s", (unsigned long long)ino, what);
	return -DBFS_ECORRUPT;
}

static struct dbfs_time get_time(const struct fs_time_disk *d)
{
	return (struct dbfs_time){(int64_t)le64_get(d->sec), le32_get(d->nsec)};
}

static struct fs_time_disk put_time(struct dbfs_time t)
{
	return (struct fs_time_disk){le64_of((uint64_t)t.sec), le32_of(t.nsec)};
}

static bool plausible(const struct dbfs_inode *in)
{
	if (!dbfs_mode_valid(in->mode) || (in->flags & ~(uint32_t)FS_INODE_FLAGS) != 0)
		return false;
	if (in->size > DBFS_FILE_MAX || in->blocks > DBFS_FILE_MAX / DBFS_BLOCK_SIZE)
		return false;
	if (in->atime.nsec >= NSEC_PER_SEC || in->mtime.nsec >= NSEC_PER_SEC ||
	    in->ctime.nsec >= NSEC_PER_SEC || in->btime.nsec >= NSEC_PER_SEC)
		return false;
	if (dbfs_inode_is(in, DBFS_S_IFDIR))
		return in->nlink <= 1 && in->parent != 0 && in->flags == 0 && in->size == 0 &&
		       in->blocks == 0 && in->mtime_base.nsec < NSEC_PER_SEC &&
		       in->ctime_base.nsec < NSEC_PER_SEC;
	if (in->nlink > DBFS_LINK_MAX || in->parent != 0)
		return false;
	if (dbfs_inode_is(in, DBFS_S_IFREG)) {
		if ((in->flags & FS_INODE_INLINE) != 0)
			return in->size >= 1 && in->size <= FS_INLINE_MAX && in->blocks == 0;
		return true;
	}
	if ((in->flags & FS_INODE_INLINE) != 0 || in->blocks != 0)
		return false;
	if (dbfs_inode_is(in, DBFS_S_IFLNK))
		return in->size >= 1 && in->size <= DBFS_SYMLINK_MAX;
	return in->size == 0;
}

int dbfs_inode_decode(struct dbfs_ino ino, const void *p, size_t len, struct dbfs_inode *out)
{
	const struct fs_dir_inode_disk *dd = p;
	const struct fs_inode_disk *d = p;
	struct dbfs_inode in = {.ino = ino};

	if (len != sizeof(*d) && len != sizeof(*dd))
		return -DBFS_ECORRUPT;
	in.mode = le32_get(d->mode);
	in.nlink = le32_get(d->nlink);
	in.uid = le32_get(d->uid);
	in.gid = le32_get(d->gid);
	in.rdev_major = le32_get(d->rdev_major);
	in.rdev_minor = le32_get(d->rdev_minor);
	in.flags = le32_get(d->flags);
	in.size = le64_get(d->size);
	in.blocks = le64_get(d->blocks);
	in.parent = le64_get(d->parent);
	in.atime = get_time(&d->atime);
	in.mtime = get_time(&d->mtime);
	in.ctime = get_time(&d->ctime);
	in.btime = get_time(&d->btime);
	if (dbfs_inode_is(&in, DBFS_S_IFDIR) != (len == sizeof(*dd)) || le32_get(d->reserved) != 0)
		return -DBFS_ECORRUPT;
	if (len == sizeof(*dd)) {
		in.mtime_base = get_time(&dd->mtime_base);
		in.ctime_base = get_time(&dd->ctime_base);
	}
	if (!plausible(&in))
		return -DBFS_ECORRUPT;
	*out = in;
	return 0;
}

size_t dbfs_inode_encode(const struct dbfs_inode *in, uint8_t out[DBFS_INODE_DISK_MAX])
{
	struct fs_dir_inode_disk *dd = (struct fs_dir_inode_disk *)(void *)out;
	struct fs_inode_disk *d = &dd->inode;

	d->mode = le32_of(in->mode);
	d->nlink = le32_of(in->nlink);
	d->uid = le32_of(in->uid);
	d->gid = le32_of(in->gid);
	d->rdev_major = le32_of(in->rdev_major);
	d->rdev_minor = le32_of(in->rdev_minor);
	d->flags = le32_of(in->flags);
	d->reserved = le32_of(0);
	d->size = le64_of(in->size);
	d->blocks = le64_of(in->blocks);
	d->parent = le64_of(in->parent);
	d->atime = put_time(in->atime);
	d->mtime = put_time(in->mtime);
	d->ctime = put_time(in->ctime);
	d->btime = put_time(in->btime);
	if (!dbfs_inode_is(in, DBFS_S_IFDIR))
		return sizeof(*d);
	dd->mtime_base = put_time(in->mtime_base);
	dd->ctime_base = put_time(in->ctime_base);
	return sizeof(*dd);
}
