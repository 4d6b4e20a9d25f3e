/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The virtio-mmio transport.
 *
 * Names such as vda follow the order of devices on QEMU's command line: QEMU plugs the first
 * device into the bus with the highest address, so devices are probed from the highest address
 * down.
 */
#include "dev/virtio_mmio.h"

#include "arch/mmu.h"
#include "arch/vmap.h"
#include "dev/fdt.h"
#include "dev/irq.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "port/log.h"

enum mmio_reg {
	REG_MAGIC = 0x000,
	REG_VERSION = 0x004,
	REG_DEVICE_ID = 0x008,
	REG_DEVICE_FEATURES = 0x010,
	REG_DEVICE_FEATURES_SEL = 0x014,
	REG_DRIVER_FEATURES = 0x020,
	REG_DRIVER_FEATURES_SEL = 0x024,
	REG_GUEST_PAGE_SIZE = 0x028, /* legacy */
	REG_QUEUE_SEL = 0x030,
	REG_QUEUE_NUM_MAX = 0x034,
	REG_QUEUE_NUM = 0x038,
	REG_QUEUE_ALIGN = 0x03c, /* legacy */
	REG_QUEUE_PFN = 0x040,   /* legacy */
	REG_QUEUE_READY = 0x044,
	REG_QUEUE_NOTIFY = 0x050,
	REG_INTERRUPT_STATUS = 0x060,
	REG_INTERRUPT_ACK = 0x064,
	REG_STATUS = 0x070,
	REG_QUEUE_DESC = 0x080,
	REG_QUEUE_DRIVER = 0x090,
	REG_QUEUE_DEVICE = 0x0a0,
	REG_CONFIG = 0x100,
};

#define MAGIC 0x74726976u
#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER 2u
#define STATUS_DRIVER_OK 4u
#define STATUS_FEATURES_OK 8u
#define STATUS_FAILED 128u
#define PAGE 4096u

static uint32_t rd(const struct virtio_dev *v, unsigned off)
{
	return *(volatile uint32_t *)(volatile void *)(v->regs + off);
}

static void wr(const struct virtio_dev *v, unsigned off, uint32_t x)
{
	*(volatile uint32_t *)(volatile void *)(v->regs + off) = x;
}

static void add_status(const struct virtio_dev *v, uint32_t bits)
{
	wr(v, REG_STATUS, rd(v, REG_STATUS) | bits);
}

static uint64_t device_features(const struct virtio_dev *v)
{
	uint64_t low;

	wr(v, REG_DEVICE_FEATURES_SEL, 0);
	low = rd(v, REG_DEVICE_FEATURES);
	if (v->legacy)
		return low;
	wr(v, REG_DEVICE_FEATURES_SEL, 1);
	return (uint64_t)rd(v, REG_DEVICE_FEATURES) << 32 | low;
}

int virtio_negotiate(struct virtio_dev *v, uint64_t wanted)
{
	wr(v, REG_STATUS, 0);
	add_status(v, STATUS_ACKNOWLEDGE);
	add_status(v, STATUS_DRIVER);
	v->features = device_features(v) & (wanted | VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX);
	wr(v, REG_DRIVER_FEATURES_SEL, 0);
	wr(v, REG_DRIVER_FEATURES, (uint32_t)v->features);
	if (v->legacy) {
		wr(v, REG_GUEST_PAGE_SIZE, PAGE);
		return 0;
	}
	wr(v, REG_DRIVER_FEATURES_SEL, 1);
	wr(v, REG_DRIVER_FEATURES, (uint32_t)(v->features >> 32));
	add_status(v, STATUS_FEATURES_OK);
	return rd(v, REG_STATUS) & STATUS_FEATURES_OK ? 0 : -ENODEV;
}

static void set_address(const struct virtio_dev *v, unsigned reg, uint64_t pa)
{
	wr(v, reg, (uint32_t)pa);
	wr(v, reg + 4, (uint32_t)(pa >> 32));
}

int virtio_queue(struct virtio_dev *v, struct virtq *q, unsigned index, uint16_t max)
{
	struct virtq_layout l;
	uint32_t size = max;
	void *mem;
	void **tokens;
	uint64_t pa;

	wr(v, REG_QUEUE_SEL, index);
	size = MIN(size, rd(v, REG_QUEUE_NUM_MAX));
	while (size & (size - 1))
		size &= size - 1;
	if (size == 0)
		return -ENODEV;
	virtq_layout((uint16_t)size, &l);
	mem = mm_alloc(ALIGN_UP(l.total, (size_t)PAGE), MM_ZERO);
	tokens = mm_alloc(size * sizeof(*tokens), MM_ZERO);
	if (!mem || !tokens || !arch_is_direct(mem)) {
		mm_free(mem);
		mm_free(tokens);
		return -ENOMEM;
	}
	virtq_init(q, (uint16_t)size, mem, tokens, (v->features & VIRTIO_F_EVENT_IDX) != 0);
	pa = arch_direct_pa(mem);
	wr(v, REG_QUEUE_NUM, size);
	if (v->legacy) {
		wr(v, REG_QUEUE_ALIGN, PAGE);
		wr(v, REG_QUEUE_PFN, (uint32_t)(pa / PAGE));
		return 0;
	}
	set_address(v, REG_QUEUE_DESC, pa);
	set_address(v, REG_QUEUE_DRIVER, pa + l.avail);
	set_address(v, REG_QUEUE_DEVICE, pa + l.used);
	wr(v, REG_QUEUE_READY, 1);
	return 0;
}

static void on_interrupt(void *arg)
{
	struct virtio_dev *v = arg;
	uint32_t why = rd(v, REG_INTERRUPT_STATUS);

	wr(v, REG_INTERRUPT_ACK, why);
	if (why & 1)
		v->interrupt(v);
	if (why & 2 && v->config_changed)
		v->config_changed(v);
}

int virtio_start(struct virtio_dev *v)
{
	int err = irq_register(v->irq, on_interrupt, v);

	if (!err)
		add_status(v, STATUS_DRIVER_OK);
	return err;
}

void virtio_fail(struct virtio_dev *v)
{
	wr(v, REG_STATUS, 0);
	add_status(v, STATUS_FAILED);
}

void virtio_notify(struct virtio_dev *v, unsigned index)
{
	wr(v, REG_QUEUE_NOTIFY, index);
}

uint8_t virtio_config8(const struct virtio_dev *v, unsigned off)
{
	return v->regs[REG_CONFIG + off];
}

uint32_t virtio_config32(const struct virtio_dev *v, unsigned off)
{
	return rd(v, REG_CONFIG + off);
}

static int probe_driver(struct virtio_dev *v)
{
	switch (v->id) {
	case VIRTIO_ID_BLK:
		return virtio_blk_probe(v);
	case VIRTIO_ID_RNG:
		return virtio_rng_probe(v);
	case VIRTIO_ID_CONSOLE:
		return virtio_console_probe(v);
	default:
		return -ENODEV;
	}
}

static void probe(const struct boot_dev *d)
{
	struct virtio_dev probe_dev = {.irq = d->irq};
	struct virtio_dev *v;
	uint32_t version;
	int err;

	probe_dev.regs = (volatile uint8_t *)arch_ioremap(d->base, d->size);
	if (!probe_dev.regs || rd(&probe_dev, REG_MAGIC) != MAGIC)
		return;
	version = rd(&probe_dev, REG_VERSION);
	probe_dev.id = rd(&probe_dev, REG_DEVICE_ID);
	probe_dev.legacy = version == 1;
	if (probe_dev.id == 0 || (version != 1 && version != 2))
		return;
	v = mm_alloc(sizeof(*v), MM_NORMAL);
	if (!v)
		return;
	*v = probe_dev;
	err = probe_driver(v);
	if (err) {
		virtio_fail(v); /* v stays: its interrupt may be registered */
		port_log(PORT_LOG_WARN, "virtio device %u at %llx not used: error %d", v->id,
			 (unsigned long long)d->base, -err);
	}
}

void virtio_probe_all(void)
{
	for (uint32_t i = boot_info.virtio_count; i-- > 0;)
		probe(&boot_info.virtio[i]);
}
