/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Mapped files: objects over the page cache. */
#ifndef VM_FILEMAP_H
#define VM_FILEMAP_H

#include "base/types.h"
#include "vm/object.h"

struct vnode;

/* The object of a regular file, with a reference for the caller; NULL: no memory. May sleep. */
struct vm_object *filemap_object(struct vnode *vn) MUST_CHECK;
/* Once at start. */
void filemap_init(void);

#endif
