/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* RocksDB by its C interface: no compression (values do not compress), a block cache of the common size. */
#include <rocksdb/c.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

static rocksdb_t *db;
static rocksdb_writeoptions_t *write_opts;
static rocksdb_readoptions_t *read_opts;

static void check(char *err, const char *what)
{
	if (err)
		die("rocksdb: %s: %s", what, err);
}

static bool has_loss(enum loss loss)
{
	(void)loss;
	return true;
}

static void open_store(const struct config *c)
{
	rocksdb_options_t *o = rocksdb_options_create();
	rocksdb_block_based_table_options_t *b = rocksdb_block_based_options_create();
	char *err = NULL;

	rocksdb_options_set_create_if_missing(o, 1);
	rocksdb_options_set_compression(o, rocksdb_no_compression);
	rocksdb_options_increase_parallelism(o, 2);
	if (c->loss == LOSS_PROCESS)
		rocksdb_options_set_manual_wal_flush(o, 1);
	rocksdb_block_based_options_set_block_cache(b, rocksdb_cache_create_lru(c->cache));
	rocksdb_options_set_block_based_table_factory(o, b);
	db = rocksdb_open(o, c->dir, &err);
	check(err, "open");
	write_opts = rocksdb_writeoptions_create();
	rocksdb_writeoptions_set_sync(write_opts, c->loss == LOSS_NONE);
	read_opts = rocksdb_readoptions_create();
}

static void close_store(void)
{
	rocksdb_close(db);
}

static void *thread_begin(void)
{
	return NULL;
}

static void thread_end(void *t)
{
	(void)t;
}

static void put(void *t, const void *key, const void *value)
{
	char *err = NULL;

	(void)t;
	rocksdb_put(db, write_opts, key, KEY_BYTES, value, VALUE_BYTES, &err);
	check(err, "put");
}

static void put_many(void *t, const uint8_t *keys, const uint8_t *values, unsigned n)
{
	rocksdb_writebatch_t *b = rocksdb_writebatch_create();
	char *err = NULL;

	(void)t;
	for (unsigned i = 0; i < n; i++)
		rocksdb_writebatch_put(b, (const char *)keys + (size_t)i * KEY_BYTES, KEY_BYTES,
				       (const char *)values + (size_t)i * VALUE_BYTES, VALUE_BYTES);
	rocksdb_write(db, write_opts, b, &err);
	check(err, "write");
	rocksdb_writebatch_destroy(b);
}

static bool get(void *t, const void *key, void *value)
{
	rocksdb_pinnableslice_t *v;
	char *err = NULL;
	const char *p;
	size_t len;

	(void)t;
	v = rocksdb_get_pinned(db, read_opts, key, KEY_BYTES, &err);
	check(err, "get");
	if (!v)
		return false;
	p = rocksdb_pinnableslice_value(v, &len);
	memcpy(value, p, len < VALUE_BYTES ? len : VALUE_BYTES);
	rocksdb_pinnableslice_destroy(v);
	return true;
}

static uint64_t scan(void *t)
{
	rocksdb_iterator_t *it = rocksdb_create_iterator(db, read_opts);
	uint8_t copy[VALUE_BYTES];
	uint64_t n = 0;

	(void)t;
	for (rocksdb_iter_seek_to_first(it); rocksdb_iter_valid(it); rocksdb_iter_next(it)) {
		size_t len;
		const char *p = rocksdb_iter_value(it, &len);

		memcpy(copy, p, len < sizeof(copy) ? len : sizeof(copy));
		n++;
	}
	rocksdb_iter_destroy(it);
	return n;
}

const struct store store_rocksdb = {
	.name = "rocksdb",
	.has_loss = has_loss,
	.open = open_store,
	.close = close_store,
	.thread_begin = thread_begin,
	.thread_end = thread_end,
	.put = put,
	.get = get,
	.put_many = put_many,
	.scan = scan,
};
