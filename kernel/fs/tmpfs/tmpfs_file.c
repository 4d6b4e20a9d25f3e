/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Data and extended attributes of tmpfs: the page cache is the store. Under vn->lock (vfs/vnode.h). */
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page.h"
#include "port/mem.h"
#include "fs/tmpfs/tmpfs_priv.h"
#include "vfs/page_cache.h"

#define PAGE MM_PAGE_SIZE

void tmpfs_charge(struct tmpfs *t, struct tnode *n)
{
	uint64_t now = n->vn->pages.count;

	t->used_pages = t->used_pages - MIN(n->charged, t->used_pages) + now;
	n->charged = now;
}

/* Is there room for as many more pages as [off, off + len) may need? */
static bool has_room(struct tmpfs *t, struct tnode *n, uint64_t len)
{
	bool ok;

	port_mutex_lock(&t->lock);
	tmpfs_charge(t, n);
	ok = len / PAGE + 2 <= t->max_pages && t->used_pages <= t->max_pages - (len / PAGE + 2);
	port_mutex_unlock(&t->lock);
	return ok;
}

/* Are all pages of the range there already (so that nothing is needed)? */
static bool all_there(struct vnode *vn, uint64_t off, uint64_t len)
{
	for (uint64_t i = off / PAGE; i <= (off + len - 1) / PAGE; i++) {
		if (page_cache_next(vn, i) != i)
			return false;
	}
	return true;
}

int tmpfs_write(struct vnode *vn, uint64_t off, const void *buf, size_t len)
{
	struct tmpfs *t = tmpfs_of(vn->fs);
	struct tnode *n = tnode_of(vn);
	const uint8_t *src = buf;
	uint64_t pos = off;
	int err = 0;

	if (!has_room(t, n, len) && !all_there(vn, off, len))
		return -ENOSPC;
	while (pos < off + len && !err) {
		size_t in = (size_t)(pos % PAGE);
		size_t step = (size_t)MIN(off + len - pos, PAGE - in);
		struct page *page;

		err = page_cache_grab(vn, pos / PAGE, &page);
		if (err)
			break;
		memcpy((uint8_t *)mm_page_data(page) + in, src, step);
		mm_page_put(page);
		pos += step;
		src += step;
	}
	if (err) {
		/* all or nothing for the size: what lies behind the old end must be zeros */
		if (pos > n->attr.size)
			page_cache_truncate(vn, n->attr.size);
		return err == -ENOMEM ? -ENOSPC : err;
	}
	port_mutex_lock(&t->lock);
	if (off + len > n->attr.size)
		n->attr.size = off + len;
	n->attr.mtime = n->attr.ctime = tmpfs_now();
	tmpfs_charge(t, n);
	port_mutex_unlock(&t->lock);
	return 0;
}

int tmpfs_fallocate(struct vnode *vn, unsigned mode, uint64_t off, uint64_t len)
{
	enum { KEEP_SIZE = 1, PUNCH_HOLE = 2, ZERO_RANGE = 16 };
	struct tmpfs *t = tmpfs_of(vn->fs);
	struct tnode *n = tnode_of(vn);
	uint64_t end = off + len;

	if (mode & ~(unsigned)(KEEP_SIZE | PUNCH_HOLE | ZERO_RANGE))
		return -EOPNOTSUPP;
	if ((mode & PUNCH_HOLE) && mode != (PUNCH_HOLE | KEEP_SIZE))
		return -EOPNOTSUPP;
	if (mode & PUNCH_HOLE) {
		uint64_t first = (off + PAGE - 1) / PAGE;
		uint64_t last = end / PAGE;

		if (last > first)
			page_cache_invalidate(vn, first, last - 1, true);
	} else if (!has_room(t, n, len)) {
		return -ENOSPC;
	}
	port_mutex_lock(&t->lock);
	if (!(mode & KEEP_SIZE) && end > n->attr.size)
		n->attr.size = end;
	n->attr.mtime = n->attr.ctime = tmpfs_now();
	tmpfs_charge(t, n);
	port_mutex_unlock(&t->lock);
	return 0;
}

int tmpfs_seek(struct vnode *vn, uint64_t off, bool hole, uint64_t *out)
{
	uint64_t size = tnode_of(vn)->attr.size;
	uint64_t index = off / PAGE;
	uint64_t found = page_cache_next(vn, index);

	if (hole) {
		while (found == index) {
			index++;
			found = page_cache_next(vn, index);
		}
		*out = MIN(MAX(index * PAGE, off), size);
		return 0;
	}
	if (found == UINT64_MAX || found * PAGE >= size)
		return -ENXIO;
	*out = MAX(found * PAGE, off);
	return 0;
}

/* --- Extended attributes --- */

static struct txattr *find(struct tnode *n, struct vfs_name name)
{
	struct txattr *x;

	list_for_each_entry (x, &n->xattrs, struct txattr, link) {
		if (x->name_len == name.len && memcmp(x->name, name.s, name.len) == 0)
			return x;
	}
	return NULL;
}

static void free_xattr(struct txattr *x)
{
	if (x) {
		port_free(x->value);
		port_free(x);
	}
}

void tmpfs_free_xattrs(struct tnode *n)
{
	while (!list_empty(&n->xattrs)) {
		struct txattr *x = list_first(&n->xattrs, struct txattr, link);

		list_del(&x->link);
		free_xattr(x);
	}
}

int tmpfs_getxattr(struct vnode *vn, struct vfs_name name, void *buf, size_t *len)
{
	struct tmpfs *t = tmpfs_of(vn->fs);
	struct txattr *x;
	int err = 0;

	port_mutex_lock(&t->lock);
	x = find(tnode_of(vn), name);
	if (!x)
		err = -ENODATA;
	else if (*len && *len < x->len)
		err = -ERANGE;
	else if (*len)
		memcpy(buf, x->value, x->len);
	if (!err)
		*len = x->len;
	port_mutex_unlock(&t->lock);
	return err;
}

int tmpfs_setxattr(struct vnode *vn, struct vfs_name name, const void *value, size_t len,
		   unsigned flags)
{
	enum { CREATE = 1, REPLACE = 2 };
	struct tmpfs *t = tmpfs_of(vn->fs);
	struct tnode *n = tnode_of(vn);
	struct txattr *x = port_alloc(sizeof(*x) + name.len);
	struct txattr *old;
	int err = 0;

	if (!x)
		return -ENOMEM;
	x->value = port_alloc(len + 1);
	if (!x->value) {
		port_free(x);
		return -ENOMEM;
	}
	list_init(&x->link);
	memcpy(x->name, name.s, name.len);
	memcpy(x->value, value, len);
	x->name_len = name.len;
	x->len = len;
	port_mutex_lock(&t->lock);
	old = find(n, name);
	if (old && (flags & CREATE))
		err = -EEXIST;
	else if (!old && (flags & REPLACE))
		err = -ENODATA;
	if (!err) {
		if (old)
			list_del(&old->link);
		list_add_tail(&n->xattrs, &x->link);
		n->attr.ctime = tmpfs_now();
	}
	port_mutex_unlock(&t->lock);
	free_xattr(err ? x : old);
	return err;
}

int tmpfs_removexattr(struct vnode *vn, struct vfs_name name)
{
	struct tmpfs *t = tmpfs_of(vn->fs);
	struct txattr *x;

	port_mutex_lock(&t->lock);
	x = find(tnode_of(vn), name);
	if (x) {
		list_del(&x->link);
		tnode_of(vn)->attr.ctime = tmpfs_now();
	}
	port_mutex_unlock(&t->lock);
	free_xattr(x);
	return x ? 0 : -ENODATA;
}

int tmpfs_listxattr(struct vnode *vn, int (*fn)(void *arg, struct vfs_name name), void *arg)
{
	struct tmpfs *t = tmpfs_of(vn->fs);
	struct txattr *x;

	port_mutex_lock(&t->lock);
	list_for_each_entry (x, &tnode_of(vn)->xattrs, struct txattr, link) {
		if (fn(arg, (struct vfs_name){x->name, x->name_len}))
			break;
	}
	port_mutex_unlock(&t->lock);
	return 0;
}
