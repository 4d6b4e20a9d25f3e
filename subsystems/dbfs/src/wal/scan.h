/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Reading the log back, for recovery. Every number in it may be hostile. One thread; no locks.
 */
#ifndef DBFS_WAL_SCAN_H
#define DBFS_WAL_SCAN_H

#include "wal/wal.h"

struct dbfs_scan;
struct dbfs_scan_group; /* a valid group in memory */

/* Salts by group number are taken from root. NULL: no memory. */
struct dbfs_scan *dbfs_scan_create(struct dbfs_io *io, const struct dbfs_super *super,
				   const struct dbfs_disk_root *root) MUST_CHECK;
void dbfs_scan_destroy(struct dbfs_scan *s);

/*
 * Reads and checks the group that should begin at pos; on success *next is where the one after it should
 * begin. -DBFS_ENOENT: no valid group is there. -DBFS_EIO, -DBFS_ENOMEM.
 */
int dbfs_scan_read(struct dbfs_scan *s, const struct dbfs_log_pos *pos,
		   struct dbfs_scan_group **out, struct dbfs_log_pos *next) MUST_CHECK;
void dbfs_scan_group_destroy(struct dbfs_scan_group *g); /* NULL is fine */

/*
 * Is there a valid group with a number above pos->seq anywhere in the ring ahead of pos? Then what
 * stands at pos is not a torn end but damage.
 */
int dbfs_scan_look_ahead(struct dbfs_scan *s, const struct dbfs_log_pos *pos, bool *found)
	MUST_CHECK;

/* Reads the data blocks that the group's DATA records name. -DBFS_ECORRUPT: one does not match. */
int dbfs_scan_check_data(struct dbfs_scan *s, const struct dbfs_scan_group *g) MUST_CHECK;
/* Writes the group again where it was found. No flush. */
int dbfs_scan_rewrite(struct dbfs_scan *s, const struct dbfs_scan_group *g) MUST_CHECK;

/* --- Records of a group, one after the other ------------------------------------------------ */

struct dbfs_scan_record {
	enum dbfs_record_type type;
	uint64_t tx;
	uint64_t left; /* bytes of the payload not yet read */
	const struct dbfs_scan_group *group;
	uint64_t off;
};

/* it->group: NULL before the first call. False at the end. */
bool dbfs_scan_next(const struct dbfs_scan_group *g, struct dbfs_scan_record *it);
/* Copies the next len bytes of the payload; false if there are fewer. */
bool dbfs_scan_get(struct dbfs_scan_record *r, void *buf, size_t len);

#endif
