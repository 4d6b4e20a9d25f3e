/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The page builders of a merge: one a level, each fed in key order. See build.c. */
#ifndef DBFS_BTREE_BUILD_PRIV_H
#define DBFS_BTREE_BUILD_PRIV_H

#include "btree/btree_priv.h"

enum {
	BUILD_ITEMS = 1100,
	BUILD_BYTES = 32768, /* of keys and values that wait, not compressed */
	BUILD_BATCH = 64,    /* pages written together */
};

struct build_item {
	uint32_t off; /* of the key in the level's bytes; the value follows */
	uint16_t klen;
	uint16_t vlen; /* leaf: in the cell; inner: 12, block and CRC */
	bool overflow;
};

struct build_level {
	struct build_item items[BUILD_ITEMS];
	uint32_t n;
	uint32_t used;  /* of bytes */
	size_t payload; /* sum of klen + vlen */
	bool emitted;   /* has given a page to the level above */
	bool has_sep;   /* leaf: sep is the separator of the page that waits */
	bool has_last;  /* leaf: last is the newest key that went out, and its neighbor follows */
	uint32_t sep_len;
	uint32_t last_len;
	uint8_t sep[DBFS_FULL_KEY_MAX];
	uint8_t last[DBFS_FULL_KEY_MAX];
	uint8_t bytes[BUILD_BYTES];
};

struct build_page {
	uint64_t block;
	uint8_t *page;
	uint32_t crc;
	bool cached; /* a tree page; not one of a value */
};

struct build {
	const struct dbfs_btree_env *env;
	struct dbfs_merge *m;
	struct build_level *levels[DBFS_TREE_LEVELS_MAX + 1];
	struct build_page batch[BUILD_BATCH];
	unsigned nbatch;
	uint64_t pages; /* emitted */
	uint64_t near;  /* hint for the next block */
	struct port_iov iov[BUILD_BATCH];
	uint8_t overflow[sizeof(struct dbfs_disk_overflow) +
			 OVERFLOW_RUNS_MAX * sizeof(struct dbfs_disk_run) +
			 OVERFLOW_BLOCKS_MAX * 4];
};

/* One element for a page of level. lower: separator to use if nothing stands before it (leaf). */
int dbfs_build_add(struct build *b, unsigned level, struct dbfs_btree_key key,
		   struct page_value val, struct dbfs_btree_key lower) MUST_CHECK;
/* A child that stays as it is: an element of level, after everything below level has gone out. */
int dbfs_build_child(struct build *b, unsigned level, struct dbfs_btree_key key,
		     struct page_child child) MUST_CHECK;
/* A value that is too long for a leaf: writes it to blocks; the cell's content is in *out. */
int dbfs_build_overflow(struct build *b, const uint8_t *val, uint32_t len, struct page_value *out)
	MUST_CHECK;
/* Is a page below level waiting that is so small that it should take in its neighbor? */
bool dbfs_build_hungry(const struct build *b, unsigned level);
/* All out and written; the root. */
int dbfs_build_finish(struct build *b, struct dbfs_tree *out) MUST_CHECK;
void dbfs_build_fini(struct build *b);

#endif
