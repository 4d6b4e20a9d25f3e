/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#include "engine_bank.h"

#include <stdatomic.h>
#include <string.h>

#include "base/bytes.h"
#include "port/thread.h"
#include "sim/prng.h"
#include "txn/txn.h"

enum { ACCOUNTS = 10, START = 1000, THREADS_MAX = 16 };

struct bank {
	struct dbfs *db;
	unsigned rounds;
	uint64_t seed;
	atomic_ullong transfers;
	atomic_ullong audits;
	atomic_ullong bad;
	atomic_ullong errors;
};

struct teller {
	struct bank *bank;
	struct sim_prng r;
	uint8_t from;
	uint8_t to;
	uint64_t amount;
};

struct account {
	struct le64 balance;
	struct le64 moves;
	uint8_t pad[100];
};

static struct dbfs_key account_key(const uint8_t *n)
{
	return (struct dbfs_key){5, 1, n};
}

static int get(struct dbfs_tx *tx, const uint8_t *n, struct account *a)
{
	size_t len;

	return dbfs_txn_get(tx, account_key(n), a, sizeof(*a), &len, 0);
}

static int change(struct dbfs_tx *tx, const uint8_t *n, uint64_t delta)
{
	struct account a;
	int err = get(tx, n, &a);

	if (err)
		return err;
	a.balance = le64_of(le64_get(a.balance) + delta);
	a.moves = le64_of(le64_get(a.moves) + 1);
	return dbfs_txn_put(tx, account_key(n), (struct dbfs_val){&a, sizeof(a)});
}

static int transfer(struct dbfs_tx *tx, void *arg)
{
	const struct teller *t = arg;
	int err = change(tx, &t->from, -t->amount);

	return err ? err : change(tx, &t->to, t->amount);
}

static void teller_main(void *arg)
{
	struct teller *t = arg;
	struct bank *b = t->bank;

	for (unsigned i = 0; i < b->rounds; i++) {
		struct dbfs_tx_opts o = {
			.mode = sim_prng_chance(&t->r, 1, 2) ? DBFS_TX_LOCKING : DBFS_TX_OPTIMISTIC,
			.durability = sim_prng_chance(&t->r, 1, 3) ? DBFS_SYNC : DBFS_NOSYNC,
		};

		t->from = (uint8_t)sim_prng_below(&t->r, ACCOUNTS);
		t->to = (uint8_t)((t->from + 1 + sim_prng_below(&t->r, ACCOUNTS - 1)) % ACCOUNTS);
		t->amount = sim_prng_below(&t->r, 50);
		if (dbfs_tx_run(b->db, &o, transfer, t))
			atomic_fetch_add(&b->errors, 1);
		else
			atomic_fetch_add(&b->transfers, 1);
		if (sim_prng_chance(&t->r, 1, 25) && dbfs_checkpoint(b->db))
			atomic_fetch_add(&b->errors, 1);
	}
}

/* Adds up by cursor, in one direction or the other. */
static int add_up(struct dbfs_tx *tx, bool forward, uint64_t *sum, uint64_t *moves)
{
	struct dbfs_cursor *c;
	struct dbfs_val v;
	int err = dbfs_cursor_open(tx, (struct dbfs_key){5, 0, ""}, (struct dbfs_key){6, 0, ""}, 0,
				   &c);

	*sum = 0;
	*moves = 0;
	if (err)
		return err;
	while ((err = forward ? dbfs_cursor_next(c) : dbfs_cursor_prev(c)) == 0) {
		struct account a;

		err = dbfs_cursor_value(c, &v);
		if (err)
			break;
		memcpy(&a, v.p, sizeof(a));
		*sum += le64_get(a.balance);
		*moves += le64_get(a.moves);
	}
	dbfs_cursor_close(c);
	return err == -DBFS_ENOENT ? 0 : err;
}

static void auditor_main(void *arg)
{
	static const struct dbfs_tx_opts o = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};
	struct teller *t = arg;
	struct bank *b = t->bank;

	for (unsigned i = 0; i < b->rounds; i++) {
		uint64_t sum;
		uint64_t moves;
		struct dbfs_tx *tx;
		int err = dbfs_tx_begin(b->db, &o, &tx);

		if (!err) {
			err = add_up(tx, i % 2 == 0, &sum, &moves);
			if (!err && (sum != ACCOUNTS * START || moves % 2 != 0))
				atomic_fetch_add(&b->bad, 1);
			dbfs_tx_rollback(tx);
		}
		atomic_fetch_add(err ? &b->errors : &b->audits, 1);
		port_thread_yield();
	}
}

static int open_accounts(struct dbfs_tx *tx, void *arg)
{
	struct account a = {.balance = le64_of(START)};
	int err = 0;

	(void)arg;
	for (uint8_t n = 0; n < ACCOUNTS && !err; n++)
		err = dbfs_txn_put(tx, account_key(&n), (struct dbfs_val){&a, sizeof(a)});
	return err;
}

static int work(struct bank *b, unsigned threads)
{
	struct teller t[THREADS_MAX + 2];
	struct port_thread th[THREADS_MAX + 2];
	int err = 0;
	unsigned n = 0;

	for (; n < threads + 2 && !err; n++) {
		t[n] = (struct teller){.bank = b, .r = sim_prng_of(b->seed * 100 + n)};
		err = port_thread_create(&th[n], n < threads ? teller_main : auditor_main, &t[n],
					 "bank");
		if (err)
			break;
	}
	while (n-- > 0)
		port_thread_join(&th[n]);
	return err;
}

int bank_run(struct port_blk *dev, unsigned threads, unsigned rounds, uint64_t seed,
	     struct bank_result *out)
{
	static const struct dbfs_format_opts fmt = {.log_bytes = 256 << 10};
	static const struct dbfs_tx_opts o = {DBFS_TX_LOCKING, DBFS_SYNC, 0};
	static const struct dbfs_tx_opts ro = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};
	struct dbfs_open_opts opts = {.cache_bytes = 64 << 10, .sync_delay_ns = 5000000};
	struct bank b = {.rounds = rounds, .seed = seed};
	struct dbfs_tx *tx;
	uint64_t sum;
	int err = dbfs_format(dev, &fmt);

	memset(out, 0, sizeof(*out));
	if (!err)
		err = dbfs_open(dev, &opts, &b.db);
	if (err)
		return err;
	err = dbfs_tx_run(b.db, &o, open_accounts, NULL);
	if (!err)
		err = work(&b, threads);
	if (!err)
		err = dbfs_tx_begin(b.db, &ro, &tx);
	if (!err) {
		err = add_up(tx, true, &sum, &out->counted);
		dbfs_tx_rollback(tx);
	}
	out->transfers = b.transfers;
	out->audits = b.audits;
	out->bad_audits = b.bad;
	out->errors = b.errors;
	return dbfs_close(b.db) ? -DBFS_EIO : err;
}
