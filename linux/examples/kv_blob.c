/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * kv_blob IMAGE put NAME <FILE | get NAME >FILE | list | backup FILE | compact: large values in a bucket, piece by piece.
 */
#include <stdio.h>
#include <string.h>

#include "dbfs/kv.h"
#include "lib/kvfile.h"

static const struct dbfs_kv_bytes bucket_name = {"blobs", 5};

static int open_blobs(struct dbfs_kv_tx *tx, struct dbfs_kv_bucket *b, bool make)
{
	struct dbfs_kv_bucket root;
	int err = dbfs_kv_root(tx, &root);

	if (!err)
		err = dbfs_kv_bucket_open(&root, bucket_name, b);
	if (err == -DBFS_ENOENT && make)
		err = dbfs_kv_bucket_create(&root, bucket_name, b);
	return err;
}

static int put(struct dbfs_kv_tx *tx, struct dbfs_kv_bytes name)
{
	static char piece[65536];
	struct dbfs_kv_stream s;
	struct dbfs_kv_bucket b;
	size_t n;
	int err = open_blobs(tx, &b, true);

	if (!err)
		err = dbfs_kv_stream_create(&b, name, &s);
	if (err)
		return err;
	while (!err && (n = fread(piece, 1, sizeof(piece), stdin)) > 0)
		err = dbfs_kv_stream_write(&s, piece, n);
	if (!err && ferror(stdin))
		err = -DBFS_EIO;
	if (err)
		dbfs_kv_stream_close(&s); /* the old value stays */
	else
		err = dbfs_kv_stream_end(&s);
	return err;
}

static int get(struct dbfs_kv_tx *tx, struct dbfs_kv_bytes name)
{
	static char piece[65536];
	struct dbfs_kv_stream s;
	struct dbfs_kv_bucket b;
	size_t n = 1;
	int err = open_blobs(tx, &b, false);

	if (!err)
		err = dbfs_kv_stream_open(&b, name, &s);
	if (err)
		return err;
	for (uint64_t at = 0; !err && n > 0; at += n) {
		err = dbfs_kv_stream_read(&s, at, piece, sizeof(piece), &n);
		if (!err && fwrite(piece, 1, n, stdout) != n)
			err = -DBFS_EIO;
	}
	dbfs_kv_stream_close(&s);
	return err;
}

static int list(struct dbfs_kv_tx *tx)
{
	struct dbfs_kv_bucket b;
	struct dbfs_kv_cursor c;
	struct dbfs_kv_bytes k;
	uint64_t size;
	int err = open_blobs(tx, &b, false);

	if (!err)
		err = dbfs_kv_cursor_open(&b, NULL, &c);
	while (!err && !(err = dbfs_kv_cursor_next(&c))) {
		err = dbfs_kv_cursor_key(&c, &k);
		if (!err)
			err = dbfs_kv_cursor_size(&c, &size);
		if (!err)
			printf("%12llu %.*s\n", (unsigned long long)size, (int)k.len,
			       (const char *)k.p);
	}
	return err == -DBFS_ENOENT ? 0 : err;
}

static int run(struct dbfs *db, const char *what, const char *arg)
{
	bool writes = strcmp(what, "put") == 0;
	struct dbfs_tx_opts opts = {writes ? DBFS_TX_LOCKING : DBFS_TX_READ_ONLY, DBFS_SYNC, 0};
	struct dbfs_kv_bytes name = {arg, strlen(arg)};
	struct dbfs_kv_tx tx;
	int err;

	if (strcmp(what, "backup") == 0)
		return dbfs_kv_file_copy(db, arg);
	/* Not dbfs_kv_run: standard input and output cannot be repeated. */
	err = dbfs_kv_begin(db, &opts, &tx);
	if (err)
		return err;
	if (writes)
		err = put(&tx, name);
	else
		err = strcmp(what, "get") == 0 ? get(&tx, name) : list(&tx);
	if (!err)
		return dbfs_kv_commit(&tx);
	dbfs_kv_rollback(&tx);
	return err;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";
	bool one = strcmp(what, "list") == 0 || strcmp(what, "compact") == 0;
	bool two =
		strcmp(what, "put") == 0 || strcmp(what, "get") == 0 || strcmp(what, "backup") == 0;
	uint64_t before;
	uint64_t after;
	struct dbfs *db;
	int close_err;
	int err;

	if (!(argc == 3 && one) && !(argc == 4 && two)) {
		fprintf(stderr, "usage: kv_blob IMAGE put NAME | get NAME | list | backup FILE | "
				"compact\n");
		return 2;
	}
	if (strcmp(what, "compact") == 0) {
		err = dbfs_kv_file_compact(argv[1], &before, &after);
		if (!err)
			printf("%llu -> %llu bytes\n", (unsigned long long)before,
			       (unsigned long long)after);
	} else {
		err = dbfs_kv_file_open(argv[1], two ? 256 << 20 : 0, NULL, &db);
		if (!err) {
			err = run(db, what, argc > 3 ? argv[3] : "");
			close_err = dbfs_close(db);
			if (!err)
				err = close_err;
		}
	}
	if (err)
		fprintf(stderr, "kv_blob: %s: %s\n", argv[1], dbfs_strerror(err));
	return err != 0;
}
