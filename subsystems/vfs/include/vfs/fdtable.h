/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Descriptor tables: small numbers for open files, shared by threads (CLONE_FILES).
 * All functions lock inside (rank FDTABLE) and never put a file with the lock held.
 */
#ifndef VFS_FDTABLE_H
#define VFS_FDTABLE_H

#include <stdatomic.h>

#include "base/types.h"
#include "port/sync.h"

struct file;

#define FDTABLE_MAX 65536 /* hard bound, whatever RLIMIT_NOFILE says */

struct fd_table {
	_Atomic uint32_t refs;
	struct port_mutex lock; /* rank FDTABLE; all members */
	struct file **files;
	uint64_t *used; /* bitmaps; size is a multiple of 64 */
	uint64_t *cloexec;
	uint32_t size;
	uint32_t next; /* no free number below */
	uint32_t count;
};

struct fd_table *fdtable_create(void) MUST_CHECK; /* NULL: no memory */
/* fork: a copy that shares the files. NULL: no memory. */
struct fd_table *fdtable_clone(struct fd_table *t) MUST_CHECK;
void fdtable_get(struct fd_table *t);
/* The last one closes all. owner: as in fdtable_close. May sleep. */
void fdtable_put(struct fd_table *t);
/* exec: closes what is close-on-exec. */
void fdtable_exec(struct fd_table *t);

/* A reference to the file, NULL: not open (EBADF). */
struct file *fdtable_file(struct fd_table *t, int fd) MUST_CHECK;

/*
 * The lowest free number >= from and < limit (RLIMIT_NOFILE) for f; takes the caller's reference on
 * success. Result: the number, -VFS_EMFILE, -VFS_ENOMEM, -VFS_EINVAL (from >= limit).
 */
int fdtable_install(struct fd_table *t, struct file *f, unsigned from, uint64_t limit, bool cloexec)
	MUST_CHECK;
/* Two at once (pipe): both or none. Takes both references on success. */
int fdtable_install2(struct fd_table *t, struct file *f[2], uint64_t limit, bool cloexec, int fd[2])
	MUST_CHECK;
/* dup2, dup3: f becomes fd (whatever was there is closed). Takes f on success. fd or an error. */
int fdtable_replace(struct fd_table *t, struct file *f, int fd, uint64_t limit, bool cloexec)
	MUST_CHECK;
/* 0 or -VFS_EBADF. */
int fdtable_close(struct fd_table *t, int fd) MUST_CHECK;
/* close_range(2); cloexec: only marks them. */
void fdtable_close_range(struct fd_table *t, unsigned first, unsigned last, bool cloexec);
/* FD_CLOEXEC: get (0, 1), set; -VFS_EBADF. */
int fdtable_get_cloexec(struct fd_table *t, int fd) MUST_CHECK;
int fdtable_set_cloexec(struct fd_table *t, int fd, bool on) MUST_CHECK;
/* The first open number >= from, -1: none (for /proc/PID/fd). */
int fdtable_next(struct fd_table *t, int from) MUST_CHECK;

#endif
