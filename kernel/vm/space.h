/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Address spaces (docs/kernel/vm.md): a sorted set of regions over a page table.
 *
 * VM-1  Regions are disjoint, page aligned, sorted by start, below ARCH_USER_END.
 * VM-2  A present entry (valid or PROT_NONE) holds one reference to its page, except for the
 *       zero page, which is not counted.
 * VM-3  An entry is writable only if its page is private to this entry (anonymous, one
 *       reference) or belongs to a shared region whose object was told (mkwrite).
 * VM-4  Entries are installed under the space's lock and the leaf table's lock; anybody may
 *       remove or narrow one under the leaf table's lock alone. A fault that reads unmap_seq of
 *       the object before it asks for the page, and finds it unchanged under the leaf lock,
 *       installs a page that the object still had.
 *       The same for a store that the object was told of (mkwrite) and a write-back that
 *       has taken the page as clean since.
 * VM-5  A frame is freed only after the flush that follows the removal of its entry.
 *
 * Locks: lock (mutex, rank MM) protects everything that is not marked otherwise.
 */
#ifndef VM_SPACE_H
#define VM_SPACE_H

#include <stdatomic.h>

#include "arch/mmu.h"
#include "base/list.h"
#include "sync/mutex.h"
#include "vm/object.h"

struct file;
struct page;

#define PAGE_SIZE 4096ull
#define PAGE_SHIFT 12
#define PAGE_MASK (PAGE_SIZE - 1)
#define VM_MAX_REGIONS 65530
#define VM_MMAP_MIN 0x10000ull
#define VM_STACK_GAP (256 * PAGE_SIZE)

enum vm_prot { VM_READ = 1, VM_WRITE = 2, VM_EXEC = 4 }; /* the values of PROT_* */

enum vm_region_flag {
	VM_SHARED = 1,
	VM_GROWSDOWN = 2,
	VM_LOCKED = 4,
	VM_DONTFORK = 8,
	VM_WIPEONFORK = 16,
	VM_NORESERVE = 32,
	VM_STACK = 64, /* the first thread's: named in maps */
	VM_HEAP = 128,
	VM_VDSO = 256, /* both pages of it; cannot be merged */
	VM_VVAR = 512,
	VM_MOVING = 2048,   /* mremap is at work: not to be merged */
	VM_MAYWRITE = 1024, /* a shared file mapping may become writable */
};

struct vm_region {
	uint64_t start, end;
	uint32_t prot;
	uint32_t flags;
	struct vm_object *object; /* NULL: anonymous. A reference */
	uint64_t pgoff;           /* of start, in pages, in the object */
	struct file *file;        /* what was mapped, a reference; NULL: none */
	struct vm_space *space;
	struct list in_object; /* lock: object->maps_lock; start, end, pgoff change under it too */
};

struct vm_space {
	struct arch_space arch;
	_Atomic uint32_t users; /* tasks, and procfs while it looks; const after 0 */
	struct mutex lock;
	struct vm_region **regions;
	uint32_t count, capacity;
	uint64_t total_pages; /* mapped by regions */
	uint64_t locked_pages;
	_Atomic uint64_t rss; /* atomic: a statistic */
	uint64_t max_rss;
	uint64_t mmap_top;
	uint64_t brk_start, brk;
	uint64_t limit_as, limit_stack, limit_data; /* bytes; copies of the process's rlimits */
	bool lock_future;
	/* Where exec put things: for procfs and prctl. */
	uint64_t code_start, code_end, data_start, data_end;
	uint64_t arg_start, arg_end, env_start, env_end, stack_start;
	uint64_t vdso;
	uint64_t auxv[64];
	uint32_t auxv_words;
	_Atomic uint64_t membarrier; /* registered commands */
};

void vm_init(void);

/* A new empty space with one user; NULL: no memory. */
struct vm_space *vm_space_create(void) MUST_CHECK;
/* A copy-on-write copy of s. Sleeps. NULL: no memory. */
struct vm_space *vm_space_fork(struct vm_space *s) MUST_CHECK;
void vm_space_get(struct vm_space *s);
/* The last put unmaps everything; no thread runs in it any more. Sleeps. */
void vm_space_put(struct vm_space *s);
/* Another user, unless the last has gone. */
bool vm_space_tryget(struct vm_space *s) MUST_CHECK;

/* The space of the current user thread. */
struct vm_space *vm_current(void);

struct vm_map_args {
	uint64_t addr; /* a hint, or with fixed the place */
	uint64_t len;
	uint32_t prot;
	uint32_t flags;
	struct vm_object *object; /* borrowed */
	uint64_t pgoff;
	struct file *file; /* borrowed */
	bool fixed, noreplace, populate;
};

/* All of these take the space's lock. Addresses and lengths may be anything. */
int64_t vm_map(struct vm_space *s, const struct vm_map_args *a);
int vm_unmap(struct vm_space *s, uint64_t addr, uint64_t len) MUST_CHECK;
int vm_protect(struct vm_space *s, uint64_t addr, uint64_t len, uint32_t prot, bool growsdown)
	MUST_CHECK;
int64_t vm_remap(struct vm_space *s, uint64_t old, uint64_t old_len, uint64_t new_len,
		 unsigned flags, uint64_t new_addr);
/* brk(2): the new break, or the old one if it cannot be moved. */
uint64_t vm_brk(struct vm_space *s, uint64_t brk);
int vm_advise(struct vm_space *s, uint64_t addr, uint64_t len, int advice) MUST_CHECK;
int vm_sync(struct vm_space *s, uint64_t addr, uint64_t len, unsigned flags) MUST_CHECK;
int vm_lock_range(struct vm_space *s, uint64_t addr, uint64_t len, bool lock, bool fault)
	MUST_CHECK;
/* 1 byte a page (present or not) into vec[count], for [addr, addr + count pages). */
int vm_incore(struct vm_space *s, uint64_t addr, size_t count, uint8_t *vec) MUST_CHECK;

enum vm_fault_result {
	VM_FAULT_OK,
	VM_FAULT_MAPERR, /* SIGSEGV: nothing mapped */
	VM_FAULT_ACCERR, /* SIGSEGV: not allowed */
	VM_FAULT_BUS,    /* SIGBUS: past the end of the file, I/O error */
	VM_FAULT_OOM,
	VM_FAULT_KILLED, /* the thread is being killed: just return */
};
/* Makes addr accessible (access: enum vm_prot bit). Takes the space's lock; sleeps. */
enum vm_fault_result vm_fault(struct vm_space *s, uint64_t addr, uint32_t access, bool *major);

/*
 * Copies between a kernel buffer and any space (procfs, ptrace-like); bytes done. force: also where
 * the protection forbids it.
 */
size_t vm_read(struct vm_space *s, uint64_t addr, void *buf, size_t n);

/* Identity of a user word for shared futexes. Object with a reference, or NULL: private memory. */
int vm_futex_key(struct vm_space *s, uint64_t addr, struct vm_object **object, uint64_t *offset)
	MUST_CHECK;

/* The region that contains addr, or the next above (NULL: none). Lock held. */
struct vm_region *vm_find_locked(struct vm_space *s, uint64_t addr);

#endif
