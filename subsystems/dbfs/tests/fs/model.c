/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "vol.h"

const char *const model_xattr_names[MODEL_XATTRS] = {"user.x", "user.y", "trusted.long-name"};

static void put_bytes(struct bytes *b)
{
	if (b != NULL && --b->refs == 0)
		free(b);
}

void model_set_bytes(struct bytes **at, const void *p, size_t len)
{
	struct bytes *b = NULL;

	if (p != NULL) {
		b = malloc(sizeof(*b) + len + 1);
		CHECK(b != NULL);
		b->refs = 1;
		b->len = len;
		memcpy(b->p, p, len);
	}
	put_bytes(*at);
	*at = b;
}

void model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
	for (int i = 0; i < MODEL_ENTRIES; i++)
		m->entry[i].dir = -1;
	m->node[0] = (struct mnode){.used = true,
				    .ino = DBFS_ROOT_INO.n,
				    .mode = DBFS_S_IFDIR | 0755,
				    .nlink = 1};
}

void model_copy(struct model *to, const struct model *from)
{
	*to = *from;
	for (int i = 0; i < MODEL_NODES; i++) {
		struct mnode *n = &to->node[i];

		if (n->data != NULL)
			n->data->refs++;
		for (int x = 0; x < MODEL_XATTRS; x++) {
			if (n->xattr[x] != NULL)
				n->xattr[x]->refs++;
		}
	}
}

static void free_node(struct mnode *n)
{
	put_bytes(n->data);
	for (int x = 0; x < MODEL_XATTRS; x++)
		put_bytes(n->xattr[x]);
	memset(n, 0, sizeof(*n));
}

void model_free(struct model *m)
{
	for (int i = 0; i < MODEL_NODES; i++)
		free_node(&m->node[i]);
}

struct mentry *model_find(struct model *m, int dir, const char *name)
{
	for (int i = 0; i < MODEL_ENTRIES; i++) {
		if (m->entry[i].dir == dir && strcmp(m->entry[i].name, name) == 0)
			return &m->entry[i];
	}
	return NULL;
}

int model_vacant(const struct model *m)
{
	int entries = 0;

	for (int i = 0; i < MODEL_ENTRIES; i++)
		entries += m->entry[i].dir == -1;
	if (entries == 0)
		return -1;
	for (int i = 0; i < MODEL_NODES; i++) {
		if (!m->node[i].used)
			return i;
	}
	return -1;
}

bool model_is_dir(const struct model *m, int node)
{
	return (m->node[node].mode & DBFS_S_IFMT) == DBFS_S_IFDIR;
}

bool model_is_file(const struct model *m, int node)
{
	return (m->node[node].mode & DBFS_S_IFMT) == DBFS_S_IFREG;
}

static unsigned entries_of(const struct model *m, int dir)
{
	unsigned n = 0;

	for (int i = 0; i < MODEL_ENTRIES; i++)
		n += m->entry[i].dir == dir;
	return n;
}

unsigned model_subdirs(const struct model *m, int dir)
{
	unsigned n = 0;

	for (int i = 0; i < MODEL_ENTRIES; i++)
		n += m->entry[i].dir == dir && model_is_dir(m, m->entry[i].node);
	return n;
}

unsigned model_nodes(const struct model *m)
{
	unsigned n = 0;

	for (int i = 0; i < MODEL_NODES; i++)
		n += m->node[i].used;
	return n;
}

static void add_entry(struct model *m, int dir, const char *name, int node)
{
	for (int i = 0; i < MODEL_ENTRIES; i++) {
		struct mentry *e = &m->entry[i];

		if (e->dir != -1)
			continue;
		e->dir = dir;
		e->node = node;
		strcpy(e->name, name);
		m->node[dir].mtime = 0;
		return;
	}
	t_fail("the model is full", __FILE__, __LINE__);
}

int model_create(struct model *m, int dir, const char *name, uint32_t mode, int *node)
{
	int n = model_vacant(m);

	if (model_find(m, dir, name) != NULL)
		return -DBFS_EEXIST;
	m->node[n] = (struct mnode){.used = true, .mode = mode, .nlink = 1, .parent = dir};
	if ((mode & DBFS_S_IFMT) == DBFS_S_IFREG)
		model_set_bytes(&m->node[n].data, "", 0);
	add_entry(m, dir, name, n);
	*node = n;
	return 0;
}

int model_link(struct model *m, int node, int dir, const char *name)
{
	if (model_is_dir(m, node))
		return -DBFS_EPERM;
	if (model_find(m, dir, name) != NULL)
		return -DBFS_EEXIST;
	m->node[node].nlink++;
	add_entry(m, dir, name, node);
	return 0;
}

static void drop(struct model *m, struct mentry *e)
{
	m->node[e->dir].mtime = 0;
	if (--m->node[e->node].nlink == 0)
		free_node(&m->node[e->node]);
	e->dir = -1;
}

int model_unlink(struct model *m, int dir, const char *name)
{
	struct mentry *e = model_find(m, dir, name);

	if (e == NULL)
		return -DBFS_ENOENT;
	if (model_is_dir(m, e->node))
		return -DBFS_EISDIR;
	drop(m, e);
	return 0;
}

int model_rmdir(struct model *m, int dir, const char *name)
{
	struct mentry *e = model_find(m, dir, name);

	if (e == NULL)
		return -DBFS_ENOENT;
	if (!model_is_dir(m, e->node))
		return -DBFS_ENOTDIR;
	if (entries_of(m, e->node) != 0)
		return -DBFS_ENOTEMPTY;
	drop(m, e);
	return 0;
}

/* Is node dir or above it? */
static bool above(const struct model *m, int node, int dir)
{
	for (;;) {
		if (dir == node)
			return true;
		if (dir == 0)
			return false;
		dir = m->node[dir].parent;
	}
}

int model_rename(struct model *m, int odir, const char *oname, int ndir, const char *nname,
		 unsigned flags)
{
	struct mentry *o = model_find(m, odir, oname);
	struct mentry *n = model_find(m, ndir, nname);
	int moved;

	if (o == NULL || (n == NULL && flags == DBFS_RENAME_EXCHANGE))
		return -DBFS_ENOENT;
	if (n != NULL && flags == DBFS_RENAME_NOREPLACE)
		return -DBFS_EEXIST;
	if (n != NULL && n->node == o->node)
		return 0;
	moved = o->node;
	if (model_is_dir(m, moved) && odir != ndir && above(m, moved, ndir))
		return -DBFS_EINVAL;
	if (flags == DBFS_RENAME_EXCHANGE) {
		if (model_is_dir(m, n->node) && odir != ndir && above(m, n->node, odir))
			return -DBFS_EINVAL;
		o->node = n->node;
		n->node = moved;
		m->node[moved].parent = ndir;
		m->node[o->node].parent = odir;
		m->node[odir].mtime = 0;
		m->node[ndir].mtime = 0;
		return 0;
	}
	if (n != NULL) {
		if (model_is_dir(m, n->node) != model_is_dir(m, moved))
			return model_is_dir(m, moved) ? -DBFS_ENOTDIR : -DBFS_EISDIR;
		if (model_is_dir(m, n->node) && entries_of(m, n->node) != 0)
			return -DBFS_ENOTEMPTY;
		drop(m, n);
	}
	o->dir = -1;
	m->node[odir].mtime = 0;
	m->node[moved].parent = ndir;
	add_entry(m, ndir, nname, moved);
	return 0;
}

void model_resize(struct model *m, int node, uint64_t size)
{
	struct mnode *n = &m->node[node];
	uint8_t *p = calloc(1, size + 1);

	CHECK(p != NULL);
	memcpy(p, n->data->p, MIN(size, n->data->len));
	model_set_bytes(&n->data, p, size);
	n->mtime = 0;
	free(p);
}

void model_write(struct model *m, int node, uint64_t off, const void *p, size_t len)
{
	if (len == 0)
		return;
	model_resize(m, node, MAX(m->node[node].data->len, off + len));
	memcpy(m->node[node].data->p + off, p, len); /* ours alone after resize */
}

void model_zero(struct model *m, int node, uint64_t off, uint64_t end)
{
	size_t len = m->node[node].data->len;

	model_resize(m, node, len);
	end = MIN(end, len);
	if (off < end)
		memset(m->node[node].data->p + off, 0, end - off);
}

/* --- Comparing ------------------------------------------------------------------------------ */

struct compare {
	struct model *m;
	struct dbfs_tx *tx;
	int dir;
	unsigned entries;
};

static void compare_xattrs(struct compare *c, const struct mnode *n)
{
	for (int x = 0; x < MODEL_XATTRS; x++) {
		uint8_t buf[3072];
		size_t len = sizeof(buf);
		int err = dbfs_getxattr(c->tx, (struct dbfs_ino){n->ino},
					t_name(model_xattr_names[x]), buf, &len);

		if (n->xattr[x] == NULL) {
			CHECK(err == -DBFS_ENODATA);
			continue;
		}
		OK(err);
		CHECK(len == n->xattr[x]->len && memcmp(buf, n->xattr[x]->p, len) == 0);
	}
}

static void compare_node(struct compare *c, int node)
{
	const struct mnode *n = &c->m->node[node];
	struct dbfs_attr a = t_attr(c->tx, (struct dbfs_ino){n->ino});

	CHECK(a.mode == n->mode && a.uid == n->uid);
	CHECK(n->mtime == 0 || a.mtime.sec == n->mtime);
	if (model_is_dir(c->m, node)) {
		CHECK(a.nlink == 2 + model_subdirs(c->m, node));
	} else {
		CHECK(a.nlink == n->nlink);
	}
	if (model_is_file(c->m, node)) {
		uint8_t *buf = malloc(n->data->len + 16);
		size_t done;

		CHECK(buf != NULL && a.size == n->data->len);
		OK(dbfs_read(c->tx, a.ino, 0, buf, n->data->len + 16, &done));
		CHECK(done == n->data->len && memcmp(buf, n->data->p, done) == 0);
		free(buf);
	}
	compare_xattrs(c, n);
}

static int compare_entry(void *arg, const struct dbfs_dirent *d)
{
	struct compare *c = arg;
	char name[8] = {0};
	struct mentry *e;

	CHECK(d->name.len < sizeof(name));
	memcpy(name, d->name.s, d->name.len);
	e = model_find(c->m, c->dir, name);
	CHECK(e != NULL);
	CHECK(d->ino.n == c->m->node[e->node].ino);
	CHECK(d->type == (c->m->node[e->node].mode & DBFS_S_IFMT));
	c->entries++;
	return 0;
}

void model_compare(struct model *m, struct dbfs_tx *tx)
{
	for (int i = 0; i < MODEL_NODES; i++) {
		struct compare c = {.m = m, .tx = tx, .dir = i};
		struct dbfs_ino p;

		if (!m->node[i].used)
			continue;
		compare_node(&c, i);
		if (!model_is_dir(m, i))
			continue;
		OK(dbfs_readdir(tx, (struct dbfs_ino){m->node[i].ino}, 0, compare_entry, &c));
		CHECK(c.entries == entries_of(m, i));
		OK(dbfs_parent(tx, (struct dbfs_ino){m->node[i].ino}, &p));
		CHECK(p.n == m->node[i == 0 ? 0 : m->node[i].parent].ino);
	}
}
