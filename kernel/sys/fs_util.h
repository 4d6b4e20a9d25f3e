/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* What the handlers of file system calls share: descriptors, names, credentials, user iterators. */
#ifndef SYS_FS_UTIL_H
#define SYS_FS_UTIL_H

#include "sys/syscall.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vfs/ops.h"
#include "vfs/path.h"

#define AT_FDCWD (-100)
enum {
	AT_SYMLINK_NOFOLLOW = 0x100,
	AT_REMOVEDIR = 0x200,
	AT_EACCESS = 0x200,
	AT_SYMLINK_FOLLOW = 0x400,
	AT_NO_AUTOMOUNT = 0x800,
	AT_EMPTY_PATH = 0x1000,
	AT_STATX_SYNC_TYPE = 0x6000,
};

/* The descriptor's file with a reference; NULL: EBADF. */
struct file *sys_file(int fd) MUST_CHECK;
/* The caller's file-system credentials (borrowed: valid during the call). */
void sys_cred(struct vfs_cred *c);

/* A name and where it starts: from begin to end of a call. */
struct sys_at {
	struct vfs_cred cred;
	struct vfs_walk_from from;
	struct file *dir; /* of dirfd; NULL: the working directory */
	char *name;
};
/* name: user address; 0 with AT_EMPTY_PATH counts as "". Errors leave nothing to end. */
int sys_at_begin(struct sys_at *s, int dirfd, uint64_t name) MUST_CHECK;
void sys_at_end(struct sys_at *s);
/* The place: flags are AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH. nofollow says what 0 means. */
int sys_at_walk(struct sys_at *s, unsigned flags, struct path *out) MUST_CHECK;
/* A name from user memory (port_free it). */
int sys_name(uint64_t user, char **out) MUST_CHECK;

/* An iterator over user memory. */
struct sys_iovec {
	uint64_t base;
	uint64_t len;
};
struct sys_iter {
	struct vfs_iter it;
	bool to_user;
	unsigned n;
	unsigned at;
	uint64_t off;          /* in iov[at] */
	struct sys_iovec *iov; /* one, or fast */
	struct sys_iovec one;
	struct sys_iovec *owned;
};
void sys_iter_one(struct sys_iter *s, uint64_t base, uint64_t len, bool to_user);
/* readv and writev: copies the vector in. End with sys_iter_end. */
int sys_iter_vec(struct sys_iter *s, uint64_t vec, uint64_t n, bool to_user) MUST_CHECK;
void sys_iter_end(struct sys_iter *s);

/* The result of a data call: EINTR restarts, EFBIG and EPIPE send their signals. */
long sys_io_result(int64_t n);

#endif
