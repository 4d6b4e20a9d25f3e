/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Mounts, namespaces and the places of processes: the structure. What mount(2) asks for is decided in
 * mount_calls.c.
 *
 * MNT-1  An attached mount has ns, is on ns->mounts, and, unless it is ns->root, has parent and point, is on
 *        parent->children and in the hash by (parent, point). All under mount_lock.
 * MNT-2  References to a mount: one for being attached, one for each child, one for each path. One that
 *        is detached and has no references gives back its vnode and instance.
 * MNT-3  A vnode's mounts_here is how many attached mounts have it as point: walks look into the
 *        hash only if it is not 0.
 * MNT-4  References are given back without mount_lock: the last one unmounts the instance.
 */
#include "mount_priv.h"

#define BUCKETS 64u

struct port_mutex mount_lock;
static struct list buckets[BUCKETS];    /* lock: mount_lock */
static uint32_t next_id = 1;            /* lock: mount_lock */
static uint64_t next_ns = 0xf0000000u;  /* lock: mount_lock */
static struct port_mutex contexts_lock; /* rank NAME_CACHE - a leaf */
static struct list contexts = LIST_INIT(contexts);

int mounts_init(void)
{
	port_mutex_init(&mount_lock, LOCK_RANK_MOUNT, "mounts");
	port_mutex_init(&contexts_lock, LOCK_RANK_NONE, "fs contexts");
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&buckets[i]);
	return 0;
}

static struct list *bucket(const struct mount *parent, const struct vnode *point)
{
	uintptr_t h = ((uintptr_t)parent >> 6) * 31 + ((uintptr_t)point >> 6);

	return &buckets[h % BUCKETS];
}

struct mount *mount_get(struct mount *m)
{
	atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	return m;
}

void mount_put(struct mount *m)
{
	if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
		return;
	DBFS_ASSERT(!m->ns && list_empty(&m->children)); /* MNT-2 */
	vnode_put(m->root);
	vfs_fs_put(m->fs);
	port_free(m);
}

struct mount *mount_alloc(struct vfs_fs *fs, struct vnode *root, unsigned flags)
{
	struct mount *m = port_alloc_zeroed(sizeof(*m));

	if (!m)
		return NULL;
	vfs_fs_get(fs);
	m->fs = fs;
	m->root = vnode_ref(root);
	atomic_store_explicit(&m->flags, flags & MOUNT_FLAGS, memory_order_relaxed);
	atomic_store_explicit(&m->refs, 1, memory_order_relaxed);
	m->propagation = VFS_MS_PRIVATE;
	list_init(&m->children);
	list_init(&m->sibling);
	list_init(&m->in_ns);
	list_init(&m->hash);
	return m;
}

void mount_attach_locked(struct mount *m, struct mount *parent, struct vnode *point)
{
	m->parent = mount_get(parent);
	m->point = vnode_ref(point);
	atomic_fetch_add_explicit(&point->mounts_here, 1, memory_order_release); /* MNT-3 */
	list_add_tail(&parent->children, &m->sibling);
	list_add_head(bucket(parent, point), &m->hash);
	if (!m->ns) {
		m->ns = parent->ns;
		if (!m->id)
			m->id = next_id++;
		if (m->ns) {
			list_add_tail(&m->ns->mounts, &m->in_ns);
			m->ns->count++;
		}
	}
}

void mount_unhook_locked(struct mount *m, struct path *old_place)
{
	*old_place = (struct path){m->parent, m->point};
	if (!m->parent)
		return;
	atomic_fetch_sub_explicit(&m->point->mounts_here, 1, memory_order_release);
	list_del(&m->sibling);
	list_del(&m->hash);
	m->parent = NULL;
	m->point = NULL;
}

void mount_leave_ns_locked(struct mount *m)
{
	if (!m->ns)
		return;
	list_del(&m->in_ns);
	m->ns->count--;
	m->ns = NULL;
}

/* The mount on (parent, point), newest first; NULL: none. Under mount_lock. */
static struct mount *find_locked(struct mount *parent, struct vnode *point)
{
	struct mount *m;

	list_for_each_entry (m, bucket(parent, point), struct mount, hash) {
		if (m->parent == parent && m->point == point)
			return m;
	}
	return NULL;
}

void vfs_cross_down(struct path *p)
{
	while (atomic_load_explicit(&p->vn->mounts_here, memory_order_acquire)) {
		struct path next = {NULL, NULL};
		struct mount *m;

		port_mutex_lock(&mount_lock);
		m = find_locked(p->mnt, p->vn);
		if (m)
			next = (struct path){mount_get(m), vnode_ref(m->root)};
		port_mutex_unlock(&mount_lock);
		if (!m)
			return;
		path_put(p);
		*p = next;
	}
}

bool vfs_cross_up(struct path *p)
{
	struct path next = {NULL, NULL};

	port_mutex_lock(&mount_lock);
	if (p->mnt->parent)
		next = (struct path){mount_get(p->mnt->parent), vnode_ref(p->mnt->point)};
	port_mutex_unlock(&mount_lock);
	if (!next.mnt)
		return false;
	path_put(p);
	*p = next;
	return true;
}

bool mount_is_below_locked(const struct mount *m, const struct mount *top)
{
	for (; m; m = m->parent) {
		if (m == top)
			return true;
	}
	return false;
}

/* --- Namespaces --- */

static struct mnt_ns *ns_alloc(void)
{
	struct mnt_ns *ns = port_alloc_zeroed(sizeof(*ns));

	if (ns) {
		atomic_store_explicit(&ns->refs, 1, memory_order_relaxed);
		list_init(&ns->mounts);
	}
	return ns;
}

int mnt_ns_create(struct vfs_fs *fs, unsigned flags, struct mnt_ns **out)
{
	struct mnt_ns *ns = ns_alloc();
	struct mount *m = ns ? mount_alloc(fs, fs->root, flags) : NULL;

	if (!m) {
		port_free(ns);
		return -VFS_ENOMEM;
	}
	vfs_fs_put(fs); /* the mount has its own */
	port_mutex_lock(&mount_lock);
	ns->ino = next_ns++;
	ns->root = m;
	m->ns = ns;
	m->id = next_id++;
	list_add_tail(&ns->mounts, &m->in_ns);
	ns->count = 1;
	port_mutex_unlock(&mount_lock);
	*out = ns;
	return 0;
}

void mnt_ns_get(struct mnt_ns *ns)
{
	atomic_fetch_add_explicit(&ns->refs, 1, memory_order_relaxed);
}

void mnt_ns_put(struct mnt_ns *ns)
{
	if (!ns || atomic_fetch_sub_explicit(&ns->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (;;) {
		struct path place = {NULL, NULL};
		struct mount *m = NULL;

		port_mutex_lock(&mount_lock);
		if (!list_empty(&ns->mounts)) {
			m = list_last(&ns->mounts, struct mount, in_ns);
			mount_leave_ns_locked(m);
			mount_unhook_locked(m, &place);
		}
		port_mutex_unlock(&mount_lock);
		if (!m)
			break;
		path_put(&place);
		mount_put(m);
	}
	port_free(ns);
}

/* Links the copies of ns's mounts as the originals are. Under mount_lock. */
static void link_copies(struct mnt_ns *old, struct mnt_ns *ns)
{
	struct mount *m;

	list_for_each_entry (m, &old->mounts, struct mount, in_ns) {
		struct mount *c = m->copy;

		c->ns = ns;
		c->id = next_id++;
		c->propagation = m->propagation;
		list_add_tail(&ns->mounts, &c->in_ns);
		ns->count++;
		if (m->parent && m->parent->copy)
			mount_attach_locked(c, m->parent->copy, m->point);
	}
	ns->root = old->root->copy;
}

static void drop_copies(struct mnt_ns *old)
{
	struct mount *m;

	list_for_each_entry (m, &old->mounts, struct mount, in_ns) {
		if (m->copy) {
			/* its root vnode and instance have other references: nothing ends here */
			mount_put(m->copy);
			m->copy = NULL;
		}
	}
}

/* p's mount is replaced by its copy. Under mount_lock; the old reference goes to *drop. */
static void move_path(struct path *p, struct mount **drop)
{
	*drop = NULL;
	if (p->mnt && p->mnt->copy) {
		*drop = p->mnt;
		p->mnt = mount_get(p->mnt->copy);
	}
}

int mnt_ns_unshare(struct fs_context *fc)
{
	struct mnt_ns *old;
	struct mnt_ns *ns = ns_alloc();
	struct mount *m;
	struct mount *drop[2];
	bool failed = false;

	if (!ns)
		return -VFS_ENOMEM;
	port_mutex_lock(&fc->lock);
	old = fc->ns;
	port_mutex_lock(&mount_lock);
	ns->ino = next_ns++;
	list_for_each_entry (m, &old->mounts, struct mount, in_ns)
		m->copy = NULL;
	list_for_each_entry (m, &old->mounts, struct mount, in_ns) {
		m->copy = mount_alloc(m->fs, m->root,
				      atomic_load_explicit(&m->flags, memory_order_relaxed));
		if (!m->copy) {
			failed = true;
			break;
		}
	}
	if (failed) {
		drop_copies(old);
		port_mutex_unlock(&mount_lock);
		port_mutex_unlock(&fc->lock);
		port_free(ns);
		return -VFS_ENOMEM;
	}
	link_copies(old, ns);
	move_path(&fc->root, &drop[0]);
	move_path(&fc->cwd, &drop[1]);
	list_for_each_entry (m, &old->mounts, struct mount, in_ns)
		m->copy = NULL;
	fc->ns = ns;
	port_mutex_unlock(&mount_lock);
	port_mutex_unlock(&fc->lock);
	mount_put(drop[0]);
	mount_put(drop[1]);
	mnt_ns_put(old);
	return 0;
}

int mnt_ns_enter(struct fs_context *fc, struct mnt_ns *ns)
{
	struct path root;
	struct path old_root;
	struct path old_cwd;
	struct mnt_ns *old_ns;

	port_mutex_lock(&mount_lock);
	root = (struct path){mount_get(ns->root), vnode_ref(ns->root->root)};
	port_mutex_unlock(&mount_lock);
	vfs_cross_down(&root);
	mnt_ns_get(ns);
	port_mutex_lock(&fc->lock);
	old_root = fc->root;
	old_cwd = fc->cwd;
	old_ns = fc->ns;
	fc->root = root;
	fc->cwd = root;
	path_get(&root);
	fc->ns = ns;
	port_mutex_unlock(&fc->lock);
	path_put(&old_root);
	path_put(&old_cwd);
	mnt_ns_put(old_ns);
	return 0;
}

/* --- Places of processes --- */

void path_get(const struct path *p)
{
	if (p->mnt)
		mount_get(p->mnt);
	if (p->vn)
		vnode_ref(p->vn);
}

void path_put(struct path *p)
{
	vnode_put(p->vn);
	mount_put(p->mnt);
	*p = (struct path){NULL, NULL};
}

static struct fs_context *context_alloc(void)
{
	struct fs_context *fc = port_alloc_zeroed(sizeof(*fc));

	if (!fc)
		return NULL;
	atomic_store_explicit(&fc->refs, 1, memory_order_relaxed);
	atomic_store_explicit(&fc->umask, 022, memory_order_relaxed);
	port_mutex_init(&fc->lock, LOCK_RANK_FS_CONTEXT, "fs context");
	return fc;
}

static void context_publish(struct fs_context *fc)
{
	port_mutex_lock(&contexts_lock);
	list_add_tail(&contexts, &fc->all);
	port_mutex_unlock(&contexts_lock);
}

struct fs_context *fs_context_create(struct mnt_ns *ns)
{
	struct fs_context *fc = context_alloc();

	if (!fc)
		return NULL;
	mnt_ns_get(ns);
	fc->ns = ns;
	fc->root = (struct path){mount_get(ns->root), vnode_ref(ns->root->root)};
	fc->cwd = fc->root;
	path_get(&fc->cwd);
	context_publish(fc);
	return fc;
}

struct fs_context *fs_context_clone(struct fs_context *fc)
{
	struct fs_context *n = context_alloc();

	if (!n)
		return NULL;
	port_mutex_lock(&fc->lock);
	mnt_ns_get(fc->ns);
	n->ns = fc->ns;
	n->root = fc->root;
	n->cwd = fc->cwd;
	path_get(&n->root);
	path_get(&n->cwd);
	port_mutex_unlock(&fc->lock);
	atomic_store_explicit(&n->umask, atomic_load_explicit(&fc->umask, memory_order_relaxed),
			      memory_order_relaxed);
	context_publish(n);
	return n;
}

void fs_context_get(struct fs_context *fc)
{
	atomic_fetch_add_explicit(&fc->refs, 1, memory_order_relaxed);
}

void fs_context_put(struct fs_context *fc)
{
	if (!fc || atomic_fetch_sub_explicit(&fc->refs, 1, memory_order_acq_rel) != 1)
		return;
	port_mutex_lock(&contexts_lock);
	list_del(&fc->all);
	port_mutex_unlock(&contexts_lock);
	path_put(&fc->root);
	path_put(&fc->cwd);
	mnt_ns_put(fc->ns);
	port_mutex_fini(&fc->lock);
	port_free(fc);
}

void fs_contexts_for_each(void (*fn)(struct fs_context *fc, void *arg), void *arg)
{
	struct fs_context *fc;

	port_mutex_lock(&contexts_lock);
	list_for_each_entry (fc, &contexts, struct fs_context, all)
		fn(fc, arg);
	port_mutex_unlock(&contexts_lock);
}

void fs_context_root(struct fs_context *fc, struct path *out)
{
	port_mutex_lock(&fc->lock);
	*out = fc->root;
	path_get(out);
	port_mutex_unlock(&fc->lock);
}

void fs_context_cwd(struct fs_context *fc, struct path *out)
{
	port_mutex_lock(&fc->lock);
	*out = fc->cwd;
	path_get(out);
	port_mutex_unlock(&fc->lock);
}

static void replace(struct fs_context *fc, struct path *member, const struct path *p)
{
	struct path old;

	path_get(p);
	port_mutex_lock(&fc->lock);
	old = *member;
	*member = *p;
	port_mutex_unlock(&fc->lock);
	path_put(&old);
}

void fs_context_set_root(struct fs_context *fc, const struct path *p)
{
	replace(fc, &fc->root, p);
}

void fs_context_set_cwd(struct fs_context *fc, const struct path *p)
{
	replace(fc, &fc->cwd, p);
}
