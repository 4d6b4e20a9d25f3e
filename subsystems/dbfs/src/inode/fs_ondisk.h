/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * What the file system keeps in the engine's ordered map: bucket numbers, keys and values. The
 * normative description is docs/format-fs.md. Numbers in keys are big-endian (memcmp order is
 * numeric order), in values little-endian. Nothing else in the file system knows these layouts but
 * codec.c beside this file, extent.c and dir/dirent.c.
 */
#ifndef DBFS_INODE_FS_ONDISK_H
#define DBFS_INODE_FS_ONDISK_H

#include "base/bytes.h"

/* Buckets below 16 are the engine's own, those from 0x10000 on the key-value face's (kv/kv_ondisk.h). */
enum dbfs_fs_bucket {
	DBFS_BUCKET_META = 16,  /* "fs" -> struct fs_meta_disk */
	DBFS_BUCKET_INODE = 17, /* ino -> struct fs_inode_disk (directories: fs_dir_inode_disk) */
	DBFS_BUCKET_COUNTERS = 18, /* directory ino, or 0 for the volume -> struct dbfs_counters */
	DBFS_BUCKET_DIRENT = 19,   /* dir, cookie -> struct fs_dirent_disk and the name */
	DBFS_BUCKET_EXTENT = 20, /* ino, first file block -> struct fs_extent_disk and checksums */
	DBFS_BUCKET_INLINE = 21, /* ino -> contents of a small file, target of a symbolic link */
	DBFS_BUCKET_XATTR = 22,  /* ino, name -> value */
	DBFS_BUCKET_ORPHAN = 23, /* ino -> nothing: no name, but perhaps held */
};
#define DBFS_BUCKET_FS_FIRST 16u
#define DBFS_BUCKET_FS_LAST 23u

#define FS_META_KEY "fs"
#define FS_META_VERSION 1u

struct fs_meta_disk {
	struct le32 version;
	struct le32 reserved; /* zero */
};
_Static_assert(sizeof(struct fs_meta_disk) == 8, "layout");

struct fs_time_disk {
	struct le64 sec; /* two's complement */
	struct le32 nsec;
};
_Static_assert(sizeof(struct fs_time_disk) == 12, "layout");

enum fs_inode_flag {
	FS_INODE_INLINE = 1,   /* regular file: contents in DBFS_BUCKET_INLINE, no extents */
	FS_INODE_LINKABLE = 2, /* never had a name (O_TMPFILE): may still be given one */
	FS_INODE_FLAGS = 3,
};

struct fs_inode_disk {
	struct le32 mode;
	struct le32 nlink; /* directories: 1, or 0 when removed; the rest is in the counters */
	struct le32 uid;
	struct le32 gid;
	struct le32 rdev_major;
	struct le32 rdev_minor;
	struct le32 flags;
	struct le32 reserved; /* zero */
	struct le64 size;
	struct le64 blocks; /* of DBFS_BLOCK_SIZE, in extents */
	struct le64 parent; /* directories: the one that names it; root: itself; others: 0 */
	struct fs_time_disk atime;
	struct fs_time_disk mtime;
	struct fs_time_disk ctime;
	struct fs_time_disk btime;
};
_Static_assert(offsetof(struct fs_inode_disk, size) == 32, "layout");
_Static_assert(offsetof(struct fs_inode_disk, parent) == 48, "layout");
_Static_assert(offsetof(struct fs_inode_disk, atime) == 56, "layout");
_Static_assert(sizeof(struct fs_inode_disk) == 104, "layout");

/*
 * A directory's times also rise with its counters. The counters' time counts if it is later than the
 * base, which is the counters' time when the record's own was last set.
 */
struct fs_dir_inode_disk {
	struct fs_inode_disk inode;
	struct fs_time_disk mtime_base;
	struct fs_time_disk ctime_base;
};
_Static_assert(sizeof(struct fs_dir_inode_disk) == 128, "layout");

struct fs_dirent_disk {
	struct le64 ino;
	uint8_t type; /* mode >> 12; the name follows, to the end of the value */
};
_Static_assert(sizeof(struct fs_dirent_disk) == 9, "layout");

struct fs_extent_disk {
	struct le64 block;
	struct le32 count;
	struct le32 reserved; /* zero */
			      /* count CRC32C (struct le32) follow, one for each block */
};
_Static_assert(sizeof(struct fs_extent_disk) == 16, "layout");

#define FS_EXTENT_BLOCKS_MAX 128u
#define FS_EXTENT_DISK_MAX (sizeof(struct fs_extent_disk) + 4u * FS_EXTENT_BLOCKS_MAX)
#define FS_INLINE_MAX 1024u

#endif
