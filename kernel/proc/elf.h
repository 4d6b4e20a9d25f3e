/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Programs in ELF format: what exec needs of them. */
#ifndef PROC_ELF_H
#define PROC_ELF_H

#include "base/types.h"

struct file;
struct vm_space;

/* The auxiliary vector's types. */
enum auxv {
	AT_NULL = 0,
	AT_PHDR = 3,
	AT_PHENT = 4,
	AT_PHNUM = 5,
	AT_PAGESZ = 6,
	AT_BASE = 7,
	AT_FLAGS = 8,
	AT_ENTRY = 9,
	AT_UID = 11,
	AT_EUID = 12,
	AT_GID = 13,
	AT_EGID = 14,
	AT_PLATFORM = 15,
	AT_HWCAP = 16,
	AT_CLKTCK = 17,
	AT_SECURE = 23,
	AT_RANDOM = 25,
	AT_HWCAP2 = 26,
	AT_EXECFN = 31,
	AT_SYSINFO_EHDR = 33,
	AT_MINSIGSTKSZ = 51,
};

/* A file's end of initialized data inside a page: the rest of the page is to be zeroed. */
struct elf_tail {
	uint64_t addr, len;
};

struct elf_image {
	uint64_t entry; /* of the program; where to start: start */
	uint64_t start;
	uint64_t phdr, phnum;
	uint64_t base; /* of the interpreter, 0: none */
	struct elf_tail tails[8];
	unsigned ntails;
	int exec_stack; /* PT_GNU_STACK: 1 wants it, 0 does not */
};

/* What to load: the file, and its first head_len bytes. */
struct elf_source {
	struct file *file;
	const uint8_t *head;
	size_t head_len;
	bool randomize;                                          /* where it lies */
	int (*open_interp)(const char *name, struct file **out); /* for reading and executing */
};

/* Maps a program and its interpreter into the new space s. -ENOEXEC: not such a program. */
int elf_load(struct vm_space *s, const struct elf_source *from, struct elf_image *out) MUST_CHECK;

#endif
