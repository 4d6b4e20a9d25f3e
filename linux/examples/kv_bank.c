/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* kv_bank IMAGE: four threads move money between ten accounts; what there is in all stays the same. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "dbfs/kv.h"
#include "lib/kvfile.h"

enum { ACCOUNTS = 10, THREADS = 4, TRANSFERS = 500 };

static struct dbfs *db;

static int get(struct dbfs_kv_bucket *b, int account, long *amount)
{
	struct dbfs_kv_bytes key = {&account, sizeof(account)};
	uint64_t len;

	return dbfs_kv_get(b, key, amount, sizeof(*amount), &len);
}

static int put(struct dbfs_kv_bucket *b, int account, long amount)
{
	struct dbfs_kv_bytes key = {&account, sizeof(account)};

	return dbfs_kv_put(b, key, (struct dbfs_kv_bytes){&amount, sizeof(amount)});
}

static int open_accounts(struct dbfs_kv_tx *tx, void *arg)
{
	struct dbfs_kv_bucket b;
	int err = dbfs_kv_root(tx, &b);

	(void)arg;
	for (int i = 0; i < ACCOUNTS && !err; i++)
		err = put(&b, i, 100);
	return err;
}

static int transfer(struct dbfs_kv_tx *tx, void *arg)
{
	int *accounts = arg;
	struct dbfs_kv_bucket b;
	long amount;
	int err = dbfs_kv_root(tx, &b);

	if (!err)
		err = get(&b, accounts[0], &amount);
	if (!err)
		err = put(&b, accounts[0], amount - 1);
	if (!err)
		err = get(&b, accounts[1], &amount);
	return err ? err : put(&b, accounts[1], amount + 1);
}

static void *teller(void *arg)
{
	/* Optimistic: nothing waits; who read what another changed runs again. */
	struct dbfs_tx_opts opts = {DBFS_TX_OPTIMISTIC, DBFS_NOSYNC, 0};
	unsigned seed = *(unsigned *)arg;

	for (int i = 0; i < TRANSFERS; i++) {
		int accounts[2] = {rand_r(&seed) % ACCOUNTS, rand_r(&seed) % ACCOUNTS};
		int err = dbfs_kv_run(db, &opts, transfer, accounts);

		if (err) {
			fprintf(stderr, "kv_bank: transfer: %s\n", dbfs_strerror(err));
			exit(1);
		}
	}
	return NULL;
}

static int add_up(struct dbfs_kv_tx *tx, void *arg)
{
	long *sum = arg;
	struct dbfs_kv_bucket b;
	int err = dbfs_kv_root(tx, &b);

	*sum = 0;
	for (int i = 0; i < ACCOUNTS && !err; i++) {
		long amount = 0;

		err = get(&b, i, &amount);
		*sum += amount;
	}
	return err;
}

int main(int argc, char **argv)
{
	struct dbfs_tx_opts write = {DBFS_TX_LOCKING, DBFS_SYNC, 0};
	struct dbfs_tx_opts read = {DBFS_TX_READ_ONLY, DBFS_SYNC, 0};
	pthread_t t[THREADS];
	unsigned seeds[THREADS];
	long sum = 0;
	int close_err;
	int err;

	if (argc != 2) {
		fprintf(stderr, "usage: kv_bank IMAGE\n");
		return 2;
	}
	err = dbfs_kv_file_open(argv[1], 16 << 20, NULL, &db);
	if (err) {
		fprintf(stderr, "kv_bank: %s: %s\n", argv[1], dbfs_strerror(err));
		return 1;
	}
	err = dbfs_kv_run(db, &write, open_accounts, NULL);
	for (unsigned i = 0; i < THREADS && !err; i++) {
		seeds[i] = i + 1;
		pthread_create(&t[i], NULL, teller, &seeds[i]);
	}
	for (unsigned i = 0; i < THREADS && !err; i++)
		pthread_join(t[i], NULL);
	if (!err)
		err = dbfs_kv_run(db, &read, add_up, &sum); /* durable too, being DBFS_SYNC */
	close_err = dbfs_close(db);
	if (!err)
		err = close_err;
	if (err)
		fprintf(stderr, "kv_bank: %s\n", dbfs_strerror(err));
	else
		printf("%ld in %d accounts after %d transfers\n", sum, ACCOUNTS,
		       THREADS * TRANSFERS);
	return err != 0 || sum != 100L * ACCOUNTS;
}
