/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Character devices of the machine layer that devfs can expose as they are: virtio console ports
 * ("hvc0", "vport0p1", named ports also by name), "hwrng".
 */
#ifndef DEV_CHARDEV_H
#define DEV_CHARDEV_H

#include "base/list.h"
#include "base/types.h"
#include "sync/wait.h"

struct chardev;

#define CHARDEV_IN 1u
#define CHARDEV_OUT 2u
#define CHARDEV_HUP 4u

struct chardev_ops {
	/*
	 * At least one byte, sleeping for it (killable by signals); 0: end of file (host side
	 * closed); -EINTR, -EAGAIN (nonblock), -EIO. buf is kernel memory.
	 */
	int64_t (*read)(struct chardev *c, void *buf, size_t n, bool nonblock);
	int64_t (*write)(struct chardev *c, const void *buf, size_t n, bool nonblock);
	/* CHARDEV_ bits. */
	unsigned (*poll)(struct chardev *c);
};

struct chardev {
	const struct chardev_ops *ops;
	const char *name;  /* node name under /dev */
	const char *alias; /* port's own name: /dev/virtio-ports/ALIAS; NULL: none */
	uint32_t major;
	uint32_t minor;
	struct wait_queue wait; /* woken when poll may have changed */
	struct list link;
};

/*
 * Drivers register at boot; devfs walks the list at its start and installs on_add for later
 * ones.
 */
void chardev_register(struct chardev *c);
void chardev_for_each(void (*fn)(struct chardev *c, void *arg), void *arg);

#endif
