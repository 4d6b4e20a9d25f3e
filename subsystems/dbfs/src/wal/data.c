/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The queue of file data: blocks that transactions wrote to newly allocated places, until the log group
 * with their commit is durable.
 *
 *	add		  write early		       commit		group durable
 *  (none) --> in memory ------------> on the device --+--> in the group ---> (none)
 *		   |					|
 *		   +------- rollback, own free ---------+--> (none)
 *
 * DATA-1  A block is in the queue at most once; its place was free when it was written, so nothing
 *	   reachable is ever overwritten.
 * DATA-2  Data of a group is written before the group; one flush covers both. The group's DATA record has its checksums,
 *	   so that recovery sees if the group came through and the data did not.
 * DATA-3  A page in memory does not change after add; who writes it needs no lock, who reads it holds
 *	   the lock, because the page goes away when it is on the device.
 */
#include "wal/wal_priv.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "port/mem.h"

static struct dbfs_wal_data **bucket(const struct dbfs_wal *w, uint64_t block)
{
	return &w->table[block % DATA_BUCKETS];
}

static struct dbfs_wal_data *find(const struct dbfs_wal *w, uint64_t block) REQUIRES(&w->lock)
{
	struct dbfs_wal_data *d = *bucket(w, block);

	while (d && d->block != block)
		d = d->next;
	return d;
}

static void unhash(struct dbfs_wal *w, struct dbfs_wal_data *d) REQUIRES(&w->lock)
{
	struct dbfs_wal_data **link = bucket(w, d->block);

	while (*link != d)
		link = &(*link)->next;
	*link = d->next;
}

static void free_page(struct dbfs_wal *w, struct dbfs_wal_data *d) REQUIRES(&w->lock)
{
	if (!d->page)
		return;
	port_free_pages(d->page, 1);
	d->page = NULL;
	w->data_bytes -= DBFS_BLOCK_SIZE;
}

static struct dbfs_wal_data *make(const void *owner, uint64_t block, const void *data)
{
	struct dbfs_wal_data *d = port_alloc_zeroed(sizeof(*d));

	if (!d)
		return NULL;
	d->page = port_alloc_pages(1);
	if (!d->page) {
		port_free(d);
		return NULL;
	}
	memcpy(d->page, data, DBFS_BLOCK_SIZE);
	d->crc = base_crc32c(0, d->page, DBFS_BLOCK_SIZE);
	d->block = block;
	d->owner = owner;
	list_init(&d->link);
	return d;
}

int dbfs_wal_data_add(struct dbfs_wal *w, const void *owner, struct list *list, struct dbfs_run run,
		      const void *data, uint32_t *crcs)
{
	struct list fresh;
	struct dbfs_wal_data *d;
	struct dbfs_wal_data *n;

	list_init(&fresh);
	for (uint32_t i = 0; i < run.count; i++) {
		d = make(owner, run.block + i, (const uint8_t *)data + (size_t)i * DBFS_BLOCK_SIZE);
		if (!d)
			goto err_free;
		list_add_tail(&fresh, &d->link);
		crcs[i] = d->crc;
	}
	port_mutex_lock(&w->lock);
	list_for_each_entry (d, &fresh, struct dbfs_wal_data, link) {
		DBFS_ASSERT(!find(w, d->block)); /* DATA-1 */
		d->next = *bucket(w, d->block);
		*bucket(w, d->block) = d;
	}
	w->data_bytes += (size_t)run.count * DBFS_BLOCK_SIZE;
	port_mutex_unlock(&w->lock);
	list_splice_tail(list, &fresh);
	return 0;

err_free:
	list_for_each_entry_safe (d, n, &fresh, struct dbfs_wal_data, link) {
		port_free_pages(d->page, 1);
		port_free(d);
	}
	return -DBFS_ENOMEM;
}

bool dbfs_wal_data_read(struct dbfs_wal *w, uint64_t block, void *buf)
{
	const struct dbfs_wal_data *d;
	bool found;

	port_mutex_lock(&w->lock);
	d = find(w, block);
	found = d && d->page;
	if (found)
		memcpy(buf, d->page, DBFS_BLOCK_SIZE);
	port_mutex_unlock(&w->lock);
	return found;
}

struct dbfs_wal_data *dbfs_wal_data_find(struct dbfs_wal *w, const void *owner, uint64_t block)
{
	struct dbfs_wal_data *d;

	port_mutex_lock(&w->lock);
	d = find(w, block);
	port_mutex_unlock(&w->lock);
	return d && d->owner == owner ? d : NULL;
}

void dbfs_wal_data_drop(struct dbfs_wal *w, struct dbfs_wal_data *d)
{
	port_mutex_lock(&w->lock);
	unhash(w, d);
	free_page(w, d);
	port_mutex_unlock(&w->lock);
	port_free(d);
}

int dbfs_data_write_list(struct dbfs_wal *w, struct list *list, struct port_iov *iov, unsigned niov)
{
	struct list *pos = list->next;

	while (pos != list) {
		struct dbfs_wal_data *d = list_entry(pos, struct dbfs_wal_data, link);
		uint64_t first = d->block;
		unsigned n = 0;
		int err;

		if (!d->page || d->freed) {
			pos = pos->next;
			continue;
		}
		while (pos != list && n < niov) {
			d = list_entry(pos, struct dbfs_wal_data, link);
			if (!d->page || d->freed || d->block != first + n)
				break;
			iov[n++] = (struct port_iov){d->page, DBFS_BLOCK_SIZE};
			pos = pos->next;
		}
		err = dbfs_io_writev(w->io, first, iov, n);
		if (err)
			return err;
	}
	return 0;
}

int dbfs_wal_data_write(struct dbfs_wal *w, struct list *list)
{
	struct port_iov iov[32];
	struct dbfs_wal_data *d;
	int err = dbfs_data_write_list(w, list, iov, ARRAY_SIZE(iov));

	if (err) {
		dbfs_wal_fail(w, err);
		return err;
	}
	port_mutex_lock(&w->lock);
	list_for_each_entry (d, list, struct dbfs_wal_data, link) {
		if (!d->freed)
			free_page(w, d); /* DATA-3 */
	}
	port_mutex_unlock(&w->lock);
	return 0;
}

size_t dbfs_wal_data_bytes(struct dbfs_wal *w)
{
	size_t bytes;

	port_mutex_lock(&w->lock);
	bytes = w->data_bytes;
	port_mutex_unlock(&w->lock);
	return bytes;
}

void dbfs_wal_data_free(struct dbfs_wal *w, uint64_t block)
{
	struct dbfs_wal_data *d;

	port_mutex_lock(&w->lock);
	DBFS_ASSERT(w->busy);
	d = find(w, block);
	if (d && !d->owner && d->group == w->open->seq && d->page) {
		unhash(w, d);
		free_page(w, d);
		list_del(&d->link);
		w->open->ndata--;
		port_free(d);
	}
	port_mutex_unlock(&w->lock);
}

void dbfs_data_commit(struct dbfs_wal *w, struct group *g, struct list *list)
{
	struct dbfs_wal_data *d;

	list_for_each_entry (d, list, struct dbfs_wal_data, link) {
		d->owner = NULL;
		d->group = g->seq;
		g->ndata++;
	}
	list_splice_tail(&g->data, list);
	(void)w;
}

void dbfs_data_forget(struct dbfs_wal *w, struct list *list)
{
	struct dbfs_wal_data *d;
	struct dbfs_wal_data *n;

	list_for_each_entry_safe (d, n, list, struct dbfs_wal_data, link) {
		list_del(&d->link);
		unhash(w, d);
		free_page(w, d);
		port_free(d);
	}
}

/* Appends the CRCs of the run of neighbors that starts at d; what follows the run. */
static struct list *put_run(struct group *g, struct list *pos, uint32_t *crc, uint64_t *len)
{
	const struct dbfs_wal_data *d = list_entry(pos, struct dbfs_wal_data, link);
	struct dbfs_disk_run run = {le64_of(d->block), le32_of(0)};
	struct list *end = pos;
	uint32_t n = 0;

	while (end != &g->data &&
	       list_entry(end, struct dbfs_wal_data, link)->block == d->block + n) {
		end = end->next;
		n++;
	}
	run.count = le32_of(n);
	dbfs_group_put(g, &run, sizeof(run));
	*crc = base_crc32c(*crc, &run, sizeof(run));
	for (; pos != end; pos = pos->next) {
		struct le32 c = le32_of(list_entry(pos, struct dbfs_wal_data, link)->crc);

		dbfs_group_put(g, &c, sizeof(c));
		*crc = base_crc32c(*crc, &c, sizeof(c));
	}
	*len += sizeof(run) + 4 * (uint64_t)n;
	return end;
}

void dbfs_data_record(struct group *g)
{
	static const uint8_t zero[DBFS_RECORD_ALIGN];
	struct dbfs_disk_record r = {.type = DBFS_REC_DATA};
	struct dbfs_disk_record *at;
	uint64_t start = g->bytes;
	struct list *pos = g->data.next;
	uint32_t crc = 0;
	uint64_t len = 0;

	if (list_empty(&g->data))
		return;
	dbfs_group_put(g, &r, sizeof(r));
	while (pos != &g->data)
		pos = put_run(g, pos, &crc, &len);
	dbfs_group_put(g, zero, (size_t)(ALIGN_UP(len, (uint64_t)DBFS_RECORD_ALIGN) - len));
	at = dbfs_group_at(g, start);
	at->len = le32_of((uint32_t)len);
	at->crc = le32_of(crc);
	g->nrecords++;
}
