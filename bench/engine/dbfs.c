/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* DBFS through its key-value face, in the root bucket. */
#include <string.h>
#include <time.h>

#include "dbfs/kv.h"
#include "engine.h"
#include "port/posix.h"

static struct dbfs *db;
static struct dbfs_tx_opts write_opts;
static const struct dbfs_tx_opts read_opts = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};

static void check(int err, const char *what)
{
	if (err)
		die("dbfs: %s: %s", what, dbfs_strerror(err));
}

static bool has_loss(enum loss loss)
{
	return loss == LOSS_NONE || loss == LOSS_PROCESS;
}

static struct dbfs_open_opts options(const struct config *c)
{
	struct dbfs_open_opts opts = {.cache_bytes = c->cache};

	if (c->log_bytes) /* recovery: everything stays in the log */
		opts.mem_bytes = (size_t)4 << 30;
	return opts;
}

static void open_store(const struct config *c)
{
	const char *path = path_in(c->dir, "image");
	struct dbfs_format_opts fmt = {.log_bytes = c->log_bytes};
	struct dbfs_open_opts opts = options(c);
	struct port_blk *dev;

	write_opts = (struct dbfs_tx_opts){DBFS_TX_LOCKING,
					   c->loss == LOSS_NONE ? DBFS_SYNC : DBFS_NOSYNC, 0};
	if (c->fresh) {
		check(port_posix_blk_create(path, (uint64_t)8 << 30, &dev), "create");
		check(dbfs_format(dev, &fmt), "format");
	} else {
		check(port_posix_blk_open(path, 0, &dev), "open file");
	}
	check(dbfs_open(dev, &opts, &db), "open");
}

static void close_store(void)
{
	check(dbfs_close(db), "close");
}

static void *thread_begin(void)
{
	return NULL;
}

static void thread_end(void *t)
{
	(void)t;
}

static struct dbfs_kv_bytes key_of(const void *p)
{
	return (struct dbfs_kv_bytes){p, KEY_BYTES};
}

static void begin(const struct dbfs_tx_opts *opts, struct dbfs_kv_tx *tx, struct dbfs_kv_bucket *b)
{
	check(dbfs_kv_begin(db, opts, tx), "begin");
	check(dbfs_kv_root(tx, b), "root");
}

static void put_many(void *t, const uint8_t *keys, const uint8_t *values, unsigned n)
{
	struct dbfs_kv_bucket b;
	struct dbfs_kv_tx tx;

	(void)t;
	begin(&write_opts, &tx, &b);
	for (unsigned i = 0; i < n; i++)
		check(dbfs_kv_put(&b, key_of(keys + (size_t)i * KEY_BYTES),
				  (struct dbfs_kv_bytes){values + (size_t)i * VALUE_BYTES,
							 VALUE_BYTES}),
		      "put");
	check(dbfs_kv_commit(&tx), "commit");
}

static void put(void *t, const void *key, const void *value)
{
	put_many(t, key, value, 1);
}

static bool get(void *t, const void *key, void *value)
{
	struct dbfs_kv_bucket b;
	struct dbfs_kv_tx tx;
	uint64_t len;
	int err;

	(void)t;
	begin(&read_opts, &tx, &b);
	err = dbfs_kv_get(&b, key_of(key), value, VALUE_BYTES, &len);
	if (err != -DBFS_ENOENT)
		check(err, "get");
	check(dbfs_kv_commit(&tx), "end");
	return err == 0;
}

static uint64_t scan(void *t)
{
	uint8_t copy[VALUE_BYTES];
	struct dbfs_kv_cursor c;
	struct dbfs_kv_bucket b;
	struct dbfs_kv_bytes v;
	struct dbfs_kv_tx tx;
	uint64_t n = 0;
	int err;

	(void)t;
	begin(&read_opts, &tx, &b);
	check(dbfs_kv_cursor_open(&b, NULL, &c), "cursor");
	while (!(err = dbfs_kv_cursor_next(&c))) {
		check(dbfs_kv_cursor_value(&c, &v), "value");
		memcpy(copy, v.p, v.len < sizeof(copy) ? v.len : sizeof(copy));
		n++;
	}
	if (err != -DBFS_ENOENT)
		check(err, "next");
	check(dbfs_kv_commit(&tx), "end");
	return n;
}

struct add {
	const uint8_t *keys;
	const int64_t *delta;
	unsigned n;
	unsigned runs;
};

static int add_once(struct dbfs_kv_tx *tx, void *arg)
{
	struct add *a = arg;
	struct dbfs_kv_bucket b;
	int err = dbfs_kv_root(tx, &b);

	a->runs++;
	for (unsigned i = 0; i < a->n && !err; i++) {
		struct dbfs_kv_bytes key = key_of(a->keys + (size_t)i * KEY_BYTES);
		int64_t sum = 0;
		uint64_t len;

		err = dbfs_kv_get(&b, key, &sum, sizeof(sum), &len);
		if (err && err != -DBFS_ENOENT)
			break;
		sum += a->delta[i];
		err = dbfs_kv_put(&b, key, (struct dbfs_kv_bytes){&sum, sizeof(sum)});
	}
	return err;
}

static unsigned add(void *t, const uint8_t *keys, const int64_t *delta, unsigned n)
{
	struct add a = {keys, delta, n, 0};

	(void)t;
	check(dbfs_kv_run(db, &write_opts, add_once, &a), "run");
	return a.runs - 1;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

double dbfs_recovery_time(const struct config *c, uint64_t *commits)
{
	struct dbfs_open_opts opts = options(c);
	struct dbfs_stats st;
	struct port_blk *dev;
	double start;
	double end;

	check(port_posix_blk_open(path_in(c->dir, "image"), 0, &dev), "open file");
	start = now();
	check(dbfs_open(dev, &opts, &db), "recover");
	end = now();
	dbfs_get_stats(db, &st);
	*commits = st.replayed_commits;
	return end - start;
}

void dbfs_put_sized(const void *key, const void *value, size_t len)
{
	struct dbfs_kv_bucket b;
	struct dbfs_kv_tx tx;

	begin(&write_opts, &tx, &b);
	check(dbfs_kv_put(&b, key_of(key), (struct dbfs_kv_bytes){value, len}), "put");
	check(dbfs_kv_commit(&tx), "commit");
}

void dbfs_sync_all(void)
{
	check(dbfs_sync(db), "sync");
}

const struct store store_dbfs = {
	.name = "dbfs",
	.has_loss = has_loss,
	.open = open_store,
	.close = close_store,
	.thread_begin = thread_begin,
	.thread_end = thread_end,
	.put = put,
	.get = get,
	.put_many = put_many,
	.scan = scan,
	.add = add,
};
