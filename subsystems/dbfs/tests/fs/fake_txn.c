/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#include "fake_txn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "txn/txn.h"

#define BS DBFS_BLOCK_SIZE

#define REQUIRE(x) ((x) ? (void)0 : broken(#x, __LINE__))

static NORETURN void broken(const char *what, int line)
{
	fprintf(stderr, "fake_txn.c:%d: the file system broke a rule of the engine: %s\n", line,
		what);
	abort();
}

struct item {
	uint32_t bucket;
	uint32_t klen;
	uint8_t *key;
	uint8_t *val; /* NULL in undo records: there was none */
	size_t vlen;
	bool counters;
};

struct undo {
	enum { UNDO_ITEM, UNDO_ALLOC, UNDO_FREE } what;
	struct item old; /* UNDO_ITEM */
	uint64_t block;
};

enum block_state { BLOCK_FREE, BLOCK_USED, BLOCK_FREEING };

struct dbfs {
	struct item *items;
	size_t count;
	size_t room;
	uint8_t **data;
	uint8_t *state;
	uint64_t blocks;
	uint64_t used;
	uint64_t next_id;
	struct dbfs_tx *tx;
	void *fs;
	void (*fini)(void *fs);
	unsigned fail_in;
	int fail_err;
	bool failed;
};

struct dbfs_tx {
	struct dbfs *db;
	bool read_only;
	bool reserve;
	struct undo *undo;
	size_t undos;
	size_t undo_room;
};

/* --- The array ---------------------------------------------------------------------------- */

static int compare(const struct item *i, struct dbfs_key k)
{
	int c;

	if (i->bucket != k.bucket)
		return i->bucket < k.bucket ? -1 : 1;
	c = memcmp(i->key, k.p, MIN(i->klen, k.len));
	return c != 0 ? c : (int)i->klen - (int)k.len;
}

/* Index of the first item >= k. */
static size_t lower(const struct dbfs *db, struct dbfs_key k)
{
	size_t lo = 0;
	size_t hi = db->count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (compare(&db->items[mid], k) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct item *find(const struct dbfs *db, struct dbfs_key k)
{
	size_t i = lower(db, k);

	return i < db->count && compare(&db->items[i], k) == 0 ? &db->items[i] : NULL;
}

static uint8_t *dup_bytes(const void *p, size_t len)
{
	uint8_t *d = malloc(len + 1);

	REQUIRE(d != NULL);
	memcpy(d, p, len);
	return d;
}

/* Sets (val NULL: removes) an item without undo. */
static void set_raw(struct dbfs *db, struct dbfs_key k, const uint8_t *val, size_t vlen,
		    bool counters)
{
	size_t i = lower(db, k);
	bool there = i < db->count && compare(&db->items[i], k) == 0;

	if (there) {
		free(db->items[i].val);
		if (val != NULL) {
			db->items[i].val = dup_bytes(val, vlen);
			db->items[i].vlen = vlen;
			return;
		}
		free(db->items[i].key);
		memmove(&db->items[i], &db->items[i + 1], (--db->count - i) * sizeof(struct item));
		return;
	}
	if (val == NULL)
		return;
	if (db->count == db->room) {
		db->room = db->room * 2 + 64;
		db->items = realloc(db->items, db->room * sizeof(struct item));
		REQUIRE(db->items != NULL);
	}
	memmove(&db->items[i + 1], &db->items[i], (db->count++ - i) * sizeof(struct item));
	db->items[i] = (struct item){k.bucket, k.len,   dup_bytes(k.p, k.len), dup_bytes(val, vlen),
				     vlen,     counters};
}

static struct undo *push_undo(struct dbfs_tx *tx)
{
	if (tx->undos == tx->undo_room) {
		tx->undo_room = tx->undo_room * 2 + 64;
		tx->undo = realloc(tx->undo, tx->undo_room * sizeof(struct undo));
		REQUIRE(tx->undo != NULL);
	}
	return &tx->undo[tx->undos++];
}

static void set(struct dbfs_tx *tx, struct dbfs_key k, const void *val, size_t vlen, bool counters)
{
	struct item *old = find(tx->db, k);
	struct undo *u = push_undo(tx);

	u->what = UNDO_ITEM;
	u->old = (struct item){k.bucket, k.len, dup_bytes(k.p, k.len), NULL, 0, counters};
	if (old != NULL) {
		REQUIRE(val == NULL || old->counters == counters);
		u->old.val = dup_bytes(old->val, old->vlen);
		u->old.vlen = old->vlen;
		u->old.counters = old->counters;
	}
	set_raw(tx->db, k, val, vlen, counters);
}

/* --- Volume ------------------------------------------------------------------------------- */

struct dbfs *fake_create(uint64_t blocks)
{
	struct dbfs *db = calloc(1, sizeof(*db));

	REQUIRE(db != NULL);
	db->blocks = blocks;
	db->data = calloc(blocks, sizeof(uint8_t *));
	db->state = calloc(blocks, 1);
	REQUIRE(db->data != NULL && db->state != NULL);
	db->next_id = 2;
	return db;
}

void fake_remount(struct dbfs *db)
{
	REQUIRE(db->tx == NULL);
	if (db->fs != NULL)
		db->fini(db->fs);
	db->fs = NULL;
}

void fake_destroy(struct dbfs *db)
{
	fake_remount(db);
	for (size_t i = 0; i < db->count; i++) {
		free(db->items[i].key);
		free(db->items[i].val);
	}
	for (uint64_t b = 0; b < db->blocks; b++)
		free(db->data[b]);
	free(db->items);
	free(db->data);
	free(db->state);
	free(db);
}

void fake_fail(struct dbfs *db, unsigned nth, int err)
{
	db->fail_in = nth;
	db->fail_err = err;
	db->failed = false;
}

bool fake_failed(const struct dbfs *db)
{
	return db->failed;
}

uint64_t fake_used_blocks(const struct dbfs *db)
{
	return db->used;
}

size_t fake_count(const struct dbfs *db, uint32_t bucket)
{
	size_t n = 0;

	for (size_t i = 0; i < db->count; i++)
		n += db->items[i].bucket == bucket;
	return n;
}

static int may_fail(struct dbfs *db)
{
	if (db->fail_in == 0 || --db->fail_in > 0)
		return 0;
	db->failed = true;
	return db->fail_err;
}

bool dbfs_is_read_only(const struct dbfs *db)
{
	(void)db;
	return false;
}

void dbfs_get_stats(struct dbfs *db, struct dbfs_stats *out)
{
	*out = (struct dbfs_stats){.total_blocks = db->blocks,
				   .free_blocks = db->blocks - db->used};
}

void dbfs_volume_secret(const struct dbfs *db, uint8_t out[16])
{
	(void)db;
	memset(out, 0x5a, 16);
}

void dbfs_volume_set_fs(struct dbfs *db, void *fs, void (*fini)(void *fs))
{
	db->fs = fs;
	db->fini = fini;
}

void *dbfs_volume_fs(const struct dbfs *db)
{
	return db->fs;
}

/* --- Transactions -------------------------------------------------------------------------- */

int dbfs_tx_begin(struct dbfs *db, const struct dbfs_tx_opts *opts, struct dbfs_tx **out)
{
	struct dbfs_tx *tx = calloc(1, sizeof(*tx));

	REQUIRE(tx != NULL && db->tx == NULL);
	tx->db = db;
	tx->read_only = opts->mode == DBFS_TX_READ_ONLY;
	db->tx = tx;
	*out = tx;
	return 0;
}

static void undo_to(struct dbfs_tx *tx, size_t pos)
{
	struct dbfs *db = tx->db;

	while (tx->undos > pos) {
		struct undo *u = &tx->undo[--tx->undos];

		if (u->what == UNDO_ITEM) {
			struct dbfs_key k = {u->old.bucket, u->old.klen, u->old.key};

			set_raw(db, k, u->old.val, u->old.vlen, u->old.counters);
			free(u->old.key);
			free(u->old.val);
		} else if (u->what == UNDO_ALLOC) {
			REQUIRE(db->state[u->block] == BLOCK_USED);
			db->state[u->block] = BLOCK_FREE;
			db->used--;
		} else {
			REQUIRE(db->state[u->block] == BLOCK_FREEING);
			db->state[u->block] = BLOCK_USED;
		}
	}
}

static void end(struct dbfs_tx *tx)
{
	tx->db->tx = NULL;
	free(tx->undo);
	free(tx);
}

int dbfs_tx_commit(struct dbfs_tx *tx)
{
	for (size_t i = 0; i < tx->undos; i++) {
		struct undo *u = &tx->undo[i];

		if (u->what == UNDO_ITEM) {
			free(u->old.key);
			free(u->old.val);
		} else if (u->what == UNDO_FREE) {
			tx->db->state[u->block] = BLOCK_FREE;
			tx->db->used--;
		}
	}
	end(tx);
	return 0;
}

void dbfs_tx_rollback(struct dbfs_tx *tx)
{
	undo_to(tx, 0);
	end(tx);
}

struct dbfs *dbfs_tx_volume(const struct dbfs_tx *tx)
{
	return tx->db;
}

bool dbfs_tx_is_read_only(const struct dbfs_tx *tx)
{
	return tx->read_only;
}

struct dbfs_savepoint dbfs_tx_savepoint(struct dbfs_tx *tx)
{
	return (struct dbfs_savepoint){tx->undos};
}

void dbfs_tx_rollback_to(struct dbfs_tx *tx, struct dbfs_savepoint sp)
{
	undo_to(tx, sp.pos);
}

/* --- Keys and values ----------------------------------------------------------------------- */

int dbfs_txn_get(struct dbfs_tx *tx, struct dbfs_key key, void *buf, size_t cap, size_t *len,
		 unsigned flags)
{
	struct item *i = find(tx->db, key);
	int err = may_fail(tx->db);

	(void)flags;
	REQUIRE(key.len <= DBFS_KEY_MAX);
	if (err != 0)
		return err;
	if (i == NULL)
		return -DBFS_ENOENT;
	if (cap > 0)
		memcpy(buf, i->val, MIN(cap, i->vlen));
	*len = i->vlen;
	return 0;
}

int dbfs_txn_put(struct dbfs_tx *tx, struct dbfs_key key, struct dbfs_val val)
{
	int err = may_fail(tx->db);

	REQUIRE(key.len <= DBFS_KEY_MAX && val.len <= DBFS_VALUE_MAX);
	if (tx->read_only)
		return -DBFS_EROFS;
	if (err == 0)
		set(tx, key, val.p, val.len, false);
	return err;
}

int dbfs_txn_delete(struct dbfs_tx *tx, struct dbfs_key key)
{
	int err = may_fail(tx->db);

	if (tx->read_only)
		return -DBFS_EROFS;
	if (err == 0 && find(tx->db, key) != NULL)
		set(tx, key, NULL, 0, false);
	return err;
}

int dbfs_txn_get_counters(struct dbfs_tx *tx, struct dbfs_key key, struct dbfs_counters *out)
{
	struct item *i = find(tx->db, key);
	int err = may_fail(tx->db);

	if (err != 0)
		return err;
	memset(out, 0, sizeof(*out));
	if (i != NULL) {
		REQUIRE(i->counters && i->vlen == sizeof(*out));
		memcpy(out, i->val, sizeof(*out));
	}
	return 0;
}

static void raise(int64_t *sec, uint32_t *nsec, int64_t dsec, uint32_t dnsec)
{
	if (dsec > *sec || (dsec == *sec && dnsec > *nsec)) {
		*sec = dsec;
		*nsec = dnsec;
	}
}

int dbfs_txn_merge(struct dbfs_tx *tx, struct dbfs_key key, const struct dbfs_counters *delta)
{
	struct dbfs_counters c;
	int err = dbfs_txn_get_counters(tx, key, &c);

	if (tx->read_only)
		return -DBFS_EROFS;
	if (err != 0)
		return err;
	raise(&c.mtime_sec, &c.mtime_nsec, delta->mtime_sec, delta->mtime_nsec);
	raise(&c.ctime_sec, &c.ctime_nsec, delta->ctime_sec, delta->ctime_nsec);
	c.links += delta->links;
	c.entries += delta->entries;
	REQUIRE(c.links >= 0 && c.entries >= 0);
	set(tx, key, &c, sizeof(c), true);
	return 0;
}

/* --- Cursors -------------------------------------------------------------------------------- */

struct dbfs_cursor {
	struct dbfs_tx *tx;
	struct dbfs_key lo;
	struct dbfs_key hi;
	struct dbfs_key at; /* copy of the current key */
	bool started;
	bool valid; /* nothing was written since */
	size_t undos;
};

static struct dbfs_key copy_key(struct dbfs_key k)
{
	k.p = dup_bytes(k.p, k.len);
	return k;
}

static void free_key(struct dbfs_key k)
{
	free((void *)(uintptr_t)k.p);
}

int dbfs_cursor_open(struct dbfs_tx *tx, struct dbfs_key lo, struct dbfs_key hi, unsigned flags,
		     struct dbfs_cursor **out)
{
	struct dbfs_cursor *c;
	int err = may_fail(tx->db);

	(void)flags;
	if (err != 0)
		return err;
	c = calloc(1, sizeof(*c));
	REQUIRE(c != NULL);
	c->tx = tx;
	c->lo = copy_key(lo);
	c->hi = copy_key(hi);
	*out = c;
	return 0;
}

void dbfs_cursor_close(struct dbfs_cursor *c)
{
	free_key(c->lo);
	free_key(c->hi);
	free_key(c->at);
	free(c);
}

static int stand(struct dbfs_cursor *c, size_t i, bool there)
{
	struct dbfs *db = c->tx->db;
	int err = may_fail(db);

	c->started = true;
	c->valid = false;
	if (err != 0)
		return err;
	if (!there || i >= db->count || compare(&db->items[i], c->lo) < 0 ||
	    compare(&db->items[i], c->hi) >= 0)
		return -DBFS_ENOENT;
	free_key(c->at);
	c->at = copy_key(
		(struct dbfs_key){db->items[i].bucket, db->items[i].klen, db->items[i].key});
	c->valid = true;
	c->undos = c->tx->undos;
	return 0;
}

int dbfs_cursor_seek(struct dbfs_cursor *c, struct dbfs_key key)
{
	size_t i = lower(c->tx->db, key);
	size_t first = lower(c->tx->db, c->lo);

	return stand(c, MAX(i, first), true);
}

int dbfs_cursor_seek_last(struct dbfs_cursor *c, struct dbfs_key key)
{
	struct dbfs *db = c->tx->db;
	size_t i = lower(db, key);
	size_t end_at = lower(db, c->hi);

	if (i < db->count && compare(&db->items[i], key) == 0)
		i++;
	i = MIN(i, end_at);
	return stand(c, i - 1, i > 0);
}

int dbfs_cursor_next(struct dbfs_cursor *c)
{
	size_t i;

	if (!c->started)
		return stand(c, lower(c->tx->db, c->lo), true);
	i = lower(c->tx->db, c->at);
	if (i < c->tx->db->count && compare(&c->tx->db->items[i], c->at) == 0)
		i++;
	return stand(c, i, true);
}

int dbfs_cursor_prev(struct dbfs_cursor *c)
{
	size_t i = lower(c->tx->db, c->started ? c->at : c->hi);

	return stand(c, i - 1, i > 0);
}

struct dbfs_key dbfs_cursor_key(const struct dbfs_cursor *c)
{
	REQUIRE(c->valid && c->undos == c->tx->undos);
	return c->at;
}

int dbfs_cursor_value(struct dbfs_cursor *c, struct dbfs_val *out)
{
	struct item *i;

	REQUIRE(c->valid && c->undos == c->tx->undos);
	i = find(c->tx->db, c->at);
	REQUIRE(i != NULL);
	*out = (struct dbfs_val){i->val, i->vlen};
	return 0;
}

/* --- Data ----------------------------------------------------------------------------------- */

int dbfs_txn_data_write(struct dbfs_tx *tx, const void *data, uint32_t nblocks, uint64_t hint,
			struct dbfs_extent *out, uint32_t *crcs)
{
	struct dbfs *db = tx->db;
	uint64_t b = hint == 0 || hint >= db->blocks ? 1 : hint;
	int err = may_fail(db);

	REQUIRE(nblocks > 0);
	if (tx->read_only)
		return -DBFS_EROFS;
	if (err != 0)
		return err;
	if (db->used + (tx->reserve ? 0 : db->blocks / 32) >= db->blocks - 1)
		return -DBFS_ENOSPC;
	while (db->state[b] != BLOCK_FREE)
		b = b + 1 == db->blocks ? 1 : b + 1;
	*out = (struct dbfs_extent){b, 0};
	while (out->count < nblocks && b < db->blocks && db->state[b] == BLOCK_FREE) {
		const uint8_t *p = (const uint8_t *)data + (size_t)out->count * BS;
		struct undo *u = push_undo(tx);

		free(db->data[b]);
		db->data[b] = dup_bytes(p, BS);
		db->state[b] = BLOCK_USED;
		db->used++;
		*u = (struct undo){.what = UNDO_ALLOC, .block = b};
		crcs[out->count++] = base_crc32c(0, p, BS);
		b++;
	}
	return 0;
}

int dbfs_txn_data_read(struct dbfs_tx *tx, struct dbfs_extent e, const uint32_t *crcs, void *buf)
{
	struct dbfs *db = tx->db;
	int err = may_fail(db);

	if (err != 0)
		return err;
	REQUIRE(((uintptr_t)buf & 15) == 0);
	for (uint32_t i = 0; i < e.count; i++) {
		REQUIRE(e.block + i < db->blocks && db->state[e.block + i] == BLOCK_USED);
		REQUIRE(base_crc32c(0, db->data[e.block + i], BS) == crcs[i]);
		memcpy((uint8_t *)buf + (size_t)i * BS, db->data[e.block + i], BS);
	}
	return 0;
}

int dbfs_txn_data_free(struct dbfs_tx *tx, struct dbfs_extent e)
{
	struct dbfs *db = tx->db;
	int err = may_fail(db);

	if (err != 0)
		return err;
	for (uint32_t i = 0; i < e.count; i++) {
		REQUIRE(e.block + i < db->blocks && db->state[e.block + i] == BLOCK_USED);
		db->state[e.block + i] = BLOCK_FREEING;
		*push_undo(tx) = (struct undo){.what = UNDO_FREE, .block = e.block + i};
	}
	return 0;
}

int dbfs_txn_check_space(struct dbfs_tx *tx, uint64_t nblocks)
{
	return tx->db->used + nblocks > tx->db->blocks ? -DBFS_ENOSPC : 0;
}

void dbfs_txn_use_reserve(struct dbfs_tx *tx)
{
	tx->reserve = true;
}

int dbfs_txn_new_id(struct dbfs_tx *tx, uint64_t *out)
{
	int err = may_fail(tx->db);

	if (err == 0)
		*out = tx->db->next_id++;
	return err;
}
