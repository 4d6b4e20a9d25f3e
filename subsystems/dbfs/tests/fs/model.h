/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * A trivial file system in memory: what the real one must look like from outside. Nodes are slots, names
 * a flat list; every question is answered by going through all of them. Copies are cheap (contents
 * are shared and never changed), so a transaction or a savepoint is a copy.
 */
#ifndef DBFS_TESTS_MODEL_H
#define DBFS_TESTS_MODEL_H

#include "dbfs/fs.h"

#define MODEL_NODES 48
#define MODEL_ENTRIES 128
#define MODEL_XATTRS 3

/* Immutable contents with a reference count. */
struct bytes {
	unsigned refs;
	size_t len;
	uint8_t p[];
};

struct mnode {
	bool used;
	uint64_t ino; /* in the real file system */
	uint32_t mode;
	uint32_t uid;
	uint32_t nlink; /* names; directories: 1 */
	int parent;     /* directories */
	int64_t mtime;  /* seconds, 0: unknown (the real clock) */
	struct bytes *data;
	struct bytes *xattr[MODEL_XATTRS];
};

struct mentry {
	int dir; /* -1: free */
	int node;
	char name[8];
};

struct model {
	struct mnode node[MODEL_NODES];
	struct mentry entry[MODEL_ENTRIES];
};

void model_init(struct model *m);
void model_copy(struct model *to, const struct model *from); /* to is overwritten, not freed */
void model_free(struct model *m);

/* All return what the real operation returns. Node 0 is the root. */
struct mentry *model_find(struct model *m, int dir, const char *name);
/* -1: the model is full (not an error of the real one; do not try). */
int model_vacant(const struct model *m);
int model_create(struct model *m, int dir, const char *name, uint32_t mode, int *node);
int model_link(struct model *m, int node, int dir, const char *name);
int model_unlink(struct model *m, int dir, const char *name);
int model_rmdir(struct model *m, int dir, const char *name);
int model_rename(struct model *m, int odir, const char *oname, int ndir, const char *nname,
		 unsigned flags);
void model_write(struct model *m, int node, uint64_t off, const void *p, size_t len);
void model_resize(struct model *m, int node, uint64_t size);
void model_zero(struct model *m, int node, uint64_t off, uint64_t end);
void model_set_bytes(struct bytes **at, const void *p, size_t len); /* p NULL: none */

bool model_is_dir(const struct model *m, int node);
bool model_is_file(const struct model *m, int node);
unsigned model_subdirs(const struct model *m, int dir);
unsigned model_nodes(const struct model *m);

/* Compares the whole tree that tx shows with m; ends the test at a difference. */
void model_compare(struct model *m, struct dbfs_tx *tx);

extern const char *const model_xattr_names[MODEL_XATTRS];

#endif
