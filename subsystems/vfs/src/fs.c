/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * File-system types and instances; the publishing window (vfs/fs.h).
 *
 * FS-1  An instance is on the list of all from vfs_fs_init until its last reference is gone.
 * FS-2  seq is odd exactly while a publisher holds fs->publish.
 * FS-3  When ops->unmount runs, the instance has no vnodes and no cached names.
 */
#include "vfs/fs.h"

#include "port/log.h"
#include "vfs_priv.h"

static struct port_mutex fs_lock; /* rank VNODE_META: types and instances */
static struct list fs_types = LIST_INIT(fs_types);
static struct list fs_all = LIST_INIT(fs_all);
static _Atomic uint32_t anon_minor;

int vfs_init(void)
{
	int err;

	port_mutex_init(&fs_lock, LOCK_RANK_VNODE_META, "fs list");
	err = names_init();
	if (!err)
		err = page_cache_start();
	if (!err)
		err = mounts_init();
	if (!err)
		err = walk_init();
	return err;
}

char *vfs_strdup(const char *s, size_t len)
{
	char *p = port_alloc(len + 1);

	if (p) {
		memcpy(p, s, len);
		p[len] = 0;
	}
	return p;
}

char *vfs_strcpy_to(char *dst, const char *end, const char *src)
{
	while (*src && dst + 1 < end)
		*dst++ = *src++;
	*dst = 0;
	return dst;
}

struct vfs_time vfs_now(void)
{
	int64_t ns = port_wallclock();
	int64_t sec = ns / (int64_t)PORT_NS_PER_SEC;

	return (struct vfs_time){sec, (uint32_t)(ns - sec * (int64_t)PORT_NS_PER_SEC)};
}

uint32_t vfs_anon_dev(void)
{
	uint32_t n = atomic_fetch_add_explicit(&anon_minor, 1, memory_order_relaxed) + 1;

	return vfs_dev(0, n & 0xfffff);
}

void vfs_fs_register(struct vfs_fs_type *type)
{
	port_mutex_lock(&fs_lock);
	list_add_tail(&fs_types, &type->link);
	port_mutex_unlock(&fs_lock);
}

const struct vfs_fs_type *vfs_fs_find_type(const char *name)
{
	struct vfs_fs_type *t;
	const struct vfs_fs_type *found = NULL;

	port_mutex_lock(&fs_lock);
	list_for_each_entry (t, &fs_types, struct vfs_fs_type, link) {
		if (vfs_streq(t->name, name)) {
			found = t;
			break;
		}
	}
	port_mutex_unlock(&fs_lock);
	return found;
}

void vfs_fs_for_each_type(void (*fn)(const struct vfs_fs_type *t, void *arg), void *arg)
{
	struct vfs_fs_type *t;

	port_mutex_lock(&fs_lock);
	list_for_each_entry (t, &fs_types, struct vfs_fs_type, link)
		fn(t, arg);
	port_mutex_unlock(&fs_lock);
}

int vfs_fs_init(struct vfs_fs *fs, const struct vfs_fs_type *type, const struct vfs_fs_ops *ops)
{
	int err;

	fs->type = type;
	fs->ops = ops;
	if (!fs->dev)
		fs->dev = vfs_anon_dev();
	port_mutex_init(&fs->publish, LOCK_RANK_NONE, "publish");
	port_mutex_init(&fs->rename, LOCK_RANK_RENAME, "rename");
	err = vnodes_init_fs(fs);
	if (err)
		return err;
	atomic_store_explicit(&fs->refs, 1, memory_order_relaxed);
	port_mutex_lock(&fs_lock);
	list_add_tail(&fs_all, &fs->all);
	port_mutex_unlock(&fs_lock);
	return 0;
}

void vfs_fs_fini(struct vfs_fs *fs)
{
	port_mutex_lock(&fs_lock);
	list_del(&fs->all);
	port_mutex_unlock(&fs_lock);
	vnode_put(fs->root);
	fs->root = NULL;
	names_remove_fs(fs);
	vnodes_evict_fs(fs); /* FS-3 */
	port_mutex_fini(&fs->publish);
	port_mutex_fini(&fs->rename);
}

void vfs_fs_get(struct vfs_fs *fs)
{
	atomic_fetch_add_explicit(&fs->refs, 1, memory_order_relaxed);
}

void vfs_fs_put(struct vfs_fs *fs)
{
	if (!fs)
		return;
	/* acq_rel: the last one sees what all others did */
	if (atomic_fetch_sub_explicit(&fs->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (vfs_fs_sync(fs))
		port_log(PORT_LOG_ERROR, "vfs: %s: the last write-back failed", fs->source);
	if (fs->ops->shutdown)
		fs->ops->shutdown(fs);
	vfs_fs_fini(fs);
	fs->ops->unmount(fs);
}

/* A reference unless the instance is on its way out. */
static bool fs_tryget(struct vfs_fs *fs)
{
	uint32_t n = atomic_load_explicit(&fs->refs, memory_order_relaxed);

	while (n) {
		if (atomic_compare_exchange_weak_explicit(&fs->refs, &n, n + 1,
							  memory_order_acquire,
							  memory_order_relaxed))
			return true;
	}
	return false;
}

/* The first instance behind prev on the list (or the first) with a reference. */
static struct vfs_fs *fs_next(struct vfs_fs *prev)
{
	struct list *pos;
	struct vfs_fs *found = NULL;

	port_mutex_lock(&fs_lock);
	for (pos = prev ? prev->all.next : fs_all.next; pos != &fs_all && !found; pos = pos->next) {
		struct vfs_fs *fs = list_entry(pos, struct vfs_fs, all);

		if (fs_tryget(fs))
			found = fs;
	}
	port_mutex_unlock(&fs_lock);
	return found;
}

void fs_for_each(void (*fn)(struct vfs_fs *fs, void *arg), void *arg)
{
	struct vfs_fs *fs = fs_next(NULL);

	while (fs) {
		struct vfs_fs *next;

		fn(fs, arg);
		next = fs_next(fs);
		vfs_fs_put(fs);
		fs = next;
	}
}

int vfs_fs_sync(struct vfs_fs *fs)
{
	int err = vnodes_flush_fs(fs);

	if (fs->ops->sync) {
		int e = fs->ops->sync(fs);

		if (!err)
			err = e;
	}
	return err;
}

static void sync_one(struct vfs_fs *fs, void *arg)
{
	int *err = arg;
	int e = vfs_fs_sync(fs);

	if (!*err)
		*err = e;
}

int vfs_sync_all(void)
{
	int err = 0;

	fs_for_each(sync_one, &err);
	return err;
}

static void shrink_one(struct vfs_fs *fs, void *arg)
{
	vnodes_shrink_fs(fs, *(size_t *)arg);
}

void vfs_shrink(size_t want)
{
	names_shrink(want);
	fs_for_each(shrink_one, &want);
}

void vfs_publish_begin(struct vfs_fs *fs)
{
	port_mutex_lock(&fs->publish);
	/* seq_cst: the new state is not visible before the odd number; pairs with vfs_seq_begin */
	atomic_fetch_add_explicit(&fs->seq, 1, memory_order_seq_cst); /* FS-2 */
}

void vfs_publish_end(struct vfs_fs *fs)
{
	atomic_fetch_add_explicit(&fs->seq, 1, memory_order_seq_cst);
	port_mutex_unlock(&fs->publish);
}

uint64_t vfs_seq_begin(struct vfs_fs *fs)
{
	uint64_t seq = atomic_load_explicit(&fs->seq, memory_order_acquire);

	if ((seq & 1) && port_mutex_held(&fs->publish))
		return seq; /* the publisher itself: nothing changes behind its back */
	while (seq & 1) {
		/* The publisher holds the mutex until the number is even (FS-2). */
		port_mutex_lock(&fs->publish);
		port_mutex_unlock(&fs->publish);
		seq = atomic_load_explicit(&fs->seq, memory_order_acquire);
	}
	return seq;
}

void vfs_invalidate_entry(struct vnode *dir, const char *name, size_t len)
{
	names_remove(dir, name, len);
}

void vfs_invalidate_dir(struct vnode *dir)
{
	names_remove_dir(dir);
}

void vfs_invalidate_vnode(struct vnode *vn, bool pages)
{
	vnode_drop_attr(vn);
	if (pages)
		page_cache_invalidate(vn, 0, UINT64_MAX, false);
}

void vfs_invalidate_all(struct vfs_fs *fs)
{
	names_remove_fs(fs);
	vnodes_invalidate_fs(fs);
}

void vfs_fs_kill(struct vfs_fs *fs)
{
	vnodes_kill_fs(fs);
	names_remove_fs(fs);
}
