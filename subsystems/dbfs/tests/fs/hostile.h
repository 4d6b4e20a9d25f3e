/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Images made to hurt: a small image is changed by a script (bytes), with checksums left wrong or made
 * right again up to the root, and then opened, checked, walked, read and written. Whatever it answers,
 * it must answer: no crash, no endless loop, no leak, no access outside of the device.
 */
#ifndef DBFS_TESTS_HOSTILE_H
#define DBFS_TESTS_HOSTILE_H

#include "base/types.h"

struct hostile_result {
	bool opened;
	bool checked;
	uint64_t findings;
	uint64_t blocks; /* of tree and data, if checked */
};

/* One step of a script. What the numbers mean depends on kind; any values are fine. */
struct hostile_step {
	uint8_t kind;
	uint8_t n;
	uint16_t off;
	uint32_t block;
	uint64_t value;
};

enum hostile_kind {
	HOSTILE_FLIP,   /* bytes anywhere */
	HOSTILE_ZERO,   /* a block */
	HOSTILE_COPY,   /* a block over another */
	HOSTILE_CUT,    /* the end of the image */
	HOSTILE_PAGE,   /* bytes of a tree page, checksums right */
	HOSTILE_SUPER,  /* of the superblock */
	HOSTILE_ROOT,   /* of the roots */
	HOSTILE_MAP,    /* of the space map */
	HOSTILE_RECORD, /* of a log record */
	HOSTILE_GROUP,  /* of the header of a log group */
	HOSTILE_VALUE,  /* of a record of the file system, through the engine */
	HOSTILE_DELETE, /* such a record is missing */
	HOSTILE_MOVE,   /* such a record has another key */
	HOSTILE_KINDS,
};

/* Once, before the first run. */
void hostile_init(void);
/* which: 0 a cleanly closed image, 1 one with everything still in the log. */
struct hostile_result hostile_run(unsigned which, const struct hostile_step *steps, size_t n);
/* Number of records in a bucket of image 0 (for HOSTILE_VALUE and the like: value picks the bucket). */
size_t hostile_records(uint32_t bucket);

#endif
