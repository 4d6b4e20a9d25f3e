/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * tmpfs: names and attributes in memory, data in the page cache (tmpfs_file.c).
 *
 * TMP-1  A node with links holds a reference to its vnode, so that it and its pages stay; the vnode's
 *        private points back. When the last link goes, the reference is put after t->lock is
 *        released; the node is freed by evict.
 * TMP-2  Every entry is in one hash chain and on its directory's list, under t->lock.
 * TMP-3  A directory's nlink is 2 plus its subdirectories; parent is set while it is linked.
 */
#include "fs/tmpfs/tmpfs_priv.h"

#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/page.h"
#include "port/mem.h"
#include "port/time.h"
#include "vfs/file.h"

struct vfs_time tmpfs_now(void)
{
	int64_t ns = port_wallclock();

	return (struct vfs_time){ns / 1000000000, (uint32_t)(ns % 1000000000)};
}

static uint32_t hash_of(const struct tnode *dir, struct vfs_name name)
{
	uint32_t h = (uint32_t)((uintptr_t)dir >> 5);

	for (size_t i = 0; i < name.len; i++)
		h = (h ^ (uint8_t)name.s[i]) * 16777619u;
	return (h ^ h >> 16) % TMPFS_BUCKETS;
}

static struct tentry *find_locked(struct tmpfs *t, struct tnode *dir, struct vfs_name name)
{
	struct tentry *e;

	list_for_each_entry (e, &t->names[hash_of(dir, name)], struct tentry, hash) {
		if (e->dir == dir && e->len == name.len && memcmp(e->name, name.s, name.len) == 0)
			return e;
	}
	return NULL;
}

static int tmpfs_lookup(struct vnode *dir, struct vfs_name name, struct vnode **out)
{
	struct tmpfs *t = tmpfs_of(dir->fs);
	struct tnode *d = tnode_of(dir);
	struct tnode *found = NULL;

	port_mutex_lock(&t->lock);
	if (name.len == 2 && name.s[0] == '.' && name.s[1] == '.') {
		found = d->parent;
	} else {
		struct tentry *e = find_locked(t, d, name);

		found = e ? e->node : NULL;
	}
	if (found)
		*out = vnode_ref(found->vn);
	port_mutex_unlock(&t->lock);
	return found ? 0 : -ENOENT;
}

static int init_vnode(struct vnode *vn, void *arg)
{
	struct tnode *n = arg;

	vn->ops = &tmpfs_vnode_ops;
	vn->type = n->attr.mode & VFS_S_IFMT;
	vn->rdev = n->attr.rdev;
	vn->private = n;
	return 0;
}

static void free_node(struct tnode *n)
{
	tmpfs_free_xattrs(n);
	port_free(n->target);
	port_free(n);
}

/* A node without links; its vnode has one reference. */
static int make_node(struct tmpfs *t, const struct vfs_new *what, struct tnode **out)
{
	struct tnode *n = port_alloc_zeroed(sizeof(*n));
	int err;

	if (!n)
		return -ENOMEM;
	list_init(&n->entries);
	list_init(&n->xattrs);
	n->attr = (struct vfs_attr){.mode = what->mode,
				    .uid = what->uid,
				    .gid = what->gid,
				    .rdev = what->rdev,
				    .blksize = 4096,
				    .atime = tmpfs_now()};
	n->attr.mtime = n->attr.ctime = n->attr.btime = n->attr.atime;
	if (what->target.len) {
		n->target = port_alloc(what->target.len + 1);
		if (!n->target) {
			free_node(n);
			return -ENOMEM;
		}
		memcpy(n->target, what->target.s, what->target.len);
		n->target[what->target.len] = 0;
		n->attr.size = what->target.len;
	}
	port_mutex_lock(&t->lock);
	n->attr.ino = t->next_ino++;
	t->nodes++;
	port_mutex_unlock(&t->lock);
	err = vnode_get(&t->fs, n->attr.ino, init_vnode, n, &n->vn);
	if (err) {
		free_node(n);
		return err;
	}
	*out = n;
	return 0;
}

static void changed(struct tnode *n)
{
	n->attr.mtime = n->attr.ctime = tmpfs_now();
}

/* Enters name -> n. Takes over e. Under t->lock. */
static void enter(struct tmpfs *t, struct tnode *dir, struct vfs_name name, struct tnode *n,
		  struct tentry *e)
{
	e->dir = dir;
	e->node = n;
	e->cookie = ++t->next_cookie;
	e->len = name.len;
	memcpy(e->name, name.s, name.len);
	list_add_head(&t->names[hash_of(dir, name)], &e->hash);
	list_add_tail(&dir->entries, &e->in_dir);
	dir->count++;
	dir->attr.size += 20;
	if (n->vn->type == VFS_S_IFDIR) {
		dir->attr.nlink++;
		n->parent = dir;
	}
	changed(dir);
}

/* Takes e out; the caller frees it and settles n's links. Under t->lock. */
static void leave(struct tentry *e)
{
	list_del(&e->hash);
	list_del(&e->in_dir);
	e->dir->count--;
	e->dir->attr.size -= 20;
	if (e->node->vn->type == VFS_S_IFDIR)
		e->dir->attr.nlink--;
	changed(e->dir);
}

static struct tentry *alloc_entry(struct vfs_name name)
{
	return port_alloc(sizeof(struct tentry) + name.len);
}

static int tmpfs_create_node(struct vnode *dir, struct vfs_name name, const struct vfs_new *what,
			     struct vnode **out)
{
	struct tmpfs *t = tmpfs_of(dir->fs);
	struct tentry *e = alloc_entry(name);
	struct tnode *n;
	int err = e ? make_node(t, what, &n) : -ENOMEM;

	if (err) {
		port_free(e);
		return err;
	}
	port_mutex_lock(&t->lock);
	if (find_locked(t, tnode_of(dir), name)) {
		err = -EEXIST;
	} else {
		n->attr.nlink = n->vn->type == VFS_S_IFDIR ? 2 : 1;
		enter(t, tnode_of(dir), name, n, e);
	}
	port_mutex_unlock(&t->lock);
	if (err) {
		port_free(e);
		atomic_fetch_or_explicit(&n->vn->flags, VNODE_UNLINKED, memory_order_relaxed);
		vnode_put(n->vn);
		return err;
	}
	*out = vnode_ref(n->vn); /* TMP-1: the node keeps its own */
	return 0;
}

static int tmpfs_create_anon(struct vnode *dir, const struct vfs_new *what, struct vnode **out)
{
	struct tnode *n;
	int err = make_node(tmpfs_of(dir->fs), what, &n);

	if (!err)
		*out = n->vn; /* no links: the caller's reference is the only one */
	return err;
}

static int tmpfs_link(struct vnode *dir, struct vfs_name name, struct vnode *target)
{
	struct tmpfs *t = tmpfs_of(dir->fs);
	struct tnode *n = tnode_of(target);
	struct tentry *e = alloc_entry(name);

	if (!e)
		return -ENOMEM;
	port_mutex_lock(&t->lock);
	if (n->attr.nlink++ == 0)
		vnode_ref(target); /* TMP-1 */
	n->attr.ctime = tmpfs_now();
	enter(t, tnode_of(dir), name, n, e);
	port_mutex_unlock(&t->lock);
	return 0;
}

/* One link of n less (a directory: all). True: the node's reference is to be put. t->lock held. */
static bool lose_link(struct tnode *n)
{
	n->attr.ctime = tmpfs_now();
	if (n->vn->type == VFS_S_IFDIR) {
		n->attr.nlink = 0;
		n->parent = NULL;
		return true;
	}
	return --n->attr.nlink == 0;
}

static int remove_entry(struct vnode *dir, struct vfs_name name)
{
	struct tmpfs *t = tmpfs_of(dir->fs);
	struct vnode *last = NULL;
	struct tentry *e;
	int err = 0;

	port_mutex_lock(&t->lock);
	e = find_locked(t, tnode_of(dir), name);
	if (!e)
		err = -ENOENT;
	else if (e->node->count)
		err = -ENOTEMPTY;
	if (!err) {
		leave(e);
		if (lose_link(e->node)) {
			last = e->node->vn;
			atomic_fetch_or_explicit(&last->flags, VNODE_UNLINKED,
						 memory_order_relaxed);
		}
	}
	port_mutex_unlock(&t->lock);
	if (!err)
		port_free(e);
	vnode_put(last);
	return err;
}

static int tmpfs_unlink(struct vnode *dir, struct vfs_name name, struct vnode *victim)
{
	(void)victim;
	return remove_entry(dir, name);
}

/* Swaps what two entries stand for. Under t->lock. */
static void exchange(struct tentry *a, struct tentry *b)
{
	struct tnode *n = a->node;

	if (a->dir != b->dir) {
		bool a_dir = a->node->vn->type == VFS_S_IFDIR;
		bool b_dir = b->node->vn->type == VFS_S_IFDIR;

		a->dir->attr.nlink += (uint32_t)b_dir - (uint32_t)a_dir;
		b->dir->attr.nlink += (uint32_t)a_dir - (uint32_t)b_dir;
		if (a_dir)
			a->node->parent = b->dir;
		if (b_dir)
			b->node->parent = a->dir;
	}
	a->node = b->node;
	b->node = n;
	changed(a->dir);
	changed(b->dir);
}

static int tmpfs_rename(struct vnode *odir, struct vfs_name oname, struct vnode *ndir,
			struct vfs_name nname, unsigned flags)
{
	struct tmpfs *t = tmpfs_of(odir->fs);
	struct tentry *fresh = alloc_entry(nname);
	struct tentry *old;
	struct tentry *target;
	struct vnode *last = NULL;
	int err = 0;

	if (!fresh)
		return -ENOMEM;
	port_mutex_lock(&t->lock);
	old = find_locked(t, tnode_of(odir), oname);
	target = find_locked(t, tnode_of(ndir), nname);
	if (!old || ((flags & VFS_RENAME_EXCHANGE) && !target)) {
		err = -ENOENT;
	} else if (flags & VFS_RENAME_EXCHANGE) {
		exchange(old, target);
		old = target = NULL;
	} else if (target && target->node->count) {
		err = -ENOTEMPTY;
	} else {
		if (target) {
			leave(target);
			if (lose_link(target->node)) {
				last = target->node->vn;
				atomic_fetch_or_explicit(&last->flags, VNODE_UNLINKED,
							 memory_order_relaxed);
			}
		}
		leave(old);
		old->node->attr.ctime = tmpfs_now();
		enter(t, tnode_of(ndir), nname, old->node, fresh);
		fresh = NULL;
	}
	port_mutex_unlock(&t->lock);
	port_free(fresh);
	if (!err) {
		port_free(old);
		port_free(target);
	}
	vnode_put(last);
	return err;
}

static int tmpfs_readdir(struct vnode *dir, uint64_t cookie,
			 int (*fn)(void *arg, const struct vfs_dirent *e), void *arg)
{
	struct tmpfs *t = tmpfs_of(dir->fs);
	struct tentry *e;

	port_mutex_lock(&t->lock);
	list_for_each_entry (e, &tnode_of(dir)->entries, struct tentry, in_dir) {
		struct vfs_dirent d = {.ino = e->node->attr.ino,
				       .type = e->node->vn->type,
				       .cookie = e->cookie,
				       .name = {e->name, e->len}};

		if (e->cookie > cookie && fn(arg, &d))
			break;
	}
	port_mutex_unlock(&t->lock);
	return 0;
}

static int tmpfs_readlink(struct vnode *vn, char *buf, size_t *len)
{
	struct tnode *n = tnode_of(vn);

	*len = MIN(*len, (size_t)n->attr.size);
	memcpy(buf, n->target, *len);
	return 0;
}

static int tmpfs_getattr(struct vnode *vn, struct vfs_attr *out)
{
	struct tmpfs *t = tmpfs_of(vn->fs);

	port_mutex_lock(&t->lock);
	*out = tnode_of(vn)->attr;
	port_mutex_unlock(&t->lock);
	out->blocks = vn->pages.count * 8;
	return 0;
}

static int tmpfs_setattr(struct vnode *vn, unsigned mask, const struct vfs_attr *in)
{
	struct tmpfs *t = tmpfs_of(vn->fs);
	struct vfs_attr *a = &tnode_of(vn)->attr;

	port_mutex_lock(&t->lock);
	if (mask & VFS_SET_MODE)
		a->mode = (a->mode & VFS_S_IFMT) | (in->mode & 07777);
	if (mask & VFS_SET_UID)
		a->uid = in->uid;
	if (mask & VFS_SET_GID)
		a->gid = in->gid;
	if (mask & VFS_SET_SIZE)
		a->size = in->size;
	if (mask & VFS_SET_ATIME)
		a->atime = in->atime;
	if (mask & VFS_SET_MTIME)
		a->mtime = in->mtime;
	if (mask & VFS_SET_CTIME)
		a->ctime = in->ctime;
	port_mutex_unlock(&t->lock);
	return 0;
}

static void tmpfs_evict(struct vnode *vn)
{
	struct tmpfs *t = tmpfs_of(vn->fs);
	struct tnode *n = tnode_of(vn);

	port_mutex_lock(&t->lock);
	t->used_pages -= MIN(n->charged, t->used_pages);
	t->nodes--;
	port_mutex_unlock(&t->lock);
	free_node(n);
}

const struct vnode_ops tmpfs_vnode_ops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_create_node,
	.create_anon = tmpfs_create_anon,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_unlink,
	.rename = tmpfs_rename,
	.readdir = tmpfs_readdir,
	.readlink = tmpfs_readlink,
	.getattr = tmpfs_getattr,
	.setattr = tmpfs_setattr,
	.write = tmpfs_write,
	.fallocate = tmpfs_fallocate,
	.seek = tmpfs_seek,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.removexattr = tmpfs_removexattr,
	.listxattr = tmpfs_listxattr,
	.evict = tmpfs_evict,
};

/* --- Instances --- */

static int tmpfs_statfs(struct vfs_fs *fs, struct vfs_statfs *out)
{
	struct tmpfs *t = tmpfs_of(fs);

	port_mutex_lock(&t->lock);
	*out = (struct vfs_statfs){.type = 0x01021994,
				   .bsize = 4096,
				   .blocks = t->max_pages,
				   .bfree = t->max_pages - MIN(t->used_pages, t->max_pages),
				   .files = t->max_pages,
				   .ffree = t->max_pages - MIN(t->nodes, t->max_pages),
				   .fsid = fs->dev,
				   .namelen = VFS_NAME_MAX};
	out->bavail = out->bfree;
	port_mutex_unlock(&t->lock);
	return 0;
}

/*
 * All names go, and with them the nodes' references (TMP-1). Nobody else is there any more. No entry's
 * directory is looked at: it may be gone before its entries.
 */
static void tmpfs_shutdown(struct vfs_fs *fs)
{
	struct tmpfs *t = tmpfs_of(fs);
	struct list all = LIST_INIT(all);

	for (size_t i = 0; i < TMPFS_BUCKETS; i++)
		list_splice_tail(&all, &t->names[i]);
	while (!list_empty(&all)) {
		struct tentry *e = list_first(&all, struct tentry, hash);
		struct tnode *n = e->node;

		list_del(&e->hash);
		port_free(e);
		if (lose_link(n))
			vnode_put(n->vn);
	}
}

static void tmpfs_unmount(struct vfs_fs *fs)
{
	struct tmpfs *t = tmpfs_of(fs);

	port_mutex_fini(&t->lock);
	port_free(t->names);
	port_free(t);
}

static void tmpfs_show(struct vfs_fs *fs, char *buf, size_t size)
{
	struct tmpfs *t = tmpfs_of(fs);

	(void)scnprintf(buf, size, ",size=%lluk,mode=%o", (unsigned long long)t->max_pages * 4,
			t->root_mode);
}

static const struct vfs_fs_ops tmpfs_fs_ops = {
	.statfs = tmpfs_statfs,
	.shutdown = tmpfs_shutdown,
	.unmount = tmpfs_unmount,
	.show_options = tmpfs_show,
};

static struct tmpfs *alloc_instance(void)
{
	struct tmpfs *t = port_alloc_zeroed(sizeof(*t));
	struct mm_stats mm;

	if (!t)
		return NULL;
	t->names = port_alloc(TMPFS_BUCKETS * sizeof(*t->names));
	if (!t->names) {
		port_free(t);
		return NULL;
	}
	for (size_t i = 0; i < TMPFS_BUCKETS; i++)
		list_init(&t->names[i]);
	mm_stats_get(&mm);
	t->max_pages = mm.total_pages / 2;
	t->next_ino = 1;
	t->next_cookie = 1;
	t->root_mode = 01777;
	port_mutex_init(&t->lock, LOCK_RANK_FS, "tmpfs");
	atomic_store_explicit(&t->fs.flags, VFS_FS_MEMORY, memory_order_relaxed);
	return t;
}

/* A number with a suffix k, m, g or % (of memory) at *s. */
static bool parse_size(const char **s, uint64_t *bytes)
{
	uint64_t n = 0;
	struct mm_stats mm;

	if (**s < '0' || **s > '9')
		return false;
	for (; **s >= '0' && **s <= '9'; (*s)++) {
		if (n > UINT64_MAX / 16)
			return false;
		n = n * 10 + (uint64_t)(**s - '0');
	}
	switch (**s | 0x20) {
	case 'g':
		n = n > UINT64_MAX >> 31 ? UINT64_MAX >> 1 : n << 30;
		break;
	case 'm':
		n = n > UINT64_MAX >> 21 ? UINT64_MAX >> 1 : n << 20;
		break;
	case 'k':
		n = n > UINT64_MAX >> 11 ? UINT64_MAX >> 1 : n << 10;
		break;
	default:
		if (**s == '%') {
			mm_stats_get(&mm);
			n = MIN(n, 100) * mm.total_pages / 100 * 4096;
			break;
		}
		*bytes = n;
		return true;
	}
	(*s)++;
	*bytes = n;
	return true;
}

static bool option(const char *s, const char *name, const char **value)
{
	size_t n = strlen(name);

	*value = s + n;
	return strncmp(s, name, n) == 0;
}

static int parse_options(struct tmpfs *t, const char *s)
{
	while (*s) {
		const char *v;
		uint64_t n = 0;

		if (option(s, "size=", &v) && parse_size(&v, &n)) {
			t->max_pages = n / 4096 + (n % 4096 != 0);
			s = v;
		} else if (option(s, "mode=", &v)) {
			for (; *v >= '0' && *v <= '7'; v++)
				n = (n * 8 + (uint64_t)(*v - '0')) & 07777;
			t->root_mode = (uint32_t)n;
			s = v;
		} else if (option(s, "uid=", &v) || option(s, "gid=", &v) ||
			   option(s, "nr_inodes=", &v) || option(s, "nr_blocks=", &v) ||
			   option(s, "gid=", &v) || option(s, "ptmxmode=", &v)) {
			s = v;
			while (*s && *s != ',')
				s++;
		} else {
			return -EINVAL;
		}
		if (*s == ',')
			s++;
		else if (*s)
			return -EINVAL;
	}
	return 0;
}

static int finish_instance(struct tmpfs *t, const struct vfs_fs_type *type, struct vfs_fs **out)
{
	struct vfs_new root = {.mode = VFS_S_IFDIR | t->root_mode};
	struct tnode *n;
	int err = vfs_fs_init(&t->fs, type, &tmpfs_fs_ops);

	if (err)
		goto err_free;
	err = make_node(t, &root, &n);
	if (err)
		goto err_fini;
	n->attr.nlink = 2;
	n->parent = n;
	t->fs.root = n->vn;
	*out = &t->fs;
	return 0;
err_fini:
	vfs_fs_fini(&t->fs);
err_free:
	tmpfs_unmount(&t->fs);
	return err;
}

int tmpfs_create(const struct vfs_fs_type *type, const char *source, struct vfs_fs **out)
{
	struct tmpfs *t = alloc_instance();

	if (!t)
		return -ENOMEM;
	t->root_mode = 0755;
	(void)strlcpy(t->fs.source, source, sizeof(t->fs.source));
	return finish_instance(t, type, out);
}

int tmpfs_mount(const struct vfs_fs_type *type, const struct vfs_mount_args *args,
		struct vfs_fs **out)
{
	struct tmpfs *t = alloc_instance();
	int err;

	if (!t)
		return -ENOMEM;
	(void)strlcpy(t->fs.source, args->source, sizeof(t->fs.source));
	err = parse_options(t, args->data);
	if (err) {
		tmpfs_unmount(&t->fs);
		return err;
	}
	return finish_instance(t, type, out);
}

static struct vfs_fs_type tmpfs_type = {.name = "tmpfs", .mount = tmpfs_mount};
static struct vfs_fs_type ramfs_type = {.name = "ramfs", .mount = tmpfs_mount};
static struct vfs_fs *memfd_fs;

void tmpfs_init(void)
{
	vfs_fs_register(&tmpfs_type);
	vfs_fs_register(&ramfs_type);
}

/* --- For the kernel itself --- */

/* The directory that holds path's last component (made if need be), and that component. */
static int parent_of(struct vfs_fs *fs, const char *path, bool create, struct vnode **dir,
		     struct vfs_name *last)
{
	struct vnode *cur = vnode_ref(fs->root);
	const char *slash;
	int err = 0;

	while (!err && (slash = strchr(path, '/'))) {
		struct vfs_name name = {path, (size_t)(slash - path)};
		struct vfs_new what = {.mode = VFS_S_IFDIR | 0755};
		struct vnode *next = NULL;

		err = tmpfs_lookup(cur, name, &next);
		if (err == -ENOENT && create)
			err = tmpfs_create_node(cur, name, &what, &next);
		if (!err) {
			vfs_invalidate_entry(cur, name.s, name.len);
			vnode_drop_attr(cur);
			vnode_put(cur);
			cur = next;
		}
		path = slash + 1;
	}
	if (err) {
		vnode_put(cur);
		return err;
	}
	*dir = cur;
	*last = (struct vfs_name){path, strlen(path)};
	return 0;
}

int tmpfs_add(struct vfs_fs *fs, const char *path, const struct vfs_new *what)
{
	struct vfs_name name;
	struct vnode *dir;
	struct vnode *vn = NULL;
	int err = parent_of(fs, path, true, &dir, &name);

	if (err)
		return err;
	port_mutex_lock(&dir->lock);
	err = tmpfs_create_node(dir, name, what, &vn);
	vfs_invalidate_entry(dir, name.s, name.len);
	vnode_drop_attr(dir);
	port_mutex_unlock(&dir->lock);
	vnode_put(vn);
	vnode_put(dir);
	return err;
}

int tmpfs_remove(struct vfs_fs *fs, const char *path)
{
	struct vfs_name name;
	struct vnode *dir;
	int err = parent_of(fs, path, false, &dir, &name);

	if (err)
		return err;
	port_mutex_lock(&dir->lock);
	err = remove_entry(dir, name);
	vfs_invalidate_entry(dir, name.s, name.len);
	vnode_drop_attr(dir);
	port_mutex_unlock(&dir->lock);
	vnode_put(dir);
	return err;
}

int tmpfs_memfd(const char *name, struct file **out)
{
	static struct port_mutex once;
	static _Atomic uint32_t ready;
	struct vfs_new what = {.mode = VFS_S_IFREG | 0777};
	struct file *f;
	struct tnode *n;
	int err = 0;

	if (!atomic_exchange_explicit(&ready, 1, memory_order_acq_rel)) {
		port_mutex_init(&once, LOCK_RANK_NONE, "memfd");
		err = tmpfs_create(&tmpfs_type, "memfd", &memfd_fs);
	}
	if (err || !memfd_fs)
		return err ? err : -EAGAIN;
	err = make_node(tmpfs_of(memfd_fs), &what, &n);
	if (err)
		return err;
	atomic_fetch_or_explicit(&n->vn->flags, VNODE_UNLINKED, memory_order_relaxed);
	f = file_create(&vfs_file_ops, VFS_O_RDWR);
	if (!f) {
		vnode_put(n->vn);
		return -ENOMEM;
	}
	f->mode |= FILE_SEEK;
	f->path.vn = n->vn;
	f->kind = name;
	*out = f;
	return 0;
}
