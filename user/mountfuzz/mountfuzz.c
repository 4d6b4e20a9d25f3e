/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * mountfuzz DEVICE DIR COUNT [SEED]: damaged images through the kernel.
 *
 * Takes DEVICE's contents (a small good image) into memory, then COUNT times writes a damaged copy to it,
 * mounts it on DIR as dbfs, reads everything that can be reached, changes something, and unmounts. The
 * kernel may refuse, give EIO, or not notice damage in unused space; it may not crash, hang, or lose
 * track. In the end the good image must mount and read without an error as it did at the start.
 * Exit status 1 if it does not. Seeds make each image again: SEED + its number.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

struct walk {
	unsigned long entries;
	unsigned long bytes;
	unsigned long errors;
	uint64_t sum; /* of names and contents */
};

static struct walk walk_now;

static void die(const char *what)
{
	fprintf(stderr, "mountfuzz: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* xorshift64*: the same numbers everywhere. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du;
}

static void add(const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		walk_now.sum = (walk_now.sum ^ p[i]) * 0x100000001b3u;
}

static void read_file(const char *path)
{
	static char buf[65536];
	int fd = open(path, O_RDONLY | O_NONBLOCK);
	ssize_t n = 0;

	if (fd < 0) {
		walk_now.errors++;
		return;
	}
	while ((n = read(fd, buf, sizeof buf)) > 0) {
		walk_now.bytes += (unsigned long)n;
		add(buf, (size_t)n);
	}
	walk_now.errors += n < 0;
	close(fd);
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char target[4096];

	(void)ftw;
	walk_now.entries++;
	add(path, strlen(path));
	if (type == FTW_DNR || type == FTW_NS) {
		walk_now.errors++;
	} else if (type == FTW_SL) {
		walk_now.errors += readlink(path, target, sizeof target) < 0;
	} else if (type == FTW_F && S_ISREG(st->st_mode)) {
		read_file(path);
	}
	return walk_now.entries > 100000; /* a damaged tree may not be endless, but end it anyway */
}

static struct walk walk(const char *dir)
{
	walk_now = (struct walk){.sum = 0xcbf29ce484222325u};
	if (nftw(dir, visit, 16, FTW_PHYS | FTW_MOUNT) < 0)
		walk_now.errors++;
	return walk_now;
}

/* Errors are fine here: it is the kernel that is tested. */
static void change_something(const char *dir)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/new", dir);
	int fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0644);

	if (fd < 0)
		return;
	if (write(fd, path, sizeof path) < 0 || fsync(fd) < 0)
		walk_now.errors++;
	close(fd);
	unlink(path);
}

static void write_device(const char *device, const unsigned char *image, size_t size)
{
	int fd = open(device, O_WRONLY);

	if (fd < 0)
		die(device);
	for (size_t at = 0; at < size;) {
		ssize_t n = pwrite(fd, image + at, size - at, (off_t)at);

		if (n <= 0)
			die(device);
		at += (size_t)n;
	}
	if (fsync(fd) < 0 || close(fd) < 0)
		die(device);
}

static unsigned char *read_device(const char *device, size_t *size)
{
	int fd = open(device, O_RDONLY);
	off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (end <= 0 || end > 64 << 20)
		die(device);
	unsigned char *image = malloc((size_t)end);

	if (image == NULL || pread(fd, image, (size_t)end, 0) != end)
		die(device);
	close(fd);
	*size = (size_t)end;
	return image;
}

/* Some flipped bytes, a block of zeros or of another place, or a cut-off end. */
static void damage(unsigned char *image, size_t size, uint64_t seed)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
	uint64_t kind = next_random(&state) % 4;
	size_t at = next_random(&state) % (size / 4096) * 4096;
	size_t from = next_random(&state) % (size / 4096) * 4096;

	if (kind == 0)
		memset(image + at, 0, size - at);
	else if (kind == 1)
		memset(image + at, 0, 4096);
	else if (kind == 2)
		memmove(image + at, image + from, 4096);
	for (uint64_t n = next_random(&state) % 64 + (kind == 3); n > 0; n--) {
		/* Half of the flips hit the first blocks, where superblock, roots and log are. */
		size_t range = next_random(&state) % 2 ? size : size / 16;

		image[next_random(&state) % range] ^=
			(unsigned char)(1u << next_random(&state) % 8);
	}
}

static struct walk mount_good(const char *device, const char *dir)
{
	if (mount(device, dir, "dbfs", 0, "") < 0)
		die("the good image does not mount");
	struct walk w = walk(dir);

	if (umount(dir) < 0)
		die("umount");
	return w;
}

int main(int argc, char **argv)
{
	unsigned long mounted = 0;
	unsigned long errors = 0;
	size_t size;

	if (argc < 4 || argc > 5) {
		fprintf(stderr, "usage: mountfuzz DEVICE DIR COUNT [SEED]\n");
		return 2;
	}
	unsigned long count = strtoul(argv[3], NULL, 10);
	uint64_t seed = argc == 5 ? strtoull(argv[4], NULL, 10) : 1;
	unsigned char *good = read_device(argv[1], &size);
	unsigned char *bad = malloc(size);
	struct walk before = mount_good(argv[1], argv[2]);

	if (bad == NULL)
		die("memory");
	for (unsigned long i = 0; i < count; i++) {
		memcpy(bad, good, size);
		damage(bad, size, seed + i);
		write_device(argv[1], bad, size);
		if (mount(argv[1], argv[2], "dbfs", 0, "") < 0)
			continue;
		mounted++;
		errors += walk(argv[2]).errors;
		change_something(argv[2]);
		if (umount(argv[2]) < 0)
			die("umount");
	}
	write_device(argv[1], good, size);
	struct walk after = mount_good(argv[1], argv[2]);
	int same = before.errors == 0 && after.errors == 0 && before.sum == after.sum;

	printf("mountfuzz: %lu images, %lu mounted, %lu refused, %lu read errors; the good one is "
	       "%s\n",
	       count, mounted, count - mounted, errors, same ? "unharmed" : "NOT as it was");
	return same ? 0 : 1;
}
