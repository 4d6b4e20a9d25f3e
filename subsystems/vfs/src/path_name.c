/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * From places to names: getcwd, /proc/PID/fd, mountinfo. Directories are named by climbing with "..";
 * their own name in the parent comes from the name cache or from listing the parent. Other vnodes
 * have the name by which they were opened, if it still is one, or any name that the cache knows.
 */
#include "vfs_priv.h"

struct scan {
	uint64_t ino;
	char *name;
	bool found;
};

static int match_ino(void *arg, const struct vfs_dirent *e)
{
	struct scan *s = arg;

	if (e->ino != s->ino || e->name.len > VFS_NAME_MAX)
		return 0;
	memcpy(s->name, e->name.s, e->name.len);
	s->name[e->name.len] = 0;
	s->found = true;
	return 1;
}

/* The name of vn in dir. name has VFS_NAME_MAX + 1 bytes. */
static int name_in(struct vnode *vn, struct vnode *dir, char *name)
{
	struct scan s = {vn->ino, name, false};
	int err;

	if (names_of(vn, dir, name, NULL))
		return 0;
	if (!dir->ops->readdir)
		return -VFS_ENOENT;
	err = dir->ops->readdir(dir, 0, match_ino, &s);
	if (err)
		return err;
	return s.found ? 0 : -VFS_ENOENT;
}

/* "/name" in front of *p. */
static int prepend(char *buf, char **p, const char *name)
{
	size_t len = vfs_strlen(name);

	if ((size_t)(*p - buf) < len + 1)
		return -VFS_ERANGE;
	*p -= len;
	memcpy(*p, name, len);
	*--*p = '/';
	return 0;
}

/* The first step of a non-directory: its name and directory. Takes over and gives *p's vnode. */
static int climb_file(struct path *p, const struct vfs_name_hint *hint, char *name)
{
	struct vnode *dir = NULL;

	if (hint && hint->dir && hint->name) {
		struct vnode *now = NULL;
		size_t len = vfs_strlen(hint->name);

		if (!vfs_lookup_one(hint->dir, hint->name, len, &now) && now == p->vn) {
			memcpy(name, hint->name, len + 1);
			dir = vnode_ref(hint->dir);
		}
		vnode_put(now);
	}
	if (!dir && !names_of(p->vn, NULL, name, &dir))
		return -VFS_ENOENT;
	vnode_put(p->vn);
	p->vn = dir;
	return 0;
}

static int climb_dir(struct path *p, char *name)
{
	struct vnode *up = NULL;
	int err;

	if (atomic_load_explicit(&p->vn->flags, memory_order_relaxed) & VNODE_UNLINKED)
		return -VFS_ENOENT;
	err = vfs_lookup_one(p->vn, "..", 2, &up);
	if (!err && !up)
		err = -VFS_ENOENT;
	if (!err)
		err = name_in(p->vn, up, name);
	if (err) {
		vnode_put(up);
		return err;
	}
	vnode_put(p->vn);
	p->vn = up;
	return 0;
}

/* Climbs from *p (taken over) to root. *reached: it got there. */
static int climb(struct path *p, const struct path *root, const struct vfs_name_hint *hint,
		 char *buf, char **out, bool *reached)
{
	char name[VFS_NAME_MAX + 1];

	*reached = false;
	for (unsigned depth = 0; depth < VFS_PATH_MAX; depth++) {
		int err;

		if (p->vn == root->vn && p->mnt == root->mnt) {
			*reached = true;
			return 0;
		}
		if (p->mnt && p->vn == p->mnt->root) {
			if (!vfs_cross_up(p))
				return 0;
			continue;
		}
		if (p->vn == p->vn->fs->root)
			return 0;
		err = vnode_is_dir(p->vn) ? climb_dir(p, name) : climb_file(p, hint, name);
		if (!err)
			err = prepend(buf, out, name);
		if (err)
			return err;
	}
	return -VFS_ELOOP;
}

/* *out is the buffer's end, and then where the name begins. */
static int name_of(const struct path *p, const struct path *root, const struct vfs_name_hint *hint,
		   char *buf, char **out, bool *reached)
{
	struct path cur = *p;
	char *pos = *out;
	int err;

	if (pos - buf < 2)
		return -VFS_ERANGE;
	*--pos = 0;
	path_get(&cur);
	err = climb(&cur, root, hint, buf, &pos, reached);
	path_put(&cur);
	if (err)
		return err;
	if (!*pos)
		*--pos = '/';
	*out = pos;
	return 0;
}

int vfs_path_name(const struct path *p, const struct path *root, const struct vfs_name_hint *hint,
		  char *buf, size_t size, char **out)
{
	char *pos = buf + size;
	bool reached;
	int err = name_of(p, root, hint, buf, &pos, &reached);

	if (!err)
		*out = pos;
	return err;
}

int vfs_path_name_marked(const struct path *p, const struct path *root, char *buf, size_t size,
			 char **out)
{
	static const char mark[] = "(unreachable)";
	char *pos = buf + size;
	bool reached;
	int err = name_of(p, root, NULL, buf, &pos, &reached);

	if (err)
		return err;
	if (!reached) {
		if ((size_t)(pos - buf) < sizeof(mark) - 1)
			return -VFS_ERANGE;
		pos -= sizeof(mark) - 1;
		memcpy(pos, mark, sizeof(mark) - 1);
	}
	*out = pos;
	return 0;
}

/* Directories by "..", others by a cached name. */
bool vnode_below(struct vnode *vn, struct vnode *top)
{
	struct vnode *cur = vnode_ref(vn);
	bool below = false;

	for (unsigned depth = 0; depth < VFS_PATH_MAX; depth++) {
		struct vnode *up = NULL;
		char name[VFS_NAME_MAX + 1];

		if (cur == top) {
			below = true;
			break;
		}
		if (cur == cur->fs->root)
			break;
		if (vnode_is_dir(cur)) {
			if (vfs_lookup_one(cur, "..", 2, &up))
				up = NULL;
		} else if (!names_of(cur, NULL, name, &up)) {
			up = NULL;
		}
		if (!up)
			break;
		vnode_put(cur);
		cur = up;
	}
	vnode_put(cur);
	return below;
}
