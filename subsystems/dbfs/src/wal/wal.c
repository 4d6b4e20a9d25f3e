/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The log: groups of commits in a preallocated ring.
 *
 *	committers (one at a time)				whoever waits for durability
 *	reserve, records, finish ---> open group --+--> sealed ... ---> writing ---> durable
 *						    \ (closed when large, or cut by a checkpoint)
 *
 *	endless log, in bytes:	  tail_lsn ........... head.lsn ............ head.lsn + bound
 *				  | needed for replay |	 finished, not written |	free
 *	place in the ring = lsn modulo the ring's size
 *
 * WAL-1  Groups are written in order of their numbers, one at a time; the next is not written before
 *	  the flush of this one has returned. So the presence of group k + 1 says that k is durable.
 * WAL-2  A group's header holds the CRC of the header before it, a salt that no earlier life of the
 *	  volume has used for this number, and (through body_crc) the CRC of each record.
 * WAL-3  head.lsn + bound - tail_lsn <= ring: what replay needs is never overwritten.
 * WAL-4  One flush a group. It covers the group and the data that its commits refer to (DATA-2).
 * WAL-5  A commit is answered (dbfs_wal_wait) only after the flush of its group returned 0.
 * WAL-6  After a failed write or flush nothing is written any more (error is sticky): trying again
 *	  would prove nothing.
 * WAL-7  Between reserve and finish nothing fails: log room and memory are there.
 *
 * Group commit: who finds nobody writing writes the next group himself, without the lock; all who arrive meanwhile put
 * their records into the open group and wait; one of them writes it next.
 *
 * Lock: wal.lock. The open group's bytes belong to the committer while busy is set; a group taken
 * for writing belongs to its writer. On crash: scan.c.
 */
#include "wal/wal_priv.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "port/log.h"
#include "port/mem.h"
#include "port/time.h"

struct dbfs_wal *dbfs_wal_create(const struct dbfs_wal_config *config)
{
	struct dbfs_wal *w = port_alloc_zeroed(sizeof(*w));

	if (!w)
		return NULL;
	w->table = port_alloc_zeroed(DATA_BUCKETS * sizeof(struct dbfs_wal_data *));
	if (!w->table) {
		port_free(w);
		return NULL;
	}
	port_mutex_init(&w->lock, LOCK_RANK_DBFS_WAL, "dbfs log");
	port_cond_init(&w->changed);
	port_cond_init(&w->durable[0]);
	port_cond_init(&w->durable[1]);
	list_init(&w->sealed);
	atomic_init(&w->error, 0);
	w->io = config->io;
	w->log_start = config->log_start;
	w->log_blocks = config->log_blocks;
	w->ring = config->log_blocks * DBFS_BLOCK_SIZE;
	w->salt = config->salt;
	w->head = config->head;
	w->tail_lsn = config->tail.lsn;
	w->next_seq = config->head.seq;
	w->durable_seq = config->head.seq - 1;
	w->durable_ts = config->last_ts;
	w->last_ts = config->last_ts;
	w->marked = true;
	return w;
}

static void drop_group(struct dbfs_wal *w, struct group *g) REQUIRES(&w->lock)
{
	dbfs_data_forget(w, &g->data);
	dbfs_group_destroy(g);
}

void dbfs_wal_destroy(struct dbfs_wal *w)
{
	struct group *g;
	struct group *n;

	if (!w)
		return;
	port_mutex_lock(&w->lock);
	list_for_each_entry_safe (g, n, &w->sealed, struct group, link)
		drop_group(w, g);
	if (w->open)
		drop_group(w, w->open);
	for (unsigned i = 0; i < DATA_BUCKETS; i++)
		DBFS_ASSERT(!w->table[i]); /* every transaction has ended */
	port_mutex_unlock(&w->lock);
	port_mutex_fini(&w->lock);
	port_cond_fini(&w->changed);
	port_cond_fini(&w->durable[0]);
	port_cond_fini(&w->durable[1]);
	port_free(w->table);
	port_free(w);
}

void dbfs_wal_fail(struct dbfs_wal *w, int err)
{
	bool first;

	port_mutex_lock(&w->lock);
	first = atomic_load_explicit(&w->error, memory_order_relaxed) == 0;
	if (first) /* WAL-6 */
		atomic_store_explicit(&w->error, err, memory_order_release);
	port_cond_broadcast(&w->durable[0]);
	port_cond_broadcast(&w->durable[1]);
	port_cond_broadcast(&w->changed);
	port_mutex_unlock(&w->lock);
	if (first)
		port_log(PORT_LOG_ERROR,
			 "dbfs: %s: writing failed (error %d): the volume is read-only from now on",
			 w->io->dev->name ? w->io->dev->name : "?", err);
}

int dbfs_wal_error(const struct dbfs_wal *w)
{
	return atomic_load_explicit(&w->error, memory_order_acquire);
}

/* --- Committing ----------------------------------------------------------------------------- */

uint64_t dbfs_wal_record_size(uint64_t payload)
{
	return sizeof(struct dbfs_disk_record) + ALIGN_UP(payload, (uint64_t)DBFS_RECORD_ALIGN);
}

static void seal_open(struct dbfs_wal *w) REQUIRES(&w->lock)
{
	DBFS_ASSERT(!w->busy);
	list_add_tail(&w->sealed, &w->open->link);
	w->open = NULL;
}

static int open_group(struct dbfs_wal *w) REQUIRES(&w->lock)
{
	if (w->open && w->open->bytes >= GROUP_SOFT_BYTES)
		seal_open(w);
	if (w->open)
		return 0;
	w->open = dbfs_group_create(w->next_seq);
	if (!w->open)
		return -DBFS_ENOMEM;
	w->next_seq++;
	return 0;
}

/* Lets the open group grow by bytes: memory and room in the ring. */
static int grow_open(struct dbfs_wal *w, uint64_t bytes) REQUIRES(&w->lock)
{
	struct group *g = w->open;
	uint64_t want = g->reserved + bytes;
	uint64_t bound = ALIGN_UP(want, (uint64_t)DBFS_BLOCK_SIZE);
	uint64_t used = w->head.lsn - w->tail_lsn + w->bound;
	int err;

	/* Two blocks stay for durable marks; they are written when nothing else is. */
	if (used + (bound - g->bound) + 2 * DBFS_BLOCK_SIZE > w->ring) /* WAL-3 */
		return -DBFS_EAGAIN;
	err = dbfs_group_grow(g, want);
	if (err)
		return err;
	w->bound += bound - g->bound;
	g->bound = bound;
	g->reserved = want;
	return 0;
}

/* A group that was opened for nothing. */
static void drop_if_unused(struct dbfs_wal *w) REQUIRES(&w->lock)
{
	if (w->open->bound > 0)
		return;
	dbfs_group_destroy(w->open);
	w->open = NULL;
	w->next_seq--;
}

int dbfs_wal_reserve(struct dbfs_wal *w, uint64_t bytes, uint64_t blocks)
{
	/* At worst each block is a run of its own. */
	uint64_t data = blocks ? 2 * sizeof(struct dbfs_disk_record) +
					 blocks * (sizeof(struct dbfs_disk_run) + 4)
			       : 0;
	int err;

	if (bytes + data > w->ring / 4)
		return -DBFS_ELOGFULL;
	port_mutex_lock(&w->lock);
	DBFS_ASSERT(!w->busy);
	err = dbfs_wal_error(w);
	if (!err)
		err = open_group(w);
	if (!err) {
		err = grow_open(w, bytes + data);
		if (err)
			drop_if_unused(w);
	}
	if (!err) {
		w->busy = true;
		w->commit_start = w->open->bytes;
	}
	port_mutex_unlock(&w->lock);
	return err;
}

void dbfs_wal_record_begin(struct dbfs_wal *w, enum dbfs_record_type type, uint64_t tx)
{
	struct dbfs_disk_record r = {.type = (uint8_t)type, .tx = le64_of(tx)};
	uint64_t off = w->open->bytes;

	dbfs_group_put(w->open, &r, sizeof(r));
	w->record = dbfs_group_at(w->open, off);
	w->record_len = 0;
}

void dbfs_wal_record_put(struct dbfs_wal *w, const void *p, size_t len)
{
	dbfs_group_put(w->open, p, len);
	w->record_len += len;
}

void dbfs_wal_record_end(struct dbfs_wal *w)
{
	static const uint8_t zero[DBFS_RECORD_ALIGN];
	uint64_t padded = ALIGN_UP(w->record_len, (uint64_t)DBFS_RECORD_ALIGN);
	/* Of the whole payload at once: put comes in pieces of a few bytes. */
	uint32_t crc = dbfs_group_crc(w->open, w->open->bytes - w->record_len, w->record_len);

	dbfs_group_put(w->open, zero, (size_t)(padded - w->record_len));
	w->record->len = le32_of((uint32_t)w->record_len);
	w->record->crc = le32_of(crc); /* GROUP-2 */
	w->open->nrecords++;
}

uint64_t dbfs_wal_finish(struct dbfs_wal *w, uint64_t ts, struct list *list)
{
	uint64_t now = port_now();
	struct group *g;
	uint64_t seq;

	port_mutex_lock(&w->lock);
	g = w->open;
	dbfs_data_commit(w, g, list);
	g->last_ts = ts;
	if (!g->opened)
		g->opened = now;
	w->last_ts = ts;
	g->mark = false;
	g->finished += g->bytes - w->commit_start;
	w->unwritten += g->bytes - w->commit_start;
	seq = g->seq;
	w->busy = false;
	w->marked = false;
	/* Who waits for durability while a group is written is woken by its end, and need not be by each commit. */
	if (!w->writing || w->cutting)
		port_cond_broadcast(&w->changed);
	port_mutex_unlock(&w->lock);
	return seq;
}

/* --- Writing -------------------------------------------------------------------------------- */

/* The oldest group that can be written, or NULL: a committer works on it, or there is none. */
static struct group *take_group(struct dbfs_wal *w) REQUIRES(&w->lock)
{
	struct group *g = NULL;

	if (list_empty(&w->sealed) && w->open && !w->busy)
		seal_open(w);
	if (!list_empty(&w->sealed)) {
		g = list_first(&w->sealed, struct group, link);
		list_del(&g->link);
	}
	return g;
}

/* The I/O of a group: data, records, one flush. No lock. */
static int write_group(struct dbfs_wal *w, struct group *g, uint32_t *crc)
{
	int err = dbfs_data_write_list(w, &g->data, w->iov, DBFS_IO_IOV_MAX);

	if (err)
		return err;
	dbfs_data_record(g);
	*crc = dbfs_group_seal(g, w->salt, &w->head, g->last_ts);
	err = dbfs_group_io(g, w->io, w->log_start, w->log_blocks, w->head.lsn, w->iov);
	if (!err)
		err = dbfs_io_flush(w->io); /* WAL-4: the commit point of all in the group */
	return err;
}

static void group_is_durable(struct dbfs_wal *w, const struct group *g, uint32_t crc)
	REQUIRES(&w->lock)
{
	w->head.lsn += ALIGN_UP(g->bytes, (uint64_t)DBFS_BLOCK_SIZE);
	w->head.seq = g->seq + 1;
	w->head.prev_crc = crc;
	w->bound -= g->bound;
	w->durable_seq = g->seq;
	w->durable_ts = MAX(w->durable_ts, g->last_ts);
	w->unwritten -= g->finished;
	w->groups++;
	if (w->cut_seq == w->head.seq && !w->cut_known) {
		w->cut = w->head;
		w->cut_known = true;
	}
}

/*
 * Of those who sleep while group seq was written: its own, and one who can write the next. (Those of later groups
 * of the same parity wake too, so there is a writer even if nobody waits for the next.)
 */
static void wake_waiters(struct dbfs_wal *w, uint64_t seq) REQUIRES(&w->lock)
{
	port_cond_broadcast(&w->durable[seq % 2]);
	port_cond_signal(&w->durable[(seq + 1) % 2]);
	port_cond_broadcast(&w->changed);
}

/* Writes the next group, if nobody does and there is one; else waits: while one is written on until. */
static void write_next(struct dbfs_wal *w, struct port_cond *until) REQUIRES(&w->lock)
{
	bool waits = w->writing;
	struct group *g = waits ? NULL : take_group(w);
	uint64_t seq;
	uint32_t crc = 0;
	int err;

	if (!g) {
		port_cond_wait(waits ? until : &w->changed, &w->lock);
		return;
	}
	seq = g->seq;
	w->writing = true; /* WAL-1 */
	if (g->last_ts == 0)
		g->last_ts = w->durable_ts;
	port_mutex_unlock(&w->lock);

	err = write_group(w, g, &crc);
	if (err)
		dbfs_wal_fail(w, err);

	port_mutex_lock(&w->lock);
	if (!err)
		group_is_durable(w, g, crc);
	w->marked = !err && g->mark && !w->open && list_empty(&w->sealed);
	w->writing = false;
	drop_group(w, g);
	wake_waiters(w, seq);
}

int dbfs_wal_wait(struct dbfs_wal *w, uint64_t seq)
{
	int err;

	port_mutex_lock(&w->lock);
	DBFS_ASSERT(seq < w->next_seq);
	while (w->durable_seq < seq && !dbfs_wal_error(w))
		write_next(w, &w->durable[seq % 2]);
	err = w->durable_seq >= seq ? 0 : dbfs_wal_error(w); /* WAL-5 */
	port_mutex_unlock(&w->lock);
	return err;
}

int dbfs_wal_wait_ts(struct dbfs_wal *w, uint64_t ts)
{
	int err;

	port_mutex_lock(&w->lock);
	/* A commit that is visible but not finished yet holds the open group: write_next waits. */
	while (w->durable_ts < ts && !dbfs_wal_error(w))
		write_next(w, &w->changed);
	err = w->durable_ts >= ts ? 0 : dbfs_wal_error(w);
	port_mutex_unlock(&w->lock);
	return err;
}

int dbfs_wal_wait_all(struct dbfs_wal *w)
{
	uint64_t ts;
	int err;

	port_mutex_lock(&w->lock);
	err = dbfs_wal_error(w);
	ts = w->last_ts;
	port_mutex_unlock(&w->lock);
	return err ? err : dbfs_wal_wait_ts(w, ts);
}

/* A record outside of any transaction, into a group of its own. */
static int append_mark(struct dbfs_wal *w, uint64_t generation) REQUIRES(&w->lock)
{
	struct le64 payload = le64_of(generation);
	int err = open_group(w);

	if (err)
		return err;
	err = grow_open(w, dbfs_wal_record_size(sizeof(payload)));
	if (err) {
		drop_if_unused(w);
		return err;
	}
	dbfs_wal_record_begin(w, DBFS_REC_CHECKPOINT, 0);
	dbfs_wal_record_put(w, &payload, sizeof(payload));
	dbfs_wal_record_end(w);
	w->open->mark = true;
	return 0;
}

int dbfs_wal_mark(struct dbfs_wal *w, uint64_t generation)
{
	uint64_t seq = 0;
	int err;

	port_mutex_lock(&w->lock);
	err = dbfs_wal_error(w);
	/* Only on an idle log: where commits come, the next group is the proof. */
	if (!err && !w->marked && !w->busy && !w->writing && !w->open && list_empty(&w->sealed)) {
		err = append_mark(w, generation);
		if (!err)
			seq = w->open->seq;
	}
	port_mutex_unlock(&w->lock);
	if (err == -DBFS_EAGAIN || err == -DBFS_ENOMEM)
		return 0; /* a log that is full is not idle; memory may come back */
	return err || seq == 0 ? err : dbfs_wal_wait(w, seq);
}

/* --- The checkpoint's part -------------------------------------------------------------------- */

uint64_t dbfs_wal_cut(struct dbfs_wal *w)
{
	uint64_t seq;

	port_mutex_lock(&w->lock);
	w->cutting = true;
	while (w->busy)
		port_cond_wait(&w->changed, &w->lock);
	w->cutting = false;
	if (w->open)
		seal_open(w);
	seq = w->next_seq;
	w->cut_seq = seq;
	w->cut_known = w->head.seq == seq;
	if (w->cut_known)
		w->cut = w->head;
	port_mutex_unlock(&w->lock);
	return seq;
}

int dbfs_wal_wait_cut(struct dbfs_wal *w, uint64_t seq, struct dbfs_log_pos *out)
{
	int err = dbfs_wal_wait(w, seq - 1);

	if (err)
		return err;
	port_mutex_lock(&w->lock);
	DBFS_ASSERT(w->cut_known && w->cut_seq == seq);
	*out = w->cut;
	port_mutex_unlock(&w->lock);
	return 0;
}

void dbfs_wal_release(struct dbfs_wal *w, const struct dbfs_log_pos *pos)
{
	port_mutex_lock(&w->lock);
	DBFS_ASSERT(pos->lsn >= w->tail_lsn && pos->lsn <= w->head.lsn);
	w->tail_lsn = pos->lsn;
	port_cond_broadcast(&w->changed);
	port_mutex_unlock(&w->lock);
}

void dbfs_wal_get_stats(struct dbfs_wal *w, struct dbfs_wal_stats *out)
{
	const struct group *oldest = w->open;

	port_mutex_lock(&w->lock);
	oldest = w->open;
	if (!list_empty(&w->sealed))
		oldest = list_first(&w->sealed, struct group, link);
	out->groups = w->groups;
	out->used = w->head.lsn - w->tail_lsn + w->bound;
	out->capacity = w->ring;
	out->durable_ts = w->durable_ts;
	out->unwritten = w->unwritten + w->data_bytes;
	out->oldest = oldest && oldest->opened ? oldest->opened : UINT64_MAX;
	out->marked = w->marked || w->open || w->writing;
	port_mutex_unlock(&w->lock);
}
