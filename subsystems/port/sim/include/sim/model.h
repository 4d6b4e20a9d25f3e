/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The crash model of a disk with a volatile write cache, as a plain data structure: no threads, no
 * clock, no port. sim/disk.h puts a block device over it; the NBD server serves guests from it.
 *
 * A write is *in flight* from begin to end, then *pending* until a flush that began after its end
 * has ended (or it was written with persist), then *durable*. Reads see the newest completed write.
 * A power cut decides by seed, for each 512-byte sector of each write in flight or pending, whether
 * it reached the medium; of those that did the latest completed wins (writes in flight count as last, in
 * any order). Nothing else changes: a sector is old or new, never a mixture.
 *
 * All offsets and lengths are multiples of SIM_SECTOR and inside the disk. The caller serializes
 * the calls. Functions that return int give 0, -PORT_ENOMEM, or what the base reader returned.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "base/types.h"

#define SIM_SECTOR 512u

struct sim_model;
struct sim_model_io;

/* What the disk contains where nothing durable has been written. NULL read: zeros. */
struct sim_model_base {
	int (*read)(void *ctx, uint64_t off, void *buf, size_t len);
	void *ctx;
};

/* size: a multiple of 4096, not 0. base is copied and may be NULL. Gives *m. */
int sim_model_create(uint64_t size, const struct sim_model_base *base, struct sim_model **m)
	MUST_CHECK;
void sim_model_destroy(struct sim_model *m);
/* A copy in the same state; writes in flight are in flight in it until it is cut. Shares the base. */
int sim_model_clone(struct sim_model *m, struct sim_model **copy) MUST_CHECK;

uint64_t sim_model_size(const struct sim_model *m);

/* The newest completed contents. */
int sim_model_read(struct sim_model *m, uint64_t off, void *buf, size_t len) MUST_CHECK;
/* What is on the medium, whatever the cache holds. */
int sim_model_read_durable(struct sim_model *m, uint64_t off, void *buf, size_t len) MUST_CHECK;
/*
 * What a host can read past its own cache: as sim_model_read, but the medium where a flush has
 * failed since the last cut (the host has dropped those writes, or never learns of them).
 */
int sim_model_read_stable(struct sim_model *m, uint64_t off, void *buf, size_t len) MUST_CHECK;

/*
 * Begins a write of a copy of buf (NULL: zeros). Gives *io, which exists until it is ended or
 * dropped or the power is cut.
 */
int sim_model_write_begin(struct sim_model *m, uint64_t off, const void *buf, uint64_t len,
			  struct sim_model_io **io) MUST_CHECK;
/* Completes io: it is visible and pending. If it fails, io is dropped. Takes io. */
int sim_model_write_end(struct sim_model *m, struct sim_model_io *io) MUST_CHECK;
/* The device forgets io; nothing of it was written. Takes io. */
void sim_model_write_drop(struct sim_model *m, struct sim_model_io *io);
/* Begin and end. */
int sim_model_write(struct sim_model *m, uint64_t off, const void *buf, uint64_t len) MUST_CHECK;
/* As sim_model_write, and durable at once (forced unit access); other writes stay pending. */
int sim_model_write_persist(struct sim_model *m, uint64_t off, const void *buf, uint64_t len)
	MUST_CHECK;

/* A flush makes durable what had completed when it began; mark says when that was. */
uint64_t sim_model_flush_begin(const struct sim_model *m);
int sim_model_flush_end(struct sim_model *m, uint64_t mark) MUST_CHECK;
/*
 * The flush failed: of what it should have made durable a part is (by seed, per sector), the rest
 * is lost, though reads go on to see it until the next cut. No later flush brings it back.
 */
int sim_model_flush_fail(struct sim_model *m, uint64_t mark, uint64_t seed) MUST_CHECK;

/* How the power goes. All but SEEDED are distributions over the writes in flight and pending. */
enum sim_cut_mode {
	SIM_CUT_SEEDED,   /* one of the others, by seed */
	SIM_CUT_LOSE_ALL, /* nothing reached the medium */
	SIM_CUT_KEEP_ALL, /* everything did */
	SIM_CUT_PREFIX,   /* the first k writes and a torn part of the next */
	SIM_CUT_SUFFIX,   /* reordered: the last k writes and a torn part of the one before */
	SIM_CUT_SUBSET,   /* each write by a coin of seeded bias */
	SIM_CUT_TORN,     /* each sector by a coin of seeded bias */
	SIM_CUT_ONE_LOST, /* all but one write */
	SIM_CUT_ONE_KEPT, /* only one write */
};

struct sim_cut_report {
	enum sim_cut_mode mode; /* never SEEDED */
	uint64_t writes;        /* that were in flight or pending */
	uint64_t sectors;       /* of those */
	uint64_t survived;      /* sectors that reached the medium */
};

const char *sim_cut_mode_name(enum sim_cut_mode mode);

/*
 * Cuts the power: afterwards the medium is all there is, nothing is in flight or pending, all io
 * handles are gone. The same history, mode and seed give the same medium. report may be NULL.
 */
int sim_model_cut(struct sim_model *m, enum sim_cut_mode mode, uint64_t seed,
		  struct sim_cut_report *report) MUST_CHECK;

/* Writes in flight and pending. */
uint64_t sim_model_unflushed(const struct sim_model *m);

/* Changes medium and cache alike, as if it had always been so (planting damage). */
int sim_model_poke(struct sim_model *m, uint64_t off, const void *buf, size_t len) MUST_CHECK;

/*
 * Finds the first 4 KiB page at or after *off whose medium was written since creation. Sets *off
 * and returns true, or returns false. Read it with sim_model_read_durable.
 */
bool sim_model_next_written(const struct sim_model *m, uint64_t *off);

#endif
