/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The bank under the seeded scheduler: hundreds of interleavings of writers, readers, checkpoints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine_bank.h"
#include "sim/disk.h"
#include "sim/sim.h"

static void bank_balances(void **state)
{
	const char *text = getenv("SEEDS");
	uint64_t n = text ? strtoull(text, NULL, 0) : 40;

	(void)state;
	for (uint64_t seed = 1; seed <= n; seed++) {
		struct bank_result res;
		struct sim_disk *d;

		sim_init(seed);
		d = sim_disk_create("bank", 4 << 20, seed);
		sim_disk_latency(d, seed % 2 ? 100000 : 0);
		assert_int_equal(bank_run(sim_disk_blk(d), 4, 25, seed, &res), 0);
		if (res.errors || res.bad_audits || res.counted != 2 * res.transfers)
			fail_msg("seed %llu: %llu errors, %llu bad audits, %llu of %llu movements",
				 (unsigned long long)seed, (unsigned long long)res.errors,
				 (unsigned long long)res.bad_audits,
				 (unsigned long long)res.counted,
				 (unsigned long long)(2 * res.transfers));
		assert_int_equal(res.transfers, 100);
		assert_int_equal(res.audits, 50);
		sim_disk_destroy(d);
		sim_fini();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(bank_balances)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
