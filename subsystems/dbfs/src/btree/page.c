/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * One page of the tree: its form, searching in it, values that lie outside of it.
 *
 *   header | prefix | offsets of cells, in key order | free | cells
 *
 * PAGE-1  Cells lie inside the page; keys (prefix and suffix) rise strictly; no key is longer than
 *	   DBFS_FULL_KEY_MAX. page_ok checks it once, when the page comes from the device.
 * PAGE-2  An overflow descriptor's counts agree with its size, and its length with its blocks.
 */
#include "btree/btree_priv.h"

#include "base/crc32c.h"
#include "base/overflow.h"
#include "port/log.h"
#include "port/mem.h"

int dbfs_btree_key_cmp(struct dbfs_btree_key a, struct dbfs_btree_key b)
{
	int c = memcmp(a.p, b.p, MIN(a.len, b.len));

	if (c != 0)
		return c;
	return a.len < b.len ? -1 : a.len > b.len;
}

static bool overflow_ok(const uint8_t *p, uint32_t len)
{
	const struct dbfs_disk_overflow *o = (const void *)p;
	uint32_t nruns;
	uint32_t nblocks;
	uint64_t sum = 0;

	if (len < sizeof(*o))
		return false;
	nruns = le16_get(o->nruns);
	nblocks = le16_get(o->nblocks);
	if (nruns < 1 || nruns > OVERFLOW_RUNS_MAX || nblocks > OVERFLOW_BLOCKS_MAX ||
	    len != sizeof(*o) + nruns * sizeof(struct dbfs_disk_run) + 4 * nblocks)
		return false;
	for (uint32_t i = 0; i < nruns; i++) {
		const struct dbfs_disk_run *r = (const void *)(p + sizeof(*o) + i * sizeof(*r));

		sum += le32_get(r->count);
	}
	return sum == nblocks && le32_get(o->len) > (nblocks - 1) * DBFS_BLOCK_SIZE &&
	       le32_get(o->len) <= nblocks * DBFS_BLOCK_SIZE;
}

static bool cell_ok(const uint8_t *page, unsigned i, unsigned cells)
{
	const uint8_t *slot = page + PAGE_HEADER + page_prefix(page).len + 2 * i;
	unsigned off = (unsigned)slot[0] | (unsigned)slot[1] << 8;
	bool inner = page_level(page) > 0;
	uint64_t size =
		inner ? sizeof(struct dbfs_disk_inner_cell) : sizeof(struct dbfs_disk_leaf_cell);
	struct page_value v;

	if (off < cells || !range_fits(off, size, DBFS_BLOCK_SIZE))
		return false;
	size += page_suffix(page, i).len;
	if (page_prefix(page).len + page_suffix(page, i).len > DBFS_FULL_KEY_MAX ||
	    !range_fits(off, size, DBFS_BLOCK_SIZE))
		return false;
	if (inner)
		return true;
	v = page_value(page, i);
	return range_fits(off + size, v.len, DBFS_BLOCK_SIZE) &&
	       (!v.overflow || overflow_ok(v.p, v.len));
}

bool dbfs_btree_page_ok(const uint8_t *page, uint64_t block)
{
	const struct dbfs_disk_page *h = page_header(page);
	unsigned count = le16_get(h->count);
	unsigned cells = le16_get(h->cells);

	if (h->magic != 'T' || h->level >= DBFS_TREE_LEVELS_MAX || le64_get(h->block) != block ||
	    count < 1 || cells > DBFS_BLOCK_SIZE ||
	    PAGE_HEADER + le16_get(h->prefix_len) + 2 * count > cells)
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (!cell_ok(page, i, cells))
			return false;
		if (i > 0 &&
		    dbfs_btree_key_cmp(page_suffix(page, i - 1), page_suffix(page, i)) >= 0)
			return false;
	}
	return true;
}

uint32_t dbfs_btree_page_key(const uint8_t *page, unsigned i, uint8_t *buf)
{
	struct dbfs_btree_key prefix = page_prefix(page);
	struct dbfs_btree_key suffix = page_suffix(page, i);

	memcpy(buf, prefix.p, prefix.len);
	memcpy(buf + prefix.len, suffix.p, suffix.len);
	return prefix.len + suffix.len;
}

unsigned dbfs_btree_page_search(const uint8_t *page, struct dbfs_btree_key key, bool through)
{
	struct dbfs_btree_key prefix = page_prefix(page);
	unsigned lo = 0;
	unsigned hi = page_count(page);
	int c = memcmp(key.p, prefix.p, MIN(key.len, prefix.len));

	if (c < 0 || (c == 0 && key.len < prefix.len))
		return 0;
	if (c > 0)
		return hi;
	key.p += prefix.len;
	key.len -= prefix.len;
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		c = dbfs_btree_key_cmp(page_suffix(page, mid), key);
		if (c < 0 || (c == 0 && through))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

unsigned dbfs_btree_page_route(const uint8_t *page, struct dbfs_btree_key key)
{
	unsigned n = dbfs_btree_page_search(page, key, true);

	return n > 0 ? n - 1 : 0;
}

int dbfs_btree_pin(const struct dbfs_btree_env *env, uint64_t block, uint32_t crc, unsigned level,
		   struct dbfs_frame **out)
{
	struct dbfs_frame *f;
	int err = dbfs_cache_get(env->cache, block, crc, &f);

	if (err)
		return err;
	if (page_level(f->data) != level) {
		port_log(PORT_LOG_ERROR, "dbfs: tree page %llu is of level %u, expected %u",
			 (unsigned long long)block, page_level(f->data), level);
		dbfs_cache_put(env->cache, f);
		return -DBFS_ECORRUPT;
	}
	*out = f;
	return 0;
}

size_t dbfs_btree_value_len(struct page_value v)
{
	const struct dbfs_disk_overflow *o = (const void *)v.p;

	return v.overflow ? le32_get(o->len) : v.len;
}

unsigned dbfs_btree_overflow_runs(struct page_value v)
{
	const struct dbfs_disk_overflow *o = (const void *)v.p;

	return le16_get(o->nruns);
}

struct dbfs_run dbfs_btree_overflow_run(struct page_value v, unsigned i)
{
	const struct dbfs_disk_run *r =
		(const void *)(v.p + sizeof(struct dbfs_disk_overflow) + i * sizeof(*r));

	return (struct dbfs_run){le64_get(r->block), le32_get(r->count)};
}

static uint32_t overflow_crc(struct page_value v, unsigned i)
{
	const uint8_t *crcs = v.p + sizeof(struct dbfs_disk_overflow) +
			      dbfs_btree_overflow_runs(v) * sizeof(struct dbfs_disk_run);
	const struct le32 *crc = (const void *)(crcs + 4 * i);

	return le32_get(*crc);
}

static int copy_overflow(const struct dbfs_btree_env *env, struct page_value v, uint8_t *buf,
			 size_t len, void *page)
{
	unsigned n = 0; /* blocks so far */

	for (unsigned r = 0; r < dbfs_btree_overflow_runs(v); r++) {
		struct dbfs_run run = dbfs_btree_overflow_run(v, r);

		for (uint64_t i = 0; i < run.count && (size_t)n * DBFS_BLOCK_SIZE < len; i++, n++) {
			size_t done = (size_t)n * DBFS_BLOCK_SIZE;
			int err = dbfs_io_read(env->io, run.block + i, page, 1);

			if (err)
				return err;
			if (base_crc32c(0, page, DBFS_BLOCK_SIZE) != overflow_crc(v, n)) {
				port_log(PORT_LOG_ERROR, "dbfs: value block %llu: wrong checksum",
					 (unsigned long long)(run.block + i));
				return -DBFS_ECORRUPT;
			}
			memcpy(buf + done, page, MIN(len - done, (size_t)DBFS_BLOCK_SIZE));
		}
	}
	return 0;
}

int dbfs_btree_value_copy(const struct dbfs_btree_env *env, struct page_value v, void *buf,
			  size_t cap)
{
	size_t len = MIN(cap, dbfs_btree_value_len(v));
	void *page;
	int err;

	if (len == 0)
		return 0;
	if (!v.overflow) {
		memcpy(buf, v.p, len);
		return 0;
	}
	page = port_alloc_pages(1);
	if (!page)
		return -DBFS_ENOMEM;
	err = copy_overflow(env, v, buf, len, page);
	port_free_pages(page, 1);
	return err;
}
