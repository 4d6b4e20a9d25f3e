/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * From a running machine to the first process: the root file system, /dev, init.
 *
 *   root=/dev/vda [rootfstype=dbfs] [ro]   a disk by its name; dbfs if no type is given
 *   (no root=)                             a memory file system, filled from the initrd, a tar archive
 *
 * /dev is mounted before process 1 starts, so that it has /dev/console as its descriptors 0, 1 and 2.
 */
#include "init/userland.h"

#include "arch/layout.h"
#include "dev/fdt.h"
#include "fs/dbfs/init.h"
#include "fs/devfs/devfs.h"
#include "fs/initrd/initrd.h"
#include "fs/procfs/init.h"
#include "fs/sysfs/sysfs.h"
#include "fs/tmpfs/tmpfs.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "port/log.h"
#include "proc/process.h"
#include "proc/start.h"
#include "sys/dispatch.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vfs/mount.h"

static const struct vfs_cred root_cred = {.caps = VFS_CAPS_ALL};

/* An instance that is not mounted yet. NULL: there is no such type. */
static struct vfs_fs *make_fs(const char *name, const char *source, unsigned long flags)
{
	const struct vfs_mount_args args = {.source = source,
					    .data = "",
					    .flags = flags,
					    .cred = &root_cred};
	const struct vfs_fs_type *type = vfs_fs_find_type(name);
	struct vfs_fs *fs;

	if (type == NULL)
		return NULL;
	int err = type->mount(type, &args, &fs);

	if (err != 0)
		panic("cannot mount %s as %s (error %d)", source, name, -err);
	return fs;
}

/* "/dev/vda" is found by its name: there is no /dev yet. */
static struct vfs_fs *root_on_disk(const char *source, unsigned long flags)
{
	char type[16];

	if (!boot_arg("rootfstype", type, sizeof type))
		strlcpy(type, "dbfs", sizeof type);
	struct vfs_fs *fs =
		make_fs(type, strncmp(source, "/dev/", 5) == 0 ? source + 5 : source, flags);

	if (fs == NULL)
		panic("rootfstype=%s: there is no such file system", type);
	return fs;
}

static struct fs_context *context_on(struct vfs_fs *fs, unsigned flags)
{
	struct mnt_ns *ns;

	if (mnt_ns_create(fs, flags, &ns) != 0)
		panic("no memory for the root file system");
	struct fs_context *fc = fs_context_create(ns);

	if (fc == NULL)
		panic("no memory for the root file system");
	return fc;
}

static void unpack_initrd(struct fs_context *fc)
{
	if (boot_info.initrd.size == 0)
		panic("no root: give root=/dev/vda or an initrd");
	int64_t n = initrd_unpack(fc, arch_direct(boot_info.initrd.base), boot_info.initrd.size);

	if (n < 0)
		panic("the initrd cannot be unpacked (error %lld)", (long long)-n);
	port_log(PORT_LOG_INFO, "root: %lld members unpacked", (long long)n);
}

static struct fs_context *make_root(void)
{
	unsigned flags = boot_flag("ro") ? VFS_MS_RDONLY : 0;
	char source[64];

	if (boot_arg("root", source, sizeof source))
		return context_on(root_on_disk(source, flags), flags);
	struct fs_context *fc = context_on(make_fs("tmpfs", "rootfs", 0), 0);

	unpack_initrd(fc);
	return fc;
}

static void mount_dev(const struct vfs_walk_from *from)
{
	struct vfs_fs *dev = make_fs("devtmpfs", "devtmpfs", 0);

	if (dev == NULL)
		return;
	if (vfs_mount_at(from, dev, "/dev", 0) != 0)
		port_log(PORT_LOG_ERROR, "the root has no directory /dev");
	vfs_fs_put(dev);
}

static struct fd_table *console_fds(const struct vfs_walk_from *from)
{
	struct fd_table *fds = fdtable_create();
	struct file *f;

	if (fds == NULL)
		panic("no memory for the first process");
	int err = vfs_open(from, "/dev/console", VFS_O_RDWR, 0, &f);

	if (err != 0) {
		port_log(PORT_LOG_ERROR, "cannot open /dev/console (error %d)", -err);
		return fds;
	}
	for (int fd = 0; fd < 3; fd++) {
		if (fdtable_install(fds, file_get(f), 0, 3, false) != fd)
			panic("no memory for the first process");
	}
	file_put(f);
	return fds;
}

static void sync_all(void)
{
	int err = vfs_sync_all();

	if (err != 0)
		port_log(PORT_LOG_ERROR, "sync before power-off failed (error %d)", -err);
}

void userland_start(void)
{
	if (vfs_init() != 0)
		panic("no memory for the file layer");
	tmpfs_init();
	devfs_init();
	sysfs_init();
	procfs_init();
	dbfs_init();
	proc_init();
	proc_hooks.sync_all = sync_all;
	syscalls_init();
	struct fs_context *fc = make_root();
	const struct vfs_walk_from from = {.fc = fc, .cred = &root_cred};

	mount_dev(&from);
	proc_start_init(fc, console_fds(&from));
}
