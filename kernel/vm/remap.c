/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * mremap: shrinks or grows in place, or moves the entries to a new place. The entries move, the
 * pages stay where they are: one flush for the old range, none for the new.
 */
#include "vm/vm_priv.h"

#include "base/assert.h"
#include "base/overflow.h"
#include "lib/errno.h"

enum { MREMAP_MAYMOVE = 1, MREMAP_FIXED = 2, MREMAP_DONTUNMAP = 4 };

#define MOVE_STEP 32

/* Moves up to MOVE_STEP entries; the leaf tables are locked one after the other. */
static int move_step(struct vm_space *s, uint64_t from, uint64_t to, unsigned n,
		     struct vm_gather *g)
{
	arch_pte held[MOVE_STEP];
	arch_pte *pte = arch_pte_lock(&s->arch, to, true);

	/* The table for the new place first: nothing can fail after that. */
	if (!pte)
		return -ENOMEM;
	arch_pte_unlock(pte);
	pte = arch_pte_lock(&s->arch, from, false);
	if (!pte)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		held[i] = arch_pte_get(pte + i);
		if (arch_pte_none(held[i]))
			continue;
		arch_pte_set(pte + i, 0);
		(void)!vm_gather_add(g, from + i * PAGE_SIZE, NULL);
	}
	arch_pte_unlock(pte);
	pte = arch_pte_lock(&s->arch, to, true);
	KASSERT(pte);
	for (unsigned i = 0; i < n; i++) {
		if (!arch_pte_none(held[i]))
			arch_pte_set(pte + i, held[i]);
	}
	arch_pte_unlock(pte);
	return 0;
}

static unsigned to_table_end(uint64_t va)
{
	return (unsigned)(512 - (va >> PAGE_SHIFT & 511));
}

static int move_entries(struct vm_space *s, uint64_t from, uint64_t to, uint64_t len)
{
	struct vm_gather g;
	int err = 0;

	vm_gather_init(&g, s, false);
	for (uint64_t off = 0; off < len && !err;) {
		unsigned n = MIN(to_table_end(from + off), to_table_end(to + off));

		n = (unsigned)MIN(MIN(n, MOVE_STEP), (len - off) >> PAGE_SHIFT);
		err = move_step(s, from + off, to + off, n, &g);
		off += n * PAGE_SIZE;
	}
	vm_gather_flush(&g);
	return err;
}

/* What to map for a region of len bytes that continues r, or takes its place, from pgoff on. */
static struct vm_map_args like(const struct vm_region *r, uint64_t len, uint64_t pgoff)
{
	return (struct vm_map_args){
		.len = len,
		.prot = r->prot,
		.flags = r->flags,
		.object = r->object,
		.pgoff = pgoff,
		.file = r->file,
	};
}

static int64_t move(struct vm_space *s, uint64_t old, uint64_t old_len, uint64_t new_len,
		    uint64_t to, struct list *dead)
{
	struct vm_region *r = vm_find_locked(s, old);
	uint64_t pgoff = r->pgoff + ((old - r->start) >> PAGE_SHIFT);
	struct vm_map_args a;
	struct vm_gather g;
	int err = vm_split_range(s, old, old + old_len);

	/* Room for what follows, so that only the new region and its tables can fail. */
	if (!err)
		err = vm_reserve(s, 4);
	if (err)
		return err;
	a = like(vm_find_locked(s, old), new_len, pgoff);
	a.flags |= VM_MOVING;
	err = vm_map_locked(s, &a, to, dead);
	if (err)
		return err;
	err = move_entries(s, old, to, MIN(old_len, new_len));
	vm_gather_init(&g, s, false);
	if (err) {
		/* What has moved goes back: its tables exist. */
		(void)!move_entries(s, to, old, MIN(old_len, new_len));
		vm_remove_range(s, to, to + new_len, &g, dead);
	} else {
		vm_remove_range(s, old, old + old_len, &g, dead);
		vm_find_locked(s, to)->flags &= ~(uint32_t)VM_MOVING;
		vm_merge_around(s, to, to + new_len);
	}
	vm_gather_flush(&g);
	return err ? err : (int64_t)to;
}

/* Grows the region that ends at old + old_len in place. */
static bool grow(struct vm_space *s, uint64_t old, uint64_t old_len, uint64_t new_len,
		 struct list *dead)
{
	struct vm_region *r = vm_find_locked(s, old);
	uint64_t end = old + old_len;
	uint64_t pgoff = r->pgoff + ((end - r->start) >> PAGE_SHIFT);
	struct vm_map_args a = like(r, new_len - old_len, pgoff);
	uint32_t i = vm_index(s, end);

	if (!range_fits(old, new_len, ARCH_USER_END) || r->end != end)
		return false;
	if (i < s->count && s->regions[i]->start < old + new_len)
		return false;
	return vm_map_locked(s, &a, end, dead) == 0;
}

static int64_t remap_locked(struct vm_space *s, uint64_t old, uint64_t old_len, uint64_t new_len,
			    unsigned flags, struct list *dead)
{
	struct vm_gather g;
	int64_t to;
	int err;

	if (new_len <= old_len) {
		err = vm_split_range(s, old + new_len, old + old_len);
		if (err)
			return err;
		vm_gather_init(&g, s, false);
		if (new_len < old_len)
			vm_remove_range(s, old + new_len, old + old_len, &g, dead);
		vm_gather_flush(&g);
		return (int64_t)old;
	}
	if (grow(s, old, old_len, new_len, dead))
		return (int64_t)old;
	if (!(flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	to = vm_find_hole(s, 0, new_len);
	return to < 0 ? to : move(s, old, old_len, new_len, (uint64_t)to, dead);
}

/* All of [old, old + len) is one region's. */
static bool in_one_region(struct vm_space *s, uint64_t old, uint64_t len)
{
	struct vm_region *r = vm_find_locked(s, old);

	return r && r->start <= old && r->end - old >= len;
}

int64_t vm_remap(struct vm_space *s, uint64_t old, uint64_t old_len, uint64_t new_len,
		 unsigned flags, uint64_t new_addr)
{
	struct list dead;
	int64_t res;

	if ((flags & ~3u) || (old & PAGE_MASK) || new_len == 0 || new_len > ARCH_USER_END)
		return -EINVAL;
	if ((flags & MREMAP_FIXED) && !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if (!range_fits(old, old_len, ARCH_USER_END))
		return -EINVAL;
	old_len = ALIGN_UP(old_len, PAGE_SIZE);
	new_len = ALIGN_UP(new_len, PAGE_SIZE);
	if (old_len == 0)
		return -EINVAL; /* duplicating shared mappings is obsolete */
	if ((flags & MREMAP_FIXED) &&
	    ((new_addr & PAGE_MASK) || !range_fits(new_addr, new_len, ARCH_USER_END) ||
	     new_addr < VM_MMAP_MIN || (new_addr < old + old_len && old < new_addr + new_len)))
		return -EINVAL;
	list_init(&dead);
	mutex_lock(&s->lock);
	if (!in_one_region(s, old, old_len))
		res = -EFAULT;
	else if (flags & MREMAP_FIXED)
		res = move(s, old, old_len, new_len, new_addr, &dead);
	else
		res = remap_locked(s, old, old_len, new_len, flags, &dead);
	mutex_unlock(&s->lock);
	vm_free_dead(&dead);
	return res;
}
