/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Recovery: the newest root, then the log from where that root says, group by group.
 *
 *   root --> group s --> group s+1 --> ... --> group t-1 --> (no valid group t)
 *
 * Group k is applied once group k+1 was found valid, for that proves k durable (WAL-1). The last one is
 * applied if all file data that it names is there; else the whole group is dropped, with a message: its
 * flush had not returned, so nobody was told that it is durable.
 *
 * If any valid group stands behind the place where the log seems to end, then the log does not end
 * there but is damaged: what was found is used for reading, and nothing is ever written.
 *
 * REC-1  All groups whose flush had returned are applied, in order; at most one more is. Each is applied whole.
 * REC-2  Before anyone is answered, the last group has been written again and flushed (it may have
 *	  been found in a cache that a crash empties) and a root with a new salt is durable, so that what
 *	  was dropped can never come back.
 * REC-3  Numbers in records are checked although the CRC was right: an image may be made to hurt.
 */
#include "base/mem.h"
#include "port/log.h"
#include "port/mem.h"
#include "txn/txn_priv.h"
#include "wal/scan.h"

struct replay {
	struct dbfs *db;
	struct dbfs_scan *scan;
	struct vlayer *layer;
	uint64_t ts; /* of the commit being replayed, or of the last */
	bool in_tx;
	uint64_t tx;
	uint32_t nops;
};

static int bad(const char *what, uint64_t number)
{
	port_log(PORT_LOG_ERROR, "dbfs: log: %s (%llu)", what, (unsigned long long)number);
	return -DBFS_ECORRUPT;
}

static int replay_value(struct replay *p, const struct dbfs_disk_op *op, struct dbfs_scan_record *r)
{
	struct dbfs_promise promise = {1, 0};
	uint32_t len = le32_get(op->value_len);
	struct dbfs_version *v;
	struct fullkey key;
	size_t cost;
	int err;

	key.len = le16_get(op->key_len);
	if (key.len < 4 || key.len > DBFS_FULL_KEY_MAX || len > DBFS_VALUE_MAX ||
	    (op->type == DBFS_OP_DELETE && len > 0) || !dbfs_scan_get(r, key.p, key.len))
		return bad("operation with a bad key or value", p->ts);
	cost = dbfs_layer_cost(key.len, len);
	err = dbfs_layer_reserve(p->layer->l, cost, cost);
	if (err)
		return err;
	v = dbfs_layer_version_nofail(p->layer->l, len);
	v->ts = p->ts;
	v->kind = op->type == DBFS_OP_DELETE ? DBFS_VERSION_DELETE : DBFS_VERSION_PUT;
	if (!dbfs_scan_get(r, v->data, len))
		return bad("value is cut off", p->ts);
	dbfs_layer_add_nofail(p->layer->l, fullkey_bytes(&key), v);
	promise.bytes = key.len + len + 32;
	dbfs_space_promise_nofail(p->db->space, promise);
	p->layer->promise.keys += promise.keys;
	p->layer->promise.bytes += promise.bytes;
	return 0;
}

static int replay_run(struct replay *p, const struct dbfs_disk_op *op, struct dbfs_scan_record *r)
{
	struct dbfs_disk_run run;
	uint64_t block;
	uint64_t count;
	int err;

	if (le16_get(op->key_len) != 0 || le32_get(op->value_len) != sizeof(run) ||
	    !dbfs_scan_get(r, &run, sizeof(run)))
		return bad("run of blocks is cut off", p->ts);
	block = le64_get(run.block);
	count = le32_get(run.count);
	if (op->type == DBFS_OP_ALLOC)
		err = dbfs_space_replay_alloc(p->db->space, block, count);
	else
		err = dbfs_space_check_used(p->db->space, block, count);
	if (err)
		return bad("blocks are not as the log says", block);
	if (op->type == DBFS_OP_FREE)
		dbfs_space_note_freed(p->db->space, count);
	return dbfs_runs_add(op->type == DBFS_OP_ALLOC ? &p->layer->allocs : &p->layer->frees,
			     block, count);
}

static int replay_ops(struct replay *p, struct dbfs_scan_record *r)
{
	int err = 0;

	while (!err && r->left > 0) {
		struct dbfs_disk_op op;

		if (!dbfs_scan_get(r, &op, sizeof(op)))
			return bad("operation is cut off", p->ts);
		p->nops++;
		if (op.type == DBFS_OP_PUT || op.type == DBFS_OP_DELETE)
			err = replay_value(p, &op, r);
		else if (op.type == DBFS_OP_ALLOC || op.type == DBFS_OP_FREE)
			err = replay_run(p, &op, r);
		else
			err = bad("unknown operation", op.type);
	}
	return err;
}

static int replay_commit(struct replay *p, struct dbfs_scan_record *r)
{
	struct dbfs_disk_commit c;
	uint64_t next_id;

	if (!dbfs_scan_get(r, &c, sizeof(c)) || le64_get(c.ts) != p->ts ||
	    le32_get(c.nops) != p->nops)
		return bad("commit does not match its operations", p->ts);
	next_id = le64_get(c.next_id);
	if (next_id > INT64_MAX)
		return bad("number is too large", next_id);
	if (next_id > atomic_load_explicit(&p->db->next_id, memory_order_relaxed))
		atomic_store_explicit(&p->db->next_id, next_id, memory_order_relaxed);
	p->in_tx = false;
	p->layer->max_ts = p->ts;
	p->db->replayed++;
	atomic_store_explicit(&p->db->last_ts, p->ts, memory_order_release);
	return 0;
}

static int replay_record(struct replay *p, struct dbfs_scan_record *r)
{
	if (r->type == DBFS_REC_TX_BEGIN) {
		if (p->in_tx)
			return bad("transaction inside a transaction", r->tx);
		p->in_tx = true;
		p->tx = r->tx;
		p->ts++;
		p->nops = 0;
		return 0;
	}
	if (r->type != DBFS_REC_METADATA && r->type != DBFS_REC_TX_COMMIT)
		return 0; /* DATA was checked with the group; the others say nothing here */
	if (!p->in_tx || r->tx != p->tx)
		return bad("record outside of its transaction", r->tx);
	return r->type == DBFS_REC_METADATA ? replay_ops(p, r) : replay_commit(p, r);
}

static int apply(struct replay *p, const struct dbfs_scan_group *g)
{
	struct dbfs_scan_record r = {.group = NULL};
	int err = 0;

	while (!err && dbfs_scan_next(g, &r))
		err = replay_record(p, &r);
	if (!err && p->in_tx)
		err = bad("a group ends inside a transaction", p->tx);
	return err;
}

/* The log has ended at pos with last (or NULL) as its last group. */
static int end_of_log(struct replay *p, struct dbfs_scan_group *last,
		      const struct dbfs_log_pos *before, struct recovery *out)
{
	int err = dbfs_scan_look_ahead(p->scan, &out->head, &out->damaged);

	if (err)
		return err;
	if (out->damaged)
		port_log(PORT_LOG_ERROR,
			 "dbfs: log group %llu is damaged but later ones are valid: "
			 "the volume is read-only and ends before it",
			 (unsigned long long)out->head.seq);
	if (!last)
		return 0;
	err = out->damaged ? 0 : dbfs_scan_check_data(p->scan, last);
	if (err == -DBFS_ECORRUPT) {
		port_log(PORT_LOG_WARN,
			 "dbfs: log group %llu was not finished when the power went: dropped",
			 (unsigned long long)before->seq);
		out->head = *before;
		return 0;
	}
	if (!err)
		err = apply(p, last);
	if (!err && !out->damaged && !p->db->read_only) {
		err = dbfs_scan_rewrite(p->scan, last); /* REC-2 */
		if (!err)
			err = dbfs_io_flush(&p->db->io);
	}
	return err;
}

static void report(const struct dbfs *db, const struct dbfs_log_pos *start,
		   const struct dbfs_log_pos *now)
{
	if (db->opts.progress)
		db->opts.progress(db->opts.progress_arg, now->lsn - start->lsn,
				  db->super.log_blocks * DBFS_BLOCK_SIZE);
}

static int replay(struct replay *p, struct recovery *out)
{
	struct dbfs_log_pos start = out->head;
	struct dbfs_log_pos before = out->head; /* where last begins */
	uint64_t ring = p->db->super.log_blocks * DBFS_BLOCK_SIZE;
	struct dbfs_scan_group *last = NULL;
	int err = 0;

	while (!err) {
		struct dbfs_scan_group *g;
		struct dbfs_log_pos next;

		err = dbfs_scan_read(p->scan, &out->head, &g, &next);
		if (err)
			break;
		if (next.lsn - start.lsn > ring) {
			dbfs_scan_group_destroy(g);
			err = bad("longer than its ring", next.lsn - start.lsn);
			break;
		}
		if (last)
			err = apply(p, last);
		dbfs_scan_group_destroy(last);
		last = g;
		before = out->head;
		out->head = next;
		report(p->db, &start, &next);
	}
	if (err == -DBFS_ENOENT)
		err = end_of_log(p, last, &before, out);
	dbfs_scan_group_destroy(last);
	return err;
}

int dbfs_recover(struct dbfs *db, struct recovery *out)
{
	struct replay p = {.db = db};
	int err;

	out->head.lsn = le64_get(db->root->log_lsn);
	out->head.seq = le64_get(db->root->log_seq);
	out->head.prev_crc = le32_get(db->root->log_prev_crc);
	out->damaged = false;
	if (le32_get(db->root->flags) & DBFS_ROOT_CLEAN)
		return 0;
	p.layer = db->current->active;
	p.ts = atomic_load_explicit(&db->last_ts, memory_order_relaxed);
	p.scan = dbfs_scan_create(&db->io, &db->super, db->root);
	if (!p.scan)
		return -DBFS_ENOMEM;
	err = replay(&p, out);
	dbfs_scan_destroy(p.scan);
	return err;
}
