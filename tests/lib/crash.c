/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The crash driver (crash.h). */
#include "crash.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim/sim.h"

#define WHY_BYTES 512

/* One point: the workload's nth change, and the draw of what is lost there. */
struct point {
	const struct test_crash *t;
	const struct test_crash_how *how;
	uint64_t seed;
	uint64_t at;
	unsigned try;
	struct sim_cut_report report; /* of the last cut */
};

static bool env_number(const char *name, uint64_t *out)
{
	const char *text = getenv(name);

	if (text)
		*out = strtoull(text, NULL, 0);
	return text != NULL;
}

static void save(struct sim_disk *d)
{
	const char *path = getenv("SAVE");

	if (path && sim_disk_save(d, path))
		fprintf(stderr, "testlib: cannot save the disk to %s\n", path);
}

static void tell(const struct point *p, const char *why)
{
	fprintf(stderr, "%s: FAILED: %s\n", p->t->name, why);
	fprintf(stderr,
		"%s: after a cut in change %llu (%s: %llu of %llu sectors of %llu writes)\n",
		p->t->name, (unsigned long long)p->at, sim_cut_mode_name(p->report.mode),
		(unsigned long long)p->report.survived, (unsigned long long)p->report.sectors,
		(unsigned long long)p->report.writes);
	fprintf(stderr, "%s: replay with SEED=%llu CRASH_AT=%llu CRASH_TRY=%u\n", p->t->name,
		(unsigned long long)p->seed, (unsigned long long)p->at, p->try);
	sim_log_dump();
}

/* How many changes a check makes on d as it is; d stays as it is. */
static uint64_t changes_of_check(const struct point *p, struct sim_disk *d)
{
	struct sim_disk *copy = sim_disk_clone(d, p->seed);
	char why[WHY_BYTES];
	uint64_t n;

	(void)p->t->check(p->t->ctx, sim_disk_blk(copy), why, sizeof(why));
	n = sim_disk_changes(copy);
	sim_disk_destroy(copy);
	return n;
}

/* Recovers, with cuts in the middle if asked, and judges the end. */
static bool recover(struct point *p, struct sim_disk *d, struct sim_prng *r, uint64_t *cuts)
{
	struct sim_disk *before;
	char why[WHY_BYTES] = "";
	bool ok;

	for (unsigned i = 0; i < p->how->recovery_cuts; i++) {
		uint64_t n = changes_of_check(p, d);

		if (n == 0)
			break; /* it only reads: there is nothing to interrupt */
		sim_disk_cut_at(d, sim_prng_range(r, 1, n));
		ok = p->t->check(p->t->ctx, sim_disk_blk(d), why, sizeof(why));
		if (!ok && !sim_disk_is_off(d)) {
			if (!p->how->quiet)
				tell(p, why);
			return false;
		}
		*cuts += sim_disk_is_off(d);
		sim_disk_reboot(d, &p->report);
	}
	before = sim_disk_clone(d, p->seed);
	ok = p->t->check(p->t->ctx, sim_disk_blk(d), why, sizeof(why));
	if (!ok && !p->how->quiet) {
		tell(p, why);
		save(before);
	}
	sim_disk_destroy(before);
	return ok;
}

static bool run_point(struct point *p, struct sim_disk *prepared, uint64_t *cuts)
{
	struct sim_prng root = sim_prng_of(p->seed);
	struct sim_prng at = sim_prng_split(&root, p->at);
	struct sim_prng r = sim_prng_split(&at, (uint64_t)p->try + 1);
	struct sim_disk *d;
	bool ok;

	sim_init(p->seed);
	d = sim_disk_clone(prepared, sim_prng_next(&r));
	sim_disk_drop_flushes(d, p->how->drop_flushes);
	sim_disk_cut_at(d, p->at);
	p->t->work(p->t->ctx, sim_disk_blk(d));
	*cuts += 1;
	sim_disk_reboot(d, &p->report);
	ok = recover(p, d, &r, cuts);
	sim_disk_destroy(d);
	if (ok)
		sim_fini();
	return ok;
}

/* The workload without a cut: it must satisfy its own check, and says how many points there are. */
static uint64_t count_points(struct point *p, struct sim_disk *prepared, bool *ok)
{
	struct sim_disk *d;
	char why[WHY_BYTES] = "";
	uint64_t n;

	sim_init(p->seed);
	d = sim_disk_clone(prepared, p->seed);
	p->t->work(p->t->ctx, sim_disk_blk(d));
	n = sim_disk_changes(d);
	*ok = p->t->check(p->t->ctx, sim_disk_blk(d), why, sizeof(why));
	if (!*ok && !p->how->quiet)
		fprintf(stderr, "%s: FAILED without any cut, seed %llu: %s\n", p->t->name,
			(unsigned long long)p->seed, why);
	sim_disk_destroy(d);
	if (*ok)
		sim_fini();
	return n;
}

static bool run_points(struct point *p, struct sim_disk *prepared, struct test_crash_result *res)
{
	uint64_t first = 1;
	uint64_t last = res->points;
	uint64_t only_try = 0;
	bool one_try = env_number("CRASH_TRY", &only_try);

	if (env_number("CRASH_AT", &first))
		last = first;
	for (p->at = first; p->at <= last; p->at++) {
		for (p->try = 0; p->try < MAX(p->how->tries, 1u); p->try++) {
			if (one_try && p->try != only_try)
				continue;
			if (!run_point(p, prepared, &res->cuts))
				return false;
		}
	}
	return true;
}

struct test_crash_result test_crash_run(const struct test_crash *t, uint64_t seed,
					const struct test_crash_how *how)
{
	struct point p = {.t = t, .how = how, .seed = seed};
	struct test_crash_result res = {0};
	struct sim_disk *prepared;
	bool ok;

	sim_init(seed);
	prepared = sim_disk_create(t->name, t->disk_size, seed);
	ok = t->prepare(t->ctx, sim_disk_blk(prepared));
	if (!ok)
		fprintf(stderr, "%s: FAILED to prepare, seed %llu\n", t->name,
			(unsigned long long)seed);
	/* What prepare left unflushed is no business of the cuts. */
	sim_disk_cut_mode(prepared, SIM_CUT_KEEP_ALL);
	sim_disk_reboot(prepared, NULL);
	if (ok)
		res.points = count_points(&p, prepared, &ok);
	if (ok)
		ok = run_points(&p, prepared, &res);
	res.failed = !ok;
	sim_disk_destroy(prepared);
	return res;
}
