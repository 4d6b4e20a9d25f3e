/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Volumes and transactions: the part of DBFS that both faces share (dbfs/fs.h: files; dbfs/kv.h: an
 * ordered key-value store). What a transaction promises: docs/transactions.md.
 *
 * A struct dbfs may be used by any number of threads. A struct dbfs_tx by one thread at a time
 * (whoever shares one, as a mounted view does, serializes). Nothing here may be called with a
 * spinlock held or from an interrupt. Out parameters are written only on success.
 */
#ifndef DBFS_DBFS_H
#define DBFS_DBFS_H

#include "base/types.h"
#include "dbfs/errors.h"
#include "port/blk.h"

struct dbfs;    /* an open volume */
struct dbfs_tx; /* a running transaction */

#define DBFS_BLOCK_SIZE 4096u

/* --- Making a volume --------------------------------------------------------------------- */

struct dbfs_format_opts {
	uint64_t log_bytes; /* 0: chosen from the size of the device */
	uint8_t uuid[16];   /* all zero: random */
	char label[32];     /* not necessarily terminated; zero filled */
};

/*
 * Writes an empty volume (no file system yet: dbfs_fs_make) over whatever dev holds, durably. dev stays
 * the caller's. -DBFS_ENOSPC (too small), -DBFS_EIO, -DBFS_EROFS.
 */
int dbfs_format(struct port_blk *dev, const struct dbfs_format_opts *opts) MUST_CHECK;

/* --- Opening and closing ------------------------------------------------------------------ */

struct dbfs_open_opts {
	bool read_only;         /* replays the log in memory only; writes nothing */
	bool no_background;     /* no threads: the caller calls dbfs_sync/dbfs_checkpoint (tools) */
	size_t cache_bytes;     /* checked tree pages kept in memory; 0: default (8 MiB) */
	size_t mem_bytes;       /* versions kept in memory before a checkpoint starts; 0: default */
	uint64_t sync_delay_ns; /* unsynced commits are written out after this; 0: default (1 s) */
	size_t dirty_bytes;     /* ... or after this much file data; 0: default (8 MiB) */
	/* Recovery's progress, NULL: none. done and total in log bytes. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *progress_arg;
};

/*
 * Opens and, unless read_only, recovers. Takes dev (closed by dbfs_close; on failure it stays the
 * caller's, possibly locked for this process until its close). A volume whose log is damaged opens
 * read-only: dbfs_write_error. -DBFS_EFORMAT, -DBFS_ECORRUPT, -DBFS_EBUSY (another process has it), -DBFS_EIO, -DBFS_ENOMEM.
 */
int dbfs_open(struct port_blk *dev, const struct dbfs_open_opts *opts, struct dbfs **out)
	MUST_CHECK;

/*
 * Rolls back what still runs, makes all commits durable, writes a checkpoint and frees db in every
 * case. The result says whether all of it got to the disk. No other thread may use db any more.
 */
int dbfs_close(struct dbfs *db) MUST_CHECK;

/* Returns when every commit made before the call is durable. -DBFS_EIO, -DBFS_EROFS. */
int dbfs_sync(struct dbfs *db) MUST_CHECK;

/* Moves what the log holds into the tree and releases log space and freed blocks; durable on return. */
int dbfs_checkpoint(struct dbfs *db) MUST_CHECK;

/* 0 while the volume can be written, else the error that made it read-only (sticky). */
int dbfs_write_error(const struct dbfs *db);
bool dbfs_is_read_only(const struct dbfs *db);

struct dbfs_stats {
	uint64_t total_blocks;
	uint64_t free_blocks; /* could be allocated now or after the next checkpoint */
	uint64_t commits;     /* read-write transactions since open */
	uint64_t flushes;     /* device flushes since open */
	uint64_t groups;      /* log groups written since open */
	uint64_t checkpoints;
	uint64_t conflicts; /* optimistic commits refused */
	uint64_t log_bytes; /* in use */
	uint64_t log_capacity;
	uint64_t versions; /* in memory */
	uint64_t version_bytes;
	uint64_t cache_hits;
	uint64_t cache_misses;
	uint64_t replayed_commits; /* by the recovery at open */
	uint64_t durable_ts;       /* commit timestamp up to which all is durable */
	uint64_t last_ts;          /* newest commit timestamp */
	uint8_t uuid[16];
	char label[32];
};

void dbfs_get_stats(struct dbfs *db, struct dbfs_stats *out);

/* --- Transactions ------------------------------------------------------------------------ */

enum dbfs_tx_mode {
	DBFS_TX_LOCKING,    /* conflicts wait; never -DBFS_ECONFLICT */
	DBFS_TX_OPTIMISTIC, /* never waits; commit may answer -DBFS_ECONFLICT */
	DBFS_TX_READ_ONLY, /* one committed state; never waits, never fails; writes give -DBFS_EROFS */
};

enum dbfs_durability {
	DBFS_SYNC,   /* commit returns when the log is on stable storage */
	DBFS_NOSYNC, /* commit returns when it is ordered; durable later, in order */
};

struct dbfs_tx_opts {
	enum dbfs_tx_mode mode;
	enum dbfs_durability durability;
	uint64_t age; /* 0, or dbfs_tx_age() of the attempt that this one retries */
};

/* Gives a transaction that sees the newest committed state. -DBFS_ENOMEM, -DBFS_EROFS, -DBFS_EINTR. */
int dbfs_tx_begin(struct dbfs *db, const struct dbfs_tx_opts *opts, struct dbfs_tx **out)
	MUST_CHECK;

/*
 * Ends tx in every case (takes it). 0: all of it happened, and with DBFS_SYNC is durable.
 * -DBFS_ECONFLICT, -DBFS_EDEADLK, -DBFS_ELOGFULL, -DBFS_ENOMEM: none of it happened. -DBFS_EIO with
 * DBFS_SYNC: unknown; the volume is read-only now and reopening decides.
 */
int dbfs_tx_commit(struct dbfs_tx *tx) MUST_CHECK;

/* Ends tx (takes it); none of it happened. */
void dbfs_tx_rollback(struct dbfs_tx *tx);

struct dbfs *dbfs_tx_volume(const struct dbfs_tx *tx);
bool dbfs_tx_is_read_only(const struct dbfs_tx *tx);
uint64_t dbfs_tx_age(const struct dbfs_tx *tx);

/* After commit returned 0: the commit's timestamp (rises in commit order). Passed as out parameter
 * variant of dbfs_tx_commit for those who wait for durability later. */
int dbfs_tx_commit_ts(struct dbfs_tx *tx, uint64_t *ts) MUST_CHECK;
/* Returns when the commit with timestamp ts (and all before it) is durable. */
int dbfs_wait_durable(struct dbfs *db, uint64_t ts) MUST_CHECK;

/* A mark inside tx; rolling back to it undoes what came after and keeps the mark. Marks nest. */
struct dbfs_savepoint {
	uint64_t pos;
};
struct dbfs_savepoint dbfs_tx_savepoint(struct dbfs_tx *tx);
void dbfs_tx_rollback_to(struct dbfs_tx *tx, struct dbfs_savepoint sp);

/*
 * Runs fn in a transaction and commits; on a conflict or deadlock again, with its age kept, at most
 * 64 times (the last ones locking). What fn returns non-zero rolls back and is returned. fn must have
 * no effect outside the transaction that hurts when repeated.
 */
int dbfs_tx_run(struct dbfs *db, const struct dbfs_tx_opts *opts,
		int (*fn)(struct dbfs_tx *tx, void *arg), void *arg) MUST_CHECK;

#endif
