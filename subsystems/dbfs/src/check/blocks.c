/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* fsck from below: blocks of the engine, and all owners against the space map. */
#include "check/check_priv.h"

#include "base/bitmap.h"
#include "txn/inspect.h"

static void engine_block(void *arg, uint64_t block, uint64_t count, enum dbfs_inspect_kind kind,
			 int err)
{
	struct check *c = arg;

	switch (kind) {
	case DBFS_INSPECT_RESERVED:
		dbfs_check_own(c, block, count, "reserved block", block);
		return;
	case DBFS_INSPECT_TREE_PAGE:
		c->r.tree_pages += count;
		dbfs_check_own(c, block, count, "tree page", block);
		break;
	case DBFS_INSPECT_TREE_VALUE:
		dbfs_check_own(c, block, count, "long value", block);
		break;
	case DBFS_INSPECT_MAP:
		dbfs_check_own(c, block, count, "space map", block);
		break;
	case DBFS_INSPECT_FREED:
		if (block <= c->total && count <= c->total - block)
			bitmap_set_range(c->freed, block, count);
		return;
	}
	if (err != 0)
		CHECK_SAY(c, "block", block,
			  err == -DBFS_ECORRUPT ? "checksum or structure is wrong"
						: "cannot be read");
	c->done += count;
	if (c->opts->progress != NULL && c->done % 256 == 0 && c->done < c->total)
		c->opts->progress(c->opts->arg, c->done, c->total);
}

int dbfs_check_engine_blocks(struct check *c)
{
	return dbfs_inspect_blocks(c->db, engine_block, c);
}

/* Reports a run of blocks of one kind, when it ends. */
static void end_run(struct check *c, uint64_t from, uint64_t to, bool leaked)
{
	const uint64_t v[] = {to - from};

	if (from == to)
		return;
	if (leaked) {
		c->r.leaked_blocks += to - from;
		dbfs_check_say(c, "block", from,
			       "# blocks from here are taken but belong to nothing", v);
	} else {
		dbfs_check_say(c, "block", from,
			       "# blocks from here are in use but free in the map", v);
	}
}

void dbfs_check_space(struct check *c)
{
	uint64_t from = 0; /* of the current run of leaked, then of lost blocks */
	int kind = 0;      /* 0: right, 1: leaked, 2: in use but free */

	for (uint64_t b = 0; b < c->total; b++) {
		bool used = dbfs_inspect_used(c->db, b);
		bool owned = bitmap_test(c->owned, b);
		bool freed = bitmap_test(c->freed, b);
		int now = used && !owned && !freed ? 1 : !used && owned ? 2 : 0;

		if (now == kind)
			continue;
		if (kind != 0)
			end_run(c, from, b, kind == 1);
		kind = now;
		from = b;
	}
	if (kind != 0)
		end_run(c, from, c->total, kind == 1);
}
