/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* /dev (fs/devfs/devfs.h): a memory file system with nodes; a table from device numbers to opens. */
#include "fs/devfs/devfs.h"

#include "fs/pipe/pipe.h"
#include "fs/tmpfs/tmpfs.h"
#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "port/log.h"

static struct vfs_fs *dev_fs;
static struct devfs_chr *devices; /* const after start-up */

void devfs_register_chr(struct devfs_chr *d)
{
	d->next = devices;
	devices = d;
}

static void report(const char *name, int err)
{
	if (err)
		port_log(PORT_LOG_ERROR, "devfs: %s: error %d", name, -err);
}

void devfs_node(const char *name, uint32_t mode, uint32_t rdev)
{
	struct vfs_new what = {.mode = mode, .rdev = rdev};

	report(name, tmpfs_add(dev_fs, name, &what));
}

void devfs_symlink(const char *name, const char *target)
{
	struct vfs_new what = {.mode = VFS_S_IFLNK | 0777, .target = {target, strlen(target)}};

	report(name, tmpfs_add(dev_fs, name, &what));
}

static int open_chr(struct vnode *vn, struct file *f)
{
	uint32_t major = vfs_dev_major(vn->rdev);
	uint32_t minor = vfs_dev_minor(vn->rdev);

	for (struct devfs_chr *d = devices; d; d = d->next) {
		if (d->major == major && minor >= d->first && minor - d->first < d->count)
			return d->open(vn, f);
	}
	return -ENXIO;
}

static int special_open(struct vnode *vn, struct file *f)
{
	switch (vn->type) {
	case VFS_S_IFIFO:
		return fifo_open(vn, f);
	case VFS_S_IFCHR:
		return open_chr(vn, f);
	case VFS_S_IFBLK:
		return devfs_blk_open(vn, f);
	default:
		return -ENXIO;
	}
}

static const struct vfs_special_ops special = {.open = special_open};

/* All mounts show the one instance. */
static int mount_dev(const struct vfs_fs_type *type, const struct vfs_mount_args *args,
		     struct vfs_fs **out)
{
	(void)type;
	(void)args;
	vfs_fs_get(dev_fs);
	*out = dev_fs;
	return 0;
}

static struct vfs_fs_type devtmpfs_type = {.name = "devtmpfs", .mount = mount_dev};

void devfs_init(void)
{
	struct vfs_new shm = {.mode = VFS_S_IFDIR | 01777};
	struct vfs_new dir = {.mode = VFS_S_IFDIR | 0755};

	if (tmpfs_create(&devtmpfs_type, "devtmpfs", &dev_fs))
		panic("no memory for /dev");
	vfs_fs_register(&devtmpfs_type);
	vfs_install_special(&special);
	report("shm", tmpfs_add(dev_fs, "shm", &shm));
	report("pts", tmpfs_add(dev_fs, "pts", &dir));
	devfs_symlink("fd", "/proc/self/fd");
	devfs_symlink("stdin", "/proc/self/fd/0");
	devfs_symlink("stdout", "/proc/self/fd/1");
	devfs_symlink("stderr", "/proc/self/fd/2");
	devfs_mem_init();
	devfs_blk_init();
	devfs_chardev_init();
	devfs_tty_init();
}
