/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The inside of volumes and transactions. Who protects what is said at each member; the states and
 * the invariants (TXN-n, SNAP-n, CKPT-n, REC-n) are in the files that keep them.
 */
#ifndef DBFS_TXN_TXN_PRIV_H
#define DBFS_TXN_TXN_PRIV_H

#include <stdatomic.h>

#include "base/list.h"
#include "btree/btree.h"
#include "mvcc/layer.h"
#include "port/sync.h"
#include "port/thread.h"
#include "space/space.h"
#include "txn/txn.h"
#include "wal/wal.h"

/* --- Versions in memory ----------------------------------------------------------------------- */

/* A version layer and what its commits did to space. */
struct vlayer {
	struct list link; /* in dbfs.layers, oldest first; lock: versions */
	struct dbfs_layer *l;
	uint64_t refs;               /* sets that contain it; lock: versions */
	uint64_t max_ts;             /* newest commit in it; atomic by the writer lock */
	struct dbfs_runs allocs;     /* lock: writer; after the freeze the checkpoint's */
	struct dbfs_runs frees;      /* the same */
	struct dbfs_promise promise; /* the same */
};

/*
 * One committed state of the volume, apart from timestamps: what a snapshot looks through, newest
 * first. Const but for refs.
 */
struct set {
	struct list link; /* in dbfs.sets, oldest first; lock: versions */
	uint64_t refs;    /* snapshots, and 1 while it is current; lock: versions */
	struct vlayer *active;
	struct vlayer *frozen; /* or NULL */
	struct dbfs_tree tree;
	struct dbfs_runs retired; /* to be released when this set and all older ones are gone */
};

/* What a snapshot sees. */
struct view {
	const struct set *set;
	uint64_t ts;
};

/* --- The writer lock (writer.c): a FIFO that a transaction, not a thread, holds ------------------- */

struct writer {
	struct port_mutex lock;
	struct list waiters; /* in order of arrival; lock: lock */
	bool busy;           /* lock: lock */
};

struct background {
	struct port_mutex lock;
	struct port_cond wake;
	bool stop; /* lock: lock */
	bool want_ckpt;
	bool started;
	struct port_thread log_thread;
	struct port_thread ckpt_thread;
};

struct dbfs {
	struct port_blk *dev;
	struct dbfs_io io;
	struct dbfs_super super;
	struct dbfs_cache *cache;
	struct dbfs_btree_env env;
	struct dbfs_space *space;
	struct dbfs_wal *wal;
	struct dbfs_open_opts opts; /* with defaults filled in; const after open */
	bool read_only;             /* const after open */
	uint64_t salt;              /* const after open */

	struct writer writer;

	struct port_mutex versions;
	struct port_cond ckpt_done;
	struct list sets;    /* lock: versions */
	struct set *current; /* lock: versions; changes also need the writer lock or ckpt_running */
	struct list layers;  /* lock: versions */
	struct list txs;     /* running transactions; lock: versions */
	struct list optimistic; /* of them, by begin; lock: versions */
	bool ckpt_running;      /* lock: versions */
	uint64_t checkpoints;   /* lock: versions */
	uint64_t conflicts;     /* lock: versions */
	uint64_t commits;       /* lock: versions */

	_Atomic(uint64_t) last_ts; /* release by commit under the writer lock, acquire by begin */
	_Atomic(uint64_t) next_id; /* relaxed: only uniqueness */
	_Atomic(uint64_t) next_tx; /* relaxed: only uniqueness */
	_Atomic(uint64_t) generation; /* of the newest root; relaxed: for marks */
	uint64_t replayed;            /* const after open */

	/* The checkpoint's; who has ckpt_running. */
	struct dbfs_disk_root *root; /* the newest on disk; one block */
	unsigned root_slot;
	uint64_t cut_seq; /* of the frozen layer */
	uint64_t cut_ts;

	struct background bg;
	void *fs;
	void (*fs_fini)(void *fs);
	_Atomic(bool) kv_known; /* relaxed: true once the key-value face's record was found good */
};

/* --- Transactions ------------------------------------------------------------------------------- */

#define UNDO_PER_CHUNK 126u

/* One step of a transaction: a version on top of node, or (node NULL) a committed run freed. */
struct undo {
	uint64_t seq;
	struct dbfs_node *node;
	uint64_t block;
	uint64_t count;
};

struct undo_chunk {
	struct undo_chunk *prev;
	uint64_t n;
	struct undo v[UNDO_PER_CHUNK];
};

/* What an optimistic cursor passed: [lo, hi], or to the end of the bucket's range if open_hi. */
struct read_range {
	struct read_range *next;
	uint32_t lo_len;
	uint32_t hi_len;
	uint8_t lo[DBFS_FULL_KEY_MAX];
	uint8_t hi[DBFS_FULL_KEY_MAX];
};

struct dbfs_tx {
	struct dbfs *db;
	struct list link;     /* in dbfs.txs; lock: versions */
	struct list opt_link; /* in dbfs.optimistic; lock: versions */
	enum dbfs_tx_mode mode;
	enum dbfs_durability durability;
	uint64_t id;
	uint64_t age;
	struct set *set; /* reference */
	uint64_t ts;     /* of the snapshot */
	bool has_writer;
	bool use_reserve;

	struct dbfs_layer *wset; /* own writes; ts is the number of the operation; NULL: none yet */
	uint64_t seq;            /* operations so far */
	uint64_t mark;           /* versions above this number may be overwritten in place */
	struct undo_chunk *undo; /* newest chunk */
	uint64_t nfrees;
	struct list data;    /* of dbfs_wal_data: in memory */
	struct list written; /* the same: on the device already */
	uint64_t nblocks;    /* in both */
	struct dbfs_promise promise;

	struct dbfs_layer *rset; /* keys read; optimistic only */
	struct read_range *ranges;
	struct list cursors;
};

/* A key as the engine has it: bucket (big-endian), then the key. */
struct fullkey {
	uint32_t len;
	uint8_t p[DBFS_FULL_KEY_MAX];
};

static inline struct dbfs_bytes fullkey_bytes(const struct fullkey *k)
{
	return (struct dbfs_bytes){k->p, k->len};
}

static inline struct dbfs_btree_key tree_key(struct dbfs_bytes b)
{
	return (struct dbfs_btree_key){b.p, b.len};
}

/* -DBFS_E2BIG. */
int dbfs_fullkey(struct dbfs_key key, struct fullkey *out) MUST_CHECK;

/* The data of a DBFS_VERSION_MERGE version. */
struct merge_value {
	struct dbfs_counters delta;
	struct dbfs_disk_counters sum; /* worked out by commit */
};

/* writer.c */
void dbfs_writer_init(struct writer *w);
void dbfs_writer_fini(struct writer *w);
/* -DBFS_EINTR if killable and the thread is being killed. */
int dbfs_writer_lock(struct writer *w, bool killable) MUST_CHECK;
void dbfs_writer_unlock(struct writer *w);

/* snap.c */
struct vlayer *dbfs_vlayer_create(void) MUST_CHECK;
void dbfs_vlayer_destroy(struct vlayer *v);
/* A new current set; takes a reference on the layers; set comes from port_alloc_zeroed. */
void dbfs_set_install_locked(struct dbfs *db, struct set *set, struct vlayer *active,
			     struct vlayer *frozen, struct dbfs_tree tree) REQUIRES(&db->versions);
void dbfs_snap_take(struct dbfs_tx *tx);
void dbfs_snap_drop(struct dbfs_tx *tx);
/* The current set with a reference. */
struct set *dbfs_current_get(struct dbfs *db);
void dbfs_current_put(struct dbfs *db, struct set *set);
/* Drops what no snapshot and no optimistic transaction needs any more. */
void dbfs_reap(struct dbfs *db);
void dbfs_sets_destroy(struct dbfs *db);
/*
 * The value of key in set at ts. *v: the version in memory, or NULL: ask the tree. Returns false if it is
 * deleted there.
 */
bool dbfs_set_find(const struct set *set, struct dbfs_bytes key, uint64_t ts,
		   const struct dbfs_version **v);
int dbfs_set_get(struct dbfs *db, struct view view, struct dbfs_bytes key, void *buf, size_t cap,
		 size_t *len) MUST_CHECK;

/* wset.c */
int dbfs_tx_write(struct dbfs_tx *tx, struct dbfs_key key, enum dbfs_version_kind kind,
		  struct dbfs_val val) MUST_CHECK;
int dbfs_tx_undo_push(struct dbfs_tx *tx, struct dbfs_node *node, uint64_t block, uint64_t count)
	MUST_CHECK;
void dbfs_tx_undo_free(struct dbfs_tx *tx);
void dbfs_counters_add(struct dbfs_counters *to, const struct dbfs_counters *delta);
void dbfs_counters_encode(const struct dbfs_counters *c, struct dbfs_disk_counters *out);
int dbfs_counters_of(int err, const uint8_t *buf, size_t len, struct dbfs_counters *out) MUST_CHECK;
/* base plus what own version v (and merges below it) say. */
int dbfs_tx_counters(struct dbfs_tx *tx, struct dbfs_bytes key, struct dbfs_counters *out)
	MUST_CHECK;

/* data.c */
void dbfs_tx_data_undo(struct dbfs_tx *tx, uint64_t pos);
/* Drops blocks that the transaction wrote and freed itself. */
void dbfs_tx_data_prune(struct dbfs_tx *tx);
void dbfs_tx_data_drop_all(struct dbfs_tx *tx);
enum dbfs_space_class dbfs_tx_space_class(const struct dbfs_tx *tx);
/* Tries to turn freed blocks into free ones. True: it makes sense to try again. */
bool dbfs_tx_reclaim(struct dbfs_tx *tx);

/* track.c */
int dbfs_tx_track_key(struct dbfs_tx *tx, struct dbfs_bytes key) MUST_CHECK;
int dbfs_tx_track_range(struct dbfs_tx *tx, struct dbfs_bytes lo, struct read_range **out)
	MUST_CHECK;
void dbfs_tx_track_free(struct dbfs_tx *tx);
/* Under the writer lock: 0, or -DBFS_ECONFLICT. */
int dbfs_tx_validate(struct dbfs_tx *tx) MUST_CHECK;

/* cursor.c: the set changes under open cursors; they find their place again. */
void dbfs_cursors_detach(struct dbfs_tx *tx);

/* ckpt.c */
int dbfs_ckpt_run(struct dbfs *db, bool has_writer, bool closing) MUST_CHECK;
/* Is it time for a checkpoint? */
bool dbfs_ckpt_is_due(struct dbfs *db);
/* While one runs, and twice the memory for versions has filled up beside it: waits. No locks held. */
void dbfs_ckpt_throttle(struct dbfs *db);
/* A root like the one in memory but with a new salt; durable on return. */
int dbfs_root_renew(struct dbfs *db, const struct dbfs_log_pos *head) MUST_CHECK;

/* recover.c: replays the log into the active layer; where the log goes on. */
struct recovery {
	struct dbfs_log_pos head;
	bool damaged; /* something valid follows something that is not */
};
int dbfs_recover(struct dbfs *db, struct recovery *out) MUST_CHECK;

/* background.c */
int dbfs_background_start(struct dbfs *db) MUST_CHECK;
void dbfs_background_stop(struct dbfs *db);
/* After an unsynced commit: wakes who has something to do, or does it. */
void dbfs_background_kick(struct dbfs *db, uint64_t group);

/* tx.c */
void dbfs_tx_end(struct dbfs_tx *tx);

#endif
