/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Unit tests of the file system, on the fake engine and on the real one (see sources.mk). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dir/dirent.h"
#include "dir/siphash.h"
#include "vol.h"

#define BS DBFS_BLOCK_SIZE
#define ROOT DBFS_ROOT_INO

static void fill(uint8_t *p, size_t len, unsigned salt)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 31 + i / 251 + salt);
}

static void expect(struct dbfs_tx *tx, struct dbfs_ino ino, uint64_t off, const uint8_t *want,
		   size_t len)
{
	uint8_t *got = malloc(len + 1);
	size_t done;

	CHECK(got != NULL);
	OK(dbfs_read(tx, ino, off, got, len, &done));
	CHECK(done == len);
	CHECK(memcmp(got, want, len) == 0);
	free(got);
}

/* The vectors of the SipHash paper: key 00..0f, message 00..0e. */
static void siphash_vector(void **state)
{
	uint8_t key[16];
	uint8_t msg[15];

	(void)state;
	for (uint8_t i = 0; i < 16; i++)
		key[i] = i;
	memcpy(msg, key, 15);
	assert_int_equal(dbfs_siphash(key, msg, 15), 0xa129ca6149be45e5u);
	assert_int_equal(dbfs_siphash(key, msg, 0), 0x726fdb47dd0e0e31u);
}

static void create_and_lookup(void **state)
{
	struct vol *v = vol_create(256, 1);
	struct dbfs_tx *tx = t_begin(v);
	struct dbfs_ino d = t_mkdir(tx, ROOT, "dir");
	struct dbfs_ino f = t_mkfile(tx, d, "file");
	struct dbfs_new what = {.mode = DBFS_S_IFREG};
	struct dbfs_ino p;
	char longest[257];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(t_lookup(tx, ROOT, "dir").n, d.n);
	assert_int_equal(t_lookup(tx, d, "file").n, f.n);
	assert_int_equal(t_lookup(tx, d, "other").n, 0);
	GIVES(DBFS_ENOTDIR, dbfs_lookup(tx, f, t_name("x"), &p));
	GIVES(DBFS_ENOENT, dbfs_lookup(tx, (struct dbfs_ino){999}, t_name("x"), &p));
	GIVES(DBFS_EEXIST, dbfs_create(tx, d, t_name("file"), &what, &p));
	GIVES(DBFS_EINVAL, dbfs_create(tx, d, t_name(".."), &what, &p));
	GIVES(DBFS_EINVAL, dbfs_create(tx, d, t_name("."), &what, &p));
	GIVES(DBFS_EINVAL, dbfs_create(tx, d, t_name(""), &what, &p));
	GIVES(DBFS_EINVAL, dbfs_create(tx, d, t_name("a/b"), &what, &p));
	OK(dbfs_create(tx, d, (struct dbfs_name){longest, 255}, &what, &p));
	GIVES(DBFS_ENAMETOOLONG, dbfs_create(tx, d, (struct dbfs_name){longest, 256}, &what, &p));
	what.mode = 0;
	GIVES(DBFS_EINVAL, dbfs_create(tx, d, t_name("typeless"), &what, &p));
	OK(dbfs_parent(tx, d, &p));
	assert_int_equal(p.n, ROOT.n);
	assert_int_equal(t_attr(tx, d).nlink, 2);
	assert_int_equal(t_attr(tx, ROOT).nlink, 3);
	t_commit(tx);
	vol_remount(v);
	tx = t_begin_ro(v);
	assert_int_equal(t_lookup(tx, t_lookup(tx, ROOT, "dir"), "file").n, f.n);
	GIVES(DBFS_EROFS,
	      dbfs_create(tx, d, t_name("new"), &(struct dbfs_new){.mode = DBFS_S_IFREG}, &p));
	dbfs_tx_rollback(tx);
	vol_check(v);
	vol_destroy(v);
}

static void rollback_undoes(void **state)
{
	struct vol *v = vol_create(256, 2);
	struct dbfs_tx *tx = t_begin(v);
	struct dbfs_savepoint sp;
	static uint8_t data[3 * BS];
	struct dbfs_ino f;

	(void)state;
	fill(data, sizeof(data), 1);
	f = t_mkfile(tx, ROOT, "kept");
	t_write(tx, f, 0, data, BS);
	sp = dbfs_tx_savepoint(tx);
	t_write(tx, f, BS / 2, data, sizeof(data));
	t_mkfile(tx, ROOT, "dropped");
	dbfs_tx_rollback_to(tx, sp);
	assert_int_equal(t_attr(tx, f).size, BS);
	expect(tx, f, 0, data, BS);
	assert_int_equal(t_lookup(tx, ROOT, "dropped").n, 0);
	t_commit(tx);
	tx = t_begin(v);
	OK(dbfs_unlink(tx, ROOT, t_name("kept"), NULL));
	dbfs_tx_rollback(tx);
	vol_check(v);
	vol_remount(v);
	tx = t_begin_ro(v);
	expect(tx, f, 0, data, BS);
	dbfs_tx_rollback(tx);
	vol_destroy(v);
}

static void inline_files(void **state)
{
	struct vol *v = vol_create(256, 3);
	struct dbfs_tx *tx = t_begin(v);
	struct dbfs_ino f = t_mkfile(tx, ROOT, "f");
	struct dbfs_attr a = {.size = 10};
	static uint8_t data[5000];
	uint8_t zeros[64] = {0};
	uint64_t at;
	size_t done;

	(void)state;
	fill(data, sizeof(data), 7);
	t_write(tx, f, 0, data, 1000);
	assert_int_equal(t_attr(tx, f).blocks, 2);
	expect(tx, f, 0, data, 1000);
	OK(dbfs_seek(tx, f, 5, true, &at));
	assert_int_equal(at, 1000);
	OK(dbfs_setattr(tx, f, DBFS_SET_SIZE, &a));
	a.size = 40;
	OK(dbfs_setattr(tx, f, DBFS_SET_SIZE, &a));
	expect(tx, f, 0, data, 10);
	expect(tx, f, 10, zeros, 30);
	OK(dbfs_fallocate(tx, f, DBFS_FALLOC_PUNCH_HOLE | DBFS_FALLOC_KEEP_SIZE, 0, 4));
	expect(tx, f, 0, zeros, 4);
	/* It outgrows the tree, by a write far away and by one that overlaps. */
	t_write(tx, f, 0, data, 1024);
	t_write(tx, f, 3 * BS, data, 100);
	expect(tx, f, 0, data, 1024);
	expect(tx, f, 1024, zeros, 64);
	expect(tx, f, 3 * BS, data, 100);
	assert_int_equal(t_attr(tx, f).blocks, 2 * 8);
	f = t_mkfile(tx, ROOT, "g");
	t_write(tx, f, 0, data, 500);
	t_write(tx, f, 400, data + 400, 4600);
	expect(tx, f, 0, data, 5000);
	OK(dbfs_read(tx, f, 4990, zeros, 64, &done));
	assert_int_equal(done, 10);
	OK(dbfs_read(tx, f, 5000, zeros, 64, &done));
	assert_int_equal(done, 0);
	a.size = 0;
	OK(dbfs_setattr(tx, f, DBFS_SET_SIZE, &a));
	assert_int_equal(t_attr(tx, f).blocks, 0);
	t_write(tx, f, 3, data, 5); /* inline again */
	assert_int_equal(t_attr(tx, f).blocks, 1);
	t_commit(tx);
	vol_check(v);
	vol_destroy(v);
}

static void sparse_and_truncate(void **state)
{
	struct vol *v = vol_create(2048, 4);
	struct dbfs_tx *tx = t_begin(v);
	struct dbfs_ino f = t_mkfile(tx, ROOT, "f");
	struct dbfs_attr a = {.size = (uint64_t)1 << 40};
	uint8_t *data = malloc(300 * BS);
	uint8_t *zeros = calloc(1, 2 * BS);
	uint64_t at;

	(void)state;
	CHECK(data != NULL && zeros != NULL);
	fill(data, 300 * BS, 9);
	OK(dbfs_setattr(tx, f, DBFS_SET_SIZE, &a));
	t_write(tx, f, ((uint64_t)1 << 39) + 17, data, 300 * BS);
	assert_int_equal(t_attr(tx, f).blocks, 301 * 8);
	expect(tx, f, ((uint64_t)1 << 39) + 17, data, 300 * BS);
	OK(dbfs_seek(tx, f, 0, false, &at));
	assert_int_equal(at, (uint64_t)1 << 39);
	OK(dbfs_seek(tx, f, at, true, &at));
	assert_int_equal(at, ((uint64_t)1 << 39) + 301 * BS);
	GIVES(DBFS_ENXIO, dbfs_seek(tx, f, at, false, &at));
	GIVES(DBFS_ENXIO, dbfs_seek(tx, f, (uint64_t)1 << 40, true, &at));
	GIVES(DBFS_EFBIG, dbfs_write(tx, f, DBFS_FILE_MAX, data, 1));
	a.size = DBFS_FILE_MAX + 1;
	GIVES(DBFS_EFBIG, dbfs_setattr(tx, f, DBFS_SET_SIZE, &a));
	/* Down into the middle of a block and up again: zeros, not what was there. */
	a.size = ((uint64_t)1 << 39) + 2 * BS + 100;
	OK(dbfs_setattr(tx, f, DBFS_SET_SIZE, &a));
	assert_int_equal(t_attr(tx, f).blocks, 3 * 8);
	a.size += 2 * BS;
	OK(dbfs_setattr(tx, f, DBFS_SET_SIZE, &a));
	expect(tx, f, ((uint64_t)1 << 39) + 2 * BS + 100, zeros, 2 * BS);
	expect(tx, f, ((uint64_t)1 << 39) + 2 * BS, data + 2 * BS - 17, 100);
	/* A hole in the middle: the extent splits. */
	OK(dbfs_fallocate(tx, f, DBFS_FALLOC_PUNCH_HOLE | DBFS_FALLOC_KEEP_SIZE,
			  ((uint64_t)1 << 39) + 100, 2 * BS - 200));
	expect(tx, f, ((uint64_t)1 << 39) + 17, data, 83);
	expect(tx, f, ((uint64_t)1 << 39) + 100, zeros, 2 * BS - 200);
	GIVES(DBFS_EOPNOTSUPP, dbfs_fallocate(tx, f, DBFS_FALLOC_PUNCH_HOLE, 0, 1));
	GIVES(DBFS_EOPNOTSUPP, dbfs_fallocate(tx, f, 4, 0, 1));
	GIVES(DBFS_EINVAL, dbfs_fallocate(tx, f, 0, 0, 0));
	OK(dbfs_unlink(tx, ROOT, t_name("f"), NULL));
	t_commit(tx);
	vol_check(v);
	vol_destroy(v);
	free(data);
	free(zeros);
}

/* Appends of one block: records stay short, contents right. */
static void appends(void **state)
{
	struct vol *v = vol_create(1024, 5);
	struct dbfs_tx *tx = t_begin(v);
	struct dbfs_ino f = t_mkfile(tx, ROOT, "f");
	uint8_t *data = malloc(100 * BS);

	(void)state;
	CHECK(data != NULL);
	fill(data, 100 * BS, 3);
	for (size_t i = 0; i < 60; i++)
		t_write(tx, f, i * BS, data + i * BS, BS);
	t_commit(tx);
	for (size_t at = 60 * BS; at < 100 * BS; at += 1500) {
		size_t n = MIN((size_t)1500, 100 * BS - at);

		tx = t_begin(v);
		t_write(tx, f, at, data + at, n);
		t_commit(tx);
	}
	tx = t_begin_ro(v);
	assert_int_equal(t_attr(tx, f).blocks, 100 * 8);
	expect(tx, f, 0, data, 100 * BS);
	expect(tx, f, 1, data + 1, 100 * BS - 1);
	dbfs_tx_rollback(tx);
	vol_check(v);
	vol_destroy(v);
	free(data);
}

static void links_and_removal(void **state)
{
	struct vol *v = vol_create(256, 6);
	struct dbfs_tx *tx = t_begin(v);
	struct dbfs_ino d = t_mkdir(tx, ROOT, "d");
	struct dbfs_ino f = t_mkfile(tx, d, "a");
	struct dbfs_statfs sf;
	struct dbfs_ino gone;
	struct dbfs_attr a;

	(void)state;
	OK(dbfs_link(tx, f, ROOT, t_name("b")));
	GIVES(DBFS_EEXIST, dbfs_link(tx, f, ROOT, t_name("b")));
	GIVES(DBFS_EPERM, dbfs_link(tx, d, ROOT, t_name("c")));
	assert_int_equal(t_attr(tx, f).nlink, 2);
	GIVES(DBFS_ENOTEMPTY, dbfs_rmdir(tx, ROOT, t_name("d"), NULL));
	GIVES(DBFS_EISDIR, dbfs_unlink(tx, ROOT, t_name("d"), NULL));
	GIVES(DBFS_ENOTDIR, dbfs_rmdir(tx, ROOT, t_name("b"), NULL));
	GIVES(DBFS_ENOENT, dbfs_unlink(tx, ROOT, t_name("none"), NULL));
	OK(dbfs_unlink(tx, d, t_name("a"), &gone));
	assert_int_equal(gone.n, f.n);
	assert_int_equal(t_attr(tx, f).nlink, 1);
	OK(dbfs_rmdir(tx, ROOT, t_name("d"), NULL));
	GIVES(DBFS_ENOENT, dbfs_getattr(tx, d, &a));
	assert_int_equal(t_attr(tx, ROOT).nlink, 2);
	OK(dbfs_unlink(tx, ROOT, t_name("b"), NULL));
	GIVES(DBFS_ENOENT, dbfs_getattr(tx, f, &a));
	t_commit(tx);
	OK(dbfs_statfs(vol_db(v), &sf));
	assert_int_equal(sf.files, 1);
	vol_check(v);
	vol_destroy(v);
}

static void orphans(void **state)
{
	struct vol *v = vol_create(256, 7);
	struct dbfs_tx *tx = t_begin(v);
	struct dbfs_ino f = t_mkfile(tx, ROOT, "f");
	struct dbfs_ino g = t_mkfile(tx, ROOT, "g");
	struct dbfs_new what = {.mode = DBFS_S_IFREG | 0600};
	struct dbfs_ino anon;
	struct dbfs_attr a;
	static uint8_t data[2 * BS];

	(void)state;
	fill(data, sizeof(data), 1);
	t_write(tx, f, 0, data, sizeof(data));
	t_write(tx, g, 0, data, sizeof(data));
	t_commit(tx);
	OK(dbfs_hold(vol_db(v), f));
	OK(dbfs_hold(vol_db(v), f));
	OK(dbfs_hold(vol_db(v), g));
	tx = t_begin(v);
	OK(dbfs_unlink(tx, ROOT, t_name("f"), NULL));
	OK(dbfs_unlink(tx, ROOT, t_name("g"), NULL));
	GIVES(DBFS_ENOENT, dbfs_link(tx, f, ROOT, t_name("again")));
	OK(dbfs_create_anon(tx, &what, &anon));
	t_commit(tx);
	dbfs_release(vol_db(v), f);
	tx = t_begin(v);
	expect(tx, f, 0, data, sizeof(data)); /* held once more */
	t_write(tx, f, BS, data, BS);
	OK(dbfs_link(tx, anon, ROOT, t_name("anon")));
	assert_int_equal(t_attr(tx, anon).nlink, 1);
	t_commit(tx);
	dbfs_release(vol_db(v), f);
	tx = t_begin_ro(v);
	GIVES(DBFS_ENOENT, dbfs_getattr(tx, f, &a));
	assert_int_equal(t_attr(tx, g).nlink, 0);
	dbfs_tx_rollback(tx);
	vol_remount(v); /* as after a crash: g is held by nobody */
	tx = t_begin_ro(v);
	GIVES(DBFS_ENOENT, dbfs_getattr(tx, g, &a));
	assert_int_equal(t_lookup(tx, ROOT, "anon").n, anon.n);
	dbfs_tx_rollback(tx);
	vol_check(v);
	vol_destroy(v);
}

/* An orphan with more extents than one transaction should remove. */
static void large_orphan(void **state)
{
	struct vol *v = vol_create(4096, 17);
	static uint8_t block[BS];
	struct dbfs_tx *tx = t_begin(v);
	struct dbfs_ino f = t_mkfile(tx, ROOT, "f");
	struct dbfs_attr a;

	(void)state;
	for (uint64_t i = 0; i < 2500; i++) {
		t_write(tx, f, 2 * i * BS, block, BS); /* one record each */
		if (i % 500 == 0) {
			t_commit(tx);
			tx = t_begin(v);
		}
	}
	t_commit(tx);
	OK(dbfs_hold(vol_db(v), f));
	tx = t_begin(v);
	OK(dbfs_unlink(tx, ROOT, t_name("f"), NULL));
	t_commit(tx);
	dbfs_release(vol_db(v), f);
	tx = t_begin_ro(v);
	GIVES(DBFS_ENOENT, dbfs_getattr(tx, f, &a));
	dbfs_tx_rollback(tx);
	vol_check(v);
	vol_destroy(v);
}

static void removed_directory(void **state)
{
	struct vol *v = vol_create(256, 8);
	struct dbfs_tx *tx = t_begin(v);
	struct dbfs_ino d = t_mkdir(tx, ROOT, "d");
	struct dbfs_new what = {.mode = DBFS_S_IFREG};
	struct dbfs_ino p;

	(void)state;
	t_commit(tx);
	OK(dbfs_hold(vol_db(v), d));
	tx = t_begin(v);
	OK(dbfs_rmdir(tx, ROOT, t_name("d"), NULL));
	assert_int_equal(t_attr(tx, d).nlink, 0);
	GIVES(DBFS_ENOENT, dbfs_create(tx, d, t_name("x"), &what, &p));
	t_mkfile(tx, ROOT, "f");
	GIVES(DBFS_ENOENT, dbfs_rename(tx, ROOT, t_name("f"), d, t_name("f"), 0));
	t_commit(tx);
	dbfs_release(vol_db(v), d);
	vol_check(v);
	vol_destroy(v);
}

static void renames(void **state)
{
	struct vol *v = vol_create(256, 9);
	struct dbfs_tx *tx = t_begin(v);
	struct dbfs_ino a = t_mkdir(tx, ROOT, "a");
	struct dbfs_ino b = t_mkdir(tx, a, "b");
	struct dbfs_ino c = t_mkdir(tx, ROOT, "c");
	struct dbfs_ino f = t_mkfile(tx, ROOT, "f");
	struct dbfs_ino g = t_mkfile(tx, ROOT, "g");
	struct dbfs_attr attr;
	struct dbfs_ino p;

	(void)state;
	GIVES(DBFS_EINVAL, dbfs_rename(tx, ROOT, t_name("a"), b, t_name("x"), 0));
	GIVES(DBFS_EINVAL, dbfs_rename(tx, ROOT, t_name("a"), a, t_name("x"), 0));
	GIVES(DBFS_EINVAL, dbfs_rename(tx, ROOT, t_name("a"), ROOT, t_name("c"), 3));
	GIVES(DBFS_EEXIST, dbfs_rename(tx, ROOT, t_name("f"), ROOT, t_name("g"), 1));
	GIVES(DBFS_ENOENT, dbfs_rename(tx, ROOT, t_name("x"), ROOT, t_name("g"), 0));
	GIVES(DBFS_ENOENT, dbfs_rename(tx, ROOT, t_name("f"), ROOT, t_name("x"), 2));
	GIVES(DBFS_EISDIR, dbfs_rename(tx, ROOT, t_name("f"), ROOT, t_name("c"), 0));
	GIVES(DBFS_ENOTDIR, dbfs_rename(tx, ROOT, t_name("c"), ROOT, t_name("f"), 0));
	GIVES(DBFS_ENOTEMPTY, dbfs_rename(tx, ROOT, t_name("c"), ROOT, t_name("a"), 0));
	OK(dbfs_rename(tx, ROOT, t_name("f"), ROOT, t_name("g"), 0));
	GIVES(DBFS_ENOENT, dbfs_getattr(tx, g, &attr));
	assert_int_equal(t_lookup(tx, ROOT, "g").n, f.n);
	/* A directory to another parent, over an empty one. */
	OK(dbfs_rename(tx, a, t_name("b"), ROOT, t_name("c"), 0));
	GIVES(DBFS_ENOENT, dbfs_getattr(tx, c, &attr));
	OK(dbfs_parent(tx, b, &p));
	assert_int_equal(p.n, ROOT.n);
	assert_int_equal(t_attr(tx, a).nlink, 2);
	assert_int_equal(t_attr(tx, ROOT).nlink, 4);
	/* Exchange a file in one directory with a directory in another. */
	t_mkfile(tx, a, "inner");
	OK(dbfs_rename(tx, a, t_name("inner"), ROOT, t_name("c"), DBFS_RENAME_EXCHANGE));
	assert_int_equal(t_lookup(tx, a, "inner").n, b.n);
	OK(dbfs_parent(tx, b, &p));
	assert_int_equal(p.n, a.n);
	assert_int_equal(t_attr(tx, ROOT).nlink, 3);
	assert_int_equal(t_attr(tx, a).nlink, 3);
	GIVES(DBFS_EINVAL, dbfs_rename(tx, a, t_name("inner"), ROOT, t_name("a"), 2));
	/* Two names of one file: nothing happens. */
	OK(dbfs_link(tx, f, ROOT, t_name("g2")));
	OK(dbfs_rename(tx, ROOT, t_name("g"), ROOT, t_name("g2"), 0));
	assert_int_equal(t_lookup(tx, ROOT, "g").n, f.n);
	assert_int_equal(t_attr(tx, f).nlink, 2);
	t_commit(tx);
	vol_check(v);
	vol_destroy(v);
}

struct listing {
	uint64_t seen[600];
	size_t count;
	size_t stop;
	uint64_t last;
};

static int note(void *arg, const struct dbfs_dirent *e)
{
	struct listing *l = arg;

	CHECK(e->cookie > l->last && e->cookie <= INT64_MAX && l->count < 600);
	l->last = e->cookie;
	l->seen[l->count++] = e->ino.n;
	return l->stop != 0 && l->count % l->stop == 0;
}

/* Listing in steps, while others come and go: what stays is seen once. */
static void listings(void **state)
{
	struct vol *v = vol_create(256, 10);
	struct dbfs_tx *tx = t_begin(v);
	static struct listing l = {.stop = 7};
	static uint64_t stays[200];
	char name[32];
	size_t before;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "stays%u", i);
		stays[i] = t_mkfile(tx, ROOT, name).n;
		snprintf(name, sizeof(name), "goes%u", i);
		t_mkfile(tx, ROOT, name);
	}
	for (unsigned i = 0; i < 200; i++) {
		if (i % 7 == 0)
			OK(dbfs_readdir(tx, ROOT, l.last, note, &l));
		snprintf(name, sizeof(name), "goes%u", i);
		OK(dbfs_unlink(tx, ROOT, t_name(name), NULL));
		snprintf(name, sizeof(name), "comes%u", i);
		t_mkfile(tx, ROOT, name);
	}
	do {
		before = l.count;
		OK(dbfs_readdir(tx, ROOT, l.last, note, &l));
	} while (l.count > before);
	for (unsigned i = 0; i < 200; i++) {
		unsigned times = 0;

		for (size_t j = 0; j < l.count; j++)
			times += l.seen[j] == stays[i];
		assert_int_equal(times, 1);
	}
	t_commit(tx);
	vol_check(v);
	vol_destroy(v);
}

/* Names of one hash (made by hand: nobody can steer SipHash) share a run of cookies. */
static void collisions(void **state)
{
	struct vol *v = vol_create(256, 11);
	struct dbfs_tx *tx = t_begin(v);
	uint64_t base = dbfs_name_cookie(vol_db(v), t_name("target"));
	struct dbfs_dent e = {.ino = {7}, .type = DBFS_S_IFREG, .cookie = base};
	struct dbfs_dent got;

	(void)state;
	OK(dbfs_dent_put(tx, ROOT, t_name("other"), &e));
	GIVES(DBFS_ENOENT, dbfs_dent_find(tx, ROOT, t_name("target"), &got));
	assert_int_equal(got.cookie, base + 1);
	e.ino.n = 8;
	e.cookie = base + 1;
	OK(dbfs_dent_put(tx, ROOT, t_name("target"), &e));
	OK(dbfs_dent_delete(tx, ROOT, base));
	OK(dbfs_dent_find(tx, ROOT, t_name("target"), &got));
	assert_int_equal(got.ino.n, 8);
	for (unsigned i = 0; i < 256; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u", i);
		e.cookie = base + i;
		OK(dbfs_dent_put(tx, ROOT, t_name(name), &e));
	}
	GIVES(DBFS_ENOENT, dbfs_dent_find(tx, ROOT, t_name("target"), &got));
	assert_int_equal(got.cookie, 0);
	dbfs_tx_rollback(tx);
	vol_destroy(v);
}

static void symlinks_and_devices(void **state)
{
	struct vol *v = vol_create(256, 12);
	struct dbfs_tx *tx = t_begin(v);
	static char target[DBFS_SYMLINK_MAX + 1];
	static char buf[DBFS_SYMLINK_MAX];
	struct dbfs_new what = {.mode = DBFS_S_IFLNK, .target = target, .target_len = 4095};
	size_t len = sizeof(buf);
	struct dbfs_ino s;
	struct dbfs_ino d;

	(void)state;
	memset(target, 't', sizeof(target));
	OK(dbfs_create(tx, ROOT, t_name("long"), &what, &s));
	OK(dbfs_readlink(tx, s, buf, &len));
	assert_int_equal(len, 4095);
	assert_memory_equal(buf, target, 4095);
	len = 10;
	OK(dbfs_readlink(tx, s, buf, &len));
	assert_int_equal(len, 10);
	assert_int_equal(t_attr(tx, s).mode, DBFS_S_IFLNK | 0777);
	what.target_len = 4096;
	GIVES(DBFS_ENAMETOOLONG, dbfs_create(tx, ROOT, t_name("x"), &what, &s));
	what.target_len = 0;
	GIVES(DBFS_ENOENT, dbfs_create(tx, ROOT, t_name("x"), &what, &s));
	what = (struct dbfs_new){.mode = DBFS_S_IFCHR | 0600, .rdev_major = 1, .rdev_minor = 3};
	OK(dbfs_create(tx, ROOT, t_name("null"), &what, &d));
	assert_int_equal(t_attr(tx, d).rdev_minor, 3);
	GIVES(DBFS_EINVAL, dbfs_readlink(tx, d, buf, &len));
	GIVES(DBFS_EINVAL, dbfs_read(tx, d, 0, buf, 1, &len));
	GIVES(DBFS_EISDIR, dbfs_write(tx, ROOT, 0, buf, 1));
	OK(dbfs_unlink(tx, ROOT, t_name("long"), NULL));
	t_commit(tx);
	vol_check(v);
	vol_destroy(v);
}

static void attributes(void **state)
{
	struct vol *v = vol_create(256, 13);
	struct dbfs_tx *tx = t_begin(v);
	struct dbfs_new what = {.mode = DBFS_S_IFDIR | DBFS_S_ISGID | 0775, .gid = 42};
	struct dbfs_attr a = {.mode = 04711, .uid = 5, .gid = 6, .mtime = {-5, 7}};
	const uint32_t gids[] = {1, 6};
	struct dbfs_ino d;
	struct dbfs_ino s;

	(void)state;
	OK(dbfs_create(tx, ROOT, t_name("d"), &what, &d));
	s = t_mkdir(tx, d, "sub");
	assert_int_equal(t_attr(tx, s).gid, 42);
	assert_int_equal(t_attr(tx, s).mode, DBFS_S_IFDIR | DBFS_S_ISGID | 0755);
	s = t_mkfile(tx, d, "f");
	assert_int_equal(t_attr(tx, s).mode, DBFS_S_IFREG | 0644);
	OK(dbfs_setattr(tx, s, DBFS_SET_MODE | DBFS_SET_UID | DBFS_SET_GID | DBFS_SET_MTIME, &a));
	a = t_attr(tx, s);
	assert_int_equal(a.mode, DBFS_S_IFREG | 04711);
	assert_int_equal(a.mtime.sec, -5);
	assert_int_equal(a.mtime.nsec, 7);
	assert_true(a.ctime.sec >= a.btime.sec);
	assert_true(dbfs_may_access(&a, 5, gids, 0, 7));
	assert_true(dbfs_may_access(&a, 9, gids, 2, 1));
	assert_false(dbfs_may_access(&a, 9, gids, 2, 4));
	assert_false(dbfs_may_access(&a, 9, gids, 1, 2));
	assert_true(dbfs_may_access(&a, 0, gids, 0, 7));
	/* A directory's times can be set back, and rise again when it changes. */
	a.mtime = (struct dbfs_time){100, 1};
	a.ctime = (struct dbfs_time){200, 2};
	OK(dbfs_setattr(tx, d, DBFS_SET_MTIME | DBFS_SET_CTIME, &a));
	assert_int_equal(t_attr(tx, d).mtime.sec, 100);
	assert_int_equal(t_attr(tx, d).ctime.sec, 200);
	t_commit(tx);
	tx = t_begin(v);
	t_mkfile(tx, d, "later");
	assert_true(t_attr(tx, d).mtime.sec >= t_attr(tx, d).btime.sec);
	assert_int_not_equal(t_attr(tx, d).mtime.sec, 100);
	a.mtime.nsec = 1000000000;
	GIVES(DBFS_EINVAL, dbfs_setattr(tx, d, DBFS_SET_MTIME, &a));
	a.size = 0;
	GIVES(DBFS_EISDIR, dbfs_setattr(tx, d, DBFS_SET_SIZE, &a));
	t_commit(tx);
	vol_check(v);
	vol_destroy(v);
}

static int count_name(void *arg, struct dbfs_name name)
{
	CHECK(name.len >= 6);
	++*(unsigned *)arg;
	return 0;
}

static void xattrs(void **state)
{
	struct vol *v = vol_create(512, 14);
	struct dbfs_tx *tx = t_begin(v);
	struct dbfs_ino f = t_mkfile(tx, ROOT, "f");
	uint8_t *big = malloc(DBFS_XATTR_VALUE_MAX + 1);
	char buf[64];
	char longest[257];
	unsigned n = 0;
	size_t len = sizeof(buf);

	(void)state;
	CHECK(big != NULL);
	fill(big, DBFS_XATTR_VALUE_MAX, 5);
	memset(longest, 'n', sizeof(longest));
	GIVES(DBFS_ENODATA, dbfs_getxattr(tx, f, t_name("user.a"), buf, &len));
	OK(dbfs_setxattr(tx, f, t_name("user.a"), (struct dbfs_value){"value", 5}, 0));
	OK(dbfs_setxattr(tx, f, t_name("user.empty"), (struct dbfs_value){"", 0}, 0));
	OK(dbfs_setxattr(tx, f, t_name("user.big"), (struct dbfs_value){big, DBFS_XATTR_VALUE_MAX},
			 0));
	OK(dbfs_setxattr(tx, f, (struct dbfs_name){longest, 255}, (struct dbfs_value){"x", 1}, 0));
	GIVES(DBFS_ERANGE, dbfs_setxattr(tx, f, (struct dbfs_name){longest, 256},
					 (struct dbfs_value){"x", 1}, 0));
	GIVES(DBFS_E2BIG, dbfs_setxattr(tx, f, t_name("user.b"),
					(struct dbfs_value){big, DBFS_XATTR_VALUE_MAX + 1}, 0));
	GIVES(DBFS_EEXIST, dbfs_setxattr(tx, f, t_name("user.a"), (struct dbfs_value){"", 0},
					 DBFS_XATTR_CREATE));
	GIVES(DBFS_ENODATA, dbfs_setxattr(tx, f, t_name("user.c"), (struct dbfs_value){"", 0},
					  DBFS_XATTR_REPLACE));
	OK(dbfs_getxattr(tx, f, t_name("user.a"), buf, &len));
	assert_int_equal(len, 5);
	assert_memory_equal(buf, "value", 5);
	len = 3;
	GIVES(DBFS_ERANGE, dbfs_getxattr(tx, f, t_name("user.a"), buf, &len));
	len = 0;
	OK(dbfs_getxattr(tx, f, t_name("user.big"), NULL, &len));
	assert_int_equal(len, DBFS_XATTR_VALUE_MAX);
	OK(dbfs_listxattr(tx, f, count_name, &n));
	assert_int_equal(n, 4);
	OK(dbfs_removexattr(tx, f, t_name("user.a")));
	GIVES(DBFS_ENODATA, dbfs_removexattr(tx, f, t_name("user.a")));
	OK(dbfs_setxattr(tx, ROOT, t_name("user.root"), (struct dbfs_value){"r", 1}, 0));
	t_commit(tx);
	vol_remount(v);
	tx = t_begin(v);
	n = 0;
	OK(dbfs_listxattr(tx, f, count_name, &n));
	assert_int_equal(n, 3);
	OK(dbfs_unlink(tx, ROOT, t_name("f"), NULL));
	t_commit(tx);
	vol_check(v);
	vol_destroy(v);
	free(big);
}

/* Full: writes fail and change nothing, deleting and truncating work, the space comes back. */
static void full_volume(void **state)
{
	struct vol *v = vol_create(1024, 15);
	uint8_t *data = malloc(64 * BS);
	struct dbfs_tx *tx = t_begin(v);
	struct dbfs_ino f = t_mkfile(tx, ROOT, "f");
	struct dbfs_ino g = t_mkfile(tx, ROOT, "g");
	struct dbfs_attr a;
	uint64_t at = 0;
	uint64_t first;
	int err;

	(void)state;
	CHECK(data != NULL);
	fill(data, 64 * BS, 8);
	t_write(tx, g, 0, data, 64 * BS);
	t_commit(tx);
	for (;;) {
		tx = t_begin(v);
		err = dbfs_write(tx, f, at, data, 64 * BS);
		assert_int_equal(t_attr(tx, f).size, err == 0 ? at + 64 * BS : at);
		if (err != 0)
			break;
		t_commit(tx);
		at += 64 * BS;
	}
	assert_int_equal(err, -DBFS_ENOSPC);
	assert_true(at > 256 * BS);
	t_commit(tx);
	first = at;
	tx = t_begin(v);
	while ((err = dbfs_write(tx, f, at, data, BS)) == 0)
		at += BS;
	assert_int_equal(err, -DBFS_ENOSPC);
	t_commit(tx);
	tx = t_begin(v);
	a.size = first - BS / 2;
	OK(dbfs_setattr(tx, f, DBFS_SET_SIZE, &a));
	OK(dbfs_unlink(tx, ROOT, t_name("g"), NULL));
	t_commit(tx);
	vol_remount(v); /* a checkpoint: freed blocks are reusable */
	tx = t_begin(v);
	t_write(tx, f, first, data, 32 * BS);
	expect(tx, f, first, data, 32 * BS);
	t_commit(tx);
	vol_check(v);
	vol_destroy(v);
	free(data);
}

/* Full of names alone: removing them frees no data, only tree, and that only at the next checkpoint. */
static void full_of_names(void **state)
{
	struct vol *v = vol_create(1024, 16);
	const struct dbfs_new what = {.mode = DBFS_S_IFREG | 0644};
	struct dbfs_ino ino;
	unsigned n = 0;
	char name[250];

	(void)state;
	for (; n < 20000; n++) { /* the engine in memory does not count names */
		struct dbfs_tx *tx = t_begin(v);
		int err;

		snprintf(name, sizeof(name), "%0200u", n);
		err = dbfs_create(tx, ROOT, t_name(name), &what, &ino);
		t_commit(tx);
		if (err == -DBFS_ENOSPC)
			break;
		OK(err);
	}
	assert_true(n > 2000);
	for (unsigned i = 0; i < n; i++) {
		struct dbfs_tx *tx = t_begin(v);

		/* Scattered, so that each change falls on another page. */
		snprintf(name, sizeof(name), "%0200u", (unsigned)((uint64_t)i * 7919 % n));
		if (t_lookup(tx, ROOT, name).n != 0)
			OK(dbfs_unlink(tx, ROOT, t_name(name), NULL));
		t_commit(tx);
	}
	vol_check(v);
	vol_destroy(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_vector),
		cmocka_unit_test(create_and_lookup),
		cmocka_unit_test(rollback_undoes),
		cmocka_unit_test(inline_files),
		cmocka_unit_test(sparse_and_truncate),
		cmocka_unit_test(appends),
		cmocka_unit_test(links_and_removal),
		cmocka_unit_test(orphans),
		cmocka_unit_test(large_orphan),
		cmocka_unit_test(removed_directory),
		cmocka_unit_test(renames),
		cmocka_unit_test(listings),
		cmocka_unit_test(collisions),
		cmocka_unit_test(symlinks_and_devices),
		cmocka_unit_test(attributes),
		cmocka_unit_test(xattrs),
		cmocka_unit_test(full_volume),
		cmocka_unit_test(full_of_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
