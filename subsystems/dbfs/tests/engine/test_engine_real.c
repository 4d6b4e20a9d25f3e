/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The bank with real threads on a file: what ThreadSanitizer looks at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine_bank.h"
#include "port/posix.h"

static void bank_balances(void **state)
{
	char path[] = "/tmp/dbfs-bank-XXXXXX";
	struct bank_result res;
	struct port_blk *dev;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 8 << 20), 0);
	close(fd);
	assert_int_equal(port_posix_blk_open(path, 0, &dev), 0);
	assert_int_equal(bank_run(dev, 4, 150, 1, &res), 0);
	unlink(path);
	assert_int_equal(res.errors, 0);
	assert_int_equal(res.bad_audits, 0);
	assert_int_equal(res.transfers, 600);
	assert_int_equal(res.counted, 1200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(bank_balances)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
