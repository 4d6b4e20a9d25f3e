/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The engine with real threads over a file, for ThreadSanitizer and for isolation: accounts whose sum
 * never changes, each with a block of data that says the same. Writers of both modes move amounts;
 * readers keep snapshots and look at them again, in both directions, while others commit, sync and make
 * checkpoints. In the end, and after opening it again, the sum is still right.
 *
 * STRESS=n makes each thread do n times as much.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "port/posix.h"
#include "port/sync.h"
#include "port/thread.h"
#include "txn/txn.h"

enum { ACCOUNTS = 64, START = 1000, BUCKET = 70, COUNTER = 71 };

struct account {
	uint64_t amount;
	uint64_t block;
	uint32_t crc;
	uint32_t pad;
};

struct job {
	struct port_thread thread;
	struct dbfs *db;
	unsigned n;
	uint64_t random;
	unsigned rounds;
	uint64_t done; /* commits */
	const char *failed;
	int err;
	uint64_t page[DBFS_BLOCK_SIZE / 8];
};

static uint64_t next(struct job *j)
{
	j->random ^= j->random << 13;
	j->random ^= j->random >> 7;
	j->random ^= j->random << 17;
	return j->random;
}

static unsigned rounds(unsigned few)
{
	const char *text = getenv("STRESS");

	return text ? few * (unsigned)strtoul(text, NULL, 0) : few;
}

static int complain(struct job *j, const char *what, int err)
{
	j->failed = what;
	j->err = err;
	return err ? err : -DBFS_EINVAL;
}

static struct dbfs_key key_of(const uint8_t *i)
{
	return (struct dbfs_key){BUCKET, 1, i};
}

static int load(struct dbfs_tx *tx, uint8_t i, struct account *a)
{
	size_t len;
	int err = dbfs_txn_get(tx, key_of(&i), a, sizeof(*a), &len, 0);

	return !err && len != sizeof(*a) ? -DBFS_ECORRUPT : err;
}

static int store(struct dbfs_tx *tx, struct job *j, uint8_t i, struct account *a)
{
	struct dbfs_extent e;
	int err = 0;

	if (a->block)
		err = dbfs_txn_data_free(tx, (struct dbfs_extent){a->block, 1});
	for (unsigned k = 0; k < ARRAY_SIZE(j->page); k++)
		j->page[k] = a->amount + k;
	if (!err)
		err = dbfs_txn_data_write(tx, j->page, 1, 0, &e, &a->crc);
	if (err)
		return err;
	a->block = e.block;
	return dbfs_txn_put(tx, key_of(&i), (struct dbfs_val){a, sizeof(*a)});
}

static int move_amount(struct dbfs_tx *tx, void *arg)
{
	static const struct dbfs_counters one = {.entries = 1};
	const struct dbfs_key counter = {COUNTER, 1, "c"};
	struct job *j = arg;
	uint8_t from = (uint8_t)(next(j) % ACCOUNTS);
	uint8_t to = (uint8_t)((from + 1 + next(j) % (ACCOUNTS - 1)) % ACCOUNTS);
	struct dbfs_savepoint sp;
	struct account a;
	struct account b;
	int err = load(tx, from, &a);

	if (!err)
		err = load(tx, to, &b);
	if (err)
		return err;
	if (next(j) % 4 == 0) { /* what is undone leaves nothing */
		struct account c = a;

		sp = dbfs_tx_savepoint(tx);
		c.amount += 77;
		err = store(tx, j, from, &c);
		dbfs_tx_rollback_to(tx, sp);
	}
	if (!err && a.amount > 0) {
		a.amount--;
		b.amount++;
		err = store(tx, j, from, &a);
		if (!err)
			err = store(tx, j, to, &b);
	}
	return err ? err : dbfs_txn_merge(tx, counter, &one);
}

static void writer(void *arg)
{
	struct job *j = arg;

	for (unsigned i = 0; i < j->rounds && !j->failed; i++) {
		struct dbfs_tx_opts o = {.mode = j->n % 2 ? DBFS_TX_OPTIMISTIC : DBFS_TX_LOCKING,
					 .durability = i % 16 == 0 ? DBFS_SYNC : DBFS_NOSYNC};
		int err = dbfs_tx_run(j->db, &o, move_amount, j);

		if (err)
			(void)complain(j, "commit", err);
		else
			j->done++;
	}
}

/* One element of a scan: value and data agree. */
static int look(struct job *j, struct dbfs_tx *tx, struct dbfs_cursor *c, uint64_t *sum)
{
	struct dbfs_val v;
	struct account a;
	int err = dbfs_cursor_value(c, &v);

	if (err || v.len != sizeof(a))
		return err ? err : -DBFS_ECORRUPT;
	memcpy(&a, v.p, sizeof(a));
	err = dbfs_txn_data_read(tx, (struct dbfs_extent){a.block, 1}, &a.crc, j->page);
	if (!err && (j->page[0] != a.amount || j->page[511] != a.amount + 511))
		err = -DBFS_ECORRUPT;
	*sum += a.amount;
	return err;
}

static int scan(struct job *j, struct dbfs_tx *tx, bool forward)
{
	struct dbfs_cursor *c;
	unsigned n = 0;
	uint64_t sum = 0;
	int err = dbfs_cursor_open(tx, (struct dbfs_key){BUCKET, 0, ""},
				   (struct dbfs_key){BUCKET + 1, 0, ""}, 0, &c);

	if (err)
		return complain(j, "open of a cursor", err);
	while ((err = forward ? dbfs_cursor_next(c) : dbfs_cursor_prev(c)) == 0) {
		err = look(j, tx, c, &sum);
		if (err)
			break;
		n++;
	}
	dbfs_cursor_close(c);
	if (err != -DBFS_ENOENT)
		return complain(j, "scan", err);
	if (n != ACCOUNTS || sum != ACCOUNTS * START)
		return complain(j, "sum", 0);
	return 0;
}

static void reader(void *arg)
{
	static const struct dbfs_tx_opts o = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};
	struct job *j = arg;

	for (unsigned i = 0; i < j->rounds && !j->failed; i++) {
		unsigned looks = 1 + (unsigned)(next(j) % 8);
		struct dbfs_tx *tx;
		int err = dbfs_tx_begin(j->db, &o, &tx);

		if (err) {
			(void)complain(j, "begin", err);
			return;
		}
		while (!err && looks-- > 0)
			err = scan(j, tx, next(j) % 2);
		dbfs_tx_rollback(tx);
	}
}

static void tidier(void *arg)
{
	struct job *j = arg;
	struct dbfs_stats s;

	for (unsigned i = 0; i < j->rounds && !j->failed; i++) {
		int err = i % 2 ? dbfs_checkpoint(j->db) : dbfs_sync(j->db);

		dbfs_get_stats(j->db, &s);
		if (err)
			(void)complain(j, "checkpoint or sync", err);
	}
}

static int fill(struct dbfs_tx *tx, void *arg)
{
	struct job *j = arg;
	int err = 0;

	for (unsigned i = 0; i < ACCOUNTS && !err; i++) {
		struct account a = {.amount = START};

		err = store(tx, j, (uint8_t)i, &a);
	}
	return err;
}

static void end_check(struct dbfs *db, uint64_t commits)
{
	static const struct dbfs_tx_opts o = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};
	struct dbfs_counters c;
	static struct job j;
	struct dbfs_tx *tx;

	j.db = db;
	assert_int_equal(dbfs_tx_begin(db, &o, &tx), 0);
	assert_int_equal(scan(&j, tx, true), 0);
	assert_int_equal(dbfs_txn_get_counters(tx, (struct dbfs_key){COUNTER, 1, "c"}, &c), 0);
	assert_int_equal(c.entries, commits);
	dbfs_tx_rollback(tx);
}

static void run_all(struct dbfs *db, uint64_t *commits)
{
	static void (*const what[])(void *) = {writer, writer, writer, writer,
					       reader, reader, tidier};
	static const unsigned often[] = {300, 300, 300, 300, 60, 60, 40};
	static struct job j[ARRAY_SIZE(what)];

	memset(j, 0, sizeof(j));
	for (unsigned i = 0; i < ARRAY_SIZE(j); i++) {
		j[i].db = db;
		j[i].n = i;
		j[i].random = 88172645463325252u + i * 7919;
		j[i].rounds = rounds(often[i]);
		assert_int_equal(port_thread_create(&j[i].thread, what[i], &j[i], "stress"), 0);
	}
	*commits = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(j); i++) {
		port_thread_join(&j[i].thread);
		*commits += j[i].done;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(j); i++)
		if (j[i].failed)
			fail_msg("thread %u: %s (error %d)", i, j[i].failed, j[i].err);
}

static void threads_agree(void **state)
{
	static const struct dbfs_format_opts fmt = {.log_bytes = 256 << 10};
	static const struct dbfs_tx_opts locking = {DBFS_TX_LOCKING, DBFS_SYNC, 0};
	struct dbfs_open_opts o = {.cache_bytes = 64 << 10, .dirty_bytes = 128 << 10};
	char path[] = "/tmp/dbfs-threads-XXXXXX";
	struct port_blk *dev;
	struct dbfs *db;
	static struct job first;
	uint64_t commits;

	(void)state;
	o.sync_delay_ns = 5000000;
	assert_true(close(mkstemp(path)) == 0);
	assert_int_equal(port_posix_blk_create(path, 32 << 20, &dev), 0);
	assert_int_equal(dbfs_format(dev, &fmt), 0);
	assert_int_equal(dbfs_open(dev, &o, &db), 0);
	assert_int_equal(dbfs_tx_run(db, &locking, fill, &first), 0);
	run_all(db, &commits);
	end_check(db, commits);
	assert_int_equal(dbfs_close(db), 0);
	assert_int_equal(port_posix_blk_open(path, 0, &dev), 0);
	assert_int_equal(dbfs_open(dev, &o, &db), 0);
	end_check(db, commits);
	assert_int_equal(dbfs_close(db), 0);
	assert_int_equal(unlink(path), 0);
}

/* --- A disk that is slower than the commits ---------------------------------------------------- */

struct slow {
	struct port_blk dev;
	struct port_blk *lower;
};

static struct port_blk *lower_of(struct port_blk *dev)
{
	return container_of(dev, struct slow, dev)->lower;
}

static int slow_readv(struct port_blk *dev, uint64_t off, const struct port_iov *iov, unsigned n)
{
	return port_blk_readv(lower_of(dev), off, iov, n);
}

static int slow_writev(struct port_blk *dev, uint64_t off, const struct port_iov *iov, unsigned n)
{
	usleep(30000);
	return port_blk_writev(lower_of(dev), off, iov, n);
}

static int slow_flush(struct port_blk *dev)
{
	usleep(30000);
	return port_blk_flush(lower_of(dev));
}

static void slow_close(struct port_blk *dev)
{
	lower_of(dev)->ops->close(lower_of(dev));
}

/* Commits that are faster than the checkpoint wait for it: versions do not pile up in memory. */
static void versions_are_bounded(void **state)
{
	enum { MEM = 128 << 10 };
	static const struct port_blk_ops ops = {.readv = slow_readv,
						.writev = slow_writev,
						.flush = slow_flush,
						.close = slow_close};
	static const struct dbfs_tx_opts nosync = {DBFS_TX_LOCKING, DBFS_NOSYNC, 0};
	static const struct dbfs_format_opts fmt = {.log_bytes = 8u << 20};
	static const struct dbfs_open_opts o = {.mem_bytes = MEM, .dirty_bytes = 64u << 20};
	char path[] = "/tmp/dbfs-slow-XXXXXX";
	struct slow slow;
	struct dbfs *db;
	uint64_t most = 0;

	(void)state;
	assert_true(close(mkstemp(path)) == 0);
	assert_int_equal(port_posix_blk_create(path, 16 << 20, &slow.lower), 0);
	slow.dev = (struct port_blk){&ops, slow.lower->size, false, "slow"};
	assert_int_equal(dbfs_format(slow.lower, &fmt), 0);
	assert_int_equal(dbfs_open(&slow.dev, &o, &db), 0);
	for (unsigned i = 0; i < 15000; i++) {
		struct dbfs_key key = {BUCKET, sizeof(i), &i};
		struct dbfs_stats s;
		struct dbfs_tx *tx;

		assert_int_equal(dbfs_tx_begin(db, &nosync, &tx), 0);
		assert_int_equal(dbfs_txn_delete(tx, key), 0);
		assert_int_equal(dbfs_tx_commit(tx), 0);
		dbfs_get_stats(db, &s);
		most = MAX(most, s.version_bytes);
	}
	assert_in_range(most, MEM, 6 * MEM);
	assert_int_equal(dbfs_close(db), 0);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_agree),
		cmocka_unit_test(versions_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
