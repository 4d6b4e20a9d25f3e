/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The file systems beside the root. A row whose mount point is a mount already (the kernel did it, or an
 * initial RAM disk) is skipped; what the kernel refuses is said on the console and start-up goes on.
 */
#include "init.h"

#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct row {
	const char *target;
	const char *types[3]; /* tried in this order */
	unsigned long flags;
	const char *options;
	mode_t mode; /* of the mount point, if it has to be made */
};

static const struct row table[] = {
	{"/proc", {"proc"}, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, 0555},
	{"/sys", {"sysfs"}, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, 0555},
	{"/dev", {"devtmpfs", "devfs"}, MS_NOSUID, "mode=0755", 0755},
	{"/dev/pts", {"devpts"}, MS_NOSUID | MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666", 0755},
	{"/dev/shm", {"tmpfs"}, MS_NOSUID | MS_NODEV, "mode=1777", 01777},
	{"/run", {"tmpfs"}, MS_NOSUID | MS_NODEV, "mode=0755", 0755},
	{"/run/lock", {NULL}, 0, NULL, 01777},
	{"/tmp", {"tmpfs"}, MS_NOSUID | MS_NODEV, "mode=1777", 01777},
};

static const char *const links[][2] = {
	{"/proc/self/fd", "/dev/fd"},
	{"/proc/self/fd/0", "/dev/stdin"},
	{"/proc/self/fd/1", "/dev/stdout"},
	{"/proc/self/fd/2", "/dev/stderr"},
};

/* Is a file system mounted on path (other than the one its parent is on)? */
static bool is_mount(const char *path)
{
	struct stat own, parent;
	char up[64];
	snprintf(up, sizeof(up), "%s/..", path);
	return stat(path, &own) == 0 && stat(up, &parent) == 0 && own.st_dev != parent.st_dev;
}

static void make_dir(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0)
		chmod(path, mode);
	else if (errno != EEXIST)
		say("mkdir %s: %s", path, strerror(errno));
}

static void mount_row(const struct row *r)
{
	make_dir(r->target, r->mode);
	if (!r->types[0] || is_mount(r->target))
		return;
	int error = 0;
	for (size_t i = 0; i < 3 && r->types[i]; i++) {
		if (mount(r->types[i], r->target, r->types[i], r->flags, r->options) == 0)
			return;
		if (error == 0 || error == ENODEV)
			error = errno;
	}
	say("mount %s on %s: %s", r->types[0], r->target, strerror(error));
}

void mounts_make(void)
{
	struct statvfs root;
	if (statvfs("/", &root) == 0 && (root.f_flag & ST_RDONLY) &&
	    mount(NULL, "/", NULL, MS_REMOUNT, NULL) != 0)
		say("/ stays read-only: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		mount_row(&table[i]);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink(links[i][0], links[i][1]) != 0 && errno != EEXIST)
			say("symlink %s: %s", links[i][1], strerror(errno));
}

/* The mount points of /proc/mounts in `dirs`, oldest first; how many. */
static size_t list_mounts(char (*dirs)[256], size_t max)
{
	size_t n = 0;
	FILE *f = setmntent("/proc/self/mounts", "r");
	if (!f)
		return 0;
	for (struct mntent *m; n < max && (m = getmntent(f));)
		if (strcmp(m->mnt_dir, "/") != 0 && strlen(m->mnt_dir) < sizeof(dirs[0]))
			strcpy(dirs[n++], m->mnt_dir);
	endmntent(f);
	return n;
}

void mounts_end(void)
{
	static char dirs[256][256];
	size_t n = list_mounts(dirs, 256);
	while (n-- > 0)
		if (umount2(dirs[n], 0) != 0)
			umount2(dirs[n], MNT_DETACH); /* /dev and /proc are in use by init itself */
	sync();
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) != 0 && errno != ENOSYS &&
	    errno != EINVAL)
		say("remount / read-only: %s", strerror(errno));
}
