/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Directory entries.
 *
 * An entry is a record of its own: key (directory, cookie), value (inode number, type, name). The
 * cookie is the upper 55 bits of the name's SipHash under the volume's secret, shifted, with a collision
 * index below: 1..2^63-1. So a look-up touches one place however large the directory is, a listing in
 * key order can be resumed at a cookie whatever was created or removed meanwhile, and nobody
 * outside can make names collide.
 *
 *   DENT-1  A name stands at its hash, at any of the 256 indices; entries never move.
 *   DENT-2  A name stands at most once in a directory.
 *
 * A look-up first tries index 0, where nearly all names stand. If something else or nothing is there, it
 * scans the 256 places as one tracked range, so that "not found" is a fact that commit can check.
 */
#include "dir/dirent.h"

#include "dir/siphash.h"

#define INDEX_BITS 8u
#define INDEX_COUNT (1u << INDEX_BITS)

static bool same_bytes(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (a[i] != b[i])
			return false;
	}
	return true;
}

int dbfs_name_check(struct dbfs_name name)
{
	if (name.len > DBFS_NAME_MAX)
		return -DBFS_ENAMETOOLONG;
	if (name.len == 0 || (name.len == 1 && name.s[0] == '.') ||
	    (name.len == 2 && name.s[0] == '.' && name.s[1] == '.'))
		return -DBFS_EINVAL;
	for (size_t i = 0; i < name.len; i++) {
		if (name.s[i] == '/' || name.s[i] == '\0')
			return -DBFS_EINVAL;
	}
	return 0;
}

uint64_t dbfs_name_cookie(struct dbfs *db, struct dbfs_name name)
{
	uint8_t secret[16];
	uint64_t hash;

	dbfs_volume_secret(db, secret);
	hash = dbfs_siphash(secret, name.s, name.len) >> (INDEX_BITS + 1);
	return (hash == 0 ? 1 : hash) << INDEX_BITS;
}

int dbfs_dent_decode(struct dbfs_key key, struct dbfs_val val, uint64_t *dir,
		     struct dbfs_dirent *out)
{
	const struct fs_dirent_disk *d = val.p;

	if (key.len != 16 || val.len <= sizeof(*d))
		return -DBFS_ECORRUPT;
	*dir = be64_load(key.p);
	out->cookie = be64_load((const uint8_t *)key.p + 8);
	out->ino = (struct dbfs_ino){le64_get(d->ino)};
	out->type = (uint32_t)d->type << 12;
	out->name = (struct dbfs_name){(const char *)(d + 1), val.len - sizeof(*d)};
	if (out->cookie == 0 || out->cookie > INT64_MAX || out->ino.n == 0 ||
	    !dbfs_mode_valid(out->type) || dbfs_name_check(out->name) != 0)
		return -DBFS_ECORRUPT;
	return 0;
}

/* Is the name at index 0 of its hash? */
static int find_first(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
		      struct dbfs_dent *out)
{
	uint8_t kb[16];
	uint8_t buf[sizeof(struct fs_dirent_disk) + DBFS_NAME_MAX];
	struct dbfs_key key = dbfs_fs_key2(DBFS_BUCKET_DIRENT, kb, dir.n, out->cookie);
	struct dbfs_dirent e;
	uint64_t d;
	size_t len;
	int err = dbfs_txn_get(tx, key, buf, sizeof(buf), &len, 0);

	if (err != 0)
		return err;
	if (len > sizeof(buf) || dbfs_dent_decode(key, (struct dbfs_val){buf, len}, &d, &e) != 0)
		return dbfs_fs_corrupt("damaged entry in this directory", dir.n);
	if (e.name.len != name.len || !same_bytes(e.name.s, name.s, name.len))
		return -DBFS_ENOENT;
	out->ino = e.ino;
	out->type = e.type;
	return 0;
}

/* Goes through the places of the hash with c. */
static int scan(struct dbfs_cursor *c, struct dbfs_ino dir, struct dbfs_name name,
		struct dbfs_dent *out)
{
	uint64_t base = out->cookie;
	uint64_t vacant = base;
	int err;

	while ((err = dbfs_cursor_next(c)) == 0) {
		struct dbfs_val val;
		struct dbfs_dirent e;
		uint64_t d;

		err = dbfs_cursor_value(c, &val);
		if (err != 0)
			return err;
		if (dbfs_dent_decode(dbfs_cursor_key(c), val, &d, &e) != 0)
			return dbfs_fs_corrupt("damaged entry in this directory", dir.n);
		if (e.name.len == name.len && same_bytes(e.name.s, name.s, name.len)) {
			*out = (struct dbfs_dent){e.ino, e.type, e.cookie};
			return 0;
		}
		if (e.cookie == vacant)
			vacant++;
	}
	if (err == -DBFS_ENOENT)
		out->cookie = vacant < base + INDEX_COUNT ? vacant : 0;
	return err;
}

/* At any index of the hash, which out->cookie names. */
static int find_any(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
		    struct dbfs_dent *out)
{
	uint8_t lo[16];
	uint8_t hi[16];
	struct dbfs_cursor *c;
	int err = dbfs_cursor_open(tx, dbfs_fs_key2(DBFS_BUCKET_DIRENT, lo, dir.n, out->cookie),
				   dbfs_fs_key2(DBFS_BUCKET_DIRENT, hi, dir.n,
						out->cookie + INDEX_COUNT),
				   0, &c);

	if (err != 0)
		return err;
	err = scan(c, dir, name, out);
	dbfs_cursor_close(c);
	return err;
}

int dbfs_dent_find(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
		   struct dbfs_dent *out)
{
	*out = (struct dbfs_dent){.cookie = dbfs_name_cookie(dbfs_tx_volume(tx), name)};
	int err = find_first(tx, dir, name, out);

	return err == -DBFS_ENOENT ? find_any(tx, dir, name, out) : err;
}

int dbfs_dent_vacant(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
		     struct dbfs_dent *out)
{
	*out = (struct dbfs_dent){.cookie = dbfs_name_cookie(dbfs_tx_volume(tx), name)};
	int err = find_any(tx, dir, name, out);

	if (err == -DBFS_ENOENT)
		return 0;
	return err == 0 ? -DBFS_EEXIST : err;
}

int dbfs_dent_put(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_name name,
		  const struct dbfs_dent *d)
{
	uint8_t kb[16];
	uint8_t buf[sizeof(struct fs_dirent_disk) + DBFS_NAME_MAX];
	struct fs_dirent_disk *disk = (struct fs_dirent_disk *)(void *)buf;

	if (d->cookie == 0)
		return -DBFS_ENOSPC;
	disk->ino = le64_of(d->ino.n);
	disk->type = (uint8_t)(d->type >> 12);
	for (size_t i = 0; i < name.len; i++)
		buf[sizeof(*disk) + i] = (uint8_t)name.s[i];
	return dbfs_txn_put(tx, dbfs_fs_key2(DBFS_BUCKET_DIRENT, kb, dir.n, d->cookie),
			    (struct dbfs_val){buf, sizeof(*disk) + name.len});
}

int dbfs_dent_delete(struct dbfs_tx *tx, struct dbfs_ino dir, uint64_t cookie)
{
	uint8_t kb[16];

	return dbfs_txn_delete(tx, dbfs_fs_key2(DBFS_BUCKET_DIRENT, kb, dir.n, cookie));
}

int dbfs_dent_none(struct dbfs_tx *tx, struct dbfs_ino dir)
{
	uint8_t lo[8];
	uint8_t hi[8];
	struct dbfs_cursor *c;
	int err = dbfs_cursor_open(tx, dbfs_fs_key1(DBFS_BUCKET_DIRENT, lo, dir.n),
				   dbfs_fs_key1(DBFS_BUCKET_DIRENT, hi, dir.n + 1), 0, &c);

	if (err != 0)
		return err;
	err = dbfs_cursor_next(c);
	dbfs_cursor_close(c);
	if (err == 0)
		return -DBFS_ENOTEMPTY;
	return err == -DBFS_ENOENT ? 0 : err;
}
