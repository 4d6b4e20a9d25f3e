/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The page cache: pages of regular files by (vnode, page index). docs/kernel/page-cache.md.
 *
 * States of a cached page (flags of struct page): LOCKED (being filled; not yet readable) ->
 * UPTODATE (clean) -> DIRTY (a shared mapping may store to it) -> WRITEBACK (a copy is being written)
 * -> clean. A page that was taken out of the cache (truncated, invalidated, reclaimed) has owner NULL;
 * who still holds a reference may go on reading it.
 *
 * page->owner = the vnode, page->index = index, page->lru = the reclaim list, page->maps = how many
 * page-table entries show it (counted by the vm). The cache holds one reference to each page.
 */
#ifndef VFS_PAGE_CACHE_H
#define VFS_PAGE_CACHE_H

#include "base/types.h"
#include "mm/page.h"
#include "port/sync.h"

struct vnode;
struct page_node;

struct page_cache {
	struct port_mutex lock;   /* rank PAGE_CACHE; all members */
	struct port_cond changed; /* a page was unlocked, or its write-back ended */
	struct page_node *root;
	uint32_t height;
	uint64_t count;
	uint64_t dirty;
	uint64_t next_read; /* index after the last sequential read: read-ahead */
	_Atomic uint32_t
		mappings;  /* areas that map this file; kept by vm with page_cache_map/unmap */
	struct list areas; /* vm's own list of the areas; lock: vm's */
};

/*
 * Installed by the vm at start. Each removes (unmap) or write-protects (clean) all page-table entries
 * that show pages [first, last] of vn, in every space, and has flushed the TLBs on return.
 * Called without page_cache.lock, but within a publisher's window and with vnode locks held, so they
 * must not take a lock that is held around page_cache_get (an address space's). even_private: also private copies (truncate) are discarded.
 */
struct page_cache_vm_ops {
	void (*unmap)(struct vnode *vn, uint64_t first, uint64_t last, bool even_private);
	/* Returns how many of them were writable. */
	unsigned (*protect)(struct vnode *vn, uint64_t first, uint64_t last);
};
void page_cache_install_vm(const struct page_cache_vm_ops *ops);

/*
 * Page faults: the page at index, up to date, with a reference for the caller. Reads ahead.
 * -VFS_EFAULT: past the end of the file (SIGBUS); -VFS_EIO; -VFS_ENOMEM; -VFS_ESTALE. May sleep, with no
 * lock above VNODE held.
 */
int page_cache_get(struct vnode *vn, uint64_t index, struct page **out) MUST_CHECK;
/* The same without I/O and without sleeping on it: NULL if it is not there and up to date. */
struct page *page_cache_find(struct vnode *vn, uint64_t index) MUST_CHECK;
/*
 * A shared mapping is about to allow stores to page (which the caller holds a reference to): makes it
 * dirty. -VFS_ESTALE: no longer the file's page, look it up again; -VFS_EROFS, -VFS_ENOSPC.
 */
int page_cache_make_dirty(struct vnode *vn, struct page *page) MUST_CHECK;

/* Writes the dirty pages of [off, off + len) (len 0: to the end) with ops->writepage: msync, fsync. */
int page_cache_flush(struct vnode *vn, uint64_t off, uint64_t len) MUST_CHECK;

/* For the core of the VFS. */
void page_cache_init(struct page_cache *pc);
/* New file contents [off, off + len) from data, or zeros (data NULL), into pages that are cached. */
void page_cache_update(struct vnode *vn, uint64_t off, const void *data, size_t len);
/* The file now ends at size: pages beyond leave, the rest of the last one becomes zeros. */
void page_cache_truncate(struct vnode *vn, uint64_t size);
/* Takes pages [first, last] out (not: dirty ones unless force) and unmaps them. */
void page_cache_invalidate(struct vnode *vn, uint64_t first, uint64_t last, bool force);
/* Memory file systems: the page at index, made of zeros if there is none; marked dirty for good. */
int page_cache_grab(struct vnode *vn, uint64_t index, struct page **out) MUST_CHECK;
/* The next index at or after index that has a page; UINT64_MAX: none. */
uint64_t page_cache_next(struct vnode *vn, uint64_t index);
/* All pages leave, dirty or not; nobody uses the vnode. */
void page_cache_drop_all(struct vnode *vn);
/* Cached pages of all files (for /proc/meminfo), and dirty ones. */
void page_cache_stats(uint64_t *pages, uint64_t *dirty);

#endif
