/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The log: a ring of groups, written one at a time, one flush each. And the queue of file data, which
 * is written before the group whose commits refer to it. See wal.c for the protocol.
 *
 * Thread-safe, except that the functions between dbfs_wal_reserve and dbfs_wal_finish belong to one
 * committer at a time (the writer lock sees to it).
 */
#ifndef DBFS_WAL_WAL_H
#define DBFS_WAL_WAL_H

#include "base/list.h"
#include "io/io.h"
#include "io/runs.h"

struct dbfs_wal;

/* A place in the log: where a group begins, its number, and the checksum of the one before. */
struct dbfs_log_pos {
	uint64_t lsn;
	uint64_t seq;
	uint32_t prev_crc;
};

struct dbfs_wal_config {
	struct dbfs_io *io;
	uint64_t log_start;
	uint64_t log_blocks;
	uint64_t salt;
	struct dbfs_log_pos tail; /* the oldest group that replay needs */
	struct dbfs_log_pos head; /* where the next one goes */
	uint64_t last_ts;
};

struct dbfs_wal *dbfs_wal_create(const struct dbfs_wal_config *config)
	MUST_CHECK;                        /* NULL: no memory */
void dbfs_wal_destroy(struct dbfs_wal *w); /* NULL is fine; forgets what was not written */

/* The one place where a volume turns read-only. The first error stays. */
void dbfs_wal_fail(struct dbfs_wal *w, int err);
int dbfs_wal_error(const struct dbfs_wal *w);

/* --- File data ----------------------------------------------------------------------------- */

/* One block of file data whose commit is not yet on disk. lock: the log's, but where said. */
struct dbfs_wal_data {
	struct list link; /* the transaction's list, owner thread only; then the group's */
	struct dbfs_wal_data *next; /* hash chain */
	uint64_t block;             /* const */
	uint32_t crc;               /* const */
	uint32_t freed; /* the transaction that wrote it freed it again; owner thread only */
	uint64_t born;  /* number of the operation in its transaction; owner thread only */
	uint64_t died;
	uint8_t *page;     /* NULL: on the device */
	const void *owner; /* the transaction; NULL once committed */
	uint64_t group;    /* committed: number of the group */
};

/*
 * Copies the data of a run of blocks, written by owner, into the queue; crcs gets
 * their checksums; entries are added to list. -DBFS_ENOMEM (nothing happened).
 */
int dbfs_wal_data_add(struct dbfs_wal *w, const void *owner, struct list *list, struct dbfs_run run,
		      const void *data, uint32_t *crcs) MUST_CHECK;
/* Copies the block if it is in memory. */
bool dbfs_wal_data_read(struct dbfs_wal *w, uint64_t block, void *buf);
/* The entry of a block that owner wrote and has not committed, or NULL. */
struct dbfs_wal_data *dbfs_wal_data_find(struct dbfs_wal *w, const void *owner, uint64_t block);
/* Drops an uncommitted entry (takes it; on no list). */
void dbfs_wal_data_drop(struct dbfs_wal *w, struct dbfs_wal_data *d);
/* Writes what list (of an uncommitted transaction) has in memory; no flush. -DBFS_EIO. */
int dbfs_wal_data_write(struct dbfs_wal *w, struct list *list) MUST_CHECK;
/* Bytes of data in memory. */
size_t dbfs_wal_data_bytes(struct dbfs_wal *w);

/* --- Committing ----------------------------------------------------------------------------- */

/*
 * Prepares for a transaction whose records have at most bytes (dbfs_wal_record_size summed) and that
 * wrote blocks data blocks. After 0 nothing can fail until dbfs_wal_finish, which must follow.
 * -DBFS_EAGAIN: no room until a checkpoint. -DBFS_ELOGFULL: never. -DBFS_ENOMEM; the sticky error.
 */
int dbfs_wal_reserve(struct dbfs_wal *w, uint64_t bytes, uint64_t blocks) MUST_CHECK;
uint64_t dbfs_wal_record_size(uint64_t payload);

void dbfs_wal_record_begin(struct dbfs_wal *w, enum dbfs_record_type type, uint64_t tx);
void dbfs_wal_record_put(struct dbfs_wal *w, const void *p, size_t len);
void dbfs_wal_record_end(struct dbfs_wal *w);
/* The committed free of a block: if it waits in the open group, it need not be written at all. */
void dbfs_wal_data_free(struct dbfs_wal *w, uint64_t block);
/* The entries of list become the group's (list is empty afterwards). Gives the group's number. */
uint64_t dbfs_wal_finish(struct dbfs_wal *w, uint64_t ts, struct list *list);

/* --- Writing -------------------------------------------------------------------------------- */

/* Returns when group seq is durable; writes groups itself where nobody does. The sticky error. */
int dbfs_wal_wait(struct dbfs_wal *w, uint64_t seq) MUST_CHECK;
/* Returns when the commit with timestamp ts is durable. */
int dbfs_wal_wait_ts(struct dbfs_wal *w, uint64_t ts) MUST_CHECK;
/* Everything that has been finished. */
int dbfs_wal_wait_all(struct dbfs_wal *w) MUST_CHECK;
/* Writes a group with the durable mark if the newest group is not one already. */
int dbfs_wal_mark(struct dbfs_wal *w, uint64_t generation) MUST_CHECK;

/* Closes the open group, so that what follows is in later ones. The number of the next group. */
uint64_t dbfs_wal_cut(struct dbfs_wal *w);
/* Waits until all groups before seq, which dbfs_wal_cut gave, are durable; where seq will begin. */
int dbfs_wal_wait_cut(struct dbfs_wal *w, uint64_t seq, struct dbfs_log_pos *out) MUST_CHECK;
/* Groups before pos are not needed any more. */
void dbfs_wal_release(struct dbfs_wal *w, const struct dbfs_log_pos *pos);

struct dbfs_wal_stats {
	uint64_t groups;
	uint64_t used; /* bytes of the ring that replay needs, promised ones included */
	uint64_t capacity;
	uint64_t durable_ts;
	uint64_t unwritten; /* bytes of finished records not yet written */
	uint64_t oldest;    /* port_now() of the oldest of them; UINT64_MAX: none */
	bool marked;        /* the newest group is a durable mark (or there was none) */
};
void dbfs_wal_get_stats(struct dbfs_wal *w, struct dbfs_wal_stats *out);

#endif
