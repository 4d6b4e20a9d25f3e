/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The real engine on the simulated disk, without threads of its own. */
#include <stdio.h>
#include <stdlib.h>

#include "dbfs/check.h"
#include "sim/disk.h"
#include "sim/sim.h"
#include "vol.h"

#define LOG_BYTES (4u << 20)

struct vol {
	struct sim_disk *disk;
	struct dbfs *db;
	uint64_t failures;
};

static void open_it(struct vol *v, bool read_only)
{
	const struct dbfs_open_opts opts = {.no_background = true, .read_only = read_only};

	OK(dbfs_open(sim_disk_blk(v->disk), &opts, &v->db));
	OK(dbfs_fs_mount(v->db));
}

struct vol *vol_create(uint64_t blocks, uint64_t seed)
{
	const struct dbfs_format_opts fo = {.log_bytes = LOG_BYTES};
	struct vol *v = calloc(1, sizeof(*v));
	struct dbfs_tx *tx;

	CHECK(v != NULL);
	sim_init(seed);
	/* The engine's own needs come on top of what the test asks for. */
	v->disk = sim_disk_create("vol",
				  (blocks + LOG_BYTES / DBFS_BLOCK_SIZE + 512) * DBFS_BLOCK_SIZE,
				  seed);
	OK(dbfs_format(sim_disk_blk(v->disk), &fo));
	GIVES(DBFS_EFORMAT, ({
		      const struct dbfs_open_opts opts = {.no_background = true};
		      OK(dbfs_open(sim_disk_blk(v->disk), &opts, &v->db));
		      dbfs_fs_mount(v->db);
	      }));
	tx = t_begin(v);
	OK(dbfs_fs_make(tx));
	GIVES(DBFS_EEXIST, dbfs_fs_make(tx));
	t_commit(tx);
	OK(dbfs_fs_mount(v->db));
	return v;
}

struct dbfs *vol_db(struct vol *v)
{
	return v->db;
}

void vol_remount(struct vol *v)
{
	OK(dbfs_close(v->db));
	open_it(v, false);
}

void vol_fail(struct vol *v, unsigned nth)
{
	v->failures = sim_mem_failures();
	sim_mem_fail_at(nth, false);
}

bool vol_failed(struct vol *v)
{
	sim_mem_fail_at(0, false);
	return sim_mem_failures() != v->failures;
}

static void finding(void *arg, const char *object, const char *text)
{
	(void)arg;
	fprintf(stderr, "fsck: %s: %s\n", object, text);
}

void vol_check(struct vol *v)
{
	const struct dbfs_check_opts opts = {.data = true, .finding = finding};
	struct dbfs_check_result r;

	/* As a tool sees it, with the log replayed in memory ... */
	OK(dbfs_sync(v->db));
	OK(dbfs_check(v->db, &opts, &r));
	CHECK(r.findings == 0);
}

void vol_destroy(struct vol *v)
{
	vol_check(v);
	OK(dbfs_close(v->db));
	open_it(v, true);
	vol_check(v);
	OK(dbfs_close(v->db));
	sim_disk_destroy(v->disk);
	sim_fini();
	free(v);
}
