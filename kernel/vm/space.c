/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Address spaces and their sets of regions: a sorted array of pointers, found by binary search.
 * Programs have tens of regions, seldom thousands; an array is the smallest and quickest thing
 * that serves both, and moving 8 bytes a region on insertion is cheap beside the page table work.
 *
 * Life of a space: vm_space_create or vm_space_fork (one user) -> vm_space_get/put by tasks ->
 * the last put unmaps everything and gives up the page table; the memory of the structure goes
 * when the last hart has left the table (space_release).
 */
#include "vm/vm_priv.h"

#include "arch/mmu.h"
#include "base/assert.h"
#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include "vfs/file.h"

static struct page *zero_page;

void vm_init(void)
{
	zero_page = mm_page_alloc(0, MM_ZERO);
	if (!zero_page)
		panic("vm: no memory for the zero page");
}

uint64_t vm_zero_pa(void)
{
	return mm_page_pa(zero_page);
}

bool vm_pte_is_zero_page(arch_pte v)
{
	return !arch_pte_none(v) && arch_pte_pa(v) == vm_zero_pa();
}

struct page *vm_pte_page(arch_pte v)
{
	if (arch_pte_none(v) || vm_pte_is_zero_page(v))
		return NULL;
	return mm_page_of_pa(arch_pte_pa(v));
}

unsigned vm_pte_prot(const struct vm_region *r, bool write)
{
	unsigned p = ARCH_PROT_USER;

	if (r->prot & (VM_READ | VM_WRITE))
		p |= ARCH_PROT_READ;
	if (r->prot & VM_EXEC)
		p |= ARCH_PROT_EXEC;
	if ((r->prot & VM_WRITE) && write)
		p |= ARCH_PROT_WRITE;
	return p;
}

static void space_release(struct arch_space *a)
{
	mm_free(container_of(a, struct vm_space, arch));
}

struct vm_space *vm_space_create(void)
{
	struct vm_space *s = mm_alloc(sizeof(*s), MM_ZERO);

	if (!s)
		return NULL;
	if (arch_space_init(&s->arch, space_release)) {
		mm_free(s);
		return NULL;
	}
	atomic_store_explicit(&s->users, 1, memory_order_relaxed);
	mutex_init(&s->lock, LOCK_RANK_MM, "address space");
	s->mmap_top = ARCH_USER_END - (128ull << 20);
	s->limit_as = UINT64_MAX;
	s->limit_data = UINT64_MAX;
	s->limit_stack = 8ull << 20;
	return s;
}

void vm_space_get(struct vm_space *s)
{
	atomic_fetch_add_explicit(&s->users, 1, memory_order_relaxed);
}

bool vm_space_tryget(struct vm_space *s)
{
	uint32_t n = atomic_load_explicit(&s->users, memory_order_relaxed);

	while (n &&
	       !atomic_compare_exchange_weak_explicit(&s->users, &n, n + 1, memory_order_acquire,
						      memory_order_relaxed))
		;
	return n != 0;
}

void vm_space_put(struct vm_space *s)
{
	struct vm_gather g;
	struct list dead;

	/* acq_rel: the last user sees all of the others' changes */
	if (atomic_fetch_sub_explicit(&s->users, 1, memory_order_acq_rel) != 1)
		return;
	list_init(&dead);
	/*
	 * No thread will run here again, and whoever activates another space flushes what its
	 * hart holds of this one: frames may go without a flush.
	 */
	vm_gather_init(&g, s, true);
	mutex_lock(&s->lock);
	vm_remove_range(s, 0, ARCH_USER_END, &g, &dead);
	vm_gather_flush(&g);
	mutex_unlock(&s->lock);
	vm_free_dead(&dead);
	mm_free(s->regions);
	s->regions = NULL;
	arch_space_put(&s->arch);
}

struct vm_space *vm_current(void)
{
	return container_of(current_thread()->space, struct vm_space, arch);
}

uint32_t vm_index(const struct vm_space *s, uint64_t addr)
{
	uint32_t lo = 0, hi = s->count;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (s->regions[mid]->end > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

struct vm_region *vm_find_locked(struct vm_space *s, uint64_t addr)
{
	uint32_t i = vm_index(s, addr);

	return i < s->count ? s->regions[i] : NULL;
}

int vm_reserve(struct vm_space *s, uint32_t n)
{
	uint32_t cap = MAX(s->capacity * 2, 16u);
	struct vm_region **a;

	if (s->count + n > VM_MAX_REGIONS)
		return -ENOMEM;
	if (s->count + n <= s->capacity)
		return 0;
	cap = MAX(cap, s->count + n);
	a = mm_alloc(cap * sizeof(*a), MM_NORMAL);
	if (!a)
		return -ENOMEM;
	if (s->count)
		memcpy(a, s->regions, s->count * sizeof(*a));
	mm_free(s->regions);
	s->regions = a;
	s->capacity = cap;
	return 0;
}

void vm_region_lock_object(struct vm_region *r)
{
	if (r->object)
		mutex_lock(&r->object->maps_lock);
}

void vm_region_unlock_object(struct vm_region *r)
{
	if (r->object)
		mutex_unlock(&r->object->maps_lock);
}

struct vm_region *vm_region_create(struct vm_space *s, const struct vm_map_args *a)
{
	struct vm_region *r = mm_alloc(sizeof(*r), MM_ZERO);

	if (!r)
		return NULL;
	r->start = a->addr;
	r->end = a->addr + a->len;
	r->prot = a->prot;
	r->flags = a->flags;
	r->object = a->object;
	r->pgoff = a->pgoff;
	r->file = a->file;
	r->space = s;
	list_init(&r->in_object);
	if (r->object)
		vm_object_get(r->object);
	if (r->file)
		file_get(r->file);
	return r;
}

static void region_free(struct vm_region *r)
{
	if (r->object)
		vm_object_put(r->object);
	if (r->file)
		file_put(r->file);
	mm_free(r);
}

static void enter_object(struct vm_region *r)
{
	if (!r->object)
		return;
	mutex_lock(&r->object->maps_lock);
	list_add_tail(&r->object->regions, &r->in_object);
	mutex_unlock(&r->object->maps_lock);
}

static void leave_object(struct vm_region *r)
{
	if (!r->object)
		return;
	mutex_lock(&r->object->maps_lock);
	list_del(&r->in_object);
	mutex_unlock(&r->object->maps_lock);
}

static void array_insert(struct vm_space *s, uint32_t i, struct vm_region *r)
{
	KASSERT(s->count < s->capacity);
	memmove(&s->regions[i + 1], &s->regions[i], (s->count - i) * sizeof(r));
	s->regions[i] = r;
	s->count++;
}

static void array_remove(struct vm_space *s, uint32_t i)
{
	s->count--;
	memmove(&s->regions[i], &s->regions[i + 1], (s->count - i) * sizeof(s->regions[0]));
}

static bool mergeable(const struct vm_region *a, const struct vm_region *b)
{
	uint64_t pages = (a->end - a->start) >> PAGE_SHIFT;

	if (a->end != b->start || a->prot != b->prot || a->flags != b->flags)
		return false;
	if (a->object != b->object || a->file != b->file ||
	    (a->flags & (VM_VDSO | VM_VVAR | VM_MOVING)))
		return false;
	return !a->object || a->pgoff + pages == b->pgoff;
}

/* Joins region i + 1 to region i if they fit. */
static bool merge_next(struct vm_space *s, uint32_t i)
{
	struct vm_region *a, *b;

	if (i + 1 >= s->count || !mergeable(s->regions[i], s->regions[i + 1]))
		return false;
	a = s->regions[i];
	b = s->regions[i + 1];
	/* One lock, one step: an unmapper of the object never misses the range. */
	vm_region_lock_object(a);
	a->end = b->end;
	if (b->object)
		list_del(&b->in_object);
	vm_region_unlock_object(a);
	array_remove(s, i + 1);
	/* a holds references of its own to what b held, so these puts are not the last */
	region_free(b);
	return true;
}

void vm_merge_around(struct vm_space *s, uint64_t addr, uint64_t end)
{
	uint32_t i = vm_index(s, addr ? addr - 1 : 0);

	while (i < s->count && s->regions[i]->start < end) {
		if (!merge_next(s, i))
			i++;
	}
}

struct vm_region *vm_insert(struct vm_space *s, struct vm_region *r)
{
	uint64_t start = r->start, end = r->end;

	array_insert(s, vm_index(s, start), r);
	enter_object(r);
	s->total_pages += (end - start) >> PAGE_SHIFT;
	if (r->flags & VM_LOCKED)
		s->locked_pages += (end - start) >> PAGE_SHIFT;
	vm_merge_around(s, start, end);
	return vm_find_locked(s, start);
}

/* Splits the region that contains addr, if addr is inside. */
static int split_at(struct vm_space *s, uint64_t addr)
{
	uint32_t i = vm_index(s, addr);
	struct vm_region *r, *n;
	struct vm_map_args a;
	int err;

	if (i >= s->count || s->regions[i]->start >= addr)
		return 0;
	err = vm_reserve(s, 1);
	if (err)
		return err;
	r = s->regions[i];
	a = (struct vm_map_args){
		.addr = addr,
		.len = r->end - addr,
		.prot = r->prot,
		.flags = r->flags,
		.object = r->object,
		.pgoff = r->pgoff + ((addr - r->start) >> PAGE_SHIFT),
		.file = r->file,
	};
	n = vm_region_create(s, &a);
	if (!n)
		return -ENOMEM;
	if (r->flags & VM_GROWSDOWN)
		n->flags &= ~(uint32_t)VM_GROWSDOWN; /* only the lowest part grows */
	vm_region_lock_object(r);
	r->end = addr;
	if (n->object)
		list_add_tail(&n->object->regions, &n->in_object);
	vm_region_unlock_object(r);
	array_insert(s, i + 1, n);
	return 0;
}

int vm_split_range(struct vm_space *s, uint64_t addr, uint64_t end)
{
	int err = split_at(s, addr);

	return err ? err : split_at(s, end);
}

void vm_remove_range(struct vm_space *s, uint64_t addr, uint64_t end, struct vm_gather *g,
		     struct list *dead)
{
	uint32_t first = vm_index(s, addr), i = first;

	for (; i < s->count && s->regions[i]->start < end; i++) {
		struct vm_region *r = s->regions[i];
		uint64_t pages = (r->end - r->start) >> PAGE_SHIFT;

		leave_object(r);
		vm_zap(s, r->start, r->end, g);
		s->total_pages -= pages;
		if (r->flags & VM_LOCKED)
			s->locked_pages -= pages;
		list_add_tail(dead, &r->in_object);
	}
	memmove(&s->regions[first], &s->regions[i], (s->count - i) * sizeof(s->regions[0]));
	s->count -= i - first;
}

void vm_free_dead(struct list *dead)
{
	struct vm_region *r, *n;

	list_for_each_entry_safe (r, n, dead, struct vm_region, in_object) {
		list_del(&r->in_object);
		region_free(r);
	}
}
