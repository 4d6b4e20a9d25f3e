/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Cursors: the engine's, bound to a bucket and a transaction. */
#include "base/mem.h"
#include "kv/kv_priv.h"
#include "port/mem.h"

int dbfs_kv_cursor_open(struct dbfs_kv_bucket *b, const struct dbfs_kv_range *range,
			struct dbfs_kv_cursor *out)
{
	struct dbfs_key lo = {b->id, 0, ""};
	struct dbfs_key hi = {b->id + 1, 0, ""};
	int err = dbfs_kv_bucket_ok(b);
	struct kv_open *open;

	*out = (struct dbfs_kv_cursor){.bucket = *b};
	if (err)
		return err;
	if (range && (range->lo.len > DBFS_KV_KEY_MAX || range->hi.len > DBFS_KV_KEY_MAX))
		return -DBFS_E2BIG;
	if (range && range->lo.len)
		lo = kv_key(b, range->lo);
	if (range && range->hi.len)
		hi = kv_key(b, range->hi);
	open = port_alloc(sizeof(*open));
	if (!open)
		return -DBFS_ENOMEM;
	err = dbfs_cursor_open(b->tx->tx, lo, hi, 0, &open->c);
	if (err) {
		port_free(open);
		return err;
	}
	list_add_tail(&b->tx->cursors, &open->link);
	out->open = open;
	return 0;
}

void dbfs_kv_open_close(struct kv_open *open)
{
	list_del(&open->link);
	dbfs_cursor_close(open->c);
	port_free(open);
}

/* The end of the transaction has closed its cursors: then open leads nowhere (KV-1). */
void dbfs_kv_cursor_close(struct dbfs_kv_cursor *c)
{
	const struct dbfs_kv_bucket *b = &c->bucket;

	if (c->open && b->tx->tx && b->serial == b->tx->serial)
		dbfs_kv_open_close(c->open);
	c->open = NULL;
	c->on = false;
}

static int cursor_ok(struct dbfs_kv_cursor *c)
{
	int err = dbfs_kv_bucket_ok(&c->bucket);

	if (!err && !c->open)
		err = -DBFS_EBADF;
	return err;
}

static int moved(struct dbfs_kv_cursor *c, int err)
{
	c->on = err == 0;
	return err;
}

int dbfs_kv_cursor_next(struct dbfs_kv_cursor *c)
{
	int err = cursor_ok(c);

	return err ? err : moved(c, dbfs_cursor_next(c->open->c));
}

int dbfs_kv_cursor_prev(struct dbfs_kv_cursor *c)
{
	int err = cursor_ok(c);

	return err ? err : moved(c, dbfs_cursor_prev(c->open->c));
}

int dbfs_kv_cursor_seek(struct dbfs_kv_cursor *c, struct dbfs_kv_bytes key)
{
	int err = cursor_ok(c);

	if (!err)
		err = dbfs_kv_key_ok(key);
	return err ? err : moved(c, dbfs_cursor_seek(c->open->c, kv_key(&c->bucket, key)));
}

int dbfs_kv_cursor_seek_last(struct dbfs_kv_cursor *c, struct dbfs_kv_bytes key)
{
	int err = cursor_ok(c);

	if (!err)
		err = dbfs_kv_key_ok(key);
	return err ? err : moved(c, dbfs_cursor_seek_last(c->open->c, kv_key(&c->bucket, key)));
}

int dbfs_kv_cursor_key(struct dbfs_kv_cursor *c, struct dbfs_kv_bytes *out)
{
	struct dbfs_key k;
	int err = cursor_ok(c);

	if (!err && !c->on)
		err = -DBFS_EINVAL;
	if (err)
		return err;
	k = dbfs_cursor_key(c->open->c);
	*out = (struct dbfs_kv_bytes){k.p, k.len};
	return 0;
}

static int element(struct dbfs_kv_cursor *c, struct dbfs_val *v, struct kv_found *found)
{
	int err = cursor_ok(c);

	if (!err && !c->on)
		err = -DBFS_EINVAL;
	if (!err)
		err = dbfs_cursor_value(c->open->c, v);
	return err ? err : dbfs_kv_decode(v->p, v->len, found);
}

int dbfs_kv_cursor_value(struct dbfs_kv_cursor *c, struct dbfs_kv_bytes *out)
{
	struct kv_found found;
	struct dbfs_val v;
	int err = element(c, &v, &found);

	if (!err && found.is_stream)
		err = -DBFS_E2BIG;
	if (!err)
		*out = (struct dbfs_kv_bytes){(const uint8_t *)v.p + 1, v.len - 1};
	return err;
}

int dbfs_kv_cursor_size(struct dbfs_kv_cursor *c, uint64_t *out)
{
	struct kv_found found;
	struct dbfs_val v;
	int err = element(c, &v, &found);

	if (!err)
		*out = found.size;
	return err;
}
