/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * A layer: an ordered index from key to a chain of versions, newest first. Pure memory; knows no
 * transactions and no disk. The active and frozen version layers of a volume are layers, and so are
 * the write set and the read set of a transaction.
 *
 * One writer at a time (the caller sees to it), any number of readers beside him without a lock.
 * Nothing is removed before the whole layer goes (but see dbfs_layer_pop).
 */
#ifndef DBFS_MVCC_LAYER_H
#define DBFS_MVCC_LAYER_H

#include <stdatomic.h>

#include "base/types.h"

struct dbfs_bytes {
	const uint8_t *p;
	uint32_t len;
};

/* memcmp order, shorter first. */
int dbfs_bytes_cmp(struct dbfs_bytes a, struct dbfs_bytes b);

enum dbfs_version_kind { DBFS_VERSION_PUT, DBFS_VERSION_DELETE, DBFS_VERSION_MERGE };

/* Const once it is in a layer. */
struct dbfs_version {
	uint64_t ts;
	struct dbfs_version *older;
	uint32_t len;
	uint32_t kind; /* enum dbfs_version_kind */
	uint8_t data[];
};

struct dbfs_node {
	_Atomic(struct dbfs_version *) head; /* release by the writer, acquire by readers */
	uint32_t klen;
	uint32_t height;
	uint64_t prefix
		[2]; /* the key's first 16 bytes as big-endian numbers, zeros after a shorter key */
	_Atomic(struct dbfs_node *) next[]; /* release by the writer, acquire by readers */
};

struct dbfs_layer;

struct dbfs_layer *dbfs_layer_create(void) MUST_CHECK; /* NULL: no memory */
void dbfs_layer_destroy(struct dbfs_layer *l);         /* NULL is fine */

struct dbfs_bytes dbfs_node_key(const struct dbfs_node *n);
static inline struct dbfs_version *dbfs_node_head(const struct dbfs_node *n)
{
	return atomic_load_explicit(&n->head, memory_order_acquire);
}
/* The newest version with ts <= ts, or NULL. */
struct dbfs_version *dbfs_node_version(const struct dbfs_node *n, uint64_t ts);

/* --- Reading: NULL if there is no such node ------------------------------------------------ */

struct dbfs_node *dbfs_layer_find(const struct dbfs_layer *l, struct dbfs_bytes key);
struct dbfs_node *dbfs_layer_seek(const struct dbfs_layer *l, struct dbfs_bytes key); /* >= */
struct dbfs_node *dbfs_layer_seek_after(const struct dbfs_layer *l, struct dbfs_bytes key);
struct dbfs_node *dbfs_layer_seek_before(const struct dbfs_layer *l, struct dbfs_bytes key);
struct dbfs_node *dbfs_layer_first(const struct dbfs_layer *l);
static inline struct dbfs_node *dbfs_node_next(const struct dbfs_node *n)
{
	return atomic_load_explicit(&n->next[0], memory_order_acquire);
}

/* --- Writing ------------------------------------------------------------------------------- */

/* An upper bound for the memory that one version of this size under a new key takes. */
size_t dbfs_layer_cost(uint32_t klen, size_t vlen);
/*
 * After this, versions of bytes in sum of their costs, none of a higher cost than largest, can be
 * added without failing. Memory comes in pieces of about 64 KiB, or of largest. -DBFS_ENOMEM.
 */
int dbfs_layer_reserve(struct dbfs_layer *l, size_t bytes, size_t largest) MUST_CHECK;
/* A version of len bytes for the caller to fill and add; memory was reserved. Never NULL. */
struct dbfs_version *dbfs_layer_version_nofail(struct dbfs_layer *l, uint32_t len);
/* Makes v, whose other members are set, the newest version of key. Memory was reserved. */
struct dbfs_node *dbfs_layer_add_nofail(struct dbfs_layer *l, struct dbfs_bytes key,
					struct dbfs_version *v);
/* Removes the newest version of n; only where there are no readers beside the writer. */
void dbfs_layer_pop(struct dbfs_layer *l, struct dbfs_node *n);

/* Bytes of memory and number of versions in it. */
size_t dbfs_layer_bytes(const struct dbfs_layer *l);
uint64_t dbfs_layer_versions(const struct dbfs_layer *l);

#endif
