/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * open(2): from a name and flags to a description. First the place (made if O_CREAT asks for it), then
 * the checks on what stands there, then the operations of its kind.
 */
#include "vfs/ops.h"
#include "vfs_priv.h"

#define MAX_RESTARTS 16u

static const struct vfs_special_ops *special;
static const struct file_ops path_ops; /* O_PATH: nothing can be done with it */

void vfs_install_special(const struct vfs_special_ops *ops)
{
	special = ops;
}

/* What was found: the place, and by which name (for /proc). */
struct target {
	struct path path;
	struct vnode *dir;
	char *name;
	bool created;
};

static void target_put(struct target *t)
{
	path_put(&t->path);
	vnode_put(t->dir);
	port_free(t->name);
}

/* Which access of enum 4, 2, 1 the flags ask for. */
static unsigned access_of(unsigned flags)
{
	unsigned acc = flags & VFS_O_ACCMODE;
	unsigned mask = (acc == VFS_O_RDONLY || acc == VFS_O_RDWR ? 4u : 0u) |
			(acc == VFS_O_WRONLY || acc == VFS_O_RDWR || acc == 3 ? 2u : 0u) |
			(acc == 3 ? 4u : 0u);

	if (flags & VFS_O_TRUNC)
		mask |= 2;
	return flags & VFS_O_EXEC ? 1 : mask;
}

static int check_type(const struct path *p, unsigned flags)
{
	struct vnode *vn = p->vn;
	unsigned mflags = atomic_load_explicit(&p->mnt->flags, memory_order_relaxed);

	if (vn->type == VFS_S_IFLNK)
		return flags & VFS_O_DIRECTORY ? -VFS_ENOTDIR : -VFS_ELOOP;
	if ((flags & VFS_O_DIRECTORY) && !vnode_is_dir(vn))
		return -VFS_ENOTDIR;
	if (flags & VFS_O_EXEC)
		return vn->type != VFS_S_IFREG || (mflags & VFS_MS_NOEXEC) ? -VFS_EACCES : 0;
	if (vnode_is_dir(vn) && ((access_of(flags) & 2) || (flags & VFS_O_CREAT)))
		return -VFS_EISDIR;
	if ((vn->type == VFS_S_IFCHR || vn->type == VFS_S_IFBLK) && (mflags & VFS_MS_NODEV))
		return -VFS_EACCES;
	if (vn->type == VFS_S_IFSOCK)
		return -VFS_ENXIO;
	return 0;
}

static int check_access(const struct target *t, unsigned flags, const struct vfs_cred *cred)
{
	struct vnode *vn = t->path.vn;
	unsigned mask = access_of(flags);
	int err = check_type(&t->path, flags);

	if (!err && !t->created)
		err = vnode_permission(vn, cred, mask);
	if (!err && (mask & 2) && vn->type == VFS_S_IFREG && mount_readonly(t->path.mnt))
		err = -VFS_EROFS;
	if (!err && (flags & VFS_O_NOATIME) && !vfs_capable(cred, VFS_CAP_FOWNER)) {
		struct vfs_attr a;

		err = vnode_getattr(vn, &a);
		if (!err && a.uid != cred->uid)
			err = -VFS_EPERM;
	}
	return err;
}

/* A writer of a regular file that is not being executed. */
static int claim_write(struct vnode *vn)
{
	int32_t n = atomic_load_explicit(&vn->writers, memory_order_relaxed);

	do {
		if (n < 0)
			return -VFS_ETXTBSY;
	} while (!atomic_compare_exchange_weak_explicit(&vn->writers, &n, n + 1,
							memory_order_acq_rel,
							memory_order_relaxed));
	return 0;
}

static bool is_special(const struct vnode *vn)
{
	return vn->type == VFS_S_IFCHR || vn->type == VFS_S_IFBLK || vn->type == VFS_S_IFIFO;
}

/* The part that can fail once the description exists: its release will not run if it does. */
static int open_ops(struct file *f, unsigned flags, const struct vfs_cred *cred)
{
	struct vnode *vn = f->path.vn;
	const struct file_ops *ops = f->ops;
	int err = 0;

	f->ops = NULL;
	if ((f->mode & FILE_WRITE) && vn->type == VFS_S_IFREG) {
		err = claim_write(vn);
		if (err)
			return err;
		f->mode |= FILE_WRITER;
	}
	if (vn->type == VFS_S_IFREG || vnode_is_dir(vn))
		f->mode |= FILE_SEEK;
	if ((flags & VFS_O_TRUNC) && vn->type == VFS_S_IFREG) {
		port_mutex_lock(&vn->lock);
		err = strip_setid_locked(vn, cred);
		if (!err)
			err = truncate_locked(vn, 0);
		port_mutex_unlock(&vn->lock);
		if (err)
			return err;
	}
	if (vn->ops->open) {
		f->ops = ops;
		err = vn->ops->open(vn, f);
		ops = f->ops;
		f->ops = NULL;
	}
	if (!err && is_special(vn) && ops == &vfs_file_ops) {
		err = special ? special->open(vn, f) : -VFS_ENXIO;
		ops = f->ops;
	}
	if (atomic_load_explicit(&vn->flags, memory_order_relaxed) & VNODE_STREAM)
		f->mode &= ~(uint32_t)FILE_SEEK;
	f->ops = err ? NULL : ops;
	/* Until here it told the terminal's open something. */
	atomic_fetch_and_explicit(&f->flags, ~(unsigned)VFS_O_NOCTTY, memory_order_relaxed);
	return err;
}

static int open_target(struct target *t, unsigned flags, const struct vfs_cred *cred,
		       struct file **out)
{
	struct vnode *vn = t->path.vn;
	struct file *f;
	int err = 0;

	if (flags & VFS_O_PATH) {
		if ((flags & VFS_O_DIRECTORY) && !vnode_is_dir(vn))
			return -VFS_ENOTDIR;
	} else {
		err = check_access(t, t->created ? flags & ~(unsigned)VFS_O_TRUNC : flags, cred);
	}
	if (err)
		return err;
	f = file_create(flags & VFS_O_PATH ? &path_ops : &vfs_file_ops, flags);
	if (!f)
		return -VFS_ENOMEM;
	f->path = t->path;
	f->name_dir = t->dir;
	f->name = t->name;
	t->path = (struct path){NULL, NULL};
	t->dir = NULL;
	t->name = NULL;
	if (!(flags & VFS_O_PATH))
		err = open_ops(f, t->created ? flags & ~(unsigned)VFS_O_TRUNC : flags, cred);
	if (err) {
		file_put(f);
		return err;
	}
	*out = f;
	return 0;
}

/* w->last is to be made in w->cur, or found there meanwhile. */
static int create_last(struct walk *w, unsigned flags, uint32_t mode, struct target *t)
{
	struct vnode *dir = w->cur.vn;
	struct vfs_name name = {w->last.name, w->last.len};
	struct vnode *vn = NULL;
	struct vfs_new what;
	int err = prepare_new(dir, w->from, VFS_S_IFREG | (mode & 07777), &what);

	if (err)
		return err;
	port_mutex_lock(&dir->lock);
	err = lookup_locked(dir, name, &vn);
	if (!err && vn) {
		vnode_put(vn);
		port_mutex_unlock(&dir->lock);
		return flags & VFS_O_EXCL ? -VFS_EEXIST : -VFS_EAGAIN;
	}
	if (!err)
		err = may_change_dir(&w->cur, w->from->cred);
	if (!err)
		err = create_locked(dir, name, &what, &vn);
	port_mutex_unlock(&dir->lock);
	if (err)
		return err;
	t->path = (struct path){mount_get(w->cur.mnt), vn};
	t->created = true;
	return 0;
}

/* O_CREAT with an ordinary last name: *done when t is set; otherwise the walk takes the last step. */
static int try_create(struct walk *w, unsigned flags, uint32_t mode, struct target *t, bool *done)
{
	struct vnode *vn = NULL;
	int err = walk_may_search(w);

	*done = false;
	if (err)
		return err;
	if (w->last.trailing_slash)
		return -VFS_EISDIR;
	for (;;) {
		err = vfs_lookup_one(w->cur.vn, w->last.name, w->last.len, &vn);
		if (err)
			return err;
		if (vn) {
			vnode_put(vn);
			return flags & VFS_O_EXCL ? -VFS_EEXIST : 0;
		}
		err = create_last(w, flags, mode, t);
		if (err != -VFS_EAGAIN) {
			*done = !err;
			return err;
		}
	}
}

static int remember_name(struct walk *w, struct target *t)
{
	if (w->last.kind != VFS_LAST_NORMAL)
		return 0;
	t->name = vfs_strdup(w->last.name, w->last.len);
	if (!t->name)
		return -VFS_ENOMEM;
	t->dir = vnode_ref(w->cur.vn);
	return 0;
}

static int find_target(struct walk *w, unsigned flags, uint32_t mode, struct target *t)
{
	bool follow = !(flags & VFS_O_NOFOLLOW) &&
		      (flags & (VFS_O_CREAT | VFS_O_EXCL)) != (VFS_O_CREAT | VFS_O_EXCL);
	bool again = true;

	while (again) {
		bool done = false;
		int err = walk_to_last(w);

		if (err)
			return err;
		vnode_put(t->dir);
		port_free(t->name);
		t->dir = NULL;
		t->name = NULL;
		err = remember_name(w, t);
		if (!err && (flags & VFS_O_CREAT) && w->last.kind == VFS_LAST_NORMAL)
			err = try_create(w, flags, mode, t, &done);
		if (err || done)
			return err;
		err = walk_last(w, follow, &again);
		if (err)
			return err;
	}
	t->path = w->cur;
	w->cur = (struct path){NULL, NULL};
	return 0;
}

/* O_TMPFILE: t->path is a directory; it becomes a file without a name in it. */
static int make_anon(const struct vfs_walk_from *from, uint32_t mode, struct target *t)
{
	struct vnode *dir = t->path.vn;
	struct vnode *vn;
	struct vfs_new what;
	int err;

	if (!vnode_is_dir(dir))
		return -VFS_ENOTDIR;
	if (!dir->ops->create_anon)
		return -VFS_EOPNOTSUPP;
	err = may_change_dir(&t->path, from->cred);
	if (!err)
		err = prepare_new(dir, from, VFS_S_IFREG | (mode & 07777), &what);
	if (err)
		return err;
	port_mutex_lock(&dir->lock);
	err = dir->ops->create_anon(dir, &what, &vn);
	port_mutex_unlock(&dir->lock);
	if (err)
		return err;
	atomic_fetch_or_explicit(&vn->flags, VNODE_UNLINKED, memory_order_relaxed);
	vnode_put(dir);
	t->path.vn = vn;
	t->created = true;
	vnode_put(t->dir);
	port_free(t->name);
	t->dir = NULL;
	t->name = NULL;
	return 0;
}

/* Flags as the rest of this file expects them. */
static int normalize(unsigned *flags)
{
	if (*flags & VFS_O_PATH)
		*flags &= VFS_O_PATH | VFS_O_DIRECTORY | VFS_O_NOFOLLOW | VFS_O_CLOEXEC;
	if ((*flags & VFS_O_TMPFILE) == VFS_O_TMPFILE) {
		unsigned acc = *flags & VFS_O_ACCMODE;

		if (acc != VFS_O_WRONLY && acc != VFS_O_RDWR)
			return -VFS_EINVAL;
		*flags &= ~(unsigned)VFS_O_CREAT;
	} else if (*flags & (VFS_O_TMPFILE & ~VFS_O_DIRECTORY)) {
		return -VFS_EINVAL;
	}
	if ((*flags & (VFS_O_CREAT | VFS_O_DIRECTORY)) == (VFS_O_CREAT | VFS_O_DIRECTORY))
		return -VFS_EINVAL;
	return 0;
}

int vfs_open(const struct vfs_walk_from *from, const char *name, unsigned flags, uint32_t mode,
	     struct file **out)
{
	struct target t = {.created = false};
	bool again = true;
	int err = normalize(&flags);

	if (err)
		return err;
	if (*name == 0)
		return -VFS_ENOENT;
	for (unsigned i = 0; again; i++) {
		struct walk w;

		err = walk_begin(&w, from, name);
		if (err)
			return err;
		err = find_target(&w, flags, mode, &t);
		again = walk_stale(&w) && !t.created && i < MAX_RESTARTS;
		walk_end(&w);
		if (again) {
			target_put(&t);
			t = (struct target){.created = false};
		}
	}
	if (!err && (flags & VFS_O_TMPFILE) == VFS_O_TMPFILE) {
		err = make_anon(from, mode, &t);
		flags &= ~(unsigned)VFS_O_TMPFILE;
	}
	if (!err)
		err = open_target(&t, flags, from->cred, out);
	target_put(&t);
	return err;
}

int vfs_open_path(const struct path *p, unsigned flags, const struct vfs_cred *cred,
		  struct file **out)
{
	struct target t = {.path = *p};
	int err = normalize(&flags);

	if (err)
		return err;
	path_get(&t.path);
	err = open_target(&t, flags & ~(unsigned)(VFS_O_CREAT | VFS_O_EXCL), cred, out);
	target_put(&t);
	return err;
}
