/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Loading ELF64 riscv programs: static, static PIE, and dynamic with an interpreter. Every number
 * of the file is hostile: sizes and addresses are checked against the user half before they
 * are used, and vm_map checks again.
 */
#include "proc/elf.h"

#include "base/overflow.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "port/rand.h"
#include "vfs/file.h"
#include "vfs/vnode.h"
#include "vm/filemap.h"
#include "vm/space.h"

#define EM_RISCV 243
#define ET_EXEC 2
#define ET_DYN 3
#define PT_LOAD 1
#define PT_INTERP 3
#define PT_GNU_STACK 0x6474e551
#define PF_X 1
#define PF_W 2
#define PF_R 4
#define MAX_PHDRS 64
#define PIE_BASE 0x2aaaaaa000ull /* two thirds up the user half, as on Linux */

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_phdr {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

_Static_assert(sizeof(struct elf_header) == 64 && sizeof(struct elf_phdr) == 56, "ELF64");

struct elf_file {
	struct file *f;
	struct elf_header h;
	struct elf_phdr *ph; /* h.phnum of them */
	uint64_t lo, hi;     /* page bounds of what PT_LOAD covers */
	uint64_t bias;
};

static int read_exact(struct file *f, uint64_t off, void *buf, size_t n)
{
	size_t done = 0;
	int err = vfs_read_kernel(f->path.vn, off, buf, n, &done);

	if (err)
		return err;
	return done == n ? 0 : -ENOEXEC;
}

static bool header_ok(const struct elf_header *h)
{
	static const uint8_t ident[7] = {0x7f, 'E', 'L', 'F', 2, 1, 1};

	return memcmp(h->ident, ident, sizeof(ident)) == 0 && h->machine == EM_RISCV &&
	       (h->type == ET_EXEC || h->type == ET_DYN) &&
	       h->phentsize == sizeof(struct elf_phdr) && h->phnum > 0 && h->phnum <= MAX_PHDRS;
}

/* One PT_LOAD's page bounds. */
static bool segment_bounds(const struct elf_phdr *p, uint64_t *lo, uint64_t *hi)
{
	if (p->filesz > p->memsz || (p->vaddr & PAGE_MASK) != (p->offset & PAGE_MASK))
		return false;
	if (!range_fits(p->vaddr, p->memsz, ARCH_USER_END - PAGE_SIZE))
		return false;
	if (p->offset + p->filesz < p->offset)
		return false;
	*lo = ALIGN_DOWN(p->vaddr, PAGE_SIZE);
	*hi = ALIGN_UP(p->vaddr + p->memsz, PAGE_SIZE);
	return true;
}

static int scan(struct elf_file *e)
{
	uint64_t lo, hi;

	e->lo = UINT64_MAX;
	for (unsigned i = 0; i < e->h.phnum; i++) {
		if (e->ph[i].type != PT_LOAD)
			continue;
		if (!segment_bounds(&e->ph[i], &lo, &hi))
			return -ENOEXEC;
		e->lo = MIN(e->lo, lo);
		e->hi = MAX(e->hi, hi);
	}
	return e->lo < e->hi ? 0 : -ENOEXEC;
}

static int elf_open(struct elf_file *e, struct file *f)
{
	int err;

	e->f = f;
	err = read_exact(f, 0, &e->h, sizeof(e->h));
	if (!err && !header_ok(&e->h))
		err = -ENOEXEC;
	if (err)
		return err;
	e->ph = mm_alloc(e->h.phnum * sizeof(*e->ph), MM_NORMAL);
	if (!e->ph)
		return -ENOMEM;
	err = read_exact(f, e->h.phoff, e->ph, e->h.phnum * sizeof(*e->ph));
	return err ? err : scan(e);
}

static void elf_close(struct elf_file *e)
{
	mm_free(e->ph);
	e->ph = NULL;
}

static uint32_t prot_of(const struct elf_phdr *p)
{
	return (p->flags & PF_R ? VM_READ : 0u) | (p->flags & PF_W ? VM_WRITE : 0u) |
	       (p->flags & PF_X ? VM_EXEC : 0u);
}

static int map_segment(struct vm_space *s, const struct elf_file *e, const struct elf_phdr *p,
		       struct vm_object *o, struct elf_image *out)
{
	uint64_t start = ALIGN_DOWN(p->vaddr, PAGE_SIZE) + e->bias;
	uint64_t file_end = p->vaddr + p->filesz + e->bias;
	uint64_t zero_from = ALIGN_UP(file_end, PAGE_SIZE);
	uint64_t end = ALIGN_UP(p->vaddr + p->memsz + e->bias, PAGE_SIZE);
	int64_t at = 0;

	if (p->filesz) {
		struct vm_map_args a = {
			.addr = start,
			.len = zero_from - start,
			.prot = prot_of(p),
			.object = o,
			.pgoff = p->offset >> PAGE_SHIFT,
			.file = e->f,
			.fixed = true,
		};

		at = vm_map(s, &a);
	} else {
		zero_from = start;
	}
	if (at >= 0 && end > zero_from) {
		struct vm_map_args a = {
			.addr = zero_from,
			.len = end - zero_from,
			.prot = prot_of(p),
			.fixed = true,
		};

		at = vm_map(s, &a);
	}
	if (at < 0)
		return (int)at;
	/* What follows the data in its last page is not the file's, if the program has bss. */
	if (p->memsz > p->filesz && p->filesz && (file_end & PAGE_MASK) && (p->flags & PF_W)) {
		if (out->ntails == ARRAY_SIZE(out->tails))
			return -ENOEXEC;
		out->tails[out->ntails++] = (struct elf_tail){file_end, zero_from - file_end};
	}
	return 0;
}

static int map_all(struct vm_space *s, struct elf_file *e, struct elf_image *out)
{
	struct vm_object *o = filemap_object(e->f->path.vn);
	int err = o ? 0 : -ENOMEM;

	for (unsigned i = 0; i < e->h.phnum && !err; i++) {
		if (e->ph[i].type == PT_LOAD)
			err = map_segment(s, e, &e->ph[i], o, out);
	}
	if (o)
		vm_object_put(o);
	return err;
}

static uint64_t random_pages(uint64_t pages, bool randomize)
{
	uint64_t r = 0;

	if (randomize)
		port_random(&r, sizeof(r));
	return (r % pages) << PAGE_SHIFT;
}

/* Where a position-independent file goes: at base, or (0) where there is room. */
static int place(struct vm_space *s, struct elf_file *e, uint64_t base)
{
	struct vm_map_args a = {.addr = base, .len = e->hi - e->lo};
	int64_t at;

	if (e->h.type == ET_EXEC)
		return 0;
	at = vm_map(s, &a); /* keeps the place; the segments are mapped over it */
	if (at < 0)
		return (int)at;
	e->bias = (uint64_t)at - e->lo;
	return vm_unmap(s, (uint64_t)at, a.len);
}

/* The name in PT_INTERP; 0: there is one, -ENOENT: none. */
static int interp_name(const struct elf_file *e, char *buf, size_t size)
{
	for (unsigned i = 0; i < e->h.phnum; i++) {
		const struct elf_phdr *p = &e->ph[i];
		int err;

		if (p->type != PT_INTERP)
			continue;
		if (p->filesz < 2 || p->filesz > size)
			return -ENOEXEC;
		err = read_exact(e->f, p->offset, buf, p->filesz);
		if (err)
			return err;
		return buf[p->filesz - 1] == 0 ? 0 : -ENOEXEC;
	}
	return -ENOENT;
}

static void note_layout(struct vm_space *s, const struct elf_file *e, struct elf_image *out)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < e->h.phnum; i++) {
		const struct elf_phdr *p = &e->ph[i];

		if (p->type == PT_GNU_STACK)
			out->exec_stack = (p->flags & PF_X) != 0;
		if (p->type != PT_LOAD)
			continue;
		if (e->h.phoff >= p->offset && e->h.phoff - p->offset < p->filesz)
			out->phdr = e->h.phoff - p->offset + p->vaddr + e->bias;
		if (p->flags & PF_X) {
			s->code_start = p->vaddr + e->bias;
			s->code_end = p->vaddr + p->filesz + e->bias;
		}
		if (p->flags & PF_W) {
			s->data_start = p->vaddr + e->bias;
			s->data_end = p->vaddr + p->filesz + e->bias;
		}
		end = MAX(end, p->vaddr + p->memsz + e->bias);
	}
	out->phnum = e->h.phnum;
	out->entry = e->h.entry + e->bias;
	s->brk_start = ALIGN_UP(end, PAGE_SIZE);
}

static int load_interp(struct vm_space *s, const char *name,
		       int (*open_interp)(const char *name, struct file **out),
		       struct elf_image *out)
{
	struct elf_file e = {0};
	struct file *f;
	int err = open_interp(name, &f);

	if (err)
		return err;
	err = elf_open(&e, f);
	if (err == -ENOEXEC)
		err = -ELIBBAD;
	if (!err)
		err = place(s, &e, 0);
	if (!err)
		err = map_all(s, &e, out);
	if (!err) {
		out->base = e.bias + (e.h.type == ET_EXEC ? 0 : e.lo);
		out->start = e.h.entry + e.bias;
	}
	elf_close(&e);
	file_put(f);
	return err;
}

int elf_load(struct vm_space *s, const struct elf_source *from, struct elf_image *out)
{
	struct elf_file e = {0};
	char name[256];
	int err, has;

	*out = (struct elf_image){0};
	if (from->head_len < 4 || memcmp(from->head, "\177ELF", 4) != 0)
		return -ENOEXEC;
	err = elf_open(&e, from->file);
	has = err ? err : interp_name(&e, name, sizeof(name));
	if (!err && has != -ENOENT)
		err = has;
	if (!err)
		err = place(s, &e, PIE_BASE + random_pages(1 << 16, from->randomize));
	if (!err)
		err = map_all(s, &e, out);
	if (!err) {
		note_layout(s, &e, out);
		s->brk_start += random_pages(1 << 13, from->randomize);
		s->brk = s->brk_start;
		out->start = out->entry;
		if (has == 0)
			err = load_interp(s, name, from->open_interp, out);
	}
	elf_close(&e);
	return err;
}
