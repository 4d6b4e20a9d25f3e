/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * mmap, munmap, mprotect, brk. Each checks and reserves first (room in the array, the splits), then
 * changes regions and entries, flushes once, and frees what it removed with no lock held.
 */
#include "vm/vm_priv.h"

#include "base/overflow.h"
#include "lib/errno.h"

/* Rounds len up; 0 if it is 0 or too large. */
static uint64_t round_len(uint64_t len)
{
	return len > ARCH_USER_END ? 0 : ALIGN_UP(len, PAGE_SIZE);
}

static uint64_t region_low(const struct vm_region *r)
{
	if (!(r->flags & VM_GROWSDOWN))
		return r->start;
	return r->start > VM_STACK_GAP ? r->start - VM_STACK_GAP : 0;
}

static bool is_free(const struct vm_space *s, uint64_t addr, uint64_t len)
{
	uint32_t i;

	if (addr < VM_MMAP_MIN || !range_fits(addr, len, ARCH_USER_END))
		return false;
	i = vm_index(s, addr);
	return i >= s->count || region_low(s->regions[i]) >= addr + len;
}

int64_t vm_find_hole(const struct vm_space *s, uint64_t hint, uint64_t len)
{
	uint64_t top = s->mmap_top, low = VM_MMAP_MIN;

	hint = ALIGN_DOWN(hint, PAGE_SIZE);
	if (hint && is_free(s, hint, len))
		return (int64_t)hint;
	/* Downward from mmap_top. */
	for (uint32_t i = vm_index(s, top - 1) + 1; i-- > 0;) {
		const struct vm_region *r = i < s->count ? s->regions[i] : NULL;

		if (r && r->start >= top)
			continue;
		if (r && r->end < top && top - r->end >= len)
			return (int64_t)(top - len);
		if (r && r->end == top && len == 0)
			return (int64_t)top;
		if (r)
			top = MIN(top, region_low(r));
	}
	if (top > low && top - low >= len)
		return (int64_t)(top - len);
	/* Upward from there, when all below is full. */
	low = s->mmap_top;
	for (uint32_t i = vm_index(s, low); i < s->count; i++) {
		if (region_low(s->regions[i]) > low && region_low(s->regions[i]) - low >= len)
			return (int64_t)low;
		low = MAX(low, s->regions[i]->end);
	}
	return low < ARCH_USER_END && ARCH_USER_END - low >= len ? (int64_t)low : -ENOMEM;
}

/* Bytes of [addr, end) that are mapped. */
static uint64_t mapped_bytes(const struct vm_space *s, uint64_t addr, uint64_t end)
{
	uint64_t n = 0;

	for (uint32_t i = vm_index(s, addr); i < s->count && s->regions[i]->start < end; i++)
		n += MIN(end, s->regions[i]->end) - MAX(addr, s->regions[i]->start);
	return n;
}

int vm_map_locked(struct vm_space *s, const struct vm_map_args *a, uint64_t addr, struct list *dead)
{
	struct vm_map_args placed = *a;
	struct vm_region *r;
	struct vm_gather g;
	int err;

	placed.addr = addr;
	if ((s->total_pages << PAGE_SHIFT) - mapped_bytes(s, addr, addr + a->len) + a->len >
	    s->limit_as)
		return -ENOMEM;
	if (s->lock_future)
		placed.flags |= VM_LOCKED;
	r = vm_region_create(s, &placed);
	if (!r)
		return -ENOMEM;
	err = vm_split_range(s, addr, addr + a->len);
	if (!err)
		err = vm_reserve(s, 1);
	if (err) {
		list_add_tail(dead, &r->in_object);
		return err;
	}
	vm_gather_init(&g, s, false);
	vm_remove_range(s, addr, addr + a->len, &g, dead);
	vm_gather_flush(&g);
	vm_insert(s, r);
	return 0;
}

static void populate(struct vm_space *s, uint64_t addr, uint64_t len)
{
	struct vm_region *r = vm_find_locked(s, addr);
	uint32_t access = VM_READ;
	bool major;

	if (!r || !(r->prot & (VM_READ | VM_WRITE)))
		return;
	if ((r->prot & VM_WRITE) && !(r->flags & VM_SHARED))
		access = VM_WRITE;
	for (uint64_t off = 0; off < len; off += PAGE_SIZE) {
		if (vm_fault_locked(s, addr + off, access, &major) != VM_FAULT_OK)
			return;
	}
}

int64_t vm_map(struct vm_space *s, const struct vm_map_args *args)
{
	struct vm_map_args a = *args;
	struct list dead;
	int64_t addr;
	int err = 0;

	if (args->len == 0)
		return -EINVAL;
	a.len = round_len(args->len);
	if (a.len == 0)
		return -ENOMEM;
	if (a.pgoff + (a.len >> PAGE_SHIFT) < a.pgoff)
		return -EOVERFLOW;
	if (a.fixed && (a.addr & PAGE_MASK))
		return -EINVAL;
	if (a.fixed && !range_fits(a.addr, a.len, ARCH_USER_END))
		return -ENOMEM;
	if (a.fixed && a.addr < VM_MMAP_MIN)
		return -EPERM;
	list_init(&dead);
	mutex_lock(&s->lock);
	addr = a.fixed ? (int64_t)a.addr : vm_find_hole(s, a.addr, a.len);
	if (a.fixed && a.noreplace && mapped_bytes(s, a.addr, a.addr + a.len))
		err = -EEXIST;
	if (addr < 0)
		err = (int)addr;
	if (!err)
		err = vm_map_locked(s, &a, (uint64_t)addr, &dead);
	if (!err && (a.populate || s->lock_future))
		populate(s, (uint64_t)addr, a.len);
	mutex_unlock(&s->lock);
	vm_free_dead(&dead);
	return err ? err : addr;
}

int vm_unmap(struct vm_space *s, uint64_t addr, uint64_t len)
{
	struct vm_gather g;
	struct list dead;
	int err;

	if ((addr & PAGE_MASK) || len == 0 || !range_fits(addr, len, ARCH_USER_END))
		return -EINVAL;
	len = round_len(len);
	list_init(&dead);
	vm_gather_init(&g, s, false);
	mutex_lock(&s->lock);
	err = vm_split_range(s, addr, addr + len);
	if (!err) {
		vm_remove_range(s, addr, addr + len, &g, &dead);
		vm_gather_flush(&g);
	}
	mutex_unlock(&s->lock);
	vm_free_dead(&dead);
	return err;
}

/* New bits for the entries of [va, end) of one leaf table after r->prot has changed. */
static void protect_table(const struct vm_region *r, uint64_t va, uint64_t end, struct vm_gather *g)
{
	arch_pte *pte = arch_pte_lock(&r->space->arch, va, false);

	if (!pte)
		return;
	for (arch_pte *e = pte; va < end; va += PAGE_SIZE, e++) {
		arch_pte v = arch_pte_get(e), n;
		unsigned was = arch_pte_prot(v), now;

		if (arch_pte_none(v))
			continue;
		/* An entry that was writable may stay so; others become so by a fault (VM-3). */
		now = vm_pte_prot(r, (was & ARCH_PROT_WRITE) != 0);
		n = arch_pte_make(arch_pte_pa(v), now);
		if (n == v)
			continue;
		arch_pte_set(e, n);
		if (arch_pte_valid(v) && (was & ~now))
			(void)!vm_gather_add(g, va, NULL); /* without a page it always fits */
	}
	arch_pte_unlock(pte);
}

static void protect_region(const struct vm_region *r, struct vm_gather *g)
{
	uint64_t va = r->start;

	while ((va = arch_pte_next(&r->space->arch, va, r->end)) < r->end) {
		uint64_t stop = MIN(ALIGN_DOWN(va, 1ull << 21) + (1ull << 21), r->end);

		protect_table(r, va, stop, g);
		va = stop;
	}
}

static int check_protect(const struct vm_space *s, uint64_t addr, uint64_t end, uint32_t prot)
{
	uint64_t at = addr;

	for (uint32_t i = vm_index(s, addr); at < end; i++) {
		const struct vm_region *r = i < s->count ? s->regions[i] : NULL;

		if (!r || r->start > at)
			return -ENOMEM;
		if ((prot & VM_WRITE) && (r->flags & VM_SHARED) && !(r->flags & VM_MAYWRITE))
			return -EACCES;
		at = r->end;
	}
	return 0;
}

int vm_protect(struct vm_space *s, uint64_t addr, uint64_t len, uint32_t prot, bool growsdown)
{
	struct vm_region *r;
	struct vm_gather g;
	uint64_t end;
	int err;

	if (addr & PAGE_MASK)
		return -EINVAL;
	if (len == 0)
		return 0;
	len = round_len(len);
	if (len == 0 || !range_fits(addr, len, ARCH_USER_END))
		return -ENOMEM;
	end = addr + len;
	vm_gather_init(&g, s, false);
	mutex_lock(&s->lock);
	r = vm_find_locked(s, addr);
	err = r && growsdown && !(r->flags & VM_GROWSDOWN) ? -EINVAL : 0;
	if (!err && growsdown && r)
		addr = MIN(addr, r->start);
	if (!err)
		err = check_protect(s, addr, end, prot);
	if (!err)
		err = vm_split_range(s, addr, end);
	if (!err) {
		for (uint32_t i = vm_index(s, addr); i < s->count && s->regions[i]->start < end;
		     i++) {
			if (s->regions[i]->prot == prot)
				continue;
			if (prot & VM_EXEC & ~s->regions[i]->prot)
				arch_icache_publish(&s->arch);
			s->regions[i]->prot = prot;
			protect_region(s->regions[i], &g);
		}
		vm_gather_flush(&g);
		vm_merge_around(s, addr, end);
	}
	mutex_unlock(&s->lock);
	return err;
}

uint64_t vm_brk(struct vm_space *s, uint64_t brk)
{
	struct vm_map_args a = {.prot = VM_READ | VM_WRITE, .flags = VM_HEAP};
	uint64_t old, new, result;
	struct list dead;
	struct vm_gather g;

	list_init(&dead);
	vm_gather_init(&g, s, false);
	mutex_lock(&s->lock);
	result = s->brk;
	if (brk < s->brk_start || brk > ARCH_USER_END || brk - s->brk_start > s->limit_data)
		goto out;
	old = ALIGN_UP(s->brk, PAGE_SIZE);
	new = ALIGN_UP(brk, PAGE_SIZE);
	if (new < old) {
		if (vm_split_range(s, new, old))
			goto out;
		vm_remove_range(s, new, old, &g, &dead);
		vm_gather_flush(&g);
	} else if (new > old) {
		a.len = new - old;
		if (!is_free(s, old, a.len + PAGE_SIZE) || vm_map_locked(s, &a, old, &dead))
			goto out;
		if (s->lock_future)
			populate(s, old, a.len);
	}
	s->brk = brk;
	result = brk;
out:
	mutex_unlock(&s->lock);
	vm_free_dead(&dead);
	return result;
}

int vm_lock_range(struct vm_space *s, uint64_t addr, uint64_t len, bool lock, bool fault)
{
	uint64_t end;
	int err;

	len += addr & PAGE_MASK;
	addr = ALIGN_DOWN(addr, PAGE_SIZE);
	if (len == 0)
		return 0;
	len = round_len(len);
	if (len == 0 || !range_fits(addr, len, ARCH_USER_END))
		return -ENOMEM;
	end = addr + len;
	mutex_lock(&s->lock);
	err = check_protect(s, addr, end, 0);
	if (!err)
		err = vm_split_range(s, addr, end);
	for (uint32_t i = vm_index(s, addr); !err && i < s->count && s->regions[i]->start < end;
	     i++) {
		struct vm_region *r = s->regions[i];
		uint64_t pages = (r->end - r->start) >> PAGE_SHIFT;

		if (!!(r->flags & VM_LOCKED) != lock)
			s->locked_pages += lock ? pages : -pages;
		r->flags = lock ? r->flags | VM_LOCKED : r->flags & ~(uint32_t)VM_LOCKED;
		if (lock && fault)
			populate(s, r->start, r->end - r->start);
	}
	if (!err)
		vm_merge_around(s, addr, end);
	mutex_unlock(&s->lock);
	return err;
}
