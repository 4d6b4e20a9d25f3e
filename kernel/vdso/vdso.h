/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The vDSO: a small shared object that is mapped into every program, preceded by a page of data
 * that it reads the clock from. vdso_data is shared with the code in vdso_user.c.
 */
#ifndef VDSO_VDSO_H
#define VDSO_VDSO_H

#include "base/types.h"

/* seq is odd while the kernel changes the rest. */
struct vdso_data {
	uint32_t seq;
	uint32_t shift;
	uint64_t mult; /* ns = ticks * mult >> shift */
	int64_t wall_offset;
};

struct vm_space;

/* Once at start; again after the wall clock was set. */
void vdso_init(void);
void vdso_update(void);
/* Maps data and code into s; s->vdso is where the code's ELF header is. 0 or -ENOMEM. */
int vdso_map(struct vm_space *s) MUST_CHECK;
/* Of __vdso_rt_sigreturn, from s->vdso. */
uint64_t vdso_sigreturn_offset(void);

#endif
