/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The page cache (vfs/page_cache.h, docs/kernel/page-cache.md).
 *
 * Each vnode has a tree of its pages under pages.lock (rank PAGE_CACHE). Clean pages of all files that
 * can be read again are on one reclaim list (rank PAGE_LRU), oldest first, with a second chance.
 *
 * PC-1  A page in a tree has owner == vnode, index, and one reference of the cache. Out of the tree:
 *       owner NULL. Both change under pages.lock.
 * PC-2  LOCKED is set from insertion to the end of the fill; only the filler clears it. A page
 *       becomes UPTODATE only if it is still in the tree and nothing was published since the fill
 *       began: otherwise it is taken out and filled again.
 * PC-3  A change of the file (write, truncate) first changes the file system, then the cached pages, under
 *       vn->lock; it waits for LOCKED pages in its range, so that an older fill cannot overwrite it.
 * PC-4  Pages of a memory file system are DIRTY for good and never on the reclaim list.
 * PC-5  A page on the reclaim list is in the tree of its owner; a vnode's pages leave the list before
 *       the vnode is freed. So reclaim, which holds the list's lock, may look at the owner.
 * PC-6  A page is written from a copy: stores through mappings go on meanwhile.
 *
 * Reclaim has two parts. The direct one runs inside any allocation and takes clean pages that nobody maps,
 * with trylocks only. The slow one runs where nothing is held (the background thread, a fault that
 * found no memory): it writes dirty pages, takes pages out of the mappings, and trims unused vnodes and names.
 */
#include "vfs/page_cache.h"

#include "vfs_priv.h"

#define READ_AHEAD 32u /* pages filled at once at most */
#define CLUSTER 32u    /* pages written and unmapped at once by slow reclaim */
#define SCAN_MIN 1024u /* pages that one direct reclaim looks at, if an eighth of all is less */
#define PAGE MM_PAGE_SIZE

static const struct page_cache_vm_ops *vm_ops;
static struct port_mutex lru_lock;                   /* rank PAGE_LRU */
static struct list lru_pages = LIST_INIT(lru_pages); /* lock: lru_lock */
static struct mm_reclaimer reclaimer;
static _Atomic uint64_t total_pages;
static _Atomic uint64_t total_dirty;

void page_cache_install_vm(const struct page_cache_vm_ops *ops)
{
	vm_ops = ops;
}

void page_cache_init(struct page_cache *pc)
{
	port_mutex_init(&pc->lock, LOCK_RANK_PAGE_CACHE, "page cache");
	port_cond_init(&pc->changed);
	list_init(&pc->areas);
}

void page_cache_stats(uint64_t *pages, uint64_t *dirty)
{
	*pages = atomic_load_explicit(&total_pages, memory_order_relaxed);
	*dirty = atomic_load_explicit(&total_dirty, memory_order_relaxed);
}

static bool is_memory(const struct vnode *vn)
{
	return (atomic_load_explicit(&vn->fs->flags, memory_order_relaxed) & VFS_FS_MEMORY) != 0;
}

static bool is_dead(const struct vnode *vn)
{
	return (atomic_load_explicit(&vn->flags, memory_order_relaxed) & VNODE_DEAD) != 0;
}

/* --- Pages in and out of a tree; under pages.lock --- */

static int insert_page(struct vnode *vn, uint64_t index, struct page *page)
{
	int err = tree_insert(&vn->pages, index, page);

	if (err)
		return err;
	page->owner = vn;
	page->index = index;
	list_init(&page->lru);
	vn->pages.count++;
	atomic_fetch_add_explicit(&total_pages, 1, memory_order_relaxed);
	return 0;
}

static void clear_dirty(struct vnode *vn, struct page *page)
{
	if (mm_page_test_flag(page, MM_PAGE_DIRTY)) {
		mm_page_clear_flag(page, MM_PAGE_DIRTY);
		vn->pages.dirty--;
		atomic_fetch_sub_explicit(&total_dirty, 1, memory_order_relaxed);
	}
}

static void set_dirty(struct vnode *vn, struct page *page)
{
	if (!mm_page_test_flag(page, MM_PAGE_DIRTY)) {
		mm_page_set_flag(page, MM_PAGE_DIRTY);
		vn->pages.dirty++;
		atomic_fetch_add_explicit(&total_dirty, 1, memory_order_relaxed);
	}
}

/* Takes it out of the tree; the cache's reference goes to the caller (PC-1). */
static void detach_page(struct vnode *vn, struct page *page)
{
	clear_dirty(vn, page);
	tree_remove(&vn->pages, page->index);
	port_mutex_lock(&lru_lock);
	list_del(&page->lru);
	port_mutex_unlock(&lru_lock);
	page->owner = NULL;
	vn->pages.count--;
	atomic_fetch_sub_explicit(&total_pages, 1, memory_order_relaxed);
}

static void to_lru(struct page *page)
{
	port_mutex_lock(&lru_lock);
	list_del(&page->lru);
	list_add_tail(&lru_pages, &page->lru);
	port_mutex_unlock(&lru_lock);
}

/* --- Filling --- */

/*
 * Puts up to READ_AHEAD new locked pages from index on into the tree, each with a second reference for the
 * filler. Returns how many (0: no memory). Under pages.lock; [index] is not there.
 */
static unsigned prepare_fill(struct vnode *vn, uint64_t index, uint64_t size, struct page **pages)
{
	uint64_t end = (size + PAGE - 1) / PAGE;
	unsigned want = vn->pages.next_read == index ? READ_AHEAD : READ_AHEAD / 4;
	unsigned n = 0;

	while (n < want && index + n < end && !(n && tree_get(&vn->pages, index + n))) {
		struct page *page = mm_page_alloc(0, MM_NORMAL);

		if (!page)
			break;
		mm_page_set_flag(page, MM_PAGE_LOCKED);
		if (insert_page(vn, index + n, page)) {
			mm_page_put(page);
			break;
		}
		mm_page_get(page);
		pages[n++] = page;
		if (n > 1 && mm_low())
			break;
	}
	vn->pages.next_read = index + n;
	return n;
}

/* The end of a fill (PC-2). Gives the filler's references back. */
static void finish_fill(struct vnode *vn, struct page **pages, unsigned n, bool good)
{
	port_mutex_lock(&vn->pages.lock);
	for (unsigned i = 0; i < n; i++) {
		mm_page_clear_flag(pages[i], MM_PAGE_LOCKED);
		if (pages[i]->owner != vn)
			continue;
		if (good) {
			mm_page_set_flag(pages[i], MM_PAGE_UPTODATE);
			to_lru(pages[i]);
		} else {
			detach_page(vn, pages[i]);
			mm_page_put(pages[i]);
		}
	}
	port_cond_broadcast(&vn->pages.changed);
	port_mutex_unlock(&vn->pages.lock);
	for (unsigned i = 0; i < n; i++)
		mm_page_put(pages[i]);
}

/* Fills from index on. 0: look again. Called with pages.lock held, returns without it. */
static int fill(struct vnode *vn, uint64_t index, uint64_t size) RELEASES(&vn->pages.lock)
{
	struct page *pages[READ_AHEAD];
	unsigned n = prepare_fill(vn, index, size, pages);
	uint64_t seq;
	int err;

	port_mutex_unlock(&vn->pages.lock);
	if (n == 0)
		return -VFS_ENOMEM;
	seq = vfs_seq_begin(vn->fs);
	err = vn->ops->readpages(vn, index, pages, n);
	if (err && n > 1) { /* the fault may be in the read-ahead: once more for what was asked */
		finish_fill(vn, pages + 1, n - 1, false);
		n = 1;
		err = vn->ops->readpages(vn, index, pages, 1);
	}
	finish_fill(vn, pages, n, !err && !vfs_seq_retry(vn->fs, seq));
	return err;
}

int page_cache_get(struct vnode *vn, uint64_t index, struct page **out)
{
	for (;;) {
		struct page *page;
		uint64_t size;
		int err = is_dead(vn) ? -VFS_ESTALE : vnode_size(vn, &size);

		if (!err && !is_memory(vn) && !vn->ops->readpages)
			err = -VFS_ENODEV;
		if (err)
			return err;
		if (index >= (size + PAGE - 1) / PAGE)
			return -VFS_EFAULT;
		if (is_memory(vn))
			return page_cache_grab(vn, index, out);
		port_mutex_lock(&vn->pages.lock);
		page = tree_get(&vn->pages, index);
		if (page && mm_page_test_flag(page, MM_PAGE_UPTODATE)) {
			mm_page_get(page);
			mm_page_set_flag(page, MM_PAGE_ACCESSED);
			port_mutex_unlock(&vn->pages.lock);
			*out = page;
			return 0;
		}
		if (page) {
			port_cond_wait(&vn->pages.changed, &vn->pages.lock);
			port_mutex_unlock(&vn->pages.lock);
			continue;
		}
		err = fill(vn, index, size);
		if (err)
			return err;
	}
}

struct page *page_cache_find(struct vnode *vn, uint64_t index)
{
	struct page *page;

	port_mutex_lock(&vn->pages.lock);
	page = tree_get(&vn->pages, index);
	if (page && mm_page_test_flag(page, MM_PAGE_UPTODATE))
		mm_page_get(page);
	else
		page = NULL;
	port_mutex_unlock(&vn->pages.lock);
	return page;
}

int page_cache_grab(struct vnode *vn, uint64_t index, struct page **out)
{
	struct page *page;
	int err = 0;

	port_mutex_lock(&vn->pages.lock);
	page = tree_get(&vn->pages, index);
	if (!page) {
		page = mm_page_alloc(0, MM_NORMAL | MM_ZERO);
		err = page ? insert_page(vn, index, page) : -VFS_ENOMEM;
		if (err && page)
			mm_page_put(page);
		if (!err) {
			mm_page_set_flag(page, MM_PAGE_UPTODATE);
			set_dirty(vn, page); /* PC-4 */
		}
	}
	if (!err) {
		mm_page_get(page);
		*out = page;
	}
	port_mutex_unlock(&vn->pages.lock);
	return err;
}

uint64_t page_cache_next(struct vnode *vn, uint64_t index)
{
	struct page *page;
	uint64_t found;

	port_mutex_lock(&vn->pages.lock);
	page = tree_next(&vn->pages, index);
	found = page ? page->index : UINT64_MAX;
	port_mutex_unlock(&vn->pages.lock);
	return found;
}

/* --- Changes of the file --- */

/* Waits until the page at index is not being filled; NULL: not cached. Under pages.lock. */
static struct page *settled(struct vnode *vn, uint64_t index) REQUIRES(&vn->pages.lock)
{
	struct page *page = tree_get(&vn->pages, index);

	while (page && mm_page_test_flag(page, MM_PAGE_LOCKED)) {
		port_cond_wait(&vn->pages.changed, &vn->pages.lock);
		page = tree_get(&vn->pages, index);
	}
	return page;
}

void page_cache_update(struct vnode *vn, uint64_t off, const void *data, size_t len)
{
	const uint8_t *src = data;

	port_mutex_lock(&vn->pages.lock);
	while (len && vn->pages.count) {
		size_t in = (size_t)(off % PAGE);
		size_t n = MIN(len, PAGE - in);
		struct page *page = settled(vn, off / PAGE);

		if (page && src)
			memcpy((uint8_t *)mm_page_data(page) + in, src, n);
		else if (page)
			memset((uint8_t *)mm_page_data(page) + in, 0, n);
		off += n;
		len -= n;
		if (src)
			src += n;
	}
	port_mutex_unlock(&vn->pages.lock);
}

/* Moves the pages [first, last] (clean ones, or all with force) out of the tree to a list. */
static void detach_range(struct vnode *vn, uint64_t first, uint64_t last, bool force,
			 struct list *out)
{
	struct page *page;

	port_mutex_lock(&vn->pages.lock);
	while ((page = tree_next(&vn->pages, first)) && page->index <= last) {
		first = page->index + 1;
		if (force || !mm_page_test_flag(page, MM_PAGE_DIRTY)) {
			detach_page(vn, page);
			list_add_tail(out, &page->lru);
		}
		if (first == 0)
			break;
	}
	port_cond_broadcast(&vn->pages.changed);
	port_mutex_unlock(&vn->pages.lock);
}

static void release_pages(struct list *pages)
{
	while (!list_empty(pages)) {
		struct page *page = list_first(pages, struct page, lru);

		list_del(&page->lru);
		mm_page_put(page);
	}
}

static void unmap(struct vnode *vn, uint64_t first, uint64_t last, bool even_private)
{
	if (vm_ops && atomic_load_explicit(&vn->pages.mappings, memory_order_acquire))
		vm_ops->unmap(vn, first, last, even_private);
}

void page_cache_truncate(struct vnode *vn, uint64_t size)
{
	struct list gone = LIST_INIT(gone);
	uint64_t first = size / PAGE + (size % PAGE != 0);
	struct page *page;

	if (size % PAGE) {
		port_mutex_lock(&vn->pages.lock);
		page = settled(vn, size / PAGE);
		if (page)
			memset((uint8_t *)mm_page_data(page) + size % PAGE, 0, PAGE - size % PAGE);
		port_mutex_unlock(&vn->pages.lock);
	}
	/* First out of the cache, so that a fault finds the new size; then out of the mappings. */
	detach_range(vn, first, UINT64_MAX, true, &gone);
	unmap(vn, first, UINT64_MAX, true);
	release_pages(&gone);
}

void page_cache_invalidate(struct vnode *vn, uint64_t first, uint64_t last, bool force)
{
	struct list gone = LIST_INIT(gone);

	if (is_memory(vn) && !force)
		return;
	detach_range(vn, first, last, force, &gone);
	unmap(vn, first, last, false);
	release_pages(&gone);
}

void page_cache_drop_all(struct vnode *vn)
{
	struct list gone = LIST_INIT(gone);

	detach_range(vn, 0, UINT64_MAX, true, &gone);
	release_pages(&gone);
}

/* --- Dirty pages --- */

int page_cache_make_dirty(struct vnode *vn, struct page *page)
{
	bool publishing;
	int err = 0;

	if (!is_memory(vn) && !vn->ops->writepage)
		return -VFS_EROFS;
	port_mutex_lock(&vn->pages.lock);
	/*
	 * Not while something is published: the publisher has written the dirty pages (it took this lock after
	 * the number became odd) and takes the others away.
	 */
	publishing = atomic_load_explicit(&vn->fs->seq, memory_order_seq_cst) & 1;
	if (page->owner == vn && !publishing)
		set_dirty(vn, page);
	else
		err = -VFS_ESTALE;
	port_mutex_unlock(&vn->pages.lock);
	if (publishing)
		(void)vfs_seq_begin(vn->fs); /* waits; the fault is tried again then */
	return err;
}

/* Takes the next dirty page at or after *index as clean, with a reference; NULL: none up to last. */
static struct page *next_dirty(struct vnode *vn, uint64_t *index, uint64_t last)
{
	struct page *page = NULL;

	port_mutex_lock(&vn->pages.lock);
	while (vn->pages.dirty && (page = tree_next(&vn->pages, *index)) && page->index <= last) {
		*index = page->index + 1;
		if (mm_page_test_flag(page, MM_PAGE_DIRTY)) {
			clear_dirty(vn, page);
			mm_page_set_flag(page, MM_PAGE_WRITEBACK);
			mm_page_get(page);
			port_mutex_unlock(&vn->pages.lock);
			return page;
		}
	}
	port_mutex_unlock(&vn->pages.lock);
	return NULL;
}

static int write_page(struct vnode *vn, struct page *page, void *copy)
{
	uint64_t off = page->index * PAGE;
	uint64_t size;
	int err = vnode_size(vn, &size);

	if (err || off >= size)
		return err;
	/* A store after this makes a fault, and the page dirty again. */
	if (vm_ops && atomic_load_explicit(&vn->pages.mappings, memory_order_acquire))
		(void)vm_ops->protect(vn, page->index, page->index);
	memcpy(copy, mm_page_data(page), PAGE); /* PC-6 */
	return vn->ops->writepage(vn, page->index, copy, (size_t)MIN(size - off, PAGE));
}

int page_cache_flush(struct vnode *vn, uint64_t off, uint64_t len)
{
	uint64_t index = off / PAGE;
	uint64_t last = len && off + len > off ? (off + len - 1) / PAGE : UINT64_MAX;
	struct page *page;
	void *copy = NULL;
	int err = 0;

	if (is_memory(vn) || !vn->pages.dirty || !vn->ops->writepage)
		return 0;
	copy = port_alloc_pages(1);
	if (!copy)
		return -VFS_ENOMEM;
	while ((page = next_dirty(vn, &index, last))) {
		int e = write_page(vn, page, copy);

		port_mutex_lock(&vn->pages.lock);
		mm_page_clear_flag(page, MM_PAGE_WRITEBACK);
		if (e && page->owner == vn)
			set_dirty(vn, page);
		port_cond_broadcast(&vn->pages.changed);
		port_mutex_unlock(&vn->pages.lock);
		mm_page_put(page);
		if (e && !err)
			err = e;
	}
	port_free_pages(copy, 1);
	return err;
}

/* --- Reclaim --- */

/* May it go? Under lru_lock and its owner's pages.lock. */
static bool reclaimable(struct page *page)
{
	return !mm_page_test_flag(page, MM_PAGE_DIRTY | MM_PAGE_LOCKED | MM_PAGE_WRITEBACK) &&
	       atomic_load_explicit(&page->refs, memory_order_acquire) == 1 &&
	       atomic_load_explicit(&page->maps, memory_order_acquire) == 0;
}

/* Frees the page if nobody uses it. Under lru_lock. */
static bool try_reclaim(struct page *page) NO_THREAD_SAFETY
{
	struct vnode *vn = page->owner; /* PC-5 */
	bool freed = false;

	if (mm_page_test_flag(page, MM_PAGE_ACCESSED)) {
		mm_page_clear_flag(page, MM_PAGE_ACCESSED);
		return false;
	}
	if (port_mutex_held(&vn->pages.lock) || !port_mutex_trylock(&vn->pages.lock))
		return false;
	if (reclaimable(page)) {
		tree_remove(&vn->pages, page->index);
		list_del(&page->lru);
		page->owner = NULL;
		vn->pages.count--;
		atomic_fetch_sub_explicit(&total_pages, 1, memory_order_relaxed);
		freed = true;
	}
	port_mutex_unlock(&vn->pages.lock);
	if (freed)
		mm_page_put(page);
	return freed;
}

/* Called by mm in any thread, maybe with VFS locks held: only trylocks (mm/page.h). */
static size_t reclaim(struct mm_reclaimer *r, size_t want) NO_THREAD_SAFETY
{
	size_t freed = 0;
	uint64_t scan = atomic_load_explicit(&total_pages, memory_order_relaxed) / 8;

	/* Not all: where most pages are mapped or dirty every allocation would look at each of them. */
	scan = MAX(scan, SCAN_MIN);
	(void)r;
	if (port_mutex_held(&lru_lock) || !port_mutex_trylock(&lru_lock))
		return 0;
	while (freed < want && scan-- && !list_empty(&lru_pages)) {
		struct page *page = list_first(&lru_pages, struct page, lru);

		/* To the end first: a page that stays has had its turn. */
		list_del(&page->lru);
		list_add_tail(&lru_pages, &page->lru);
		if (try_reclaim(page))
			freed++;
	}
	port_mutex_unlock(&lru_lock);
	return freed;
}

/* The oldest page whose second chance is over, with a reference, and its vnode with one; NULL: none. */
static struct page *oldest(struct vnode **vn, uint64_t *scan)
{
	struct page *found = NULL;

	port_mutex_lock(&lru_lock);
	while (!found && *scan && !list_empty(&lru_pages)) {
		struct page *page = list_first(&lru_pages, struct page, lru);

		(*scan)--;
		list_del(&page->lru);
		list_add_tail(&lru_pages, &page->lru);
		if (mm_page_test_flag(page, MM_PAGE_ACCESSED)) {
			mm_page_clear_flag(page, MM_PAGE_ACCESSED);
		} else if (vnode_tryref(page->owner)) { /* PC-5 */
			mm_page_get(page);
			*vn = page->owner;
			found = page;
		}
	}
	port_mutex_unlock(&lru_lock);
	return found;
}

/* Gives the caller's reference back, and the page if nobody but the cache has one. */
static bool free_unmapped(struct vnode *vn, struct page *page)
{
	bool freed;

	port_mutex_lock(&vn->pages.lock);
	freed = page->owner == vn &&
		!mm_page_test_flag(page, MM_PAGE_DIRTY | MM_PAGE_LOCKED | MM_PAGE_WRITEBACK) &&
		atomic_load_explicit(&page->refs, memory_order_acquire) == 2;
	if (freed) {
		detach_page(vn, page);
		mm_page_put(page);
	}
	port_mutex_unlock(&vn->pages.lock);
	mm_page_put(page);
	return freed;
}

/* With nothing held: see the top. */
static size_t reclaim_slow(struct mm_reclaimer *r, size_t want)
{
	uint64_t scan = atomic_load_explicit(&total_pages, memory_order_relaxed) * 2;
	struct vnode *vn = NULL;
	struct page *page;
	size_t freed = 0;

	(void)r;
	while (freed < want && (page = oldest(&vn, &scan))) {
		uint64_t first = page->index / CLUSTER * CLUSTER;

		/* Its neighbors too, for one flush of the TLBs. An error leaves them dirty, and so in memory. */
		if (mm_page_test_flag(page, MM_PAGE_DIRTY))
			(void)!page_cache_flush(vn, first * PAGE, CLUSTER * PAGE);
		unmap(vn, first, first + CLUSTER - 1, false);
		freed += free_unmapped(vn, page);
		vnode_put(vn);
	}
	if (freed < want)
		vfs_shrink(want - freed);
	return freed;
}

int page_cache_start(void)
{
	port_mutex_init(&lru_lock, LOCK_RANK_PAGE_LRU, "page lru");
	reclaimer.name = "page cache";
	reclaimer.reclaim = reclaim;
	reclaimer.reclaim_slow = reclaim_slow;
	mm_reclaim_register(&reclaimer);
	return 0;
}
