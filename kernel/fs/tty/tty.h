/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Terminals: a line discipline (vfs/ldisc.h) between a device and processes, with job control. The
 * console is one; each pseudo-terminal is one whose device is the master's description.
 */
#ifndef TTY_TTY_H
#define TTY_TTY_H

#include "sync/mutex.h"
#include "sync/spinlock.h"
#include "sync/wait.h"
#include "vfs/file.h"
#include "vfs/ldisc.h"

struct tty;

/* The device. Called under tty->lock, interrupts off; none may sleep. */
struct tty_driver {
	/* Bytes that fit, out of the n given. */
	size_t (*put)(struct tty *t, const char *s, size_t n);
	size_t (*room)(struct tty *t);
	/* Written but not yet gone (tcdrain). */
	size_t (*pending)(struct tty *t);
};

struct tty_winsize {
	uint16_t rows, cols, xpixel, ypixel;
};

struct tty {
	struct spinlock lock; /* rank SPIN_DEV, irqsave: everything below but refs and out */
	struct ldisc ld;
	const struct tty_driver *driver; /* const */
	uint32_t dev;                    /* const: vfs_dev() */
	struct tty_winsize size;
	int pgrp;    /* foreground group, 0: none */
	int session; /* whose controlling terminal it is, 0: nobody's */
	bool hung;   /* hung up: reads end, writes fail */
	bool excl;
	uint32_t opens;
	struct wait_queue read_wait;
	struct wait_queue write_wait;
	struct mutex out; /* rank TTY: one writer at a time */
	void *private;
};

void tty_setup(struct tty *t, const struct tty_driver *driver, uint32_t dev);
/* Received bytes. Any context. */
void tty_receive(struct tty *t, const uint8_t *s, size_t n);
/* The device has room again. Any context. */
void tty_room(struct tty *t);
/* The line is gone: SIGHUP and SIGCONT to its session's foreground group. Any context but interrupts. */
void tty_hangup(struct tty *t);
/*
 * Gives f the terminal's operations (open of a device node). may_control: it becomes the controlling
 * terminal of a session leader that has none. 0 or -EBUSY.
 */
int tty_open(struct tty *t, struct file *f, bool may_control) MUST_CHECK;
/* TIOCSCTTY: force 1 takes it from another session. 0 or -EPERM. */
int tty_set_controlling(struct tty *t, uint64_t force) MUST_CHECK;
/* What both ends of a pseudo-terminal understand. -ENOTTY: not one of these. */
int64_t tty_ioctl(struct tty *t, struct file *f, unsigned cmd, uint64_t arg);

/* The console on the UART; /dev/console and /dev/ttyS0. */
struct tty *tty_console(void);
void tty_init(void);

/* Pseudo-terminals: opens of /dev/ptmx and /dev/pts/N. */
int ptmx_open(struct file *f) MUST_CHECK;
int pts_open(uint32_t index, struct file *f) MUST_CHECK;
/* Called for each pair that is made (on) or gone, to keep /dev/pts. */
void pty_install_notify(int (*notify)(uint32_t index, bool on));

#endif
