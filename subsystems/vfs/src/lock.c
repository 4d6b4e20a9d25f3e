/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Advisory locks (vfs/lock.h): one list a vnode, sorted by start within a kind, under vn->meta.
 *
 * LOCK-1  Ranges of one owner and kind on a vnode do not overlap; neighbors of one type are merged.
 * LOCK-2  flock and record locks do not see each other; POSIX and OFD locks do.
 */
#include "vfs/lock.h"

#include "vfs_priv.h"

struct lock_entry {
	struct list link;
	struct vfs_lock l;
};

struct vfs_lock_list {
	struct list entries;
};

static _Atomic uint64_t generation;
static void (*wake)(void);

uint64_t vfs_lock_generation(void)
{
	return atomic_load_explicit(&generation, memory_order_acquire);
}

void vfs_lock_install_wake(void (*fn)(void))
{
	wake = fn;
}

static void released(void)
{
	/* release: who sees the new number sees the list without the lock */
	atomic_fetch_add_explicit(&generation, 1, memory_order_release);
	if (wake)
		wake();
}

static bool same_space(enum vfs_lock_kind a, enum vfs_lock_kind b)
{
	return (a == VFS_LOCK_FLOCK) == (b == VFS_LOCK_FLOCK);
}

static bool mine(const struct vfs_lock *a, const struct vfs_lock *b)
{
	return a->kind == b->kind && a->owner == b->owner;
}

static bool overlap(const struct vfs_lock *a, const struct vfs_lock *b)
{
	return a->start <= b->end && b->start <= a->end;
}

static struct lock_entry *conflict(struct vfs_lock_list *list, const struct vfs_lock *l)
{
	struct lock_entry *e;

	list_for_each_entry (e, &list->entries, struct lock_entry, link) {
		if (same_space(e->l.kind, l->kind) && !mine(&e->l, l) && overlap(&e->l, l) &&
		    (e->l.type == VFS_WRLCK || l->type == VFS_WRLCK))
			return e;
	}
	return NULL;
}

/* The list of vn, made if need be; NULL: no memory (or none and not asked for). */
static struct vfs_lock_list *list_of(struct vnode *vn, bool create)
{
	if (!vn->locks && create) {
		vn->locks = port_alloc(sizeof(*vn->locks));
		if (vn->locks)
			list_init(&vn->locks->entries);
	}
	return vn->locks;
}

/*
 * Cuts the owner's own locks out of l's range. spare is for a lock that is split in two. Returns
 * whether anything was given up.
 */
static bool cut(struct vfs_lock_list *list, const struct vfs_lock *l, struct lock_entry **spare,
		struct list *dead)
{
	struct lock_entry *e;
	struct lock_entry *n;
	bool any = false;

	list_for_each_entry_safe (e, n, &list->entries, struct lock_entry, link) {
		if (!mine(&e->l, l) || !overlap(&e->l, l))
			continue;
		any = true;
		if (e->l.start < l->start && e->l.end > l->end) {
			struct lock_entry *tail = *spare;

			*spare = NULL;
			tail->l = e->l;
			tail->l.start = l->end + 1;
			e->l.end = l->start - 1;
			list_add_after(&e->link, &tail->link);
		} else if (e->l.start < l->start) {
			e->l.end = l->start - 1;
		} else if (e->l.end > l->end) {
			e->l.start = l->end + 1;
		} else {
			list_del(&e->link);
			list_add_tail(dead, &e->link);
		}
	}
	return any;
}

/* Adds fresh, merged with its owner's neighbors of the same type (LOCK-1). */
static void add(struct vfs_lock_list *list, struct lock_entry *fresh, struct list *dead)
{
	struct lock_entry *e;
	struct lock_entry *n;

	list_for_each_entry_safe (e, n, &list->entries, struct lock_entry, link) {
		if (!mine(&e->l, &fresh->l) || e->l.type != fresh->l.type)
			continue;
		if ((fresh->l.start && e->l.end == fresh->l.start - 1) ||
		    (e->l.start && e->l.start - 1 == fresh->l.end)) {
			fresh->l.start = MIN(fresh->l.start, e->l.start);
			fresh->l.end = MAX(fresh->l.end, e->l.end);
			list_del(&e->link);
			list_add_tail(dead, &e->link);
		}
	}
	list_for_each_entry (e, &list->entries, struct lock_entry, link) {
		if (e->l.start > fresh->l.start)
			break;
	}
	list_add_tail(&e->link, &fresh->link);
}

static void free_entries(struct list *dead)
{
	while (!list_empty(dead)) {
		struct lock_entry *e = list_first(dead, struct lock_entry, link);

		list_del(&e->link);
		port_free(e);
	}
}

int vfs_lock_set(struct vnode *vn, const struct vfs_lock *l)
{
	struct list dead = LIST_INIT(dead);
	struct lock_entry *fresh = port_alloc(sizeof(*fresh));
	struct lock_entry *spare = port_alloc(sizeof(*spare));
	struct vfs_lock_list *list = NULL;
	bool gave = false;
	int err = fresh && spare ? 0 : -VFS_ENOLCK;

	port_mutex_lock(&vn->meta);
	if (!err) {
		list = list_of(vn, l->type != VFS_UNLCK);
		if (!list)
			err = l->type == VFS_UNLCK ? 0 : -VFS_ENOLCK;
	}
	if (list && l->type != VFS_UNLCK && conflict(list, l))
		err = -VFS_EAGAIN;
	if (list && !err) {
		gave = cut(list, l, &spare, &dead);
		if (l->type != VFS_UNLCK) {
			list_init(&fresh->link);
			fresh->l = *l;
			add(list, fresh, &dead);
			fresh = NULL;
		}
	}
	port_mutex_unlock(&vn->meta);
	free_entries(&dead);
	port_free(fresh);
	port_free(spare);
	if (gave)
		released();
	return err;
}

void vfs_lock_test(struct vnode *vn, struct vfs_lock *l)
{
	struct lock_entry *e;

	port_mutex_lock(&vn->meta);
	e = vn->locks ? conflict(vn->locks, l) : NULL;
	if (e)
		*l = e->l;
	else
		l->type = VFS_UNLCK;
	port_mutex_unlock(&vn->meta);
}

void vfs_lock_release(struct vnode *vn, enum vfs_lock_kind kind, const void *owner)
{
	struct list dead = LIST_INIT(dead);
	struct lock_entry *e;
	struct lock_entry *n;
	bool any;

	port_mutex_lock(&vn->meta);
	if (vn->locks) {
		list_for_each_entry_safe (e, n, &vn->locks->entries, struct lock_entry, link) {
			if (e->l.kind == kind && e->l.owner == owner) {
				list_del(&e->link);
				list_add_tail(&dead, &e->link);
			}
		}
	}
	port_mutex_unlock(&vn->meta);
	any = !list_empty(&dead);
	free_entries(&dead);
	if (any)
		released();
}

void vfs_lock_for_each(struct vnode *vn, void (*fn)(const struct vfs_lock *l, void *arg), void *arg)
{
	struct lock_entry *e;

	port_mutex_lock(&vn->meta);
	if (vn->locks) {
		list_for_each_entry (e, &vn->locks->entries, struct lock_entry, link)
			fn(&e->l, arg);
	}
	port_mutex_unlock(&vn->meta);
}

void vfs_lock_free(struct vnode *vn)
{
	if (vn->locks) {
		free_entries(&vn->locks->entries);
		port_free(vn->locks);
		vn->locks = NULL;
	}
}
