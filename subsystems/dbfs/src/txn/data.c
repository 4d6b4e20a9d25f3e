/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * File data in a transaction: blocks written to new space, blocks given back.
 *
 * A block that the transaction itself wrote is not freed before it commits, because rolling back to
 * a savepoint may bring it back; commit then drops it without a trace (prune).
 */
#include "base/assert.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "base/overflow.h"
#include "port/log.h"
#include "txn/txn_priv.h"

enum { EXTENT_BLOCKS_MAX = 1 << 16 };

enum dbfs_space_class dbfs_tx_space_class(const struct dbfs_tx *tx)
{
	return tx->use_reserve ? DBFS_SPACE_RESERVE : DBFS_SPACE_NORMAL;
}

bool dbfs_tx_reclaim(struct dbfs_tx *tx)
{
	struct dbfs_space_stats before;
	struct dbfs_space_stats after;
	int err;

	/* A checkpoint releases what commits freed, and the room that their own merge was promised. With
	 * nothing to move it costs nothing. */
	dbfs_space_stats(tx->db->space, &before);
	if (!tx->has_writer) {
		err = dbfs_ckpt_run(tx->db, false, false);
	} else {
		/* It holds the writer lock: nothing was committed since begin, so the newest state is
		 * the one that it has seen, and holding on to the old set would only keep the blocks. */
		dbfs_cursors_detach(tx);
		dbfs_snap_drop(tx);
		err = dbfs_ckpt_run(tx->db, true, false);
		dbfs_snap_take(tx);
	}
	dbfs_space_stats(tx->db->space, &after);
	return !err && after.free + before.promised > before.free + after.promised;
}

int dbfs_txn_check_space(struct dbfs_tx *tx, uint64_t nblocks)
{
	int err = dbfs_space_check(tx->db->space, nblocks, dbfs_tx_space_class(tx));

	if (err == -DBFS_ENOSPC && dbfs_tx_reclaim(tx))
		err = dbfs_space_check(tx->db->space, nblocks, dbfs_tx_space_class(tx));
	return err;
}

void dbfs_txn_use_reserve(struct dbfs_tx *tx)
{
	tx->use_reserve = true;
}

static int alloc_run(struct dbfs_tx *tx, uint32_t nblocks, uint64_t hint, struct dbfs_run *run)
{
	uint64_t max = MIN(nblocks, (uint32_t)EXTENT_BLOCKS_MAX);
	int err = dbfs_space_alloc(tx->db->space, hint, max, dbfs_tx_space_class(tx), run);

	if (err == -DBFS_ENOSPC && dbfs_tx_reclaim(tx))
		err = dbfs_space_alloc(tx->db->space, hint, max, dbfs_tx_space_class(tx), run);
	return err;
}

/* Too much in memory: what this transaction has goes to its place now. */
static int write_early(struct dbfs_tx *tx)
{
	int err;

	if (dbfs_wal_data_bytes(tx->db->wal) <= tx->db->opts.dirty_bytes || list_empty(&tx->data))
		return 0;
	err = dbfs_wal_data_write(tx->db->wal, &tx->data);
	if (!err)
		list_splice_tail(&tx->written, &tx->data);
	return err;
}

int dbfs_txn_data_write(struct dbfs_tx *tx, const void *data, uint32_t nblocks, uint64_t hint,
			struct dbfs_extent *out, uint32_t *crcs)
{
	struct dbfs_run run;
	struct list *pos;
	int err;

	if (tx->mode == DBFS_TX_READ_ONLY)
		return -DBFS_EROFS;
	if (nblocks == 0)
		return -DBFS_EINVAL;
	err = write_early(tx);
	if (!err)
		err = alloc_run(tx, nblocks, hint, &run);
	if (err)
		return err;
	err = dbfs_wal_data_add(tx->db->wal, tx, &tx->data, run, data, crcs);
	if (err) {
		dbfs_space_cancel(tx->db->space, run.block, run.count);
		return err;
	}
	tx->seq++;
	tx->nblocks += run.count;
	pos = tx->data.prev;
	for (uint64_t i = 0; i < run.count; i++, pos = pos->prev)
		list_entry(pos, struct dbfs_wal_data, link)->born = tx->seq;
	out->block = run.block;
	out->count = (uint32_t)run.count;
	return 0;
}

static int read_run(struct dbfs_tx *tx, uint64_t block, uint32_t count, const uint32_t *crcs,
		    uint8_t *buf)
{
	int err = dbfs_io_read(&tx->db->io, block, buf, count);

	for (uint32_t i = 0; i < count && !err; i++) {
		uint32_t crc = base_crc32c(0, buf + (size_t)i * DBFS_BLOCK_SIZE, DBFS_BLOCK_SIZE);

		if (crc == crcs[i])
			continue;
		port_log(PORT_LOG_ERROR, "dbfs: data block %llu: checksum %x, expected %x",
			 (unsigned long long)(block + i), (unsigned)crc, (unsigned)crcs[i]);
		err = -DBFS_ECORRUPT;
	}
	return err;
}

int dbfs_txn_data_read(struct dbfs_tx *tx, struct dbfs_extent e, const uint32_t *crcs, void *buf)
{
	uint8_t *to = buf;
	uint32_t from = 0; /* start of the run that must come from the device */

	if (e.block < tx->db->super.data_start ||
	    !range_fits(e.block, e.count, tx->db->super.total_blocks)) {
		port_log(PORT_LOG_ERROR, "dbfs: data at block %llu is outside the volume",
			 (unsigned long long)e.block);
		return -DBFS_ECORRUPT;
	}
	for (uint32_t i = 0; i <= e.count; i++) {
		int err;

		if (i < e.count &&
		    !dbfs_wal_data_read(tx->db->wal, e.block + i, to + (size_t)i * DBFS_BLOCK_SIZE))
			continue;
		if (i > from) {
			err = read_run(tx, e.block + from, i - from, crcs + from,
				       to + (size_t)from * DBFS_BLOCK_SIZE);
			if (err)
				return err;
		}
		from = i + 1;
	}
	return 0;
}

int dbfs_txn_data_free(struct dbfs_tx *tx, struct dbfs_extent e)
{
	uint32_t from = 0;
	int err = 0;

	if (tx->mode == DBFS_TX_READ_ONLY)
		return -DBFS_EROFS;
	if (dbfs_space_check_used(tx->db->space, e.block, e.count)) {
		port_log(PORT_LOG_ERROR, "dbfs: free of %u blocks at %llu that are not in use",
			 (unsigned)e.count, (unsigned long long)e.block);
		return -DBFS_ECORRUPT;
	}
	tx->seq++;
	for (uint32_t i = 0; i <= e.count && !err; i++) {
		struct dbfs_wal_data *d = NULL;

		if (i < e.count && tx->nblocks > 0)
			d = dbfs_wal_data_find(tx->db->wal, tx, e.block + i);
		if (i < e.count && !d)
			continue;
		if (i > from) {
			err = dbfs_tx_undo_push(tx, NULL, e.block + from, i - from);
			if (!err)
				tx->nfrees++;
		}
		if (d && !err) {
			d->freed = 1;
			d->died = tx->seq;
		}
		from = i + 1;
	}
	if (err)
		dbfs_tx_rollback_to(tx, (struct dbfs_savepoint){tx->seq - 1});
	return err;
}

static void drop(struct dbfs_tx *tx, struct dbfs_wal_data *d)
{
	uint64_t block = d->block;

	list_del(&d->link);
	tx->nblocks--;
	dbfs_wal_data_drop(tx->db->wal, d);
	dbfs_space_cancel(tx->db->space, block, 1);
}

static void undo_list(struct dbfs_tx *tx, struct list *list, uint64_t pos)
{
	struct dbfs_wal_data *d;
	struct dbfs_wal_data *n;

	list_for_each_entry_safe (d, n, list, struct dbfs_wal_data, link) {
		if (d->born > pos)
			drop(tx, d);
		else if (d->freed && d->died > pos)
			d->freed = 0;
	}
}

void dbfs_tx_data_undo(struct dbfs_tx *tx, uint64_t pos)
{
	undo_list(tx, &tx->written, pos);
	undo_list(tx, &tx->data, pos);
}

static void prune_list(struct dbfs_tx *tx, struct list *list, bool all)
{
	struct dbfs_wal_data *d;
	struct dbfs_wal_data *n;

	list_for_each_entry_safe (d, n, list, struct dbfs_wal_data, link) {
		if (d->freed || all)
			drop(tx, d);
	}
}

void dbfs_tx_data_prune(struct dbfs_tx *tx)
{
	prune_list(tx, &tx->written, false);
	prune_list(tx, &tx->data, false);
}

void dbfs_tx_data_drop_all(struct dbfs_tx *tx)
{
	prune_list(tx, &tx->written, true);
	prune_list(tx, &tx->data, true);
}
