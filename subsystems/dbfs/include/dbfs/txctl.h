/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The control interface of a mounted volume: ioctls on the file .dbfs/ctl at its root, the same on
 * Alien OS and on Linux's FUSE mount (docs/transactions.md, "From programs").
 *
 * Opening .dbfs/ctl gives a handle; BEGIN starts the one transaction of that handle and answers its
 * ID, under which .dbfs/tx/ID/root is the tree as the transaction sees it. Closing the last
 * descriptor of the handle rolls back what has not been committed. Structures have no padding and
 * the same layout on every 64-bit machine. Reserved fields are zero, or the call gives EINVAL.
 *
 * This header needs no other but stdint.h, so that programs can take it as it is.
 */
#ifndef DBFS_TXCTL_H
#define DBFS_TXCTL_H

#include <stdint.h>

#define DBFS_TXCTL_VERSION 1u

enum dbfs_txctl_mode {
	DBFS_TXCTL_OPTIMISTIC = 0,
	DBFS_TXCTL_LOCKING = 1, /* EOPNOTSUPP where the engine has one writer lock */
	DBFS_TXCTL_READ_ONLY = 2,
};

enum dbfs_txctl_flags {
	DBFS_TXCTL_NOSYNC = 1, /* commit does not wait for the disk */
};

/* BEGIN. EBUSY: this handle already has a transaction. */
struct dbfs_txctl_begin {
	uint32_t version; /* DBFS_TXCTL_VERSION */
	uint32_t mode;
	uint32_t flags;
	uint32_t reserved;
	uint64_t age; /* 0, or .age of the attempt that this one retries */
	uint64_t id;  /* out */
};

/* COMMIT. EAGAIN: a conflict, rolled back. ESTALE: ended already. */
struct dbfs_txctl_commit {
	uint64_t commit_ts; /* out: position in the order of commits */
	uint64_t age;       /* out: for a retry */
};

/* SAVEPOINT (out) and ROLLBACK_TO (in; EINVAL: none that was given and still stands). Kernel caches of the view are dropped by the latter. */
struct dbfs_txctl_savepoint {
	uint64_t pos;
};

/* STATUS: the transaction of this handle. ENOTCONN before BEGIN. */
struct dbfs_txctl_status {
	uint64_t id;
	uint32_t state; /* enum dbfs_txctl_state */
	uint32_t mode;
};

enum dbfs_txctl_state {
	DBFS_TXCTL_RUNNING = 1,
	DBFS_TXCTL_COMMITTED = 2,
	DBFS_TXCTL_ROLLED_BACK = 3,
};

/* Linux's _IOC encoding, spelled out so that no system header is needed. */
#define DBFS_TXCTL_IOC(dir, nr, size) \
	(((uint32_t)(dir) << 30) | ((uint32_t)(size) << 16) | 0xdb00u | (nr))
#define DBFS_TXCTL_BEGIN DBFS_TXCTL_IOC(3, 1, sizeof(struct dbfs_txctl_begin))
#define DBFS_TXCTL_COMMIT DBFS_TXCTL_IOC(2, 2, sizeof(struct dbfs_txctl_commit))
#define DBFS_TXCTL_ROLLBACK DBFS_TXCTL_IOC(0, 3, 0)
#define DBFS_TXCTL_SAVEPOINT DBFS_TXCTL_IOC(2, 4, sizeof(struct dbfs_txctl_savepoint))
#define DBFS_TXCTL_ROLLBACK_TO DBFS_TXCTL_IOC(1, 5, sizeof(struct dbfs_txctl_savepoint))
#define DBFS_TXCTL_STATUS DBFS_TXCTL_IOC(2, 6, sizeof(struct dbfs_txctl_status))

_Static_assert(sizeof(struct dbfs_txctl_status) == 16, "layout");
_Static_assert(sizeof(struct dbfs_txctl_begin) == 32, "layout");
_Static_assert(sizeof(struct dbfs_txctl_commit) == 16, "layout");

#endif
