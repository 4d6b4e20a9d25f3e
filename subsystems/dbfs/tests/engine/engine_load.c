/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#include "engine_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/sim.h"
#include "txn/txn.h"

enum { VALUE_MAX = 9000, DATA_BLOCKS = 4 };

/* What a key holds after a transaction. */
struct want {
	bool there;
	uint64_t tx; /* that wrote it: the content follows from it */
	uint32_t len;
	uint32_t blocks; /* > 0: the value describes file data */
};

/* The value of a key with file data. */
struct data_ref {
	uint64_t block[DATA_BLOCKS];
	uint32_t crc[DATA_BLOCKS];
	uint32_t n;
	uint32_t pad;
};

static struct sim_prng stream(const struct load *l, uint64_t tx)
{
	struct sim_prng root = sim_prng_of(l->seed);

	return sim_prng_split(&root, tx + 1);
}

/* Transaction tx applied to the oracle's state. Draws exactly as write_tx does. */
struct step {
	unsigned key;
	struct want want;
};

static unsigned steps_of(const struct load *l, uint64_t tx, struct step *out)
{
	struct sim_prng r = stream(l, tx);
	unsigned n = (unsigned)sim_prng_range(&r, 1, 6);

	for (unsigned i = 0; i < n; i++) {
		struct want w = {true, tx, 0, 0};
		uint64_t kind = sim_prng_below(&r, 10);

		out[i].key = (unsigned)sim_prng_below(&r, LOAD_KEYS);
		if (kind < 2)
			w.there = false;
		else if (kind < 5)
			w.blocks = (uint32_t)sim_prng_range(&r, 1, DATA_BLOCKS);
		else if (kind < 6)
			w.len = (uint32_t)sim_prng_below(&r, VALUE_MAX);
		else
			w.len = (uint32_t)sim_prng_below(&r, 200);
		out[i].want = w;
	}
	return n;
}

static void content(const struct load *l, uint64_t tx, unsigned key, uint8_t *buf, size_t len)
{
	struct sim_prng r = sim_prng_of(l->seed * 1000003 + tx * 101 + key);

	sim_prng_fill(&r, buf, len);
}

static struct dbfs_key key_of(unsigned k, uint8_t *buf)
{
	be64_store(buf, k);
	return (struct dbfs_key){3, 8, buf};
}

static const struct dbfs_key seq_key = {2, 3, "seq"};

/* --- Working ---------------------------------------------------------------------------------- */

/* Frees the blocks of what the key had. */
static int free_old(struct dbfs_tx *tx, struct dbfs_key key)
{
	static uint8_t buf[VALUE_MAX];
	struct data_ref ref;
	size_t len;
	int err = dbfs_txn_get(tx, key, buf, sizeof(buf), &len, 0);

	if (err == -DBFS_ENOENT)
		return 0;
	if (err)
		return err;
	if (len < 1 || buf[0] != 'D')
		return 0;
	memcpy(&ref, buf + 1, sizeof(ref));
	for (uint32_t i = 0; i < ref.n && !err; i++)
		err = dbfs_txn_data_free(tx, (struct dbfs_extent){ref.block[i], 1});
	return err;
}

static int put_data(const struct load *l, struct dbfs_tx *tx, const struct step *s,
		    struct dbfs_key key)
{
	static uint8_t data[DATA_BLOCKS * DBFS_BLOCK_SIZE];
	uint8_t val[1 + sizeof(struct data_ref)] = {'D'};
	struct data_ref ref = {.n = s->want.blocks};
	uint32_t done = 0;

	content(l, s->want.tx, s->key, data, sizeof(data));
	while (done < ref.n) {
		struct dbfs_extent e;
		int err = dbfs_txn_data_write(tx, data + (size_t)done * DBFS_BLOCK_SIZE,
					      ref.n - done, 0, &e, ref.crc + done);

		if (err)
			return err;
		for (uint32_t i = 0; i < e.count; i++)
			ref.block[done++] = e.block + i;
	}
	memcpy(val + 1, &ref, sizeof(ref));
	return dbfs_txn_put(tx, key, (struct dbfs_val){val, sizeof(val)});
}

static int do_step(const struct load *l, struct dbfs_tx *tx, const struct step *s)
{
	static uint8_t val[1 + VALUE_MAX];
	uint8_t kbuf[8];
	struct dbfs_key key = key_of(s->key, kbuf);
	int err = free_old(tx, key);

	if (err)
		return err;
	if (!s->want.there)
		return dbfs_txn_delete(tx, key);
	if (s->want.blocks)
		return put_data(l, tx, s, key);
	val[0] = 'V';
	content(l, s->want.tx, s->key, val + 1, s->want.len);
	return dbfs_txn_put(tx, key, (struct dbfs_val){val, 1 + s->want.len});
}

static int fill_tx(const struct load *l, struct dbfs_tx *tx, uint64_t n, struct sim_prng *r)
{
	struct le64 seq = le64_of(n);
	struct step steps[8];
	unsigned nsteps = steps_of(l, n, steps);
	int err = dbfs_txn_put(tx, seq_key, (struct dbfs_val){&seq, sizeof(seq)});

	for (unsigned i = 0; i < nsteps && !err; i++) {
		if (sim_prng_chance(r, 1, 5)) {
			/* A detour that is taken back. */
			struct dbfs_savepoint sp = dbfs_tx_savepoint(tx);
			struct step wrong = steps[i];

			wrong.key = (wrong.key + 1) % LOAD_KEYS;
			err = do_step(l, tx, &wrong);
			dbfs_tx_rollback_to(tx, sp);
		}
		if (!err)
			err = do_step(l, tx, &steps[i]);
	}
	return err;
}

static int run_tx(struct load *l, struct dbfs *db, uint64_t n, struct sim_prng *r)
{
	bool sync = !l->mixed || sim_prng_chance(r, 1, 2);
	struct dbfs_tx_opts o = {
		.mode = sim_prng_chance(r, 1, 2) ? DBFS_TX_LOCKING : DBFS_TX_OPTIMISTIC,
		.durability = sync ? DBFS_SYNC : DBFS_NOSYNC,
	};
	bool give_up = sim_prng_chance(r, 1, 6);
	struct dbfs_tx *tx;
	int err = dbfs_tx_begin(db, &o, &tx);

	if (err)
		return err;
	err = fill_tx(l, tx, give_up ? n + 1000 : n, r);
	if (err || give_up) {
		dbfs_tx_rollback(tx);
		return err ? err : run_tx(l, db, n, r);
	}
	l->attempted = n;
	err = dbfs_tx_commit(tx);
	if (!err && sync)
		l->durable = n;
	return err;
}

int load_format(const struct load *l, struct port_blk *dev)
{
	struct dbfs_format_opts o = {.log_bytes = l->log_bytes, .label = "load"};

	return dbfs_format(dev, &o);
}

void load_work(struct load *l, struct port_blk *dev)
{
	struct dbfs_open_opts o = {
		.no_background = !l->background,
		.cache_bytes = 256 << 10,
		.dirty_bytes = 64 << 10,
		.sync_delay_ns = 20000000,
	};
	struct sim_prng r = sim_prng_of(l->seed ^ 0x5eed);
	struct dbfs *db;

	l->attempted = 0;
	l->durable = 0;
	l->error = dbfs_open(dev, &o, &db);
	if (l->error) {
		dev->ops->close(dev); /* still ours, and locked */
		return;
	}
	for (uint64_t n = 1; n <= l->txs && !l->error; n++) {
		l->error = run_tx(l, db, n, &r);
		if (!l->error && l->ckpt_every && sim_prng_chance(&r, 1, l->ckpt_every))
			l->error = dbfs_checkpoint(db);
		if (!l->error && l->mixed && sim_prng_chance(&r, 1, 8)) {
			l->error = dbfs_sync(db);
			if (!l->error)
				l->durable = n;
		}
	}
	if (dbfs_close(db) == 0 && !l->error)
		l->durable = l->attempted;
}

/* --- Checking --------------------------------------------------------------------------------- */

static bool check_data(const struct load *l, struct dbfs_tx *tx, unsigned k, const struct want *w,
		       const uint8_t *val, int *err)
{
	static uint8_t want[DATA_BLOCKS * DBFS_BLOCK_SIZE];
	static uint8_t got[DBFS_BLOCK_SIZE];
	struct data_ref ref;

	memcpy(&ref, val + 1, sizeof(ref));
	content(l, w->tx, k, want, sizeof(want));
	if (ref.n != w->blocks)
		return false;
	for (uint32_t i = 0; i < ref.n; i++) {
		struct dbfs_extent e = {ref.block[i], 1};

		*err = dbfs_txn_data_read(tx, e, &ref.crc[i], got);
		if (*err || memcmp(got, want + (size_t)i * DBFS_BLOCK_SIZE, DBFS_BLOCK_SIZE) != 0)
			return false;
	}
	return true;
}

static bool check_key(const struct load *l, struct dbfs_tx *tx, unsigned k, const struct want *w,
		      int *err)
{
	static uint8_t val[1 + VALUE_MAX];
	static uint8_t want[1 + VALUE_MAX];
	uint8_t kbuf[8];
	size_t len = 0;

	*err = dbfs_txn_get(tx, key_of(k, kbuf), val, sizeof(val), &len, 0);
	if (!w->there)
		return *err == -DBFS_ENOENT;
	if (*err)
		return false;
	if (w->blocks)
		return len == 1 + sizeof(struct data_ref) && val[0] == 'D' &&
		       check_data(l, tx, k, w, val, err);
	want[0] = 'V';
	content(l, w->tx, k, want + 1, w->len);
	return len == 1 + w->len && memcmp(val, want, len) == 0;
}

static bool check_state(const struct load *l, struct dbfs_tx *tx, uint64_t n, char *why,
			size_t size)
{
	struct want state[LOAD_KEYS] = {{false, 0, 0, 0}};

	for (uint64_t t = 1; t <= n; t++) {
		struct step steps[8];
		unsigned nsteps = steps_of(l, t, steps);

		for (unsigned i = 0; i < nsteps; i++)
			state[steps[i].key] = steps[i].want;
	}
	for (unsigned k = 0; k < LOAD_KEYS; k++) {
		int err;

		if (check_key(l, tx, k, &state[k], &err))
			continue;
		snprintf(why, size, "key %u is not as transaction %llu left it (error %d)", k,
			 (unsigned long long)n, err);
		return false;
	}
	return true;
}

bool load_compare(const struct load *l, struct dbfs *db, uint64_t *n, char *why, size_t size)
{
	static const struct dbfs_tx_opts o = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};
	struct le64 seq = le64_of(0);
	struct dbfs_tx *tx;
	size_t len;
	bool ok;
	int err = dbfs_tx_begin(db, &o, &tx);

	if (err) {
		snprintf(why, size, "begin: error %d", err);
		return false;
	}
	err = dbfs_txn_get(tx, seq_key, &seq, sizeof(seq), &len, 0);
	*n = err ? 0 : le64_get(seq);
	ok = false;
	if (err && err != -DBFS_ENOENT)
		snprintf(why, size, "seq: error %d", err);
	else if (*n < l->durable || *n > l->attempted)
		snprintf(why, size, "shows transaction %llu; durable %llu, attempted %llu",
			 (unsigned long long)*n, (unsigned long long)l->durable,
			 (unsigned long long)l->attempted);
	else
		ok = check_state(l, tx, *n, why, size);
	dbfs_tx_rollback(tx);
	return ok;
}

/* The volume goes on working: one more transaction, then it closes clean. */
static bool check_goes_on(struct dbfs *db, char *why, size_t size)
{
	static const struct dbfs_tx_opts o = {DBFS_TX_LOCKING, DBFS_SYNC, 0};
	struct dbfs_tx *tx;
	int err = dbfs_tx_begin(db, &o, &tx);

	if (!err) {
		err = dbfs_txn_put(tx, (struct dbfs_key){9, 1, "x"}, (struct dbfs_val){"y", 1});
		if (err)
			dbfs_tx_rollback(tx);
		else
			err = dbfs_tx_commit(tx);
	}
	if (err)
		snprintf(why, size, "after recovery: error %d", err);
	return !err;
}

bool load_check(const struct load *l, struct port_blk *dev, char *why, size_t size)
{
	struct dbfs_open_opts o = {.no_background = true, .cache_bytes = 256 << 10};
	struct dbfs *db;
	uint64_t n;
	bool ok;
	int err = dbfs_open(dev, &o, &db);

	if (err) {
		snprintf(why, size, "open: error %d (%s)", err, dbfs_strerror(err));
		dev->ops->close(dev);
		return false;
	}
	ok = load_compare(l, db, &n, why, size);
	if (ok && dbfs_write_error(db)) {
		snprintf(why, size, "read-only after recovery: error %d", dbfs_write_error(db));
		ok = false;
	}
	if (ok)
		ok = check_goes_on(db, why, size);
	err = dbfs_close(db);
	if (ok && err) {
		snprintf(why, size, "close: error %d", err);
		ok = false;
	}
	return ok;
}
