/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * What the engine benchmark asks of a store. One process drives one store through one workload (main.c); bench/engine.py
 * takes turns between stores. Every function ends the program with a message if the store fails.
 */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>

enum { KEY_BYTES = 24, VALUE_BYTES = 150 };

/* What a commit survives. */
enum loss {
	LOSS_NONE,    /* power failure: one flush at least */
	LOSS_POWER,   /* SIGKILL of the process: what is written is in the host's cache */
	LOSS_PROCESS, /* neither, until a flush in the background */
};

struct config {
	const char *dir;
	enum loss loss;
	bool fresh; /* make it; else it is there */
	size_t cache;
	unsigned threads;   /* at most, at the same time */
	uint64_t log_bytes; /* ours: size of the log, 0: default */
};

struct store {
	const char *name;
	bool (*has_loss)(enum loss loss);
	void (*open)(const struct config *c);
	void (*close)(void);
	/* A thread's own handle, where the store wants one. */
	void *(*thread_begin)(void);
	void (*thread_end)(void *t);
	/* One transaction each. */
	void (*put)(void *t, const void *key, const void *value);
	bool (*get)(void *t, const void *key, void *value);
	void (*put_many)(void *t, const uint8_t *keys, const uint8_t *values, unsigned n);
	uint64_t (*scan)(void *t); /* all in order, copied; how many */
	/*
	 * Adds delta[i] to the 8-byte counter under keys[i], for n keys in that order, in one transaction that is
	 * repeated until it commits. Returns how often it had to start again. NULL: not asked of this store.
	 */
	unsigned (*add)(void *t, const uint8_t *keys, const int64_t *delta, unsigned n);
};

extern const struct store store_dbfs;
extern const struct store store_lmdb;
extern const struct store store_sqlite;
extern const struct store store_rocksdb;
extern const struct store store_bdb;

/* dbfs only: time, in seconds, of opening the store after a crash; *commits: how many came back. */
double dbfs_recovery_time(const struct config *c, uint64_t *commits);
/* dbfs only: one value of any size in a transaction of its own; and all commits durable. */
void dbfs_put_sized(const void *key, const void *value, size_t len);
void dbfs_sync_all(void);

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);
/* dir/name, in a static buffer of the calling thread. */
const char *path_in(const char *dir, const char *name);

#endif
