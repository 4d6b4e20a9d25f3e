/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The set of inodes that a view has changed, so that its commit drops just their cached state.
 * Open addressing with linear probing, at most three quarters full.
 */
#include "fs/dbfs/glue.h"

#include "port/mem.h"

static struct change *find(struct change *table, size_t size, uint64_t ino)
{
	size_t i = (size_t)(ino * 0x9e3779b97f4a7c15u >> 32) & (size - 1);

	while (table[i].ino != 0 && table[i].ino != ino)
		i = (i + 1) & (size - 1);
	return &table[i];
}

static int grow(struct changes *c)
{
	size_t size = c->size == 0 ? 64 : c->size * 2;
	struct change *table = port_alloc_zeroed(size * sizeof *table);

	if (table == NULL)
		return -DBFS_ENOMEM;
	for (size_t i = 0; i < c->size; i++) {
		if (c->table[i].ino != 0)
			*find(table, size, c->table[i].ino) = c->table[i];
	}
	port_free(c->table);
	c->table = table;
	c->size = size;
	return 0;
}

unsigned changes_get(const struct changes *c, uint64_t ino)
{
	return c->size == 0 ? 0 : find(c->table, c->size, ino)->what;
}

int changes_add(struct changes *c, uint64_t ino, unsigned what)
{
	if (c->used * 4 >= c->size * 3) {
		int err = grow(c);

		if (err != 0)
			return err;
	}
	struct change *e = find(c->table, c->size, ino);

	if (e->ino == 0) {
		e->ino = ino;
		c->used++;
	}
	e->what |= what;
	return 0;
}

void changes_fini(struct changes *c)
{
	port_free(c->table);
	*c = (struct changes){0};
}
