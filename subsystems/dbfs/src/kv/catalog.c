/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Buckets by name. The record under "n" parent name leads to a bucket, the one under "i" bucket back, so that a handle
 * can be looked up again. The volume's record "v" is the root's.
 *
 * KV-6  A dropped bucket has neither record but one under "d"; clearing it takes its keys, then makes its children
 *       dropped buckets, then takes that record: each step whole, in any number of transactions.
 */
#include "base/mem.h"
#include "kv/kv_priv.h"

struct dbfs_key dbfs_kv_id_key(struct kv_id_key *k, char kind, uint32_t id)
{
	k->p[0] = (uint8_t)kind;
	be32_store(k->p + 1, id);
	return (struct dbfs_key){KV_BUCKET_CATALOG, sizeof(k->p), k->p};
}

struct dbfs_key dbfs_kv_name_key(struct kv_name_key *k, uint32_t id, struct dbfs_kv_bytes name)
{
	k->p[0] = 'n';
	be32_store(k->p + 1, id);
	memcpy(k->p + 5, name.p, name.len);
	return (struct dbfs_key){KV_BUCKET_CATALOG, (uint32_t)(5 + name.len), k->p};
}

static const struct dbfs_key volume_key = {KV_BUCKET_CATALOG, 1, "v"};
static const struct dbfs_key counter_key = {KV_BUCKET_CATALOG, 1, "c"};

/* --- Records ------------------------------------------------------------------------------ */

static int read_volume(struct dbfs_tx *tx, struct kv_volume_disk *v)
{
	size_t len = 0;
	int err = dbfs_txn_get(tx, volume_key, v, sizeof(*v), &len, 0);

	if (err == -DBFS_ENOENT) {
		*v = (struct kv_volume_disk){.version = le32_of(KV_VERSION)};
		return 0;
	}
	if (err)
		return err;
	if (len != sizeof(*v))
		return -DBFS_ECORRUPT;
	return le32_get(v->version) != KV_VERSION || le32_get(v->flags) != 0 ? -DBFS_EFORMAT : 0;
}

/* The fixed part of an "i" record. -DBFS_ENOENT. */
static int read_bucket(struct dbfs_tx *tx, uint32_t id, struct kv_bucket_disk *d, size_t *len)
{
	struct kv_id_key k;
	int err = dbfs_txn_get(tx, dbfs_kv_id_key(&k, 'i', id), d, sizeof(*d), len, 0);

	if (!err && (*len <= sizeof(*d) || *len > sizeof(*d) + DBFS_KV_NAME_MAX))
		err = -DBFS_ECORRUPT;
	return err;
}

/* How many buckets are above id, the root included; -DBFS_ENOENT: it hangs on none. */
static int depth_of(struct dbfs_tx *tx, uint32_t id, unsigned *depth)
{
	*depth = 0;
	for (; id != KV_BUCKET_ROOT; (*depth)++) {
		struct kv_bucket_disk d;
		size_t len;
		int err;

		if (*depth > DBFS_KV_DEPTH_MAX)
			return -DBFS_ECORRUPT;
		err = read_bucket(tx, id, &d, &len);
		if (err)
			return err;
		id = le32_get(d.parent);
	}
	return 0;
}

int dbfs_kv_bucket_renew(struct dbfs_kv_bucket *b)
{
	struct kv_bucket_disk d = {.flags = le32_of(0)};
	struct kv_volume_disk v;
	unsigned depth;
	size_t len;
	int err;

	if (b->id == KV_BUCKET_ROOT) {
		err = read_volume(b->tx->tx, &v);
		d.flags = v.root_flags;
	} else {
		err = depth_of(b->tx->tx, b->id, &depth);
		if (!err)
			err = read_bucket(b->tx->tx, b->id, &d, &len);
	}
	if (err)
		return err == -DBFS_ENOENT ? -DBFS_ESTALE : err;
	b->flags = le32_get(d.flags);
	b->changes = b->tx->changes;
	return 0;
}

static int name_ok(struct dbfs_kv_bytes name)
{
	if (name.len == 0)
		return -DBFS_EINVAL;
	return name.len > DBFS_KV_NAME_MAX ? -DBFS_ENAMETOOLONG : 0;
}

static int parent_and_name_ok(struct dbfs_kv_bucket *parent, struct dbfs_kv_bytes name)
{
	int err = dbfs_kv_bucket_ok(parent);

	return err ? err : name_ok(name);
}

static struct dbfs_kv_bucket handle_of(struct dbfs_kv_tx *tx, uint32_t id, uint32_t flags)
{
	return (struct dbfs_kv_bucket){tx, tx->serial, tx->changes, id, flags};
}

/* --- Opening ------------------------------------------------------------------------------ */

int dbfs_kv_root(struct dbfs_kv_tx *tx, struct dbfs_kv_bucket *out)
{
	struct kv_volume_disk v;
	struct dbfs *db;
	int err = dbfs_kv_tx_ok(tx);

	if (err)
		return err;
	db = dbfs_tx_volume(tx->tx);
	/* Readers need no flags, and the layout does not change while the volume is open. */
	if (dbfs_tx_is_read_only(tx->tx) && dbfs_volume_kv_known(db)) {
		*out = handle_of(tx, KV_BUCKET_ROOT, 0);
		return 0;
	}
	err = read_volume(tx->tx, &v);
	if (!err) {
		*out = handle_of(tx, KV_BUCKET_ROOT, le32_get(v.root_flags));
		dbfs_volume_set_kv_known(db);
	}
	return err;
}

static int read_name(struct dbfs_kv_bucket *parent, struct dbfs_kv_bytes name,
		     struct kv_name_disk *d)
{
	struct kv_name_key k;
	size_t len = 0;
	int err = dbfs_txn_get(parent->tx->tx, dbfs_kv_name_key(&k, parent->id, name), d,
			       sizeof(*d), &len, 0);

	if (!err && (len != sizeof(*d) || le32_get(d->id) < KV_BUCKET_FIRST ||
		     le32_get(d->id) >= KV_BUCKET_LIMIT))
		err = -DBFS_ECORRUPT;
	return err;
}

int dbfs_kv_bucket_open(struct dbfs_kv_bucket *parent, struct dbfs_kv_bytes name,
			struct dbfs_kv_bucket *out)
{
	struct kv_name_disk d;
	int err = parent_and_name_ok(parent, name);

	if (!err)
		err = read_name(parent, name, &d);
	if (!err)
		*out = handle_of(parent->tx, le32_get(d.id), le32_get(d.flags));
	return err;
}

/* --- Creating ----------------------------------------------------------------------------- */

static int write_volume(struct dbfs_tx *tx, uint32_t root_flags)
{
	struct kv_volume_disk v = {
		.version = le32_of(KV_VERSION),
		.root_flags = le32_of(root_flags),
	};

	return dbfs_txn_put(tx, volume_key, (struct dbfs_val){&v, sizeof(v)});
}

static int take_number(struct dbfs_tx *tx, uint32_t *out)
{
	struct le32 next = le32_of(KV_BUCKET_FIRST);
	size_t len = sizeof(next);
	int err = dbfs_txn_get(tx, counter_key, &next, sizeof(next), &len, 0);

	if (err && err != -DBFS_ENOENT)
		return err;
	if (err == -DBFS_ENOENT) {
		struct kv_volume_disk v;

		err = read_volume(tx, &v);
		if (!err)
			err = write_volume(tx, le32_get(v.root_flags));
		if (err)
			return err;
	}
	*out = le32_get(next);
	if (len != sizeof(next) || *out < KV_BUCKET_FIRST)
		return -DBFS_ECORRUPT;
	if (*out >= KV_BUCKET_LIMIT)
		return -DBFS_ENOSPC;
	next = le32_of(*out + 1); /* KV-2 */
	return dbfs_txn_put(tx, counter_key, (struct dbfs_val){&next, sizeof(next)});
}

/* Both records of a bucket, new or changed. */
static int write_bucket(struct dbfs_tx *tx, uint32_t parent, struct dbfs_kv_bytes name, uint32_t id,
			uint32_t flags)
{
	struct kv_name_disk n = {le32_of(id), le32_of(flags)};
	struct kv_bucket_disk *d;
	uint8_t rec[sizeof(*d) + DBFS_KV_NAME_MAX];
	struct kv_name_key nk;
	struct kv_id_key ik;
	int err = dbfs_txn_put(tx, dbfs_kv_name_key(&nk, parent, name),
			       (struct dbfs_val){&n, sizeof(n)});

	if (err)
		return err;
	d = (struct kv_bucket_disk *)(void *)rec;
	*d = (struct kv_bucket_disk){le32_of(parent), le32_of(flags)};
	memcpy(rec + sizeof(*d), name.p, name.len);
	return dbfs_txn_put(tx, dbfs_kv_id_key(&ik, 'i', id),
			    (struct dbfs_val){rec, sizeof(*d) + name.len});
}

int dbfs_kv_bucket_create(struct dbfs_kv_bucket *parent, struct dbfs_kv_bytes name,
			  struct dbfs_kv_bucket *out)
{
	struct dbfs_savepoint sp;
	struct kv_name_disk d;
	uint32_t id = 0;
	unsigned depth = 0;
	int err = parent_and_name_ok(parent, name);

	if (!err)
		err = read_name(parent, name, &d);
	if (err != -DBFS_ENOENT)
		return err ? err : -DBFS_EEXIST;
	err = depth_of(parent->tx->tx, parent->id, &depth);
	if (!err && depth >= DBFS_KV_DEPTH_MAX)
		err = -DBFS_EMLINK;
	if (err)
		return err;
	sp = dbfs_tx_savepoint(parent->tx->tx);
	err = take_number(parent->tx->tx, &id);
	if (!err)
		err = write_bucket(parent->tx->tx, parent->id, name, id, 0);
	if (err)
		dbfs_tx_rollback_to(parent->tx->tx, sp); /* KV-5 */
	else
		*out = handle_of(parent->tx, id, 0);
	return err;
}

int dbfs_kv_bucket_add_flag(struct dbfs_kv_bucket *b, uint32_t flag)
{
	uint8_t rec[sizeof(struct kv_bucket_disk) + DBFS_KV_NAME_MAX];
	struct dbfs_tx *tx = b->tx->tx;
	struct dbfs_savepoint sp;
	struct kv_id_key k;
	struct kv_bucket_disk d;
	size_t len = 0;
	int err;

	if ((b->flags & flag) == flag)
		return 0;
	sp = dbfs_tx_savepoint(tx);
	if (b->id == KV_BUCKET_ROOT) {
		err = write_volume(tx, b->flags | flag);
	} else {
		err = dbfs_txn_get(tx, dbfs_kv_id_key(&k, 'i', b->id), rec, sizeof(rec), &len, 0);
		if (!err && (len <= sizeof(d) || len > sizeof(rec)))
			err = -DBFS_ECORRUPT;
		memcpy(&d, rec, sizeof(d));
		if (!err)
			err = write_bucket(tx, le32_get(d.parent),
					   (struct dbfs_kv_bytes){rec + sizeof(d), len - sizeof(d)},
					   b->id, b->flags | flag);
	}
	if (err) {
		dbfs_tx_rollback_to(tx, sp); /* KV-5 */
		return err;
	}
	b->flags |= flag;
	b->changes = ++b->tx->changes; /* other handles of it look again */
	return 0;
}

/* --- Listing ------------------------------------------------------------------------------ */

int dbfs_kv_bucket_list(struct dbfs_kv_bucket *parent,
			int (*fn)(void *arg, struct dbfs_kv_bytes name), void *arg)
{
	struct kv_id_key lo;
	struct kv_id_key hi;
	struct dbfs_cursor *c;
	int err = dbfs_kv_bucket_ok(parent);

	if (err)
		return err;
	err = dbfs_cursor_open(parent->tx->tx, dbfs_kv_id_key(&lo, 'n', parent->id),
			       dbfs_kv_id_key(&hi, 'n', parent->id + 1), 0, &c);
	if (err)
		return err;
	for (err = dbfs_cursor_next(c); !err; err = dbfs_cursor_next(c)) {
		struct dbfs_key k = dbfs_cursor_key(c);

		if (k.len <= 5) {
			err = -DBFS_ECORRUPT;
			break;
		}
		if (fn(arg, (struct dbfs_kv_bytes){(const uint8_t *)k.p + 5, k.len - 5}))
			break;
	}
	dbfs_cursor_close(c);
	return err == -DBFS_ENOENT ? 0 : err;
}

/* --- Dropping ----------------------------------------------------------------------------- */

/* KV-6: takes both records of bucket id and puts it among the dropped. */
static int unhook(struct dbfs_tx *tx, struct dbfs_key name_key, uint32_t id)
{
	struct kv_id_key k;
	int err = dbfs_txn_delete(tx, name_key);

	if (!err)
		err = dbfs_txn_delete(tx, dbfs_kv_id_key(&k, 'i', id));
	if (!err)
		err = dbfs_txn_put(tx, dbfs_kv_id_key(&k, 'd', id), (struct dbfs_val){"", 0});
	return err;
}

int dbfs_kv_bucket_drop(struct dbfs_kv_bucket *parent, struct dbfs_kv_bytes name)
{
	struct dbfs_savepoint sp;
	struct kv_name_key k;
	struct kv_name_disk d;
	struct dbfs_tx *tx;
	int err = parent_and_name_ok(parent, name);

	if (!err)
		err = read_name(parent, name, &d);
	if (err)
		return err;
	tx = parent->tx->tx;
	if (dbfs_tx_is_read_only(tx))
		return -DBFS_EROFS;
	dbfs_txn_use_reserve(tx);
	sp = dbfs_tx_savepoint(tx);
	err = unhook(tx, dbfs_kv_name_key(&k, parent->id, name), le32_get(d.id));
	if (err) {
		dbfs_tx_rollback_to(tx, sp); /* KV-5 */
		return err;
	}
	parent->changes = ++parent->tx->changes;
	parent->tx->dropped = true;
	return 0;
}
