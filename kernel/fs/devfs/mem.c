/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* null, zero, full, random, urandom, kmsg. */
#include "dev/random.h"
#include "fs/devfs/devfs.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "port/rand.h"

enum {
	MEM_MAJOR = 1,
	NULL_MINOR = 3,
	ZERO_MINOR = 5,
	FULL_MINOR = 7,
	RANDOM_MINOR = 8,
	URANDOM_MINOR = 9,
	KMSG_MINOR = 11
};

static int64_t read_end(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	(void)f;
	(void)it;
	(void)pos;
	return 0;
}

static int64_t write_all(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	int64_t n = (int64_t)it->left;

	(void)f;
	(void)pos;
	it->left = 0;
	return n;
}

static int64_t read_zero(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	static uint8_t zeros[512]; /* never written */
	int64_t total = 0;

	(void)f;
	(void)pos;
	while (it->left) {
		size_t want = MIN(it->left, sizeof(zeros));
		size_t n = it->move(it, zeros, want);

		total += (int64_t)n;
		if (n < want)
			return total ? total : -EFAULT;
	}
	return total;
}

static int64_t write_full(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	(void)f;
	(void)pos;
	return it->left ? -ENOSPC : 0;
}

static int64_t read_random(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	uint8_t buf[256];
	int64_t total = 0;

	(void)f;
	(void)pos;
	while (it->left) {
		size_t want = MIN(it->left, sizeof(buf));
		size_t n;

		port_random(buf, want);
		n = it->move(it, buf, want);
		total += (int64_t)n;
		if (n < want) {
			total = total ? total : -EFAULT;
			break;
		}
	}
	memset(buf, 0, sizeof(buf));
	return total;
}

static int64_t write_random(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	uint8_t buf[256];
	int64_t total = 0;

	(void)f;
	(void)pos;
	while (it->left) {
		size_t want = MIN(it->left, sizeof(buf));
		size_t n = it->move(it, buf, want);

		random_add(buf, n, false);
		total += (int64_t)n;
		if (n < want)
			return total ? total : -EFAULT;
	}
	return total;
}

static int64_t write_kmsg(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	char line[512];
	size_t n = it->move(it, line, MIN(it->left, sizeof(line) - 1));
	char *s = line;

	(void)f;
	(void)pos;
	line[n] = 0;
	if (n && line[n - 1] == '\n')
		line[n - 1] = 0;
	if (*s == '<') { /* a level */
		while (*s && *s != '>')
			s++;
		s += *s ? 1 : 0;
	}
	printk("%s\n", s);
	it->left = 0;
	return (int64_t)n;
}

/*
 * One line of the log a read, as "level,number,microseconds,flags;text" (Linux's form). f->pos counts
 * bytes of the ring; it is also the number, which only has to rise.
 */
static int64_t read_kmsg(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	char text[384];
	char out[440];
	uint64_t at = f->pos;
	unsigned long long us = 0;
	size_t n = log_ring_read(&at, text, sizeof(text) - 1);
	uint64_t first = at - n;
	char *end;
	char *s = text;

	(void)pos;
	if (!n)
		return -EAGAIN; /* Linux waits: no message is worth that to anybody here */
	text[n] = 0;
	end = memchr(text, '\n', n);
	n = end ? (size_t)(end - text) : n;
	text[n] = 0;
	if (*s == '[') { /* "[ seconds.micros] " as port_log writes it */
		for (s++; *s && *s != ']'; s++)
			us = *s >= '0' && *s <= '9' ? us * 10 + (unsigned)(*s - '0') : us;
		s += *s ? 1 : 0;
		s += *s == ' ' ? 1 : 0;
	}
	n = (size_t)scnprintf(out, sizeof(out), "6,%llu,%llu,-;%s\n", (unsigned long long)first, us,
			      s);
	if (n > it->left)
		return -EINVAL;
	f->pos = first + (end ? (size_t)(end - text) + 1 : strlen(text));
	return it->move(it, out, n) == n ? (int64_t)n : -EFAULT;
}

static int64_t seek_kmsg(struct file *f, int64_t off, int whence)
{
	enum { SET, CUR, END, DATA };

	if (off)
		return -ESPIPE;
	if (whence != SET && whence != END && whence != DATA)
		return -EINVAL;
	f->pos =
		whence == END ? log_ring_end() : 0; /* DATA: since the last clear, which is never */
	return 0;
}

static int64_t seek_zero(struct file *f, int64_t off, int whence)
{
	(void)f;
	(void)off;
	(void)whence;
	return 0;
}

static const struct file_ops null_ops = {.read = read_end, .write = write_all, .seek = seek_zero};
static const struct file_ops zero_ops = {.read = read_zero, .write = write_all, .seek = seek_zero};
static const struct file_ops full_ops = {.read = read_zero, .write = write_full, .seek = seek_zero};
static const struct file_ops random_ops = {.read = read_random, .write = write_random};
/* Records are not offered: EINVAL sends dmesg to syslog(2). */
static const struct file_ops kmsg_ops = {.read = read_kmsg, .write = write_kmsg, .seek = seek_kmsg};

static int open_mem(struct vnode *vn, struct file *f)
{
	switch (vfs_dev_minor(vn->rdev)) {
	case NULL_MINOR:
		f->ops = &null_ops;
		f->mode |= FILE_SEEK;
		return 0;
	case ZERO_MINOR:
		f->ops = &zero_ops;
		f->mode |= FILE_SEEK;
		return 0;
	case FULL_MINOR:
		f->ops = &full_ops;
		f->mode |= FILE_SEEK;
		return 0;
	case RANDOM_MINOR:
	case URANDOM_MINOR:
		f->ops = &random_ops;
		return 0;
	case KMSG_MINOR:
		f->ops = &kmsg_ops;
		f->mode |= FILE_SEEK;
		return 0;
	default:
		return -ENXIO;
	}
}

void devfs_mem_init(void)
{
	static struct devfs_chr mem = {.major = MEM_MAJOR, .count = 16, .open = open_mem};

	devfs_register_chr(&mem);
	devfs_node("null", VFS_S_IFCHR | 0666, vfs_dev(MEM_MAJOR, NULL_MINOR));
	devfs_node("zero", VFS_S_IFCHR | 0666, vfs_dev(MEM_MAJOR, ZERO_MINOR));
	devfs_node("full", VFS_S_IFCHR | 0666, vfs_dev(MEM_MAJOR, FULL_MINOR));
	devfs_node("random", VFS_S_IFCHR | 0666, vfs_dev(MEM_MAJOR, RANDOM_MINOR));
	devfs_node("urandom", VFS_S_IFCHR | 0666, vfs_dev(MEM_MAJOR, URANDOM_MINOR));
	devfs_node("kmsg", VFS_S_IFCHR | 0644, vfs_dev(MEM_MAJOR, KMSG_MINOR));
}
