/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Changes of names: create, link, unlink, rmdir, rename. Each walks to the parent, takes its lock, looks the
 * name up under it, checks, calls the file system, then corrects the name cache.
 *
 * OPS-1  Order of locks: fs->rename (moves between directories), directories by address, then files.
 * OPS-2  Under fs->rename no directory of the instance changes its parent through the VFS: the checks against
 *        loops hold until the rename.
 */
#include "vfs/ops.h"

#include "vfs_priv.h"

static uint64_t begin_change(struct vnode *vn, bool names_only)
{
	uint64_t mark;

	port_mutex_lock(&vn->meta);
	vn->attr_valid = false;
	vn->owner_valid = vn->owner_valid && names_only;
	mark = ++vn->attr_gen;
	port_mutex_unlock(&vn->meta);
	return mark;
}

uint64_t attr_begin(struct vnode *vn)
{
	return begin_change(vn, false);
}

static void end_change(struct vnode *vn, uint64_t mark, bool names_only)
{
	port_mutex_lock(&vn->meta);
	if (vn->attr_gen == mark) {
		vn->attr_valid = false;
		vn->owner_valid = vn->owner_valid && names_only;
		vn->attr_gen++;
	}
	port_mutex_unlock(&vn->meta);
}

void attr_end(struct vnode *vn, uint64_t mark)
{
	end_change(vn, mark, false);
}

int lookup_locked(struct vnode *dir, struct vfs_name name, struct vnode **out)
{
	uint64_t seq = vfs_seq_begin(dir->fs);
	struct vnode *vn = NULL;
	int err;

	if (names_find(dir, name.s, name.len, out))
		return 0;
	if (!dir->ops->lookup)
		return -VFS_ENOTDIR;
	err = dir->ops->lookup(dir, name, &vn);
	if (err && err != -VFS_ENOENT)
		return err;
	if (!vfs_seq_retry(dir->fs, seq))
		names_add(dir, name.s, name.len, vn);
	*out = vn;
	return 0;
}

int may_change_dir(const struct path *dir, const struct vfs_cred *cred)
{
	if (!vnode_is_dir(dir->vn))
		return -VFS_ENOTDIR;
	if (mount_readonly(dir->mnt))
		return -VFS_EROFS;
	if (atomic_load_explicit(&dir->vn->flags, memory_order_relaxed) & VNODE_DEAD)
		return -VFS_ESTALE;
	return vnode_permission(dir->vn, cred, 3);
}

int prepare_new(struct vnode *dir, const struct vfs_walk_from *from, uint32_t mode,
		struct vfs_new *out)
{
	struct vfs_attr a;
	int err = vnode_getowner(dir, &a);

	if (err)
		return err;
	*out = (struct vfs_new){.mode = mode, .uid = from->cred->uid, .gid = from->cred->gid};
	if ((mode & VFS_S_IFMT) != VFS_S_IFLNK)
		out->mode &= ~atomic_load_explicit(&from->fc->umask, memory_order_relaxed);
	if (a.mode & VFS_S_ISGID) {
		out->gid = a.gid;
		if ((mode & VFS_S_IFMT) == VFS_S_IFDIR)
			out->mode |= VFS_S_ISGID;
	}
	return 0;
}

int create_locked(struct vnode *dir, struct vfs_name name, const struct vfs_new *what,
		  struct vnode **out)
{
	uint64_t mark;
	int err;

	if (!dir->ops->create)
		return -VFS_EPERM;
	if (atomic_load_explicit(&dir->flags, memory_order_relaxed) & VNODE_UNLINKED)
		return -VFS_ENOENT;
	mark = begin_change(dir, true);
	err = dir->ops->create(dir, name, what, out);
	if (!err)
		names_add(dir, name.s, name.len, *out);
	end_change(dir, mark, true);
	return err;
}

/* Why a last component that is no name cannot be created. */
static int check_creatable(const struct vfs_last *l, const struct vfs_cred *cred)
{
	if (l->kind != VFS_LAST_NORMAL)
		return -VFS_EEXIST;
	return vnode_permission(l->parent.vn, cred, 1);
}

static int create_named(const struct vfs_walk_from *from, const char *path, struct vfs_new *tmpl)
{
	struct vfs_last l;
	struct vfs_new what;
	struct vnode *vn = NULL;
	bool dir = (tmpl->mode & VFS_S_IFMT) == VFS_S_IFDIR;
	int err = vfs_walk_parent(from, path, &l);

	if (err)
		return err;
	err = check_creatable(&l, from->cred);
	if (!err)
		err = prepare_new(l.parent.vn, from, tmpl->mode, &what);
	if (!err) {
		struct vfs_name name = {l.name, l.len};
		struct vnode *dvn = l.parent.vn;

		what.rdev = tmpl->rdev;
		what.target = tmpl->target;
		port_mutex_lock(&dvn->lock);
		err = lookup_locked(dvn, name, &vn);
		if (!err && vn)
			err = -VFS_EEXIST;
		if (!err && l.trailing_slash && !dir)
			err = -VFS_ENOENT;
		if (!err)
			err = may_change_dir(&l.parent, from->cred);
		if (!err)
			err = create_locked(dvn, name, &what, &vn);
		port_mutex_unlock(&dvn->lock);
		vnode_put(vn);
	}
	vfs_last_put(&l);
	return err;
}

int vfs_mkdir(const struct vfs_walk_from *from, const char *name, uint32_t mode)
{
	struct vfs_new n = {.mode = VFS_S_IFDIR | (mode & 01777)};

	return create_named(from, name, &n);
}

int vfs_mknod(const struct vfs_walk_from *from, const char *name, uint32_t mode, uint32_t rdev)
{
	uint32_t type = mode & VFS_S_IFMT;
	struct vfs_new n = {.mode = (type ? type : (uint32_t)VFS_S_IFREG) | (mode & 07777)};

	if (type == VFS_S_IFDIR)
		return -VFS_EPERM;
	if (type && type != VFS_S_IFREG && type != VFS_S_IFCHR && type != VFS_S_IFBLK &&
	    type != VFS_S_IFIFO && type != VFS_S_IFSOCK)
		return -VFS_EINVAL;
	if (type == VFS_S_IFCHR || type == VFS_S_IFBLK) {
		if (!vfs_capable(from->cred, VFS_CAP_MKNOD))
			return -VFS_EPERM;
		n.rdev = rdev;
	}
	return create_named(from, name, &n);
}

int vfs_symlink(const struct vfs_walk_from *from, const char *name, const char *target)
{
	struct vfs_new n = {.mode = VFS_S_IFLNK | 0777, .target = {target, vfs_strlen(target)}};

	if (n.target.len == 0)
		return -VFS_ENOENT;
	if (n.target.len >= VFS_PATH_MAX)
		return -VFS_ENAMETOOLONG;
	return create_named(from, name, &n);
}

/*
 * May a user who does not own it give the file another name? Only an ordinary file that he may read
 * and write: else he could keep a program with set-user-ID alive, or lead root's tools to a file.
 */
static int may_link(const struct path *old, const struct vfs_cred *cred)
{
	struct vfs_attr a;
	int err = vnode_getattr(old->vn, &a);

	if (err || a.uid == cred->uid || vfs_capable(cred, VFS_CAP_FOWNER))
		return err;
	if (old->vn->type != VFS_S_IFREG || (a.mode & VFS_S_ISUID) ||
	    (a.mode & (VFS_S_ISGID | 010)) == (VFS_S_ISGID | 010) ||
	    vfs_attr_permission(&a, cred, 6))
		return -VFS_EPERM;
	return 0;
}

int vfs_link(const struct path *old, const struct vfs_walk_from *from, const char *path)
{
	struct vfs_last l;
	struct vnode *vn = NULL;
	int err = vfs_walk_parent(from, path, &l);

	if (err)
		return err;
	err = check_creatable(&l, from->cred);
	if (!err) {
		struct vfs_name name = {l.name, l.len};
		struct vnode *dir = l.parent.vn;

		port_mutex_lock(&dir->lock);
		err = lookup_locked(dir, name, &vn);
		if (!err && vn)
			err = -VFS_EEXIST;
		if (!err && l.trailing_slash)
			err = -VFS_ENOENT;
		if (!err)
			err = may_link(old, from->cred);
		if (!err && old->mnt != l.parent.mnt)
			err = -VFS_EXDEV;
		if (!err)
			err = may_change_dir(&l.parent, from->cred);
		if (!err && (vnode_is_dir(old->vn) || !dir->ops->link))
			err = -VFS_EPERM;
		if (!err) {
			uint64_t dmark = begin_change(dir, true);
			uint64_t mark = attr_begin(old->vn);

			err = dir->ops->link(dir, name, old->vn);
			if (!err) {
				atomic_fetch_and_explicit(&old->vn->flags,
							  ~(unsigned)VNODE_UNLINKED,
							  memory_order_relaxed);
				names_add(dir, name.s, name.len, old->vn);
			}
			attr_end(old->vn, mark);
			end_change(dir, dmark, true);
		}
		port_mutex_unlock(&dir->lock);
		vnode_put(vn);
	}
	vfs_last_put(&l);
	return err;
}

/* May victim's name be taken out of dir (besides write permission there)? */
static int may_delete(const struct path *dir, struct vnode *victim, const struct vfs_cred *cred)
{
	struct vfs_attr d;
	struct vfs_attr v;
	int err = may_change_dir(dir, cred);

	if (!err)
		err = vnode_getattr(dir->vn, &d);
	if (err)
		return err;
	if ((d.mode & VFS_S_ISVTX) && d.uid != cred->uid && !vfs_capable(cred, VFS_CAP_FOWNER)) {
		err = vnode_getattr(victim, &v);
		if (err)
			return err;
		if (v.uid != cred->uid)
			return -VFS_EPERM;
	}
	if (atomic_load_explicit(&victim->mounts_here, memory_order_acquire))
		return -VFS_EBUSY;
	return 0;
}

/* victim has lost a name: is it unlinked now? */
static void after_loss(struct vnode *victim, bool dir)
{
	struct vfs_attr a;

	if (dir || vnode_getattr(victim, &a) || a.nlink == 0)
		atomic_fetch_or_explicit(&victim->flags, VNODE_UNLINKED, memory_order_relaxed);
	if (dir)
		names_remove_dir(victim);
}

static int remove_locked(struct vnode *dir, struct vfs_name name, struct vnode *victim, bool is_dir)
{
	int (*op)(struct vnode *, struct vfs_name, struct vnode *) =
		is_dir ? dir->ops->rmdir : dir->ops->unlink;
	uint64_t dmark;
	uint64_t mark;
	int err;

	if (!op)
		return -VFS_EPERM;
	dmark = begin_change(dir, true);
	mark = attr_begin(victim);
	err = op(dir, name, victim);
	if (!err)
		names_add(dir, name.s, name.len, NULL);
	attr_end(victim, mark);
	end_change(dir, dmark, true);
	if (!err)
		after_loss(victim, is_dir);
	return err;
}

static int check_removable(const struct vfs_last *l, bool is_dir)
{
	switch (l->kind) {
	case VFS_LAST_NORMAL:
		return 0;
	case VFS_LAST_DOT:
		return is_dir ? -VFS_EINVAL : -VFS_EISDIR;
	case VFS_LAST_DOTDOT:
		return is_dir ? -VFS_ENOTEMPTY : -VFS_EISDIR;
	case VFS_LAST_ROOT:
		return is_dir ? -VFS_EBUSY : -VFS_EISDIR;
	}
	return -VFS_EINVAL;
}

static int check_victim(const struct vfs_last *l, struct vnode *victim, bool is_dir)
{
	if (!victim)
		return -VFS_ENOENT;
	if (is_dir)
		return vnode_is_dir(victim) ? 0 : -VFS_ENOTDIR;
	if (l->trailing_slash)
		return vnode_is_dir(victim) ? -VFS_EISDIR : -VFS_ENOTDIR;
	return 0;
}

static int remove_named(const struct vfs_walk_from *from, const char *path, bool is_dir)
{
	struct vfs_last l;
	struct vnode *victim = NULL;
	int err = vfs_walk_parent(from, path, &l);

	if (err)
		return err;
	err = check_removable(&l, is_dir);
	if (!err)
		err = vnode_permission(l.parent.vn, from->cred, 1);
	if (!err) {
		struct vfs_name name = {l.name, l.len};
		struct vnode *dir = l.parent.vn;

		port_mutex_lock(&dir->lock);
		err = lookup_locked(dir, name, &victim);
		if (!err)
			err = check_victim(&l, victim, is_dir);
		if (!err)
			err = may_delete(&l.parent, victim, from->cred);
		if (!err && !is_dir && vnode_is_dir(victim))
			err = -VFS_EISDIR;
		if (!err)
			err = remove_locked(dir, name, victim, is_dir);
		port_mutex_unlock(&dir->lock);
	}
	vnode_put(victim);
	vfs_last_put(&l);
	return err;
}

int vfs_unlink(const struct vfs_walk_from *from, const char *name)
{
	return remove_named(from, name, false);
}

int vfs_rmdir(const struct vfs_walk_from *from, const char *name)
{
	return remove_named(from, name, true);
}

/* --- rename --- */

struct rename {
	const struct vfs_cred *cred;
	struct vfs_last o, n;
	struct vnode *src;
	struct vnode *dst; /* NULL: the new name is free */
	unsigned flags;
};

static int rename_permission(struct rename *r)
{
	int err = may_delete(&r->o.parent, r->src, r->cred);

	if (err)
		return err;
	err = r->dst ? may_delete(&r->n.parent, r->dst, r->cred)
		     : may_change_dir(&r->n.parent, r->cred);
	if (err)
		return err;
	if (r->o.parent.vn == r->n.parent.vn)
		return 0;
	/* ".." changes: write permission in what moves. */
	if (vnode_is_dir(r->src))
		err = vnode_permission(r->src, r->cred, 2);
	if (!err && (r->flags & VFS_RENAME_EXCHANGE) && vnode_is_dir(r->dst))
		err = vnode_permission(r->dst, r->cred, 2);
	return err;
}

static int rename_types(const struct rename *r)
{
	bool dir = vnode_is_dir(r->src);

	if (r->flags & VFS_RENAME_EXCHANGE) {
		if (r->n.trailing_slash && !vnode_is_dir(r->dst))
			return -VFS_ENOTDIR;
		return !dir && r->o.trailing_slash ? -VFS_ENOTDIR : 0;
	}
	if (!dir && (r->o.trailing_slash || r->n.trailing_slash))
		return -VFS_ENOTDIR;
	if (!r->dst)
		return 0;
	if (dir && !vnode_is_dir(r->dst))
		return -VFS_ENOTDIR;
	return !dir && vnode_is_dir(r->dst) ? -VFS_EISDIR : 0;
}

/* The call itself and the caches. Both directories are locked. */
static int rename_apply(struct rename *r)
{
	struct vnode *od = r->o.parent.vn;
	struct vnode *nd = r->n.parent.vn;
	struct vnode *all[4] = {od, nd, r->src, r->dst};
	struct vfs_name on = {r->o.name, r->o.len};
	struct vfs_name nn = {r->n.name, r->n.len};
	bool exchange = (r->flags & VFS_RENAME_EXCHANGE) != 0;
	uint64_t mark[4];
	int err;

	if (!od->ops->rename)
		return -VFS_EINVAL;
	if (atomic_load_explicit(&nd->flags, memory_order_relaxed) & VNODE_UNLINKED)
		return -VFS_ENOENT;
	for (unsigned i = 0; i < 4; i++)
		mark[i] = all[i] ? attr_begin(all[i]) : 0;
	err = od->ops->rename(od, on, nd, nn, r->flags);
	if (!err) {
		names_add(od, on.s, on.len, exchange ? r->dst : NULL);
		names_add(nd, nn.s, nn.len, r->src);
		if (od != nd) {
			names_remove(r->src, "..", 2);
			if (exchange)
				names_remove(r->dst, "..", 2);
		}
	}
	for (unsigned i = 4; i-- > 0;) {
		/* one that stands twice: its first mark is old by now, the second one counts */
		if (all[i])
			attr_end(all[i], mark[i]);
	}
	if (!err && r->dst && !exchange)
		after_loss(r->dst, vnode_is_dir(r->dst));
	return err;
}

static int rename_locked(struct rename *r)
{
	struct vfs_name on = {r->o.name, r->o.len};
	struct vfs_name nn = {r->n.name, r->n.len};
	int err = lookup_locked(r->o.parent.vn, on, &r->src);

	if (!err && !r->src)
		err = -VFS_ENOENT;
	if (!err)
		err = lookup_locked(r->n.parent.vn, nn, &r->dst);
	if (!err && r->dst && (r->flags & VFS_RENAME_NOREPLACE))
		err = -VFS_EEXIST;
	if (!err && !r->dst && (r->flags & VFS_RENAME_EXCHANGE))
		err = -VFS_ENOENT;
	if (!err)
		err = rename_types(r);
	if (err)
		return err;
	if (r->src == r->dst)
		return 0; /* two names of one file: POSIX says that nothing happens */
	err = rename_permission(r);
	return err ? err : rename_apply(r);
}

static void NO_THREAD_SAFETY lock_two(struct vnode *a, struct vnode *b)
{
	struct vnode *first = (uintptr_t)a < (uintptr_t)b ? a : b;
	struct vnode *second = first == a ? b : a;

	port_mutex_lock(&first->lock);
	if (second != first)
		port_mutex_lock(&second->lock);
}

static void NO_THREAD_SAFETY unlock_two(struct vnode *a, struct vnode *b)
{
	port_mutex_unlock(&a->lock);
	if (b != a)
		port_mutex_unlock(&b->lock);
}

/* No directory moves into itself, and none is replaced by something in it (OPS-2). */
static int rename_loops(const struct rename *r)
{
	struct vnode *src = NULL;
	struct vnode *dst = NULL;
	int err = vfs_lookup_one(r->o.parent.vn, r->o.name, r->o.len, &src);

	if (!err)
		err = vfs_lookup_one(r->n.parent.vn, r->n.name, r->n.len, &dst);
	if (!err && src && vnode_is_dir(src) && vnode_below(r->n.parent.vn, src))
		err = -VFS_EINVAL;
	if (!err && dst && vnode_is_dir(dst) && vnode_below(r->o.parent.vn, dst))
		err = r->flags & VFS_RENAME_EXCHANGE ? -VFS_EINVAL : -VFS_ENOTEMPTY;
	vnode_put(src);
	vnode_put(dst);
	return err;
}

static int NO_THREAD_SAFETY rename_run(struct rename *r)
{
	struct vnode *od = r->o.parent.vn;
	struct vnode *nd = r->n.parent.vn;
	int err = 0;

	if (r->o.parent.mnt != r->n.parent.mnt)
		return -VFS_EXDEV;
	if (r->o.kind != VFS_LAST_NORMAL)
		return -VFS_EBUSY;
	if (r->n.kind != VFS_LAST_NORMAL)
		return r->flags & VFS_RENAME_NOREPLACE ? -VFS_EEXIST : -VFS_EBUSY;
	err = vnode_permission(od, r->cred, 1);
	if (!err)
		err = vnode_permission(nd, r->cred, 1);
	if (err)
		return err;
	if (od != nd) {
		port_mutex_lock(&od->fs->rename); /* OPS-1 */
		err = rename_loops(r);
	}
	if (!err) {
		lock_two(od, nd);
		err = rename_locked(r);
		unlock_two(od, nd);
	}
	if (od != nd)
		port_mutex_unlock(&od->fs->rename);
	return err;
}

int vfs_rename(const struct vfs_walk_from *ofrom, const char *oname,
	       const struct vfs_walk_from *nfrom, const char *nname, unsigned flags)
{
	struct rename *r;
	int err;

	if (flags & ~(unsigned)(VFS_RENAME_NOREPLACE | VFS_RENAME_EXCHANGE) ||
	    flags == (VFS_RENAME_NOREPLACE | VFS_RENAME_EXCHANGE))
		return -VFS_EINVAL;
	r = port_alloc_zeroed(sizeof(*r)); /* two names: too large for the stack */
	if (!r)
		return -VFS_ENOMEM;
	r->cred = ofrom->cred;
	r->flags = flags;
	err = vfs_walk_parent(ofrom, oname, &r->o);
	if (!err) {
		err = vfs_walk_parent(nfrom, nname, &r->n);
		if (!err) {
			err = rename_run(r);
			vfs_last_put(&r->n);
		}
		vfs_last_put(&r->o);
	}
	vnode_put(r->src);
	vnode_put(r->dst);
	port_free(r);
	return err;
}
