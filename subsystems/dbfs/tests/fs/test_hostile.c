/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Images made to hurt (hostile.h), by seed.
 *
 *	test_hostile [SEED [COUNT]]        10,000 images; 1,000 in the quick tier
 *	test_hostile --for SECONDS [SEED]  as long as that
 *
 * Before that, what fsck must notice: each record of the file system missing, each used block rotten.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hostile.h"
#include "inode/fs_ondisk.h"
#include "sim/prng.h"
#include "vol.h"

#define HANG_SECONDS 60

/* A missing record of any kind must be found. */
static void missing_records(void)
{
	for (uint32_t b = DBFS_BUCKET_FS_FIRST; b <= DBFS_BUCKET_FS_LAST; b++) {
		size_t count = hostile_records(b);

		CHECK(count > 0);
		for (size_t i = 0; i < count; i += 1 + count / 16) {
			struct hostile_step s = {.kind = HOSTILE_DELETE, .block = (uint32_t)i};
			struct hostile_result r;

			while (DBFS_BUCKET_FS_FIRST + s.value % 8 != b)
				s.value++;
			snprintf(t_context, sizeof(t_context), "record %zu of bucket %u missing", i,
				 b);
			r = hostile_run(0, &s, 1);
			CHECK(r.opened && r.checked);
			/* Most symbolic xattrs can go unnoticed: nothing counts them. */
			CHECK(r.findings > 0 || b == DBFS_BUCKET_XATTR);
		}
	}
}

/* One wrong byte in any block of the tree or of file data is noticed. */
static void rot(void)
{
	struct hostile_result whole = hostile_run(0, NULL, 0);
	unsigned noticed = 0;

	CHECK(whole.opened && whole.checked && whole.findings == 0 && whole.blocks > 20);
	for (uint32_t b = 0; b < 448; b++) {
		struct hostile_step s = {HOSTILE_FLIP, 0, 2000, b, 0x10};
		struct hostile_result r = hostile_run(0, &s, 1);

		noticed += !r.opened || r.findings > 0;
	}
	printf("one byte wrong: noticed in %u blocks, %llu hold tree and data\n", noticed,
	       (unsigned long long)whole.blocks);
	CHECK(noticed >= whole.blocks);
}

static void one(uint64_t seed, unsigned *opened, unsigned *clean)
{
	struct sim_prng rng = sim_prng_of(seed);
	struct hostile_step s[4];
	size_t n = 1 + sim_prng_below(&rng, 4);
	struct hostile_result r;

	for (size_t i = 0; i < n; i++) {
		sim_prng_fill(&rng, &s[i], sizeof(s[i]));
		s[i].kind = (uint8_t)sim_prng_below(&rng, HOSTILE_KINDS);
		if (sim_prng_below(&rng, 3) ==
		    0) /* small numbers and single bits hurt differently */
			s[i].value = (uint64_t)1 << sim_prng_below(&rng, 64);
	}
	snprintf(t_context, sizeof(t_context), "hostile image, seed %llu",
		 (unsigned long long)seed);
	alarm(HANG_SECONDS);
	r = hostile_run((unsigned)sim_prng_below(&rng, 2), s, n);
	*opened += r.opened;
	*clean += r.checked && r.findings == 0;
}

static void hang(int sig)
{
	static const char text[] = ": no end in sight\n";
	ssize_t n = write(STDERR_FILENO, t_context, strlen(t_context));

	n += write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(n > 0 && sig != 0 ? 3 : 4);
}

int main(int argc, char **argv)
{
	const char *tier = getenv("TEST_TIER");
	bool quick = tier != NULL && strcmp(tier, "quick") == 0;
	bool timed = argc > 2 && strcmp(argv[1], "--for") == 0;
	time_t end = timed ? time(NULL) + atol(argv[2]) : 0;
	int at = timed ? 3 : 1;
	uint64_t seed = argc > at ? strtoull(argv[at], NULL, 0) : 1;
	uint64_t count = argc > 2 && !timed ? strtoull(argv[2], NULL, 0) : quick ? 1000 : 10000;
	unsigned opened = 0;
	unsigned clean = 0;
	uint64_t done = 0;

	signal(SIGALRM, hang);
	hostile_init();
	if (argc == 1) {
		missing_records();
		rot();
	}
	for (; timed ? time(NULL) < end : done < count; done++)
		one(seed + done, &opened, &clean);
	printf("hostile images: %llu, opened %u, nothing found in %u\n", (unsigned long long)done,
	       opened, clean);
	return 0;
}
