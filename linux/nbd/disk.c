/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The served disk (disk.h). The model works in sectors; a transfer that does not begin or end at one
 * is completed by reading the rest of its first and last sector, as a disk would.
 *
 * The medium is the image file below what the model has written: the model keeps changed pages in memory and
 * reads the file for all others, so disk_save copies the file and lays the changed pages over it.
 */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
/* Zeros for a trim are kept in memory until they are durable: a larger hint is ignored. */
#define TRIM_MAX ((uint64_t)64 << 20)
#define COPY_BYTES ((size_t)1 << 20)

static int read_file(void *ctx, uint64_t off, void *buf, size_t len)
{
	const struct disk *d = ctx;
	uint8_t *out = buf;

	while (len > 0) {
		ssize_t n = pread(d->fd, out, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO; /* an error, or the file was cut short under us */
		out += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_file(int fd, uint64_t off, const void *buf, size_t len)
{
	const uint8_t *in = buf;

	while (len > 0) {
		ssize_t n = pwrite(fd, in, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		in += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static bool complain(const struct disk *d, const char *what)
{
	fprintf(stderr, "alien-nbd: %s: %s\n", d->path, what);
	return false;
}

/* QEMU's image locks and those of dbfs tools are of the same kind. */
static bool lock_image(const struct disk *d, bool in_place)
{
	struct flock lock = {.l_type = in_place ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};

	if (fcntl(d->fd, F_OFD_SETLK, &lock) == 0)
		return true;
	if (errno == EAGAIN || errno == EACCES)
		return complain(d, "in use by another program");
	return complain(d, strerror(errno));
}

bool disk_open(struct disk *d, const char *path, bool in_place)
{
	struct sim_model_base base = {read_file, d};
	struct stat st;

	memset(d, 0, sizeof(*d));
	d->path = path;
	d->fd = open(path, (in_place ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
	if (d->fd < 0)
		return complain(d, strerror(errno));
	if (fstat(d->fd, &st) || !S_ISREG(st.st_mode))
		complain(d, "not a regular file");
	else if (st.st_size == 0 || st.st_size % (off_t)PAGE)
		complain(d, "its size is not a positive multiple of 4096 bytes");
	else if (lock_image(d, in_place)) {
		d->size = (uint64_t)st.st_size;
		d->on = true;
		if (sim_model_create(d->size, &base, &d->model) == 0)
			return true;
		complain(d, "out of memory");
	}
	close(d->fd);
	return false;
}

void disk_close(struct disk *d)
{
	sim_model_destroy(d->model);
	close(d->fd);
}

/* The range of whole sectors around [off, off + len). */
struct span {
	uint64_t start;
	size_t len;
	size_t skip; /* of the first sector */
};

static struct span span_of(uint64_t off, size_t len)
{
	uint64_t start = ALIGN_DOWN(off, (uint64_t)SIM_SECTOR);
	uint64_t end = ALIGN_UP(off + len, (uint64_t)SIM_SECTOR);

	return (struct span){start, (size_t)(end - start), (size_t)(off - start)};
}

int disk_read(struct disk *d, uint64_t off, void *buf, size_t len)
{
	struct span s = span_of(off, len);
	uint8_t *whole;
	int err;

	if (!d->on)
		return ESHUTDOWN;
	d->stats.reads++;
	d->stats.read_bytes += len;
	if (s.skip == 0 && s.len == len)
		return -sim_model_read(d->model, off, buf, len);
	whole = malloc(s.len ? s.len : 1);
	if (!whole)
		return ENOMEM;
	err = sim_model_read(d->model, s.start, whole, s.len);
	if (!err)
		memcpy(buf, whole + s.skip, len);
	free(whole);
	return -err;
}

/* Does the change that is about to happen meet a planned cut? */
static bool cut_is_due(struct disk *d, bool flush)
{
	bool due = d->plan.changes == 1 || (flush && d->plan.flushes == 1);

	if (d->plan.changes > 0)
		d->plan.changes--;
	if (flush && d->plan.flushes > 0)
		d->plan.flushes--;
	return due;
}

static int put(struct disk *d, uint64_t off, const void *buf, uint64_t len, bool persist)
{
	struct sim_model_io *io;
	int err;

	if (persist)
		return -sim_model_write_persist(d->model, off, buf, len);
	err = sim_model_write_begin(d->model, off, buf, len, &io);
	if (err)
		return -err;
	return -sim_model_write_end(d->model, io);
}

/* The write that a planned cut interrupts is in flight when the power goes. */
static int put_and_cut(struct disk *d, uint64_t off, const void *buf, uint64_t len)
{
	struct sim_model_io *io;
	int err = sim_model_write_begin(d->model, off, buf, len, &io);

	if (!err)
		err = -disk_cut(d, d->plan.seed);
	return err ? -err : ESHUTDOWN;
}

static int change(struct disk *d, uint64_t off, const void *buf, uint64_t len, bool persist)
{
	d->stats.writes++;
	if (cut_is_due(d, false))
		return put_and_cut(d, off, buf, len);
	return put(d, off, buf, len, persist);
}

int disk_write(struct disk *d, uint64_t off, const void *buf, size_t len, bool persist)
{
	struct span s = span_of(off, len);
	uint8_t *whole;
	int err;

	if (!d->on)
		return ESHUTDOWN;
	d->stats.write_bytes += len;
	if (s.skip == 0 && s.len == len)
		return change(d, off, buf, len, persist);
	whole = malloc(s.len);
	if (!whole)
		return ENOMEM;
	err = -sim_model_read(d->model, s.start, whole, s.len);
	if (!err) {
		memcpy(whole + s.skip, buf, len);
		err = change(d, s.start, whole, s.len, persist);
	}
	free(whole);
	return err;
}

int disk_flush(struct disk *d)
{
	if (!d->on)
		return ESHUTDOWN;
	d->stats.flushes++;
	if (cut_is_due(d, true)) {
		int err = disk_cut(d, d->plan.seed);

		return err ? err : ESHUTDOWN;
	}
	if (d->drop_flushes)
		return 0;
	return -sim_model_flush_end(d->model, sim_model_flush_begin(d->model));
}

int disk_trim(struct disk *d, uint64_t off, uint64_t len)
{
	uint64_t start = ALIGN_UP(off, (uint64_t)PAGE);
	uint64_t end = ALIGN_DOWN(off + len, (uint64_t)PAGE);

	if (!d->on)
		return ESHUTDOWN;
	if (start >= end || end - start > TRIM_MAX)
		return 0;
	return change(d, start, NULL, end - start, false);
}

int disk_cut(struct disk *d, uint64_t seed)
{
	if (!d->on)
		return 0;
	d->on = false;
	d->stats.cuts++;
	d->last_seed = seed;
	memset(&d->plan, 0, sizeof(d->plan));
	return -sim_model_cut(d->model, d->mode, seed, &d->last_cut);
}

/* Lays the changed pages of the medium over fd, in runs. */
static int write_changed(struct disk *d, int fd)
{
	uint8_t *buf = malloc(COPY_BYTES);
	uint64_t off = 0;
	int err = buf ? 0 : ENOMEM;

	while (!err && sim_model_next_written(d->model, &off)) {
		uint64_t next = off + PAGE;
		size_t len = PAGE;

		while (len < COPY_BYTES && sim_model_next_written(d->model, &next) &&
		       next == off + len) {
			len += PAGE;
			next += PAGE;
		}
		err = -sim_model_read_durable(d->model, off, buf, len);
		if (!err)
			err = write_file(fd, off, buf, len);
		off += len;
	}
	free(buf);
	return err;
}

/* Copies the data of one extent of the image. */
static int copy_extent(const struct disk *d, int fd, off_t from, off_t end)
{
	while (from < end) {
		off_t in = from;
		off_t out = from;
		ssize_t n = copy_file_range(d->fd, &in, fd, &out, (size_t)(end - from), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? errno : EIO;
		from += n;
	}
	return 0;
}

static int copy_image(const struct disk *d, int fd)
{
	off_t at = 0;

	if (ioctl(fd, FICLONE, d->fd) == 0)
		return 0;
	if (ftruncate(fd, (off_t)d->size))
		return errno;
	for (;;) {
		off_t data = lseek(d->fd, at, SEEK_DATA);
		int err;

		if (data < 0)
			return errno == ENXIO ? 0 : errno; /* ENXIO: a hole to the end */
		at = lseek(d->fd, data, SEEK_HOLE);
		if (at < 0)
			return errno;
		err = copy_extent(d, fd, data, at);
		if (err)
			return err;
	}
}

static bool is_image(const struct disk *d, const char *path)
{
	struct stat a;
	struct stat b;

	return stat(path, &a) == 0 && fstat(d->fd, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

int disk_save(struct disk *d, const char *path)
{
	int fd;
	int err;

	if (is_image(d, path))
		return EEXIST;
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return errno;
	err = copy_image(d, fd);
	if (!err)
		err = write_changed(d, fd);
	if (close(fd) && !err)
		err = errno;
	if (err)
		unlink(path);
	return err;
}

int disk_commit(struct disk *d)
{
	int err = write_changed(d, d->fd);

	if (!err && fdatasync(d->fd))
		err = errno;
	return err;
}
