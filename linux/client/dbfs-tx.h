/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * libdbfs-tx: transactions on a mounted DBFS volume, for ordinary programs. A handle is a file
 * descriptor: it can be inherited and passed over a socket, and closing its last copy rolls back.
 * All functions return 0 (or a descriptor) or -1 with errno, and may be called from any thread.
 */
#ifndef DBFS_TX_H
#define DBFS_TX_H

#include <stddef.h>

#include "dbfs/txctl.h"

struct dbfs_tx_options {
	enum dbfs_txctl_mode mode;
	unsigned flags; /* enum dbfs_txctl_flags */
	uint64_t age;   /* 0, or from the attempt that this one retries */
};

/*
 * The root of the DBFS mount that path lies on, into buf (PATH_MAX bytes at most are written).
 * ENOTSUP: path is on no DBFS volume.
 */
int dbfs_tx_find_mount(const char *path, char *buf, size_t size);

/* mount: the root of a DBFS mount. options may be NULL. Gives a close-on-exec descriptor. */
int dbfs_tx_begin(const char *mount, const struct dbfs_tx_options *options);

/* The ID of the transaction of fd, by which .dbfs/tx/ID names it. ENOTCONN: none was begun. */
int dbfs_tx_id(int fd, uint64_t *id);

/* Gives a descriptor of the root of the view, for openat() and its kin. */
int dbfs_tx_dir(int fd);

/* Ends the transaction; fd is still to be closed. EAGAIN: conflict, nothing of it happened. */
int dbfs_tx_commit(int fd, struct dbfs_txctl_commit *out);
int dbfs_tx_rollback(int fd);

int dbfs_tx_savepoint(int fd, struct dbfs_txctl_savepoint *out);
int dbfs_tx_rollback_to(int fd, const struct dbfs_txctl_savepoint *sp);

#endif
