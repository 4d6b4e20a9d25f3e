/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#include "toyfs.h"

#include <stdlib.h>
#include <string.h>

#include "vfs/errors.h"

#define NODES 128u
#define ENTRIES 64u
#define PAGE 4096u

struct node {
	struct vfs_attr attr; /* nlink 0: free, or unlinked and in use */
	bool used;
	uint64_t parent;
	struct {
		char name[256];
		uint64_t ino;
	} e[ENTRIES];
	uint8_t *data;
};

struct toyfs {
	struct vfs_fs fs;
	struct node node[NODES];
};

unsigned toyfs_fills;
unsigned toyfs_lookups;
unsigned toyfs_unmounts;
int toyfs_fail_reads;
static const struct vnode_ops ops;

static struct toyfs *of(struct vfs_fs *fs)
{
	return container_of(fs, struct toyfs, fs);
}

static struct node *node_of(struct vnode *vn)
{
	return &of(vn->fs)->node[vn->ino];
}

static int init_vnode(struct vnode *vn, void *arg)
{
	struct toyfs *t = arg;

	if (vn->ino >= NODES || !t->node[vn->ino].used)
		return -VFS_ENOENT;
	vn->ops = &ops;
	vn->type = t->node[vn->ino].attr.mode & VFS_S_IFMT;
	vn->rdev = t->node[vn->ino].attr.rdev;
	return 0;
}

static int find(struct node *d, struct vfs_name name)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		if (d->e[i].ino && strlen(d->e[i].name) == name.len &&
		    memcmp(d->e[i].name, name.s, name.len) == 0)
			return (int)i;
	}
	return -1;
}

static int lookup(struct vnode *dir, struct vfs_name name, struct vnode **out)
{
	struct node *d = node_of(dir);
	int i;

	toyfs_lookups++;
	if (name.len == 2 && memcmp(name.s, "..", 2) == 0)
		return vnode_get(dir->fs, d->parent, init_vnode, of(dir->fs), out);
	i = find(d, name);
	if (i < 0)
		return -VFS_ENOENT;
	return vnode_get(dir->fs, d->e[i].ino, init_vnode, of(dir->fs), out);
}

static int enter(struct node *d, struct vfs_name name, uint64_t ino)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		if (!d->e[i].ino) {
			memcpy(d->e[i].name, name.s, name.len);
			d->e[i].name[name.len] = 0;
			d->e[i].ino = ino;
			return 0;
		}
	}
	return -VFS_ENOSPC;
}

static uint64_t fresh(struct toyfs *t, const struct vfs_new *what)
{
	for (uint64_t i = 1; i < NODES; i++) {
		struct node *n = &t->node[i];

		if (n->used)
			continue;
		memset(n, 0, sizeof(*n));
		n->used = true;
		n->attr = (struct vfs_attr){.ino = i,
					    .mode = what->mode,
					    .nlink = 1,
					    .uid = what->uid,
					    .gid = what->gid,
					    .rdev = what->rdev};
		if (what->target.len) {
			n->data = malloc(what->target.len);
			memcpy(n->data, what->target.s, what->target.len);
			n->attr.size = what->target.len;
		}
		return i;
	}
	return 0;
}

static int create(struct vnode *dir, struct vfs_name name, const struct vfs_new *what,
		  struct vnode **out)
{
	struct toyfs *t = of(dir->fs);
	uint64_t ino;

	if (find(node_of(dir), name) >= 0)
		return -VFS_EEXIST;
	ino = fresh(t, what);
	if (!ino || enter(node_of(dir), name, ino))
		return -VFS_ENOSPC;
	t->node[ino].parent = dir->ino;
	if ((what->mode & VFS_S_IFMT) == VFS_S_IFDIR)
		t->node[ino].attr.nlink = 2;
	return vnode_get(dir->fs, ino, init_vnode, t, out);
}

static int make_link(struct vnode *dir, struct vfs_name name, struct vnode *target)
{
	node_of(target)->attr.nlink++;
	return enter(node_of(dir), name, target->ino);
}

static int remove_name(struct vnode *dir, struct vfs_name name, struct vnode *victim)
{
	struct node *v = node_of(victim);
	int i = find(node_of(dir), name);

	if (i < 0)
		return -VFS_ENOENT;
	for (unsigned k = 0; k < ENTRIES; k++) {
		if (v->e[k].ino)
			return -VFS_ENOTEMPTY;
	}
	node_of(dir)->e[i].ino = 0;
	v->attr.nlink = vnode_is_dir(victim) ? 0 : v->attr.nlink - 1;
	return 0;
}

static int rename_name(struct vnode *odir, struct vfs_name on, struct vnode *ndir,
		       struct vfs_name nn, unsigned flags)
{
	struct toyfs *t = of(odir->fs);
	struct node *od = node_of(odir);
	struct node *nd = node_of(ndir);
	int o = find(od, on);
	int n = find(nd, nn);
	uint64_t ino;

	if (o < 0)
		return -VFS_ENOENT;
	ino = od->e[o].ino;
	if (flags & VFS_RENAME_EXCHANGE) {
		od->e[o].ino = nd->e[n].ino;
		nd->e[n].ino = ino;
		t->node[od->e[o].ino].parent = odir->ino;
		t->node[ino].parent = ndir->ino;
		return 0;
	}
	if (n >= 0) {
		struct node *v = &t->node[nd->e[n].ino];

		for (unsigned k = 0; k < ENTRIES; k++) {
			if (v->e[k].ino)
				return -VFS_ENOTEMPTY;
		}
		v->attr.nlink = (v->attr.mode & VFS_S_IFMT) == VFS_S_IFDIR ? 0 : v->attr.nlink - 1;
		nd->e[n].ino = 0;
	}
	od->e[o].ino = 0;
	t->node[ino].parent = ndir->ino;
	return enter(nd, nn, ino);
}

static int list_dir(struct vnode *dir, uint64_t cookie,
		    int (*fn)(void *arg, const struct vfs_dirent *e), void *arg)
{
	struct node *d = node_of(dir);

	for (uint64_t i = cookie; i < ENTRIES; i++) {
		struct vfs_dirent e = {.ino = d->e[i].ino,
				       .cookie = i + 1,
				       .name = {d->e[i].name, strlen(d->e[i].name)}};

		if (d->e[i].ino && fn(arg, &e))
			break;
	}
	return 0;
}

static int read_target(struct vnode *vn, char *buf, size_t *len)
{
	struct node *n = node_of(vn);

	*len = MIN(*len, (size_t)n->attr.size);
	memcpy(buf, n->data, *len);
	return 0;
}

static int get_attr(struct vnode *vn, struct vfs_attr *out)
{
	*out = node_of(vn)->attr;
	return 0;
}

static void resize(struct node *n, uint64_t size)
{
	n->data = realloc(n->data, (size_t)size + 1);
	if (size > n->attr.size)
		memset(n->data + n->attr.size, 0, (size_t)(size - n->attr.size));
	n->attr.size = size;
}

static int set_attr(struct vnode *vn, unsigned mask, const struct vfs_attr *in)
{
	struct node *n = node_of(vn);

	if (mask & VFS_SET_MODE)
		n->attr.mode = (n->attr.mode & VFS_S_IFMT) | (in->mode & 07777);
	if (mask & VFS_SET_UID)
		n->attr.uid = in->uid;
	if (mask & VFS_SET_GID)
		n->attr.gid = in->gid;
	if (mask & VFS_SET_SIZE)
		resize(n, in->size);
	if (mask & VFS_SET_MTIME)
		n->attr.mtime = in->mtime;
	return 0;
}

static int read_pages(struct vnode *vn, uint64_t index, struct page **pages, unsigned n)
{
	struct node *node = node_of(vn);

	toyfs_fills++;
	if (toyfs_fail_reads) {
		toyfs_fail_reads--;
		return -VFS_EIO;
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t off = (index + i) * PAGE;
		size_t len = off < node->attr.size ? (size_t)MIN(node->attr.size - off, PAGE) : 0;
		uint8_t *p = mm_page_data(pages[i]);

		memset(p, 0, PAGE);
		if (len)
			memcpy(p, node->data + off, len);
	}
	return 0;
}

static int write_data(struct vnode *vn, uint64_t off, const void *buf, size_t len)
{
	struct node *n = node_of(vn);

	if (off + len > n->attr.size)
		resize(n, off + len);
	memcpy(n->data + off, buf, len);
	return 0;
}

static int write_page(struct vnode *vn, uint64_t index, const void *data, size_t len)
{
	memcpy(node_of(vn)->data + index * PAGE, data, len);
	return 0;
}

static void evict(struct vnode *vn)
{
	struct node *n = node_of(vn);

	if (n->attr.nlink == 0) {
		free(n->data);
		n->data = NULL;
		n->used = false;
	}
}

static const struct vnode_ops ops = {
	.lookup = lookup,
	.create = create,
	.link = make_link,
	.unlink = remove_name,
	.rmdir = remove_name,
	.rename = rename_name,
	.readdir = list_dir,
	.readlink = read_target,
	.getattr = get_attr,
	.setattr = set_attr,
	.readpages = read_pages,
	.write = write_data,
	.writepage = write_page,
	.evict = evict,
};

static void unmount(struct vfs_fs *fs)
{
	struct toyfs *t = of(fs);

	for (unsigned i = 0; i < NODES; i++)
		free(t->node[i].data);
	toyfs_unmounts++;
	free(t);
}

static const struct vfs_fs_ops fs_ops = {.unmount = unmount};

static int mount(const struct vfs_fs_type *type, const struct vfs_mount_args *args,
		 struct vfs_fs **out)
{
	struct toyfs *t = calloc(1, sizeof(*t));
	struct vfs_new root = {.mode = VFS_S_IFDIR | 0755};
	uint64_t ino;

	(void)args;
	if (vfs_fs_init(&t->fs, type, &fs_ops))
		return -VFS_ENOMEM;
	ino = fresh(t, &root);
	t->node[ino].parent = ino;
	t->node[ino].attr.nlink = 2;
	*out = &t->fs;
	return vnode_get(&t->fs, ino, init_vnode, t, &t->fs.root);
}

struct vfs_fs_type toyfs_type = {.name = "toy", .mount = mount};

void toyfs_poke(struct vfs_fs *fs, uint64_t ino, const char *text)
{
	struct node *n = &of(fs)->node[ino];

	resize(n, strlen(text));
	memcpy(n->data, text, strlen(text));
}

void toyfs_rename_behind(struct vfs_fs *fs, uint64_t dir, const char *old, const char *new_name)
{
	struct node *d = &of(fs)->node[dir];
	int i = find(d, (struct vfs_name){old, strlen(old)});

	strcpy(d->e[i].name, new_name);
}
