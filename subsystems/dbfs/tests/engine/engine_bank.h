/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * A bank: threads move money between accounts in transactions of both modes, others add up all
 * accounts in read-only snapshots, while checkpoints run. The sum is always the same, and each
 * account's count of movements equals what was committed.
 */
#ifndef ENGINE_BANK_H
#define ENGINE_BANK_H

#include "dbfs/dbfs.h"

struct bank_result {
	uint64_t transfers; /* committed */
	uint64_t audits;
	uint64_t bad_audits; /* the sum was wrong */
	uint64_t errors;     /* that reached a caller */
	uint64_t counted;    /* movements that the volume knows of */
};

/* Formats dev, works with threads writers and two auditors, each rounds times, closes. 0 or an error. */
int bank_run(struct port_blk *dev, unsigned threads, unsigned rounds, uint64_t seed,
	     struct bank_result *out) MUST_CHECK;

#endif
