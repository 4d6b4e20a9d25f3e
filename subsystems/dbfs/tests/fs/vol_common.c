/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vol.h"

char t_context[160];

void t_fail(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	if (t_context[0] != '\0')
		fprintf(stderr, "%s\n", t_context);
	abort();
}

void t_ok(int err, const char *what, const char *file, int line)
{
	char text[512];

	if (err == 0)
		return;
	snprintf(text, sizeof(text), "%s: %d (%s)", what, err,
		 err == -DBFS_T_NO_ERROR ? "another error was expected, or any"
					 : dbfs_strerror(err));
	t_fail(text, file, line);
}

static struct dbfs_tx *begin(struct vol *v, enum dbfs_tx_mode mode)
{
	const struct dbfs_tx_opts opts = {mode, DBFS_NOSYNC, 0};
	struct dbfs_tx *tx;

	OK(dbfs_tx_begin(vol_db(v), &opts, &tx));
	return tx;
}

struct dbfs_tx *t_begin(struct vol *v)
{
	return begin(v, DBFS_TX_LOCKING);
}

struct dbfs_tx *t_begin_ro(struct vol *v)
{
	return begin(v, DBFS_TX_READ_ONLY);
}

void t_commit(struct dbfs_tx *tx)
{
	OK(dbfs_tx_commit(tx));
}

struct dbfs_name t_name(const char *s)
{
	return (struct dbfs_name){s, strlen(s)};
}

static struct dbfs_ino make(struct dbfs_tx *tx, struct dbfs_ino dir, const char *name,
			    uint32_t mode)
{
	struct dbfs_new what = {.mode = mode};
	struct dbfs_ino ino;

	OK(dbfs_create(tx, dir, t_name(name), &what, &ino));
	return ino;
}

struct dbfs_ino t_mkfile(struct dbfs_tx *tx, struct dbfs_ino dir, const char *name)
{
	return make(tx, dir, name, DBFS_S_IFREG | 0644);
}

struct dbfs_ino t_mkdir(struct dbfs_tx *tx, struct dbfs_ino dir, const char *name)
{
	return make(tx, dir, name, DBFS_S_IFDIR | 0755);
}

struct dbfs_ino t_lookup(struct dbfs_tx *tx, struct dbfs_ino dir, const char *name)
{
	struct dbfs_ino ino = {0};
	int err = dbfs_lookup(tx, dir, t_name(name), &ino);

	if (err != -DBFS_ENOENT)
		OK(err);
	return ino;
}

struct dbfs_attr t_attr(struct dbfs_tx *tx, struct dbfs_ino ino)
{
	struct dbfs_attr a;

	OK(dbfs_getattr(tx, ino, &a));
	return a;
}

void t_write(struct dbfs_tx *tx, struct dbfs_ino ino, uint64_t off, const void *p, size_t len)
{
	OK(dbfs_write(tx, ino, off, p, len));
}
