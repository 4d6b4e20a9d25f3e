/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Model test: seeded random operations on the file system and on the model (model.h), compared
 * result by result, and now and then as whole trees. Operations run in transactions that commit or roll
 * back, with savepoints and remounts between; sometimes the nth allocation inside an operation fails, and
 * then the operation must have changed nothing.
 *
 *	test_model [FIRST_SEED [SEEDS [STEPS]]]
 *
 * A failure prints the seed and the step. TEST_TIER=soak runs many more seeds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "sim/prng.h"
#include "vol.h"

#define VOL_BLOCKS 4096
#define FILE_BYTES (96 * 1024)
#define SAVEPOINTS 4

struct world {
	struct vol *v;
	struct dbfs_tx *tx;
	struct sim_prng rng;
	struct model now;       /* as the running transaction sees it */
	struct model committed; /* as after a rollback */
	struct model saved[SAVEPOINTS];
	struct dbfs_savepoint sp[SAVEPOINTS];
	unsigned nsaved;
	uint8_t buf[FILE_BYTES];
};

static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

static uint64_t below(struct world *w, uint64_t n)
{
	return sim_prng_below(&w->rng, n);
}

static const char *any_name(struct world *w)
{
	return names[below(w, ARRAY_SIZE(names))];
}

static int any_node(struct world *w, bool (*want)(const struct model *m, int node))
{
	int at = (int)below(w, MODEL_NODES);

	for (int i = 0; i < MODEL_NODES; i++) {
		int n = (at + i) % MODEL_NODES;

		if (w->now.node[n].used && (want == NULL || want(&w->now, n)))
			return n;
	}
	return 0;
}

static struct dbfs_ino ino_of(const struct world *w, int node)
{
	return (struct dbfs_ino){w->now.node[node].ino};
}

/*
 * Did the real operation end for want of memory, planned? Then it must have changed nothing, and the model
 * is left alone.
 */
static bool excused(struct world *w, int err)
{
	bool failed = vol_failed(w->v);

	CHECK(err != -DBFS_ENOMEM || failed);
	return err == -DBFS_ENOMEM;
}

static void same(int real, int model)
{
	if (real == model)
		return;
	fprintf(stderr, "the file system says %d, the model %d\n", real, model);
	CHECK(real == model);
}

/* --- Operations ------------------------------------------------------------------------------ */

static void op_create(struct world *w)
{
	static const uint32_t types[] = {DBFS_S_IFREG, DBFS_S_IFREG, DBFS_S_IFDIR,
					 DBFS_S_IFDIR, DBFS_S_IFLNK, DBFS_S_IFIFO};
	uint32_t type = types[below(w, ARRAY_SIZE(types))];
	int dir = any_node(w, model_is_dir);
	const char *name = any_name(w);
	struct dbfs_new what = {.mode = type | 0640, .uid = 7, .target = "to", .target_len = 2};
	struct dbfs_ino ino;
	int node = 0;
	int err;
	int want;

	if (model_vacant(&w->now) < 0)
		return;
	err = dbfs_create(w->tx, ino_of(w, dir), t_name(name), &what, &ino);
	if (excused(w, err))
		return;
	want = model_create(&w->now, dir, name, type == DBFS_S_IFLNK ? type | 0777 : what.mode,
			    &node);
	same(err, want);
	if (err == 0) {
		w->now.node[node].ino = ino.n;
		w->now.node[node].uid = 7;
	}
}

static void op_link(struct world *w)
{
	int node = any_node(w, NULL);
	int dir = any_node(w, model_is_dir);
	const char *name = any_name(w);
	int err;

	if (model_vacant(&w->now) < 0)
		return;
	err = dbfs_link(w->tx, ino_of(w, node), ino_of(w, dir), t_name(name));
	if (!excused(w, err))
		same(err, model_link(&w->now, node, dir, name));
}

static void op_remove(struct world *w)
{
	int dir = any_node(w, model_is_dir);
	const char *name = any_name(w);
	bool rmdir = below(w, 2) != 0;
	int err = rmdir ? dbfs_rmdir(w->tx, ino_of(w, dir), t_name(name), NULL)
			: dbfs_unlink(w->tx, ino_of(w, dir), t_name(name), NULL);

	if (excused(w, err))
		return;
	same(err, rmdir ? model_rmdir(&w->now, dir, name) : model_unlink(&w->now, dir, name));
}

static void op_rename(struct world *w)
{
	int odir = any_node(w, model_is_dir);
	int ndir = any_node(w, model_is_dir);
	const char *oname = any_name(w);
	const char *nname = any_name(w);
	unsigned flags = (unsigned)below(w, 3);
	int err = dbfs_rename(w->tx, ino_of(w, odir), t_name(oname), ino_of(w, ndir), t_name(nname),
			      flags);

	if (!excused(w, err))
		same(err, model_rename(&w->now, odir, oname, ndir, nname, flags));
}

static uint64_t any_offset(struct world *w)
{
	switch (below(w, 3)) {
	case 0:
		return below(w, 1500);
	case 1:
		return below(w, FILE_BYTES / 4096) * 4096;
	default:
		return below(w, FILE_BYTES);
	}
}

static void op_write(struct world *w)
{
	int node = any_node(w, model_is_file);
	uint64_t off = any_offset(w);
	size_t shift = below(w, 4) == 0 ? 1 : 0; /* buffers that are not aligned */
	size_t len = below(w, below(w, 2) != 0 ? 800 : FILE_BYTES);
	int err;

	len = MIN(len, FILE_BYTES - MAX((size_t)off, shift));
	if (!model_is_file(&w->now, node))
		return;
	sim_prng_fill(&w->rng, w->buf, len + shift);
	err = dbfs_write(w->tx, ino_of(w, node), off, w->buf + shift, len);
	if (excused(w, err))
		return;
	same(err, 0);
	model_write(&w->now, node, off, w->buf + shift, len);
}

static void op_resize(struct world *w)
{
	int node = any_node(w, model_is_file);
	struct dbfs_attr a = {.size = below(w, 4) == 0 ? 0 : any_offset(w)};
	int err;

	if (!model_is_file(&w->now, node))
		return;
	err = dbfs_setattr(w->tx, ino_of(w, node), DBFS_SET_SIZE, &a);
	if (excused(w, err))
		return;
	same(err, 0);
	model_resize(&w->now, node, a.size);
}

static void op_zero(struct world *w)
{
	int node = any_node(w, model_is_file);
	uint64_t off = any_offset(w);
	uint64_t len = 1 + below(w, FILE_BYTES - off);
	bool punch = below(w, 2) != 0;
	unsigned mode =
		punch ? DBFS_FALLOC_PUNCH_HOLE | DBFS_FALLOC_KEEP_SIZE : DBFS_FALLOC_ZERO_RANGE;
	int err;

	if (!model_is_file(&w->now, node))
		return;
	err = dbfs_fallocate(w->tx, ino_of(w, node), mode, off, len);
	if (excused(w, err))
		return;
	same(err, 0);
	model_zero(&w->now, node, off, off + len);
	if (!punch && off + len > w->now.node[node].data->len)
		model_resize(&w->now, node, off + len);
}

static void op_read(struct world *w)
{
	int node = any_node(w, model_is_file);
	uint64_t off = any_offset(w);
	size_t shift = below(w, 2);
	size_t len = 1 + below(w, FILE_BYTES - shift - 1);
	const struct bytes *b = w->now.node[node].data;
	size_t want;
	size_t done;
	int err;

	if (!model_is_file(&w->now, node))
		return;
	err = dbfs_read(w->tx, ino_of(w, node), off, w->buf + shift, len, &done);
	if (excused(w, err))
		return;
	same(err, 0);
	want = off >= b->len ? 0 : MIN(len, b->len - off);
	CHECK(done == want && memcmp(w->buf + shift, b->p + off, want) == 0);
}

static void op_attr(struct world *w)
{
	int node = any_node(w, NULL);
	struct dbfs_attr a = {.mode = (uint32_t)below(w, 07777) & ~(uint32_t)DBFS_S_ISGID,
			      .uid = (uint32_t)below(w, 5),
			      .mtime = {1 + (int64_t)below(w, 1000), 3}};
	int err = dbfs_setattr(w->tx, ino_of(w, node),
			       DBFS_SET_MODE | DBFS_SET_UID | DBFS_SET_MTIME, &a);

	if (excused(w, err))
		return;
	same(err, 0);
	w->now.node[node].mode = (w->now.node[node].mode & DBFS_S_IFMT) | a.mode;
	w->now.node[node].uid = a.uid;
	w->now.node[node].mtime = a.mtime.sec;
}

static void op_xattr(struct world *w)
{
	int node = any_node(w, NULL);
	size_t x = below(w, MODEL_XATTRS);
	struct bytes **at = &w->now.node[node].xattr[x];
	struct dbfs_name name = t_name(model_xattr_names[x]);
	unsigned flags = (unsigned)below(w, 3);
	size_t len = below(w, 3000);
	int want = 0;
	int err;

	if (below(w, 3) == 0) {
		err = dbfs_removexattr(w->tx, ino_of(w, node), name);
		if (excused(w, err))
			return;
		same(err, *at == NULL ? -DBFS_ENODATA : 0);
		model_set_bytes(at, NULL, 0);
		return;
	}
	sim_prng_fill(&w->rng, w->buf, len);
	err = dbfs_setxattr(w->tx, ino_of(w, node), name, (struct dbfs_value){w->buf, len}, flags);
	if (excused(w, err))
		return;
	if (flags == DBFS_XATTR_CREATE && *at != NULL)
		want = -DBFS_EEXIST;
	if (flags == DBFS_XATTR_REPLACE && *at == NULL)
		want = -DBFS_ENODATA;
	same(err, want);
	if (err == 0)
		model_set_bytes(at, w->buf, len);
}

/* --- Transactions ---------------------------------------------------------------------------- */

static void drop_saved(struct world *w, unsigned keep)
{
	while (w->nsaved > keep)
		model_free(&w->saved[--w->nsaved]);
}

static void op_savepoint(struct world *w)
{
	if (w->nsaved < SAVEPOINTS && below(w, 2) == 0) {
		w->sp[w->nsaved] = dbfs_tx_savepoint(w->tx);
		model_copy(&w->saved[w->nsaved++], &w->now);
	} else if (w->nsaved > 0) {
		unsigned to = (unsigned)below(w, w->nsaved);

		dbfs_tx_rollback_to(w->tx, w->sp[to]);
		model_free(&w->now);
		model_copy(&w->now, &w->saved[to]);
		drop_saved(w, to + 1);
	}
}

static void check_files(struct world *w)
{
	struct dbfs_statfs sf;

	OK(dbfs_statfs(vol_db(w->v), &sf));
	CHECK(sf.files == model_nodes(&w->committed));
}

static void next_transaction(struct world *w)
{
	bool commit = below(w, 3) != 0;

	if (below(w, 4) == 0)
		model_compare(&w->now, w->tx);
	drop_saved(w, 0);
	if (commit) {
		t_commit(w->tx);
		model_free(&w->committed);
		model_copy(&w->committed, &w->now);
	} else {
		dbfs_tx_rollback(w->tx);
		model_free(&w->now);
		model_copy(&w->now, &w->committed);
	}
	w->tx = NULL;
	if (below(w, 6) == 0)
		vol_remount(w->v);
	if (below(w, 8) == 0) {
		vol_check(w->v);
		check_files(w);
	}
	w->tx = t_begin(w->v);
}

static void step(struct world *w)
{
	static void (*const ops[])(struct world * w) = {op_create, op_create, op_create, op_link,
							op_remove, op_remove, op_rename, op_rename,
							op_write,  op_write,  op_write,  op_resize,
							op_zero,   op_read,   op_read,   op_attr,
							op_xattr,  op_xattr};
	uint64_t what = below(w, 100);

	if (what < 5) {
		op_savepoint(w);
	} else if (what < 9) {
		next_transaction(w);
	} else {
		if (below(w, 6) == 0)
			vol_fail(w->v, 1 + (unsigned)below(w, 24));
		ops[below(w, ARRAY_SIZE(ops))](w);
		vol_fail(w->v, 0);
	}
}

static void run(uint64_t seed, unsigned steps)
{
	struct world *w = calloc(1, sizeof(*w));

	CHECK(w != NULL);
	w->rng = sim_prng_of(seed);
	w->v = vol_create(VOL_BLOCKS, seed);
	model_init(&w->now);
	model_init(&w->committed);
	w->tx = t_begin(w->v);
	for (unsigned i = 0; i < steps; i++) {
		snprintf(t_context, sizeof(t_context), "seed %llu, step %u of %u",
			 (unsigned long long)seed, i, steps);
		step(w);
	}
	model_compare(&w->now, w->tx);
	drop_saved(w, 0);
	dbfs_tx_rollback(w->tx);
	vol_remount(w->v);
	w->tx = t_begin_ro(w->v);
	model_compare(&w->committed, w->tx);
	dbfs_tx_rollback(w->tx);
	vol_check(w->v);
	check_files(w);
	vol_destroy(w->v);
	model_free(&w->now);
	model_free(&w->committed);
	free(w);
}

int main(int argc, char **argv)
{
	const char *tier = getenv("TEST_TIER");
	bool soak = tier != NULL && strcmp(tier, "soak") == 0;
	uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	uint64_t seeds = argc > 2 ? strtoull(argv[2], NULL, 0) : soak ? 2000 : 12;
	unsigned steps = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 0) : 1500;

	for (uint64_t s = first; s < first + seeds; s++)
		run(s, steps);
	printf("model: %llu seeds of %u steps\n", (unsigned long long)seeds, steps);
	return 0;
}
