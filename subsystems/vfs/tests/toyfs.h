/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* A small file system in arrays, for tests of the VFS: pages are filled and written through operations. */
#ifndef TOYFS_H
#define TOYFS_H

#include "vfs/fs.h"
#include "vfs/vnode.h"

extern struct vfs_fs_type toyfs_type;
extern unsigned toyfs_fills;   /* calls of readpages */
extern unsigned toyfs_lookups; /* calls of lookup */
extern unsigned toyfs_unmounts;
extern int toyfs_fail_reads; /* this many readpages fail with EIO */

/* Behind the VFS's back, as a transaction's commit does it: replaces a file's contents. */
void toyfs_poke(struct vfs_fs *fs, uint64_t ino, const char *text);
/* Makes old the name new in the same directory, likewise. */
void toyfs_rename_behind(struct vfs_fs *fs, uint64_t dir, const char *old, const char *new_name);

#endif
