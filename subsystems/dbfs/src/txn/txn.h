/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The engine's inner face: what inode, dir, file, xattr and kv are written on. Public transactions
 * (dbfs/dbfs.h) are these; here are the keys, values and blocks in them.
 *
 * One ordered map of byte strings. A key is a bucket number and up to DBFS_KEY_MAX bytes, ordered by
 * bucket, then memcmp, shorter first. A value has up to DBFS_VALUE_MAX bytes. Reads see the
 * transaction's snapshot and its own writes.
 *
 * Read tracking: an optimistic transaction remembers each key that it got and each range that a
 * cursor passed (found or not), and commit checks that nothing newer stands there. DBFS_READ_UNTRACKED
 * exempts a read (statistics, directory times).
 */
#ifndef DBFS_TXN_TXN_H
#define DBFS_TXN_TXN_H

#include "dbfs/dbfs.h"

#define DBFS_KEY_MAX 480u
#define DBFS_VALUE_MAX (128u * 1024u)

struct dbfs_key {
	uint32_t bucket;
	uint32_t len;
	const void *p;
};

struct dbfs_val {
	const void *p;
	size_t len;
};

enum { DBFS_READ_UNTRACKED = 1 };

/*
 * Copies the value into buf: at most cap bytes; *len is its full length (so a second call can be
 * made with more room). -DBFS_ENOENT.
 */
int dbfs_txn_get(struct dbfs_tx *tx, struct dbfs_key key, void *buf, size_t cap, size_t *len,
		 unsigned flags) MUST_CHECK;

/* Key and value are copied. -DBFS_ENOMEM, -DBFS_EROFS, -DBFS_E2BIG, -DBFS_ENOSPC. */
int dbfs_txn_put(struct dbfs_tx *tx, struct dbfs_key key, struct dbfs_val val) MUST_CHECK;
/* Deleting what is not there is fine. */
int dbfs_txn_delete(struct dbfs_tx *tx, struct dbfs_key key) MUST_CHECK;

/*
 * Deltas without conflict. The value is a struct dbfs_counters: times are raised to the maximum and
 * counts are added, at commit, to the newest committed value; two transactions that merge the same key do
 * not conflict. A get inside the transaction sees snapshot plus own deltas and is not tracked.
 * A missing value counts as zeros. Only keys that hold nothing else may be merged.
 */
struct dbfs_counters {
	int64_t mtime_sec;
	int64_t ctime_sec;
	uint32_t mtime_nsec;
	uint32_t ctime_nsec;
	int64_t links;   /* added */
	int64_t entries; /* added */
};

int dbfs_txn_merge(struct dbfs_tx *tx, struct dbfs_key key, const struct dbfs_counters *delta)
	MUST_CHECK;
int dbfs_txn_get_counters(struct dbfs_tx *tx, struct dbfs_key key, struct dbfs_counters *out)
	MUST_CHECK;

/* --- Cursors ------------------------------------------------------------------------------ */

/*
 * Walks [lo, hi) in either direction (to the end of bucket b: hi = {b + 1, 0, ""}); at an end the cursor
 * stays where it was and the call answers -DBFS_ENOENT. Goes over snapshot and own writes; own writes made while it stands
 * are seen when they lie ahead. At most one element at a time is valid: until the next
 * call on the cursor or write in the transaction. All memory is in *c and freed by fini.
 */
struct dbfs_cursor;

int dbfs_cursor_open(struct dbfs_tx *tx, struct dbfs_key lo, struct dbfs_key hi, unsigned flags,
		     struct dbfs_cursor **out) MUST_CHECK;
void dbfs_cursor_close(struct dbfs_cursor *c);
/* To the first element >= key (next), or the last element <= key (prev). -DBFS_ENOENT: none. */
int dbfs_cursor_seek(struct dbfs_cursor *c, struct dbfs_key key) MUST_CHECK;
int dbfs_cursor_seek_last(struct dbfs_cursor *c, struct dbfs_key key) MUST_CHECK;
/* The first call after open stands on the first (last) element. -DBFS_ENOENT at the end. */
int dbfs_cursor_next(struct dbfs_cursor *c) MUST_CHECK;
int dbfs_cursor_prev(struct dbfs_cursor *c) MUST_CHECK;
/* The current element; the memory is the cursor's. */
struct dbfs_key dbfs_cursor_key(const struct dbfs_cursor *c);
int dbfs_cursor_value(struct dbfs_cursor *c, struct dbfs_val *out) MUST_CHECK;

/* --- File data ---------------------------------------------------------------------------- */

struct dbfs_extent {
	uint64_t block; /* on the device; never 0 for a real one */
	uint32_t count;
};

/*
 * Writes nblocks whole blocks to newly allocated space: one extent of *out.count <= nblocks blocks
 * (the caller goes on with the rest), near hint (0: anywhere). crcs[i] gets the CRC32C of block i, for
 * the caller's metadata. The data may stay in memory until the log group that commits it; rollback or
 * savepoint rollback frees the space. -DBFS_ENOSPC.
 */
int dbfs_txn_data_write(struct dbfs_tx *tx, const void *data, uint32_t nblocks, uint64_t hint,
			struct dbfs_extent *out, uint32_t *crcs) MUST_CHECK;

/* Reads and checks count blocks; crcs are what dbfs_txn_data_write gave. -DBFS_ECORRUPT, -DBFS_EIO. */
int dbfs_txn_data_read(struct dbfs_tx *tx, struct dbfs_extent e, const uint32_t *crcs, void *buf)
	MUST_CHECK;

/*
 * Gives blocks back when (and if) tx commits; reusable once a checkpoint with the commit is durable
 * and no reader can reach them. Blocks that this same transaction wrote are free at once.
 */
int dbfs_txn_data_free(struct dbfs_tx *tx, struct dbfs_extent e) MUST_CHECK;

/* Fails with -DBFS_ENOSPC unless about nblocks could be allocated now (unlink, truncate may use a reserve). */
int dbfs_txn_check_space(struct dbfs_tx *tx, uint64_t nblocks) MUST_CHECK;
/* From now on tx may use the reserve that keeps deletes working on a full volume. */
void dbfs_txn_use_reserve(struct dbfs_tx *tx);

/* --- Numbers and hooks -------------------------------------------------------------------- */

/* A number never given before on this volume (inode numbers start at 2). Not rolled back. */
int dbfs_txn_new_id(struct dbfs_tx *tx, uint64_t *out) MUST_CHECK;

/* 16 bytes that are secret and constant for the volume (hash keys). */
void dbfs_volume_secret(const struct dbfs *db, uint8_t out[16]);

/* One pointer that the file system layer hangs on the volume; fini is called by dbfs_close. */
void dbfs_volume_set_fs(struct dbfs *db, void *fs, void (*fini)(void *fs));
void *dbfs_volume_fs(const struct dbfs *db);

/* One bit for the key-value face, false at open: its record of the volume was read and understood. */
bool dbfs_volume_kv_known(const struct dbfs *db);
void dbfs_volume_set_kv_known(struct dbfs *db);

#endif
