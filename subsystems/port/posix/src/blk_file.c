/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * A block device over a regular file or a Linux block device.
 *
 * Two descriptors: fd goes through the host's page cache (unless PORT_POSIX_DIRECT), direct_fd is
 * opened O_DIRECT and reads what the host has handed to the device. Where the file system has no
 * O_DIRECT (tmpfs), direct_fd is -1 and stable reads are plain ones after the cache was asked to
 * drop the range. Direct transfers need aligned memory: other buffers go through a bounce buffer.
 *
 * No locks: everything is const after open, and the kernel orders the calls.
 */
#include "port/blk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/overflow.h"
#include "port/errors.h"
#include "port/log.h"
#include "port/posix.h"

#define IOV_BATCH 64u
#define BOUNCE_BYTES ((size_t)1024 * 1024)

struct file_blk {
	struct port_blk blk;
	int fd;
	int direct_fd; /* -1: none */
	bool direct;   /* all transfers go to direct_fd */
	bool is_blkdev;
	char *name;
};

static struct file_blk *file_of(struct port_blk *dev)
{
	return container_of(dev, struct file_blk, blk);
}

/* What the caller of the contract may see: EIO unless the cause is one of the other two. */
static int map_error(struct file_blk *f, const char *op, uint64_t off, int err)
{
	if (err == ENOMEM)
		return -PORT_ENOMEM;
	if (err == EROFS || err == EPERM || err == EBADF)
		return -PORT_EROFS;
	port_log(PORT_LOG_ERROR, "%s: %s at byte %llu: %s", f->name, op, (unsigned long long)off,
		 err ? strerror(err) : "end of file");
	return -PORT_EIO;
}

/* Moves all of iov[0..n) with preadv or pwritev; consumes iov. Returns 0 or an errno (EIO at EOF). */
static int transfer(int fd, bool write, uint64_t off, struct iovec *iov, unsigned n)
{
	while (n > 0) {
		ssize_t got;

		if (iov->iov_len == 0) {
			iov++;
			n--;
			continue;
		}
		got = write ? pwritev(fd, iov, (int)n, (off_t)off)
			    : preadv(fd, iov, (int)n, (off_t)off);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno;
		if (got == 0)
			return EIO; /* the file was cut short under us */
		off += (uint64_t)got;
		for (size_t left = (size_t)got; left > 0 && n > 0;) {
			size_t step = MIN(left, iov->iov_len);

			iov->iov_base = (char *)iov->iov_base + step;
			iov->iov_len -= step;
			left -= step;
			if (iov->iov_len == 0) {
				iov++;
				n--;
			}
		}
	}
	return 0;
}

static int transfer_all(int fd, bool write, uint64_t off, const struct port_iov *iov, unsigned n)
{
	struct iovec batch[IOV_BATCH];

	for (unsigned i = 0; i < n;) {
		unsigned count = MIN(n - i, IOV_BATCH);
		uint64_t bytes = 0;
		int err;

		for (unsigned j = 0; j < count; j++) {
			batch[j].iov_base = iov[i + j].base;
			batch[j].iov_len = iov[i + j].len;
			bytes += iov[i + j].len;
		}
		err = transfer(fd, write, off, batch, count);
		if (err)
			return err;
		off += bytes;
		i += count;
	}
	return 0;
}

static bool fit_for_direct(const struct port_iov *iov, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (((uintptr_t)iov[i].base | iov[i].len) % PORT_BLK_ALIGN)
			return false;
	}
	return true;
}

/* One buffer through the bounce page run; len is what is left of it. */
static int bounce_one(int fd, bool write, uint64_t off, void *bounce, const struct port_iov *iov)
{
	size_t done = 0;

	while (done < iov->len) {
		size_t step = MIN(iov->len - done, BOUNCE_BYTES);
		struct iovec one = {bounce, step};
		int err;

		if (write)
			memcpy(bounce, (char *)iov->base + done, step);
		err = transfer(fd, write, off + done, &one, 1);
		if (err)
			return err;
		if (!write)
			memcpy((char *)iov->base + done, bounce, step);
		done += step;
	}
	return 0;
}

/* For O_DIRECT. Buffers of a length that is no multiple of the block are refused by the contract. */
static int transfer_direct(int fd, bool write, uint64_t off, const struct port_iov *iov, unsigned n)
{
	void *bounce = NULL;
	int err = 0;

	if (fit_for_direct(iov, n))
		return transfer_all(fd, write, off, iov, n);
	if (posix_memalign(&bounce, PORT_BLK_ALIGN, BOUNCE_BYTES))
		return ENOMEM;
	for (unsigned i = 0; i < n && !err; i++) {
		if (iov[i].len % PORT_BLK_ALIGN)
			err = EINVAL;
		else
			err = bounce_one(fd, write, off, bounce, &iov[i]);
		off += iov[i].len;
	}
	free(bounce);
	return err;
}

static bool inside(const struct port_blk *dev, uint64_t off, const struct port_iov *iov, unsigned n)
{
	uint64_t len = 0;

	for (unsigned i = 0; i < n; i++) {
		if (add_u64(len, iov[i].len, &len))
			return false;
	}
	return (off | len) % PORT_BLK_ALIGN == 0 && range_fits(off, len, dev->size);
}

static int file_readv(struct port_blk *dev, uint64_t off, const struct port_iov *iov, unsigned n)
{
	struct file_blk *f = file_of(dev);
	int err;

	if (!inside(dev, off, iov, n))
		return map_error(f, "read outside the device", off, EINVAL);
	err = f->direct ? transfer_direct(f->direct_fd, false, off, iov, n)
			: transfer_all(f->fd, false, off, iov, n);
	return err ? map_error(f, "read", off, err) : 0;
}

static int file_writev(struct port_blk *dev, uint64_t off, const struct port_iov *iov, unsigned n)
{
	struct file_blk *f = file_of(dev);
	int err;

	if (dev->read_only)
		return -PORT_EROFS;
	if (!inside(dev, off, iov, n))
		return map_error(f, "write outside the device", off, EINVAL);
	err = f->direct ? transfer_direct(f->direct_fd, true, off, iov, n)
			: transfer_all(f->fd, true, off, iov, n);
	return err ? map_error(f, "write", off, err) : 0;
}

static int file_flush(struct port_blk *dev)
{
	struct file_blk *f = file_of(dev);

	if (dev->read_only)
		return 0;
	if (fdatasync(f->fd))
		return map_error(f, "flush", 0, errno);
	return 0;
}

/* A hint: that the medium cannot do it is no error. */
static int file_discard(struct port_blk *dev, uint64_t off, uint64_t len)
{
	struct file_blk *f = file_of(dev);
	uint64_t range[2] = {off, len};
	int rc;

	if (dev->read_only)
		return -PORT_EROFS;
	if ((off | len) % PORT_BLK_ALIGN || !range_fits(off, len, dev->size))
		return map_error(f, "discard outside the device", off, EINVAL);
	if (len == 0)
		return 0;
	if (f->is_blkdev)
		rc = ioctl(f->fd, BLKDISCARD, range);
	else
		rc = fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
			       (off_t)len);
	if (rc && errno == EIO)
		return map_error(f, "discard", off, errno);
	return 0;
}

static int file_readv_stable(struct port_blk *dev, uint64_t off, const struct port_iov *iov,
			     unsigned n)
{
	struct file_blk *f = file_of(dev);
	int err;

	if (!inside(dev, off, iov, n))
		return map_error(f, "read outside the device", off, EINVAL);
	if (f->direct_fd >= 0) {
		err = transfer_direct(f->direct_fd, false, off, iov, n);
	} else {
		uint64_t len = 0;

		for (unsigned i = 0; i < n; i++)
			len += iov[i].len;
		(void)posix_fadvise(f->fd, (off_t)off, (off_t)len, POSIX_FADV_DONTNEED);
		err = transfer_all(f->fd, false, off, iov, n);
	}
	return err ? map_error(f, "read", off, err) : 0;
}

static int file_lock(struct port_blk *dev)
{
	struct file_blk *f = file_of(dev);
	struct flock lock = {
		.l_type = dev->read_only ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};

	if (fcntl(f->fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno == EACCES || errno == EAGAIN)
		return -PORT_EBUSY;
	/* A file system without byte-range locks may still have whole-file ones. */
	if (flock(f->fd, (dev->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return -PORT_EBUSY;
	port_log(PORT_LOG_ERROR, "%s: the file system cannot lock files: %s", f->name,
		 strerror(errno));
	return -PORT_EBUSY;
}

static void file_free(struct file_blk *f)
{
	if (f->direct_fd >= 0)
		close(f->direct_fd);
	if (f->fd >= 0)
		close(f->fd);
	free(f->name);
	free(f);
}

static void file_close(struct port_blk *dev)
{
	file_free(file_of(dev));
}

static const struct port_blk_ops file_ops = {
	.readv = file_readv,
	.writev = file_writev,
	.flush = file_flush,
	.discard = file_discard,
	.readv_stable = file_readv_stable,
	.lock_exclusive = file_lock,
	.close = file_close,
};

/* Sets size and kind from the open descriptor. 0 or a negative error. */
static int measure(struct file_blk *f)
{
	struct stat st;
	uint64_t size;

	if (fstat(f->fd, &st))
		return -errno;
	if (S_ISBLK(st.st_mode)) {
		f->is_blkdev = true;
		if (ioctl(f->fd, BLKGETSIZE64, &size))
			return -errno;
	} else if (S_ISREG(st.st_mode)) {
		size = (uint64_t)st.st_size;
	} else {
		return -PORT_EINVAL;
	}
	f->blk.size = ALIGN_DOWN(size, (uint64_t)PORT_BLK_ALIGN);
	return 0;
}

static bool is_blkdev(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

/* O_NONBLOCK: opening a FIFO by mistake must not hang. Files and block devices ignore it. */
static int open_fds(struct file_blk *f, const char *path, unsigned flags, int extra)
{
	int mode = (flags & PORT_POSIX_RDONLY) ? O_RDONLY : O_RDWR;
	int fd;

	if (mode == O_RDWR && is_blkdev(path))
		extra |= O_EXCL; /* refused while mounted */
	fd = open(path, mode | extra | O_CLOEXEC | O_NONBLOCK, 0666);
	if (fd < 0)
		return -errno;
	f->fd = fd;
	/* Through /proc: the same file even if path has been replaced meanwhile. */
	{
		char self[64];

		snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		f->direct_fd = open(self, mode | O_DIRECT | O_CLOEXEC | O_NONBLOCK);
	}
	f->direct = (flags & PORT_POSIX_DIRECT) && f->direct_fd >= 0;
	return 0;
}

static int open_any(const char *path, unsigned flags, int extra, struct file_blk **out)
{
	struct file_blk *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -PORT_ENOMEM;
	f->fd = -1;
	f->direct_fd = -1;
	err = -PORT_ENOMEM;
	f->name = strdup(path);
	if (!f->name)
		goto err_free;
	err = open_fds(f, path, flags, extra);
	if (err)
		goto err_free;
	err = measure(f);
	if (err)
		goto err_free;
	f->blk.ops = &file_ops;
	f->blk.read_only = flags & PORT_POSIX_RDONLY;
	f->blk.name = f->name;
	*out = f;
	return 0;

err_free:
	file_free(f);
	return err;
}

int port_posix_blk_open(const char *path, unsigned flags, struct port_blk **dev)
{
	struct file_blk *f;
	int err = open_any(path, flags, 0, &f);

	if (err)
		return err;
	if (f->blk.size == 0) {
		file_free(f);
		return -PORT_EINVAL;
	}
	*dev = &f->blk;
	return 0;
}

int port_posix_blk_create(const char *path, uint64_t size, struct port_blk **dev)
{
	struct file_blk *f;
	int err;

	if (size == 0 || size % PORT_BLK_ALIGN || size > INT64_MAX)
		return -PORT_EINVAL;
	err = open_any(path, 0, is_blkdev(path) ? 0 : O_CREAT, &f);
	if (err)
		return err;
	if (f->is_blkdev) {
		err = f->blk.size < size ? -PORT_ENOSPC : 0;
	} else {
		/* Locked first: nobody's open volume is emptied under it. */
		err = file_lock(&f->blk);
		if (!err && (ftruncate(f->fd, 0) || ftruncate(f->fd, (off_t)size)))
			err = -errno;
		f->blk.size = size;
	}
	if (err) {
		file_free(f);
		return err;
	}
	*dev = &f->blk;
	return 0;
}
