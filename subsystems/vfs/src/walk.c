/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * From names to places (vfs/path.h).
 *
 * A walk holds a current place and the rest of the name. Each round takes one component off the rest;
 * a symbolic link's target is put in front of the rest (a new buffer), so nothing recurses.
 *
 * WALK-1  cur always has references; it is a place as seen after crossing mounts.
 * WALK-2  fs and seq belong to the instance of cur since it was entered. If that sequence has moved when the
 *         walk leaves the instance or ends, everything is done again: what was seen may mix two states.
 * WALK-3  The last component is the one after which only slashes follow; links met there are spliced with
 *         the slashes kept, so that "link/" means a directory.
 */
#include "vfs_priv.h"

#define MAX_LINKS 40u
#define MAX_RESTARTS 16u

int walk_init(void)
{
	return 0;
}

/* Moves to another instance's sequence (WALK-2). */
static void note_fs(struct walk *w)
{
	struct vfs_fs *fs = w->cur.vn->fs;

	if (fs == w->fs)
		return;
	if (w->fs && vfs_seq_retry(w->fs, w->seq))
		w->moved = true;
	w->fs = fs;
	w->seq = vfs_seq_begin(fs);
}

bool walk_stale(struct walk *w)
{
	if (w->fs && vfs_seq_retry(w->fs, w->seq))
		w->moved = true;
	return w->moved;
}

/* Takes over *p as the current place. */
static void go(struct walk *w, struct path *p)
{
	path_put(&w->cur);
	w->cur = *p;
	*p = (struct path){NULL, NULL};
	note_fs(w);
}

int walk_begin(struct walk *w, const struct vfs_walk_from *from, const char *name)
{
	memset(w, 0, offsetof(struct walk, last));
	w->last.len = 0;
	w->from = from;
	w->rest = name;
	if (vfs_strlen(name) >= VFS_PATH_MAX)
		return -VFS_ENAMETOOLONG;
	fs_context_root(from->fc, &w->root);
	if (*name == '/') {
		w->cur = w->root;
		path_get(&w->cur);
	} else if (from->at) {
		w->cur = *from->at;
		path_get(&w->cur);
	} else {
		fs_context_cwd(from->fc, &w->cur);
	}
	note_fs(w);
	return 0;
}

void walk_end(struct walk *w)
{
	path_put(&w->cur);
	path_put(&w->root);
	port_free(w->buf);
	w->buf = NULL;
}

int walk_may_search(struct walk *w)
{
	if (!vnode_is_dir(w->cur.vn))
		return -VFS_ENOTDIR;
	return vnode_permission(w->cur.vn, w->from->cred, 1);
}

int vfs_lookup_one(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	struct vfs_name n = {name, len};

	if (atomic_load_explicit(&dir->flags, memory_order_relaxed) & VNODE_DEAD)
		return -VFS_ESTALE;
	for (;;) {
		uint64_t seq = vfs_seq_begin(dir->fs);
		struct vnode *vn = NULL;
		bool moved;
		int err;

		if (names_find(dir, name, len, out))
			return 0;
		if (!dir->ops->lookup)
			return -VFS_ENOTDIR;
		port_mutex_lock(&dir->lock);
		if (names_find(dir, name, len, out)) {
			port_mutex_unlock(&dir->lock);
			return 0;
		}
		err = dir->ops->lookup(dir, n, &vn);
		moved = vfs_seq_retry(dir->fs, seq);
		if (!moved && (!err || err == -VFS_ENOENT))
			names_add(dir, name, len, vn); /* NAMES-3 */
		port_mutex_unlock(&dir->lock);
		if (moved) {
			vnode_put(vn);
			continue;
		}
		if (err && err != -VFS_ENOENT)
			return err;
		*out = vn;
		return 0;
	}
}

/* ".." of the current place. */
static int step_up(struct walk *w)
{
	struct path p = w->cur;
	struct vnode *up;
	int err;

	if (p.mnt == w->root.mnt && p.vn == w->root.vn)
		return 0;
	path_get(&p);
	while (p.vn == p.mnt->root) {
		if (!vfs_cross_up(&p)) { /* the root of the namespace, or a detached mount */
			go(w, &p);
			return 0;
		}
		if (p.mnt == w->root.mnt && p.vn == w->root.vn) {
			go(w, &p);
			return 0;
		}
	}
	err = vfs_lookup_one(p.vn, "..", 2, &up);
	if (!err && !up)
		err = -VFS_ENOENT;
	if (err) {
		path_put(&p);
		return err;
	}
	vnode_put(p.vn);
	p.vn = up;
	vfs_cross_down(&p);
	go(w, &p);
	return 0;
}

/* Puts target (len bytes) in front of the rest. */
static int splice(struct walk *w, const char *target, size_t len)
{
	size_t rest = vfs_strlen(w->rest);
	size_t slashes = w->last.trailing_slash ? 1 : 0;
	char *buf;

	if (len == 0)
		return -VFS_ENOENT;
	if (len + rest + slashes >= 4 * VFS_PATH_MAX)
		return -VFS_ENAMETOOLONG;
	buf = port_alloc(len + slashes + rest + 2);
	if (!buf)
		return -VFS_ENOMEM;
	memcpy(buf, target, len);
	if (rest || slashes)
		buf[len++] = '/';
	memcpy(buf + len, w->rest, rest + 1);
	port_free(w->buf);
	w->buf = buf;
	w->rest = buf;
	if (buf[0] == '/') {
		struct path p = w->root;

		path_get(&p);
		go(w, &p);
	}
	return 0;
}

static int follow_magic(struct walk *w, struct vnode *link)
{
	struct path p = {NULL, NULL};
	int err = link->ops->follow(link, w->from->cred, &p);

	if (!err)
		go(w, &p);
	return err;
}

int walk_splice(struct walk *w, struct vnode *link)
{
	char *target = NULL;
	size_t len = VFS_PATH_MAX;
	int err;

	if (++w->links > MAX_LINKS)
		err = -VFS_ELOOP;
	else if (link->ops->follow)
		err = follow_magic(w, link);
	else if (!link->ops->readlink)
		err = -VFS_EINVAL;
	else if (!(target = port_alloc(VFS_PATH_MAX)))
		err = -VFS_ENOMEM;
	else
		err = link->ops->readlink(link, target, &len);
	if (!err && target)
		err = splice(w, target, MIN(len, VFS_PATH_MAX - 1));
	port_free(target);
	vnode_put(link);
	return err;
}

/* Takes the next component off the rest into w->last. False: none is left. */
static int next_component(struct walk *w)
{
	struct vfs_last *l = &w->last;
	const char *s = w->rest;
	size_t n = 0;

	while (*s == '/')
		s++;
	while (s[n] && s[n] != '/')
		n++;
	if (n > VFS_NAME_MAX)
		return -VFS_ENAMETOOLONG;
	memcpy(l->name, s, n);
	l->name[n] = 0;
	l->len = n;
	l->kind = VFS_LAST_NORMAL;
	if (n == 0)
		l->kind = VFS_LAST_ROOT;
	else if (n == 1 && s[0] == '.')
		l->kind = VFS_LAST_DOT;
	else if (n == 2 && s[0] == '.' && s[1] == '.')
		l->kind = VFS_LAST_DOTDOT;
	s += n;
	l->trailing_slash = *s == '/';
	while (*s == '/')
		s++;
	w->rest = s;
	return 0;
}

/* One step by the name in w->last, whatever it is. *spliced: it was a link and stands in rest. */
static int step(struct walk *w, bool follow, bool *spliced)
{
	struct path p;
	struct vnode *vn;
	int err;

	*spliced = false;
	if (w->last.kind == VFS_LAST_ROOT)
		return 0;
	err = walk_may_search(w);
	if (err || w->last.kind == VFS_LAST_DOT)
		return err;
	if (w->last.kind == VFS_LAST_DOTDOT)
		return step_up(w);
	err = vfs_lookup_one(w->cur.vn, w->last.name, w->last.len, &vn);
	if (err)
		return err;
	if (!vn)
		return -VFS_ENOENT;
	p = (struct path){mount_get(w->cur.mnt), vn};
	vfs_cross_down(&p);
	if (p.vn->type == VFS_S_IFLNK && follow) {
		bool magic = p.vn->ops->follow != NULL;

		vnode_ref(p.vn);
		err = walk_splice(w, p.vn);
		path_put(&p);
		*spliced = !err && !magic;
		return err;
	}
	go(w, &p);
	return 0;
}

int walk_to_last(struct walk *w)
{
	for (;;) {
		bool spliced;
		int err = next_component(w);

		if (err || *w->rest == 0)
			return err;
		w->last.trailing_slash = false; /* the slash separates: the rest is not empty */
		err = step(w, true, &spliced);
		if (err)
			return err;
	}
}

int walk_last(struct walk *w, bool follow, bool *spliced)
{
	int err = step(w, follow || w->last.trailing_slash, spliced);

	if (!err && !*spliced && w->last.trailing_slash && !vnode_is_dir(w->cur.vn))
		err = -VFS_ENOTDIR;
	return err;
}

static int walk_once(struct walk *w, unsigned flags)
{
	bool spliced = true;

	while (spliced) {
		int err = walk_to_last(w);

		if (!err)
			err = walk_last(w, (flags & VFS_FOLLOW) != 0, &spliced);
		if (err)
			return err;
	}
	if ((flags & VFS_DIRECTORY) && !vnode_is_dir(w->cur.vn))
		return -VFS_ENOTDIR;
	return 0;
}

int vfs_walk(const struct vfs_walk_from *from, const char *name, unsigned flags, struct path *out)
{
	if (*name == 0 && !(flags & VFS_EMPTY_PATH))
		return -VFS_ENOENT;
	for (unsigned i = 0;; i++) {
		struct walk w;
		bool again;
		int err = walk_begin(&w, from, name);

		if (err)
			return err;
		err = walk_once(&w, flags);
		again = walk_stale(&w) && i < MAX_RESTARTS;
		if (!err && !again) {
			*out = w.cur;
			w.cur = (struct path){NULL, NULL};
		}
		walk_end(&w);
		if (!again)
			return err;
	}
}

int vfs_walk_parent(const struct vfs_walk_from *from, const char *name, struct vfs_last *out)
{
	if (*name == 0)
		return -VFS_ENOENT;
	for (unsigned i = 0;; i++) {
		struct walk w;
		bool again;
		int err = walk_begin(&w, from, name);

		if (err)
			return err;
		err = walk_to_last(&w);
		if (!err && !vnode_is_dir(w.cur.vn))
			err = -VFS_ENOTDIR;
		again = walk_stale(&w) && i < MAX_RESTARTS;
		if (!err && !again) {
			memcpy(out, &w.last, sizeof(*out));
			out->parent = w.cur;
			w.cur = (struct path){NULL, NULL};
		}
		walk_end(&w);
		if (!again)
			return err;
	}
}

void vfs_last_put(struct vfs_last *l)
{
	path_put(&l->parent);
}
