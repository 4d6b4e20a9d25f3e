/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Layers are skip lists in arenas.
 *
 *   head: 12 lanes ---> node "a" ---> node "c" ---> NULL		lanes 0..height-1 of each node
 *			  |
 *			  head -> version ts 9 -> version ts 4 -> NULL
 *
 * A node's memory is: head, key length, height, prefix, height next pointers, the key. Most comparisons
 * of a search are decided by the prefix, two numbers. Versions hold their value. Both are cut from chunks that live as long as the layer, so a reader needs no protection
 * but the reference that keeps the layer.
 *
 * LAYER-1  Lane 0 is sorted by key, strictly. A lane i+1 is a subsequence of lane i.
 * LAYER-2  A node or version is complete before the release store that makes it reachable; readers
 *	    reach it by acquire loads. So a reader sees old or new, never half.
 * LAYER-3  Along a chain, ts falls or (write sets, where ts counts operations) falls strictly.
 * LAYER-4  Adding after dbfs_layer_reserve takes no memory from the port: a commit cannot fail halfway.
 *
 * Lock: the single writer is the caller's business. On crash: memory only.
 */
#include "mvcc/layer.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "dbfs/errors.h"
#include "port/mem.h"

enum { LANES = 12, CHUNK_BYTES = 65536, FIRST_CHUNK_BYTES = 2048 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t size; /* of data */
	size_t used;
	ALIGNED(16) uint8_t data[];
};

struct dbfs_layer {
	struct arena_chunk *chunks; /* the first is the one in use; writer only */
	struct arena_chunk *spare;  /* reserved, empty; writer only */
	_Atomic(size_t) bytes;      /* relaxed: written by the writer, read for statistics */
	_Atomic(uint64_t) versions; /* the same */
	/* The tallest node's, so that a small layer is not searched in lanes that are empty: a hint, which a reader
	 * may see late (lanes only save steps). relaxed */
	_Atomic(uint32_t) height;
	uint32_t random;
	struct dbfs_node *head; /* const after init; no key, LANES lanes */
};

int dbfs_bytes_cmp(struct dbfs_bytes a, struct dbfs_bytes b)
{
	int c = memcmp(a.p, b.p, MIN(a.len, b.len));

	if (c != 0)
		return c;
	return a.len < b.len ? -1 : a.len > b.len;
}

/* A key that is looked for. */
struct wanted {
	struct dbfs_bytes key;
	uint64_t prefix[2];
};

static void set_prefix(struct dbfs_bytes key, uint64_t prefix[2])
{
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t at = 8 * i;

		prefix[i] = 0;
		if (key.len >= at + 8) {
			prefix[i] = be64_load(key.p + at);
			continue;
		}
		for (uint32_t shift = 56; at < key.len; at++, shift -= 8)
			prefix[i] |= (uint64_t)key.p[at] << shift;
	}
}

/* Zeros after a shorter key do not disturb the order of those whose prefixes differ. */
static int compare(const struct dbfs_node *n, const struct wanted *w)
{
	if (n->prefix[0] != w->prefix[0])
		return n->prefix[0] < w->prefix[0] ? -1 : 1;
	if (n->prefix[1] != w->prefix[1])
		return n->prefix[1] < w->prefix[1] ? -1 : 1;
	return dbfs_bytes_cmp(dbfs_node_key(n), w->key);
}

static size_t key_offset(uint32_t height)
{
	return sizeof(struct dbfs_node) + height * sizeof(struct dbfs_node *);
}

static size_t node_size(uint32_t height, uint32_t klen)
{
	return ALIGN_UP(key_offset(height) + klen, (size_t)16);
}

static size_t version_size(size_t vlen)
{
	return ALIGN_UP(sizeof(struct dbfs_version) + vlen, (size_t)16);
}

size_t dbfs_layer_cost(uint32_t klen, size_t vlen)
{
	return node_size(LANES, klen) + version_size(vlen);
}

/* Only the writer writes these two. */
static void add_bytes(struct dbfs_layer *l, size_t n)
{
	size_t bytes = atomic_load_explicit(&l->bytes, memory_order_relaxed);

	atomic_store_explicit(&l->bytes, bytes + n, memory_order_relaxed);
}

static void add_versions(struct dbfs_layer *l, int n)
{
	uint64_t versions = atomic_load_explicit(&l->versions, memory_order_relaxed);

	atomic_store_explicit(&l->versions, versions + (uint64_t)(int64_t)n, memory_order_relaxed);
}

/* What pieces of at most largest bytes surely fit: the last bit of a chunk may be too short for one. */
static size_t usable(const struct arena_chunk *c, size_t largest)
{
	return c->size - c->used > largest ? c->size - c->used - largest : 0;
}

static int add_spare(struct dbfs_layer *l, size_t size)
{
	struct arena_chunk *c = port_alloc(sizeof(*c) + size);

	if (!c)
		return -DBFS_ENOMEM;
	c->size = size;
	c->used = 0;
	c->next = l->spare;
	l->spare = c;
	add_bytes(l, sizeof(*c) + size);
	return 0;
}

int dbfs_layer_reserve(struct dbfs_layer *l, size_t bytes, size_t largest)
{
	struct arena_chunk *c = l->chunks;
	size_t size = (c ? CHUNK_BYTES : FIRST_CHUNK_BYTES) - sizeof(*c);
	size_t room = 0;

	if (c && c->size - c->used >= bytes)
		return 0;
	if (c)
		room = usable(c, largest);
	for (c = l->spare; c; c = c->next)
		room += usable(c, largest);
	while (room < bytes) {
		/* A whole chunk, or just enough for what is left. */
		size_t want = MAX(size, largest + MIN(bytes - room, (size_t)CHUNK_BYTES));
		int err = add_spare(l, want);

		if (err)
			return err;
		room += want - largest;
	}
	return 0;
}

static void *take(struct dbfs_layer *l, size_t bytes)
{
	struct arena_chunk *c = l->chunks;
	void *p;

	while (!c || c->size - c->used < bytes) {
		c = l->spare;
		DBFS_ASSERT(c); /* LAYER-4 */
		l->spare = c->next;
		c->next = l->chunks;
		l->chunks = c;
	}
	p = c->data + c->used;
	c->used += bytes;
	return p;
}

static struct dbfs_node *make_node(struct dbfs_layer *l, struct dbfs_bytes key, uint32_t height)
{
	struct dbfs_node *n = take(l, node_size(height, key.len));

	atomic_init(&n->head, NULL);
	n->klen = key.len;
	n->height = height;
	set_prefix(key, n->prefix);
	for (uint32_t i = 0; i < height; i++)
		atomic_init(&n->next[i], NULL);
	if (key.len)
		memcpy((uint8_t *)(void *)n + key_offset(height), key.p, key.len);
	return n;
}

struct dbfs_layer *dbfs_layer_create(void)
{
	struct dbfs_layer *l = port_alloc_zeroed(sizeof(*l));

	if (!l)
		return NULL;
	if (dbfs_layer_reserve(l, node_size(LANES, 0), node_size(LANES, 0))) {
		port_free(l);
		return NULL;
	}
	atomic_init(&l->height, 1);
	l->random = 2463534242u;
	l->head = make_node(l, (struct dbfs_bytes){NULL, 0}, LANES);
	return l;
}

static void free_chunks(struct arena_chunk *c)
{
	while (c) {
		struct arena_chunk *next = c->next;

		port_free(c);
		c = next;
	}
}

void dbfs_layer_destroy(struct dbfs_layer *l)
{
	if (!l)
		return;
	free_chunks(l->chunks);
	free_chunks(l->spare);
	port_free(l);
}

struct dbfs_bytes dbfs_node_key(const struct dbfs_node *n)
{
	const uint8_t *p = (const uint8_t *)(const void *)n;

	return (struct dbfs_bytes){p + key_offset(n->height), n->klen};
}

struct dbfs_version *dbfs_node_version(const struct dbfs_node *n, uint64_t ts)
{
	struct dbfs_version *v = dbfs_node_head(n);

	while (v && v->ts > ts)
		v = v->older;
	return v;
}

static struct dbfs_node *load_next(const struct dbfs_node *n, unsigned lane)
{
	return atomic_load_explicit(&n->next[lane], memory_order_acquire); /* LAYER-2 */
}

/*
 * The last node before key (or at it, if through), the head if there is none; before[] per lane (of the
 * layer's height; writer only). A node that was found not to be before key is not compared again one lane below.
 */
static struct dbfs_node *descend(const struct dbfs_layer *l, const struct wanted *w, bool through,
				 struct dbfs_node **before)
{
	const struct dbfs_node *beyond = NULL;
	struct dbfs_node *n = l->head;

	for (unsigned lane = atomic_load_explicit(&l->height, memory_order_relaxed); lane-- > 0;) {
		for (;;) {
			struct dbfs_node *next = load_next(n, lane);
			int c;

			if (!next || next == beyond)
				break;
			c = compare(next, w);
			if (c > 0 || (c == 0 && !through)) {
				beyond = next;
				break;
			}
			n = next;
		}
		if (before)
			before[lane] = n;
	}
	return n;
}

static struct wanted wanted(struct dbfs_bytes key)
{
	struct wanted w = {.key = key};

	set_prefix(key, w.prefix);
	return w;
}

struct dbfs_node *dbfs_layer_seek(const struct dbfs_layer *l, struct dbfs_bytes key)
{
	struct wanted w = wanted(key);

	return load_next(descend(l, &w, false, NULL), 0);
}

struct dbfs_node *dbfs_layer_find(const struct dbfs_layer *l, struct dbfs_bytes key)
{
	struct wanted w = wanted(key);
	struct dbfs_node *n = load_next(descend(l, &w, false, NULL), 0);

	return n && compare(n, &w) == 0 ? n : NULL;
}

struct dbfs_node *dbfs_layer_seek_after(const struct dbfs_layer *l, struct dbfs_bytes key)
{
	struct wanted w = wanted(key);

	return load_next(descend(l, &w, true, NULL), 0);
}

struct dbfs_node *dbfs_layer_seek_before(const struct dbfs_layer *l, struct dbfs_bytes key)
{
	struct wanted w = wanted(key);
	struct dbfs_node *n = descend(l, &w, false, NULL);

	return n == l->head ? NULL : n;
}

struct dbfs_node *dbfs_layer_first(const struct dbfs_layer *l)
{
	return load_next(l->head, 0);
}

struct dbfs_version *dbfs_layer_version_nofail(struct dbfs_layer *l, uint32_t len)
{
	struct dbfs_version *v = take(l, version_size(len));

	v->len = len;
	v->older = NULL;
	add_versions(l, 1);
	return v;
}

static uint32_t random_height(struct dbfs_layer *l)
{
	uint32_t height = 1;
	uint32_t r;

	l->random ^= l->random << 13;
	l->random ^= l->random >> 17;
	l->random ^= l->random << 5;
	for (r = l->random; height < LANES && (r & 3) == 0; r >>= 2)
		height++;
	return height;
}

struct dbfs_node *dbfs_layer_add_nofail(struct dbfs_layer *l, struct dbfs_bytes key,
					struct dbfs_version *v)
{
	struct dbfs_node *before[LANES];
	struct dbfs_node *n;
	uint32_t height;
	struct wanted w = wanted(key);

	descend(l, &w, false, before);
	n = load_next(before[0], 0);
	if (n && compare(n, &w) == 0) {
		v->older = dbfs_node_head(n);
		DBFS_ASSERT(!v->older || v->older->ts <= v->ts);          /* LAYER-3 */
		atomic_store_explicit(&n->head, v, memory_order_release); /* LAYER-2 */
		return n;
	}
	height = random_height(l);
	for (uint32_t i = atomic_load_explicit(&l->height, memory_order_relaxed); i < height; i++)
		before[i] = l->head;
	if (height > atomic_load_explicit(&l->height, memory_order_relaxed))
		atomic_store_explicit(&l->height, height, memory_order_relaxed);
	n = make_node(l, key, height);
	atomic_store_explicit(&n->head, v, memory_order_relaxed); /* published with the node */
	for (uint32_t i = 0; i < height; i++) {
		atomic_store_explicit(&n->next[i], load_next(before[i], i), memory_order_relaxed);
		atomic_store_explicit(&before[i]->next[i], n, memory_order_release); /* LAYER-2 */
	}
	return n;
}

void dbfs_layer_pop(struct dbfs_layer *l, struct dbfs_node *n)
{
	struct dbfs_version *v = dbfs_node_head(n);

	DBFS_ASSERT(v);
	atomic_store_explicit(&n->head, v->older, memory_order_release);
	add_versions(l, -1);
}

size_t dbfs_layer_bytes(const struct dbfs_layer *l)
{
	return atomic_load_explicit(&l->bytes, memory_order_relaxed);
}

uint64_t dbfs_layer_versions(const struct dbfs_layer *l)
{
	return atomic_load_explicit(&l->versions, memory_order_relaxed);
}
