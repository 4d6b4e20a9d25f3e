/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The simulated disk against a shadow that knows, for each sector, which contents a crash may leave:
 * the last durable one and those of all writes since.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "port/errors.h"
#include "port/mem.h"
#include "port/thread.h"
#include "sim/disk.h"
#include "sim/sim.h"

#define PAGES 24u
#define PAGE 4096u
#define SECTORS (PAGES * PAGE / SIM_SECTOR)
#define HISTORY 64u

/* Each write fills its sectors with its own stamp; 0 is the fresh disk. */
struct shadow {
	uint32_t newest[SECTORS];
	uint32_t allowed[SECTORS][HISTORY]; /* what a cut may leave */
	unsigned count[SECTORS];
	uint32_t stamp;
};

static struct shadow shadow;
static uint8_t buffer[PAGES * PAGE] ALIGNED(16);

static void shadow_reset(void)
{
	memset(&shadow, 0, sizeof(shadow));
	for (unsigned i = 0; i < SECTORS; i++)
		shadow.count[i] = 1;
}

static void shadow_flush(void)
{
	for (unsigned i = 0; i < SECTORS; i++) {
		shadow.allowed[i][0] = shadow.newest[i];
		shadow.count[i] = 1;
	}
}

static void stamp_sectors(uint8_t *buf, size_t len, uint32_t stamp)
{
	for (size_t i = 0; i < len; i += sizeof(stamp))
		memcpy(buf + i, &stamp, sizeof(stamp));
}

/* completed: the write returned 0, so reads must see it. */
static void shadow_write(uint64_t off, uint64_t len, bool completed)
{
	for (uint64_t i = off / SIM_SECTOR; i < (off + len) / SIM_SECTOR; i++) {
		assert_true(shadow.count[i] < HISTORY);
		shadow.allowed[i][shadow.count[i]++] = shadow.stamp;
		if (completed)
			shadow.newest[i] = shadow.stamp;
	}
}

static uint32_t stamp_of(const uint8_t *sector)
{
	uint32_t stamp;

	memcpy(&stamp, sector, sizeof(stamp));
	for (size_t i = 0; i < SIM_SECTOR; i += sizeof(stamp))
		assert_memory_equal(sector + i, &stamp, sizeof(stamp)); /* never a mixture */
	return stamp;
}

static int write_some(struct port_blk *dev, struct sim_prng *r)
{
	uint64_t page = sim_prng_below(r, PAGES);
	uint64_t len = PAGE * sim_prng_range(r, 1, MIN(4, PAGES - page));
	struct port_iov iov = {buffer, len};
	int err;

	shadow.stamp++;
	stamp_sectors(buffer, len, shadow.stamp);
	err = port_blk_writev(dev, page * PAGE, &iov, 1);
	shadow_write(page * PAGE, len, err == 0);
	return err;
}

static void check_newest(struct port_blk *dev)
{
	assert_int_equal(port_blk_read(dev, 0, buffer, sizeof(buffer)), 0);
	for (unsigned i = 0; i < SECTORS; i++)
		assert_int_equal(stamp_of(buffer + i * SIM_SECTOR), shadow.newest[i]);
}

/* After a reboot: each sector holds one of the allowed contents; the shadow follows. */
static void check_survivors(struct port_blk *dev)
{
	assert_int_equal(port_blk_read(dev, 0, buffer, sizeof(buffer)), 0);
	for (unsigned i = 0; i < SECTORS; i++) {
		uint32_t stamp = stamp_of(buffer + i * SIM_SECTOR);
		bool found = false;

		for (unsigned j = 0; j < shadow.count[i]; j++)
			found |= shadow.allowed[i][j] == stamp;
		if (!found)
			fail_msg("seed %llu: sector %u holds write %u",
				 (unsigned long long)sim_seed(), i, stamp);
		shadow.newest[i] = stamp;
	}
	shadow_flush();
}

static void one_life(struct sim_disk *d, struct sim_prng *r, struct sim_cut_report *report)
{
	struct port_blk *dev = sim_disk_blk(d);

	sim_disk_cut_at(d, sim_prng_range(r, 1, 30));
	while (!sim_disk_is_off(d)) {
		if (sim_prng_chance(r, 1, 8)) {
			if (port_blk_flush(dev) == 0)
				shadow_flush();
		} else if (write_some(dev, r) == 0 && sim_prng_chance(r, 1, 8)) {
			check_newest(dev);
		}
	}
	assert_int_equal(port_blk_read(dev, 0, buffer, PAGE), -PORT_EIO);
	assert_int_equal(port_blk_flush(dev), -PORT_EIO);
	sim_disk_reboot(d, report);
	check_survivors(dev);
}

static void test_cuts_against_shadow(void **state)
{
	uint64_t modes[SIM_CUT_ONE_KEPT + 1] = {0};
	uint64_t torn = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct sim_disk *d;
		struct sim_prng r;

		sim_init(seed);
		r = sim_stream(0);
		d = sim_disk_create("disk", PAGES * PAGE, seed);
		shadow_reset();
		for (unsigned life = 0; life < 3; life++) {
			struct sim_cut_report report;

			one_life(d, &r, &report);
			modes[report.mode]++;
			assert_true(report.survived <= report.sectors);
			torn += report.survived > 0 && report.survived < report.sectors;
		}
		sim_disk_destroy(d);
		sim_fini();
	}
	for (unsigned i = SIM_CUT_LOSE_ALL; i <= SIM_CUT_ONE_KEPT; i++)
		assert_true(modes[i] > 5);
	assert_true(torn > 80);
}

/* The medium after a fixed history, as a number. */
static uint64_t medium_after(uint64_t seed, enum sim_cut_mode mode)
{
	struct sim_disk *d;
	struct sim_prng r = sim_prng_of(99);
	uint64_t hash = 0;

	sim_init(5);
	d = sim_disk_create("disk", PAGES * PAGE, 5);
	shadow_reset();
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(write_some(sim_disk_blk(d), &r), 0);
	sim_disk_cut_mode(d, mode);
	sim_disk_cut_seed(d, seed);
	sim_disk_reboot(d, NULL);
	sim_disk_peek(d, 0, buffer, sizeof(buffer));
	for (unsigned i = 0; i < SECTORS; i++)
		hash = hash * 31 + stamp_of(buffer + i * SIM_SECTOR);
	sim_disk_destroy(d);
	return hash;
}

static void test_cut_modes(void **state)
{
	uint64_t lost = medium_after(1, SIM_CUT_LOSE_ALL);
	uint64_t kept = medium_after(1, SIM_CUT_KEEP_ALL);
	unsigned distinct = 0;

	(void)state;
	assert_int_equal(lost, 0);
	assert_int_not_equal(kept, 0);
	for (uint64_t seed = 0; seed < 50; seed++) {
		uint64_t hash = medium_after(seed, SIM_CUT_TORN);

		assert_int_equal(hash, medium_after(seed, SIM_CUT_TORN));
		distinct += hash != lost && hash != kept &&
			    hash != medium_after(seed + 1, SIM_CUT_TORN);
	}
	assert_int_equal(distinct, 50);
}

static void write_page(struct sim_disk *d, unsigned page, uint32_t stamp, int expect)
{
	struct port_iov iov = {buffer, PAGE};

	stamp_sectors(buffer, PAGE, stamp);
	assert_int_equal(port_blk_writev(sim_disk_blk(d), (uint64_t)page * PAGE, &iov, 1), expect);
}

static uint32_t read_page(struct sim_disk *d, unsigned page)
{
	assert_int_equal(port_blk_read(sim_disk_blk(d), (uint64_t)page * PAGE, buffer, PAGE), 0);
	return stamp_of(buffer);
}

static struct sim_disk *fresh(uint64_t seed)
{
	sim_init(seed);
	return sim_disk_create("disk", PAGES * PAGE, seed);
}

/* A write that completes while a flush runs is not covered by it; one that is in flight may survive. */
static struct sim_disk *shared;

static void flush_shared(void *arg)
{
	(void)arg;
	SIM_CHECK(port_blk_flush(sim_disk_blk(shared)) == 0);
}

static void test_flush_covers_what_had_completed(void **state)
{
	unsigned lost = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct port_thread t;

		shared = fresh(seed);
		sim_disk_latency(shared, 100000);
		sim_disk_cut_mode(shared, SIM_CUT_LOSE_ALL);
		write_page(shared, 0, 1, 0);
		SIM_CHECK(port_thread_create(&t, flush_shared, NULL, "flusher") == 0);
		write_page(shared, 1, 2, 0);
		port_thread_join(&t);
		sim_disk_reboot(shared, NULL);
		assert_int_equal(read_page(shared, 0), 1);
		lost += read_page(shared, 1) == 0;
		sim_disk_destroy(shared);
		sim_fini();
	}
	assert_in_range(lost, 160, 199); /* a flush that covered too much would lose half */
}

static void test_lies(void **state)
{
	struct sim_disk *d = fresh(1);
	struct sim_fault lost_write = {.ops = SIM_OP_WRITE, .effect = SIM_EFFECT_LIE, .nth = 2};

	(void)state;
	sim_disk_cut_mode(d, SIM_CUT_LOSE_ALL);
	sim_disk_drop_flushes(d, true);
	write_page(d, 0, 1, 0);
	assert_int_equal(port_blk_flush(sim_disk_blk(d)), 0);
	sim_disk_reboot(d, NULL);
	assert_int_equal(read_page(d, 0), 0);
	sim_disk_drop_flushes(d, false);
	sim_disk_fault(d, &lost_write);
	write_page(d, 0, 2, 0);
	write_page(d, 1, 3, 0);
	write_page(d, 2, 4, 0);
	assert_int_equal(read_page(d, 0), 2);
	assert_int_equal(read_page(d, 1), 0);
	assert_int_equal(read_page(d, 2), 4);
	assert_int_equal(sim_disk_faults_hit(d), 1);
	sim_disk_destroy(d);
}

static void test_faults(void **state)
{
	struct sim_disk *d = fresh(2);
	struct sim_fault by_place = {.ops = SIM_OP_READ | SIM_OP_WRITE,
				     .sticky = true,
				     .from = PAGE,
				     .to = 2 * PAGE};
	struct sim_fault second_read = {.ops = SIM_OP_READ, .nth = 2};
	struct sim_fault flip = {.ops = SIM_OP_READ, .effect = SIM_EFFECT_FLIP};
	unsigned wrong = 0;

	(void)state;
	sim_disk_fault(d, &by_place);
	for (unsigned i = 0; i < 3; i++) {
		write_page(d, 0, i + 1, 0);
		write_page(d, 1, 9, -PORT_EIO);
		write_page(d, 2, i + 1, 0);
	}
	sim_disk_faults_clear(d);
	sim_disk_fault(d, &second_read);
	assert_int_equal(read_page(d, 0), 3);
	assert_int_equal(port_blk_read(sim_disk_blk(d), 0, buffer, PAGE), -PORT_EIO);
	assert_int_equal(read_page(d, 0), 3);
	sim_disk_fault(d, &flip);
	assert_int_equal(port_blk_read(sim_disk_blk(d), 0, buffer, PAGE), 0);
	for (unsigned i = 0; i < PAGE; i++)
		wrong += buffer[i] != (i % 4 ? 0 : 3);
	assert_int_equal(wrong, 1);
	assert_int_equal(read_page(d, 0), 3);
	sim_disk_destroy(d);
}

/* After a failed flush, a later good one does not bring back what was lost; what came after is safe. */
static void test_failed_flush(void **state)
{
	struct sim_fault fail = {.ops = SIM_OP_FLUSH};
	unsigned lost = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct sim_disk *d = fresh(seed);
		struct port_iov iov = {buffer, PAGE};
		uint32_t on_medium;

		write_page(d, 0, 1, 0);
		write_page(d, 1, 1, 0);
		sim_disk_fault(d, &fail);
		assert_int_equal(port_blk_flush(sim_disk_blk(d)), -PORT_EIO);
		assert_int_equal(read_page(d, 0), 1);
		write_page(d, 1, 2, 0);
		assert_int_equal(port_blk_flush(sim_disk_blk(d)), 0);
		assert_int_equal(read_page(d, 0), 1);
		assert_int_equal(sim_disk_blk(d)->ops->readv_stable(sim_disk_blk(d), 0, &iov, 1),
				 0);
		on_medium = stamp_of(buffer);
		lost += on_medium == 0;
		sim_disk_reboot(d, NULL);
		assert_int_equal(read_page(d, 0), on_medium);
		assert_int_equal(read_page(d, 1), 2);
		sim_disk_destroy(d);
	}
	assert_in_range(lost, 10, 99);
}

static void test_damage_and_copies(void **state)
{
	char path[] = "/tmp/alien-disk-XXXXXX";
	struct sim_disk *d = fresh(3);
	struct sim_disk *copy;
	unsigned bits = 0;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	write_page(d, 3, 0, 0);
	assert_int_equal(port_blk_flush(sim_disk_blk(d)), 0);
	sim_disk_rot(d, 3 * PAGE, PAGE, 1);
	sim_disk_peek(d, 3 * PAGE, buffer, PAGE);
	for (unsigned i = 0; i < PAGE * 8; i++)
		bits += buffer[i / 8] >> i % 8 & 1;
	assert_int_equal(bits, 1);
	write_page(d, 3, 5, 0);
	write_page(d, 4, 6, 0);
	copy = sim_disk_clone(d, 4);
	sim_disk_cut_mode(copy, SIM_CUT_KEEP_ALL);
	sim_disk_reboot(copy, NULL);
	assert_int_equal(read_page(copy, 4), 6);
	sim_disk_cut_mode(d, SIM_CUT_LOSE_ALL);
	sim_disk_reboot(d, NULL);
	assert_int_equal(read_page(d, 4), 0);
	assert_int_equal(sim_disk_save(copy, path), 0);
	sim_disk_destroy(copy);
	copy = sim_disk_load("loaded", path, 5);
	assert_non_null(copy);
	assert_int_equal(read_page(copy, 3), 5);
	write_page(copy, 3, 7, 0);
	assert_int_equal(read_page(copy, 3), 7);
	assert_int_equal(read_page(copy, 4), 6);
	assert_int_equal(sim_disk_blk(copy)->size, PAGES * PAGE);
	sim_disk_destroy(copy);
	sim_disk_destroy(d);
	unlink(path);
	assert_null(sim_disk_load("none", "/nonexistent/x", 1));
}

static void test_lock_and_modes(void **state)
{
	struct sim_disk *d = fresh(6);
	struct port_blk *dev = sim_disk_blk(d);
	struct sim_disk_counts counts;

	(void)state;
	assert_int_equal(dev->ops->lock_exclusive(dev), 0);
	assert_int_equal(dev->ops->lock_exclusive(dev), -PORT_EBUSY);
	dev->ops->close(dev);
	assert_int_equal(dev->ops->lock_exclusive(dev), 0);
	sim_disk_reboot(d, NULL);
	assert_int_equal(dev->ops->lock_exclusive(dev), 0);
	write_page(d, 0, 1, 0);
	assert_int_equal(dev->ops->discard(dev, PAGE, PAGE), 0);
	sim_disk_read_only(d, true);
	write_page(d, 0, 2, -PORT_EROFS);
	assert_int_equal(dev->ops->discard(dev, PAGE, PAGE), -PORT_EROFS);
	sim_disk_counts(d, &counts);
	assert_int_equal(counts.writes, 2);
	assert_int_equal(counts.write_bytes, PAGE);
	assert_int_equal(sim_disk_changes(d), 2);
	sim_disk_destroy(d);
}

/* Forced writes, writes in flight, and the changed pages, on the model itself. */
static void test_model(void **state)
{
	struct sim_model *m;
	struct sim_model_io *io;
	uint8_t a[SIM_SECTOR];
	uint8_t b[SIM_SECTOR];
	uint8_t got[SIM_SECTOR];
	uint64_t off = 1;

	(void)state;
	memset(a, 1, sizeof(a));
	memset(b, 2, sizeof(b));
	assert_int_equal(sim_model_create(PAGES * PAGE, NULL, &m), 0);
	assert_false(sim_model_next_written(m, &off));
	assert_int_equal(sim_model_write(m, PAGE, a, sizeof(a)), 0);
	assert_int_equal(sim_model_write_persist(m, PAGE, b, sizeof(b)), 0);
	assert_int_equal(sim_model_read_durable(m, PAGE, got, sizeof(got)), 0);
	assert_memory_equal(got, b, sizeof(b));
	assert_int_equal(sim_model_unflushed(m), 1);
	/* The older write becomes durable now, under the newer one. */
	assert_int_equal(sim_model_flush_end(m, sim_model_flush_begin(m)), 0);
	assert_int_equal(sim_model_unflushed(m), 0);
	assert_int_equal(sim_model_read_durable(m, PAGE, got, sizeof(got)), 0);
	assert_memory_equal(got, b, sizeof(b));
	assert_true(sim_model_next_written(m, &off));
	assert_int_equal(off, PAGE);
	off++;
	assert_false(sim_model_next_written(m, &off));
	/* In flight: not visible, but a cut may let it land. */
	assert_int_equal(sim_model_write_begin(m, PAGE, a, sizeof(a), &io), 0);
	assert_int_equal(sim_model_read(m, PAGE, got, sizeof(got)), 0);
	assert_memory_equal(got, b, sizeof(b));
	assert_int_equal(sim_model_cut(m, SIM_CUT_KEEP_ALL, 1, NULL), 0);
	assert_int_equal(sim_model_read(m, PAGE, got, sizeof(got)), 0);
	assert_memory_equal(got, a, sizeof(a));
	sim_model_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts_against_shadow),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_cut_modes),
		cmocka_unit_test(test_flush_covers_what_had_completed),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_failed_flush),
		cmocka_unit_test(test_damage_and_copies),
		cmocka_unit_test(test_lock_and_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
