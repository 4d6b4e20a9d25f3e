/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * A simulated disk: a port block device over the crash model (sim/model.h), with power cuts,
 * injected faults, damage and counters. Use on the simulator only (link port_sim); no memory of it
 * counts as port_alloc's.
 *
 *	struct sim_disk *d = sim_disk_create("disk", 16 << 20, seed);
 *
 *	sim_disk_cut_at(d, n);                  the nth write or flush from now meets a power cut
 *	run_workload(sim_disk_blk(d));          ... fails with EIO from there on
 *	sim_disk_reboot(d, NULL);               by seed: what survived
 *	check(sim_disk_blk(d));                 recover and compare
 *
 * Every transfer is a scheduling point, at its start and at its end; a write is in flight between
 * them. Calls outside the device or misaligned end the test: they are bugs of the caller.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "base/types.h"
#include "port/blk.h"
#include "sim/model.h"

struct sim_disk;

/* name must outlive the disk. size: a multiple of PORT_BLK_ALIGN. Reads as zeros. Never NULL. */
struct sim_disk *sim_disk_create(const char *name, uint64_t size, uint64_t seed);
/* A disk with the contents of a host file (rounded down to a multiple of PORT_BLK_ALIGN); NULL: unreadable. */
struct sim_disk *sim_disk_load(const char *name, const char *path, uint64_t seed);
/* Writes the medium as a sparse file, for fsck.dbfs and dbfs. 0 or -errno. */
int sim_disk_save(struct sim_disk *d, const char *path) MUST_CHECK;
void sim_disk_destroy(struct sim_disk *d);
/*
 * A second disk in the same state (unflushed writes included, faults and cut plan not; not of a
 * disk made by sim_disk_load). Cut it to
 * see what a crash now would leave, without disturbing the first.
 */
struct sim_disk *sim_disk_clone(struct sim_disk *d, uint64_t seed);

/* The device. ops->close keeps the disk and releases its exclusive lock. */
struct port_blk *sim_disk_blk(struct sim_disk *d);

/* --- Power --- */

/* Power fails now: every call in progress or to come fails with -PORT_EIO until sim_disk_reboot. */
void sim_disk_cut(struct sim_disk *d);
/*
 * Power fails in the middle of the nth write, discard or flush from now (1: the next); that call
 * fails, and a write may have arrived in part. 0: no cut is planned.
 */
void sim_disk_cut_at(struct sim_disk *d, uint64_t nth);
/* Writes, discards and flushes since creation: the bound for a loop over sim_disk_cut_at. */
uint64_t sim_disk_changes(const struct sim_disk *d);
bool sim_disk_is_off(const struct sim_disk *d);
/* The distribution of losses at the next cuts. Default: SIM_CUT_SEEDED. */
void sim_disk_cut_mode(struct sim_disk *d, enum sim_cut_mode mode);
/* The seed of the choices at the next cuts (they count up from it). Default: the disk's seed. */
void sim_disk_cut_seed(struct sim_disk *d, uint64_t seed);
/*
 * Cuts the power if it is on, decides what survived, and switches on again. The exclusive lock
 * is free, one-time faults stay as they are. report may be NULL.
 */
void sim_disk_reboot(struct sim_disk *d, struct sim_cut_report *report);

/* --- Faults --- */

enum sim_op { SIM_OP_READ = 1, SIM_OP_WRITE = 2, SIM_OP_FLUSH = 4, SIM_OP_DISCARD = 8 };

enum sim_effect {
	SIM_EFFECT_EIO, /* fails; of a write, a part by seed is pending; of a failed flush see model.h */
	SIM_EFFECT_LIE, /* succeeds but does nothing: lost write, dropped flush; reads give stale zeros */
	SIM_EFFECT_FLIP, /* a read gets one flipped bit (the medium stays as it is) */
};

struct sim_fault {
	unsigned ops; /* enum sim_op, or-ed */
	enum sim_effect effect;
	uint64_t nth;  /* counts matching calls from now; 1: the next, 0: like 1 */
	bool sticky;   /* that one and all later ones */
	uint64_t from; /* only calls that touch [from, to); to == 0: anywhere. Flushes: ignored */
	uint64_t to;
};

/* Up to 16 at a time; they are independent, the first match in order of addition acts. */
void sim_disk_fault(struct sim_disk *d, const struct sim_fault *fault);
void sim_disk_faults_clear(struct sim_disk *d);
/* How many calls were hit since creation. */
uint64_t sim_disk_faults_hit(const struct sim_disk *d);
/* Mutation: flushes succeed and do nothing, until switched off. */
void sim_disk_drop_flushes(struct sim_disk *d, bool on);

/* --- Damage and looks, past all faults, power and scheduling --- */

/* Flips bits random bits in [off, off + len) of medium and cache. */
void sim_disk_rot(struct sim_disk *d, uint64_t off, uint64_t len, unsigned bits);
/* Reads the newest contents; writes medium and cache. Multiples of 512 bytes. */
void sim_disk_peek(struct sim_disk *d, uint64_t off, void *buf, size_t len);
void sim_disk_poke(struct sim_disk *d, uint64_t off, const void *buf, size_t len);

/* Each transfer takes 1 to ns virtual nanoseconds, by seed (default 0: only a scheduling point). */
void sim_disk_latency(struct sim_disk *d, uint64_t ns);
/* Makes the device read-only from now on, or writable again. */
void sim_disk_read_only(struct sim_disk *d, bool on);

struct sim_disk_counts {
	uint64_t reads;
	uint64_t writes;
	uint64_t flushes;
	uint64_t discards;
	uint64_t read_bytes;
	uint64_t write_bytes;
	uint64_t unflushed; /* writes in flight and pending now */
};

void sim_disk_counts(const struct sim_disk *d, struct sim_disk_counts *out);

#endif
