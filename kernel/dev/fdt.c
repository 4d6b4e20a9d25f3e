/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Reads the device tree into boot_info. The blob comes from the firmware; libfdt checks its
 * structure, and whatever is missing or odd in a node leaves that device out.
 */
#include "dev/fdt.h"

#include <libfdt.h>

#include "lib/string.h"

struct boot_info boot_info;

#define IRQ_S_EXTERNAL 9

static const void *blob;
static bool too_many_reserved;

/* Cell i (32 bits) of a property, 0 beyond its end. */
static uint32_t cell(const fdt32_t *p, int len, int i)
{
	return p && (i + 1) * 4 <= len ? fdt32_to_cpu(p[i]) : 0;
}

static uint64_t cell_pair(const fdt32_t *p, int len, int i)
{
	return (uint64_t)cell(p, len, i) << 32 | cell(p, len, i + 1);
}

static uint32_t prop_u32(int node, const char *name, uint32_t missing)
{
	int len;
	const fdt32_t *p = fdt_getprop(blob, node, name, &len);

	return p && len >= 4 ? fdt32_to_cpu(*p) : missing;
}

/* A property of one or two cells. */
static uint64_t prop_number(int node, const char *name)
{
	int len;
	const fdt32_t *p = fdt_getprop(blob, node, name, &len);

	return len == 8 ? cell_pair(p, len, 0) : cell(p, len, 0);
}

static bool enabled(int node)
{
	const char *s = fdt_getprop(blob, node, "status", NULL);

	return !s || strcmp(s, "okay") == 0 || strcmp(s, "ok") == 0;
}

static bool read_dev(int node, struct boot_dev *out)
{
	int len;
	const fdt32_t *reg = fdt_getprop(blob, node, "reg", &len);

	if (!reg || len < 16 || !enabled(node))
		return false;
	out->base = cell_pair(reg, len, 0);
	out->size = cell_pair(reg, len, 2);
	out->irq = prop_u32(node, "interrupts", 0);
	return true;
}

/* The first node with that "compatible". */
static bool find_dev(const char *compatible, struct boot_dev *out)
{
	int node = fdt_node_offset_by_compatible(blob, -1, compatible);

	return node >= 0 && read_dev(node, out);
}

static void add_reserved(uint64_t base, uint64_t size)
{
	if (size == 0)
		return;
	if (boot_info.reserved_count < BOOT_MAX_RESERVED)
		boot_info.reserved[boot_info.reserved_count++] = (struct boot_range){base, size};
	else
		too_many_reserved = true; /* to go on would give memory away that is in use */
}

static void read_memory(void)
{
	int node;

	fdt_for_each_subnode(node, blob, 0)
	{
		const char *type = fdt_getprop(blob, node, "device_type", NULL);
		int len;
		const fdt32_t *reg;

		if (!type || strcmp(type, "memory") != 0)
			continue;
		reg = fdt_getprop(blob, node, "reg", &len);
		for (int i = 0; reg && (i + 4) * 4 <= len; i += 4) {
			if (boot_info.mem_count < BOOT_MAX_MEM)
				boot_info.mem[boot_info.mem_count++] =
					(struct boot_range){cell_pair(reg, len, i),
							    cell_pair(reg, len, i + 2)};
		}
	}
}

static void read_reserved(void)
{
	int parent = fdt_path_offset(blob, "/reserved-memory");
	int node;

	if (parent >= 0) {
		fdt_for_each_subnode(node, blob, parent)
		{
			int len;
			const fdt32_t *reg = fdt_getprop(blob, node, "reg", &len);

			if (reg && len >= 16)
				add_reserved(cell_pair(reg, len, 0), cell_pair(reg, len, 2));
		}
	}
	add_reserved((uint64_t)blob - ARCH_DIRECT_BASE, fdt_totalsize(blob));
}

/* Hart number in boot_info of the cpu whose interrupt controller has this phandle; -1: none. */
static int hart_of_intc(uint32_t phandle)
{
	int cpus = fdt_path_offset(blob, "/cpus");
	int cpu;

	fdt_for_each_subnode(cpu, blob, cpus)
	{
		int intc = fdt_subnode_offset(blob, cpu, "interrupt-controller");

		if (intc < 0 || fdt_get_phandle(blob, intc) != phandle)
			continue;
		for (uint32_t h = 0; h < boot_info.hart_count; h++) {
			if (boot_info.hart_ids[h] == prop_u32(cpu, "reg", UINT32_MAX))
				return (int)h;
		}
	}
	return -1;
}

static void read_harts(uint64_t boot_hart)
{
	int cpus = fdt_path_offset(blob, "/cpus");
	int cpu;

	boot_info.timebase = prop_u32(cpus, "timebase-frequency", 10000000);
	boot_info.hart_ids[0] = boot_hart;
	boot_info.hart_count = 1;
	fdt_for_each_subnode(cpu, blob, cpus)
	{
		const char *type = fdt_getprop(blob, cpu, "device_type", NULL);
		const char *isa = fdt_getprop(blob, cpu, "riscv,isa", NULL);
		uint64_t id = prop_u32(cpu, "reg", 0);

		if (!type || strcmp(type, "cpu") != 0 || !enabled(cpu))
			continue;
		if (id == boot_hart)
			strlcpy(boot_info.isa, isa ? isa : "rv64imafdc", sizeof(boot_info.isa));
		else if (boot_info.hart_count < ARCH_MAX_HARTS && id < 64)
			boot_info.hart_ids[boot_info.hart_count++] = id;
	}
}

static void read_plic(void)
{
	int node = fdt_node_offset_by_compatible(blob, -1, "riscv,plic0");
	int len;
	const fdt32_t *ext;

	if (node < 0 || !read_dev(node, &boot_info.plic))
		return;
	boot_info.plic_sources = prop_u32(node, "riscv,ndev", 0);
	ext = fdt_getprop(blob, node, "interrupts-extended", &len);
	for (int i = 0; ext && (i + 2) * 4 <= len; i += 2) {
		int hart = hart_of_intc(cell(ext, len, i));

		if (hart >= 0 && cell(ext, len, i + 1) == IRQ_S_EXTERNAL)
			boot_info.plic_context[hart] = (uint32_t)i / 2;
	}
}

static void read_chosen(void)
{
	int node = fdt_path_offset(blob, "/chosen");
	int len;
	const char *args;
	const void *seed;
	uint64_t start;

	if (node < 0)
		return;
	args = fdt_getprop(blob, node, "bootargs", NULL);
	if (args)
		strlcpy(boot_info.args, args, sizeof(boot_info.args));
	seed = fdt_getprop(blob, node, "rng-seed", &len);
	if (seed) {
		boot_info.rng_seed_len = (uint32_t)MIN((size_t)len, sizeof(boot_info.rng_seed));
		memcpy(boot_info.rng_seed, seed, boot_info.rng_seed_len);
	}
	start = prop_number(node, "linux,initrd-start");
	if (start && prop_number(node, "linux,initrd-end") > start) {
		boot_info.initrd.base = start;
		boot_info.initrd.size = prop_number(node, "linux,initrd-end") - start;
		add_reserved(boot_info.initrd.base, boot_info.initrd.size);
	}
}

/* Sorted by address as they are found. */
static void read_virtio(void)
{
	int node = -1;

	while ((node = fdt_node_offset_by_compatible(blob, node, "virtio,mmio")) >= 0) {
		struct boot_dev d;
		uint32_t i = boot_info.virtio_count;

		if (i == BOOT_MAX_VIRTIO || !read_dev(node, &d))
			continue;
		for (; i > 0 && boot_info.virtio[i - 1].base > d.base; i--)
			boot_info.virtio[i] = boot_info.virtio[i - 1];
		boot_info.virtio[i] = d;
		boot_info.virtio_count++;
	}
}

bool boot_info_read(const void *dtb, uint64_t boot_hart_id)
{
	if (fdt_check_header(dtb))
		return false;
	blob = dtb;
	read_memory();
	read_harts(boot_hart_id);
	read_reserved();
	read_plic();
	read_chosen();
	read_virtio();
	(void)find_dev("ns16550a", &boot_info.uart);
	(void)find_dev("google,goldfish-rtc", &boot_info.rtc);
	(void)find_dev("sifive,test0", &boot_info.finisher);
	return boot_info.mem_count > 0 && !too_many_reserved;
}

/* The next word of the command line; NULL after the last. *len excludes the blank. */
static const char *next_word(const char *s, size_t *len)
{
	while (*s == ' ')
		s++;
	*len = 0;
	while (s[*len] && s[*len] != ' ')
		(*len)++;
	return *len ? s : NULL;
}

bool boot_arg(const char *name, char *buf, size_t size)
{
	size_t n = strlen(name);
	size_t len;
	bool found = false;

	for (const char *w = next_word(boot_info.args, &len); w; w = next_word(w + len, &len)) {
		if (len <= n || strncmp(w, name, n) != 0 || w[n] != '=' || len - n > size)
			continue;
		memcpy(buf, w + n + 1, len - n - 1);
		buf[len - n - 1] = '\0';
		found = true;
	}
	return found;
}

bool boot_flag(const char *name)
{
	size_t n = strlen(name);
	size_t len;

	for (const char *w = next_word(boot_info.args, &len); w; w = next_word(w + len, &len)) {
		if (len == n && strncmp(w, name, n) == 0)
			return true;
	}
	return false;
}
