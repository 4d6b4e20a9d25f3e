/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* kv_hello IMAGE: puts three keys in one durable transaction and lists them from a snapshot. */
#include <stdio.h>
#include <string.h>

#include "dbfs/kv.h"
#include "lib/kvfile.h"

static struct dbfs_kv_bytes str(const char *s)
{
	return (struct dbfs_kv_bytes){s, strlen(s)};
}

/* Runs again by itself if it conflicts with another transaction. */
static int greet(struct dbfs_kv_tx *tx, void *arg)
{
	struct dbfs_kv_bucket root;
	int err = dbfs_kv_root(tx, &root);

	(void)arg;
	if (!err)
		err = dbfs_kv_put(&root, str("de"), str("Guten Tag"));
	if (!err)
		err = dbfs_kv_put(&root, str("en"), str("Good day"));
	if (!err)
		err = dbfs_kv_put(&root, str("la"), str("Salve"));
	return err;
}

static int list(struct dbfs_kv_tx *tx, void *arg)
{
	struct dbfs_kv_bucket root;
	struct dbfs_kv_cursor c;
	struct dbfs_kv_bytes k;
	struct dbfs_kv_bytes v;
	int err = dbfs_kv_root(tx, &root);

	(void)arg;
	if (!err)
		err = dbfs_kv_cursor_open(&root, NULL, &c);
	while (!err && !(err = dbfs_kv_cursor_next(&c))) {
		err = dbfs_kv_cursor_key(&c, &k);
		if (!err)
			err = dbfs_kv_cursor_value(&c, &v);
		if (!err)
			printf("%.*s: %.*s\n", (int)k.len, (const char *)k.p, (int)v.len,
			       (const char *)v.p);
	}
	return err == -DBFS_ENOENT ? 0 : err; /* the end of the bucket */
}

int main(int argc, char **argv)
{
	struct dbfs_tx_opts write = {DBFS_TX_LOCKING, DBFS_SYNC, 0};
	struct dbfs_tx_opts read = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};
	struct dbfs *db;
	int close_err;
	int err;

	if (argc != 2) {
		fprintf(stderr, "usage: kv_hello IMAGE\n");
		return 2;
	}
	err = dbfs_kv_file_open(argv[1], 16 << 20, NULL, &db);
	if (!err) {
		err = dbfs_kv_run(db, &write, greet, NULL);
		if (!err)
			err = dbfs_kv_run(db, &read, list, NULL);
		close_err = dbfs_close(db);
		if (!err)
			err = close_err;
	}
	if (err)
		fprintf(stderr, "kv_hello: %s: %s\n", argv[1], dbfs_strerror(err));
	return err != 0;
}
