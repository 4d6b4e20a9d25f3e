/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The superblock and the roots by themselves: which copy is taken when some are rotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/io.h"
#include "sim/disk.h"
#include "sim/sim.h"

enum { BLOCKS = 256 };

struct rig {
	struct sim_disk *disk;
	struct dbfs_io io;
	struct dbfs_super super;
};

static void rig_make(struct rig *r)
{
	static uint8_t page[DBFS_BLOCK_SIZE];

	sim_init(1);
	r->disk = sim_disk_create("super", BLOCKS * DBFS_BLOCK_SIZE, 1);
	r->io = (struct dbfs_io){.dev = sim_disk_blk(r->disk), .blocks = BLOCKS};
	r->super = (struct dbfs_super){.label = "label",
				       .total_blocks = BLOCKS,
				       .log_start = DBFS_BLOCK_LOG,
				       .log_blocks = DBFS_LOG_MIN_BLOCKS,
				       .data_start = DBFS_BLOCK_LOG + DBFS_LOG_MIN_BLOCKS};
	assert_int_equal(dbfs_super_write(&r->io, &r->super, page), 0);
}

static void rig_end(struct rig *r)
{
	sim_disk_destroy(r->disk);
	sim_fini();
}

static void flip(struct rig *r, uint64_t block, size_t at)
{
	static uint8_t page[DBFS_BLOCK_SIZE];

	assert_int_equal(dbfs_io_read(&r->io, block, page, 1), 0);
	page[at] ^= 1;
	assert_int_equal(dbfs_io_write(&r->io, block, page, 1), 0);
}

/* A bit in the label or the secret breaks no rule but the checksum. */
static void rotten_superblock_is_not_taken(void **state)
{
	static uint8_t page[DBFS_BLOCK_SIZE];
	struct dbfs_super got;
	struct rig r;

	(void)state;
	rig_make(&r);
	flip(&r, DBFS_BLOCK_SUPER, offsetof(struct dbfs_disk_super, label));
	assert_int_equal(dbfs_super_read(&r.io, &got, page), 0);
	assert_string_equal(got.label, "label");
	flip(&r, DBFS_BLOCK_SUPER + 1, offsetof(struct dbfs_disk_super, secret));
	assert_int_equal(dbfs_super_read(&r.io, &got, page), -DBFS_ECORRUPT);
	rig_end(&r);
}

static void write_root(struct rig *r, uint64_t generation, unsigned slot)
{
	static struct dbfs_disk_root block[DBFS_BLOCK_SIZE / sizeof(struct dbfs_disk_root) + 1];
	struct dbfs_disk_root *root = block;

	memset(block, 0, sizeof(block));
	root->generation = le64_of(generation);
	root->nsalts = le32_of(1);
	root->nindexes = le32_of(1);
	assert_int_equal(dbfs_root_write(&r->io, root, slot), 0);
}

static uint64_t newest(struct rig *r, unsigned want_slot)
{
	static struct dbfs_disk_root block[DBFS_BLOCK_SIZE / sizeof(struct dbfs_disk_root) + 1];
	static uint8_t page[DBFS_BLOCK_SIZE];
	unsigned slot = 9;

	if (dbfs_root_read(&r->io, &r->super, block, page, &slot))
		return 0;
	assert_int_equal(slot, want_slot);
	return le64_get(block->generation);
}

static void newest_sound_root_is_taken(void **state)
{
	const size_t at = offsetof(struct dbfs_disk_root, last_ts);
	struct rig r;

	(void)state;
	rig_make(&r);
	assert_int_equal(newest(&r, 0), 0); /* none yet */
	write_root(&r, 6, 1);
	write_root(&r, 7, 0);
	assert_int_equal(newest(&r, 0), 7);
	flip(&r, DBFS_BLOCK_ROOT, at); /* its second copy still is */
	assert_int_equal(newest(&r, 0), 7);
	flip(&r, DBFS_BLOCK_ROOT + 1, at);
	assert_int_equal(newest(&r, 1), 6);
	flip(&r, DBFS_BLOCK_ROOT + 2, at);
	assert_int_equal(newest(&r, 1), 6);
	flip(&r, DBFS_BLOCK_ROOT + 3, at);
	assert_int_equal(newest(&r, 1), 0);
	rig_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rotten_superblock_is_not_taken),
		cmocka_unit_test(newest_sound_root_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
