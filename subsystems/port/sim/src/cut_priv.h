/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Between the crash model and the policy of its cuts. */
#ifndef CUT_PRIV_H
#define CUT_PRIV_H

#include "sim/model.h"
#include "sim/prng.h"

/*
 * Which sectors of a write reach the medium: those in [from, to) that also pass the coin (den == 0: no
 * coin). Counted from the start of the write.
 */
struct sim_survival {
	uint64_t from;
	uint64_t to;
	uint64_t num;
	uint64_t den;
};

extern const struct sim_survival sim_survive_all;

/* The draw of a cut: what stays the same for all its writes. */
struct sim_cut {
	enum sim_cut_mode mode;
	struct sim_prng coin;
	uint64_t pivot; /* PREFIX, SUFFIX: the torn write; ONE_*: the one */
	uint64_t num;   /* SUBSET, TORN: bias, in eighths */
};

/* mode may be SEEDED. writes: in flight and pending. */
struct sim_cut sim_cut_draw(enum sim_cut_mode mode, uint64_t seed, uint64_t writes);
/* What survives of the index-th write, which has the given number of sectors. To be asked in order. */
struct sim_survival sim_cut_fate(struct sim_cut *cut, uint64_t index, uint64_t sectors);

#endif
