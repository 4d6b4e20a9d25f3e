/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Between the files of kernel/vm. All need the space's lock unless they say otherwise. */
#ifndef VM_VM_PRIV_H
#define VM_VM_PRIV_H

#include "mm/page.h"
#include "vm/space.h"

/* Pages whose entries were removed: freed after one flush. No lock needed by itself. */
struct vm_gather {
	struct vm_space *space;
	struct vm_gather_chunk *chunks;
	uint64_t lo, hi; /* what is to be flushed */
	bool quiet;      /* the space is dying: no flush */
};

void vm_gather_init(struct vm_gather *g, struct vm_space *s, bool quiet);
/*
 * Notes that entry v at va was removed or narrowed; page (may be NULL) is put later. False: no
 * room, the caller must unlock, call vm_gather_flush and go on: the page is kept all the same.
 */
bool vm_gather_add(struct vm_gather *g, uint64_t va, struct page *page);
/* Flushes and frees. Interrupts on, no leaf lock held. */
void vm_gather_flush(struct vm_gather *g);

/* The page of an entry (NULL: none or the zero page). */
struct page *vm_pte_page(arch_pte v);
bool vm_pte_is_zero_page(arch_pte v);
/* Entry bits of region r; write says whether W may be set. */
unsigned vm_pte_prot(const struct vm_region *r, bool write);
uint64_t vm_zero_pa(void);

/* Index of the first region with end > addr (count if none). */
uint32_t vm_index(const struct vm_space *s, uint64_t addr);
/* Room for n more regions, so that inserting and splitting cannot fail. -ENOMEM. */
int vm_reserve(struct vm_space *s, uint32_t n) MUST_CHECK;
struct vm_region *vm_region_create(struct vm_space *s, const struct vm_map_args *a) MUST_CHECK;
/* Takes r; it must not overlap. Capacity was reserved. Returns r or what it was merged into. */
struct vm_region *vm_insert(struct vm_space *s, struct vm_region *r);
/*
 * Splits regions so that addr and end are bounds. 0 or -ENOMEM (then at most some splits are
 * done).
 */
int vm_split_range(struct vm_space *s, uint64_t addr, uint64_t end) MUST_CHECK;
/* Removes all regions of [addr, end) (bounds already split) to the list of dead ones. */
void vm_remove_range(struct vm_space *s, uint64_t addr, uint64_t end, struct vm_gather *g,
		     struct list *dead);
/* Frees what vm_remove_range left. No lock held (files may be closed). */
void vm_free_dead(struct list *dead);
/* Merges region i with its neighbors where possible. */
void vm_merge_around(struct vm_space *s, uint64_t addr, uint64_t end);
/* Takes r out of its object's list, or puts it there, around a change of its bounds. */
void vm_region_lock_object(struct vm_region *r) NO_THREAD_SAFETY;
void vm_region_unlock_object(struct vm_region *r) NO_THREAD_SAFETY;

/* Removes the entries of [addr, end). No lock needed but the callers' own. */
void vm_zap(struct vm_space *s, uint64_t addr, uint64_t end, struct vm_gather *g);
/* A hole of len bytes, or -ENOMEM. */
int64_t vm_find_hole(const struct vm_space *s, uint64_t hint, uint64_t len);
enum vm_fault_result vm_fault_locked(struct vm_space *s, uint64_t addr, uint32_t access,
				     bool *major);
int vm_map_locked(struct vm_space *s, const struct vm_map_args *a, uint64_t addr, struct list *dead)
	MUST_CHECK;

#endif
