/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Extended attributes: one record each, key (inode, name), the value as it is. The name's namespace
 * prefix ("user." ...) is the caller's affair. Any inode may have them, symbolic links too.
 */
#include "inode/inode.h"

struct xattr_key {
	uint8_t b[8 + DBFS_XATTR_NAME_MAX];
};

static int make_key(struct xattr_key *k, struct dbfs_ino ino, struct dbfs_name name,
		    struct dbfs_key *out)
{
	if (name.len == 0 || name.len > DBFS_XATTR_NAME_MAX)
		return -DBFS_ERANGE;
	be64_store(k->b, ino.n);
	for (size_t i = 0; i < name.len; i++) {
		if (name.s[i] == '\0')
			return -DBFS_EINVAL;
		k->b[8 + i] = (uint8_t)name.s[i];
	}
	*out = (struct dbfs_key){DBFS_BUCKET_XATTR, (uint32_t)(8 + name.len), k->b};
	return 0;
}

int dbfs_getxattr(struct dbfs_tx *tx, struct dbfs_ino ino, struct dbfs_name name, void *buf,
		  size_t *len)
{
	struct xattr_key kb;
	struct dbfs_key key;
	struct dbfs_inode in;
	size_t full;
	int err = make_key(&kb, ino, name, &key);

	if (err == 0)
		err = dbfs_inode_load(tx, ino, &in);
	if (err != 0)
		return err;
	err = dbfs_txn_get(tx, key, buf, *len, &full, 0);
	if (err != 0)
		return err == -DBFS_ENOENT ? -DBFS_ENODATA : err;
	if (full > DBFS_XATTR_VALUE_MAX)
		return dbfs_fs_corrupt("an extended attribute is too long", ino.n);
	if (*len != 0 && full > *len)
		return -DBFS_ERANGE;
	*len = full;
	return 0;
}

/* The inode's ctime becomes now; a directory's without touching its record. */
static int touch(struct dbfs_tx *tx, struct dbfs_inode *in)
{
	if (dbfs_inode_is(in, DBFS_S_IFDIR))
		return dbfs_dir_changed(tx, in->ino);
	dbfs_inode_changed(in);
	return dbfs_inode_store(tx, in);
}

int dbfs_setxattr(struct dbfs_tx *tx, struct dbfs_ino ino, struct dbfs_name name,
		  struct dbfs_value value, unsigned flags)
{
	struct xattr_key kb;
	struct dbfs_key key;
	struct dbfs_inode in;
	struct dbfs_savepoint sp;
	size_t len;
	int err = make_key(&kb, ino, name, &key);

	if (err != 0)
		return err;
	if ((flags & ~(unsigned)(DBFS_XATTR_CREATE | DBFS_XATTR_REPLACE)) != 0)
		return -DBFS_EINVAL;
	if (value.len > DBFS_XATTR_VALUE_MAX)
		return -DBFS_E2BIG;
	err = dbfs_inode_load(tx, ino, &in);
	if (err != 0)
		return err;
	err = dbfs_txn_get(tx, key, NULL, 0, &len, 0);
	if (err != 0 && err != -DBFS_ENOENT)
		return err;
	if (err == 0 && (flags & DBFS_XATTR_CREATE) != 0)
		return -DBFS_EEXIST;
	if (err != 0 && (flags & DBFS_XATTR_REPLACE) != 0)
		return -DBFS_ENODATA;
	sp = dbfs_tx_savepoint(tx);
	err = dbfs_txn_put(tx, key, (struct dbfs_val){value.p, value.len});
	if (err == 0)
		err = touch(tx, &in);
	if (err != 0)
		dbfs_tx_rollback_to(tx, sp);
	return err;
}

int dbfs_removexattr(struct dbfs_tx *tx, struct dbfs_ino ino, struct dbfs_name name)
{
	struct xattr_key kb;
	struct dbfs_key key;
	struct dbfs_inode in;
	struct dbfs_savepoint sp;
	size_t len;
	int err = make_key(&kb, ino, name, &key);

	if (err == 0)
		err = dbfs_inode_load(tx, ino, &in);
	if (err != 0)
		return err;
	err = dbfs_txn_get(tx, key, NULL, 0, &len, 0);
	if (err != 0)
		return err == -DBFS_ENOENT ? -DBFS_ENODATA : err;
	sp = dbfs_tx_savepoint(tx);
	dbfs_txn_use_reserve(tx);
	err = dbfs_txn_delete(tx, key);
	if (err == 0)
		err = touch(tx, &in);
	if (err != 0)
		dbfs_tx_rollback_to(tx, sp);
	return err;
}

int dbfs_listxattr(struct dbfs_tx *tx, struct dbfs_ino ino,
		   int (*fn)(void *arg, struct dbfs_name name), void *arg)
{
	uint8_t lo[8];
	uint8_t hi[8];
	struct dbfs_inode in;
	struct dbfs_cursor *c;
	int err = dbfs_inode_load(tx, ino, &in);

	if (err != 0)
		return err;
	err = dbfs_cursor_open(tx, dbfs_fs_key1(DBFS_BUCKET_XATTR, lo, ino.n),
			       dbfs_fs_key1(DBFS_BUCKET_XATTR, hi, ino.n + 1), 0, &c);
	if (err != 0)
		return err;
	while ((err = dbfs_cursor_next(c)) == 0) {
		struct dbfs_key k = dbfs_cursor_key(c);
		struct dbfs_name name;

		if (k.len <= 8 || k.len > 8 + DBFS_XATTR_NAME_MAX) {
			err = dbfs_fs_corrupt("damaged extended attribute", ino.n);
			break;
		}
		name = (struct dbfs_name){(const char *)k.p + 8, k.len - 8};
		if (fn(arg, name) != 0)
			break;
	}
	dbfs_cursor_close(c);
	return err == -DBFS_ENOENT ? 0 : err;
}
