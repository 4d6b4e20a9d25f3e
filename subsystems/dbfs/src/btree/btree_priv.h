/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Inside of one page. All of it relies on dbfs_btree_page_ok having said yes. */
#ifndef DBFS_BTREE_BTREE_PRIV_H
#define DBFS_BTREE_BTREE_PRIV_H

#include "base/mem.h"
#include "btree/btree.h"

#define PAGE_HEADER ((unsigned)sizeof(struct dbfs_disk_page))
#define OVERFLOW_RUNS_MAX 64u
#define OVERFLOW_BLOCKS_MAX 64u

static inline const struct dbfs_disk_page *page_header(const uint8_t *page)
{
	return (const struct dbfs_disk_page *)(const void *)page;
}

static inline unsigned page_count(const uint8_t *page)
{
	return le16_get(page_header(page)->count);
}

static inline unsigned page_level(const uint8_t *page)
{
	return page_header(page)->level;
}

static inline struct dbfs_btree_key page_prefix(const uint8_t *page)
{
	return (struct dbfs_btree_key){page + PAGE_HEADER, le16_get(page_header(page)->prefix_len)};
}

static inline const uint8_t *page_cell(const uint8_t *page, unsigned i)
{
	const uint8_t *slots = page + PAGE_HEADER + page_prefix(page).len;

	return page + ((unsigned)slots[2 * i] | (unsigned)slots[2 * i + 1] << 8);
}

/* The key of cell i without the page's prefix. */
static inline struct dbfs_btree_key page_suffix(const uint8_t *page, unsigned i)
{
	const uint8_t *cell = page_cell(page, i);
	unsigned skip = page_level(page) ? (unsigned)sizeof(struct dbfs_disk_inner_cell)
					 : (unsigned)sizeof(struct dbfs_disk_leaf_cell);

	return (struct dbfs_btree_key){cell + skip, (unsigned)cell[0] | (unsigned)cell[1] << 8};
}

struct page_value {
	const uint8_t *p;
	uint32_t len; /* in the cell */
	bool overflow;
};

static inline struct page_value page_value(const uint8_t *page, unsigned i)
{
	const uint8_t *cell = page_cell(page, i);
	const struct dbfs_disk_leaf_cell *c = (const void *)cell;
	uint32_t len = le32_get(c->value_len);

	return (struct page_value){cell + sizeof(*c) + le16_get(c->key_len),
				   len & ~DBFS_CELL_OVERFLOW, (len & DBFS_CELL_OVERFLOW) != 0};
}

struct page_child {
	uint64_t block;
	uint32_t crc;
};

static inline struct page_child page_child(const uint8_t *page, unsigned i)
{
	const struct dbfs_disk_inner_cell *c = (const void *)page_cell(page, i);

	return (struct page_child){le64_get(c->block), le32_get(c->crc)};
}

/* Writes the whole key of cell i to buf (DBFS_FULL_KEY_MAX bytes); its length. */
uint32_t dbfs_btree_page_key(const uint8_t *page, unsigned i, uint8_t *buf);

/* Number of cells whose key is < key (<= key, if through). */
unsigned dbfs_btree_page_search(const uint8_t *page, struct dbfs_btree_key key, bool through);

/* The child of an inner page in which key would be. */
unsigned dbfs_btree_page_route(const uint8_t *page, struct dbfs_btree_key key);

int dbfs_btree_key_cmp(struct dbfs_btree_key a, struct dbfs_btree_key b);

/* Pins the page of a pointer and checks its level. */
int dbfs_btree_pin(const struct dbfs_btree_env *env, uint64_t block, uint32_t crc, unsigned level,
		   struct dbfs_frame **out) MUST_CHECK;

/* Length of a value as the user sees it. */
size_t dbfs_btree_value_len(struct page_value v);
int dbfs_btree_value_copy(const struct dbfs_btree_env *env, struct page_value v, void *buf,
			  size_t cap) MUST_CHECK;
/* Run i of an overflow descriptor. */
struct dbfs_run dbfs_btree_overflow_run(struct page_value v, unsigned i);
unsigned dbfs_btree_overflow_runs(struct page_value v);

#endif
