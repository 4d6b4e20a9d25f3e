/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Volumes: making, opening, closing.
 *
 *   closed --open--> superblock, root, space map --> replay --> last group again, new salt --> open
 *   open --close--> threads stopped, transactions rolled back, all durable, clean root --> closed
 *
 * VOL-1  Until open has returned nothing but the recovered state is on disk: a crash in recovery
 *	  leaves what recovery began with, or what it ends with.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "port/log.h"
#include "port/mem.h"
#include "port/rand.h"
#include "txn/txn_priv.h"

/* --- Format --------------------------------------------------------------------------------------- */

static int choose_sizes(const struct port_blk *dev, const struct dbfs_format_opts *opts,
			struct dbfs_super *s)
{
	uint64_t blocks = MIN(dev->size / DBFS_BLOCK_SIZE, DBFS_BLOCKS_MAX);
	uint64_t log = opts->log_bytes / DBFS_BLOCK_SIZE;

	if (opts->log_bytes == 0)
		log = MIN(blocks / 32, (uint64_t)16384); /* at most 64 MiB */
	log = MAX(log, (uint64_t)DBFS_LOG_MIN_BLOCKS);
	if (log > UINT32_MAX || blocks < DBFS_BLOCK_LOG + log + 64)
		return -DBFS_ENOSPC;
	s->total_blocks = blocks;
	s->log_start = DBFS_BLOCK_LOG;
	s->log_blocks = log;
	s->data_start = s->log_start + log;
	return 0;
}

static void choose_names(const struct dbfs_format_opts *opts, struct dbfs_super *s)
{
	static const uint8_t zero[16];

	memcpy(s->label, opts->label, sizeof(s->label));
	memcpy(s->uuid, opts->uuid, sizeof(s->uuid));
	if (memcmp(s->uuid, zero, sizeof(zero)) == 0) {
		port_random(s->uuid, sizeof(s->uuid));
		s->uuid[6] = (uint8_t)((s->uuid[6] & 0x0f) | 0x40); /* RFC 4122, random */
		s->uuid[8] = (uint8_t)((s->uuid[8] & 0x3f) | 0x80);
	}
	port_random(s->secret, sizeof(s->secret));
}

/* An empty volume's space map and root. */
static int format_body(struct dbfs_io *io, struct dbfs_super *s, struct dbfs_disk_root *root)
{
	static const struct dbfs_runs *const none[] = {NULL};
	struct dbfs_space *space = dbfs_space_create(io, s);
	struct dbfs_runs old;
	uint64_t salt;
	int err;

	if (!space)
		return -DBFS_ENOMEM;
	dbfs_runs_init(&old);
	port_random(&salt, sizeof(salt));
	memset(root, 0, DBFS_BLOCK_SIZE);
	root->generation = le64_of(1);
	root->flags = le32_of(DBFS_ROOT_CLEAN);
	root->log_seq = le64_of(1);
	root->nsalts = le32_of(1);
	root->salts[0].salt = le64_of(salt);
	root->next_id = le64_of(2);
	err = dbfs_space_store_prepare(space, &old);
	if (!err)
		err = dbfs_space_store(space, none, none, root, &old);
	dbfs_runs_fini(&old);
	dbfs_space_destroy(space);
	if (!err)
		err = dbfs_root_write(io, root, 0);
	return err;
}

int dbfs_format(struct port_blk *dev, const struct dbfs_format_opts *opts)
{
	struct dbfs_io io = {.dev = dev, .blocks = dev->size / DBFS_BLOCK_SIZE};
	struct dbfs_super s;
	uint8_t *page;
	int err;

	memset(&s, 0, sizeof(s));
	if (dev->read_only)
		return -DBFS_EROFS;
	err = choose_sizes(dev, opts, &s);
	if (err)
		return err;
	choose_names(opts, &s);
	page = port_alloc_pages(1);
	if (!page)
		return -DBFS_ENOMEM;
	/* What was there before must not be found again, whatever of the rest gets to the disk. */
	memset(page, 0, DBFS_BLOCK_SIZE);
	for (unsigned i = 0; i < DBFS_BLOCK_LOG && !err; i++)
		err = dbfs_io_write(&io, i, page, 1);
	if (!err)
		err = dbfs_io_flush(&io);
	if (!err)
		err = format_body(&io, &s, (struct dbfs_disk_root *)(void *)page);
	if (!err)
		err = dbfs_io_flush(&io);
	if (!err)
		err = dbfs_super_write(&io, &s, page);
	if (!err)
		err = dbfs_io_flush(&io);
	port_free_pages(page, 1);
	return err;
}

/* --- Open ------------------------------------------------------------------------------------------- */

static void set_defaults(struct dbfs *db, const struct dbfs_open_opts *opts)
{
	db->opts = *opts;
	if (db->opts.cache_bytes == 0)
		db->opts.cache_bytes = 8u << 20;
	if (db->opts.mem_bytes == 0)
		db->opts.mem_bytes = 32u << 20;
	if (db->opts.sync_delay_ns == 0)
		db->opts.sync_delay_ns = 1000000000u;
	if (db->opts.dirty_bytes == 0)
		db->opts.dirty_bytes = 8u << 20;
}

static void init_locks(struct dbfs *db)
{
	dbfs_writer_init(&db->writer);
	port_mutex_init(&db->versions, LOCK_RANK_DBFS_VERSIONS, "dbfs versions");
	port_cond_init(&db->ckpt_done);
	list_init(&db->sets);
	list_init(&db->layers);
	list_init(&db->txs);
	list_init(&db->optimistic);
}

/* Superblock, root, space map. */
static int load(struct dbfs *db)
{
	void *scratch = port_alloc_pages(1);
	int err = -DBFS_ENOMEM;

	if (!scratch)
		return err;
	err = dbfs_super_read(&db->io, &db->super, scratch);
	if (!err) {
		db->io.blocks = db->super.total_blocks;
		err = dbfs_root_read(&db->io, &db->super, db->root, scratch, &db->root_slot);
	}
	port_free_pages(scratch, 1);
	if (err)
		return err;
	db->space = dbfs_space_create(&db->io, &db->super);
	if (!db->space)
		return -DBFS_ENOMEM;
	return dbfs_space_load(db->space, db->root);
}

/* The state that the root names, with an empty layer over it. */
static int install_state(struct dbfs *db)
{
	struct dbfs_tree tree = {
		le64_get(db->root->tree.block),
		le32_get(db->root->tree.crc),
		le32_get(db->root->tree.aux),
	};
	struct vlayer *layer = dbfs_vlayer_create();
	struct set *set = port_alloc_zeroed(sizeof(*set));

	if (!layer || !set) {
		dbfs_vlayer_destroy(layer);
		port_free(set);
		return -DBFS_ENOMEM;
	}
	atomic_init(&db->last_ts, le64_get(db->root->last_ts));
	atomic_init(&db->next_id, MAX(le64_get(db->root->next_id), (uint64_t)2));
	atomic_init(&db->next_tx, 1);
	port_mutex_lock(&db->versions);
	dbfs_set_install_locked(db, set, layer, NULL, tree);
	port_mutex_unlock(&db->versions);
	return 0;
}

static int make_wal(struct dbfs *db, const struct dbfs_log_pos *head)
{
	struct dbfs_wal_config config = {
		.io = &db->io,
		.log_start = db->super.log_start,
		.log_blocks = db->super.log_blocks,
		.salt = db->salt,
		.tail = {.lsn = le64_get(db->root->log_lsn)},
		.head = *head,
		.last_ts = atomic_load_explicit(&db->last_ts, memory_order_relaxed),
	};

	db->wal = dbfs_wal_create(&config);
	return db->wal ? 0 : -DBFS_ENOMEM;
}

/* Makes what was recovered fit to be written to. */
static int start_writing(struct dbfs *db, const struct recovery *rec)
{
	bool full = le32_get(db->root->nsalts) == DBFS_ROOT_SALTS &&
		    rec->head.seq != le64_get(db->root->log_seq);

	/* Many crashes without a checkpoint: one now, and its root needs one salt only. */
	if (full)
		return dbfs_ckpt_run(db, false, false);
	return dbfs_root_renew(db, &rec->head); /* REC-2 */
}

static int recover_and_start(struct dbfs *db)
{
	struct recovery rec;
	int err = dbfs_recover(db, &rec);

	if (err)
		return err;
	port_random(&db->salt, sizeof(db->salt));
	err = make_wal(db, &rec.head);
	if (err)
		return err;
	dbfs_space_set_tree_pages(db->space, le64_get(db->root->tree_pages));
	if (rec.damaged)
		dbfs_wal_fail(db->wal, -DBFS_ECORRUPT);
	else if (!db->read_only)
		err = start_writing(db, &rec);
	return err;
}

static void destroy(struct dbfs *db)
{
	dbfs_sets_destroy(db);
	dbfs_wal_destroy(db->wal);
	dbfs_cache_destroy(db->cache);
	dbfs_space_destroy(db->space);
	if (db->root)
		port_free_pages(db->root, 1);
	port_cond_fini(&db->ckpt_done);
	port_mutex_fini(&db->versions);
	dbfs_writer_fini(&db->writer);
	port_free(db);
}

static int open_volume(struct dbfs *db)
{
	int err = -DBFS_ENOMEM;

	db->root = port_alloc_pages(1);
	db->cache = dbfs_cache_create(&db->io, db->opts.cache_bytes, dbfs_btree_page_ok);
	db->env = (struct dbfs_btree_env){&db->io, db->cache};
	if (db->root && db->cache)
		err = load(db);
	if (!err)
		err = install_state(db);
	if (!err)
		err = recover_and_start(db);
	if (!err)
		err = dbfs_background_start(db);
	return err;
}

int dbfs_open(struct port_blk *dev, const struct dbfs_open_opts *opts, struct dbfs **out)
{
	struct dbfs *db;
	int err;

	if (dev->read_only && !opts->read_only)
		return -DBFS_EROFS;
	if (!opts->read_only && dev->ops->lock_exclusive) {
		err = dev->ops->lock_exclusive(dev);
		if (err)
			return err;
	}
	db = port_alloc_zeroed(sizeof(*db));
	if (!db)
		return -DBFS_ENOMEM;
	db->dev = dev;
	db->io.dev = dev;
	db->io.blocks = dev->size / DBFS_BLOCK_SIZE;
	db->read_only = opts->read_only;
	set_defaults(db, opts);
	init_locks(db);
	err = open_volume(db);
	if (err) {
		destroy(db);
		return err;
	}
	*out = db;
	return 0;
}

/* --- Close ------------------------------------------------------------------------------------------ */

static struct dbfs_tx *first_tx(struct dbfs *db)
{
	struct dbfs_tx *tx = NULL;

	port_mutex_lock(&db->versions);
	if (!list_empty(&db->txs))
		tx = list_first(&db->txs, struct dbfs_tx, link);
	port_mutex_unlock(&db->versions);
	return tx;
}

int dbfs_close(struct dbfs *db)
{
	struct port_blk *dev = db->dev;
	struct dbfs_tx *tx;
	int err = 0;

	dbfs_background_stop(db);
	for (tx = first_tx(db); tx; tx = first_tx(db))
		dbfs_tx_rollback(tx);
	if (db->fs && db->fs_fini)
		db->fs_fini(db->fs);
	if (!db->read_only) {
		err = dbfs_wal_wait_all(db->wal);
		if (!err && db->current->frozen) /* left by a checkpoint that had no memory */
			err = dbfs_ckpt_run(db, false, false);
		if (!err) /* all is in the tree then, and the root can say that the log is empty */
			err = dbfs_ckpt_run(db, false, true);
	}
	destroy(db);
	if (dev->ops->close)
		dev->ops->close(dev);
	return err;
}

/* --- Looks ------------------------------------------------------------------------------------------ */

int dbfs_write_error(const struct dbfs *db)
{
	return dbfs_wal_error(db->wal);
}

bool dbfs_is_read_only(const struct dbfs *db)
{
	return db->read_only || dbfs_wal_error(db->wal) != 0;
}

void dbfs_get_stats(struct dbfs *db, struct dbfs_stats *out)
{
	struct dbfs_space_stats s;
	struct dbfs_wal_stats w;

	memset(out, 0, sizeof(*out));
	dbfs_space_stats(db->space, &s);
	dbfs_wal_get_stats(db->wal, &w);
	out->total_blocks = s.total;
	out->free_blocks = s.free + s.deferred;
	out->flushes = atomic_load_explicit(&db->io.flushes, memory_order_relaxed);
	out->groups = w.groups;
	out->log_bytes = w.used;
	out->log_capacity = w.capacity;
	dbfs_cache_stats(db->cache, &out->cache_hits, &out->cache_misses);
	out->replayed_commits = db->replayed;
	out->durable_ts = w.durable_ts;
	out->last_ts = atomic_load_explicit(&db->last_ts, memory_order_acquire);
	memcpy(out->uuid, db->super.uuid, sizeof(out->uuid));
	memcpy(out->label, db->super.label, sizeof(out->label));
	port_mutex_lock(&db->versions);
	out->commits = db->commits;
	out->checkpoints = db->checkpoints;
	out->conflicts = db->conflicts;
	for (struct list *l = db->layers.next; l != &db->layers; l = l->next) {
		const struct vlayer *v = list_entry(l, struct vlayer, link);

		out->versions += dbfs_layer_versions(v->l);
		out->version_bytes += dbfs_layer_bytes(v->l);
	}
	port_mutex_unlock(&db->versions);
}

void dbfs_volume_secret(const struct dbfs *db, uint8_t out[16])
{
	memcpy(out, db->super.secret, 16);
}

void dbfs_volume_set_fs(struct dbfs *db, void *fs, void (*fini)(void *fs))
{
	db->fs = fs;
	db->fs_fini = fini;
}

void *dbfs_volume_fs(const struct dbfs *db)
{
	return db->fs;
}

bool dbfs_volume_kv_known(const struct dbfs *db)
{
	return atomic_load_explicit(&db->kv_known, memory_order_relaxed);
}

void dbfs_volume_set_kv_known(struct dbfs *db)
{
	atomic_store_explicit(&db->kv_known, true, memory_order_relaxed);
}
