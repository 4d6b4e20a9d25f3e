/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Reading the log back.
 *
 * SCAN-1  A group is taken only if magic, salt for its number, number, position, the CRC of the group before,
 *	   header CRC, each record's CRC and body_crc are all right, and if every length in it stays inside it.
 * SCAN-2  Reads go to stable storage past the host's caches; what a crashed host had only in memory
 *	   is not mistaken for durable.
 * SCAN-3  Memory is bounded: a group is at most the ring, and is read block by block into segments only
 *	   after its header was found right.
 */
#include "wal/scan.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "base/overflow.h"
#include "port/log.h"
#include "port/mem.h"
#include "wal/wal_priv.h"

struct dbfs_scan {
	struct dbfs_io *io;
	uint64_t log_start;
	uint64_t log_blocks;
	uint64_t data_start;
	uint32_t nsalts;
	struct dbfs_disk_salt salts[DBFS_ROOT_SALTS];
	uint8_t *page;
	uint8_t *window; /* SEG_PAGES, for reading ahead */
	struct port_iov iov[DBFS_IO_IOV_MAX];
};

struct dbfs_scan_group {
	struct group *g; /* bytes: of header and records */
	uint64_t lsn;
};

struct dbfs_scan *dbfs_scan_create(struct dbfs_io *io, const struct dbfs_super *super,
				   const struct dbfs_disk_root *root)
{
	struct dbfs_scan *s = port_alloc_zeroed(sizeof(*s));

	if (!s)
		return NULL;
	s->page = port_alloc_pages(1);
	s->window = port_alloc_pages(SEG_PAGES);
	if (!s->page || !s->window) {
		dbfs_scan_destroy(s);
		return NULL;
	}
	s->io = io;
	s->log_start = super->log_start;
	s->log_blocks = super->log_blocks;
	s->data_start = super->data_start;
	s->nsalts = le32_get(root->nsalts);
	memcpy(s->salts, root->salts, sizeof(s->salts));
	return s;
}

void dbfs_scan_destroy(struct dbfs_scan *s)
{
	if (!s)
		return;
	if (s->page)
		port_free_pages(s->page, 1);
	if (s->window)
		port_free_pages(s->window, SEG_PAGES);
	port_free(s);
}

static uint64_t salt_of(const struct dbfs_scan *s, uint64_t seq)
{
	uint64_t salt = 0;

	for (uint32_t i = 0; i < s->nsalts && le64_get(s->salts[i].from_seq) <= seq; i++)
		salt = le64_get(s->salts[i].salt);
	return salt;
}

static uint64_t place(const struct dbfs_scan *s, uint64_t lsn)
{
	return s->log_start + lsn / DBFS_BLOCK_SIZE % s->log_blocks;
}

/* Is the block at s->page the header of a valid group number seq (or, at_least, a later one)? */
static bool header_ok(const struct dbfs_scan *s, uint64_t lsn, uint64_t seq, bool at_least)
{
	const struct dbfs_disk_group *h = (const void *)s->page;
	struct dbfs_disk_group copy = *h;
	uint64_t found = le64_get(h->seq);
	uint64_t bytes = le32_get(h->bytes);

	copy.crc = le32_of(0);
	return memcmp(h->magic, DBFS_GROUP_MAGIC, sizeof(h->magic)) == 0 &&
	       base_crc32c(0, &copy, sizeof(copy)) == le32_get(h->crc) &&
	       (at_least ? found > seq : found == seq) && found <= INT64_MAX &&
	       le64_get(h->salt) == salt_of(s, found) && le64_get(h->lsn) == lsn &&
	       bytes >= sizeof(*h) && bytes <= s->log_blocks * DBFS_BLOCK_SIZE &&
	       le32_get(h->nrecords) <= bytes / sizeof(struct dbfs_disk_record);
}

/* The blocks after the first one. */
static int read_rest(struct dbfs_scan *s, struct group *g, uint64_t lsn)
{
	uint64_t blocks = ALIGN_UP(g->bytes, (uint64_t)DBFS_BLOCK_SIZE) / DBFS_BLOCK_SIZE;
	int err = dbfs_group_grow(g, g->bytes);
	uint64_t i = 1;

	if (err)
		return err;
	memcpy(dbfs_group_at(g, 0), s->page, DBFS_BLOCK_SIZE);
	while (i < blocks) {
		uint64_t at = place(s, lsn + i * DBFS_BLOCK_SIZE);
		uint64_t n = MIN(blocks - i, SEG_PAGES - i % SEG_PAGES);

		n = MIN(n, s->log_start + s->log_blocks - at);
		err = dbfs_io_read_stable(s->io, at, dbfs_group_at(g, i * DBFS_BLOCK_SIZE),
					  (uint32_t)n); /* SCAN-2 */
		if (err)
			return err;
		i += n;
	}
	return 0;
}

static uint32_t payload_crc(const struct group *g, uint64_t off, uint64_t len)
{
	uint32_t crc = 0;

	while (len > 0) {
		size_t n = (size_t)MIN(len, SEG_BYTES - off % SEG_BYTES);

		crc = base_crc32c(crc, dbfs_group_at(g, off), n);
		off += n;
		len -= n;
	}
	return crc;
}

static bool records_ok(const struct group *g, uint64_t lsn, uint64_t salt, uint32_t body_crc)
{
	uint64_t off = GROUP_HEADER;
	uint32_t body = 0;

	for (uint32_t i = 0; i < g->nrecords; i++) {
		const struct dbfs_disk_record *r;
		uint64_t size;

		if (!range_fits(off, sizeof(*r), g->bytes))
			return false;
		r = dbfs_group_at(g, off);
		size = dbfs_wal_record_size(le32_get(r->len));
		if (!range_fits(off, size, g->bytes))
			return false;
		if (le64_get(r->lsn) != lsn + off || le32_get(r->salt) != (uint32_t)salt ||
		    base_crc32c(payload_crc(g, off + sizeof(*r), le32_get(r->len)), &r->len,
				sizeof(*r) - 4) != le32_get(r->crc))
			return false;
		body = base_crc32c(body, &r->crc, sizeof(r->crc));
		off += size;
	}
	return body == body_crc && off == g->bytes;
}

/* Reads the group whose header is in s->page. -DBFS_ENOENT if it is not whole. */
static int read_group(struct dbfs_scan *s, uint64_t lsn, struct dbfs_scan_group **out)
{
	const struct dbfs_disk_group *h = (const void *)s->page;
	struct dbfs_scan_group *sg = port_alloc_zeroed(sizeof(*sg));
	int err = -DBFS_ENOMEM;

	if (!sg)
		return -DBFS_ENOMEM;
	sg->lsn = lsn;
	sg->g = dbfs_group_create(le64_get(h->seq));
	if (!sg->g)
		goto err_free;
	sg->g->bytes = le32_get(h->bytes);
	sg->g->nrecords = le32_get(h->nrecords);
	sg->g->last_ts = le64_get(h->last_ts);
	err = read_rest(s, sg->g, lsn);
	if (!err && !records_ok(sg->g, lsn, le64_get(h->salt), le32_get(h->body_crc))) /* SCAN-1 */
		err = -DBFS_ENOENT;
	if (err)
		goto err_free;
	*out = sg;
	return 0;

err_free:
	dbfs_scan_group_destroy(sg);
	return err;
}

void dbfs_scan_group_destroy(struct dbfs_scan_group *g)
{
	if (!g)
		return;
	dbfs_group_destroy(g->g);
	port_free(g);
}

int dbfs_scan_read(struct dbfs_scan *s, const struct dbfs_log_pos *pos,
		   struct dbfs_scan_group **out, struct dbfs_log_pos *next)
{
	const struct dbfs_disk_group *h = (const void *)s->page;
	struct dbfs_log_pos after;
	int err = dbfs_io_read_stable(s->io, place(s, pos->lsn), s->page, 1);

	if (err)
		return err;
	if (!header_ok(s, pos->lsn, pos->seq, false) || le32_get(h->prev_crc) != pos->prev_crc)
		return -DBFS_ENOENT;
	after.lsn = pos->lsn + ALIGN_UP((uint64_t)le32_get(h->bytes), (uint64_t)DBFS_BLOCK_SIZE);
	after.seq = pos->seq + 1;
	after.prev_crc = le32_get(h->crc);
	err = read_group(s, pos->lsn, out);
	if (!err)
		*next = after;
	return err;
}

/* Is the block at s->page, which lies at lsn, the first of a whole group after number seq? */
static int group_stands_at(struct dbfs_scan *s, uint64_t lsn, uint64_t seq, bool *found)
{
	struct dbfs_scan_group *g;
	int err;

	if (!header_ok(s, lsn, seq, true))
		return 0;
	err = read_group(s, lsn, &g);
	if (err)
		return err == -DBFS_ENOENT ? 0 : err;
	dbfs_scan_group_destroy(g);
	*found = true;
	return 0;
}

int dbfs_scan_look_ahead(struct dbfs_scan *s, const struct dbfs_log_pos *pos, bool *found)
{
	uint64_t i = 1;

	*found = false;
	while (i < s->log_blocks) {
		uint64_t at = place(s, pos->lsn + i * DBFS_BLOCK_SIZE);
		uint64_t n = MIN(s->log_blocks - i, s->log_start + s->log_blocks - at);
		int err;

		n = MIN(n, (uint64_t)SEG_PAGES);
		err = dbfs_io_read_stable(s->io, at, s->window, (uint32_t)n);
		for (uint64_t k = 0; k < n && !err && !*found; k++, i++) {
			memcpy(s->page, s->window + k * DBFS_BLOCK_SIZE, DBFS_BLOCK_SIZE);
			err = group_stands_at(s, pos->lsn + i * DBFS_BLOCK_SIZE, pos->seq, found);
		}
		if (err || *found)
			return err;
	}
	return 0;
}

bool dbfs_scan_next(const struct dbfs_scan_group *g, struct dbfs_scan_record *it)
{
	const struct dbfs_disk_record *r;
	uint64_t off = GROUP_HEADER;

	if (it->group)
		off = ALIGN_UP(it->off + it->left, (uint64_t)DBFS_RECORD_ALIGN);
	if (off >= g->g->bytes)
		return false;
	r = dbfs_group_at(g->g, off); /* SCAN-1: lengths were checked */
	it->group = g;
	it->type = (enum dbfs_record_type)r->type;
	it->tx = le64_get(r->tx);
	it->left = le32_get(r->len);
	it->off = off + sizeof(*r);
	return true;
}

bool dbfs_scan_get(struct dbfs_scan_record *r, void *buf, size_t len)
{
	uint8_t *to = buf;

	if (len > r->left)
		return false;
	while (len > 0) {
		size_t n = (size_t)MIN((uint64_t)len, SEG_BYTES - r->off % SEG_BYTES);

		memcpy(to, dbfs_group_at(r->group->g, r->off), n);
		to += n;
		r->off += n;
		r->left -= n;
		len -= n;
	}
	return true;
}

/* The checksums that follow in r, of the n blocks in the window. */
static int check_blocks(const struct dbfs_scan *s, struct dbfs_scan_record *r, uint64_t block,
			uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *data = s->window + (size_t)i * DBFS_BLOCK_SIZE;
		struct le32 crc;

		if (!dbfs_scan_get(r, &crc, sizeof(crc)))
			return -DBFS_ECORRUPT;
		if (base_crc32c(0, data, DBFS_BLOCK_SIZE) == le32_get(crc))
			continue;
		port_log(PORT_LOG_WARN, "dbfs: data block %llu of the last log group is not there",
			 (unsigned long long)(block + i));
		return -DBFS_ECORRUPT;
	}
	return 0;
}

/* One run and its checksums. */
static int check_run(struct dbfs_scan *s, struct dbfs_scan_record *r)
{
	struct dbfs_disk_run run;
	uint64_t block;
	uint32_t left;

	if (!dbfs_scan_get(r, &run, sizeof(run)))
		return -DBFS_ECORRUPT;
	block = le64_get(run.block);
	left = le32_get(run.count);
	if (block < s->data_start || !range_fits(block, left, s->io->blocks))
		return -DBFS_ECORRUPT;
	while (left > 0) {
		uint32_t n = MIN(left, (uint32_t)SEG_PAGES);
		int err = dbfs_io_read_stable(s->io, block, s->window, n);

		if (!err)
			err = check_blocks(s, r, block, n);
		if (err)
			return err;
		block += n;
		left -= n;
	}
	return 0;
}

int dbfs_scan_check_data(struct dbfs_scan *s, const struct dbfs_scan_group *g)
{
	struct dbfs_scan_record r = {.group = NULL};
	int err = 0;

	while (!err && dbfs_scan_next(g, &r))
		while (!err && r.type == DBFS_REC_DATA && r.left > 0)
			err = check_run(s, &r);
	return err;
}

int dbfs_scan_rewrite(struct dbfs_scan *s, const struct dbfs_scan_group *g)
{
	return dbfs_group_io(g->g, s->io, s->log_start, s->log_blocks, g->lsn, s->iov);
}
