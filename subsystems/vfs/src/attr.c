/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Attributes, sizes, extended attributes by place (vfs/ops.h). Changes happen under vn->lock.
 */
#include "vfs/ops.h"
#include "vfs_priv.h"

#define XATTR_VALUE_MAX 65536u

static int writable(const struct path *p)
{
	if (atomic_load_explicit(&p->vn->flags, memory_order_relaxed) & VNODE_DEAD)
		return -VFS_ESTALE;
	return p->mnt && mount_readonly(p->mnt) ? -VFS_EROFS : 0; /* no mount: memfd */
}

int vfs_getattr(const struct path *p, struct vfs_attr *out)
{
	return vnode_getattr(p->vn, out);
}

int vfs_readlink(const struct path *p, char *buf, size_t *len)
{
	if (p->vn->type != VFS_S_IFLNK || !p->vn->ops->readlink)
		return -VFS_EINVAL;
	return p->vn->ops->readlink(p->vn, buf, len);
}

int setattr_locked(struct vnode *vn, unsigned mask, struct vfs_attr *in)
{
	uint64_t mark;
	int err;

	if (!vn->ops->setattr)
		return -VFS_EPERM;
	in->ctime = vfs_now();
	mark = attr_begin(vn);
	err = vn->ops->setattr(vn, mask | VFS_SET_CTIME, in);
	attr_end(vn, mark);
	return err;
}

static bool owns(const struct vfs_attr *a, const struct vfs_cred *cred)
{
	return a->uid == cred->uid || vfs_capable(cred, VFS_CAP_FOWNER);
}

int vfs_chmod(const struct path *p, const struct vfs_cred *cred, uint32_t mode)
{
	struct vfs_attr a;
	int err = writable(p);

	if (err)
		return err;
	if (p->vn->type == VFS_S_IFLNK)
		return -VFS_EOPNOTSUPP;
	port_mutex_lock(&p->vn->lock);
	err = vnode_getattr(p->vn, &a);
	if (!err && !owns(&a, cred))
		err = -VFS_EPERM;
	if (!err) {
		mode &= 07777;
		if ((mode & VFS_S_ISGID) && !vfs_in_group(cred, a.gid) &&
		    !vfs_capable(cred, VFS_CAP_FSETID))
			mode &= ~(uint32_t)VFS_S_ISGID;
		a.mode = (a.mode & VFS_S_IFMT) | mode;
		err = setattr_locked(p->vn, VFS_SET_MODE, &a);
	}
	port_mutex_unlock(&p->vn->lock);
	return err;
}

/* The mode without the set-id bits that a change of owner or content takes away. */
static uint32_t without_setid(uint32_t mode)
{
	if ((mode & VFS_S_IFMT) == VFS_S_IFDIR)
		return mode;
	mode &= ~(uint32_t)VFS_S_ISUID;
	if (mode & 010)
		mode &= ~(uint32_t)VFS_S_ISGID;
	return mode;
}

int strip_setid_locked(struct vnode *vn, const struct vfs_cred *cred)
{
	struct vfs_attr a;
	int err;

	if (!cred || vfs_capable(cred, VFS_CAP_FSETID))
		return 0;
	err = vnode_getattr(vn, &a);
	if (err || without_setid(a.mode) == a.mode)
		return err;
	a.mode = without_setid(a.mode);
	return setattr_locked(vn, VFS_SET_MODE, &a);
}

static int may_chown(const struct vfs_attr *a, const struct vfs_cred *cred, uint32_t uid,
		     uint32_t gid)
{
	if (vfs_capable(cred, VFS_CAP_CHOWN))
		return 0;
	if (uid != UINT32_MAX && (a->uid != cred->uid || uid != a->uid))
		return -VFS_EPERM;
	if (gid != UINT32_MAX &&
	    (a->uid != cred->uid || (gid != a->gid && !vfs_in_group(cred, gid))))
		return -VFS_EPERM;
	return 0;
}

int vfs_chown(const struct path *p, const struct vfs_cred *cred, uint32_t uid, uint32_t gid)
{
	struct vfs_attr a;
	unsigned mask = 0;
	int err = writable(p);

	if (err)
		return err;
	port_mutex_lock(&p->vn->lock);
	err = vnode_getattr(p->vn, &a);
	if (!err)
		err = may_chown(&a, cred, uid, gid);
	if (!err) {
		if (uid != UINT32_MAX) {
			a.uid = uid;
			mask |= VFS_SET_UID;
		}
		if (gid != UINT32_MAX) {
			a.gid = gid;
			mask |= VFS_SET_GID;
		}
		if (without_setid(a.mode) != a.mode) {
			a.mode = without_setid(a.mode);
			mask |= VFS_SET_MODE;
		}
		err = setattr_locked(p->vn, mask, &a);
	}
	port_mutex_unlock(&p->vn->lock);
	return err;
}

int vfs_utimes(const struct path *p, const struct vfs_cred *cred, unsigned set, bool explicit_times,
	       const struct vfs_time t[2])
{
	struct vfs_attr a;
	int err = writable(p);

	if (err)
		return err;
	port_mutex_lock(&p->vn->lock);
	err = vnode_getattr(p->vn, &a);
	if (!err && !owns(&a, cred))
		err = explicit_times ? -VFS_EPERM : vfs_attr_permission(&a, cred, 2);
	if (!err) {
		a.atime = t[0];
		a.mtime = t[1];
		err = setattr_locked(p->vn, set, &a);
	}
	port_mutex_unlock(&p->vn->lock);
	return err;
}

int truncate_locked(struct vnode *vn, uint64_t size)
{
	struct vfs_attr a;
	uint64_t old;
	int err = vnode_getattr(vn, &a);

	if (err)
		return err;
	old = a.size;
	a.size = size;
	a.mtime = vfs_now();
	err = setattr_locked(vn, VFS_SET_SIZE | VFS_SET_MTIME, &a);
	if (!err && size < old)
		page_cache_truncate(vn, size);
	return err;
}

int vfs_truncate(const struct path *p, const struct vfs_cred *cred, const struct file *f,
		 uint64_t size)
{
	struct vnode *vn = p->vn;
	int err;

	if (vnode_is_dir(vn))
		return -VFS_EISDIR;
	if (vn->type != VFS_S_IFREG)
		return -VFS_EINVAL;
	err = writable(p);
	if (!err && !f)
		err = vnode_permission(vn, cred, 2);
	if (!err && atomic_load_explicit(&vn->writers, memory_order_relaxed) < 0)
		err = -VFS_ETXTBSY;
	if (err)
		return err;
	port_mutex_lock(&vn->lock);
	err = strip_setid_locked(vn, cred);
	if (!err)
		err = truncate_locked(vn, size);
	port_mutex_unlock(&vn->lock);
	return err;
}

int vfs_fallocate(struct file *f, unsigned mode, uint64_t off, uint64_t len)
{
	struct vnode *vn = f->path.vn;
	uint64_t mark;
	int err;

	if (!(f->mode & FILE_WRITE))
		return -VFS_EBADF;
	if (!vn || vn->type == VFS_S_IFIFO)
		return -VFS_ESPIPE;
	if (vnode_is_dir(vn))
		return -VFS_EISDIR;
	if (vn->type != VFS_S_IFREG)
		return -VFS_ENODEV;
	if (!vn->ops->fallocate)
		return -VFS_EOPNOTSUPP;
	err = writable(&f->path);
	if (err)
		return err;
	port_mutex_lock(&vn->lock);
	mark = attr_begin(vn);
	err = vn->ops->fallocate(vn, mode, off, len);
	/* Holes and zeroed ranges: what is cached of them is old. */
	if (!err && (mode & ~1u))
		page_cache_update(vn, off, NULL, (size_t)len);
	attr_end(vn, mark);
	port_mutex_unlock(&vn->lock);
	return err;
}

int vfs_access(const struct path *p, const struct vfs_cred *cred, unsigned mask)
{
	int err;

	if (mask == 0)
		return 0;
	if (!p->mnt)
		return vnode_permission(p->vn, cred, mask);
	if ((mask & 1) && p->vn->type == VFS_S_IFREG &&
	    (atomic_load_explicit(&p->mnt->flags, memory_order_relaxed) & VFS_MS_NOEXEC))
		return -VFS_EACCES;
	err = vnode_permission(p->vn, cred, mask);
	if (!err && (mask & 2) && mount_readonly(p->mnt) &&
	    (p->vn->type == VFS_S_IFREG || p->vn->type == VFS_S_IFDIR ||
	     p->vn->type == VFS_S_IFLNK))
		err = -VFS_EROFS;
	return err;
}

int vfs_statfs(const struct path *p, struct vfs_statfs *out, uint32_t *mount_flags)
{
	*out = (struct vfs_statfs){.bsize = 4096, .namelen = VFS_NAME_MAX};
	*mount_flags = p->mnt ? atomic_load_explicit(&p->mnt->flags, memory_order_relaxed) : 0;
	if (p->mnt && mount_readonly(p->mnt))
		*mount_flags |= VFS_MS_RDONLY;
	return p->vn->fs->ops->statfs ? p->vn->fs->ops->statfs(p->vn->fs, out) : 0;
}

/* --- Extended attributes --- */

static bool starts_with(const char *s, const char *prefix)
{
	while (*prefix && *s == *prefix) {
		s++;
		prefix++;
	}
	return *prefix == 0;
}

/* By the rules of the name spaces (xattr(7)). */
static int xattr_permission(const struct path *p, const struct vfs_cred *cred, const char *name,
			    bool write)
{
	if (write) {
		int err = writable(p);

		if (err)
			return err;
	}
	if (starts_with(name, "security.") || starts_with(name, "system.")) {
		if (write && !vfs_capable(cred, VFS_CAP_SYS_ADMIN))
			return -VFS_EPERM;
		return 0;
	}
	if (starts_with(name, "trusted.")) {
		if (vfs_capable(cred, VFS_CAP_SYS_ADMIN))
			return 0;
		return write ? -VFS_EPERM : -VFS_ENODATA;
	}
	if (!starts_with(name, "user."))
		return -VFS_EOPNOTSUPP;
	if (!name[5])
		return -VFS_EINVAL;
	if (p->vn->type != VFS_S_IFREG && p->vn->type != VFS_S_IFDIR)
		return write ? -VFS_EPERM : -VFS_ENODATA;
	return vnode_permission(p->vn, cred, write ? 2 : 4);
}

static int xattr_name(const char *s, struct vfs_name *out)
{
	*out = (struct vfs_name){s, vfs_strlen(s)};
	return out->len == 0 || out->len > VFS_NAME_MAX ? -VFS_ERANGE : 0;
}

int vfs_getxattr(const struct path *p, const struct vfs_cred *cred, const char *name, void *buf,
		 size_t *len)
{
	struct vfs_name n;
	int err = xattr_name(name, &n);

	if (!err)
		err = xattr_permission(p, cred, name, false);
	if (err)
		return err;
	return p->vn->ops->getxattr ? p->vn->ops->getxattr(p->vn, n, buf, len) : -VFS_EOPNOTSUPP;
}

int vfs_setxattr(const struct path *p, const struct vfs_cred *cred, const struct vfs_xattr *x)
{
	struct vnode *vn = p->vn;
	struct vfs_name n;
	uint64_t mark;
	int err = xattr_name(x->name, &n);

	if (!err && (x->flags & ~3u))
		err = -VFS_EINVAL;
	if (!err && x->len > XATTR_VALUE_MAX)
		err = -VFS_E2BIG;
	if (!err)
		err = xattr_permission(p, cred, x->name, true);
	if (err)
		return err;
	if (!vn->ops->setxattr)
		return -VFS_EOPNOTSUPP;
	port_mutex_lock(&vn->lock);
	mark = attr_begin(vn);
	err = vn->ops->setxattr(vn, n, x->value, x->len, x->flags);
	attr_end(vn, mark);
	port_mutex_unlock(&vn->lock);
	return err;
}

int vfs_removexattr(const struct path *p, const struct vfs_cred *cred, const char *name)
{
	struct vnode *vn = p->vn;
	struct vfs_name n;
	uint64_t mark;
	int err = xattr_name(name, &n);

	if (!err)
		err = xattr_permission(p, cred, name, true);
	if (err)
		return err;
	if (!vn->ops->removexattr)
		return -VFS_EOPNOTSUPP;
	port_mutex_lock(&vn->lock);
	mark = attr_begin(vn);
	err = vn->ops->removexattr(vn, n);
	attr_end(vn, mark);
	port_mutex_unlock(&vn->lock);
	return err;
}

struct name_list {
	char *buf;
	size_t room;
	size_t len;
	bool trusted;
};

static int collect_name(void *arg, struct vfs_name name)
{
	struct name_list *l = arg;

	if (!l->trusted && name.len >= 8 && memcmp(name.s, "trusted.", 8) == 0)
		return 0;
	if (l->len + name.len + 1 <= l->room) {
		memcpy(l->buf + l->len, name.s, name.len);
		l->buf[l->len + name.len] = 0;
	}
	l->len += name.len + 1;
	return 0;
}

int vfs_listxattr(const struct path *p, const struct vfs_cred *cred, char *buf, size_t *len)
{
	struct name_list l = {buf, *len, 0, vfs_capable(cred, VFS_CAP_SYS_ADMIN)};
	int err;

	if (!p->vn->ops->listxattr) {
		*len = 0;
		return 0;
	}
	err = p->vn->ops->listxattr(p->vn, collect_name, &l);
	if (err)
		return err;
	if (*len && l.len > *len)
		return -VFS_ERANGE;
	*len = l.len;
	return 0;
}
