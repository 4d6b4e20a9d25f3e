/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The device tree, read once at boot with libfdt. Const afterwards.
 */
#ifndef DEV_FDT_H
#define DEV_FDT_H

#include "arch/layout.h"
#include "base/types.h"

#define BOOT_MAX_MEM 4
#define BOOT_MAX_RESERVED 8
#define BOOT_MAX_VIRTIO 16
#define BOOT_ARGS_LEN 1024

struct boot_range {
	uint64_t base; /* physical */
	uint64_t size;
};

struct boot_dev {
	uint64_t base; /* 0: there is none */
	uint64_t size;
	uint32_t irq;
};

struct boot_info {
	uint32_t hart_count;
	uint64_t hart_ids[ARCH_MAX_HARTS];     /* [0] is the boot hart */
	uint32_t plic_context[ARCH_MAX_HARTS]; /* S-mode context number of each hart */
	uint64_t timebase;
	struct boot_range mem[BOOT_MAX_MEM];
	uint32_t mem_count;
	struct boot_range reserved[BOOT_MAX_RESERVED]; /* firmware, device tree, initrd */
	uint32_t reserved_count;
	struct boot_range initrd; /* size 0: none */
	struct boot_dev uart;
	struct boot_dev plic;
	uint32_t plic_sources;
	struct boot_dev rtc;
	struct boot_dev finisher;                /* sifive,test0 */
	struct boot_dev virtio[BOOT_MAX_VIRTIO]; /* in rising address */
	uint32_t virtio_count;
	uint8_t rng_seed[64];
	uint32_t rng_seed_len;
	char isa[128];
	char args[BOOT_ARGS_LEN]; /* the kernel command line */
};

extern struct boot_info boot_info;

/*
 * Value of "name=value" on the command line (the last one) into buf; false if absent or too
 * long.
 */
bool boot_arg(const char *name, char *buf, size_t size);
/* Does the word stand on the command line? */
bool boot_flag(const char *name);

/*
 * Fills boot_info from the blob at dtb (direct-map address). False: not a device tree, or no
 * memory.
 */
bool boot_info_read(const void *dtb, uint64_t boot_hart_id) MUST_CHECK;

#endif
