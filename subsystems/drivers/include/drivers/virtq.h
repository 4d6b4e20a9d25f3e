/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * A split virtqueue (virtio 1.1, section 2.6), driver side: the logic on shared memory, without a
 * machine. The transport supplies memory and doorbell, the caller locks.
 *
 *   virtq_add(...); virtq_add(...);
 *   if (virtq_publish(q)) ring the doorbell
 *   interrupt: do { while ((token = virtq_pop(q, &len))) ...; } while (virtq_rearm(q));
 *
 * Numbers in shared memory are little-endian, as all machines are that this is built for.
 */
#ifndef DRIVERS_VIRTQ_H
#define DRIVERS_VIRTQ_H

#include <stdatomic.h>

#include "base/types.h"

#define VIRTQ_MAX_SIZE 1024u

struct virtq_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct virtq_used_elem {
	uint32_t id;
	uint32_t len;
};

struct virtq {
	uint16_t size;    /* const after init: a power of two */
	bool event_index; /* const after init: VIRTIO_F_EVENT_IDX was negotiated */
	bool broken;      /* the device returned nonsense; nothing is popped any more */
	uint16_t free_head;
	uint16_t free_count;
	uint16_t avail_next;      /* next avail index to fill */
	uint16_t avail_published; /* what the device has been shown */
	uint16_t used_next;       /* next used index to look at */
	struct virtq_desc *desc;
	_Atomic uint16_t *avail; /* flags, idx, ring[size], used_event */
	_Atomic uint16_t *used;  /* flags, idx, elements, avail_event */
	void **tokens;           /* by head descriptor; NULL: not in flight */
};

struct virtq_buf {
	uint64_t addr; /* as the device sees it */
	uint32_t len;
};

/* Offsets of the three parts in one block of memory, which is what the legacy interface wants. */
struct virtq_layout {
	size_t avail;
	size_t used;
	size_t total;
};
void virtq_layout(uint16_t size, struct virtq_layout *out);

/*
 * mem: layout.total zeroed bytes, 4096-aligned; tokens: size pointers. size: a power of two up to
 * VIRTQ_MAX_SIZE.
 */
void virtq_init(struct virtq *q, uint16_t size, void *mem, void **tokens, bool event_index);

/*
 * Queues one request: out buffers that the device reads, then in buffers that it writes; out +
 * in >= 1. token (not NULL) comes back from virtq_pop. False: not enough free descriptors.
 */
bool virtq_add(struct virtq *q, const struct virtq_buf *bufs, unsigned out, unsigned in,
	       void *token) MUST_CHECK;

/* Shows the device all that was added. True: it wants to be notified. */
bool virtq_publish(struct virtq *q) MUST_CHECK;

/* The token of a completed request (len: bytes that the device wrote), or NULL. */
void *virtq_pop(struct virtq *q, uint32_t *len) MUST_CHECK;

/* Asks for an interrupt at the next completion. True: there is one already, pop again. */
bool virtq_rearm(struct virtq *q) MUST_CHECK;

#endif
