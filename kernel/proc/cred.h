/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Making and replacing credentials. */
#ifndef PROC_CRED_H
#define PROC_CRED_H

#include "proc/process.h"
#include "vfs/cred.h"

/* NULL: no memory. One reference each. */
struct cred *cred_create_root(void) MUST_CHECK;
struct cred *cred_copy(const struct cred *from) MUST_CHECK;
struct cred *cred_copy_groups(const struct cred *from, const uint32_t *groups, uint32_t n)
	MUST_CHECK;
/* The current task's from now on; takes c. */
void cred_replace(struct cred *c);
/* After a change of user ids: capabilities and fs ids follow as on Linux. */
void cred_fix_caps(struct cred *c, const struct cred *old);
/* As the file layer wants it; valid as long as c. */
void cred_vfs(const struct cred *c, struct vfs_cred *out);

#endif
