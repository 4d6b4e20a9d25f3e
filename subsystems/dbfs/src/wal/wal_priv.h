/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#ifndef DBFS_WAL_WAL_PRIV_H
#define DBFS_WAL_WAL_PRIV_H

#include "port/sync.h"
#include "wal/wal.h"

enum {
	SEG_PAGES = 16,
	SEG_BYTES = SEG_PAGES * (int)DBFS_BLOCK_SIZE,
	GROUP_SOFT_BYTES = 1 << 20, /* a group that has this much is closed */
	DATA_BUCKETS = 8192,
	GROUP_HEADER = (int)sizeof(struct dbfs_disk_group),
};

struct segment {
	struct segment *next;
	uint8_t *bytes; /* SEG_BYTES, from port_alloc_pages */
};

/* Bytes of a group: header and records, in segments. */
struct group {
	struct list link; /* in wal.sealed; lock: wal.lock */
	uint64_t seq;     /* const */
	struct segment *first;
	struct segment *last;
	uint64_t capacity; /* of all segments */
	uint64_t bytes;    /* written; the header counts */
	uint64_t reserved; /* bytes may grow to this */
	uint64_t bound;    /* what of the ring it may take; lock: wal.lock */
	uint32_t nrecords;
	uint64_t last_ts;
	uint64_t opened;   /* port_now() of the first commit; 0: none */
	uint64_t finished; /* bytes of commits; lock: wal.lock */
	bool mark;         /* holds only a durable mark */
	struct list data;
	uint64_t ndata;
};

struct dbfs_wal {
	struct port_mutex lock;
	struct port_cond changed;    /* durable, error, busy or writing changed */
	struct port_cond durable[2]; /* the same for those who wait for a group, by its number */
	bool cutting;                /* the checkpoint waits for busy to end; lock: lock */
	struct dbfs_io *io;          /* const after init, as the next four */
	uint64_t log_start;
	uint64_t log_blocks;
	uint64_t ring; /* bytes */
	uint64_t salt;

	/* lock: lock */
	struct dbfs_log_pos head; /* of the next group to be written */
	uint64_t tail_lsn;
	uint64_t next_seq;    /* of the next group to be opened */
	uint64_t durable_seq; /* groups up to this are durable */
	uint64_t durable_ts;
	uint64_t last_ts;   /* newest commit that was finished */
	uint64_t bound;     /* sum over groups not yet written */
	uint64_t unwritten; /* bytes in them */
	uint64_t cut_seq;   /* cut is wanted for this group; 0: none */
	struct dbfs_log_pos cut;
	bool cut_known;
	struct group *open;
	bool busy; /* a committer works on open */
	bool writing;
	bool marked;
	struct list sealed; /* of group, oldest first */
	uint64_t groups;
	_Atomic(int) error; /* release by fail under lock, acquire by anyone */

	/* The committer's, while busy. */
	struct dbfs_disk_record *record;
	uint64_t record_len;
	uint64_t commit_start; /* bytes of the open group at reserve */

	/* The writer's, while writing. */
	struct port_iov iov[DBFS_IO_IOV_MAX];

	struct dbfs_wal_data **table; /* lock: lock; DATA_BUCKETS chains */
	size_t data_bytes;            /* lock: lock */
};

struct group *dbfs_group_create(uint64_t seq); /* NULL: no memory */
void dbfs_group_destroy(struct group *g);
/* Room for bytes in all. -DBFS_ENOMEM. */
int dbfs_group_grow(struct group *g, uint64_t bytes) MUST_CHECK;
/* Appends; there is room. */
void dbfs_group_put(struct group *g, const void *p, size_t len);
/* The CRC of len bytes from off on, all of which have been put. */
uint32_t dbfs_group_crc(const struct group *g, uint64_t off, uint64_t len);
/* The bytes at off; they do not cross a segment. */
void *dbfs_group_at(const struct group *g, uint64_t off);

/* Fills in lsn, salt and CRC of all records, then the header. Gives the header's CRC. */
uint32_t dbfs_group_seal(struct group *g, uint64_t salt, const struct dbfs_log_pos *pos,
			 uint64_t last_ts);
/* Writes (reads) the blocks of the group at its place in the ring. */
int dbfs_group_io(const struct group *g, struct dbfs_io *io, uint64_t log_start,
		  uint64_t log_blocks, uint64_t lsn, struct port_iov *iov) MUST_CHECK;

/* The DATA record of the group's data, and then the data itself to the device. */
void dbfs_data_record(struct group *g);
int dbfs_data_write_list(struct dbfs_wal *w, struct list *list, struct port_iov *iov, unsigned niov)
	MUST_CHECK;
/* Forgets entries of a group that is durable (or never will be). */
void dbfs_data_forget(struct dbfs_wal *w, struct list *list) REQUIRES(&w->lock);
void dbfs_data_commit(struct dbfs_wal *w, struct group *g, struct list *list) REQUIRES(&w->lock);

#endif
