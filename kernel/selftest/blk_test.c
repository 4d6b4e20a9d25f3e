/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Tests of block devices (none yet). */
#include "selftest/selftest.h"

const struct selftest selftest_blk[] = {
	{NULL, NULL},
};
