/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * sysfs, so far the frame of it: the directories that programs look for, without contents, and
 * /sys/class/block with a directory for each disk. Read-only.
 */
#include "fs/sysfs/sysfs.h"

#include "dev/blk.h"
#include "fs/tmpfs/tmpfs.h"
#include "lib/printf.h"

static int fill(struct vfs_fs *fs)
{
	static const char *const dirs[] = {"block",   "bus", "class", "class/block",
					   "devices", "fs",  "kernel"};
	const struct vfs_new dir = {.mode = VFS_S_IFDIR | 0755};
	struct blkdev *d;
	int err = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(dirs) && !err; i++)
		err = tmpfs_add(fs, dirs[i], &dir);
	for (unsigned i = 0; !err && (d = blkdev_get(i)); i++) {
		char name[32];

		(void)scnprintf(name, sizeof(name), "class/block/%s", d->name);
		err = tmpfs_add(fs, name, &dir);
	}
	return err;
}

static int mount_sys(const struct vfs_fs_type *type, const struct vfs_mount_args *args,
		     struct vfs_fs **out)
{
	struct vfs_fs *fs;
	int err = tmpfs_create(type, args->source, &fs);

	if (err)
		return err;
	err = fill(fs);
	if (err) {
		vfs_fs_put(fs);
		return err;
	}
	atomic_fetch_or_explicit(&fs->flags, VFS_FS_READONLY, memory_order_relaxed);
	*out = fs;
	return 0;
}

static struct vfs_fs_type sysfs_type = {.name = "sysfs", .mount = mount_sys};

void sysfs_init(void)
{
	vfs_fs_register(&sysfs_type);
}
