/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* SQLite in WAL mode: synchronous FULL where commits are durable, else OFF. A connection a thread. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

struct conn {
	sqlite3 *db;
	sqlite3_stmt *begin;
	sqlite3_stmt *commit;
	sqlite3_stmt *put;
	sqlite3_stmt *get;
	sqlite3_stmt *scan;
};

static struct config config;
static char path[4096];

static bool has_loss(enum loss loss)
{
	return loss != LOSS_PROCESS;
}

static void run(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		die("sqlite: %s: %s", sql, sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		die("sqlite: %s: %s", sql, sqlite3_errmsg(db));
	return s;
}

static void *thread_begin(void)
{
	struct conn *c = calloc(1, sizeof(*c));
	char sql[64];

	if (!c || sqlite3_open(path, &c->db) != SQLITE_OK)
		die("sqlite: open");
	sqlite3_busy_timeout(c->db, 600000);
	run(c->db, "PRAGMA journal_mode=WAL");
	run(c->db, config.loss == LOSS_NONE ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=OFF");
	snprintf(sql, sizeof(sql), "PRAGMA cache_size=-%zu", config.cache / 1024 / config.threads);
	run(c->db, sql);
	c->begin = prepare(c->db, "BEGIN IMMEDIATE");
	c->commit = prepare(c->db, "COMMIT");
	c->put = prepare(c->db, "INSERT OR REPLACE INTO kv VALUES(?,?)");
	c->get = prepare(c->db, "SELECT v FROM kv WHERE k=?");
	c->scan = prepare(c->db, "SELECT v FROM kv ORDER BY k");
	return c;
}

static void thread_end(void *t)
{
	struct conn *c = t;

	sqlite3_finalize(c->begin);
	sqlite3_finalize(c->commit);
	sqlite3_finalize(c->put);
	sqlite3_finalize(c->get);
	sqlite3_finalize(c->scan);
	sqlite3_close(c->db);
	free(c);
}

static void open_store(const struct config *c)
{
	sqlite3 *db;

	config = *c;
	snprintf(path, sizeof(path), "%s/db", c->dir);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		die("sqlite: open");
	run(db, "PRAGMA journal_mode=WAL");
	run(db, "CREATE TABLE IF NOT EXISTS kv(k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID");
	sqlite3_close(db);
}

static void close_store(void)
{
}

static void step(struct conn *c, sqlite3_stmt *s)
{
	if (sqlite3_step(s) != SQLITE_DONE)
		die("sqlite: %s", sqlite3_errmsg(c->db));
	sqlite3_reset(s);
}

static void put_many(void *t, const uint8_t *keys, const uint8_t *values, unsigned n)
{
	struct conn *c = t;

	step(c, c->begin);
	for (unsigned i = 0; i < n; i++) {
		sqlite3_bind_blob(c->put, 1, keys + (size_t)i * KEY_BYTES, KEY_BYTES,
				  SQLITE_STATIC);
		sqlite3_bind_blob(c->put, 2, values + (size_t)i * VALUE_BYTES, VALUE_BYTES,
				  SQLITE_STATIC);
		step(c, c->put);
	}
	step(c, c->commit);
}

static void put(void *t, const void *key, const void *value)
{
	put_many(t, key, value, 1);
}

static bool get(void *t, const void *key, void *value)
{
	struct conn *c = t;
	bool found;

	sqlite3_bind_blob(c->get, 1, key, KEY_BYTES, SQLITE_STATIC);
	found = sqlite3_step(c->get) == SQLITE_ROW;
	if (found)
		memcpy(value, sqlite3_column_blob(c->get, 0), VALUE_BYTES);
	sqlite3_reset(c->get);
	return found;
}

static uint64_t scan(void *t)
{
	uint8_t copy[VALUE_BYTES];
	struct conn *c = t;
	uint64_t n = 0;

	while (sqlite3_step(c->scan) == SQLITE_ROW) {
		memcpy(copy, sqlite3_column_blob(c->scan, 0), sizeof(copy));
		n++;
	}
	sqlite3_reset(c->scan);
	return n;
}

const struct store store_sqlite = {
	.name = "sqlite",
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
