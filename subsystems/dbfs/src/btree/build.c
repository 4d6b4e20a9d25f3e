/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Builders: each level collects elements in key order and cuts them into pages.
 *
 * Up to one and a half pages wait in a level. When more come, a full page goes out from the front
 * (so a bulk load packs pages); at a border, where an untouched neighbor follows, what waits goes out as one
 * page or as two halves. A page that goes out becomes an element of the level above. A waiting
 * rest below a third of a page is "hungry": the merge then takes the neighbor apart instead of
 * reusing it, so that deletions do not leave a trail of tiny pages.
 *
 * The separator of a leaf is the shortest string above the last key before it, or, after an
 * untouched neighbor, the one it had in the old tree. Inner pages go by their first element's key.
 *
 * BUILD-1  Pages are written only to blocks allocated here; the old tree is never written.
 * BUILD-2  A pointer carries the CRC32C of the page as it was written.
 * BUILD-3  Elements of a level rise strictly in key. An old tree in which they do not (pages that are
 *	    right by themselves, but do not fit each other) ends the merge with -DBFS_ECORRUPT.
 *
 * Recursion: add -> emit -> add one level up, at most DBFS_TREE_LEVELS_MAX deep.
 */
#include "btree/build_priv.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "port/log.h"
#include "port/mem.h"

enum { CHILD_BYTES = 12 };

static struct build_level *get_level(struct build *b, unsigned level)
{
	if (level <= DBFS_TREE_LEVELS_MAX && !b->levels[level])
		b->levels[level] = port_alloc_zeroed(sizeof(struct build_level));
	return level <= DBFS_TREE_LEVELS_MAX ? b->levels[level] : NULL;
}

void dbfs_build_fini(struct build *b)
{
	for (unsigned i = 0; i <= DBFS_TREE_LEVELS_MAX; i++)
		port_free(b->levels[i]);
	for (unsigned i = 0; i < b->nbatch; i++)
		port_free_pages(b->batch[i].page, 1);
	b->nbatch = 0;
}

/* --- Writing pages in batches -------------------------------------------------------------- */

static int write_batch(struct build *b)
{
	unsigned i = 0;
	int err = 0;

	while (i < b->nbatch && !err) {
		unsigned n = 0;

		while (i + n < b->nbatch && b->batch[i + n].block == b->batch[i].block + n) {
			b->iov[n] = (struct port_iov){b->batch[i + n].page, DBFS_BLOCK_SIZE};
			n++;
		}
		err = dbfs_io_writev(b->env->io, b->batch[i].block, b->iov, n);
		i += n;
	}
	for (i = 0; i < b->nbatch; i++) {
		struct build_page *p = &b->batch[i];

		if (p->cached && !err)
			dbfs_cache_insert(b->env->cache, p->block, p->crc, p->page);
		else
			port_free_pages(p->page, 1);
	}
	b->nbatch = 0;
	return err;
}

/* A new page of the batch at a new block, zeroed. */
static int new_page(struct build *b, bool cached, struct build_page **out)
{
	struct build_page *p;
	struct dbfs_run run;
	int err;

	if (b->nbatch == BUILD_BATCH) {
		err = write_batch(b);
		if (err)
			return err;
	}
	p = &b->batch[b->nbatch];
	err = dbfs_runs_reserve(b->m->allocated, 1);
	if (err)
		return err;
	p->page = port_alloc_pages(1);
	if (!p->page)
		return -DBFS_ENOMEM;
	err = dbfs_space_alloc(b->m->space, b->near, 1, DBFS_SPACE_CHECKPOINT, &run);
	if (err) {
		port_free_pages(p->page, 1);
		return err;
	}
	dbfs_runs_add_nofail(b->m->allocated, run.block, 1); /* BUILD-1 */
	memset(p->page, 0, DBFS_BLOCK_SIZE);
	b->near = run.block + 1;
	p->block = run.block;
	p->cached = cached;
	b->nbatch++;
	*out = p;
	return 0;
}

int dbfs_build_overflow(struct build *b, const uint8_t *val, uint32_t len, struct page_value *out)
{
	struct dbfs_disk_overflow *o = (void *)b->overflow;
	uint32_t nblocks = (len + DBFS_BLOCK_SIZE - 1) / DBFS_BLOCK_SIZE;
	struct dbfs_disk_run *runs = (void *)(b->overflow + sizeof(*o));
	uint32_t crcs[OVERFLOW_BLOCKS_MAX];
	struct le32 *crc_out;
	uint32_t nruns = 0;

	DBFS_ASSERT(nblocks <= OVERFLOW_BLOCKS_MAX);
	for (uint32_t i = 0; i < nblocks; i++) {
		uint32_t n = MIN(len - i * DBFS_BLOCK_SIZE, DBFS_BLOCK_SIZE);
		struct build_page *p;
		int err = new_page(b, false, &p);

		if (err)
			return err;
		memcpy(p->page, val + (size_t)i * DBFS_BLOCK_SIZE, n);
		crcs[i] = base_crc32c(0, p->page, DBFS_BLOCK_SIZE);
		if (nruns > 0 &&
		    le64_get(runs[nruns - 1].block) + le32_get(runs[nruns - 1].count) == p->block) {
			runs[nruns - 1].count = le32_of(le32_get(runs[nruns - 1].count) + 1);
		} else {
			runs[nruns].block = le64_of(p->block);
			runs[nruns++].count = le32_of(1);
		}
	}
	o->len = le32_of(len);
	o->nruns = le16_of((uint16_t)nruns);
	o->nblocks = le16_of((uint16_t)nblocks);
	crc_out = (void *)(runs + nruns);
	for (uint32_t i = 0; i < nblocks; i++)
		crc_out[i] = le32_of(crcs[i]);
	*out = (struct page_value){b->overflow,
				   (uint32_t)(sizeof(*o) + nruns * sizeof(*runs) +
					      nblocks * sizeof(*crc_out)),
				   true};
	return 0;
}

/* --- Sizes --------------------------------------------------------------------------------- */

static const uint8_t *item_key(const struct build_level *l, uint32_t i)
{
	return l->bytes + l->items[i].off;
}

static uint32_t common_prefix(const uint8_t *a, uint32_t alen, const uint8_t *b, uint32_t blen)
{
	uint32_t n = 0;

	while (n < alen && n < blen && a[n] == b[n])
		n++;
	return n;
}

/* Bytes of cell and slot beside the key and (leaf) the value. */
static size_t overhead(unsigned level)
{
	return 2 + (level ? sizeof(struct dbfs_disk_inner_cell) - CHILD_BYTES
			  : sizeof(struct dbfs_disk_leaf_cell));
}

static size_t size_with(unsigned level, size_t n, size_t payload, uint32_t prefix)
{
	return PAGE_HEADER + prefix + n * overhead(level) + payload - n * prefix;
}

/* The size of a page of items [from, to). */
static size_t size_of(const struct build_level *l, unsigned level, uint32_t from, uint32_t to)
{
	size_t payload = 0;
	uint32_t prefix;

	for (uint32_t i = from; i < to; i++)
		payload += (size_t)l->items[i].klen + l->items[i].vlen;
	prefix = common_prefix(item_key(l, from), l->items[from].klen, item_key(l, to - 1),
			       l->items[to - 1].klen);
	return size_with(level, to - from, payload, prefix);
}

/* --- Cutting -------------------------------------------------------------------------------- */

static void fill_page(const struct build_level *l, unsigned level, uint32_t n,
		      const struct build_page *p, uint64_t generation)
{
	struct dbfs_disk_page *h = (void *)p->page;
	uint32_t prefix = common_prefix(item_key(l, 0), l->items[0].klen, item_key(l, n - 1),
					l->items[n - 1].klen);
	uint8_t *slots = p->page + PAGE_HEADER + prefix;
	uint32_t cells = DBFS_BLOCK_SIZE;

	for (uint32_t i = 0; i < n; i++) {
		const struct build_item *it = &l->items[i];
		const uint8_t *key = item_key(l, i);
		uint32_t suffix = it->klen - prefix;
		uint8_t *at;

		cells -= (uint32_t)overhead(level) - 2 + suffix + it->vlen;
		at = p->page + cells;
		slots[2 * i] = (uint8_t)cells;
		slots[2 * i + 1] = (uint8_t)(cells >> 8);
		at[0] = (uint8_t)suffix;
		at[1] = (uint8_t)(suffix >> 8);
		if (level > 0) {
			memcpy(at + 2, key + it->klen, CHILD_BYTES);
			memcpy(at + 2 + CHILD_BYTES, key + prefix, suffix);
		} else {
			struct dbfs_disk_leaf_cell *c = (void *)at;

			c->value_len = le32_of(it->vlen | (it->overflow ? DBFS_CELL_OVERFLOW : 0));
			memcpy(at + sizeof(*c), key + prefix, suffix);
			memcpy(at + sizeof(*c) + suffix, key + it->klen, it->vlen);
		}
	}
	memcpy(p->page + PAGE_HEADER, item_key(l, 0), prefix);
	h->magic = 'T';
	h->level = (uint8_t)level;
	h->count = le16_of((uint16_t)n);
	h->block = le64_of(p->block);
	h->generation = le64_of(generation);
	h->prefix_len = le16_of((uint16_t)prefix);
	h->cells = le16_of((uint16_t)cells);
	h->crc = le32_of(dbfs_io_block_crc(h, offsetof(struct dbfs_disk_page, crc)));
}

/* Forgets the first n items. */
static void shift(struct build_level *l, uint32_t n)
{
	uint32_t cut = n < l->n ? l->items[n].off : l->used;

	for (uint32_t i = 0; i < n; i++)
		l->payload -= (size_t)l->items[i].klen + l->items[i].vlen;
	memmove(l->bytes, l->bytes + cut, l->used - cut);
	memmove(l->items, l->items + n, (l->n - n) * sizeof(l->items[0]));
	l->n -= n;
	l->used -= cut;
	for (uint32_t i = 0; i < l->n; i++)
		l->items[i].off -= cut;
}

/* The shortest string that is above last and not above key. */
static void truncate_sep(struct build_level *l, struct dbfs_btree_key key)
{
	uint32_t n = common_prefix(l->last, l->last_len, key.p, key.len) + 1;

	DBFS_ASSERT(n <= key.len); /* BUILD-3: key > last */
	memcpy(l->sep, key.p, n);
	l->sep_len = n;
	l->has_sep = true;
}

static int emit(struct build *b, unsigned level, uint32_t n)
{
	struct build_level *l = b->levels[level];
	struct dbfs_btree_key sep = {item_key(l, 0), l->items[0].klen};
	uint8_t ptr[CHILD_BYTES];
	struct build_page *p;
	int err = new_page(b, true, &p);

	if (err)
		return err;
	fill_page(l, level, n, p, b->m->generation);
	p->crc = base_crc32c(0, p->page, DBFS_BLOCK_SIZE); /* BUILD-2 */
	b->pages++;
	if (level == 0) {
		DBFS_ASSERT(l->has_sep);
		sep = (struct dbfs_btree_key){l->sep, l->sep_len};
	}
	memcpy(ptr, le64_of(p->block).b, 8);
	memcpy(ptr + 8, le32_of(p->crc).b, 4);
	err = dbfs_build_add(b, level + 1, sep, (struct page_value){ptr, CHILD_BYTES, false},
			     (struct dbfs_btree_key){NULL, 0});
	if (err)
		return err;
	l->emitted = true;
	if (level == 0) {
		l->last_len = l->items[n - 1].klen;
		memcpy(l->last, item_key(l, n - 1), l->last_len);
		l->has_last = true;
		l->has_sep = false;
	}
	shift(l, n);
	if (level == 0 && l->n > 0)
		truncate_sep(l, (struct dbfs_btree_key){item_key(l, 0), l->items[0].klen});
	return 0;
}

/* One page, as full as can be, from the front. */
static int emit_front(struct build *b, unsigned level)
{
	const struct build_level *l = b->levels[level];
	size_t payload = 0;
	uint32_t n = 0;

	while (n < l->n) {
		uint32_t prefix = common_prefix(item_key(l, 0), l->items[0].klen, item_key(l, n),
						l->items[n].klen);

		payload += (size_t)l->items[n].klen + l->items[n].vlen;
		if (size_with(level, n + 1, payload, prefix) > DBFS_BLOCK_SIZE)
			break;
		n++;
	}
	DBFS_ASSERT(n > 0); /* two of the largest cells fit a page */
	return emit(b, level, n);
}

static int flush_level(struct build *b, unsigned level)
{
	struct build_level *l = b->levels[level];
	size_t payload = 0;
	uint32_t n = 0;
	int err = 0;

	if (!l || l->n == 0)
		return 0;
	if (size_of(l, level, 0, l->n) > DBFS_BLOCK_SIZE) {
		while (payload < l->payload / 2) {
			payload += (size_t)l->items[n].klen + l->items[n].vlen;
			n++;
		}
		if (n < l->n && size_of(l, level, 0, n) <= DBFS_BLOCK_SIZE)
			err = emit(b, level, n);
	}
	while (!err && l->n > 0)
		err = emit_front(b, level);
	return err;
}

/* BUILD-3: is key above what the level had last? */
static int check_order(const struct build_level *l, unsigned level, struct dbfs_btree_key key)
{
	struct dbfs_btree_key last = {l->last, l->last_len};
	bool known = level == 0 && l->has_last;

	if (l->n > 0) {
		last = (struct dbfs_btree_key){item_key(l, l->n - 1), l->items[l->n - 1].klen};
		known = true;
	}
	if (!known || dbfs_btree_key_cmp(last, key) < 0)
		return 0;
	port_log(PORT_LOG_ERROR, "dbfs: keys on level %u of the tree are not in order", level);
	return -DBFS_ECORRUPT;
}

int dbfs_build_add(struct build *b, unsigned level, struct dbfs_btree_key key,
		   struct page_value val, struct dbfs_btree_key lower)
{
	struct build_level *l = get_level(b, level);
	struct build_item *it;
	int err;

	if (!l)
		return level > DBFS_TREE_LEVELS_MAX ? -DBFS_ECORRUPT : -DBFS_ENOMEM;
	err = check_order(l, level, key);
	if (err)
		return err;
	while (l->n > 0) {
		uint32_t prefix = common_prefix(item_key(l, 0), l->items[0].klen, key.p, key.len);
		size_t size = size_with(level, l->n + 1, l->payload + key.len + val.len, prefix);

		if (size <= DBFS_BLOCK_SIZE * 3 / 2 && l->n < BUILD_ITEMS &&
		    l->used + key.len + val.len <= BUILD_BYTES)
			break;
		err = emit_front(b, level);
		if (err)
			return err;
	}
	if (level == 0 && l->n == 0) {
		if (l->has_last) {
			truncate_sep(l, key);
		} else {
			memcpy(l->sep, lower.p, lower.len);
			l->sep_len = lower.len;
			l->has_sep = true;
		}
	}
	it = &l->items[l->n++];
	it->off = l->used;
	it->klen = (uint16_t)key.len;
	it->vlen = (uint16_t)val.len;
	it->overflow = val.overflow;
	memcpy(l->bytes + l->used, key.p, key.len);
	memcpy(l->bytes + l->used + key.len, val.p, val.len);
	l->used += key.len + val.len;
	l->payload += (size_t)key.len + val.len;
	return 0;
}

int dbfs_build_child(struct build *b, unsigned level, struct dbfs_btree_key key,
		     struct page_child child)
{
	uint8_t ptr[CHILD_BYTES];

	for (unsigned i = 0; i < level; i++) {
		int err = flush_level(b, i);

		if (err)
			return err;
		if (i == 0 && b->levels[0])
			b->levels[0]->has_last = false;
	}
	memcpy(ptr, le64_of(child.block).b, 8);
	memcpy(ptr + 8, le32_of(child.crc).b, 4);
	return dbfs_build_add(b, level, key, (struct page_value){ptr, CHILD_BYTES, false},
			      (struct dbfs_btree_key){NULL, 0});
}

bool dbfs_build_hungry(const struct build *b, unsigned level)
{
	for (unsigned i = 0; i < level; i++) {
		const struct build_level *l = b->levels[i];

		if (l && l->n > 0 && size_of(l, i, 0, l->n) < DBFS_BLOCK_SIZE / 3)
			return true;
	}
	return false;
}

static bool is_empty_above(const struct build *b, unsigned level)
{
	for (unsigned i = level + 1; i <= DBFS_TREE_LEVELS_MAX; i++)
		if (b->levels[i] && (b->levels[i]->n > 0 || b->levels[i]->emitted))
			return false;
	return true;
}

int dbfs_build_finish(struct build *b, struct dbfs_tree *out)
{
	struct dbfs_tree t = {0, 0, 0};
	int err = 0;

	for (unsigned level = 0; level <= DBFS_TREE_LEVELS_MAX && !err; level++) {
		const struct build_level *l = b->levels[level];

		if (level > 0 && l && l->n == 1 && !l->emitted && is_empty_above(b, level)) {
			const uint8_t *ptr = item_key(l, 0) + l->items[0].klen;

			t.block = le64_get(*(const struct le64 *)(const void *)ptr);
			t.crc = le32_get(*(const struct le32 *)(const void *)(ptr + 8));
			t.levels = level;
			break;
		}
		if (level < DBFS_TREE_LEVELS_MAX)
			err = flush_level(b, level);
		else if (l && l->n > 0)
			err = -DBFS_ECORRUPT; /* would be deeper than any sane tree */
	}
	if (!err)
		err = write_batch(b);
	if (!err)
		*out = t;
	return err;
}
