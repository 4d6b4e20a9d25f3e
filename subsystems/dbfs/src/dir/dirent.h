/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Directory entries: finding, adding, changing and removing one name. These know nothing of link
 * counts and times; dir.c and rename.c do.
 */
#ifndef DBFS_DIR_DIRENT_H
#define DBFS_DIR_DIRENT_H

#include "inode/inode.h"

struct dbfs_dent {
	struct dbfs_ino ino;
	uint32_t type;   /* DBFS_S_IFMT bits */
	uint64_t cookie; /* where it stands or, if there is none, could stand */
};

/* 0, -DBFS_EINVAL (empty, "." or "..", '/' or NUL in it), -DBFS_ENAMETOOLONG. */
int dbfs_name_check(struct dbfs_name name) MUST_CHECK;

/* The hash part of a name's cookies; collisions differ in the low 8 bits. */
uint64_t dbfs_name_cookie(struct dbfs *db, struct dbfs_name name);

/* Trusts nothing; -DBFS_ECORRUPT, silently. out->name lives as long as the value. */
int dbfs_dent_decode(struct dbfs_key key, struct dbfs_val val, uint64_t *dir,
		     struct dbfs_dirent *out) MUST_CHECK;

/*
 * -DBFS_ENOENT: not there; then out->cookie is free for it, or 0 if all 256 are taken. Tracked, so
 * a transaction that did not find a name conflicts with one that makes it.
 */
int dbfs_dent_find(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
		   struct dbfs_dent *out) MUST_CHECK;

/* For who expects it not to be there (else -DBFS_EEXIST): where to put it, as above. One look less than find. */
int dbfs_dent_vacant(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
		     struct dbfs_dent *out) MUST_CHECK;

/* Makes or replaces the entry at d->cookie. */
int dbfs_dent_put(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
		  const struct dbfs_dent *d) MUST_CHECK;
int dbfs_dent_delete(struct dbfs_tx *tx, struct dbfs_ino dir, uint64_t cookie) MUST_CHECK;

/* 0 if dir has no entries, -DBFS_ENOTEMPTY. Tracked: conflicts with whoever makes one. */
int dbfs_dent_none(struct dbfs_tx *tx, struct dbfs_ino dir) MUST_CHECK;

#endif
