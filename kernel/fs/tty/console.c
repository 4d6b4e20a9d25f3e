/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The terminal on the first UART: /dev/console, /dev/ttyS0. */
#include "dev/console.h"
#include "fs/tty/tty.h"
#include "proc/process.h"

static struct tty console;

static size_t console_put(struct tty *t, const char *s, size_t n)
{
	(void)t;
	return console_tx(s, n);
}

static size_t room(struct tty *t)
{
	(void)t;
	return console_tx_room();
}

static size_t pending(struct tty *t)
{
	(void)t;
	return console_tx_pending();
}

static const struct tty_driver driver = {.put = console_put, .room = room, .pending = pending};

static void received(const uint8_t *s, size_t n)
{
	tty_receive(&console, s, n);
}

static void has_room(void)
{
	tty_room(&console);
}

static void leader_died(struct tty *t, int sid)
{
	(void)sid;
	tty_hangup(t);
}

struct tty *tty_console(void)
{
	return &console;
}

void tty_init(void)
{
	tty_setup(&console, &driver, vfs_dev(4, 64));
	console_attach(received, has_room);
	proc_hooks.tty_hangup = leader_died;
}
