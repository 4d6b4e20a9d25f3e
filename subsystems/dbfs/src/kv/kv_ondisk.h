/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * What the key-value face keeps in the engine's ordered map (docs/kv.md, "Layout"). Bucket numbers: the engine's
 * own are below 16, those of files are 16 to 63 (inode/fs_ondisk.h), and these start at KV_BUCKET_CATALOG.
 * Numbers in keys are big-endian.
 *
 *   CATALOG  "v"                    -> struct kv_volume_disk; missing: no bucket was ever made
 *            "c"                    -> le32: the next bucket number
 *            "n" parent name        -> struct kv_name_disk
 *            "i" bucket             -> struct kv_bucket_disk, then its name
 *            "d" bucket             -> empty: dropped, being cleared
 *   STREAM   stream, first block    -> struct kv_extent_disk and checksums
 *   ROOT, others: key               -> KV_TAG_INLINE value, or struct kv_stream_disk
 */
#ifndef DBFS_KV_KV_ONDISK_H
#define DBFS_KV_KV_ONDISK_H

#include "base/bytes.h"

enum {
	KV_BUCKETS_FILES = 16, /* the first that is not the engine's */
	KV_BUCKET_CATALOG = 0x10000,
	KV_BUCKET_STREAM = 0x10001,
	KV_BUCKET_ROOT = 0x10010,
	KV_BUCKET_FIRST = 0x10011,
};
#define KV_BUCKET_LIMIT 0xfffffff0u /* number + 1 is the end of a range */

#define KV_VERSION 1u

enum kv_volume_flag { KV_VOLUME_COPYING = 1, KV_VOLUME_FLAGS = 1 };

struct kv_volume_disk {
	struct le32 version;
	struct le32 flags;      /* enum kv_volume_flag; others are refused */
	struct le32 root_flags; /* enum kv_bucket_flag of the root bucket */
};
_Static_assert(sizeof(struct kv_volume_disk) == 12, "on disk");

/* Once set a flag stays, so that who has read it unset conflicts with its setting at most once. */
enum kv_bucket_flag { KV_BUCKET_STREAMS = 1 /* may hold streams: changes look at the old value */ };

struct kv_name_disk {
	struct le32 id;
	struct le32 flags;
};
_Static_assert(sizeof(struct kv_name_disk) == 8, "on disk");

struct kv_bucket_disk {
	struct le32 parent;
	struct le32 flags; /* as in kv_name_disk */
};
_Static_assert(sizeof(struct kv_bucket_disk) == 8, "on disk");

enum kv_tag { KV_TAG_INLINE = 0, KV_TAG_STREAM = 1 };

struct kv_stream_disk {
	uint8_t tag;
	struct le64 id;
	struct le64 size;
};
_Static_assert(sizeof(struct kv_stream_disk) == 17, "on disk");

struct kv_extent_disk {
	struct le64 block;
	struct le32 count; /* CRC32C of each (struct le32) follow */
};
_Static_assert(sizeof(struct kv_extent_disk) == 12, "on disk");

#define KV_EXTENT_BLOCKS 128u

#endif
