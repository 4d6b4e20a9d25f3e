/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Power cuts at every write of a workload of multi-file transactions, and again during recovery: afterwards
 * fsck finds nothing, all files are of one generation, and no generation that was acknowledged as
 * durable is missing. With a disk that ignores flushes the same test must fail. And each read, write, flush
 * and allocation of the workload fails once, with the same demands on what is found afterwards.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbfs/check.h"
#include "dbfs/fs.h"
#include "lib/crash.h"
#include "sim/sim.h"
#include "vol.h"

#define DISK_BYTES ((uint64_t)4 << 20)
#define FILES 8u
#define DIRS 3u
#define GENERATIONS 10u

struct ctx {
	uint64_t attempted;
	uint64_t committed; /* commit returned 0 */
	uint64_t durable;
};

static const char *const dirs[DIRS] = {"a", "b", "c"};

/* File i is small (in the tree) or has blocks; its length varies with the generation. */
static size_t length_of(unsigned i, uint64_t g)
{
	return i % 2 == 0 ? 100 + i + (size_t)g : 3000 + 1500 * i + 700 * (size_t)(g % 5);
}

static void fill(uint8_t *p, size_t len, unsigned i, uint64_t g)
{
	for (size_t k = 0; k < len; k++)
		p[k] = (uint8_t)(k * 13 + i * 101 + g * 59);
	memcpy(p, &g, sizeof(g));
}

static const struct dbfs_tx_opts writing[2] = {{DBFS_TX_LOCKING, DBFS_SYNC, 0},
					       {DBFS_TX_LOCKING, DBFS_NOSYNC, 0}};

static struct dbfs_name name_of(char *buf, size_t size, const char *stem, uint64_t n)
{
	snprintf(buf, size, "%s%llu", stem, (unsigned long long)n);
	return t_name(buf);
}

/* The first state, generation 0. */
static int make_tree(struct dbfs_tx *tx)
{
	static uint8_t data[32768];
	const struct dbfs_new dir = {.mode = DBFS_S_IFDIR | 0755};
	const struct dbfs_new file = {.mode = DBFS_S_IFREG | 0644};
	struct dbfs_ino d[DIRS];
	struct dbfs_ino f;
	char name[32];
	int err = dbfs_fs_make(tx);

	for (unsigned i = 0; i < DIRS && err == 0; i++)
		err = dbfs_create(tx, DBFS_ROOT_INO, t_name(dirs[i]), &dir, &d[i]);
	for (unsigned i = 0; i < FILES && err == 0; i++) {
		err = dbfs_create(tx, d[i % DIRS], name_of(name, sizeof(name), "f", i), &file, &f);
		fill(data, length_of(i, 0), i, 0);
		if (err == 0)
			err = dbfs_write(tx, f, 0, data, length_of(i, 0));
	}
	if (err == 0)
		err = dbfs_create(tx, d[0], t_name("ninth0"), &file, &f);
	return err;
}

static bool prepare(void *ctx, struct port_blk *dev)
{
	const struct dbfs_format_opts fo = {0};
	const struct dbfs_open_opts oo = {.no_background = true};
	struct dbfs_tx *tx;
	struct dbfs *db;

	(void)ctx;
	if (dbfs_format(dev, &fo) != 0 || dbfs_open(dev, &oo, &db) != 0)
		return false;
	OK(dbfs_tx_begin(db, &writing[0], &tx));
	OK(make_tree(tx));
	OK(dbfs_tx_commit(tx));
	return dbfs_close(db) == 0;
}

/* Replaces file i's contents, in one of three ways. */
static int next_contents(struct dbfs_tx *tx, struct dbfs_ino dir, unsigned i, uint64_t g)
{
	static uint8_t data[32768];
	const struct dbfs_new file = {.mode = DBFS_S_IFREG | 0644};
	struct dbfs_attr size = {.size = length_of(i, g)};
	char name[32];
	struct dbfs_name n = name_of(name, sizeof(name), "f", i);
	struct dbfs_ino f;
	int err = dbfs_lookup(tx, dir, n, &f);

	fill(data, length_of(i, g), i, g);
	if (err == 0 && (i + g) % 3 == 0) { /* a new file renamed over the old */
		err = dbfs_create(tx, DBFS_ROOT_INO, t_name("tmp"), &file, &f);
		if (err == 0)
			err = dbfs_rename(tx, DBFS_ROOT_INO, t_name("tmp"), dir, n, 0);
	} else if (err == 0) {
		err = dbfs_setattr(tx, f, DBFS_SET_SIZE, &size);
	}
	return err != 0 ? err : dbfs_write(tx, f, 0, data, length_of(i, g));
}

static int generation(struct dbfs_tx *tx, uint64_t g)
{
	struct dbfs_ino d[DIRS];
	char from[32];
	char to[32];
	int err = 0;

	for (unsigned i = 0; i < DIRS && err == 0; i++)
		err = dbfs_lookup(tx, DBFS_ROOT_INO, t_name(dirs[i]), &d[i]);
	for (unsigned i = 0; i < FILES && err == 0; i++)
		err = next_contents(tx, d[i % DIRS], i, g);
	if (err != 0)
		return err;
	return dbfs_rename(tx, d[(g - 1) % DIRS], name_of(from, sizeof(from), "ninth", g - 1),
			   d[g % DIRS], name_of(to, sizeof(to), "ninth", g), 0);
}

static void work(void *arg, struct port_blk *dev)
{
	const struct dbfs_open_opts oo = {.no_background = true};
	struct ctx *c = arg;
	struct dbfs_tx *tx;
	struct dbfs *db;
	int err;

	*c = (struct ctx){0};
	if (dbfs_open(dev, &oo, &db) != 0)
		return;
	err = dbfs_fs_mount(db);
	for (uint64_t g = 1; g <= GENERATIONS && err == 0; g++) {
		bool sync = g % 3 != 0;

		err = dbfs_tx_begin(db, &writing[sync ? 0 : 1], &tx);
		if (err != 0)
			break;
		err = generation(tx, g);
		if (err != 0) {
			dbfs_tx_rollback(tx);
			break;
		}
		c->attempted = g;
		err = dbfs_tx_commit(tx);
		if (err == 0)
			c->committed = g;
		if (err == 0 && sync)
			c->durable = g;
		if (err == 0 && g % 4 == 0)
			err = dbfs_checkpoint(db);
	}
	if (dbfs_close(db) == 0)
		c->durable = c->committed;
}

/* --- Checking --------------------------------------------------------------------------------- */

struct look {
	char *why;
	size_t size;
};

static void finding(void *arg, const char *object, const char *text)
{
	struct look *l = arg;

	snprintf(l->why, l->size, "fsck: %s: %s", object, text);
}

static bool file_is(struct dbfs_tx *tx, struct dbfs_ino dir, unsigned i, uint64_t *g)
{
	static uint8_t got[32768];
	static uint8_t want[32768];
	struct dbfs_ino f;
	char name[32];
	size_t len;

	if (dbfs_lookup(tx, dir, name_of(name, sizeof(name), "f", i), &f) != 0 ||
	    dbfs_read(tx, f, 0, got, sizeof(got), &len) != 0 || len < sizeof(*g))
		return false;
	memcpy(g, got, sizeof(*g));
	fill(want, length_of(i, *g), i, *g);
	return *g <= GENERATIONS && len == length_of(i, *g) && memcmp(got, want, len) == 0;
}

static bool tree_is(struct dbfs_tx *tx, const struct ctx *c, struct look *l)
{
	struct dbfs_ino d[DIRS];
	struct dbfs_ino ninth;
	uint64_t all = 0;
	char name[32];

	for (unsigned i = 0; i < DIRS; i++) {
		if (dbfs_lookup(tx, DBFS_ROOT_INO, t_name(dirs[i]), &d[i]) != 0) {
			snprintf(l->why, l->size, "directory %s is gone", dirs[i]);
			return false;
		}
	}
	for (unsigned i = 0; i < FILES; i++) {
		uint64_t g;

		if (!file_is(tx, d[i % DIRS], i, &g) || (i > 0 && g != all)) {
			snprintf(l->why, l->size, "file %u is damaged or of another generation", i);
			return false;
		}
		all = g;
	}
	if (dbfs_lookup(tx, d[all % DIRS], name_of(name, sizeof(name), "ninth", all), &ninth) !=
	    0) {
		snprintf(l->why, l->size, "the ninth file is not of generation %llu",
			 (unsigned long long)all);
		return false;
	}
	if (all >= c->durable && all <= c->attempted)
		return true;
	snprintf(l->why, l->size, "generation %llu, but %llu was durable and %llu attempted",
		 (unsigned long long)all, (unsigned long long)c->durable,
		 (unsigned long long)c->attempted);
	return false;
}

static bool check(void *arg, struct port_blk *dev, char *why, size_t size)
{
	const struct dbfs_open_opts oo = {.no_background = true};
	const struct dbfs_tx_opts reading = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};
	struct look l = {why, size};
	const struct dbfs_check_opts co = {.data = true, .finding = finding, .arg = &l};
	struct dbfs_check_result r = {0};
	struct dbfs_tx *tx;
	struct dbfs *db;
	bool good = false;
	int err = dbfs_open(dev, &oo, &db);

	if (err != 0) {
		snprintf(why, size, "open: %s", dbfs_strerror(err));
		return false;
	}
	err = dbfs_fs_mount(db);
	if (err == 0)
		err = dbfs_check(db, &co, &r);
	if (err == 0)
		err = dbfs_tx_begin(db, &reading, &tx);
	if (err != 0) {
		snprintf(why, size, "after recovery: %s", dbfs_strerror(err));
	} else {
		good = r.findings == 0 && tree_is(tx, arg, &l);
		dbfs_tx_rollback(tx);
	}
	err = dbfs_close(db);
	return good && err == 0;
}

/* --- Faults ------------------------------------------------------------------------------------- */

enum fault { FAULT_READ, FAULT_WRITE, FAULT_FLUSH, FAULT_MEMORY, FAULTS };

static const unsigned fault_ops[FAULTS] = {SIM_OP_READ, SIM_OP_WRITE, SIM_OP_FLUSH, 0};

/*
 * The nth call of a kind fails once during the workload; then the disk is well again and the volume is opened
 * anew. False: there was no nth call.
 */
static bool fault_run(enum fault kind, uint64_t n, uint64_t seed)
{
	struct sim_disk *d;
	struct ctx c;
	char why[256] = "";
	uint64_t hit;

	sim_init(seed);
	d = sim_disk_create("faulty", DISK_BYTES, seed);
	CHECK(prepare(&c, sim_disk_blk(d)));
	if (kind == FAULT_MEMORY) {
		sim_mem_fail_at(n, false);
	} else {
		const struct sim_fault f = {fault_ops[kind], SIM_EFFECT_EIO, n, false, 0, 0};

		sim_disk_fault(d, &f);
	}
	work(&c, sim_disk_blk(d));
	hit = kind == FAULT_MEMORY ? sim_mem_failures() : sim_disk_faults_hit(d);
	sim_mem_fail_at(0, false);
	sim_disk_faults_clear(d);
	sim_disk_reboot(d, NULL);
	snprintf(t_context, sizeof(t_context), "fault %d, call %llu, seed %llu", (int)kind,
		 (unsigned long long)n, (unsigned long long)seed);
	if (!check(&c, sim_disk_blk(d), why, sizeof(why)))
		t_fail(why, __FILE__, __LINE__);
	sim_disk_destroy(d);
	sim_fini();
	return hit != 0;
}

static void faults(void)
{
	for (int kind = 0; kind < FAULTS; kind++) {
		uint64_t n = 1;

		while (fault_run((enum fault)kind, n, n + (uint64_t)kind))
			n++;
		CHECK(n > 3);
		printf("fault %d: each of %llu calls failed once\n", kind,
		       (unsigned long long)n - 1);
	}
}

int main(void)
{
	const char *tier = getenv("TEST_TIER");
	const char *seed_text = getenv("SEED");
	bool quick = tier == NULL || strcmp(tier, "quick") == 0;
	uint64_t first = seed_text != NULL ? strtoull(seed_text, NULL, 0) : 1;
	uint64_t seeds = seed_text != NULL ? 1 : quick ? 1 : strcmp(tier, "soak") == 0 ? 200 : 6;
	struct ctx ctx;
	const struct test_crash t = {"fs", DISK_BYTES, prepare, work, check, &ctx};
	const struct test_crash_how how = {.tries = 2, .recovery_cuts = 2};
	const struct test_crash_how lying = {.tries = 4, .drop_flushes = true, .quiet = true};
	struct test_crash_result r;
	uint64_t caught = 0;

	faults();
	for (uint64_t s = first; s < first + seeds; s++) {
		r = test_crash_run(&t, s, &how);
		printf("seed %llu: %llu points, %llu cuts, %llu violations\n",
		       (unsigned long long)s, (unsigned long long)r.points,
		       (unsigned long long)r.cuts, (unsigned long long)r.failed);
		if (r.failed != 0)
			return 1;
	}
	/* The test must be able to fail. */
	for (uint64_t s = first; s < first + 4; s++)
		caught += test_crash_run(&t, s, &lying).failed;
	printf("a disk that ignores flushes: noticed with %llu of 4 seeds\n",
	       (unsigned long long)caught);
	return caught > 0 ? 0 : 1;
}
