/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Import of a tree on the host: owners, modes, devices, times, xattrs, hard links, holes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tools/import.h"

#define DEPTH_MAX 2000

/* Files with several names that were met, by their identity on the host. */
struct link_seen {
	dev_t dev;
	ino_t ino;
	struct dbfs_ino in_image;
};

struct tree {
	struct import *im;
	struct link_seen *seen;
	size_t seen_count;
	size_t seen_room; /* a power of two, open addressing */
};

static struct link_seen *seen_slot(const struct tree *t, const struct stat *st)
{
	uint64_t h = ((uint64_t)st->st_ino ^ (uint64_t)st->st_dev << 40) * 0x9e3779b97f4a7c15u;
	size_t i = (size_t)(h >> 20) & (t->seen_room - 1);

	while (t->seen[i].in_image.n != 0 &&
	       (t->seen[i].dev != st->st_dev || t->seen[i].ino != st->st_ino))
		i = (i + 1) & (t->seen_room - 1);
	return &t->seen[i];
}

static void seen_add(struct tree *t, const struct stat *st, struct dbfs_ino ino)
{
	if (t->seen_count * 2 >= t->seen_room) {
		struct tree bigger = {.seen_room = t->seen_room * 2};

		bigger.seen = tool_alloc(bigger.seen_room * sizeof(*bigger.seen));
		memset(bigger.seen, 0, bigger.seen_room * sizeof(*bigger.seen));
		for (size_t i = 0; i < t->seen_room; i++) {
			struct stat key = {.st_dev = t->seen[i].dev, .st_ino = t->seen[i].ino};

			if (t->seen[i].in_image.n != 0)
				*seen_slot(&bigger, &key) = t->seen[i];
		}
		free(t->seen);
		t->seen = bigger.seen;
		t->seen_room = bigger.seen_room;
	}
	*seen_slot(t, st) = (struct link_seen){st->st_dev, st->st_ino, ino};
	t->seen_count++;
}

static struct import_node node_of(const struct stat *st)
{
	return (struct import_node){
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.rdev_major = major(st->st_rdev),
		.rdev_minor = minor(st->st_rdev),
		.size = (uint64_t)st->st_size,
		.atime = {st->st_atim.tv_sec, (uint32_t)st->st_atim.tv_nsec},
		.mtime = {st->st_mtim.tv_sec, (uint32_t)st->st_mtim.tv_nsec},
	};
}

/* source is the host's path (not followed). File systems without xattrs are fine. */
static int copy_xattrs(struct import *im, const char *source, const char *as, struct dbfs_ino ino)
{
	ssize_t room = llistxattr(source, NULL, 0);
	int status = TOOL_OK;
	ssize_t len;
	char *names;
	char *value;

	if (room == 0 || (room < 0 && (errno == ENOTSUP || errno == ENOSYS)))
		return TOOL_OK;
	if (room < 0)
		return tool_errno(source);
	names = tool_alloc((size_t)room);
	value = tool_alloc(DBFS_XATTR_VALUE_MAX);
	len = llistxattr(source, names, (size_t)room);
	if (len < 0)
		status = tool_errno(source);
	for (ssize_t at = 0; status == TOOL_OK && at < len; at += (ssize_t)strlen(names + at) + 1) {
		ssize_t n = lgetxattr(source, names + at, value, DBFS_XATTR_VALUE_MAX);

		if (n < 0 && errno == ENODATA)
			continue; /* gone meanwhile */
		status = n < 0 ? tool_errno(source)
			       : import_xattr(im, as, ino, names + at, value, (size_t)n);
	}
	free(value);
	free(names);
	return status;
}

/* Copies [off, end), which has data. */
static int copy_range(struct import *im, int fd, const char *source, struct dbfs_ino ino, off_t off,
		      off_t end)
{
	while (off < end) {
		size_t want = (size_t)MIN(end - off, (off_t)IMPORT_CHUNK);
		ssize_t n = pread(fd, im->chunk, want, off);

		if (n < 0)
			return tool_errno(source);
		if (n == 0)
			return tool_error(source, "became shorter while it was read");
		if (import_data(im, source, ino, (uint64_t)off, im->chunk, (size_t)n) != TOOL_OK)
			return TOOL_FAILED;
		off += n;
	}
	return TOOL_OK;
}

static int copy_contents(struct import *im, const char *source, struct dbfs_ino ino, off_t size)
{
	int fd = open(source, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	off_t off = 0;
	int status = TOOL_OK;

	if (fd < 0)
		return tool_errno(source);
	while (status == TOOL_OK && off < size) {
		off_t data = lseek(fd, off, SEEK_DATA);
		off_t hole;

		if (data < 0 && errno == ENXIO)
			break; /* only a hole is left */
		if (data < 0)
			data = off; /* a file system that cannot tell */
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0 || hole > size)
			hole = size;
		status = copy_range(im, fd, source, ino, data, hole);
		off = hole;
	}
	close(fd);
	return status;
}

/* The target of a symbolic link of the host; NULL with a message. */
static char *host_target(const char *source)
{
	char *target = tool_alloc(DBFS_SYMLINK_MAX + 1);
	ssize_t len = readlink(source, target, DBFS_SYMLINK_MAX + 1);

	if (len >= 0 && (size_t)len <= DBFS_SYMLINK_MAX) {
		target[len] = '\0';
		return target;
	}
	if (len < 0)
		tool_errno(source);
	else
		tool_error(source, "target too long");
	free(target);
	return NULL;
}

static int copy_one(struct tree *t, const char *source, const char *as, const struct stat *st,
		    struct dbfs_ino *ino)
{
	struct import_node n = node_of(st);
	char *target = NULL;
	int status;

	if (S_ISLNK(st->st_mode)) {
		target = host_target(source);
		if (target == NULL)
			return TOOL_FAILED;
		n.target = target;
	}
	status = import_make(t->im, as, &n, ino);
	if (status == TOOL_OK && S_ISREG(st->st_mode) && st->st_size > 0)
		status = copy_contents(t->im, source, *ino, st->st_size);
	if (status == TOOL_OK)
		status = copy_xattrs(t->im, source, as, *ino);
	if (status == TOOL_OK)
		status = import_done(t->im, as, *ino, &n);
	free(target);
	return status;
}

static char *join(const char *a, const char *b)
{
	size_t la = strlen(a);
	size_t lb = strlen(b);
	char *out = tool_alloc(la + lb + 2);

	memcpy(out, a, la);
	if (la > 0 && a[la - 1] != '/')
		out[la++] = '/';
	memcpy(out + la, b, lb + 1);
	return out;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in the directory, sorted: the same tree gives the same image layout. */
static char **list(const char *path, size_t *count)
{
	DIR *d = opendir(path);
	char **names = NULL;
	size_t room = 0;
	struct dirent *e;

	*count = 0;
	if (d == NULL)
		return NULL;
	names = tool_alloc(sizeof(char *));
	errno = 0;
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (*count == room) {
			char **more;

			room = room * 2 + 32;
			more = tool_alloc(room * sizeof(char *));
			memcpy(more, names, *count * sizeof(char *));
			free(names);
			names = more;
		}
		names[(*count)++] = tool_strdup(e->d_name);
		errno = 0;
	}
	closedir(d);
	qsort(names, *count, sizeof(char *), by_name);
	return names;
}

/* Depth is bounded by DEPTH_MAX. */
static int copy_tree(struct tree *t, const char *source, const char *as, unsigned depth)
{
	struct dbfs_ino ino;
	struct stat st;
	char **names;
	size_t count;
	int status;

	if (depth > DEPTH_MAX)
		return tool_error(source, "directories are nested too deeply");
	if (lstat(source, &st) != 0)
		return tool_errno(source);
	if (!S_ISDIR(st.st_mode) && st.st_nlink > 1) {
		ino = seen_slot(t, &st)->in_image;
		if (ino.n != 0)
			return import_link(t->im, as, ino);
	}
	status = copy_one(t, source, as, &st, &ino);
	if (status != TOOL_OK)
		return status;
	if (!S_ISDIR(st.st_mode)) {
		if (st.st_nlink > 1)
			seen_add(t, &st, ino);
		return TOOL_OK;
	}
	names = list(source, &count);
	if (names == NULL)
		return tool_errno(source);
	for (size_t i = 0; i < count; i++) {
		if (status == TOOL_OK) {
			char *from = join(source, names[i]);
			char *to = join(as, names[i]);

			status = copy_tree(t, from, to, depth + 1);
			free(to);
			free(from);
		}
		free(names[i]);
	}
	free(names);
	return status;
}

int import_tree(struct import *im, const char *source, const char *as)
{
	struct tree t = {.im = im, .seen_room = 256};
	int status;

	t.seen = tool_alloc(t.seen_room * sizeof(*t.seen));
	memset(t.seen, 0, t.seen_room * sizeof(*t.seen));
	status = copy_tree(&t, source, as, 0);
	free(t.seen);
	return status;
}
