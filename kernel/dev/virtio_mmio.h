/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The virtio-mmio transport (virtio 1.1, section 4.2; legacy devices too). Drivers call these in
 * their probe function, in thread context; the interrupt handler runs in interrupt context.
 */
#ifndef DEV_VIRTIO_MMIO_H
#define DEV_VIRTIO_MMIO_H

#include "drivers/virtq.h"

enum virtio_id { VIRTIO_ID_BLK = 2, VIRTIO_ID_CONSOLE = 3, VIRTIO_ID_RNG = 4 };

#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_VERSION_1 (1ull << 32)

struct virtio_dev {
	volatile uint8_t *regs;
	uint32_t irq;
	uint32_t id;
	bool legacy;
	uint64_t features;                            /* negotiated */
	void *driver;                                 /* the driver's own */
	void (*interrupt)(struct virtio_dev *v);      /* used buffers */
	void (*config_changed)(struct virtio_dev *v); /* may be NULL */
};

/* Finds all devices and hands them to their drivers, highest address first. */
void virtio_probe_all(void);

/*
 * Resets, acknowledges and negotiates wanted features (VERSION_1 and EVENT_IDX are added). 0
 * or -ENODEV.
 */
int virtio_negotiate(struct virtio_dev *v, uint64_t wanted) MUST_CHECK;
/*
 * Sets up queue number index with at most max descriptors; its memory is never freed. 0,
 * -ENODEV (no such queue), -ENOMEM.
 */
int virtio_queue(struct virtio_dev *v, struct virtq *q, unsigned index, uint16_t max) MUST_CHECK;
/* Registers the interrupt and lets the device work. 0 or a negative error. */
int virtio_start(struct virtio_dev *v) MUST_CHECK;
/* Gives the device up: it is reset and marked failed. */
void virtio_fail(struct virtio_dev *v);
void virtio_notify(struct virtio_dev *v, unsigned index);
/* Configuration space. */
uint8_t virtio_config8(const struct virtio_dev *v, unsigned off);
uint32_t virtio_config32(const struct virtio_dev *v, unsigned off);

/* The drivers' probe functions: 0 or a negative error (reported by the caller). */
int virtio_blk_probe(struct virtio_dev *v) MUST_CHECK;
int virtio_rng_probe(struct virtio_dev *v) MUST_CHECK;
int virtio_console_probe(struct virtio_dev *v) MUST_CHECK;

#endif
