/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * A volume with a file system for tests, on the fake engine (vol_fake.c) or on the real one over the
 * simulated disk (vol_sim.c). Everything ends the test when it fails.
 */
#ifndef DBFS_TESTS_VOL_H
#define DBFS_TESTS_VOL_H

#include "dbfs/fs.h"

struct vol;

/* About blocks blocks of space, a file system made and mounted. */
struct vol *vol_create(uint64_t blocks, uint64_t seed);
struct dbfs *vol_db(struct vol *v);
/* Closes and opens it again (everything committed is there), mounts. */
void vol_remount(struct vol *v);
/* Nothing broken, nothing leaked. The volume must be idle. */
void vol_check(struct vol *v);
void vol_destroy(struct vol *v);
/* The nth thing from now on that can fail for want of memory does; 0: none any more. */
void vol_fail(struct vol *v, unsigned nth);
/* Did it, since vol_fail? Ends it. */
bool vol_failed(struct vol *v);

/* Printed when a test ends in failure: the seed and the step. */
extern char t_context[160];

/* --- Short forms for tests ----------------------------------------------------------------- */

struct dbfs_tx *t_begin(struct vol *v);
struct dbfs_tx *t_begin_ro(struct vol *v);
void t_commit(struct dbfs_tx *tx);
struct dbfs_name t_name(const char *s);
struct dbfs_ino t_mkfile(struct dbfs_tx *tx, struct dbfs_ino dir, const char *name);
struct dbfs_ino t_mkdir(struct dbfs_tx *tx, struct dbfs_ino dir, const char *name);
/* 0 if it is not there. */
struct dbfs_ino t_lookup(struct dbfs_tx *tx, struct dbfs_ino dir, const char *name);
struct dbfs_attr t_attr(struct dbfs_tx *tx, struct dbfs_ino ino);
void t_write(struct dbfs_tx *tx, struct dbfs_ino ino, uint64_t off, const void *p, size_t len);
/* Ends the test, with place and error, unless err is 0. */
void t_ok(int err, const char *what, const char *file, int line);
NORETURN void t_fail(const char *what, const char *file, int line);
enum { DBFS_T_NO_ERROR = 100000 };
#define OK(x) t_ok(x, #x, __FILE__, __LINE__)
#define CHECK(x) ((x) ? (void)0 : t_fail("not true: " #x, __FILE__, __LINE__))
#define GIVES(err, x)                                                                      \
	do {                                                                               \
		int got_ = (x);                                                            \
		if (got_ != -(err))                                                        \
			t_ok(got_ == 0 ? -DBFS_T_NO_ERROR : got_, #x, __FILE__, __LINE__); \
	} while (0)

#endif
