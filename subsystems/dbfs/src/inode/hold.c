/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Holds: which inodes are open somewhere, however their names fare. A hash table on the volume, in
 * memory only: after a crash nothing is open, and dbfs_fs_mount frees the orphans.
 *
 * A transaction asks dbfs_holds_mark when it takes the last name: held inodes become orphans, and the mark
 * makes their last release look at the committed state. Who lets others open files while its
 * transaction runs (a mounted view) holds the victim itself before it unlinks and releases it after
 * the end of the transaction; then no order of open, unlink, commit and close loses the file
 * too early or forgets it.
 *
 * One lock; nothing is called under it but the allocator.
 */
#include "inode/inode.h"

#include "port/mem.h"
#include "port/sync.h"

#define HOLD_BUCKETS_MIN 64u

struct hold {
	struct hold *next;
	uint64_t ino;
	uint32_t count;
	bool marked;
};

struct dbfs_holds {
	struct port_mutex lock;
	struct hold **table; /* lock: lock; size is a power of two */
	size_t size;         /* lock: lock */
	size_t used;         /* lock: lock */
};

static size_t slot_of(const struct dbfs_holds *h, uint64_t ino)
{
	return (size_t)((ino * 0x9e3779b97f4a7c15u) >> 32) & (h->size - 1);
}

static void holds_fini(void *fs)
{
	struct dbfs_holds *h = fs;

	for (size_t i = 0; i < h->size; i++) {
		while (h->table[i] != NULL) {
			struct hold *e = h->table[i];

			h->table[i] = e->next;
			port_free(e);
		}
	}
	port_mutex_fini(&h->lock);
	port_free(h->table);
	port_free(h);
}

int dbfs_holds_create(struct dbfs *db)
{
	struct dbfs_holds *h;

	if (dbfs_volume_fs(db) != NULL)
		return 0;
	h = port_alloc_zeroed(sizeof(*h));
	if (h == NULL)
		return -DBFS_ENOMEM;
	h->size = HOLD_BUCKETS_MIN;
	h->table = port_alloc_zeroed(h->size * sizeof(struct hold *));
	if (h->table == NULL) {
		port_free(h);
		return -DBFS_ENOMEM;
	}
	port_mutex_init(&h->lock, LOCK_RANK_DBFS_IO, "dbfs.holds");
	dbfs_volume_set_fs(db, h, holds_fini);
	return 0;
}

/* Where the entry of ino hangs, or the end of its chain. */
static struct hold **find(struct dbfs_holds *h, uint64_t ino)
{
	struct hold **at = &h->table[slot_of(h, ino)];

	while (*at != NULL && (*at)->ino != ino)
		at = &(*at)->next;
	return at;
}

/* Doubles the table when chains grow; without memory they just stay long. */
static void grow(struct dbfs_holds *h)
{
	size_t old_size = h->size;
	struct hold **old = h->table;
	struct hold **table;

	if (h->used < old_size)
		return;
	table = port_alloc_zeroed(old_size * 2 * sizeof(struct hold *));
	if (table == NULL)
		return;
	h->table = table;
	h->size = old_size * 2;
	for (size_t i = 0; i < old_size; i++) {
		while (old[i] != NULL) {
			struct hold *e = old[i];
			struct hold **at = &table[slot_of(h, e->ino)];

			old[i] = e->next;
			e->next = *at;
			*at = e;
		}
	}
	port_free(old);
}

bool dbfs_holds_mark(struct dbfs *db, struct dbfs_ino ino)
{
	struct dbfs_holds *h = dbfs_volume_fs(db);
	struct hold *e;

	if (h == NULL)
		return false;
	port_mutex_lock(&h->lock);
	e = *find(h, ino.n);
	if (e != NULL)
		e->marked = true;
	port_mutex_unlock(&h->lock);
	return e != NULL;
}

int dbfs_holds_get(struct dbfs *db, struct dbfs_ino ino)
{
	struct dbfs_holds *h = dbfs_volume_fs(db);
	struct hold **at;
	int err = 0;

	if (h == NULL)
		return -DBFS_EINVAL;
	port_mutex_lock(&h->lock);
	at = find(h, ino.n);
	if (*at != NULL) {
		(*at)->count++;
		goto out;
	}
	*at = port_alloc(sizeof(struct hold));
	if (*at == NULL) {
		err = -DBFS_ENOMEM;
		goto out;
	}
	**at = (struct hold){.ino = ino.n, .count = 1};
	h->used++;
	grow(h);
out:
	port_mutex_unlock(&h->lock);
	return err;
}

bool dbfs_holds_put(struct dbfs *db, struct dbfs_ino ino)
{
	struct dbfs_holds *h = dbfs_volume_fs(db);
	struct hold **at;
	struct hold *gone = NULL;
	bool look = false;

	if (h == NULL)
		return false;
	port_mutex_lock(&h->lock);
	at = find(h, ino.n);
	if (*at != NULL && --(*at)->count == 0) {
		gone = *at;
		*at = gone->next;
		look = gone->marked;
		h->used--;
	}
	port_mutex_unlock(&h->lock);
	port_free(gone);
	return look;
}
