/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * A trivial engine behind the same face as the real one (txn/txn.h): a sorted array in memory with an
 * undo log. One transaction at a time. It stops the program on what the real engine may not notice
 * at once: blocks freed twice, blocks freed that were never given, reading what was freed.
 */
#ifndef DBFS_TESTS_FAKE_TXN_H
#define DBFS_TESTS_FAKE_TXN_H

#include "dbfs/dbfs.h"

struct dbfs *fake_create(uint64_t blocks);
void fake_destroy(struct dbfs *db);
/* As a crash and a new start: holds are forgotten. No transaction runs. */
void fake_remount(struct dbfs *db);
/* The nth operation on the engine from now on that can fail does so with err; 0: none. */
void fake_fail(struct dbfs *db, unsigned nth, int err);
/* Did it? */
bool fake_failed(const struct dbfs *db);
uint64_t fake_used_blocks(const struct dbfs *db);
/* Number of keys in a bucket. */
size_t fake_count(const struct dbfs *db, uint32_t bucket);

#endif
