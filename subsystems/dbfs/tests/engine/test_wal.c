/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The log by itself: room in the ring, group commit, what a scan accepts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "port/sync.h"
#include "port/thread.h"
#include "sim/disk.h"
#include "sim/sim.h"
#include "wal/scan.h"
#include "wal/wal.h"

enum { RING_BLOCKS = 64, LOG_START = 8 };

struct rig {
	struct sim_disk *disk;
	struct dbfs_io io;
	struct dbfs_wal *w;
};

static void rig_make(struct rig *r, uint64_t seed)
{
	struct dbfs_wal_config c = {.io = &r->io,
				    .log_start = LOG_START,
				    .log_blocks = RING_BLOCKS,
				    .salt = 77,
				    .head = {.seq = 1}};

	sim_init(seed);
	r->disk = sim_disk_create("log", 1 << 20, seed);
	r->io = (struct dbfs_io){.dev = sim_disk_blk(r->disk), .blocks = 256};
	r->w = dbfs_wal_create(&c);
	assert_non_null(r->w);
}

static void rig_end(struct rig *r)
{
	dbfs_wal_destroy(r->w);
	sim_disk_destroy(r->disk);
	sim_fini();
}

/* A commit of one record with len bytes. */
static int commit(struct dbfs_wal *w, uint64_t ts, size_t len, uint64_t *group)
{
	static const uint8_t bytes[20000];
	struct list none;
	int err = dbfs_wal_reserve(w, dbfs_wal_record_size(len), 0);

	if (err)
		return err;
	list_init(&none);
	dbfs_wal_record_begin(w, DBFS_REC_METADATA, ts);
	dbfs_wal_record_put(w, bytes, len);
	dbfs_wal_record_end(w);
	*group = dbfs_wal_finish(w, ts, &none);
	return 0;
}

static void ring_is_never_overrun(void **state)
{
	struct rig r;
	uint64_t group = 0;
	uint64_t ts = 1;

	(void)state;
	rig_make(&r, 1);
	for (unsigned round = 0; round < 20; round++) {
		struct dbfs_wal_stats s;
		struct dbfs_log_pos cut;
		int err;

		while ((err = commit(r.w, ts, (size_t)(ts * 977 % 16000), &group)) == 0) {
			dbfs_wal_get_stats(r.w, &s);
			assert_true(s.used <= s.capacity);
			if (ts++ % 3 == 0)
				assert_int_equal(dbfs_wal_wait(r.w, group), 0);
		}
		assert_int_equal(err, -DBFS_EAGAIN);
		dbfs_wal_get_stats(r.w, &s);
		assert_true(s.used > s.capacity / 2);
		assert_int_equal(dbfs_wal_wait_cut(r.w, dbfs_wal_cut(r.w), &cut), 0);
		dbfs_wal_release(r.w, &cut);
		dbfs_wal_get_stats(r.w, &s);
		assert_int_equal(s.used, 0);
	}
	assert_int_equal(dbfs_wal_reserve(r.w, RING_BLOCKS * 4096 / 4 + 1, 0), -DBFS_ELOGFULL);
	rig_end(&r);
}

/* --- Group commit: many threads, few flushes --------------------------------------------------- */

struct gang {
	struct rig rig;
	struct port_mutex lock; /* the writer lock of this test */
	uint64_t ts;
};

enum { GANG = 8, EACH = 5 };

static void committer(void *arg)
{
	struct gang *g = arg;

	for (unsigned i = 0; i < EACH; i++) {
		struct dbfs_wal_stats s;
		uint64_t group = 0;
		uint64_t ts;

		port_mutex_lock(&g->lock);
		ts = ++g->ts;
		SIM_CHECK(commit(g->rig.w, ts, 100, &group) == 0);
		port_mutex_unlock(&g->lock);
		SIM_CHECK(dbfs_wal_wait(g->rig.w, group) == 0);
		dbfs_wal_get_stats(g->rig.w, &s);
		SIM_CHECK(s.durable_ts >= ts);
	}
}

static void commits_share_flushes(void **state)
{
	uint64_t flushes = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		static struct gang g;
		struct port_thread t[GANG];
		struct sim_disk_counts n;

		memset(&g, 0, sizeof(g));
		rig_make(&g.rig, seed);
		sim_disk_latency(g.rig.disk, 1000000);
		port_mutex_init(&g.lock, LOCK_RANK_DBFS_WRITER, "test");
		for (unsigned i = 0; i < GANG; i++)
			assert_int_equal(port_thread_create(&t[i], committer, &g, "c"), 0);
		for (unsigned i = 0; i < GANG; i++)
			port_thread_join(&t[i]);
		sim_disk_counts(g.rig.disk, &n);
		assert_true(n.flushes <= GANG * EACH);
		flushes += n.flushes;
		port_mutex_fini(&g.lock);
		rig_end(&g.rig);
	}
	assert_true(flushes < (uint64_t)20 * GANG * EACH / 2);
}

/* --- Scanning ---------------------------------------------------------------------------------- */

static void scan_takes_what_was_written(void **state)
{
	static struct dbfs_disk_root root;
	struct dbfs_super super = {.log_start = LOG_START,
				   .log_blocks = RING_BLOCKS,
				   .data_start = LOG_START + RING_BLOCKS,
				   .total_blocks = 256};
	struct dbfs_log_pos pos = {.seq = 1};
	struct dbfs_scan *s;
	uint64_t group = 0;
	unsigned n = 0;
	bool more;
	struct rig r;

	(void)state;
	rig_make(&r, 3);
	for (uint64_t ts = 1; ts <= 5; ts++) {
		assert_int_equal(commit(r.w, ts, (size_t)ts * 2500, &group), 0);
		assert_int_equal(dbfs_wal_wait(r.w, group), 0);
	}
	root.nsalts = le32_of(1);
	root.salts[0].salt = le64_of(77);
	s = dbfs_scan_create(&r.io, &super, &root);
	assert_non_null(s);
	for (;; n++) {
		struct dbfs_scan_record rec = {.group = NULL};
		struct dbfs_scan_group *g;
		uint64_t records = 0;

		if (dbfs_scan_read(s, &pos, &g, &pos))
			break;
		while (dbfs_scan_next(g, &rec)) {
			assert_int_equal(rec.left, (n + 1) * 2500);
			records++;
		}
		assert_int_equal(records, 1);
		dbfs_scan_group_destroy(g);
	}
	assert_int_equal(n, 5);
	assert_int_equal(dbfs_scan_look_ahead(s, &pos, &more), 0);
	assert_false(more);
	dbfs_scan_destroy(s);
	/* Another generation's salt: nothing of it is taken. */
	root.salts[0].salt = le64_of(78);
	s = dbfs_scan_create(&r.io, &super, &root);
	assert_non_null(s);
	pos = (struct dbfs_log_pos){.seq = 1};
	{
		struct dbfs_scan_group *g;

		assert_int_equal(dbfs_scan_read(s, &pos, &g, &pos), -DBFS_ENOENT);
	}
	dbfs_scan_destroy(s);
	rig_end(&r);
}

/* What a scan of the one group says that stands, after change, at the start of the ring. */
static int scan_changed(struct rig *r, const uint8_t *block, uint32_t prev_crc)
{
	static struct dbfs_disk_root root;
	const struct dbfs_super super = {.log_start = LOG_START,
					 .log_blocks = RING_BLOCKS,
					 .data_start = LOG_START + RING_BLOCKS,
					 .total_blocks = 256};
	struct dbfs_log_pos pos = {.seq = 1, .prev_crc = prev_crc};
	struct dbfs_scan_group *g = NULL;
	static uint8_t copy[DBFS_BLOCK_SIZE];
	struct dbfs_scan *s;
	int err;

	memcpy(copy, block, sizeof(copy));
	assert_int_equal(dbfs_io_write(&r->io, LOG_START, copy, 1), 0);
	root.nsalts = le32_of(1);
	root.salts[0].salt = le64_of(77);
	s = dbfs_scan_create(&r->io, &super, &root);
	assert_non_null(s);
	err = dbfs_scan_read(s, &pos, &g, &pos);
	if (err == 0)
		dbfs_scan_group_destroy(g);
	dbfs_scan_destroy(s);
	return err;
}

/* Each field says that the group belongs here; each bit of the header is under its checksum. */
static void scan_refuses_what_does_not_belong(void **state)
{
	static uint8_t block[DBFS_BLOCK_SIZE];
	struct dbfs_disk_group *h = (void *)block;
	uint64_t group = 0;
	struct rig r;

	(void)state;
	rig_make(&r, 4);
	assert_int_equal(commit(r.w, 1, 1000, &group), 0);
	assert_int_equal(dbfs_wal_wait(r.w, group), 0);
	assert_int_equal(dbfs_io_read(&r.io, LOG_START, block, 1), 0);
	assert_int_equal(scan_changed(&r, block, 0), 0);
	assert_int_equal(scan_changed(&r, block, 1), -DBFS_ENOENT); /* follows another group */
	for (unsigned bit = 0; bit < 8 * sizeof(*h); bit++) {
		block[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(scan_changed(&r, block, 0), -DBFS_ENOENT);
		block[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	/* The same place one turn of the ring later, with a right checksum. */
	h->lsn = le64_of(RING_BLOCKS * DBFS_BLOCK_SIZE);
	h->crc = le32_of(0);
	h->crc = le32_of(base_crc32c(0, h, sizeof(*h)));
	assert_int_equal(scan_changed(&r, block, 0), -DBFS_ENOENT);
	rig_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ring_is_never_overrun),
		cmocka_unit_test(commits_share_flushes),
		cmocka_unit_test(scan_takes_what_was_written),
		cmocka_unit_test(scan_refuses_what_does_not_belong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
