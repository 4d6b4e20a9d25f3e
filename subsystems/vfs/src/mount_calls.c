/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * mount(2), umount2(2), pivot_root(2) and the texts of /proc/PID/mounts and mountinfo.
 *
 * Each call walks to its places first (with references), then changes the structure under mount_lock
 * after checking there what may have changed, then gives references back (MNT-4).
 */
#include "mount_priv.h"

#define PROPAGATION (VFS_MS_SHARED | VFS_MS_PRIVATE | VFS_MS_SLAVE | VFS_MS_UNBINDABLE)

static bool is_mount_root(const struct path *p)
{
	return p->vn == p->mnt->root;
}

static unsigned flags_of(const struct mount *m)
{
	return atomic_load_explicit(&m->flags, memory_order_relaxed);
}

/* Puts m (a reference, taken over on success) on *at. */
static int attach(struct mount *m, const struct path *at)
{
	int err = 0;

	if (vnode_is_dir(at->vn) != vnode_is_dir(m->root))
		return -VFS_ENOTDIR;
	port_mutex_lock(&mount_lock);
	if (!at->mnt->ns)
		err = -VFS_EINVAL;
	else if (atomic_load_explicit(&at->vn->flags, memory_order_relaxed) & VNODE_UNLINKED)
		err = -VFS_ENOENT;
	else
		mount_attach_locked(m, at->mnt, at->vn);
	port_mutex_unlock(&mount_lock);
	return err;
}

int vfs_mount_at(const struct vfs_walk_from *from, struct vfs_fs *fs, const char *target,
		 unsigned flags)
{
	struct path at;
	struct mount *m;
	int err = vfs_walk(from, target, VFS_FOLLOW | VFS_DIRECTORY, &at);

	if (err)
		return err;
	m = mount_alloc(fs, fs->root, flags);
	err = m ? attach(m, &at) : -VFS_ENOMEM;
	if (err)
		mount_put(m);
	path_put(&at);
	return err;
}

static unsigned kept_flags(unsigned long flags)
{
	unsigned f = (unsigned)(flags & MOUNT_FLAGS);

	if (!(flags & (VFS_MS_NOATIME | VFS_MS_STRICTATIME)))
		f |= VFS_MS_RELATIME;
	if (flags & VFS_MS_NOATIME)
		f &= ~(unsigned)VFS_MS_RELATIME;
	return f;
}

static int mount_new(const struct vfs_walk_from *from, const struct vfs_mount_call *c,
		     const struct path *at)
{
	const struct vfs_fs_type *type = c->type ? vfs_fs_find_type(c->type) : NULL;
	struct path device = {NULL, NULL};
	struct vfs_mount_args args = {.source = c->source ? c->source : "",
				      .data = c->data ? c->data : "",
				      .flags = c->flags,
				      .cred = from->cred};
	struct vfs_fs *fs;
	struct mount *m;
	int err;

	if (!type)
		return c->type ? -VFS_ENODEV : -VFS_EINVAL;
	if (type->needs_device) {
		err = vfs_walk(from, args.source, VFS_FOLLOW, &device);
		if (err)
			return err;
		args.device = device.vn;
	}
	err = type->mount(type, &args, &fs);
	path_put(&device);
	if (err)
		return err;
	if (!fs->source[0])
		(void)vfs_strcpy_to(fs->source, fs->source + sizeof(fs->source),
				    args.source[0] ? args.source : "none");
	m = mount_alloc(fs, fs->root, kept_flags(c->flags));
	vfs_fs_put(fs);
	if (!m)
		return -VFS_ENOMEM;
	err = attach(m, at);
	if (err)
		mount_put(m);
	return err;
}

/* --- Bind mounts --- */

/* Attaches copies of the mounts below src (within its vnode) under m. Under mount_lock. */
static int copy_below(const struct path *src, struct mount *m)
{
	struct mount *o;
	int err = 0;

	list_for_each_entry (o, &src->mnt->ns->mounts, struct mount, in_ns)
		o->copy = NULL;
	src->mnt->copy = m;
	/* A parent may stand behind its child on the list after moves: repeat until nothing is new. */
	for (bool again = true; again && !err;) {
		struct mount *last = list_last(&src->mnt->ns->mounts, struct mount, in_ns);

		again = false;
		list_for_each_entry (o, &src->mnt->ns->mounts, struct mount, in_ns) {
			bool stop = o == last;

			if (!o->copy && o->parent && o->parent->copy && o != m &&
			    !(o->parent == src->mnt && !vnode_below(o->point, src->vn)) &&
			    !mount_is_below_locked(o, m)) {
				o->copy = mount_alloc(o->fs, o->root, flags_of(o));
				if (!o->copy) {
					err = -VFS_ENOMEM;
					break;
				}
				mount_attach_locked(o->copy, o->parent->copy, o->point);
				again = true;
			}
			if (stop)
				break;
		}
	}
	return err;
}

static void umount_tree(struct mount *top);

static int mount_bind(const struct vfs_walk_from *from, const struct vfs_mount_call *c,
		      const struct path *at)
{
	struct path src;
	struct mount *m = NULL;
	int err;

	if (!c->source || !c->source[0])
		return -VFS_EINVAL;
	err = vfs_walk(from, c->source, VFS_FOLLOW, &src);
	if (err)
		return err;
	if (!src.mnt->ns)
		err = -VFS_EINVAL;
	if (!err) {
		m = mount_alloc(src.mnt->fs, src.vn, flags_of(src.mnt));
		err = m ? attach(m, at) : -VFS_ENOMEM;
		if (err)
			mount_put(m);
	}
	if (!err && (c->flags & VFS_MS_REC)) {
		port_mutex_lock(&mount_lock);
		err = src.mnt->ns ? copy_below(&src, m) : -VFS_EINVAL;
		port_mutex_unlock(&mount_lock);
		if (err)
			umount_tree(m);
	}
	path_put(&src);
	return err;
}

static int mount_move(const struct vfs_walk_from *from, const struct vfs_mount_call *c,
		      const struct path *at)
{
	struct path src;
	struct path old = {NULL, NULL};
	int err;

	if (!c->source || !c->source[0])
		return -VFS_EINVAL;
	err = vfs_walk(from, c->source, VFS_FOLLOW, &src);
	if (err)
		return err;
	port_mutex_lock(&mount_lock);
	if (!is_mount_root(&src) || !src.mnt->parent || !src.mnt->ns || src.mnt->ns != at->mnt->ns)
		err = -VFS_EINVAL;
	else if (vnode_is_dir(src.vn) != vnode_is_dir(at->vn))
		err = -VFS_ENOTDIR;
	else if (mount_is_below_locked(at->mnt, src.mnt))
		err = -VFS_ELOOP;
	if (!err) {
		mount_unhook_locked(src.mnt, &old);
		mount_attach_locked(src.mnt, at->mnt, at->vn);
	}
	port_mutex_unlock(&mount_lock);
	path_put(&old);
	path_put(&src);
	return err;
}

static int mount_remount(const struct vfs_mount_call *c, const struct path *at)
{
	unsigned flags = kept_flags(c->flags);

	if (!is_mount_root(at))
		return -VFS_EINVAL;
	if (!(c->flags & VFS_MS_BIND)) {
		struct vfs_fs *fs = at->mnt->fs;
		int err = fs->ops->remount
				  ? fs->ops->remount(fs, (unsigned)c->flags, c->data ? c->data : "")
				  : 0;

		if (err)
			return err;
		if (flags & VFS_MS_RDONLY) {
			err = vfs_fs_sync(fs);
			if (err)
				return err;
			atomic_fetch_or_explicit(&fs->flags, VFS_FS_READONLY, memory_order_relaxed);
		} else {
			atomic_fetch_and_explicit(&fs->flags, ~(unsigned)VFS_FS_READONLY,
						  memory_order_relaxed);
		}
	}
	atomic_store_explicit(&at->mnt->flags, flags, memory_order_relaxed);
	return 0;
}

static int mount_propagation(const struct vfs_mount_call *c, const struct path *at)
{
	uint32_t kind = (uint32_t)(c->flags & PROPAGATION);
	struct mount *m;

	if (!is_mount_root(at) || (kind & (kind - 1)) != 0 || !at->mnt->ns)
		return -VFS_EINVAL;
	port_mutex_lock(&mount_lock);
	if (at->mnt->ns) {
		list_for_each_entry (m, &at->mnt->ns->mounts, struct mount, in_ns) {
			if (m == at->mnt ||
			    ((c->flags & VFS_MS_REC) && mount_is_below_locked(m, at->mnt)))
				m->propagation = kind;
		}
	}
	port_mutex_unlock(&mount_lock);
	return 0;
}

int vfs_mount(const struct vfs_walk_from *from, const struct vfs_mount_call *call)
{
	struct vfs_mount_call c = *call;
	struct path at;
	int err;

	if (!vfs_capable(from->cred, VFS_CAP_SYS_ADMIN))
		return -VFS_EPERM;
	if ((c.flags & 0xffff0000u) == 0xc0ed0000u) /* the magic of old programs */
		c.flags &= 0xffff;
	err = vfs_walk(from, c.target, VFS_FOLLOW, &at);
	if (err)
		return err;
	if (c.flags & VFS_MS_REMOUNT)
		err = mount_remount(&c, &at);
	else if (c.flags & VFS_MS_BIND)
		err = mount_bind(from, &c, &at);
	else if (c.flags & PROPAGATION)
		err = mount_propagation(&c, &at);
	else if (c.flags & VFS_MS_MOVE)
		err = mount_move(from, &c, &at);
	else
		err = mount_new(from, &c, &at);
	path_put(&at);
	return err;
}

/* --- umount --- */

/* Takes top and everything below it out of its namespace. */
static void umount_tree(struct mount *top)
{
	for (;;) {
		struct path place = {NULL, NULL};
		struct mount *leaf = top;

		port_mutex_lock(&mount_lock);
		while (!list_empty(&leaf->children))
			leaf = list_first(&leaf->children, struct mount, sibling);
		mount_leave_ns_locked(leaf);
		mount_unhook_locked(leaf, &place);
		port_mutex_unlock(&mount_lock);
		path_put(&place);
		mount_put(leaf); /* its attached reference */
		if (leaf == top)
			return;
	}
}

int vfs_umount(const struct vfs_walk_from *from, const char *target, unsigned flags)
{
	struct path p;
	struct path place = {NULL, NULL};
	struct mount *m;
	int err;

	if (flags &
	    ~(unsigned)(VFS_MNT_FORCE | VFS_MNT_DETACH | VFS_MNT_EXPIRE | VFS_UMOUNT_NOFOLLOW))
		return -VFS_EINVAL;
	if (!vfs_capable(from->cred, VFS_CAP_SYS_ADMIN))
		return -VFS_EPERM;
	err = vfs_walk(from, target, flags & VFS_UMOUNT_NOFOLLOW ? 0 : VFS_FOLLOW, &p);
	if (err)
		return err;
	vfs_cross_down(
		&p); /* ".": what has been mounted on it since, as after pivot_root(".", ".") */
	m = p.mnt;
	port_mutex_lock(&mount_lock);
	if (!is_mount_root(&p) || !m->parent || !m->ns)
		err = -VFS_EINVAL;
	/* the attached reference and ours */
	else if (!(flags & VFS_MNT_DETACH) &&
		 (!list_empty(&m->children) ||
		  atomic_load_explicit(&m->refs, memory_order_acquire) != 2))
		err = -VFS_EBUSY;
	else if (!(flags & VFS_MNT_DETACH)) {
		mount_leave_ns_locked(m);
		mount_unhook_locked(m, &place);
	}
	port_mutex_unlock(&mount_lock);
	if (!err && (flags & VFS_MNT_DETACH))
		umount_tree(m);
	else if (!err)
		mount_put(m);
	path_put(&place);
	path_put(&p);
	return err;
}

/* --- pivot_root --- */

struct pivot {
	const struct path *old;
	const struct path *new;
};

static bool same(const struct path *a, const struct path *b)
{
	return a->mnt == b->mnt && a->vn == b->vn;
}

/* chroot_fs_refs: who is at the old root is now at the new one. References cannot end here. */
static void pivot_context(struct fs_context *fc, void *arg)
{
	const struct pivot *pv = arg;
	struct path *member[2] = {&fc->root, &fc->cwd};

	port_mutex_lock(&fc->lock);
	for (unsigned i = 0; i < 2; i++) {
		if (same(member[i], pv->old)) {
			struct path old = *member[i];

			*member[i] = *pv->new;
			path_get(member[i]);
			path_put(&old); /* the caller holds another reference */
		}
	}
	port_mutex_unlock(&fc->lock);
}

static int pivot_check_locked(const struct path *root, const struct path *new,
			      const struct path *old)
{
	if (!root->mnt->ns || root->mnt->ns != new->mnt->ns || root->mnt->ns != old->mnt->ns)
		return -VFS_EINVAL;
	if (new->mnt == root->mnt || old->mnt == root->mnt)
		return -VFS_EBUSY;
	if (!is_mount_root(root) || !is_mount_root(new) || !new->mnt->parent)
		return -VFS_EINVAL;
	if (!mount_is_below_locked(old->mnt, new->mnt) ||
	    !mount_is_below_locked(new->mnt, root->mnt))
		return -VFS_EINVAL;
	return 0;
}

static int pivot(const struct path *root, const struct path *new, const struct path *old)
{
	struct path new_place = {NULL, NULL};
	struct path root_place = {NULL, NULL};
	struct pivot pv = {root, new};
	int err;

	if (old->mnt == new->mnt && !vnode_below(old->vn, new->vn))
		return -VFS_EINVAL;
	port_mutex_lock(&mount_lock);
	err = pivot_check_locked(root, new, old);
	if (!err) {
		mount_unhook_locked(new->mnt, &new_place);
		mount_unhook_locked(root->mnt, &root_place);
		if (root_place.mnt)
			mount_attach_locked(new->mnt, root_place.mnt, root_place.vn);
		else
			root->mnt->ns->root = new->mnt;
		mount_attach_locked(root->mnt, old->mnt, old->vn);
	}
	port_mutex_unlock(&mount_lock);
	path_put(&new_place);
	path_put(&root_place);
	if (!err)
		fs_contexts_for_each(pivot_context, &pv);
	return err;
}

int vfs_pivot_root(const struct vfs_walk_from *from, const char *new_root, const char *put_old)
{
	struct path root;
	struct path new;
	struct path old;
	int err;

	if (!vfs_capable(from->cred, VFS_CAP_SYS_ADMIN))
		return -VFS_EPERM;
	err = vfs_walk(from, new_root, VFS_FOLLOW | VFS_DIRECTORY, &new);
	if (err)
		return err;
	err = vfs_walk(from, put_old, VFS_FOLLOW | VFS_DIRECTORY, &old);
	if (err) {
		path_put(&new);
		return err;
	}
	fs_context_root(from->fc, &root);
	err = pivot(&root, &new, &old);
	path_put(&root);
	path_put(&old);
	path_put(&new);
	return err;
}

/* --- /proc/PID/mountinfo and mounts --- */

struct text {
	char *p;
	char *end;
};

static void put_str(struct text *t, const char *s)
{
	t->p = vfs_strcpy_to(t->p, t->end, s);
}

/* With Linux's octal escapes. */
static void put_name(struct text *t, const char *s)
{
	for (; *s; s++) {
		char c = *s;
		char esc[5] = {'\\', (char)('0' + (c >> 6 & 3)), (char)('0' + (c >> 3 & 7)),
			       (char)('0' + (c & 7)), 0};
		char plain[2] = {c, 0};

		put_str(t, c == ' ' || c == '\t' || c == '\n' || c == '\\' ? esc : plain);
	}
}

static void put_num(struct text *t, uint64_t n)
{
	char b[24];
	char *p = b + sizeof(b) - 1;

	*p = 0;
	do {
		*--p = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	put_str(t, p);
}

static void put_options(struct text *t, unsigned f)
{
	put_str(t, f & VFS_MS_NOSUID ? ",nosuid" : "");
	put_str(t, f & VFS_MS_NODEV ? ",nodev" : "");
	put_str(t, f & VFS_MS_NOEXEC ? ",noexec" : "");
	put_str(t, f & VFS_MS_NOATIME ? ",noatime" : "");
	put_str(t, f & VFS_MS_NODIRATIME ? ",nodiratime" : "");
	put_str(t, f & VFS_MS_RELATIME ? ",relatime" : "");
}

static void put_fs_options(struct text *t, struct vfs_fs *fs)
{
	char buf[128] = "";

	if (fs->ops->show_options)
		fs->ops->show_options(fs, buf, sizeof(buf));
	put_str(t, buf);
}

struct show {
	struct path at;  /* the mount's place, references */
	struct mount *m; /* reference */
	uint32_t id, parent_id, propagation;
};

static bool fs_readonly(const struct vfs_fs *fs)
{
	return (atomic_load_explicit(&fs->flags, memory_order_relaxed) & VFS_FS_READONLY) != 0;
}

/* One line for s; nothing if root does not lead to it. buf is scratch of VFS_PATH_MAX. */
static void put_line(struct text *t, const struct show *s, const struct path *root, int kind,
		     char *buf)
{
	struct path top = {s->m, s->m->root};
	struct path fs_root = {s->m, s->m->fs->root};
	unsigned f = flags_of(s->m);
	char *name;

	if (vfs_path_name_marked(&top, root, buf, VFS_PATH_MAX, &name) || name[0] != '/')
		return;
	if (kind != 0) {
		put_name(t, s->m->fs->source);
		put_str(t, " ");
		put_name(t, name);
		put_str(t, " ");
		put_str(t, s->m->fs->type->name);
		put_str(t, f & VFS_MS_RDONLY || fs_readonly(s->m->fs) ? " ro" : " rw");
		put_options(t, f);
		put_fs_options(t, s->m->fs);
		put_str(t, " 0 0\n");
		return;
	}
	put_num(t, s->id);
	put_str(t, " ");
	put_num(t, s->parent_id);
	put_str(t, " ");
	put_num(t, vfs_dev_major(s->m->fs->dev));
	put_str(t, ":");
	put_num(t, vfs_dev_minor(s->m->fs->dev));
	put_str(t, " ");
	/* The mount's root inside the instance: stop at its own root. */
	{
		char inner[512];
		char *in = inner;
		struct path p = {NULL, s->m->root};
		struct path r = {NULL, fs_root.vn};

		if (s->m->root == fs_root.vn ||
		    vfs_path_name(&p, &r, NULL, inner, sizeof(inner), &in))
			in = vfs_strcpy_to(inner, inner + sizeof(inner), "/") - 1;
		put_name(t, in);
	}
	put_str(t, " ");
	put_name(t, name);
	put_str(t, f & VFS_MS_RDONLY ? " ro" : " rw");
	put_options(t, f);
	put_str(t, s->propagation & VFS_MS_SHARED ? " shared:1 - " : " - ");
	put_str(t, s->m->fs->type->name);
	put_str(t, " ");
	put_name(t, s->m->fs->source);
	put_str(t, fs_readonly(s->m->fs) ? " ro" : " rw");
	put_fs_options(t, s->m->fs);
	put_str(t, "\n");
}

/* The i-th mount of ns; false: no more. */
static bool nth_mount(struct mnt_ns *ns, uint32_t i, struct show *s)
{
	struct mount *m;
	bool found = false;

	port_mutex_lock(&mount_lock);
	list_for_each_entry (m, &ns->mounts, struct mount, in_ns) {
		if (i-- == 0) {
			s->m = mount_get(m);
			s->id = m->id;
			s->parent_id = m->parent ? m->parent->id : m->id;
			s->propagation = m->propagation;
			found = true;
			break;
		}
	}
	port_mutex_unlock(&mount_lock);
	return found;
}

size_t vfs_show_mounts(struct mnt_ns *ns, const struct path *root, int kind, uint64_t pos,
		       char *buf, size_t size)
{
	enum { LINE = 3 * VFS_PATH_MAX };
	char *line = port_alloc(LINE);
	char *scratch = port_alloc(VFS_PATH_MAX);
	size_t done = 0;
	uint64_t at = 0;
	struct show s;

	for (uint32_t i = 0; line && scratch && done < size && nth_mount(ns, i, &s); i++) {
		struct text t = {line, line + LINE};
		size_t len;

		line[0] = 0;
		put_line(&t, &s, root, kind, scratch);
		mount_put(s.m);
		len = (size_t)(t.p - line);
		if (at + len > pos) {
			size_t skip = pos > at ? (size_t)(pos - at) : 0;
			size_t n = MIN(len - skip, size - done);

			memcpy(buf + done, line + skip, n);
			done += n;
			pos += n;
		}
		at += len;
	}
	port_free(line);
	port_free(scratch);
	return done;
}
