/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * What the image tools share: messages, opening an image, walking paths in it, sizes, progress.
 *
 * Messages are "PROGRAM: OBJECT: TEXT" on stderr. Exit statuses: 0, 1 for a failure, 2 for wrong usage
 * (fsck.dbfs has its own).
 */
#ifndef LINUX_TOOLS_TOOL_H
#define LINUX_TOOLS_TOOL_H

#include <stdio.h>

#include "dbfs/fs.h"
#include "port/blk.h"

enum { TOOL_OK = 0, TOOL_FAILED = 1, TOOL_USAGE = 2 };

/* Sets the program's name for messages and the status that argp exits with on wrong usage. */
void tool_init(const char *program, int usage_status);

/* "PROGRAM: object: text" (object may be NULL); returns TOOL_FAILED. */
int tool_error(const char *object, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* With the text of an error of DBFS or the port (negative). */
int tool_dbfs_error(const char *object, int err);
/* With the text of errno. */
int tool_errno(const char *object);

/* A number with an optional K, M, G or T (powers of 1024). False: not one. */
bool tool_parse_size(const char *text, uint64_t *out) MUST_CHECK;
/* "1.5 GiB" into buf. */
const char *tool_human(uint64_t bytes, char *buf, size_t len);

/* --- Images -------------------------------------------------------------------------------- */

/*
 * Opens the file or device and locks it: shared for reading, else exclusively, so that nobody looks at what a
 * mount or a virtual machine is writing. Prints what is wrong; NULL.
 */
struct port_blk *tool_open_device(const char *image, bool writable);
/* Opens the image and mounts its file system. Prints what is wrong; NULL. */
struct dbfs *tool_open(const char *image, bool writable);
/* Closes; prints what is wrong; TOOL_OK or TOOL_FAILED. */
int tool_close(struct dbfs *db, const char *image);
struct dbfs_tx *tool_begin(struct dbfs *db, enum dbfs_tx_mode mode);

/*
 * Follows path from the root of the image; symbolic links on the way are followed, at its end if
 * follow. A negative dbfs error, printed by nobody.
 */
int tool_walk(struct dbfs_tx *tx, const char *path, bool follow, struct dbfs_ino *out) MUST_CHECK;
/* The same for the directory that holds path's last component, which is given too (in path). */
int tool_walk_parent(struct dbfs_tx *tx, const char *path, struct dbfs_ino *dir,
		     struct dbfs_name *last) MUST_CHECK;
/* Follows symbolic links from ino, found in dir, until there is none. */
int tool_follow(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_ino ino, struct dbfs_ino *out)
	MUST_CHECK;

/* The target, terminated; the caller frees it. */
int tool_readlink(struct dbfs_tx *tx, struct dbfs_ino ino, char **out) MUST_CHECK;

/* --- Listings ------------------------------------------------------------------------------ */

struct tool_entry {
	char *name;
	size_t len;
	struct dbfs_ino ino;
	uint32_t type;
};

struct tool_list {
	struct tool_entry *e;
	size_t count;
	size_t room;
};

/* All entries of dir, sorted by name. Free with tool_list_free in every case. */
int tool_list_dir(struct dbfs_tx *tx, struct dbfs_ino dir, struct tool_list *out) MUST_CHECK;
void tool_list_free(struct tool_list *l);

/* "drwxr-xr-x" */
void tool_mode_text(uint32_t mode, char out[11]);

/* Memory that is not there ends the program. */
void *tool_alloc(size_t size);
char *tool_strdup(const char *s);

#endif
