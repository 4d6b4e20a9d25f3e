/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Disks as files: /dev/vda ... Reads and writes of any bytes go straight to the driver, uncached. */
#include "dev/blk.h"
#include "fs/devfs/devfs.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "port/mem.h"
#include "vm/uaccess.h"

#define CHUNK ((size_t)65536)
#define BLKROGET 0x125eu
#define BLKGETSIZE 0x1260u
#define BLKFLSBUF 0x1261u
#define BLKSSZGET 0x1268u
#define BLKBSZGET 0x80081270u
#define BLKGETSIZE64 0x80081272u

static uint64_t size_of(const struct blkdev *d)
{
	return d->sectors * 512;
}

static int64_t transfer(struct file *f, struct vfs_iter *it, uint64_t *pos, bool write)
{
	struct blkdev *d = f->private;
	uint8_t *buf;
	int64_t total = 0;
	int err = 0;

	if (*pos >= size_of(d) || !it->left)
		return write && it->left ? -ENOSPC : 0;
	buf = port_alloc_pages(CHUNK / PORT_PAGE_SIZE);
	if (!buf)
		return -ENOMEM;
	while (it->left && *pos < size_of(d) && !err) {
		size_t n = (size_t)MIN((uint64_t)MIN(it->left, CHUNK), size_of(d) - *pos);
		size_t moved = n;

		if (write) {
			moved = it->move(it, buf, n);
			if (moved)
				err = blkdev_write_bytes(d, *pos, buf, moved);
		} else {
			err = blkdev_read_bytes(d, *pos, buf, n);
			if (!err)
				moved = it->move(it, buf, n);
		}
		if (err)
			break;
		*pos += moved;
		total += (int64_t)moved;
		if (moved < n)
			err = -EFAULT;
	}
	port_free_pages(buf, CHUNK / PORT_PAGE_SIZE);
	return total ? total : err;
}

static int64_t blk_read(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	return transfer(f, it, pos, false);
}

static int64_t blk_write(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	return transfer(f, it, pos, true);
}

static int64_t blk_seek(struct file *f, int64_t off, int whence)
{
	int64_t base = whence == 1   ? (int64_t)f->pos
		       : whence == 2 ? (int64_t)size_of(f->private)
				     : 0;

	if (whence < 0 || whence > 2 || __builtin_add_overflow(base, off, &base) || base < 0)
		return -EINVAL;
	f->pos = (uint64_t)base;
	return base;
}

static int blk_fsync(struct file *f, bool data_only)
{
	struct blkdev *d = f->private;

	(void)data_only;
	return port_blk_flush(&d->blk);
}

static int64_t blk_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct blkdev *d = f->private;

	switch (cmd) {
	case BLKGETSIZE64:
		return put_user_u64(arg, size_of(d));
	case BLKGETSIZE:
		return put_user_u64(arg, d->sectors);
	case BLKSSZGET:
		return put_user_u32(arg, 512);
	case BLKBSZGET:
		return put_user_u64(arg, 4096);
	case BLKROGET:
		return put_user_u32(arg, d->blk.read_only);
	case BLKFLSBUF:
		return blk_fsync(f, false);
	default:
		return -ENOTTY;
	}
}

static const struct file_ops blk_ops = {
	.read = blk_read,
	.write = blk_write,
	.seek = blk_seek,
	.ioctl = blk_ioctl,
	.fsync = blk_fsync,
};

int devfs_blk_open(struct vnode *vn, struct file *f)
{
	struct blkdev *d = NULL;

	for (unsigned i = 0; (d = blkdev_get(i)); i++) {
		if (vfs_dev(d->major, d->minor) == vn->rdev)
			break;
	}
	if (!d)
		return -ENXIO;
	if ((f->mode & FILE_WRITE) && d->blk.read_only)
		return -EROFS;
	f->private = d;
	f->ops = &blk_ops;
	f->mode |= FILE_SEEK;
	return 0;
}

void devfs_blk_init(void)
{
	struct blkdev *d;

	for (unsigned i = 0; (d = blkdev_get(i)); i++)
		devfs_node(d->name, VFS_S_IFBLK | 0660, vfs_dev(d->major, d->minor));
}
