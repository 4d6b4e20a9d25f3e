/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * A group in memory: header and records in segments of 64 KiB, as they stand on disk. Records begin at
 * multiples of 32 bytes, so no record header crosses a segment; payloads may.
 *
 * GROUP-1  bytes <= reserved <= capacity: appending does not fail.
 * GROUP-2  The crc field of a record holds the CRC of its payload until the group is sealed, then of
 *	    payload and header.
 */
#include "wal/wal_priv.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "port/mem.h"

struct group *dbfs_group_create(uint64_t seq)
{
	struct group *g = port_alloc_zeroed(sizeof(*g));

	if (!g)
		return NULL;
	list_init(&g->link);
	list_init(&g->data);
	g->seq = seq;
	g->bytes = GROUP_HEADER;
	g->reserved = GROUP_HEADER;
	return g;
}

void dbfs_group_destroy(struct group *g)
{
	while (g && g->first) {
		struct segment *s = g->first;

		g->first = s->next;
		port_free_pages(s->bytes, SEG_PAGES);
		port_free(s);
	}
	port_free(g);
}

int dbfs_group_grow(struct group *g, uint64_t bytes)
{
	while (g->capacity < bytes) {
		struct segment *s = port_alloc(sizeof(*s));

		if (!s)
			return -DBFS_ENOMEM;
		s->next = NULL;
		s->bytes = port_alloc_pages(SEG_PAGES);
		if (!s->bytes) {
			port_free(s);
			return -DBFS_ENOMEM;
		}
		if (g->last)
			g->last->next = s;
		else
			g->first = s;
		g->last = s;
		g->capacity += SEG_BYTES;
	}
	return 0;
}

void *dbfs_group_at(const struct group *g, uint64_t off)
{
	struct segment *s = g->first;

	/* Appending works at the end: look there first. */
	if (off >= g->capacity - SEG_BYTES)
		return g->last->bytes + off % SEG_BYTES;
	for (uint64_t i = off / SEG_BYTES; i > 0; i--)
		s = s->next;
	return s->bytes + off % SEG_BYTES;
}

void dbfs_group_put(struct group *g, const void *p, size_t len)
{
	const uint8_t *from = p;

	while (len > 0) {
		size_t room = SEG_BYTES - g->bytes % SEG_BYTES;
		size_t n = MIN(room, len);

		DBFS_ASSERT(g->bytes + n <= g->reserved); /* GROUP-1 */
		memcpy(dbfs_group_at(g, g->bytes), from, n);
		g->bytes += n;
		from += n;
		len -= n;
	}
}

uint32_t dbfs_group_crc(const struct group *g, uint64_t off, uint64_t len)
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

uint32_t dbfs_group_seal(struct group *g, uint64_t salt, const struct dbfs_log_pos *pos,
			 uint64_t last_ts)
{
	struct dbfs_disk_group *h = dbfs_group_at(g, 0);
	struct segment *s = g->first;
	uint64_t base = 0;
	uint64_t off = GROUP_HEADER;
	uint32_t body = 0;
	uint64_t end = ALIGN_UP(g->bytes, (uint64_t)DBFS_BLOCK_SIZE);

	for (uint32_t i = 0; i < g->nrecords; i++) {
		struct dbfs_disk_record *r;

		while (off >= base + SEG_BYTES) {
			s = s->next;
			base += SEG_BYTES;
		}
		r = (void *)(s->bytes + (off - base));
		r->salt = le32_of((uint32_t)salt);
		r->lsn = le64_of(pos->lsn + off);
		r->crc = le32_of(base_crc32c(le32_get(r->crc), &r->len, sizeof(*r) - 4));
		body = base_crc32c(body, &r->crc, sizeof(r->crc));
		off += sizeof(*r) +
		       ALIGN_UP((uint64_t)le32_get(r->len), (uint64_t)DBFS_RECORD_ALIGN);
	}
	while (g->bytes % SEG_BYTES && g->bytes < end) {
		size_t n = (size_t)MIN(end - g->bytes, SEG_BYTES - g->bytes % SEG_BYTES);

		memset(dbfs_group_at(g, g->bytes), 0, n);
		g->bytes += n;
	}
	memset(h, 0, sizeof(*h));
	memcpy(h->magic, DBFS_GROUP_MAGIC, sizeof(h->magic));
	h->salt = le64_of(salt);
	h->seq = le64_of(g->seq);
	h->lsn = le64_of(pos->lsn);
	h->bytes = le32_of((uint32_t)off);
	h->nrecords = le32_of(g->nrecords);
	h->body_crc = le32_of(body);
	h->prev_crc = le32_of(pos->prev_crc);
	h->last_ts = le64_of(last_ts);
	h->crc = le32_of(base_crc32c(0, h, sizeof(*h)));
	return le32_get(h->crc);
}

int dbfs_group_io(const struct group *g, struct dbfs_io *io, uint64_t log_start,
		  uint64_t log_blocks, uint64_t lsn, struct port_iov *iov)
{
	uint64_t left = ALIGN_UP(g->bytes, (uint64_t)DBFS_BLOCK_SIZE) / DBFS_BLOCK_SIZE;
	uint64_t at = lsn / DBFS_BLOCK_SIZE % log_blocks;
	const struct segment *s = g->first;
	uint64_t skip = 0; /* blocks of s already done */

	while (left > 0) {
		uint64_t place = at;
		uint64_t room = MIN(left, log_blocks - at); /* up to the end of the ring */
		unsigned n = 0;
		int err;

		while (room > 0 && n < DBFS_IO_IOV_MAX) {
			uint64_t here = MIN(room, SEG_PAGES - skip);

			iov[n++] = (struct port_iov){s->bytes + skip * DBFS_BLOCK_SIZE,
						     (size_t)here * DBFS_BLOCK_SIZE};
			room -= here;
			left -= here;
			at += here;
			skip += here;
			if (skip == SEG_PAGES) {
				s = s->next;
				skip = 0;
			}
		}
		err = dbfs_io_writev(io, log_start + place, iov, n);
		if (err)
			return err;
		at %= log_blocks;
	}
	return 0;
}
