/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The key-value face of DBFS: an ordered, transactional store of byte strings in one image. This is the
 * reference; docs/kv.md is the guide, linux/examples/ has three programs.
 *
 *	struct dbfs_kv_tx tx;
 *	struct dbfs_kv_bucket b;
 *
 *	dbfs_kv_begin(db, &opts, &tx);                 db is from dbfs_open (dbfs/dbfs.h)
 *	dbfs_kv_root(&tx, &b);
 *	dbfs_kv_put(&b, key, value);
 *	dbfs_kv_commit(&tx);                           durable (DBFS_SYNC) on return
 *
 * Handles (transactions, buckets, cursors, streams, loaders) are structures in the caller's memory. Their
 * members are private; copying a bucket handle is fine, copying the others is not. They end with their
 * transaction: whatever is done with them later gives -DBFS_ESTALE, and a handle that was closed, or is all
 * zero, gives -DBFS_EBADF. The memory of a transaction must outlive the handles made in it. A handle belongs to one thread at a time, a volume to any number.
 *
 * Errors common to all calls: -DBFS_EIO, -DBFS_ECORRUPT (what was read is not what was written), -DBFS_ENOMEM,
 * -DBFS_EBADF, -DBFS_ESTALE; of changes also -DBFS_EROFS (read-only transaction or volume) and -DBFS_ENOSPC. A
 * call that fails has changed nothing in its transaction. With the lock manager a call in a locking transaction
 * may also answer -DBFS_EDEADLK: roll back and run it again; dbfs_kv_run does that.
 *
 * A volume can hold files (dbfs/fs.h) and buckets side by side; dbfs_kv_raw() takes both into one transaction.
 */
#ifndef DBFS_KV_H
#define DBFS_KV_H

#include "base/list.h"
#include "base/types.h"
#include "dbfs/dbfs.h"

#define DBFS_KV_KEY_MAX 480u      /* bytes; a key has at least one */
#define DBFS_KV_NAME_MAX 255u     /* bytes of a bucket's name, any bytes; at least one */
#define DBFS_KV_INLINE_MAX 65535u /* longer values are kept as streams, in blocks of their own */
#define DBFS_KV_VALUE_MAX ((uint64_t)1 << 32)
#define DBFS_KV_DEPTH_MAX 32u /* buckets in buckets */

/* A byte string of the caller; p may be NULL if len is 0. */
struct dbfs_kv_bytes {
	const void *p;
	size_t len;
};

/* --- Transactions ------------------------------------------------------------------------ */

struct dbfs_kv_tx {
	struct dbfs_tx *tx; /* NULL: ended */
	uint64_t serial;    /* never given twice in a process */
	uint64_t changes;   /* of the set of buckets, by this transaction */
	struct list cursors;
	unsigned streams; /* being written */
	bool dropped;
	void *scratch;
	size_t scratch_len;
};

/* As dbfs_tx_begin. On success *tx must be ended by commit or rollback. */
int dbfs_kv_begin(struct dbfs *db, const struct dbfs_tx_opts *opts, struct dbfs_kv_tx *tx)
	MUST_CHECK;

/*
 * As dbfs_tx_commit: ends the transaction in every case, and its cursors with it. -DBFS_EBUSY: a stream is still being
 * written (dbfs_kv_stream_end); nothing happened. -DBFS_ESTALE: it had ended already.
 */
int dbfs_kv_commit(struct dbfs_kv_tx *tx) MUST_CHECK;
/* Ends it; none of it happened. Harmless if it has ended. */
void dbfs_kv_rollback(struct dbfs_kv_tx *tx);

/*
 * Runs fn in a transaction and commits; after a conflict or deadlock again, with its age kept, as
 * dbfs_tx_run does. What fn returns non-zero rolls back and is returned. fn does not end the transaction.
 */
int dbfs_kv_run(struct dbfs *db, const struct dbfs_tx_opts *opts,
		int (*fn)(struct dbfs_kv_tx *tx, void *arg), void *arg) MUST_CHECK;

/*
 * The same transaction for the calls of dbfs/fs.h, and for savepoints (close cursors and end streams before rolling
 * back to one). Not to be committed or rolled back by itself. NULL: it has ended.
 */
struct dbfs_tx *dbfs_kv_raw(struct dbfs_kv_tx *tx);

/* --- Buckets ----------------------------------------------------------------------------- */

/*
 * A bucket holds keys, and other buckets by name, as a directory holds files and directories. Names and keys do
 * not meet: a bucket may have a key and a bucket of the same spelling.
 */
struct dbfs_kv_bucket {
	struct dbfs_kv_tx *tx;
	uint64_t serial;  /* of the transaction */
	uint64_t changes; /* seen */
	uint32_t id;
	uint32_t flags;
};

/*
 * The bucket that is always there. -DBFS_EFORMAT: the volume's buckets have a newer layout, or are an unfinished
 * copy (dbfs_kv_copy).
 */
int dbfs_kv_root(struct dbfs_kv_tx *tx, struct dbfs_kv_bucket *out) MUST_CHECK;
/* -DBFS_ENOENT, -DBFS_EINVAL (empty name), -DBFS_ENAMETOOLONG. */
int dbfs_kv_bucket_open(struct dbfs_kv_bucket *parent, struct dbfs_kv_bytes name,
			struct dbfs_kv_bucket *out) MUST_CHECK;
/* A new, empty one. -DBFS_EEXIST, -DBFS_EMLINK (too deep), and as above. */
int dbfs_kv_bucket_create(struct dbfs_kv_bucket *parent, struct dbfs_kv_bytes name,
			  struct dbfs_kv_bucket *out) MUST_CHECK;
/*
 * The bucket of that name goes, with all that is in it, at once; handles of it (and below) give -DBFS_ESTALE. The
 * space comes back in small transactions after the commit; what a crash leaves undone, the next drop or
 * dbfs_kv_reclaim does. -DBFS_ENOENT.
 */
int dbfs_kv_bucket_drop(struct dbfs_kv_bucket *parent, struct dbfs_kv_bytes name) MUST_CHECK;
/*
 * Calls fn for the name of each bucket in parent, in order (memcmp), until it returns non-zero, which ends the listing
 * with 0. fn does not create or drop buckets.
 */
int dbfs_kv_bucket_list(struct dbfs_kv_bucket *parent,
			int (*fn)(void *arg, struct dbfs_kv_bytes name), void *arg) MUST_CHECK;
/* Finishes the clearing of dropped buckets; *removed counts the keys. Outside of any transaction of the caller. */
int dbfs_kv_reclaim(struct dbfs *db, uint64_t *removed) MUST_CHECK;

/* --- Keys and values --------------------------------------------------------------------- */

/*
 * Keys are compared as memcmp does, shorter first. -DBFS_EINVAL: an empty key; -DBFS_E2BIG: a longer one
 * than DBFS_KV_KEY_MAX. These two hold for every call that takes a key.
 */

/* -DBFS_EFBIG: longer than DBFS_KV_VALUE_MAX. */
int dbfs_kv_put(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key, struct dbfs_kv_bytes value)
	MUST_CHECK;
/*
 * Copies at most cap bytes of the value to buf; *len is its full length, so that another call can be made with more
 * room. -DBFS_ENOENT.
 */
int dbfs_kv_get(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key, void *buf, size_t cap,
		uint64_t *len) MUST_CHECK;
/* 0 or -DBFS_ENOENT. */
int dbfs_kv_exists(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key) MUST_CHECK;
/* Deleting what is not there is fine. */
int dbfs_kv_delete(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key) MUST_CHECK;

/* --- Cursors ----------------------------------------------------------------------------- */

/* Keys from lo to below hi. len 0: no limit on that side. */
struct dbfs_kv_range {
	struct dbfs_kv_bytes lo;
	struct dbfs_kv_bytes hi;
};

struct dbfs_kv_cursor {
	struct dbfs_kv_bucket bucket;
	struct kv_open *open; /* NULL: closed */
	bool on;              /* stands on an element */
};

/* range NULL: the whole bucket. Own writes in the transaction are seen where they lie ahead. */
int dbfs_kv_cursor_open(struct dbfs_kv_bucket *b, const struct dbfs_kv_range *range,
			struct dbfs_kv_cursor *out) MUST_CHECK;
/* Harmless if it is closed, or its transaction has ended. */
void dbfs_kv_cursor_close(struct dbfs_kv_cursor *c);
/*
 * To the next (previous) element; the first call after open goes to the first (last) of the range.
 * -DBFS_ENOENT at the end; it then stands on none, and goes on from the last one that it stood on.
 */
int dbfs_kv_cursor_next(struct dbfs_kv_cursor *c) MUST_CHECK;
int dbfs_kv_cursor_prev(struct dbfs_kv_cursor *c) MUST_CHECK;
/* To the first element >= key (the last <= key) in the range. -DBFS_ENOENT. */
int dbfs_kv_cursor_seek(struct dbfs_kv_cursor *c, struct dbfs_kv_bytes key) MUST_CHECK;
int dbfs_kv_cursor_seek_last(struct dbfs_kv_cursor *c, struct dbfs_kv_bytes key) MUST_CHECK;
/*
 * Key and value of the element that it stands on; the memory is the cursor's, until its next call or the next
 * write in the transaction. -DBFS_EINVAL: it stands on none. value: -DBFS_E2BIG for a stream: open it by its key.
 */
int dbfs_kv_cursor_key(struct dbfs_kv_cursor *c, struct dbfs_kv_bytes *out) MUST_CHECK;
int dbfs_kv_cursor_value(struct dbfs_kv_cursor *c, struct dbfs_kv_bytes *out) MUST_CHECK;
/* The length of its value, streams included. */
int dbfs_kv_cursor_size(struct dbfs_kv_cursor *c, uint64_t *out) MUST_CHECK;

/* --- Large values ------------------------------------------------------------------------ */

struct dbfs_kv_stream {
	struct dbfs_kv_bucket bucket;
	uint64_t id;
	uint64_t size; /* so far, or of the value */
	enum { DBFS_KV_STREAM_CLOSED, DBFS_KV_STREAM_WRITE, DBFS_KV_STREAM_READ } state;
	uint32_t fill;   /* bytes in buf */
	uint32_t extent; /* read: blocks in the extent that buf's first block begins */
	uint64_t first;  /* block number of buf */
	uint8_t *buf;
	size_t key_len;
	uint8_t key[DBFS_KV_KEY_MAX];
};

/*
 * Starts a value that is written piece by piece; it takes the key's place when it ends. Memory is one buffer of
 * 512 KiB. The same stream can be written longer than memory, up to DBFS_KV_VALUE_MAX.
 */
int dbfs_kv_stream_create(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key,
			  struct dbfs_kv_stream *out) MUST_CHECK;
/* Appends. -DBFS_EFBIG: it would become too long. After an error the stream can only be dropped. */
int dbfs_kv_stream_write(struct dbfs_kv_stream *s, const void *data, size_t len) MUST_CHECK;
/* Puts it under its key and closes s in every case; on an error it is dropped. */
int dbfs_kv_stream_end(struct dbfs_kv_stream *s) MUST_CHECK;
/*
 * Opens any value (short ones too) for reading in pieces. It stays what it was at this moment only as long as this
 * transaction does not change the key. -DBFS_ENOENT.
 */
int dbfs_kv_stream_open(struct dbfs_kv_bucket *b, struct dbfs_kv_bytes key,
			struct dbfs_kv_stream *out) MUST_CHECK;
uint64_t dbfs_kv_stream_size(const struct dbfs_kv_stream *s);
/* *done < len only at the end. */
int dbfs_kv_stream_read(struct dbfs_kv_stream *s, uint64_t off, void *buf, size_t len, size_t *done)
	MUST_CHECK;
/* Closes; one that was being written is dropped. Harmless if it is closed, or its transaction has ended. */
void dbfs_kv_stream_close(struct dbfs_kv_stream *s);

/* --- Bulk load --------------------------------------------------------------------------- */

/*
 * Puts many keys in transactions of about batch_keys keys each, unsynced until the end: the load as a whole is not
 * atomic, a crash leaves a prefix of it. Fastest in rising order of keys (each batch then touches few pages), right in
 * any order. Uses transactions of its own: the caller has none that writes.
 */
struct dbfs_kv_load {
	struct dbfs *db;
	struct dbfs_kv_tx tx;
	struct dbfs_kv_bucket bucket;
	const struct dbfs_kv_bytes *path;
	unsigned depth;
	uint32_t batch;    /* keys in a transaction */
	uint32_t in_batch; /* so far */
	size_t bytes;      /* so far */
	uint64_t keys;     /* added in all */
	int err;           /* sticky */
};

/*
 * path: the names from the root to the bucket, depth of them (0: the root), which must stay valid and exist.
 * batch_keys 0: 1,000. -DBFS_ENOENT.
 */
int dbfs_kv_load_begin(struct dbfs *db, const struct dbfs_kv_bytes *path, unsigned depth,
		       uint32_t batch_keys, struct dbfs_kv_load *out) MUST_CHECK;
/* After an error the load can only end; what was committed before stays. */
int dbfs_kv_load_add(struct dbfs_kv_load *l, struct dbfs_kv_bytes key, struct dbfs_kv_bytes value)
	MUST_CHECK;
/* Commits the rest; 0: all of it is durable. Ends l in every case. */
int dbfs_kv_load_end(struct dbfs_kv_load *l) MUST_CHECK;

/* --- The whole --------------------------------------------------------------------------- */

struct dbfs_kv_stats {
	uint64_t buckets; /* below, at any depth */
	uint64_t keys;    /* in these and in the bucket itself */
	uint64_t key_bytes;
	uint64_t value_bytes; /* streams included */
	uint64_t streams;
};

/* Walks the bucket and those below it. Of the volume: dbfs_get_stats. */
int dbfs_kv_bucket_stats(struct dbfs_kv_bucket *b, struct dbfs_kv_stats *out) MUST_CHECK;

/*
 * Copies all buckets, as they are at one moment, to dst, which gets a new volume (what it held is gone; the label
 * stays, the UUID is new). Writers go on meanwhile. The copy is dense: keys in order, no free space between, so this
 * is also how a volume is compacted: copy to a smaller device, close both, and put the new one in the place of the
 * old (linux/lib/kvfile.h does it with files). There is no compaction in place. Durable on return. Takes dst, which is
 * closed in every case; a copy that did not finish is refused by
 * dbfs_kv_root (or, if it had hardly begun, empty).
 * -DBFS_EOPNOTSUPP: the volume also holds files. -DBFS_ENOSPC: dst is too small.
 */
int dbfs_kv_copy(struct dbfs *db, struct port_blk *dst) MUST_CHECK;
/* A size of device, in bytes, that a copy of what is there now surely fits on. */
int dbfs_kv_copy_size(struct dbfs *db, uint64_t *bytes) MUST_CHECK;

#endif
