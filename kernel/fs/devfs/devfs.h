/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * /dev: type devtmpfs, one instance, filled with the machine's devices; and what opening a device node or
 * FIFO of any file system means.
 */
#ifndef DEVFS_DEVFS_H
#define DEVFS_DEVFS_H

#include "vfs/file.h"

/* Registers devtmpfs and devpts, makes the nodes, installs the opening of special files. Once. */
void devfs_init(void);

/* A character device: minors [first, first + count). open sets f->ops. At start-up only. */
struct devfs_chr {
	uint32_t major;
	uint32_t first;
	uint32_t count;
	int (*open)(struct vnode *vn, struct file *f);
	struct devfs_chr *next;
};
void devfs_register_chr(struct devfs_chr *d);
/* A node in /dev. name may have directories in it. */
void devfs_node(const char *name, uint32_t mode, uint32_t rdev);
void devfs_symlink(const char *name, const char *target);

/* mem.c, block.c, chardev.c, pts.c: the families of devices. */
void devfs_mem_init(void);
int devfs_blk_open(struct vnode *vn, struct file *f) MUST_CHECK;
void devfs_blk_init(void);
void devfs_chardev_init(void);
void devfs_tty_init(void);

#endif
