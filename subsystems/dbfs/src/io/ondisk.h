/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Everything that DBFS writes to the device, as structures of alignment 1. docs/format.md is
 * normative; this file says the same in C. All integers are little-endian. A CRC32C covers the whole
 * structure (the whole block where it fills one) with the crc field taken as zero, unless said otherwise.
 *
 *   block 0, 1      superblock and its copy
 *   block 2, 3      root slot A, twice        block 4, 5    root slot B, twice
 *   block 6, 7      unused
 *   log_start ...   the log ring
 *   data_start ...  tree pages, space map, overflow values, file data
 */
#ifndef DBFS_IO_ONDISK_H
#define DBFS_IO_ONDISK_H

#include "base/bytes.h"
#include "dbfs/dbfs.h"

#define DBFS_FORMAT_VERSION 1u
#define DBFS_SUPER_MAGIC "DBFSvol\1"
#define DBFS_ROOT_MAGIC "DBFSroot"
#define DBFS_GROUP_MAGIC "DGRP"

enum {
	DBFS_BLOCK_SUPER = 0,
	DBFS_BLOCK_ROOT = 2, /* slot s, copy c: DBFS_BLOCK_ROOT + 2 * s + c */
	DBFS_BLOCK_LOG = 8,
	DBFS_LOG_MIN_BLOCKS = 64,
	DBFS_ROOT_SALTS = 16,
	DBFS_ROOT_INDEXES = 200,
	DBFS_CHUNK_BLOCKS = 32768, /* blocks that one bitmap block describes */
	DBFS_INDEX_ENTRIES = 252,
	DBFS_TREE_LEVELS_MAX = 12,
	DBFS_FULL_KEY_MAX = 484,      /* bucket (big-endian, 4 bytes) and key */
	DBFS_INLINE_VALUE_MAX = 1024, /* longer values lie in overflow blocks */
};

#define DBFS_BLOCKS_MAX ((uint64_t)DBFS_ROOT_INDEXES * DBFS_INDEX_ENTRIES * DBFS_CHUNK_BLOCKS)

struct dbfs_disk_super {
	uint8_t magic[8];
	struct le32 crc; /* of the whole block */
	struct le32 version;
	uint8_t uuid[16];
	uint8_t label[32];
	uint8_t secret[16];
	struct le32 block_size;
	struct le32 flags; /* 0; others are refused */
	struct le64 total_blocks;
	struct le64 log_start;
	struct le64 log_blocks;
	struct le64 data_start;
};
static_assert(sizeof(struct dbfs_disk_super) == 120, "on disk");
static_assert(offsetof(struct dbfs_disk_super, crc) == 8, "on disk");
static_assert(offsetof(struct dbfs_disk_super, version) == 12, "on disk");
static_assert(offsetof(struct dbfs_disk_super, uuid) == 16, "on disk");
static_assert(offsetof(struct dbfs_disk_super, label) == 32, "on disk");
static_assert(offsetof(struct dbfs_disk_super, secret) == 64, "on disk");
static_assert(offsetof(struct dbfs_disk_super, block_size) == 80, "on disk");
static_assert(offsetof(struct dbfs_disk_super, flags) == 84, "on disk");
static_assert(offsetof(struct dbfs_disk_super, total_blocks) == 88, "on disk");
static_assert(offsetof(struct dbfs_disk_super, log_start) == 96, "on disk");
static_assert(offsetof(struct dbfs_disk_super, log_blocks) == 104, "on disk");
static_assert(offsetof(struct dbfs_disk_super, data_start) == 112, "on disk");

/* A block and the CRC32C of its 4096 bytes as they must be found there. Block 0: nothing. */
struct dbfs_disk_ptr {
	struct le64 block;
	struct le32 crc;
	struct le32 aux; /* tree: number of levels; space index: chunks used; bitmap: free blocks */
};
static_assert(sizeof(struct dbfs_disk_ptr) == 16, "on disk");

/* Groups with sequence number from_seq and above (up to the next entry) carry this salt. */
struct dbfs_disk_salt {
	struct le64 from_seq;
	struct le64 salt;
};
static_assert(sizeof(struct dbfs_disk_salt) == 16, "on disk");

enum { DBFS_ROOT_CLEAN = 1 }; /* closed with an empty log: nothing to replay, nothing to look for */

struct dbfs_disk_root {
	uint8_t magic[8];
	struct le32 crc; /* of the whole block */
	struct le32 flags;
	struct le64 generation;
	struct le64 log_lsn; /* where replay starts: byte offset in the endless log, of a block */
	struct le64 log_seq; /* sequence number of the group that starts there */
	struct le32 log_prev_crc;
	struct le32 nsalts;
	struct le64 next_id;
	struct le64 last_ts;
	struct le64 tree_pages;
	struct le32 nindexes;
	struct le32 reserved;
	struct dbfs_disk_ptr tree;
	struct dbfs_disk_salt salts[DBFS_ROOT_SALTS];
	struct dbfs_disk_ptr indexes[DBFS_ROOT_INDEXES];
};
static_assert(sizeof(struct dbfs_disk_root) == 96 + 256 + 3200, "on disk");
static_assert(offsetof(struct dbfs_disk_root, crc) == 8, "on disk");
static_assert(offsetof(struct dbfs_disk_root, flags) == 12, "on disk");
static_assert(offsetof(struct dbfs_disk_root, generation) == 16, "on disk");
static_assert(offsetof(struct dbfs_disk_root, log_lsn) == 24, "on disk");
static_assert(offsetof(struct dbfs_disk_root, log_seq) == 32, "on disk");
static_assert(offsetof(struct dbfs_disk_root, log_prev_crc) == 40, "on disk");
static_assert(offsetof(struct dbfs_disk_root, nsalts) == 44, "on disk");
static_assert(offsetof(struct dbfs_disk_root, next_id) == 48, "on disk");
static_assert(offsetof(struct dbfs_disk_root, last_ts) == 56, "on disk");
static_assert(offsetof(struct dbfs_disk_root, tree_pages) == 64, "on disk");
static_assert(offsetof(struct dbfs_disk_root, nindexes) == 72, "on disk");
static_assert(offsetof(struct dbfs_disk_root, tree) == 80, "on disk");
static_assert(offsetof(struct dbfs_disk_root, salts) == 96, "on disk");
static_assert(offsetof(struct dbfs_disk_root, indexes) == 352, "on disk");

/* One block of the space index: bitmaps of consecutive chunks. The CRC stands in the root. */
struct dbfs_disk_index {
	uint8_t magic[4]; /* "DIDX" */
	struct le32 number;
	struct le64 generation;
	uint8_t reserved[48];
	struct dbfs_disk_ptr chunks[DBFS_INDEX_ENTRIES];
};
static_assert(sizeof(struct dbfs_disk_index) == DBFS_BLOCK_SIZE, "on disk");

/*
 * A tree page: header, the prefix common to all keys, cell offsets (le16, in key order), free space,
 * cells. Level 0 holds values.
 */
struct dbfs_disk_page {
	struct le32 crc; /* of the whole block */
	uint8_t magic;   /* 'T' */
	uint8_t level;
	struct le16 count;
	struct le64 block; /* where this page lies */
	struct le64 generation;
	struct le16 prefix_len;
	struct le16 cells; /* offset of the lowest cell */
	uint8_t reserved[4];
};
static_assert(sizeof(struct dbfs_disk_page) == 32, "on disk");
static_assert(offsetof(struct dbfs_disk_page, block) == 8, "on disk");
static_assert(offsetof(struct dbfs_disk_page, generation) == 16, "on disk");
static_assert(offsetof(struct dbfs_disk_page, prefix_len) == 24, "on disk");
static_assert(offsetof(struct dbfs_disk_page, cells) == 26, "on disk");

/* Followed by key_len bytes of key (without the page's prefix), then the value or dbfs_disk_overflow. */
struct dbfs_disk_leaf_cell {
	struct le16 key_len;
	struct le32 value_len; /* in the cell; bit 31: it is a struct dbfs_disk_overflow */
};
static_assert(sizeof(struct dbfs_disk_leaf_cell) == 6, "on disk");
#define DBFS_CELL_OVERFLOW 0x80000000u

/* Followed by key_len bytes. Keys of the child are >= this key and < that of the next cell. */
struct dbfs_disk_inner_cell {
	struct le16 key_len;
	struct le64 block;
	struct le32 crc;
};
static_assert(sizeof(struct dbfs_disk_inner_cell) == 14, "on disk");

/* Followed by nruns struct dbfs_disk_run, then one le32 CRC a block. The last block is zero filled. */
struct dbfs_disk_overflow {
	struct le32 len;
	struct le16 nruns;
	struct le16 nblocks;
};
static_assert(sizeof(struct dbfs_disk_overflow) == 8, "on disk");

struct dbfs_disk_run {
	struct le64 block;
	struct le32 count;
};
static_assert(sizeof(struct dbfs_disk_run) == 12, "on disk");

/* --- The log ------------------------------------------------------------------------------ */

/* At a block boundary of the ring; records follow, each at a multiple of DBFS_RECORD_ALIGN. */
struct dbfs_disk_group {
	uint8_t magic[4];
	struct le32 crc; /* of this header only; body_crc covers the records */
	struct le64 salt;
	struct le64 seq;
	struct le64 lsn;   /* byte offset in the endless log; % ring size is the place */
	struct le32 bytes; /* header and records; rounded up to blocks it is the size on disk */
	struct le32 nrecords;
	struct le32 body_crc; /* of the concatenated crc fields of all records */
	struct le32 prev_crc; /* crc of the group before */
	struct le64 last_ts;  /* newest commit in this or an earlier group */
	uint8_t reserved[8];
};
static_assert(sizeof(struct dbfs_disk_group) == 64, "on disk");
static_assert(offsetof(struct dbfs_disk_group, salt) == 8, "on disk");
static_assert(offsetof(struct dbfs_disk_group, seq) == 16, "on disk");
static_assert(offsetof(struct dbfs_disk_group, lsn) == 24, "on disk");
static_assert(offsetof(struct dbfs_disk_group, bytes) == 32, "on disk");
static_assert(offsetof(struct dbfs_disk_group, nrecords) == 36, "on disk");
static_assert(offsetof(struct dbfs_disk_group, body_crc) == 40, "on disk");
static_assert(offsetof(struct dbfs_disk_group, prev_crc) == 44, "on disk");
static_assert(offsetof(struct dbfs_disk_group, last_ts) == 48, "on disk");

#define DBFS_RECORD_ALIGN 32u

enum dbfs_record_type {
	DBFS_REC_TX_BEGIN = 1,
	DBFS_REC_DATA = 2,        /* struct dbfs_disk_run, then its le32 CRCs; repeated */
	DBFS_REC_METADATA = 3,    /* operations: struct dbfs_disk_op ... */
	DBFS_REC_TX_COMMIT = 4,   /* struct dbfs_disk_commit */
	DBFS_REC_TX_ROLLBACK = 5, /* not written by this version; skipped */
	DBFS_REC_CHECKPOINT = 6,  /* le64 generation of the newest root: the durable mark */
};

/* crc covers the payload first, then bytes 4..31 of this header. */
struct dbfs_disk_record {
	struct le32 crc;
	struct le32 len; /* of the payload */
	uint8_t type;
	uint8_t reserved[3];
	struct le32 salt; /* low half of the group's */
	struct le64 lsn;
	struct le64 tx;
};
static_assert(sizeof(struct dbfs_disk_record) == DBFS_RECORD_ALIGN, "on disk");
static_assert(offsetof(struct dbfs_disk_record, type) == 8, "on disk");
static_assert(offsetof(struct dbfs_disk_record, salt) == 12, "on disk");
static_assert(offsetof(struct dbfs_disk_record, lsn) == 16, "on disk");
static_assert(offsetof(struct dbfs_disk_record, tx) == 24, "on disk");

enum dbfs_op_type { DBFS_OP_PUT = 1, DBFS_OP_DELETE = 2, DBFS_OP_ALLOC = 3, DBFS_OP_FREE = 4 };

/* PUT, DELETE: key (full key) and value follow. ALLOC, FREE: a struct dbfs_disk_run follows as value. */
struct dbfs_disk_op {
	uint8_t type;
	uint8_t reserved;
	struct le16 key_len;
	struct le32 value_len;
};
static_assert(sizeof(struct dbfs_disk_op) == 8, "on disk");

struct dbfs_disk_commit {
	struct le64 ts;
	struct le64 next_id;
	struct le32 nops; /* in the METADATA records of this transaction */
	struct le32 reserved;
};
static_assert(sizeof(struct dbfs_disk_commit) == 24, "on disk");

/* The value of a key that is changed by deltas (struct dbfs_counters). */
struct dbfs_disk_counters {
	struct le64 mtime_sec;
	struct le64 ctime_sec;
	struct le32 mtime_nsec;
	struct le32 ctime_nsec;
	struct le64 links;
	struct le64 entries;
};
static_assert(sizeof(struct dbfs_disk_counters) == 40, "on disk");

#endif
