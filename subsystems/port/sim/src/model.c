/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The crash model (sim/model.h).
 *
 * Data. The disk is a two-level table of page entries (4 KiB), absent where nothing was ever
 * written. An entry has
 *
 *     medium     what is durable; NULL: what the base has
 *     cache      the newest completed contents; NULL: the same as the medium
 *     seq[8]     for each sector, the number of the write that the medium holds (0: none)
 *     pending    how many pending writes touch the page
 *     stuck      a flush failed on it: the cache stays until the next cut
 *
 * and the pending writes are a list in order of completion, each with a copy of its data.
 *
 * Invariants
 *   MODEL-1  pending writes are listed in rising seq, and every one of them is newer than last_durable.
 *   MODEL-2  a page with pending == 0 and !stuck has no cache: reads see the medium.
 *   MODEL-3  a sector of the medium is only ever overwritten by a write of higher seq (or a poke).
 *   MODEL-4  writes in flight have no seq and are not visible to reads.
 *
 * MODEL-3 is what makes any order of application right: a forced write that becomes durable before older
 * pending ones on the same sector is not undone when those are flushed. Which set of sectors survives
 * is the only freedom that a cut has, and that covers reordering: that an older write of a sector "wins"
 * over a newer one is the case where the newer one is lost.
 */
#include "sim/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "port/errors.h"
#include "sim/prng.h"
#include "cut_priv.h"

#define PAGE ((uint64_t)4096)
#define SECTORS (PAGE / SIM_SECTOR)
#define CHUNK_PAGES ((uint64_t)512)

struct page {
	uint8_t *medium;
	uint8_t *cache;
	uint64_t seq[SECTORS];
	uint32_t pending;
	bool stuck;
};

struct chunk {
	struct page pages[CHUNK_PAGES];
};

struct sim_model_io {
	struct list link; /* in sim_model.flying or .pending */
	uint64_t seq;     /* 0 while in flight */
	uint64_t off;
	uint64_t len;
	uint8_t *data; /* NULL: zeros */
};

struct sim_model {
	uint64_t size;
	uint64_t last_seq;
	struct sim_model_base base;
	struct list flying;
	struct list pending;
	uint64_t unflushed; /* length of both lists */
	uint64_t chunk_count;
	struct chunk *chunks[]; /* NULL: no page was touched */
};

int sim_model_create(uint64_t size, const struct sim_model_base *base, struct sim_model **m)
{
	uint64_t chunks = (size / PAGE + CHUNK_PAGES - 1) / CHUNK_PAGES;
	struct sim_model *n = calloc(1, sizeof(*n) + chunks * sizeof(struct chunk *));

	if (!n)
		return -PORT_ENOMEM;
	n->size = size;
	n->chunk_count = chunks;
	if (base)
		n->base = *base;
	list_init(&n->flying);
	list_init(&n->pending);
	*m = n;
	return 0;
}

static void io_free(struct sim_model *m, struct sim_model_io *io)
{
	list_del(&io->link);
	m->unflushed--;
	free(io->data);
	free(io);
}

static void drop_all(struct sim_model *m, struct list *head)
{
	struct sim_model_io *io;
	struct sim_model_io *next;

	list_for_each_entry_safe (io, next, head, struct sim_model_io, link)
		io_free(m, io);
}

void sim_model_destroy(struct sim_model *m)
{
	if (!m)
		return;
	drop_all(m, &m->flying);
	drop_all(m, &m->pending);
	for (uint64_t i = 0; i < m->chunk_count; i++) {
		if (!m->chunks[i])
			continue;
		for (uint64_t j = 0; j < CHUNK_PAGES; j++) {
			free(m->chunks[i]->pages[j].medium);
			free(m->chunks[i]->pages[j].cache);
		}
		free(m->chunks[i]);
	}
	free(m);
}

uint64_t sim_model_size(const struct sim_model *m)
{
	return m->size;
}

uint64_t sim_model_unflushed(const struct sim_model *m)
{
	return m->unflushed;
}

static const struct page *find_page(const struct sim_model *m, uint64_t index)
{
	const struct chunk *c = m->chunks[index / CHUNK_PAGES];

	return c ? &c->pages[index % CHUNK_PAGES] : NULL;
}

/* The entry of a page, made if need be. NULL: no memory. */
static struct page *get_page(struct sim_model *m, uint64_t index)
{
	struct chunk **c = &m->chunks[index / CHUNK_PAGES];

	if (!*c)
		*c = calloc(1, sizeof(**c));
	return *c ? &(*c)->pages[index % CHUNK_PAGES] : NULL;
}

/* The entry of a page that is known to have one. */
static struct page *known_page(const struct sim_model *m, uint64_t index)
{
	return &m->chunks[index / CHUNK_PAGES]->pages[index % CHUNK_PAGES];
}

static int read_base(struct sim_model *m, uint64_t off, void *buf, size_t len)
{
	if (m->base.read)
		return m->base.read(m->base.ctx, off, buf, len);
	memset(buf, 0, len);
	return 0;
}

enum view { VIEW_NEWEST, VIEW_STABLE, VIEW_MEDIUM };

static const uint8_t *page_data(const struct page *p, enum view view)
{
	if (!p)
		return NULL;
	if (p->cache && (view == VIEW_NEWEST || (view == VIEW_STABLE && !p->stuck)))
		return p->cache;
	return p->medium;
}

/* Reads page by page; runs that only the base has are read in one go. */
static int read_view(struct sim_model *m, enum view view, uint64_t off, void *buf, size_t len)
{
	uint8_t *out = buf;
	size_t done = 0;

	while (done < len) {
		uint64_t at = off + done;
		size_t step = MIN(len - done, (size_t)(PAGE - at % PAGE));
		const uint8_t *data = page_data(find_page(m, at / PAGE), view);

		if (data) {
			memcpy(out + done, data + at % PAGE, step);
		} else {
			int err;

			while (done + step < len &&
			       !page_data(find_page(m, (at + step) / PAGE), view))
				step = MIN(len - done, step + PAGE);
			err = read_base(m, at, out + done, step);
			if (err)
				return err;
		}
		done += step;
	}
	return 0;
}

int sim_model_read(struct sim_model *m, uint64_t off, void *buf, size_t len)
{
	return read_view(m, VIEW_NEWEST, off, buf, len);
}

int sim_model_read_durable(struct sim_model *m, uint64_t off, void *buf, size_t len)
{
	return read_view(m, VIEW_MEDIUM, off, buf, len);
}

int sim_model_read_stable(struct sim_model *m, uint64_t off, void *buf, size_t len)
{
	return read_view(m, VIEW_STABLE, off, buf, len);
}

/* Makes the page's medium (or cache) its own copy. */
static int fill(struct sim_model *m, uint64_t index, uint8_t **copy, const uint8_t *from)
{
	int err;

	if (*copy)
		return 0;
	*copy = malloc(PAGE);
	if (!*copy)
		return -PORT_ENOMEM;
	if (from) {
		memcpy(*copy, from, PAGE);
		return 0;
	}
	err = read_base(m, index * PAGE, *copy, PAGE);
	if (err) {
		free(*copy);
		*copy = NULL;
	}
	return err;
}

int sim_model_write_begin(struct sim_model *m, uint64_t off, const void *buf, uint64_t len,
			  struct sim_model_io **out)
{
	struct sim_model_io *io = calloc(1, sizeof(*io));

	if (!io)
		return -PORT_ENOMEM;
	io->off = off;
	io->len = len;
	if (buf) {
		io->data = malloc(len ? len : 1);
		if (!io->data) {
			free(io);
			return -PORT_ENOMEM;
		}
		memcpy(io->data, buf, len);
	}
	list_add_tail(&m->flying, &io->link);
	m->unflushed++;
	*out = io;
	return 0;
}

void sim_model_write_drop(struct sim_model *m, struct sim_model_io *io)
{
	io_free(m, io);
}

/* One page's part of io: [at, at + step) of the disk. */
struct part {
	uint64_t index;
	uint64_t in_page;
	uint64_t in_io;
	size_t len;
};

static struct part part_at(const struct sim_model_io *io, uint64_t done)
{
	uint64_t at = io->off + done;

	return (struct part){
		.index = at / PAGE,
		.in_page = at % PAGE,
		.in_io = done,
		.len = (size_t)MIN(io->len - done, PAGE - at % PAGE),
	};
}

static void copy_part(uint8_t *page, const struct sim_model_io *io, const struct part *part)
{
	if (io->data)
		memcpy(page + part->in_page, io->data + part->in_io, part->len);
	else
		memset(page + part->in_page, 0, part->len);
}

/* Gives every page under io an entry with a cache, so that what follows cannot fail. */
static int reserve_cache(struct sim_model *m, const struct sim_model_io *io)
{
	struct part part;

	for (uint64_t done = 0; done < io->len; done += part.len) {
		struct page *p;
		int err;

		part = part_at(io, done);
		p = get_page(m, part.index);
		if (!p)
			return -PORT_ENOMEM;
		err = fill(m, part.index, &p->cache, p->medium);
		if (err)
			return err;
	}
	return 0;
}

/* A page that nothing pends on shows its medium (MODEL-2). */
static void settle_page(struct page *p)
{
	if (p->pending == 0 && !p->stuck) {
		free(p->cache);
		p->cache = NULL;
	}
}

static void settle_pages(struct sim_model *m, const struct sim_model_io *io)
{
	struct part part;

	for (uint64_t done = 0; done < io->len; done += part.len) {
		part = part_at(io, done);
		if (m->chunks[part.index / CHUNK_PAGES])
			settle_page(known_page(m, part.index));
	}
}

int sim_model_write_end(struct sim_model *m, struct sim_model_io *io)
{
	struct part part;
	int err = reserve_cache(m, io);

	if (err) {
		settle_pages(m, io);
		io_free(m, io);
		return err;
	}
	for (uint64_t done = 0; done < io->len; done += part.len) {
		struct page *p;

		part = part_at(io, done);
		p = known_page(m, part.index);
		copy_part(p->cache, io, &part);
		p->pending++;
	}
	io->seq = ++m->last_seq;
	list_del(&io->link);
	list_add_tail(&m->pending, &io->link); /* MODEL-1 */
	return 0;
}

int sim_model_write(struct sim_model *m, uint64_t off, const void *buf, uint64_t len)
{
	struct sim_model_io *io;
	int err = sim_model_write_begin(m, off, buf, len, &io);

	return err ? err : sim_model_write_end(m, io);
}

/* Puts one sector of io on the medium unless a later write is there already (MODEL-3). */
static void apply_sector(struct page *p, const struct sim_model_io *io, uint64_t in_page,
			 uint64_t in_io)
{
	uint64_t *seq = &p->seq[in_page / SIM_SECTOR];

	if (*seq >= io->seq)
		return;
	*seq = io->seq;
	if (io->data)
		memcpy(p->medium + in_page, io->data + in_io, SIM_SECTOR);
	else
		memset(p->medium + in_page, 0, SIM_SECTOR);
}

/* Applies the surviving sectors; adds their number to *survived (may be NULL). */
static int apply(struct sim_model *m, const struct sim_model_io *io, const struct sim_survival *s,
		 struct sim_prng *coin, uint64_t *survived)
{
	struct part part;

	for (uint64_t done = 0; done < io->len; done += part.len) {
		struct page *p;
		int err;

		part = part_at(io, done);
		p = get_page(m, part.index);
		if (!p)
			return -PORT_ENOMEM;
		for (uint64_t i = 0; i < part.len; i += SIM_SECTOR) {
			uint64_t sector = (done + i) / SIM_SECTOR;

			if (sector < s->from || sector >= s->to)
				continue;
			if (s->den && !sim_prng_chance(coin, s->num, s->den))
				continue;
			err = fill(m, part.index, &p->medium, NULL);
			if (err)
				return err;
			apply_sector(p, io, part.in_page + i, done + i);
			if (survived)
				++*survived;
		}
	}
	return 0;
}

/* Takes io off the pending list. */
static void retire(struct sim_model *m, struct sim_model_io *io)
{
	struct part part;

	for (uint64_t done = 0; done < io->len; done += part.len) {
		struct page *p;

		part = part_at(io, done);
		p = known_page(m, part.index);
		p->pending--;
		settle_page(p);
	}
	io_free(m, io);
}

int sim_model_write_persist(struct sim_model *m, uint64_t off, const void *buf, uint64_t len)
{
	struct sim_model_io *io;
	int err = sim_model_write_begin(m, off, buf, len, &io);

	if (!err)
		err = sim_model_write_end(m, io);
	if (!err)
		err = apply(m, io, &sim_survive_all, NULL, NULL);
	if (!err)
		retire(m, io);
	return err;
}

uint64_t sim_model_flush_begin(const struct sim_model *m)
{
	return m->last_seq;
}

int sim_model_flush_end(struct sim_model *m, uint64_t mark)
{
	struct sim_model_io *io;
	struct sim_model_io *next;

	list_for_each_entry_safe (io, next, &m->pending, struct sim_model_io, link) {
		int err;

		if (io->seq > mark)
			break;
		err = apply(m, io, &sim_survive_all, NULL, NULL);
		if (err)
			return err;
		retire(m, io);
	}
	return 0;
}

static void mark_stuck(struct sim_model *m, const struct sim_model_io *io)
{
	struct part part;

	for (uint64_t done = 0; done < io->len; done += part.len) {
		part = part_at(io, done);
		known_page(m, part.index)->stuck = true;
	}
}

int sim_model_flush_fail(struct sim_model *m, uint64_t mark, uint64_t seed)
{
	struct sim_prng coin = sim_prng_of(seed);
	struct sim_survival half = {.to = UINT64_MAX, .num = sim_prng_below(&coin, 5), .den = 4};
	struct sim_model_io *io;
	struct sim_model_io *next;

	list_for_each_entry_safe (io, next, &m->pending, struct sim_model_io, link) {
		int err;

		if (io->seq > mark)
			break;
		err = apply(m, io, &half, &coin, NULL);
		if (err)
			return err;
		mark_stuck(m, io);
		retire(m, io);
	}
	return 0;
}

/* Writes in flight join the pending ones in an order drawn by the seed; they were never visible. */
static void land_flying(struct sim_model *m, struct sim_prng *order)
{
	uint64_t left = 0;
	struct list *pos;

	list_for_each (pos, &m->flying)
		left++;
	for (; left > 0; left--) {
		uint64_t skip = sim_prng_below(order, left);
		struct sim_model_io *io;

		pos = m->flying.next;
		while (skip-- > 0)
			pos = pos->next;
		io = list_entry(pos, struct sim_model_io, link);
		io->seq = ++m->last_seq;
		list_del(&io->link);
		list_add_tail(&m->pending, &io->link);
	}
}

/* After the cut the medium is all there is. */
static void forget_cache(struct sim_model *m)
{
	for (uint64_t i = 0; i < m->chunk_count; i++) {
		for (uint64_t j = 0; m->chunks[i] && j < CHUNK_PAGES; j++) {
			struct page *p = &m->chunks[i]->pages[j];

			p->pending = 0;
			p->stuck = false;
			settle_page(p);
		}
	}
}

int sim_model_cut(struct sim_model *m, enum sim_cut_mode mode, uint64_t seed,
		  struct sim_cut_report *report)
{
	struct sim_cut cut = sim_cut_draw(mode, seed, m->unflushed);
	struct sim_cut_report r = {.mode = cut.mode, .writes = m->unflushed};
	struct sim_model_io *io;
	uint64_t index = 0;

	land_flying(m, &cut.coin);
	list_for_each_entry (io, &m->pending, struct sim_model_io, link) {
		uint64_t sectors = io->len / SIM_SECTOR;
		struct sim_survival s = sim_cut_fate(&cut, index++, sectors);
		int err = apply(m, io, &s, &cut.coin, &r.survived);

		if (err)
			return err;
		r.sectors += sectors;
	}
	drop_all(m, &m->pending);
	forget_cache(m);
	if (report)
		*report = r;
	return 0;
}

int sim_model_poke(struct sim_model *m, uint64_t off, const void *buf, size_t len)
{
	struct sim_model_io io = {.off = off, .len = len};
	struct part part;

	for (uint64_t done = 0; done < len; done += part.len) {
		struct page *p;
		int err;

		part = part_at(&io, done);
		p = get_page(m, part.index);
		if (!p)
			return -PORT_ENOMEM;
		err = fill(m, part.index, &p->medium, NULL);
		if (err)
			return err;
		memcpy(p->medium + part.in_page, (const uint8_t *)buf + done, part.len);
		if (p->cache)
			memcpy(p->cache + part.in_page, (const uint8_t *)buf + done, part.len);
	}
	return 0;
}

bool sim_model_next_written(const struct sim_model *m, uint64_t *off)
{
	uint64_t index = (*off + PAGE - 1) / PAGE;

	while (index < m->size / PAGE) {
		if (!m->chunks[index / CHUNK_PAGES]) {
			index = (index / CHUNK_PAGES + 1) * CHUNK_PAGES;
			continue;
		}
		if (find_page(m, index)->medium) {
			*off = index * PAGE;
			return true;
		}
		index++;
	}
	return false;
}

static int clone_page(const struct page *from, struct page *to)
{
	*to = *from;
	to->medium = NULL;
	to->cache = NULL;
	if (from->medium) {
		to->medium = malloc(PAGE);
		if (!to->medium)
			return -PORT_ENOMEM;
		memcpy(to->medium, from->medium, PAGE);
	}
	if (from->cache) {
		to->cache = malloc(PAGE);
		if (!to->cache)
			return -PORT_ENOMEM;
		memcpy(to->cache, from->cache, PAGE);
	}
	return 0;
}

static int clone_pages(const struct sim_model *m, struct sim_model *n)
{
	for (uint64_t i = 0; i < m->chunk_count; i++) {
		if (!m->chunks[i])
			continue;
		n->chunks[i] = calloc(1, sizeof(*n->chunks[i]));
		if (!n->chunks[i])
			return -PORT_ENOMEM;
		for (uint64_t j = 0; j < CHUNK_PAGES; j++) {
			int err = clone_page(&m->chunks[i]->pages[j], &n->chunks[i]->pages[j]);

			if (err)
				return err;
		}
	}
	return 0;
}

/* Copies the writes of one list to the end of another, with their numbers. */
static int clone_list(const struct list *from, struct sim_model *n, struct list *to)
{
	struct sim_model_io *io;

	list_for_each_entry (io, from, struct sim_model_io, link) {
		struct sim_model_io *c;
		int err = sim_model_write_begin(n, io->off, io->data, io->len, &c);

		if (err)
			return err;
		c->seq = io->seq;
		list_del(&c->link);
		list_add_tail(to, &c->link);
	}
	return 0;
}

int sim_model_clone(struct sim_model *m, struct sim_model **copy)
{
	struct sim_model *n;
	int err = sim_model_create(m->size, &m->base, &n);

	if (err)
		return err;
	n->last_seq = m->last_seq;
	err = clone_pages(m, n);
	if (!err)
		err = clone_list(&m->pending, n, &n->pending);
	if (!err)
		err = clone_list(&m->flying, n, &n->flying);
	if (err)
		sim_model_destroy(n);
	else
		*copy = n;
	return err;
}
