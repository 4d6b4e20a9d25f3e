/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The view of a transaction, laid over the volume for one command.
 *
 *   volume mounted at /mnt:  unshare, make all mounts private, bind /mnt/.dbfs/tx/ID/root on /mnt,
 *                            enter the working directory anew (the old one is outside the view).
 *   volume is /:             the same cannot be done to the root in place, so: bind the view on itself (a
 *                            mount point to pivot to), carry the other mounts (/proc, /dev, ...) over below it,
 *                            pivot_root, and drop the old root.
 *
 * All of it happens in the command's process after fork: when it fails nothing has changed anywhere.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tx.h"

int view_find(const char *dir, struct tx_place *out)
{
	if (dbfs_tx_find_mount(dir != NULL ? dir : ".", out->mount, sizeof out->mount) < 0) {
		tx_error(errno == ENOTSUP ? 0 : errno, "%s is not on a mounted DBFS volume",
			 dir != NULL ? dir : "the working directory");
		return -1;
	}
	if (realpath(dir != NULL ? dir : ".", out->cwd) == NULL) {
		tx_error(errno, "working directory");
		return -1;
	}
	return 0;
}

int view_name(int handle, struct tx_place *place)
{
	uint64_t id;

	if (dbfs_tx_id(handle, &id) < 0) {
		tx_error(errno, "cannot tell the transaction's ID");
		return -1;
	}
	const char *root = strcmp(place->mount, "/") == 0 ? "" : place->mount;
	int n = snprintf(place->view, sizeof place->view, "%s/.dbfs/tx/%llu/root", root,
			 (unsigned long long)id);

	if (n < 0 || (size_t)n >= sizeof place->view) {
		tx_error(ENAMETOOLONG, "%s", place->mount);
		return -1;
	}
	return 0;
}

static int bind_over(const char *what, const char *where)
{
	if (mount(what, where, NULL, MS_BIND | MS_REC, NULL) < 0) {
		tx_error(errno, "cannot bind %s on %s", what, where);
		return -1;
	}
	return 0;
}

/* Is dir below (or the same as) one of the n paths? */
static bool below_any(const char *dir, char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(paths[i]);

		if (strncmp(dir, paths[i], len) == 0 && (dir[len] == '/' || dir[len] == '\0'))
			return true;
	}
	return false;
}

/* A mount point that the view does not have is left out: the transaction may have removed it. */
static int carry_one(const char *view, const char *dir)
{
	char *target = NULL;
	int result = 0;

	if (asprintf(&target, "%s%s", view, dir) < 0) {
		tx_error(ENOMEM, "%s", dir);
		return -1;
	}
	if (access(target, F_OK) == 0)
		result = bind_over(dir, target);
	free(target);
	return result;
}

/* Binds every mount directly below / (with what is mounted on it) at the same place of the view. */
static int carry_mounts(const char *view)
{
	enum { MAX_MOUNTS = 64 };
	char *done[MAX_MOUNTS];
	size_t n = 0;
	int result = -1;
	FILE *mounts = setmntent("/proc/self/mounts", "r");

	if (mounts == NULL) {
		tx_error(errno, "/proc/self/mounts");
		return -1;
	}
	for (struct mntent *m = getmntent(mounts); m != NULL; m = getmntent(mounts)) {
		if (strcmp(m->mnt_dir, "/") == 0 || below_any(m->mnt_dir, done, n) ||
		    strncmp(m->mnt_dir, "/.dbfs", 6) == 0)
			continue;
		if (carry_one(view, m->mnt_dir) < 0)
			goto out;
		if (n == MAX_MOUNTS || (done[n] = strdup(m->mnt_dir)) == NULL) {
			tx_error(0, "too many mounts");
			goto out;
		}
		n++;
	}
	result = 0;
out:
	while (n > 0)
		free(done[--n]);
	endmntent(mounts);
	return result;
}

static int pivot_into(const char *view)
{
	if (bind_over(view, view) < 0 || carry_mounts(view) < 0)
		return -1;
	if (chdir(view) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0) {
		tx_error(errno, "cannot make the view the root");
		return -1;
	}
	return 0;
}

int view_enter(const struct tx_place *place)
{
	if (unshare(CLONE_NEWNS) < 0) {
		tx_error(errno, "cannot make a mount namespace");
		return -1;
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		tx_error(errno, "cannot make mounts private");
		return -1;
	}
	if (strcmp(place->mount, "/") == 0 ? pivot_into(place->view) < 0
					   : bind_over(place->view, place->mount) < 0)
		return -1;
	if (chdir(place->cwd) < 0) {
		tx_error(errno, "cannot enter %s in the transaction", place->cwd);
		return -1;
	}
	return 0;
}

void view_warn_inherited(const struct tx_place *place)
{
	struct stat volume;
	DIR *fds = opendir("/proc/self/fd");

	if (fds == NULL || stat(place->mount, &volume) < 0)
		goto out;
	for (struct dirent *e = readdir(fds); e != NULL; e = readdir(fds)) {
		int fd = atoi(e->d_name);
		struct stat st;

		if (e->d_name[0] == '.' || fd == dirfd(fds) || fstat(fd, &st) < 0)
			continue;
		int flags = fcntl(fd, F_GETFD);

		if (st.st_dev == volume.st_dev && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) &&
		    !(flags & FD_CLOEXEC))
			fprintf(stderr,
				"tx: warning: descriptor %d leads to the volume past the "
				"transaction\n",
				fd);
	}
out:
	if (fds != NULL)
		closedir(fds);
}
