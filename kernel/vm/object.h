/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * What a region shows that is not private memory: a file's pages (kernel/fs fills the table for
 * the page cache) or shared anonymous memory (vm/shared.c).
 *
 * An object knows the regions that map it, so that truncation and write-back can take page-table
 * entries away. Order of a truncation: remove the pages from the cache, then vm_object_unmap. A
 * fault that got its page before notices by unmap_seq and starts over (VM-4 in space.h).
 */
#ifndef VM_OBJECT_H
#define VM_OBJECT_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/types.h"
#include "sync/mutex.h"

struct page;
struct vm_object;

struct vm_object_ops {
	/*
	 * The page at index (in pages), up to date, with a reference for the caller. Sleeps.
	 * -ENXIO: past the end (SIGBUS), -EIO, -ENOMEM, -EINTR (killed).
	 */
	int (*get)(struct vm_object *o, uint64_t index, struct page **out);
	/* The page with a reference if it is there at once, else NULL (fault-around). */
	struct page *(*peek)(struct vm_object *o, uint64_t index);
	/*
	 * Before a shared mapping gets write access to page: marks it dirty. May sleep. 0;
	 * -EAGAIN: the page is not in the object any more; -ENOSPC, -EIO: SIGBUS. NULL: nothing
	 * to do.
	 */
	int (*mkwrite)(struct vm_object *o, uint64_t index, struct page *page);
	/* msync: pages [first, first + count) to stable storage. NULL: nothing to do. */
	int (*sync)(struct vm_object *o, uint64_t first, uint64_t count);
	/* The last reference is gone. May sleep. */
	void (*release)(struct vm_object *o);
};

struct vm_object {
	const struct vm_object_ops *ops;
	_Atomic uint32_t refs;
	_Atomic uint32_t unmap_seq;
	struct mutex maps_lock; /* rank OBJECT_MAPS */
	struct list regions;    /* struct vm_region.in_object; lock: maps_lock */
};

void vm_object_init(struct vm_object *o, const struct vm_object_ops *ops);
void vm_object_get(struct vm_object *o);
/* May sleep. */
void vm_object_put(struct vm_object *o);

/*
 * Takes [first, first + count) out of all page tables (count UINT64_MAX: to the end). cow: also the
 * private copies (truncation); else only pages of the object itself. May sleep; lock up to rank
 * PAGE_CACHE may be held.
 */
void vm_object_unmap(struct vm_object *o, uint64_t first, uint64_t count, bool cow);
/*
 * Takes write access away from the shared mappings of the range, before its pages are written;
 * how many were writable.
 */
unsigned vm_object_write_protect(struct vm_object *o, uint64_t first, uint64_t count);
/* Is it mapped anywhere? A hint. */
bool vm_object_mapped(struct vm_object *o);

/* Shared anonymous memory of count pages, with one reference; NULL: no memory. */
struct vm_object *vm_shared_create(uint64_t count) MUST_CHECK;

#endif
