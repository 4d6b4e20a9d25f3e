/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Terminals in /dev: console, ttyS0, tty, ptmx, pts/N; type devpts. */
#include "fs/devfs/devfs.h"
#include "fs/tmpfs/tmpfs.h"
#include "fs/tty/tty.h"
#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "port/log.h"
#include "proc/process.h"

enum { PTS_MAJOR = 136, PTS_COUNT = 64 };

static struct vfs_fs *pts_fs;

static int open_serial(struct vnode *vn, struct file *f)
{
	bool noctty = (atomic_load_explicit(&f->flags, memory_order_relaxed) & VFS_O_NOCTTY) != 0;

	(void)vn;
	return tty_open(tty_console(), f, !noctty);
}

/* Major 5: tty 0, console 1, ptmx 2. */
static int open_aux(struct vnode *vn, struct file *f)
{
	struct tty *t;

	switch (vfs_dev_minor(vn->rdev)) {
	case 0:
		t = current_task() ? session_tty() : NULL;
		return t ? tty_open(t, f, false) : -ENXIO;
	case 1:
		return tty_open(tty_console(), f, false);
	case 2:
		return ptmx_open(f);
	default:
		return -ENXIO;
	}
}

static int open_pts(struct vnode *vn, struct file *f)
{
	return pts_open(vfs_dev_minor(vn->rdev), f);
}

/* A pair came or went: its node in /dev/pts. */
static int pty_changed(uint32_t index, bool on)
{
	char name[12];
	struct vfs_new what = {.mode = VFS_S_IFCHR | 0620,
			       .rdev = vfs_dev(PTS_MAJOR, index),
			       .uid = current_task() ? current_cred()->fsuid : 0,
			       .gid = 5};

	(void)scnprintf(name, sizeof(name), "%u", index);
	return on ? tmpfs_add(pts_fs, name, &what) : tmpfs_remove(pts_fs, name);
}

static int mount_pts(const struct vfs_fs_type *type, const struct vfs_mount_args *args,
		     struct vfs_fs **out)
{
	(void)type;
	(void)args;
	vfs_fs_get(pts_fs);
	*out = pts_fs;
	return 0;
}

static struct vfs_fs_type devpts_type = {.name = "devpts", .mount = mount_pts};

void devfs_tty_init(void)
{
	static struct devfs_chr serial = {.major = 4, .first = 64, .count = 1, .open = open_serial};
	static struct devfs_chr aux = {.major = 5, .count = 3, .open = open_aux};
	static struct devfs_chr pts = {.major = PTS_MAJOR, .count = PTS_COUNT, .open = open_pts};
	struct vfs_new ptmx = {.mode = VFS_S_IFCHR | 0666, .rdev = vfs_dev(5, 2)};

	tty_init();
	if (tmpfs_create(&devpts_type, "devpts", &pts_fs) || tmpfs_add(pts_fs, "ptmx", &ptmx))
		panic("no memory for /dev/pts");
	vfs_fs_register(&devpts_type);
	pty_install_notify(pty_changed);
	devfs_register_chr(&serial);
	devfs_register_chr(&aux);
	devfs_register_chr(&pts);
	devfs_node("ttyS0", VFS_S_IFCHR | 0660, vfs_dev(4, 64));
	devfs_node("tty", VFS_S_IFCHR | 0666, vfs_dev(5, 0));
	devfs_node("console", VFS_S_IFCHR | 0600, vfs_dev(5, 1));
	devfs_node("ptmx", VFS_S_IFCHR | 0666, vfs_dev(5, 2));
}
