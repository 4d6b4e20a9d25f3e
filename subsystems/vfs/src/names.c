/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The name cache: (directory vnode, name) -> vnode, or "does not exist" (negative). ".." is a name like
 * any other. One hash table, one lock (rank NAME_CACHE), an LRU list.
 *
 * NAMES-1  An entry is in one hash chain, on the LRU list, on dir->children, and, if it is positive, on
 *          vn->names; all under names_lock.
 * NAMES-2  An entry holds a reference to dir and to vn. They are given back after names_lock is
 *          released, because the last reference of an unlinked vnode calls the file system.
 * NAMES-3  Whoever enters what an operation found held dir->lock from the operation on and checked the
 *          instance's sequence afterwards: an entry never contradicts the published state.
 */
#include "vfs_priv.h"

#define BUCKETS 4096u
#define MAX_ENTRIES 32768u
#define TRIM 64u

struct name_entry {
	struct list hash;
	struct list lru;
	struct list in_dir;
	struct list of_vnode;
	struct vnode *dir;
	struct vnode *vn; /* NULL: negative */
	uint32_t key;
	uint8_t len;
	char name[];
};

static struct port_mutex names_lock;
static struct list *buckets;                       /* lock: names_lock (all below) */
static struct list lru_list = LIST_INIT(lru_list); /* oldest first */
static size_t entries;

int names_init(void)
{
	port_mutex_init(&names_lock, LOCK_RANK_NAME_CACHE, "names");
	buckets = port_alloc(BUCKETS * sizeof(*buckets));
	if (!buckets)
		return -VFS_ENOMEM;
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&buckets[i]);
	return 0;
}

static uint32_t name_key(const struct vnode *dir, const char *name, size_t len)
{
	uint32_t h = (uint32_t)((uintptr_t)dir >> 6) ^ 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)name[i]) * 16777619u;
	return h ^ h >> 15;
}

static struct name_entry *find_locked(struct vnode *dir, const char *name, size_t len, uint32_t key)
{
	struct name_entry *e;

	list_for_each_entry (e, &buckets[key % BUCKETS], struct name_entry, hash) {
		if (e->key == key && e->dir == dir && e->len == len &&
		    memcmp(e->name, name, len) == 0)
			return e;
	}
	return NULL;
}

bool names_find(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	uint32_t key = name_key(dir, name, len);
	struct name_entry *e;

	port_mutex_lock(&names_lock);
	e = find_locked(dir, name, len, key);
	if (e) {
		*out = e->vn ? vnode_ref(e->vn) : NULL;
		list_del(&e->lru);
		list_add_tail(&lru_list, &e->lru);
	}
	port_mutex_unlock(&names_lock);
	return e != NULL;
}

/* Takes e out of everything and collects it for bury(). */
static void take_out(struct name_entry *e, struct list *dead)
{
	list_del(&e->hash);
	list_del(&e->in_dir);
	list_del(&e->of_vnode);
	list_del(&e->lru);
	list_add_tail(dead, &e->lru);
	entries--;
}

/* Without the lock (NAMES-2). */
static void bury(struct list *dead)
{
	while (!list_empty(dead)) {
		struct name_entry *e = list_first(dead, struct name_entry, lru);

		list_del(&e->lru);
		vnode_put(e->vn);
		vnode_put(e->dir);
		port_free(e);
	}
}

void names_add(struct vnode *dir, const char *name, size_t len, struct vnode *vn)
{
	unsigned dir_flags = atomic_load_explicit(&dir->flags, memory_order_relaxed);
	unsigned fs_flags = atomic_load_explicit(&dir->fs->flags, memory_order_relaxed);
	struct list dead = LIST_INIT(dead);
	struct name_entry *old;
	struct name_entry *e;

	if ((dir_flags & (VNODE_NO_NAMES | VNODE_DEAD)) || (fs_flags & VFS_FS_NO_NAMES) ||
	    (!vn && (fs_flags & VFS_FS_NO_NEGATIVE)))
		return;
	e = port_alloc(sizeof(*e) + len);
	if (!e)
		return;
	e->key = name_key(dir, name, len);
	e->len = (uint8_t)len;
	memcpy(e->name, name, len);
	e->dir = vnode_ref(dir);
	e->vn = vn ? vnode_ref(vn) : NULL;
	list_init(&e->of_vnode);
	port_mutex_lock(&names_lock);
	old = find_locked(dir, name, len, e->key);
	if (old)
		take_out(old, &dead);
	list_add_head(&buckets[e->key % BUCKETS], &e->hash);
	list_add_tail(&lru_list, &e->lru);
	list_add_tail(&dir->children, &e->in_dir);
	if (vn)
		list_add_tail(&vn->names, &e->of_vnode);
	entries++;
	if (entries > MAX_ENTRIES || mm_low()) {
		for (unsigned i = 0; i < TRIM && lru_list.next != &e->lru; i++)
			take_out(list_first(&lru_list, struct name_entry, lru), &dead);
	}
	port_mutex_unlock(&names_lock);
	bury(&dead);
}

void names_remove(struct vnode *dir, const char *name, size_t len)
{
	struct list dead = LIST_INIT(dead);
	struct name_entry *e;

	port_mutex_lock(&names_lock);
	e = find_locked(dir, name, len, name_key(dir, name, len));
	if (e)
		take_out(e, &dead);
	port_mutex_unlock(&names_lock);
	bury(&dead);
}

void names_remove_dir(struct vnode *dir)
{
	struct list dead = LIST_INIT(dead);

	port_mutex_lock(&names_lock);
	while (!list_empty(&dir->children))
		take_out(list_first(&dir->children, struct name_entry, in_dir), &dead);
	port_mutex_unlock(&names_lock);
	bury(&dead);
}

void names_remove_vnode(struct vnode *vn)
{
	struct list dead = LIST_INIT(dead);

	port_mutex_lock(&names_lock);
	while (!list_empty(&vn->names))
		take_out(list_first(&vn->names, struct name_entry, of_vnode), &dead);
	port_mutex_unlock(&names_lock);
	bury(&dead);
}

void names_remove_fs(struct vfs_fs *fs)
{
	struct list dead = LIST_INIT(dead);
	struct name_entry *e;
	struct name_entry *n;

	port_mutex_lock(&names_lock);
	list_for_each_entry_safe (e, n, &lru_list, struct name_entry, lru) {
		if (e->dir->fs == fs)
			take_out(e, &dead);
	}
	port_mutex_unlock(&names_lock);
	bury(&dead);
}

bool names_of(struct vnode *vn, struct vnode *dir, char *buf, struct vnode **dir_out)
{
	struct name_entry *e;
	bool found = false;

	port_mutex_lock(&names_lock);
	list_for_each_entry (e, &vn->names, struct name_entry, of_vnode) {
		if ((dir && e->dir != dir) ||
		    (e->len == 2 && e->name[0] == '.' && e->name[1] == '.'))
			continue;
		memcpy(buf, e->name, e->len);
		buf[e->len] = 0;
		if (dir_out)
			*dir_out = vnode_ref(e->dir);
		found = true;
		break;
	}
	port_mutex_unlock(&names_lock);
	return found;
}

void names_shrink(size_t want)
{
	struct list dead = LIST_INIT(dead);

	port_mutex_lock(&names_lock);
	while (want-- && !list_empty(&lru_list))
		take_out(list_first(&lru_list, struct name_entry, lru), &dead);
	port_mutex_unlock(&names_lock);
	bury(&dead);
}
