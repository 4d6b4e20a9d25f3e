/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The key-value face with real threads, background threads and a real file (also under ThreadSanitizer):
 * transfers between accounts in both modes, readers that add up what they see, a bucket that is made and dropped, and a
 * copy taken in between. The sum of all accounts is the same in every state that anyone sees.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dbfs/kv.h"
#include "port/posix.h"
#include "port/thread.h"
#include "sim/prng.h"

enum { ACCOUNTS = 20, START = 1000, WRITERS = 4, READERS = 2, TRANSFERS = 150 };

static struct dbfs *db;
static _Atomic(int) writers_left;

static struct dbfs_kv_bytes account(char *buf, unsigned i)
{
	return (struct dbfs_kv_bytes){buf, (size_t)snprintf(buf, 16, "account%u", i)};
}

static int64_t must_read(struct dbfs_kv_bucket *b, unsigned i, int *err)
{
	char k[16];
	int64_t v = 0;
	uint64_t len = sizeof(v);

	*err = dbfs_kv_get(b, account(k, i), &v, sizeof(v), &len);
	return v;
}

static int write_account(struct dbfs_kv_bucket *b, unsigned i, int64_t v)
{
	char k[16];

	return dbfs_kv_put(b, account(k, i), (struct dbfs_kv_bytes){&v, sizeof(v)});
}

static int transfer(struct dbfs_kv_tx *tx, void *arg)
{
	struct sim_prng *r = arg;
	unsigned from = (unsigned)sim_prng_below(r, ACCOUNTS);
	unsigned to = (unsigned)sim_prng_below(r, ACCOUNTS);
	int64_t amount = (int64_t)sim_prng_below(r, 10);
	struct dbfs_kv_bucket b;
	int64_t v;
	int err = dbfs_kv_root(tx, &b);

	if (!err)
		v = must_read(&b, from, &err);
	if (!err)
		err = write_account(&b, from, v - amount);
	if (!err)
		v = must_read(&b, to, &err);
	return err ? err : write_account(&b, to, v + amount);
}

static void writer(void *arg)
{
	unsigned n = *(unsigned *)arg;
	struct sim_prng r = sim_prng_of(n);
	struct dbfs_tx_opts opts = {n % 2 ? DBFS_TX_OPTIMISTIC : DBFS_TX_LOCKING,
				    n % 3 ? DBFS_NOSYNC : DBFS_SYNC, 0};

	for (int i = 0; i < TRANSFERS; i++)
		assert_int_equal(dbfs_kv_run(db, &opts, transfer, &r), 0);
	atomic_fetch_sub(&writers_left, 1);
}

static int check_sum(struct dbfs_kv_tx *tx, void *arg)
{
	struct dbfs_kv_bucket b;
	struct dbfs_kv_cursor c;
	struct dbfs_kv_bytes v;
	int64_t sum = 0;
	unsigned n = 0;
	int err;

	(void)arg;
	assert_int_equal(dbfs_kv_root(tx, &b), 0);
	assert_int_equal(dbfs_kv_cursor_open(&b, NULL, &c), 0);
	while (!(err = dbfs_kv_cursor_next(&c))) {
		int64_t one;

		assert_int_equal(dbfs_kv_cursor_value(&c, &v), 0);
		assert_int_equal(v.len, sizeof(one));
		memcpy(&one, v.p, sizeof(one));
		sum += one;
		n++;
	}
	assert_int_equal(err, -DBFS_ENOENT);
	assert_int_equal(n, ACCOUNTS);
	assert_int_equal(sum, ACCOUNTS * START);
	return 0;
}

static void reader(void *arg)
{
	struct dbfs_tx_opts opts = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};

	(void)arg;
	do {
		assert_int_equal(dbfs_kv_run(db, &opts, check_sum, NULL), 0);
	} while (atomic_load(&writers_left) > 0);
}

static int make_bucket(struct dbfs_kv_tx *tx, void *arg)
{
	struct dbfs_kv_bucket root;
	struct dbfs_kv_bucket b;
	int err = dbfs_kv_root(tx, &root);

	(void)arg;
	if (!err)
		err = dbfs_kv_bucket_create(&root, (struct dbfs_kv_bytes){"temp", 4}, &b);
	for (unsigned i = 0; i < 300 && !err; i++)
		err = write_account(&b, i, i);
	return err;
}

static int drop_bucket(struct dbfs_kv_tx *tx, void *arg)
{
	struct dbfs_kv_bucket root;
	int err = dbfs_kv_root(tx, &root);

	(void)arg;
	return err ? err : dbfs_kv_bucket_drop(&root, (struct dbfs_kv_bytes){"temp", 4});
}

static void maker(void *arg)
{
	struct dbfs_tx_opts opts = {DBFS_TX_OPTIMISTIC, DBFS_NOSYNC, 0};

	(void)arg;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(dbfs_kv_run(db, &opts, make_bucket, NULL), 0);
		assert_int_equal(dbfs_kv_run(db, &opts, drop_bucket, NULL), 0);
	}
}

static int open_accounts(struct dbfs_kv_tx *tx, void *arg)
{
	struct dbfs_kv_bucket b;
	int err = dbfs_kv_root(tx, &b);

	(void)arg;
	for (unsigned i = 0; i < ACCOUNTS && !err; i++)
		err = write_account(&b, i, START);
	return err;
}

static void sums_stay(void **state)
{
	static const struct dbfs_open_opts quick = {.sync_delay_ns = 2000000,
						    .mem_bytes = 64 << 10};
	static const struct dbfs_format_opts fmt = {.log_bytes = 1u << 20};
	struct dbfs_tx_opts opts = {DBFS_TX_LOCKING, DBFS_SYNC, 0};
	char path[] = "/tmp/test_kv_threads.XXXXXX";
	char copy_path[sizeof(path) + 5];
	struct port_thread t[WRITERS + READERS + 1];
	unsigned number[WRITERS];
	struct port_blk *dev;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	snprintf(copy_path, sizeof(copy_path), "%s.copy", path);
	assert_int_equal(port_posix_blk_create(path, 64u << 20, &dev), 0);
	assert_int_equal(dbfs_format(dev, &fmt), 0);
	assert_int_equal(dbfs_open(dev, &quick, &db), 0);
	assert_int_equal(dbfs_kv_run(db, &opts, open_accounts, NULL), 0);
	atomic_init(&writers_left, WRITERS);
	for (unsigned i = 0; i < WRITERS; i++) {
		number[i] = i;
		assert_int_equal(port_thread_create(&t[i], writer, &number[i], "writer"), 0);
	}
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(port_thread_create(&t[WRITERS + i], reader, NULL, "reader"), 0);
	assert_int_equal(port_thread_create(&t[WRITERS + READERS], maker, NULL, "maker"), 0);
	assert_int_equal(port_posix_blk_create(copy_path, 32u << 20, &dev), 0);
	assert_int_equal(dbfs_kv_copy(db, dev), 0);
	for (unsigned i = 0; i < WRITERS + READERS + 1; i++)
		port_thread_join(&t[i]);
	assert_int_equal(dbfs_kv_run(db, &opts, check_sum, NULL), 0);
	/* Another process is refused while this one has it; so is the same one. */
	assert_int_equal(port_posix_blk_open(path, 0, &dev), 0);
	struct dbfs *second;
	assert_int_equal(dbfs_open(dev, &quick, &second), -DBFS_EBUSY);
	dev->ops->close(dev);
	assert_int_equal(dbfs_close(db), 0);
	assert_int_equal(port_posix_blk_open(copy_path, 0, &dev), 0);
	assert_int_equal(dbfs_open(dev, &quick, &db), 0);
	assert_int_equal(dbfs_kv_run(db, &opts, check_sum, NULL), 0);
	assert_int_equal(dbfs_close(db), 0);
	/* Cut short: an error, no volume. */
	assert_int_equal(truncate(copy_path, 1 << 20), 0);
	assert_int_equal(port_posix_blk_open(copy_path, 0, &dev), 0);
	assert_int_equal(dbfs_open(dev, &quick, &db), -DBFS_EFORMAT);
	dev->ops->close(dev);
	unlink(path);
	unlink(copy_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(sums_stay)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
