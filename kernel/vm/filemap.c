/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Mapped files: the object of a vnode, over the page cache. There is at most one for a vnode, on
 * its page cache's list of areas, from the first mapping to the last; it holds the vnode.
 *
 * The page cache calls back to take entries away (truncation, invalidation, reclaim) and to protect
 * pages before it writes them; see page_cache_vm_ops for what it holds then.
 */
#include "vm/filemap.h"

#include "lib/errno.h"
#include "mm/slab.h"
#include "sync/spinlock.h"
#include "vfs/errors.h"
#include "vfs/page_cache.h"
#include "vfs/vnode.h"
#include "vm/space.h"

struct filemap {
	struct vm_object object;
	struct vnode *vn; /* a reference */
	struct list area; /* in vn->pages.areas; lock: areas_lock */
};

/* All lists of areas. Held for a few instructions. */
static struct spinlock areas_lock = SPINLOCK_INIT(LOCK_RANK_SPIN_DEV);

static struct filemap *of(struct vm_object *o)
{
	return container_of(o, struct filemap, object);
}

static int filemap_get(struct vm_object *o, uint64_t index, struct page **out)
{
	int err = page_cache_get(of(o)->vn, index, out);

	return err == -VFS_EFAULT ? -ENXIO : err;
}

static struct page *filemap_peek(struct vm_object *o, uint64_t index)
{
	return page_cache_find(of(o)->vn, index);
}

static int filemap_mkwrite(struct vm_object *o, uint64_t index, struct page *page)
{
	int err = page_cache_make_dirty(of(o)->vn, page);

	(void)index;
	return err == -VFS_ESTALE ? -EAGAIN : err;
}

static int filemap_sync(struct vm_object *o, uint64_t first, uint64_t count)
{
	struct vnode *vn = of(o)->vn;
	int err = page_cache_flush(vn, first << PAGE_SHIFT, count << PAGE_SHIFT);

	if (!err && vn->ops->fsync)
		err = vn->ops->fsync(vn, true);
	return err;
}

static void filemap_release(struct vm_object *o)
{
	struct filemap *m = of(o);

	spin_lock(&areas_lock);
	list_del(&m->area);
	atomic_fetch_sub_explicit(&m->vn->pages.mappings, 1, memory_order_relaxed);
	spin_unlock(&areas_lock);
	vnode_put(m->vn);
	mm_free(m);
}

static const struct vm_object_ops filemap_ops = {
	.get = filemap_get,
	.peek = filemap_peek,
	.mkwrite = filemap_mkwrite,
	.sync = filemap_sync,
	.release = filemap_release,
};

/* The vnode's object with a reference, NULL: it has none. areas_lock held. */
static struct vm_object *find_locked(struct vnode *vn)
{
	struct list *l;

	list_for_each (l, &vn->pages.areas) {
		struct vm_object *o = &list_entry(l, struct filemap, area)->object;
		uint32_t n = atomic_load_explicit(&o->refs, memory_order_relaxed);

		/* One whose last reference is gone waits for the lock in filemap_release. */
		while (n && !atomic_compare_exchange_weak_explicit(&o->refs, &n, n + 1,
								   memory_order_acquire,
								   memory_order_relaxed))
			;
		if (n)
			return o;
	}
	return NULL;
}

static struct vm_object *find(struct vnode *vn)
{
	struct vm_object *o;

	spin_lock(&areas_lock);
	o = find_locked(vn);
	spin_unlock(&areas_lock);
	return o;
}

struct vm_object *filemap_object(struct vnode *vn)
{
	struct vm_object *o = find(vn);
	struct filemap *m;

	if (o)
		return o;
	m = mm_alloc(sizeof(*m), MM_ZERO);
	if (!m)
		return NULL;
	vm_object_init(&m->object, &filemap_ops);
	m->vn = vnode_ref(vn);
	spin_lock(&areas_lock);
	o = find_locked(vn);
	if (!o) {
		list_add_head(&vn->pages.areas, &m->area);
		atomic_fetch_add_explicit(&vn->pages.mappings, 1, memory_order_relaxed);
	}
	spin_unlock(&areas_lock);
	if (!o)
		return &m->object;
	vnode_put(m->vn);
	mm_free(m);
	return o;
}

static uint64_t count_of(uint64_t first, uint64_t last)
{
	return last - first == UINT64_MAX ? UINT64_MAX : last - first + 1;
}

static void cache_unmap(struct vnode *vn, uint64_t first, uint64_t last, bool even_private)
{
	struct vm_object *o = find(vn);

	if (!o)
		return;
	vm_object_unmap(o, first, count_of(first, last), even_private);
	vm_object_put(o);
}

static unsigned cache_protect(struct vnode *vn, uint64_t first, uint64_t last)
{
	struct vm_object *o = find(vn);
	unsigned n;

	if (!o)
		return 0;
	n = vm_object_write_protect(o, first, count_of(first, last));
	vm_object_put(o);
	return n;
}

static const struct page_cache_vm_ops cache_ops = {cache_unmap, cache_protect};

void filemap_init(void)
{
	page_cache_install_vm(&cache_ops);
}
