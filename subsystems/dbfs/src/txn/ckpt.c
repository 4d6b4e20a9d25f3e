/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The checkpoint: moves the versions in memory into a new tree, while transactions go on.
 *
 *   1 freeze	  writer lock: the active layer becomes frozen, a new one takes its place, the log is cut
 *   2 merge	  frozen layer over the old tree -> new tree, on new blocks
 *   3 map	  space map with the frozen commits' and the merge's changes -> new blocks
 *   4 wait	  all log groups before the cut are durable
 *   5 flush	  tree and map are durable
 *   6 root	  the other slot, both copies; flush.		<--- from here a crash finds the new tree
 *   7 publish	  the set without the frozen layer; the log before the cut and the old blocks are released
 *
 * CKPT-1  Until 6 is durable nothing that the old root reaches is overwritten: new pages lie in blocks
 *	   that are free on disk, the log before the cut is kept.
 * CKPT-2  The root names exactly the commits before the cut, all of them durable in the log (4).
 * CKPT-3  One checkpoint at a time (ckpt_running). Who has it set and only he changes sets without the
 *	   writer lock, and then only takes the frozen layer out.
 * CKPT-4  A checkpoint that fails before 3 for lack of memory changes nothing; the frozen layer stays
 *	   and the next attempt begins with 2. Any other failure stops all writing (dbfs_wal_fail).
 *
 * Lock order: writer, then versions. Whoever holds the writer lock may wait for a running
 * checkpoint, since that has its freeze behind it.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "port/log.h"
#include "port/mem.h"
#include "txn/txn_priv.h"

struct ckpt {
	struct set *base;         /* the set that has the frozen layer */
	struct dbfs_runs built;   /* blocks of the new tree */
	struct dbfs_runs dropped; /* blocks of the old tree, then also of the old map */
	struct dbfs_runs old_map; /* blocks of the old map; reserved before 3 */
	struct dbfs_tree tree;
	uint64_t tree_pages;
	struct dbfs_disk_root *root;  /* one block, in the making */
	struct set *next;             /* the set to publish */
	const struct dbfs_node *node; /* the merge's place in the frozen layer */
};

/* --- 1 freeze ------------------------------------------------------------------------------------- */

static bool has_work(struct dbfs *db, const struct vlayer *active)
{
	struct dbfs_wal_stats w;

	dbfs_wal_get_stats(db->wal, &w);
	return dbfs_layer_versions(active->l) > 0 || active->allocs.blocks > 0 ||
	       active->frees.blocks > 0 || w.used > 0;
}

/* Takes ckpt_running, at once or not at all. */
static bool try_turn(struct dbfs *db)
{
	bool mine;

	port_mutex_lock(&db->versions);
	mine = !db->ckpt_running;
	db->ckpt_running = true; /* CKPT-3 */
	port_mutex_unlock(&db->versions);
	return mine;
}

static void wait_turn(struct dbfs *db)
{
	port_mutex_lock(&db->versions);
	while (db->ckpt_running)
		port_cond_wait(&db->ckpt_done, &db->versions);
	port_mutex_unlock(&db->versions);
}

/* The writer lock (unless the caller has it) and ckpt_running; writers do not wait for a merge. */
static int take_both(struct dbfs *db, bool has_writer)
{
	for (;;) {
		int err = has_writer ? 0 : dbfs_writer_lock(&db->writer, false);

		if (err || try_turn(db))
			return err;
		if (!has_writer)
			dbfs_writer_unlock(&db->writer);
		wait_turn(db);
	}
}

static void end_turn(struct dbfs *db)
{
	port_mutex_lock(&db->versions);
	db->ckpt_running = false;
	port_cond_broadcast(&db->ckpt_done);
	port_mutex_unlock(&db->versions);
}

/* Under the writer lock: the layer of all commits so far will not change any more. */
static void freeze_locked(struct dbfs *db, struct set *set, struct vlayer *active)
{
	port_mutex_lock(&db->versions);
	dbfs_set_install_locked(db, set, active, db->current->active, db->current->tree);
	port_mutex_unlock(&db->versions);
	db->cut_ts = atomic_load_explicit(&db->last_ts, memory_order_relaxed);
	db->cut_seq = dbfs_wal_cut(db->wal);
}

/* *work: there is a frozen layer now. */
static int freeze(struct dbfs *db, bool has_writer, bool closing, bool *work)
{
	struct vlayer *active = dbfs_vlayer_create();
	struct set *set = port_alloc_zeroed(sizeof(*set));
	int err = active && set ? 0 : -DBFS_ENOMEM;

	*work = false;
	if (!err)
		err = take_both(db, has_writer);
	if (err) {
		port_free(set);
		dbfs_vlayer_destroy(active);
		return err;
	}
	if (db->current->frozen) { /* CKPT-4: an earlier attempt left it */
		*work = true;
	} else if (closing || has_work(db, db->current->active)) {
		freeze_locked(db, set, active);
		set = NULL;
		active = NULL;
		*work = true;
	}
	if (!*work)
		end_turn(db);
	if (!has_writer)
		dbfs_writer_unlock(&db->writer);
	port_free(set);
	dbfs_vlayer_destroy(active);
	return 0;
}

/* --- 2 merge -------------------------------------------------------------------------------------- */

static bool next_op(void *arg, struct dbfs_merge_op *op)
{
	struct ckpt *c = arg;
	const struct dbfs_version *v;

	if (!c->node)
		return false;
	v = dbfs_node_head(c->node); /* the newest: the layer is frozen */
	op->key = tree_key(dbfs_node_key(c->node));
	op->val = v->data;
	op->len = v->len;
	op->deleted = v->kind == DBFS_VERSION_DELETE;
	c->node = dbfs_node_next(c->node);
	return true;
}

static int merge(struct dbfs *db, struct ckpt *c)
{
	struct dbfs_merge m = {
		.next = next_op,
		.arg = c,
		.space = db->space,
		.generation = le64_get(db->root->generation) + 1,
		.allocated = &c->built,
		.freed = &c->dropped,
		.tree_pages = le64_get(db->root->tree_pages),
	};
	int err;

	c->node = dbfs_layer_first(c->base->frozen->l);
	err = dbfs_btree_merge(&db->env, c->base->tree, &m, &c->tree);
	c->tree_pages = m.tree_pages;
	return err;
}

/* CKPT-4: as if it had not been tried. */
static void undo_merge(struct dbfs *db, struct ckpt *c)
{
	const struct dbfs_runs_chunk *k;
	const struct dbfs_run *r;

	dbfs_runs_for_each(r, k, &c->built) dbfs_space_cancel(db->space, r->block, r->count);
}

/* --- 3 to 6 ---------------------------------------------------------------------------------------- */

static int store_map(struct dbfs *db, struct ckpt *c)
{
	const struct dbfs_runs *allocs[] = {&c->base->frozen->allocs, &c->built, NULL};
	const struct dbfs_runs *frees[] = {&c->base->frozen->frees, &c->dropped, NULL};
	int err = dbfs_space_store(db->space, allocs, frees, c->root, &c->old_map);

	dbfs_runs_move(&c->dropped, &c->old_map);
	return err;
}

static void fill_root(struct dbfs *db, const struct ckpt *c, const struct dbfs_log_pos *cut,
		      bool closing)
{
	struct dbfs_disk_root *r = c->root;

	r->flags = le32_of(closing ? DBFS_ROOT_CLEAN : 0);
	r->log_lsn = le64_of(cut->lsn);
	r->log_seq = le64_of(cut->seq);
	r->log_prev_crc = le32_of(cut->prev_crc);
	r->nsalts = le32_of(1);
	memset(r->salts, 0, sizeof(r->salts));
	r->salts[0].from_seq = le64_of(cut->seq);
	r->salts[0].salt = le64_of(db->salt);
	r->next_id = le64_of(atomic_load_explicit(&db->next_id, memory_order_relaxed));
	r->last_ts = le64_of(db->cut_ts);
	r->tree_pages = le64_of(c->tree_pages);
	r->tree.block = le64_of(c->tree.block);
	r->tree.crc = le32_of(c->tree.crc);
	r->tree.aux = le32_of(c->tree.levels);
}

/* Writes the root at r into the slot that is not in use. Durable on return. */
static int write_root(struct dbfs *db, struct dbfs_disk_root *r)
{
	unsigned slot = 1 - db->root_slot;
	int err = dbfs_root_write(&db->io, r, slot);

	if (!err)
		err = dbfs_io_flush(&db->io); /* the commit point of a checkpoint */
	if (err)
		return err;
	memcpy(db->root, r, DBFS_BLOCK_SIZE);
	db->root_slot = slot;
	atomic_store_explicit(&db->generation, le64_get(r->generation), memory_order_relaxed);
	return 0;
}

static int make_durable(struct dbfs *db, struct ckpt *c, bool closing)
{
	struct dbfs_log_pos cut;
	int err;

	memcpy(c->root, db->root, DBFS_BLOCK_SIZE);
	c->root->generation = le64_of(le64_get(db->root->generation) + 1);
	err = store_map(db, c);
	if (!err)
		err = dbfs_wal_wait_cut(db->wal, db->cut_seq, &cut); /* CKPT-2 */
	if (!err)
		err = dbfs_io_flush(&db->io); /* CKPT-1: tree and map before the root */
	if (err)
		return err;
	fill_root(db, c, &cut, closing);
	err = write_root(db, c->root);
	if (!err)
		dbfs_wal_release(db->wal, &cut);
	return err;
}

/* --- 7 publish ------------------------------------------------------------------------------------- */

static void publish(struct dbfs *db, struct ckpt *c)
{
	struct vlayer *frozen = c->base->frozen;

	dbfs_space_note_freed(db->space, c->dropped.blocks);
	dbfs_runs_move(&c->dropped, &frozen->frees);
	dbfs_space_set_tree_pages(db->space, c->tree_pages);
	dbfs_space_unpromise(db->space, frozen->promise);
	frozen->promise = (struct dbfs_promise){0, 0};
	port_mutex_lock(&db->versions);
	/* SNAP-2: what the old tree used goes with the sets that could see it. */
	dbfs_runs_move(&c->base->retired, &c->dropped);
	dbfs_set_install_locked(db, c->next, c->base->active, NULL, c->tree);
	db->checkpoints++;
	port_mutex_unlock(&db->versions);
	c->next = NULL;
}

/* Are tree and map so far as the disk has them? Then a failure may be tried again. */
static bool can_retry(int err)
{
	return err == -DBFS_ENOMEM;
}

static int run(struct dbfs *db, bool closing)
{
	struct ckpt c = {.base = db->current};
	int err = -DBFS_ENOMEM;

	c.root = port_alloc_pages(1);
	c.next = port_alloc_zeroed(sizeof(*c.next));
	if (c.root && c.next)
		err = dbfs_space_store_prepare(db->space, &c.old_map);
	if (!err)
		err = merge(db, &c);
	if (err) {
		undo_merge(db, &c);
		if (!can_retry(err))
			dbfs_wal_fail(db->wal, err);
		goto out;
	}
	err = make_durable(db, &c, closing);
	if (err) {
		dbfs_wal_fail(db->wal, err);
		goto out;
	}
	publish(db, &c);
out:
	dbfs_runs_fini(&c.built);
	dbfs_runs_fini(&c.dropped);
	dbfs_runs_fini(&c.old_map);
	port_free(c.next);
	if (c.root)
		port_free_pages(c.root, 1);
	return err;
}

int dbfs_ckpt_run(struct dbfs *db, bool has_writer, bool closing)
{
	bool work;
	int err = dbfs_wal_error(db->wal);

	if (err)
		return err;
	err = freeze(db, has_writer, closing, &work);
	if (err || !work)
		return err;
	err = run(db, closing);
	end_turn(db);
	dbfs_reap(db);
	return err;
}

int dbfs_checkpoint(struct dbfs *db)
{
	if (dbfs_is_read_only(db))
		return -DBFS_EROFS;
	return dbfs_ckpt_run(db, false, false);
}

bool dbfs_ckpt_is_due(struct dbfs *db)
{
	struct dbfs_wal_stats w;
	size_t bytes;

	dbfs_wal_get_stats(db->wal, &w);
	port_mutex_lock(&db->versions);
	bytes = dbfs_layer_bytes(db->current->active->l);
	port_mutex_unlock(&db->versions);
	return !dbfs_wal_error(db->wal) && (w.used > w.capacity / 2 || bytes > db->opts.mem_bytes);
}

void dbfs_ckpt_throttle(struct dbfs *db)
{
	port_mutex_lock(&db->versions);
	while (db->ckpt_running && !dbfs_wal_error(db->wal) &&
	       dbfs_layer_bytes(db->current->active->l) > 2 * db->opts.mem_bytes)
		port_cond_wait(&db->ckpt_done, &db->versions);
	port_mutex_unlock(&db->versions);
}

/* After recovery: the same root, but groups from head on carry the new salt. */
int dbfs_root_renew(struct dbfs *db, const struct dbfs_log_pos *head)
{
	struct dbfs_disk_root *r = port_alloc_pages(1);
	uint32_t n;
	int err;

	if (!r)
		return -DBFS_ENOMEM;
	memcpy(r, db->root, DBFS_BLOCK_SIZE);
	n = le32_get(r->nsalts);
	DBFS_ASSERT(n < DBFS_ROOT_SALTS || head->seq == le64_get(r->log_seq));
	if (head->seq == le64_get(r->log_seq)) {
		memset(r->salts, 0, sizeof(r->salts)); /* no group with an older salt is needed */
		n = 0;
	}
	r->salts[n].from_seq = le64_of(head->seq);
	r->salts[n].salt = le64_of(db->salt);
	r->nsalts = le32_of(n + 1);
	r->flags = le32_of(0);
	r->generation = le64_of(le64_get(r->generation) + 1);
	err = write_root(db, r);
	port_free_pages(r, 1);
	return err;
}
