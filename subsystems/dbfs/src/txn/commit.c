/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Commit. Under the writer lock:
 *
 *   validate -> resolve merges -> reserve (layer, runs, log) | records -> versions -> last_ts
 *   ------------------ may fail, nothing changed ------------ | ---------- cannot fail ----------
 *
 * COMMIT-1  Timestamps are given in the order of the records in the log, without gaps: a crash, which
 *	     loses a suffix of the log, loses a suffix of the commits.
 * COMMIT-2  The commit point in memory is the store of last_ts: snapshots taken before do not see it,
 *	     those taken after see all of it. On disk it is the flush of the log group (WAL-4).
 * COMMIT-3  The writer lock is released once the commit is ordered; the answer waits for the flush (WAL-5).
 * COMMIT-4  Everything after dbfs_wal_reserve succeeds: memory, log room and space were there before.
 * COMMIT-5  The log has the same allocs, frees and values that memory has, no more and no less.
 *
 * On crash: before the group is durable nothing happened; the blocks that the transaction had
 * allocated are free, for neither checkpoint nor log knows them.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "port/mem.h"
#include "txn/txn_priv.h"

/* What a commit is going to do, worked out before it does it. */
struct plan {
	struct vlayer *layer;
	struct dbfs_runs allocs;
	uint64_t op_bytes; /* payload of the METADATA record */
	uint32_t nops;
	size_t layer_bytes;
	size_t largest; /* of the versions */
};

/* --- Working it out ------------------------------------------------------------------------------- */

static int plan_allocs(struct list *list, struct plan *p)
{
	struct list *pos;

	list_for_each (pos, list) {
		const struct dbfs_wal_data *d = list_entry(pos, struct dbfs_wal_data, link);
		int err = dbfs_runs_add(&p->allocs, d->block, 1);

		if (err)
			return err;
	}
	return 0;
}

static uint32_t logged_len(const struct dbfs_version *v)
{
	return v->kind == DBFS_VERSION_MERGE ? (uint32_t)sizeof(struct dbfs_disk_counters) : v->len;
}

static int plan_commit(struct dbfs_tx *tx, struct plan *p)
{
	const struct dbfs_node *n = tx->wset ? dbfs_layer_first(tx->wset) : NULL;
	const struct dbfs_runs_chunk *c;
	uint64_t runs = tx->nfrees;
	int err;

	memset(p, 0, sizeof(*p));
	for (; n; n = dbfs_node_next(n)) {
		const struct dbfs_version *v = dbfs_node_head(n);
		size_t cost;

		if (!v)
			continue; /* rolled back to a savepoint */
		p->nops++;
		p->op_bytes += sizeof(struct dbfs_disk_op) + n->klen + logged_len(v);
		cost = dbfs_layer_cost(n->klen, logged_len(v));
		p->layer_bytes += cost;
		p->largest = MAX(p->largest, cost);
	}
	err = plan_allocs(&tx->written, p);
	if (!err)
		err = plan_allocs(&tx->data, p);
	for (c = p->allocs.first; c; c = c->next)
		runs += c->n;
	p->nops += (uint32_t)runs;
	p->op_bytes += runs * (sizeof(struct dbfs_disk_op) + sizeof(struct dbfs_disk_run));
	return err;
}

/* Turns each merge of the write set into what it will be on top of the newest committed value. */
static int resolve_merges(struct dbfs_tx *tx)
{
	const struct dbfs_node *n = tx->wset ? dbfs_layer_first(tx->wset) : NULL;
	struct set *set = dbfs_current_get(tx->db);
	int err = 0;

	for (; n && !err; n = dbfs_node_next(n)) {
		struct dbfs_version *v = dbfs_node_head(n);
		uint8_t buf[sizeof(struct dbfs_disk_counters)];
		struct dbfs_counters sum;
		struct merge_value *m;
		size_t len = 0;

		if (!v || v->kind != DBFS_VERSION_MERGE)
			continue;
		m = (void *)v->data;
		err = dbfs_set_get(tx->db, (struct view){set, UINT64_MAX}, dbfs_node_key(n), buf,
				   sizeof(buf), &len);
		err = dbfs_counters_of(err, buf, len, &sum);
		dbfs_counters_add(&sum, &m->delta);
		dbfs_counters_encode(&sum, &m->sum);
	}
	dbfs_current_put(tx->db, set);
	return err;
}

/* --- Doing it ---------------------------------------------------------------------------------------- */

static void log_op(struct dbfs_wal *w, enum dbfs_op_type type, struct dbfs_bytes key,
		   const void *val, uint32_t len)
{
	struct dbfs_disk_op op = {
		.type = (uint8_t)type,
		.key_len = le16_of((uint16_t)key.len),
		.value_len = le32_of(len),
	};

	dbfs_wal_record_put(w, &op, sizeof(op));
	dbfs_wal_record_put(w, key.p, key.len);
	dbfs_wal_record_put(w, val, len);
}

static void log_run(struct dbfs_wal *w, enum dbfs_op_type type, uint64_t block, uint64_t count)
{
	struct dbfs_disk_run run = {le64_of(block), le32_of((uint32_t)count)};

	log_op(w, type, (struct dbfs_bytes){(const uint8_t *)"", 0}, &run, sizeof(run));
}

/* The value that a version of the write set has once it is committed. */
static const uint8_t *committed_value(const struct dbfs_version *v)
{
	return v->data +
	       (v->kind == DBFS_VERSION_MERGE ? offsetof(struct merge_value, sum) : (size_t)0);
}

static void log_commit(struct dbfs_tx *tx, const struct plan *p, uint64_t ts)
{
	struct dbfs_wal *w = tx->db->wal;
	const struct dbfs_node *n = tx->wset ? dbfs_layer_first(tx->wset) : NULL;
	const struct dbfs_runs_chunk *c;
	const struct dbfs_run *r;
	struct dbfs_disk_commit commit = {
		.ts = le64_of(ts),
		.next_id = le64_of(atomic_load_explicit(&tx->db->next_id, memory_order_relaxed)),
		.nops = le32_of(p->nops),
	};

	dbfs_wal_record_begin(w, DBFS_REC_TX_BEGIN, tx->id);
	dbfs_wal_record_end(w);
	dbfs_wal_record_begin(w, DBFS_REC_METADATA, tx->id);
	dbfs_runs_for_each(r, c, &p->allocs) log_run(w, DBFS_OP_ALLOC, r->block, r->count);
	for (const struct undo_chunk *u = tx->undo; u; u = u->prev)
		for (uint64_t i = 0; i < u->n; i++)
			if (!u->v[i].node)
				log_run(w, DBFS_OP_FREE, u->v[i].block, u->v[i].count);
	for (; n; n = dbfs_node_next(n)) {
		const struct dbfs_version *v = dbfs_node_head(n);

		if (v && v->kind == DBFS_VERSION_DELETE)
			log_op(w, DBFS_OP_DELETE, dbfs_node_key(n), v->data, 0);
		else if (v)
			log_op(w, DBFS_OP_PUT, dbfs_node_key(n), committed_value(v), logged_len(v));
	}
	dbfs_wal_record_end(w);
	dbfs_wal_record_begin(w, DBFS_REC_TX_COMMIT, tx->id);
	dbfs_wal_record_put(w, &commit, sizeof(commit));
	dbfs_wal_record_end(w);
}

static void publish_versions(struct dbfs_tx *tx, const struct plan *p, uint64_t ts)
{
	const struct dbfs_node *n = tx->wset ? dbfs_layer_first(tx->wset) : NULL;
	struct dbfs_layer *l = p->layer->l;

	for (; n; n = dbfs_node_next(n)) {
		const struct dbfs_version *from = dbfs_node_head(n);
		struct dbfs_version *v;

		if (!from)
			continue;
		v = dbfs_layer_version_nofail(l, logged_len(from));
		v->ts = ts;
		v->kind =
			from->kind == DBFS_VERSION_DELETE ? DBFS_VERSION_DELETE : DBFS_VERSION_PUT;
		if (v->len)
			memcpy(v->data, committed_value(from), v->len);
		dbfs_layer_add_nofail(l, dbfs_node_key(n), v);
	}
}

static void publish_space(struct dbfs_tx *tx, struct plan *p)
{
	struct dbfs *db = tx->db;
	const struct dbfs_runs_chunk *c;
	const struct dbfs_run *r;

	dbfs_runs_for_each(r, c, &p->allocs)
		dbfs_runs_add_nofail(&p->layer->allocs, r->block, r->count);
	for (const struct undo_chunk *u = tx->undo; u; u = u->prev) {
		for (uint64_t i = 0; i < u->n; i++) {
			const struct undo *f = &u->v[i];

			if (f->node)
				continue;
			dbfs_runs_add_nofail(&p->layer->frees, f->block, f->count);
			dbfs_space_note_freed(db->space, f->count);
		}
	}
	p->layer->promise.keys += tx->promise.keys;
	p->layer->promise.bytes += tx->promise.bytes;
	tx->promise = (struct dbfs_promise){0, 0};
}

static bool runs_alone(struct dbfs_tx *tx)
{
	struct dbfs *db = tx->db;
	bool alone;

	port_mutex_lock(&db->versions);
	alone = db->txs.next == &tx->link && tx->link.next == &db->txs;
	port_mutex_unlock(&db->versions);
	return alone;
}

/*
 * Data that was committed, not yet written, and is freed by this commit need not be written at all,
 * if there is no snapshot that could read it. Later ones cannot: last_ts has this commit.
 */
static void drop_unwritten(struct dbfs_tx *tx)
{
	struct dbfs_wal *w = tx->db->wal;

	if (tx->nfrees == 0 || dbfs_wal_data_bytes(w) == 0 || !runs_alone(tx))
		return;
	for (const struct undo_chunk *u = tx->undo; u; u = u->prev)
		for (uint64_t i = 0; i < u->n; i++)
			for (uint64_t b = 0; !u->v[i].node && b < u->v[i].count; b++)
				dbfs_wal_data_free(w, u->v[i].block + b);
}

/* COMMIT-4: everything is reserved. The number of the log group. */
static uint64_t do_commit(struct dbfs_tx *tx, struct plan *p)
{
	struct dbfs *db = tx->db;
	uint64_t ts = atomic_load_explicit(&db->last_ts, memory_order_relaxed) + 1;
	struct list all;
	uint64_t group;

	log_commit(tx, p, ts);
	publish_versions(tx, p, ts);
	publish_space(tx, p);
	p->layer->max_ts = ts;
	list_init(&all);
	list_splice_tail(&all, &tx->written);
	list_splice_tail(&all, &tx->data);
	tx->nblocks = 0;
	/* COMMIT-1, COMMIT-2: from here on it has happened. */
	atomic_store_explicit(&db->last_ts, ts, memory_order_release);
	drop_unwritten(tx);
	group = dbfs_wal_finish(db->wal, ts, &all);
	return group;
}

/* Only a freeze changes it, and that needs the writer lock. */
static struct vlayer *active_layer(struct dbfs *db)
{
	struct vlayer *v;

	port_mutex_lock(&db->versions);
	v = db->current->active;
	port_mutex_unlock(&db->versions);
	return v;
}

/* One attempt, under the writer lock. -DBFS_EAGAIN: the log is full. */
static int try_commit(struct dbfs_tx *tx, uint64_t *group)
{
	struct dbfs *db = tx->db;
	struct plan p;
	uint64_t bytes;
	int err = dbfs_wal_error(db->wal);

	if (err)
		return err == -DBFS_EIO ? err : -DBFS_EROFS;
	err = dbfs_tx_validate(tx);
	if (err)
		return err;
	err = plan_commit(tx, &p);
	if (!err)
		err = resolve_merges(tx);
	p.layer = active_layer(db);
	bytes = dbfs_wal_record_size(0) + dbfs_wal_record_size(p.op_bytes) +
		dbfs_wal_record_size(sizeof(struct dbfs_disk_commit));
	if (!err && p.op_bytes > INT32_MAX)
		err = -DBFS_ELOGFULL;
	if (!err)
		err = dbfs_layer_reserve(p.layer->l, p.layer_bytes, p.largest);
	if (!err)
		err = dbfs_runs_reserve(&p.layer->allocs, p.nops);
	if (!err)
		err = dbfs_runs_reserve(&p.layer->frees, p.nops);
	if (!err)
		err = dbfs_wal_reserve(db->wal, bytes, tx->nblocks);
	if (!err)
		*group = do_commit(tx, &p);
	dbfs_runs_fini(&p.allocs);
	return err;
}

/* The log is full: a checkpoint makes room. With the writer lock held it is run right here. */
static int make_log_room(struct dbfs_tx *tx)
{
	if (tx->mode == DBFS_TX_LOCKING)
		return dbfs_ckpt_run(tx->db, true, false);
	dbfs_writer_unlock(&tx->db->writer);
	tx->has_writer = false;
	return dbfs_ckpt_run(tx->db, false, false);
}

static int commit_writes(struct dbfs_tx *tx, uint64_t *group)
{
	enum { ATTEMPTS = 16 };
	int err = 0;

	dbfs_tx_data_prune(tx);
	for (unsigned i = 0; i < ATTEMPTS && !err; i++) {
		if (!tx->has_writer) {
			err = dbfs_writer_lock(&tx->db->writer, false);
			if (err)
				return err;
			tx->has_writer = true;
		}
		err = try_commit(tx, group);
		if (err != -DBFS_EAGAIN)
			return err;
		err = make_log_room(tx);
	}
	return err ? err : -DBFS_ELOGFULL;
}

static bool has_writes(const struct dbfs_tx *tx)
{
	return (tx->wset && dbfs_layer_versions(tx->wset) > 0) || tx->nfrees > 0 || tx->nblocks > 0;
}

static int commit(struct dbfs_tx *tx, uint64_t *ts)
{
	struct dbfs *db = tx->db;
	bool sync = tx->durability == DBFS_SYNC;
	uint64_t group = 0;
	uint64_t seen = tx->ts;
	int err;

	if (!has_writes(tx)) {
		/* Serialized at its snapshot, if what it saw held until now. */
		dbfs_tx_end(tx);
		*ts = seen;
		return sync ? dbfs_wal_wait_ts(db->wal, seen) : 0;
	}
	err = commit_writes(tx, &group);
	if (!err)
		*ts = atomic_load_explicit(&db->last_ts, memory_order_relaxed);
	dbfs_tx_end(tx); /* COMMIT-3: releases the writer lock */
	if (err)
		return err;
	port_mutex_lock(&db->versions);
	db->commits++;
	port_mutex_unlock(&db->versions);
	if (sync)
		err = dbfs_wal_wait(db->wal, group); /* WAL-5 */
	dbfs_background_kick(db, group);
	return err;
}

int dbfs_tx_commit(struct dbfs_tx *tx)
{
	uint64_t ts;

	return commit(tx, &ts);
}

int dbfs_tx_commit_ts(struct dbfs_tx *tx, uint64_t *ts)
{
	uint64_t t = 0;
	int err = commit(tx, &t);

	if (!err)
		*ts = t;
	return err;
}

int dbfs_wait_durable(struct dbfs *db, uint64_t ts)
{
	if (ts > atomic_load_explicit(&db->last_ts, memory_order_acquire))
		return -DBFS_EINVAL;
	return dbfs_wal_wait_ts(db->wal, ts);
}

int dbfs_sync(struct dbfs *db)
{
	return dbfs_wal_wait_all(db->wal);
}
