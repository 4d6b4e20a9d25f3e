/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Which sectors survive a power cut: the distributions of enum sim_cut_mode. Pure policy: numbers in, numbers
 * out; model.c applies them. All draws for one write are made whether its mode uses them or not, so
 * the stream does not depend on the mode.
 */
#include "base/types.h"
#include "sim/prng.h"
#include "cut_priv.h"

const struct sim_survival sim_survive_all = {.to = UINT64_MAX};

const char *sim_cut_mode_name(enum sim_cut_mode mode)
{
	static const char *const names[] = {
		[SIM_CUT_SEEDED] = "seeded",     [SIM_CUT_LOSE_ALL] = "lose-all",
		[SIM_CUT_KEEP_ALL] = "keep-all", [SIM_CUT_PREFIX] = "prefix",
		[SIM_CUT_SUFFIX] = "suffix",     [SIM_CUT_SUBSET] = "subset",
		[SIM_CUT_TORN] = "torn",         [SIM_CUT_ONE_LOST] = "one-lost",
		[SIM_CUT_ONE_KEPT] = "one-kept",
	};

	return names[mode];
}

struct sim_cut sim_cut_draw(enum sim_cut_mode mode, uint64_t seed, uint64_t writes)
{
	static const enum sim_cut_mode choices[] = {
		SIM_CUT_LOSE_ALL, SIM_CUT_KEEP_ALL, SIM_CUT_PREFIX,   SIM_CUT_PREFIX,
		SIM_CUT_SUFFIX,   SIM_CUT_SUFFIX,   SIM_CUT_SUBSET,   SIM_CUT_SUBSET,
		SIM_CUT_TORN,     SIM_CUT_TORN,     SIM_CUT_ONE_LOST, SIM_CUT_ONE_KEPT,
	};
	struct sim_cut cut = {.mode = mode, .coin = sim_prng_of(seed)};

	if (mode == SIM_CUT_SEEDED)
		cut.mode = choices[sim_prng_below(&cut.coin, ARRAY_SIZE(choices))];
	cut.pivot = writes ? sim_prng_below(&cut.coin, writes) : 0;
	cut.num = sim_prng_range(&cut.coin, 1, 7);
	return cut;
}

struct sim_survival sim_cut_fate(struct sim_cut *cut, uint64_t index, uint64_t sectors)
{
	const struct sim_survival none = {0};
	uint64_t tear = sim_prng_below(&cut->coin, sectors + 1);
	bool heads = sim_prng_chance(&cut->coin, cut->num, 8);

	switch (cut->mode) {
	case SIM_CUT_SEEDED: /* replaced in draw_cut */
	case SIM_CUT_LOSE_ALL:
		return none;
	case SIM_CUT_KEEP_ALL:
		return sim_survive_all;
	case SIM_CUT_PREFIX:
		if (index == cut->pivot)
			return (struct sim_survival){.to = tear};
		return index < cut->pivot ? sim_survive_all : none;
	case SIM_CUT_SUFFIX:
		if (index == cut->pivot)
			return (struct sim_survival){.from = tear, .to = UINT64_MAX};
		return index > cut->pivot ? sim_survive_all : none;
	case SIM_CUT_SUBSET:
		return heads ? sim_survive_all : none;
	case SIM_CUT_TORN:
		return (struct sim_survival){.to = UINT64_MAX, .num = cut->num, .den = 8};
	case SIM_CUT_ONE_LOST:
		return index == cut->pivot ? none : sim_survive_all;
	case SIM_CUT_ONE_KEPT:
		return index == cut->pivot ? sim_survive_all : none;
	}
	return none;
}
