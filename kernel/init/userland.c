/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* From a running machine to the first process: root file system, then init. */
#include "init/userland.h"

#include "arch/layout.h"
#include "dev/fdt.h"
#include "fs/initrd/initrd.h"
#include "fs/tmpfs/tmpfs.h"
#include "lib/panic.h"
#include "port/log.h"
#include "proc/process.h"
#include "proc/start.h"
#include "sys/dispatch.h"
#include "vfs/fdtable.h"
#include "vfs/fs.h"
#include "vfs/mount.h"
#include "vfs/path.h"

/* tmpfs, filled from the initial archive if there is one. */
static struct fs_context *root_in_memory(void)
{
	struct vfs_fs *fs;
	struct mnt_ns *ns;
	struct fs_context *fc;
	int64_t n;

	if (tmpfs_create(vfs_fs_find_type("tmpfs"), "rootfs", &fs) || mnt_ns_create(fs, 0, &ns))
		panic("no memory for the root file system");
	fc = fs_context_create(ns);
	if (!fc)
		panic("no memory for the root file system");
	if (!boot_info.initrd.size)
		return fc;
	n = initrd_unpack(fc, arch_direct(boot_info.initrd.base), boot_info.initrd.size);
	if (n < 0)
		panic("the initial archive cannot be unpacked (error %lld)", (long long)-n);
	port_log(PORT_LOG_INFO, "root: %lld members unpacked", (long long)n);
	return fc;
}

void userland_start(void)
{
	struct fs_context *fc;
	struct fd_table *fds;

	if (vfs_init())
		panic("no memory for the file layer");
	tmpfs_init();
	proc_init();
	syscalls_init();
	fc = root_in_memory();
	fds = fdtable_create();
	if (!fds)
		panic("no memory for the first process");
	proc_start_init(fc, fds);
}
