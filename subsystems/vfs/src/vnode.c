/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Vnodes of an instance: the table by inode number, references, unused ones, cached attributes.
 *
 *   vnode_get: not there -> candidate (init, private to the caller) -> in the table, refs 1
 *   vnode_put: refs 0 -> on fs->lru (cached) -> vnode_get: off the list again
 *                     -> VNODE_UNLINKED, VNODE_DEAD, memory needed or unmount: out of the table, evicted
 *
 * VN-1  refs goes from 0 to 1 and from 1 to 0 only under fs->lock.
 * VN-2  A vnode is on fs->lru exactly when it is in the table and refs is 0.
 * VN-3  attr is what ops->getattr gave in an unmoved sequence, or what an operation set; attr_gen
 *       tells a reader that it changed between the asking and the storing. A change of names in a directory
 *       leaves mode, uid and gid of attr as they are (owner_valid): its next user need not ask for them.
 */
#include "vfs/vnode.h"

#include "port/log.h"
#include "vfs/lock.h"
#include "vfs_priv.h"

#define MAX_UNUSED 8192u

static uint32_t bucket_of(uint64_t ino)
{
	return (uint32_t)((ino * 0x9e3779b97f4a7c15u) >> 40) % VFS_VNODE_BUCKETS;
}

int vnodes_init_fs(struct vfs_fs *fs)
{
	fs->table = port_alloc(VFS_VNODE_BUCKETS * sizeof(*fs->table));
	if (!fs->table)
		return -VFS_ENOMEM;
	for (size_t i = 0; i < VFS_VNODE_BUCKETS; i++)
		list_init(&fs->table[i]);
	list_init(&fs->lru);
	list_init(&fs->all);
	fs->unused = 0;
	fs->vnodes = 0;
	port_mutex_init(&fs->lock, LOCK_RANK_VNODE_TABLE, "vnodes");
	return 0;
}

static struct vnode *find_locked(struct vfs_fs *fs, uint64_t ino)
{
	struct vnode *vn;

	list_for_each_entry (vn, &fs->table[bucket_of(ino)], struct vnode, table) {
		if (vn->ino == ino) {
			if (!list_empty(&vn->lru)) {
				list_del(&vn->lru);
				fs->unused--;
			}
			return vnode_ref(vn);
		}
	}
	return NULL;
}

struct vnode *vnode_find(struct vfs_fs *fs, uint64_t ino)
{
	struct vnode *vn;

	port_mutex_lock(&fs->lock);
	vn = find_locked(fs, ino);
	port_mutex_unlock(&fs->lock);
	return vn;
}

bool vnode_tryref(struct vnode *vn)
{
	uint32_t n = atomic_load_explicit(&vn->refs, memory_order_relaxed);

	while (n) {
		if (atomic_compare_exchange_weak_explicit(&vn->refs, &n, n + 1,
							  memory_order_acquire,
							  memory_order_relaxed))
			return true;
	}
	return false;
}

static struct vnode *alloc_vnode(struct vfs_fs *fs, uint64_t ino)
{
	struct vnode *vn = port_alloc_zeroed(sizeof(*vn));

	if (!vn)
		return NULL;
	vn->fs = fs;
	vn->ino = ino;
	atomic_store_explicit(&vn->refs, 1, memory_order_relaxed);
	port_mutex_init(&vn->lock, LOCK_RANK_NONE, "vnode");
	port_mutex_init(&vn->meta, LOCK_RANK_VNODE_META, "vnode meta");
	list_init(&vn->names);
	list_init(&vn->children);
	list_init(&vn->table);
	list_init(&vn->lru);
	page_cache_init(&vn->pages);
	return vn;
}

/* It is in no table and has no references. */
static void free_vnode(struct vnode *vn, bool initialized)
{
	if (initialized) {
		unsigned flags = atomic_load_explicit(&vn->flags, memory_order_relaxed);

		if (vn->pages.dirty && !(flags & (VNODE_UNLINKED | VNODE_DEAD)) &&
		    vn->ops->writepage && page_cache_flush(vn, 0, 0))
			port_log(PORT_LOG_ERROR, "vfs: inode %llu: mapped stores are lost",
				 (unsigned long long)vn->ino);
		page_cache_drop_all(vn);
		vfs_lock_free(vn);
		if (vn->ops->evict)
			vn->ops->evict(vn);
	}
	port_mutex_fini(&vn->pages.lock);
	port_cond_fini(&vn->pages.changed);
	port_mutex_fini(&vn->meta);
	port_mutex_fini(&vn->lock);
	port_free(vn);
}

int vnode_get(struct vfs_fs *fs, uint64_t ino, int (*init)(struct vnode *vn, void *arg), void *arg,
	      struct vnode **out)
{
	struct vnode *vn = vnode_find(fs, ino);
	struct vnode *other;
	int err;

	if (vn) {
		*out = vn;
		return 0;
	}
	vn = alloc_vnode(fs, ino);
	if (!vn)
		return -VFS_ENOMEM;
	err = init(vn, arg);
	if (err) {
		free_vnode(vn, false);
		return err;
	}
	port_mutex_lock(&fs->lock);
	other = find_locked(fs, ino);
	if (!other) {
		list_add_head(&fs->table[bucket_of(ino)], &vn->table);
		fs->vnodes++;
	}
	port_mutex_unlock(&fs->lock);
	if (other) {
		free_vnode(vn, true);
		vn = other;
	}
	*out = vn;
	return 0;
}

/* Takes the oldest unused vnode out of the table; NULL: none. */
static struct vnode *pop_unused(struct vfs_fs *fs, uint32_t keep)
{
	struct vnode *vn = NULL;

	port_mutex_lock(&fs->lock);
	if (fs->unused > keep) {
		vn = list_first(&fs->lru, struct vnode, lru);
		list_del(&vn->lru);
		list_del(&vn->table);
		fs->unused--;
		fs->vnodes--;
	}
	port_mutex_unlock(&fs->lock);
	return vn;
}

void vnode_put(struct vnode *vn)
{
	uint32_t n;
	struct vfs_fs *fs;
	bool evict = false;
	bool trim;

	if (!vn)
		return;
	n = atomic_load_explicit(&vn->refs, memory_order_relaxed);
	while (n > 1) {
		/* release: what this user did is seen by who evicts (acquire below) */
		if (atomic_compare_exchange_weak_explicit(&vn->refs, &n, n - 1,
							  memory_order_release,
							  memory_order_relaxed))
			return;
	}
	fs = vn->fs;
	port_mutex_lock(&fs->lock); /* VN-1 */
	if (atomic_fetch_sub_explicit(&vn->refs, 1, memory_order_acq_rel) != 1) {
		port_mutex_unlock(&fs->lock);
		return;
	}
	if (atomic_load_explicit(&vn->flags, memory_order_relaxed) &
	    (VNODE_UNLINKED | VNODE_DEAD)) {
		evict = true;
		list_del(&vn->table);
		fs->vnodes--;
	} else {
		list_add_tail(&fs->lru, &vn->lru); /* VN-2 */
		fs->unused++;
	}
	trim = fs->unused > MAX_UNUSED;
	port_mutex_unlock(&fs->lock);
	if (evict)
		free_vnode(vn, true);
	else if (trim)
		vnodes_shrink_fs(fs, 2);
}

void vnodes_shrink_fs(struct vfs_fs *fs, size_t want)
{
	while (want--) {
		struct vnode *vn = pop_unused(fs, 0);

		if (!vn)
			return;
		free_vnode(vn, true);
	}
}

void vnodes_evict_fs(struct vfs_fs *fs)
{
	struct vnode *vn;

	while ((vn = pop_unused(fs, 0)))
		free_vnode(vn, true);
	DBFS_ASSERT(fs->vnodes ==
		    0); /* FS-3: every user of a vnode holds a mount or the instance */
	port_free(fs->table);
	fs->table = NULL;
	port_mutex_fini(&fs->lock);
}

/*
 * Calls fn for each vnode, with a reference and without the lock. A vnode that enters meanwhile
 * may be missed: it holds nothing that the caller must see.
 */
static void for_each_vnode(struct vfs_fs *fs, void (*fn)(struct vnode *vn, void *arg), void *arg)
{
	for (uint32_t b = 0; b < VFS_VNODE_BUCKETS; b++) {
		struct vnode *prev = NULL;
		struct vnode *vn;

		do {
			struct list *pos;

			vn = NULL;
			port_mutex_lock(&fs->lock);
			pos = prev ? prev->table.next : fs->table[b].next;
			/* prev may have left the table: then its link is to itself */
			if (pos != &fs->table[b] && !(prev && pos == &prev->table))
				vn = find_locked(fs, list_entry(pos, struct vnode, table)->ino);
			port_mutex_unlock(&fs->lock);
			vnode_put(prev);
			if (vn)
				fn(vn, arg);
			prev = vn;
		} while (vn);
	}
}

static void flush_one(struct vnode *vn, void *arg)
{
	int *err = arg;

	if (vn->pages.dirty && vn->ops->writepage) {
		int e = page_cache_flush(vn, 0, 0);

		if (!*err)
			*err = e;
	}
}

int vnodes_flush_fs(struct vfs_fs *fs)
{
	int err = 0;

	if (!(atomic_load_explicit(&fs->flags, memory_order_relaxed) & VFS_FS_MEMORY))
		for_each_vnode(fs, flush_one, &err);
	return err;
}

static void invalidate_one(struct vnode *vn, void *arg)
{
	(void)arg;
	vfs_invalidate_vnode(vn, true);
}

void vnodes_invalidate_fs(struct vfs_fs *fs)
{
	for_each_vnode(fs, invalidate_one, NULL);
}

static void kill_one(struct vnode *vn, void *arg)
{
	(void)arg;
	/* release: who sees the flag sees the view ended; pairs with the checks of VNODE_DEAD */
	atomic_fetch_or_explicit(&vn->flags, VNODE_DEAD, memory_order_release);
	vnode_drop_attr(vn);
	page_cache_invalidate(vn, 0, UINT64_MAX, true);
}

void vnodes_kill_fs(struct vfs_fs *fs)
{
	for_each_vnode(fs, kill_one, NULL);
}

/* --- Attributes ------------------------------------------------------------------------------ */

void vnode_set_attr(struct vnode *vn, const struct vfs_attr *a)
{
	port_mutex_lock(&vn->meta);
	vn->attr = *a;
	vn->attr_valid = true;
	vn->owner_valid = true;
	vn->attr_gen++;
	port_mutex_unlock(&vn->meta);
}

void vnode_drop_attr(struct vnode *vn)
{
	port_mutex_lock(&vn->meta);
	vn->attr_valid = false;
	vn->owner_valid = false;
	vn->attr_gen++;
	port_mutex_unlock(&vn->meta);
}

/* Asks the file system and stores the answer if nothing moved meanwhile (VN-3). */
static int fetch_attr(struct vnode *vn, uint64_t gen, struct vfs_attr *out)
{
	for (;;) {
		uint64_t seq = vfs_seq_begin(vn->fs);
		int err;

		memset(out, 0, sizeof(*out));
		err = vn->ops->getattr(vn, out);
		if (err && !vfs_seq_retry(vn->fs, seq))
			return err;
		if (vfs_seq_retry(vn->fs, seq))
			continue;
		if (atomic_load_explicit(&vn->fs->flags, memory_order_relaxed) & VFS_FS_NO_ATTRS)
			return 0;
		port_mutex_lock(&vn->meta);
		if (vn->attr_gen == gen) {
			vn->attr = *out;
			vn->attr_valid = true;
			vn->owner_valid = true;
		}
		port_mutex_unlock(&vn->meta);
		return 0;
	}
}

static int getattr(struct vnode *vn, bool owner_only, struct vfs_attr *out)
{
	uint64_t gen;
	bool valid;

	if (atomic_load_explicit(&vn->flags, memory_order_relaxed) & VNODE_DEAD)
		return -VFS_ESTALE;
	(void)vfs_seq_begin(vn->fs);
	port_mutex_lock(&vn->meta);
	valid = owner_only ? vn->owner_valid : vn->attr_valid;
	gen = vn->attr_gen;
	if (valid)
		*out = vn->attr;
	port_mutex_unlock(&vn->meta);
	return valid ? 0 : fetch_attr(vn, gen, out);
}

int vnode_getattr(struct vnode *vn, struct vfs_attr *out)
{
	return getattr(vn, false, out);
}

int vnode_getowner(struct vnode *vn, struct vfs_attr *out)
{
	return getattr(vn, true, out);
}

int vnode_size(struct vnode *vn, uint64_t *out)
{
	struct vfs_attr a;
	int err;

	if (!(atomic_load_explicit(&vn->flags, memory_order_relaxed) & VNODE_DEAD)) {
		bool valid;

		port_mutex_lock(&vn->meta);
		valid = vn->attr_valid;
		if (valid)
			*out = vn->attr.size;
		port_mutex_unlock(&vn->meta);
		if (valid)
			return 0;
	}
	err = vnode_getattr(vn, &a);
	if (!err)
		*out = a.size;
	return err;
}

bool vfs_in_group(const struct vfs_cred *c, uint32_t gid)
{
	if (c->gid == gid)
		return true;
	for (uint32_t i = 0; i < c->ngroups; i++) {
		if (c->groups[i] == gid)
			return true;
	}
	return false;
}

int vfs_attr_permission(const struct vfs_attr *a, const struct vfs_cred *cred, unsigned mask)
{
	unsigned bits = a->mode & 7;
	bool dir = (a->mode & VFS_S_IFMT) == VFS_S_IFDIR;

	if (a->uid == cred->uid)
		bits = a->mode >> 6 & 7;
	else if (vfs_in_group(cred, a->gid))
		bits = a->mode >> 3 & 7;
	if ((mask & ~bits) == 0)
		return 0;
	/* Execution needs an x bit somewhere, even for root. */
	if (vfs_capable(cred, VFS_CAP_DAC_OVERRIDE) && (dir || !(mask & 1) || (a->mode & 0111)))
		return 0;
	if (vfs_capable(cred, VFS_CAP_DAC_READ_SEARCH) &&
	    ((dir && !(mask & 2)) || (!dir && mask == 4)))
		return 0;
	return -VFS_EACCES;
}

int vnode_permission(struct vnode *vn, const struct vfs_cred *cred, unsigned mask)
{
	struct vfs_attr a;
	int err;

	if (vnode_is_dir(vn) && vfs_capable(cred, VFS_CAP_DAC_OVERRIDE))
		return 0;
	err = vnode_getowner(vn, &a);
	return err ? err : vfs_attr_permission(&a, cred, mask);
}

int vnode_deny_write(struct vnode *vn)
{
	int32_t n = atomic_load_explicit(&vn->writers, memory_order_relaxed);

	do {
		if (n > 0)
			return -VFS_ETXTBSY;
	} while (!atomic_compare_exchange_weak_explicit(&vn->writers, &n, n - 1,
							memory_order_acq_rel,
							memory_order_relaxed));
	return 0;
}

void vnode_allow_write(struct vnode *vn)
{
	atomic_fetch_add_explicit(&vn->writers, 1, memory_order_acq_rel);
}
