/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The parts of tx: options (tx.c), the view (view.c), the command's processes (command.c). */
#ifndef LINUX_TX_H
#define LINUX_TX_H

#include <limits.h>
#include <stdbool.h>

#include "dbfs-tx.h"

/* tx's own exit statuses; 126 and 127 are the command's, as env(1)'s. */
enum {
	TX_EXIT_CONFLICT = 75, /* EX_TEMPFAIL of sysexits.h */
	TX_EXIT_ERROR = 125,
	TX_EXIT_CANNOT_RUN = 126,
	TX_EXIT_NOT_FOUND = 127,
};

struct tx_options {
	const char *dir; /* -C: the volume and the working directory; NULL: the current one */
	unsigned retries;
	struct dbfs_tx_options begin;
	bool quiet;
	char **command; /* NULL: a shell that asks at its end */
};

/* Where a transaction runs. Filled by view_find. */
struct tx_place {
	char mount[PATH_MAX]; /* root of the DBFS mount */
	char cwd[PATH_MAX];   /* absolute, below mount */
	char view[PATH_MAX];  /* MOUNT/.dbfs/tx/ID/root */
};

/* Prints "tx: ..." on stderr; err is an errno or 0. */
void tx_error(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* 0 or -1 (said on stderr). */
int view_find(const char *dir, struct tx_place *out);
int view_name(int handle, struct tx_place *place);
/*
 * In the calling process (the command's, before exec): a private mount namespace in which the view
 * lies over the mount point, and the working directory is inside it again.
 */
int view_enter(const struct tx_place *place);
/* Names descriptors that lead past the view to the volume itself. */
void view_warn_inherited(const struct tx_place *place);

/*
 * Runs argv in the view and waits for it and for all that it left running (which is ended). Its exit
 * status, 128 + signal, or one of TX_EXIT_*.
 */
int command_run(const struct tx_place *place, char **argv);

#endif
