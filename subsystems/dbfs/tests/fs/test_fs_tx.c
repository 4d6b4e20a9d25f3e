/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Transactions side by side on the file system: what conflicts, what must not, and what readers see.
 * Optimistic ones, so that one thread can hold several.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vol.h"

#define ROOT DBFS_ROOT_INO

static struct dbfs_tx *begin(struct vol *v)
{
	const struct dbfs_tx_opts opts = {DBFS_TX_OPTIMISTIC, DBFS_NOSYNC, 0};
	struct dbfs_tx *tx;

	OK(dbfs_tx_begin(vol_db(v), &opts, &tx));
	return tx;
}

/* Commits a, then b, which must answer want. */
static void commit_both(struct dbfs_tx *a, struct dbfs_tx *b, int want)
{
	int got;

	t_commit(a);
	got = dbfs_tx_commit(b);
	if (got != -want)
		t_ok(got == 0 ? -DBFS_T_NO_ERROR : got, "the second commit", __FILE__, __LINE__);
}

static int ignore(void *arg, const struct dbfs_dirent *e)
{
	(void)arg;
	return e->cookie == 0;
}

static void one_name_conflicts(void **state)
{
	struct vol *v = vol_create(512, 1);
	struct dbfs_tx *a = begin(v);
	struct dbfs_tx *b = begin(v);

	(void)state;
	t_mkfile(a, ROOT, "name");
	t_mkfile(b, ROOT, "name");
	commit_both(a, b, DBFS_ECONFLICT);
	vol_destroy(v);
}

/* Different names in one directory: its times and counts are deltas, so both commit. */
static void two_names_do_not(void **state)
{
	struct vol *v = vol_create(512, 2);
	struct dbfs_tx *a = begin(v);
	struct dbfs_tx *b = begin(v);

	(void)state;
	t_mkdir(a, ROOT, "one");
	t_mkdir(b, ROOT, "two");
	assert_int_equal(t_attr(a, ROOT).nlink, 3);
	commit_both(a, b, 0);
	a = t_begin_ro(v);
	assert_int_equal(t_attr(a, ROOT).nlink, 4);
	dbfs_tx_rollback(a);
	vol_destroy(v);
}

/* Who did not find a name conflicts with who made it; the same with a listing and an emptiness. */
static void phantoms(void **state)
{
	struct vol *v = vol_create(512, 3);
	struct dbfs_tx *a = begin(v);
	struct dbfs_tx *b = begin(v);
	struct dbfs_ino d;

	(void)state;
	t_mkfile(a, ROOT, "name");
	assert_int_equal(t_lookup(b, ROOT, "name").n, 0);
	t_mkfile(b, ROOT, "other");
	commit_both(a, b, DBFS_ECONFLICT);

	a = begin(v);
	b = begin(v);
	t_mkfile(a, ROOT, "listed");
	OK(dbfs_readdir(b, ROOT, 0, ignore, NULL));
	t_mkfile(b, ROOT, "third");
	commit_both(a, b, DBFS_ECONFLICT);

	a = begin(v);
	d = t_mkdir(a, ROOT, "dir");
	t_commit(a);
	a = begin(v);
	b = begin(v);
	t_mkfile(a, d, "inside");
	OK(dbfs_rmdir(b, ROOT, t_name("dir"), NULL));
	commit_both(a, b, DBFS_ECONFLICT);
	a = begin(v);
	b = begin(v);
	OK(dbfs_unlink(a, d, t_name("inside"), NULL));
	OK(dbfs_rmdir(a, ROOT, t_name("dir"), NULL));
	t_mkfile(b, d, "more");
	commit_both(a, b, DBFS_ECONFLICT);
	vol_destroy(v);
}

/* a into b and b into a: each alone is fine, together they would close a cycle. */
static void moves_cannot_close_a_cycle(void **state)
{
	struct vol *v = vol_create(512, 4);
	struct dbfs_tx *a = begin(v);
	struct dbfs_tx *b;
	struct dbfs_ino x = t_mkdir(a, ROOT, "x");
	struct dbfs_ino y = t_mkdir(a, ROOT, "y");

	(void)state;
	t_commit(a);
	a = begin(v);
	b = begin(v);
	OK(dbfs_rename(a, ROOT, t_name("x"), y, t_name("x"), 0));
	OK(dbfs_rename(b, ROOT, t_name("y"), x, t_name("y"), 0));
	commit_both(a, b, DBFS_ECONFLICT);
	vol_destroy(v);
}

static void files(void **state)
{
	struct vol *v = vol_create(512, 5);
	static uint8_t data[20000];
	struct dbfs_tx *a = begin(v);
	struct dbfs_tx *b;
	struct dbfs_ino f = t_mkfile(a, ROOT, "f");
	struct dbfs_ino g = t_mkfile(a, ROOT, "g");
	size_t done;

	(void)state;
	t_commit(a);
	a = begin(v);
	b = begin(v);
	t_write(a, f, 0, data, sizeof(data));
	t_write(b, g, 0, data, sizeof(data));
	commit_both(a, b, 0); /* different files */
	a = begin(v);
	b = begin(v);
	t_write(a, f, 0, data, 10);
	OK(dbfs_read(b, f, 0, data, sizeof(data), &done));
	t_write(b, g, 0, data, 10);
	commit_both(a, b, DBFS_ECONFLICT); /* what b read has changed */
	vol_destroy(v);
}

/* A reader sees one state, however much is committed, and never waits. */
static void snapshots(void **state)
{
	struct vol *v = vol_create(512, 6);
	struct dbfs_tx *a = begin(v);
	struct dbfs_ino f = t_mkfile(a, ROOT, "f");
	struct dbfs_tx *r;
	char buf[8];
	size_t done;

	(void)state;
	t_write(a, f, 0, "old", 3);
	t_commit(a);
	r = t_begin_ro(v);
	a = t_begin(v);
	t_write(a, f, 0, "new", 3);
	t_mkfile(a, ROOT, "added");
	t_commit(a);
	OK(dbfs_checkpoint(vol_db(v)));
	a = t_begin(v);
	OK(dbfs_unlink(a, ROOT, t_name("f"), NULL));
	t_commit(a);
	OK(dbfs_read(r, f, 0, buf, sizeof(buf), &done));
	assert_int_equal(done, 3);
	assert_memory_equal(buf, "old", 3);
	assert_int_equal(t_lookup(r, ROOT, "added").n, 0);
	dbfs_tx_rollback(r);
	vol_destroy(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_name_conflicts),
		cmocka_unit_test(two_names_do_not),
		cmocka_unit_test(phantoms),
		cmocka_unit_test(moves_cannot_close_a_cycle),
		cmocka_unit_test(files),
		cmocka_unit_test(snapshots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
