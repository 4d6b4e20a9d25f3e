/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The disk that alien-nbd serves: an image file under the crash model of sim/model.h, with power
 * and planned cuts. One thread. Nothing is written to the image file but by disk_commit.
 */
#ifndef NBD_DISK_H
#define NBD_DISK_H

#include "base/types.h"
#include "sim/model.h"

struct disk_stats {
	uint64_t reads;
	uint64_t writes; /* and trims that were not ignored */
	uint64_t flushes;
	uint64_t read_bytes;
	uint64_t write_bytes;
	uint64_t cuts;
};

/* A cut in the middle of the nth change (write, trim, flush) or the nth flush; 0: none planned. */
struct cut_plan {
	uint64_t changes;
	uint64_t flushes;
	uint64_t seed;
};

struct disk {
	struct sim_model *model;
	uint64_t size;
	const char *path;
	int fd;
	bool on;
	bool drop_flushes;
	enum sim_cut_mode mode;
	struct cut_plan plan;
	struct disk_stats stats;
	struct sim_cut_report last_cut;
	uint64_t last_seed;
};

/*
 * Opens the image, for writing if it is to be updated in place, and locks it against other writers.
 * False: a message was printed. path must outlive the disk.
 */
bool disk_open(struct disk *d, const char *path, bool in_place);
void disk_close(struct disk *d);

/*
 * Transfers at any offset and length inside the disk. Return 0 or an errno; ESHUTDOWN while the power
 * is off, and for the call that meets a planned cut.
 */
int disk_read(struct disk *d, uint64_t off, void *buf, size_t len) MUST_CHECK;
/* persist: durable on return (forced unit access). */
int disk_write(struct disk *d, uint64_t off, const void *buf, size_t len, bool persist) MUST_CHECK;
int disk_flush(struct disk *d) MUST_CHECK;
/* The range reads as zeros afterwards, or the hint is ignored. */
int disk_trim(struct disk *d, uint64_t off, uint64_t len) MUST_CHECK;

/* Cuts the power: the seed decides what reached the medium. Nothing if it is off. 0 or an errno. */
int disk_cut(struct disk *d, uint64_t seed) MUST_CHECK;

/* Writes the medium to a new sparse file, sharing blocks with the image where possible. 0 or errno. */
int disk_save(struct disk *d, const char *path) MUST_CHECK;
/* Writes what changed on the medium into the image itself, and syncs it. 0 or an errno. */
int disk_commit(struct disk *d) MUST_CHECK;

#endif
