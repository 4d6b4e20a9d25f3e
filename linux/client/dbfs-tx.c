/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * libdbfs-tx: each call is one ioctl on the handle. The view's directory is found through
 * /proc/self/fd, because a FUSE ioctl cannot return descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dbfs-tx.h"

#define CTL_SUFFIX "/.dbfs/ctl"

/* Is there a control file below the first len bytes of dir (none: the root)? */
static bool has_ctl(const char *dir, size_t len)
{
	char *path;
	struct stat st;

	if (asprintf(&path, "%.*s%s", (int)len, dir, CTL_SUFFIX) < 0)
		return false;
	bool found = stat(path, &st) == 0 && S_ISREG(st.st_mode);

	free(path);
	return found;
}

/* Cuts the last component off; "/a" becomes "" (the root). False when nothing is left to cut. */
static bool parent(const char *path, size_t *len)
{
	if (*len == 0)
		return false;
	do
		(*len)--;
	while (path[*len] != '/');
	return true;
}

/* Does the directory of the first len bytes of path lie on the device of path itself? */
static bool same_device(const char *path, size_t len)
{
	struct stat whole;
	struct stat part;
	char *dir = strndup(path, len);
	bool same = dir != NULL && stat(path, &whole) == 0 &&
		    stat(len == 0 ? "/" : dir, &part) == 0 && whole.st_dev == part.st_dev;

	free(dir);
	return same;
}

/* The length of the mount point that real lies on, or -1 with errno. */
static ssize_t mount_length(const char *real)
{
	size_t len = strcmp(real, "/") == 0 ? 0 : strlen(real);

	while (!has_ctl(real, len)) {
		if (!parent(real, &len)) {
			errno = ENOTSUP;
			return -1;
		}
	}
	if (!same_device(real, len)) {
		errno = ENOTSUP; /* something else is mounted in between */
		return -1;
	}
	return (ssize_t)len;
}

int dbfs_tx_find_mount(const char *path, char *buf, size_t size)
{
	char *real = realpath(path, NULL);

	if (real == NULL)
		return -1;
	ssize_t len = mount_length(real);

	if (len >= 0 && (size_t)len + 2 > size) {
		errno = ENAMETOOLONG;
		len = -1;
	}
	if (len >= 0)
		snprintf(buf, size, "%.*s", len == 0 ? 1 : (int)len, len == 0 ? "/" : real);
	free(real);
	return len < 0 ? -1 : 0;
}

static int open_ctl(const char *mount)
{
	char *path;

	if (asprintf(&path, "%s%s", strcmp(mount, "/") == 0 ? "" : mount, CTL_SUFFIX) < 0) {
		errno = ENOMEM;
		return -1;
	}
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int saved = errno;

	free(path);
	errno = saved;
	return fd;
}

int dbfs_tx_begin(const char *mount, const struct dbfs_tx_options *options)
{
	struct dbfs_txctl_begin begin = {.version = DBFS_TXCTL_VERSION};

	if (options != NULL) {
		begin.mode = options->mode;
		begin.flags = options->flags;
		begin.age = options->age;
	}
	int fd = open_ctl(mount);

	if (fd < 0)
		return -1;
	if (ioctl(fd, DBFS_TXCTL_BEGIN, &begin) < 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int dbfs_tx_id(int fd, uint64_t *id)
{
	struct dbfs_txctl_status st;

	if (ioctl(fd, DBFS_TXCTL_STATUS, &st) < 0)
		return -1;
	*id = st.id;
	return 0;
}

/* Gives MOUNT/.dbfs/tx/ID/root for the control file ctl, or NULL with errno. */
static char *view_path(const char *ctl, uint64_t id)
{
	size_t len = strlen(ctl);
	char *view;

	if (len < strlen(CTL_SUFFIX) || strcmp(ctl + len - strlen(CTL_SUFFIX), CTL_SUFFIX) != 0) {
		errno = ENOTSUP; /* opened under another name */
		return NULL;
	}
	len -= strlen(CTL_SUFFIX);
	if (asprintf(&view, "%.*s/.dbfs/tx/%llu/root", (int)len, ctl, (unsigned long long)id) < 0) {
		errno = ENOMEM;
		return NULL;
	}
	return view;
}

int dbfs_tx_dir(int fd)
{
	char link[64];
	uint64_t id;

	if (dbfs_tx_id(fd, &id) < 0)
		return -1;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	char *ctl = realpath(link, NULL);
	char *view = ctl != NULL ? view_path(ctl, id) : NULL;
	int dir = view != NULL ? open(view, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int saved = errno;

	free(view);
	free(ctl);
	errno = saved;
	return dir;
}

int dbfs_tx_commit(int fd, struct dbfs_txctl_commit *out)
{
	struct dbfs_txctl_commit ignored;

	return ioctl(fd, DBFS_TXCTL_COMMIT, out != NULL ? out : &ignored);
}

int dbfs_tx_rollback(int fd)
{
	return ioctl(fd, DBFS_TXCTL_ROLLBACK);
}

int dbfs_tx_savepoint(int fd, struct dbfs_txctl_savepoint *out)
{
	return ioctl(fd, DBFS_TXCTL_SAVEPOINT, out);
}

int dbfs_tx_rollback_to(int fd, const struct dbfs_txctl_savepoint *sp)
{
	return ioctl(fd, DBFS_TXCTL_ROLLBACK_TO, sp);
}
