/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Who asks. The VFS knows no processes: credentials are arguments. They are constant while a call
 * uses them (the process layer replaces, never edits, them).
 */
#ifndef VFS_CRED_H
#define VFS_CRED_H

#include "base/types.h"

/* Linux's capability numbers, those that the VFS asks about. */
enum vfs_cap {
	VFS_CAP_CHOWN = 0,
	VFS_CAP_DAC_OVERRIDE = 1,
	VFS_CAP_DAC_READ_SEARCH = 2,
	VFS_CAP_FOWNER = 3,
	VFS_CAP_FSETID = 4,
	VFS_CAP_SYS_CHROOT = 18,
	VFS_CAP_SYS_ADMIN = 21,
	VFS_CAP_SYS_RESOURCE = 24,
	VFS_CAP_MKNOD = 27,
	VFS_CAP_LEASE = 28,
};

#define VFS_CAPS_ALL ((uint64_t)0x1ffffffffff)

struct vfs_cred {
	uint32_t uid;           /* of file-system accesses (fsuid) */
	uint32_t gid;           /* fsgid */
	const uint32_t *groups; /* supplementary */
	uint32_t ngroups;
	uint64_t caps; /* effective, bit n = capability n */
};

static inline bool vfs_capable(const struct vfs_cred *c, enum vfs_cap cap)
{
	return (c->caps >> cap & 1) != 0;
}

/* Is gid the file-system group or one of the supplementary ones? */
bool vfs_in_group(const struct vfs_cred *c, uint32_t gid);

#endif
