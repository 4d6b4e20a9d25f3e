/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* madvise, msync, mincore, and looking into a space from outside. */
#include "vm/vm_priv.h"

#include "base/overflow.h"
#include "lib/errno.h"
#include "lib/string.h"

enum {
	MADV_NORMAL = 0,
	MADV_RANDOM = 1,
	MADV_SEQUENTIAL = 2,
	MADV_WILLNEED = 3,
	MADV_DONTNEED = 4,
	MADV_FREE = 8,
	MADV_DONTFORK = 10,
	MADV_DOFORK = 11,
	MADV_DONTDUMP = 16,
	MADV_DODUMP = 17,
	MADV_WIPEONFORK = 18,
	MADV_KEEPONFORK = 19,
	MADV_COLD = 20,
	MADV_PAGEOUT = 21,
	MADV_POPULATE_READ = 22,
	MADV_POPULATE_WRITE = 23,
};
enum { MS_ASYNC = 1, MS_INVALIDATE = 2, MS_SYNC = 4 };

static bool advice_known(int advice)
{
	return (advice >= MADV_NORMAL && advice <= MADV_DONTNEED) || advice == MADV_FREE ||
	       advice == MADV_DONTFORK || advice == MADV_DOFORK ||
	       (advice >= MADV_DONTDUMP && advice <= MADV_POPULATE_WRITE);
}

/* Does advice change regions, and how? */
static bool flag_change(int advice, uint32_t *set, uint32_t *clear)
{
	*set = *clear = 0;
	if (advice == MADV_DONTFORK)
		*set = VM_DONTFORK;
	else if (advice == MADV_DOFORK)
		*clear = VM_DONTFORK;
	else if (advice == MADV_WIPEONFORK)
		*set = VM_WIPEONFORK;
	else if (advice == MADV_KEEPONFORK)
		*clear = VM_WIPEONFORK;
	return *set || *clear;
}

static int populate_range(struct vm_space *s, uint64_t lo, uint64_t hi, uint32_t access)
{
	bool major;

	for (; lo < hi; lo += PAGE_SIZE) {
		switch (vm_fault_locked(s, lo, access, &major)) {
		case VM_FAULT_OK:
			break;
		case VM_FAULT_OOM:
		case VM_FAULT_MAPERR:
			return -ENOMEM;
		case VM_FAULT_ACCERR:
			return -EINVAL;
		case VM_FAULT_BUS:
			return -EFAULT;
		case VM_FAULT_KILLED:
			return -EINTR;
		}
	}
	return 0;
}

/* One region's part of the advice. */
static int advise_region(struct vm_region *r, uint64_t lo, uint64_t hi, int advice,
			 struct vm_gather *g)
{
	switch (advice) {
	case MADV_FREE:
		if (r->object)
			return -EINVAL;
		vm_zap(r->space, lo, hi, g);
		return 0;
	case MADV_DONTNEED:
		if (r->flags & VM_LOCKED)
			return -EINVAL;
		vm_zap(r->space, lo, hi, g);
		return 0;
	case MADV_WIPEONFORK:
		return r->object ? -EINVAL : 0;
	case MADV_POPULATE_READ:
		return populate_range(r->space, lo, hi, VM_READ);
	case MADV_POPULATE_WRITE:
		return populate_range(r->space, lo, hi, VM_WRITE);
	default:
		return 0;
	}
}

static int advise_locked(struct vm_space *s, uint64_t addr, uint64_t end, int advice,
			 struct vm_gather *g)
{
	uint32_t set, clear;
	bool change = flag_change(advice, &set, &clear), hole = false;
	uint64_t at = addr;
	int err = change ? vm_split_range(s, addr, end) : 0;

	for (uint32_t i = vm_index(s, addr); !err && i < s->count && s->regions[i]->start < end;
	     i++) {
		struct vm_region *r = s->regions[i];

		hole |= r->start > at;
		err = advise_region(r, MAX(addr, r->start), MIN(end, r->end), advice, g);
		if (!err && change)
			r->flags = (r->flags | set) & ~clear;
		at = r->end;
	}
	if (change)
		vm_merge_around(s, addr, end);
	return !err && (hole || at < end) ? -ENOMEM : err;
}

int vm_advise(struct vm_space *s, uint64_t addr, uint64_t len, int advice)
{
	struct vm_gather g;
	int err;

	if ((addr & PAGE_MASK) || !advice_known(advice))
		return -EINVAL;
	if (!range_fits(addr, len, ARCH_USER_END))
		return len > INT64_MAX ? -EINVAL : -ENOMEM;
	len = ALIGN_UP(len, PAGE_SIZE);
	if (len == 0)
		return 0;
	vm_gather_init(&g, s, false);
	mutex_lock(&s->lock);
	err = advise_locked(s, addr, addr + len, advice, &g);
	vm_gather_flush(&g);
	mutex_unlock(&s->lock);
	return err;
}

int vm_sync(struct vm_space *s, uint64_t addr, uint64_t len, unsigned flags)
{
	uint64_t end, at;
	bool hole = false;
	int err = 0;

	if ((addr & PAGE_MASK) || (flags & ~7u) || (flags & 5) == 5)
		return -EINVAL;
	if (!range_fits(addr, len, ARCH_USER_END))
		return -ENOMEM;
	end = addr + ALIGN_UP(len, PAGE_SIZE);
	for (at = addr; at < end && !err;) {
		struct vm_object *o = NULL;
		uint64_t first = 0, count = 0;
		struct vm_region *r;

		mutex_lock(&s->lock);
		r = vm_find_locked(s, at);
		if (!r || r->start >= end) {
			mutex_unlock(&s->lock);
			hole = true;
			break;
		}
		hole |= r->start > at;
		at = MAX(at, r->start);
		if ((r->flags & VM_SHARED) && r->object->ops->sync && (flags & MS_SYNC)) {
			o = r->object;
			vm_object_get(o);
			first = r->pgoff + ((at - r->start) >> PAGE_SHIFT);
			count = (MIN(end, r->end) - at) >> PAGE_SHIFT;
		}
		if ((r->flags & VM_LOCKED) && (flags & MS_INVALIDATE))
			err = -EBUSY;
		at = MIN(end, r->end);
		mutex_unlock(&s->lock);
		if (o) {
			if (!err)
				err = o->ops->sync(o, first, count);
			vm_object_put(o);
		}
	}
	return !err && hole ? -ENOMEM : err;
}

int vm_incore(struct vm_space *s, uint64_t addr, size_t count, uint8_t *vec)
{
	int err = 0;

	mutex_lock(&s->lock);
	for (size_t i = 0; i < count; i++) {
		uint64_t va = addr + i * PAGE_SIZE;
		struct vm_region *r = vm_find_locked(s, va);
		struct page *p = NULL;
		arch_pte *pte;

		if (!r || r->start > va) {
			err = -ENOMEM;
			break;
		}
		pte = arch_pte_lock(&s->arch, va, false);
		vec[i] = pte && !arch_pte_none(arch_pte_get(pte));
		if (pte)
			arch_pte_unlock(pte);
		if (!vec[i] && r->object)
			p = r->object->ops->peek(r->object,
						 r->pgoff + ((va - r->start) >> PAGE_SHIFT));
		if (p) {
			vec[i] = 1;
			mm_page_put(p);
		}
	}
	mutex_unlock(&s->lock);
	return err;
}

/* Copies from one page of s under the leaf lock; 0 if the page is not there. */
static size_t peek_page(struct vm_space *s, uint64_t addr, void *buf, size_t n)
{
	arch_pte *pte = arch_pte_lock(&s->arch, addr, false);
	size_t done = 0;

	if (!pte)
		return 0;
	if (!arch_pte_none(arch_pte_get(pte))) {
		uint8_t *p = arch_direct(arch_pte_pa(arch_pte_get(pte)));

		done = MIN(n, PAGE_SIZE - (addr & PAGE_MASK));
		memcpy(buf, p + (addr & PAGE_MASK), done);
	}
	arch_pte_unlock(pte);
	return done;
}

size_t vm_read(struct vm_space *s, uint64_t addr, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n && range_fits(addr + done, 1, ARCH_USER_END)) {
		size_t got = peek_page(s, addr + done, (char *)buf + done, n - done);
		bool major;

		if (!got && vm_fault(s, addr + done, VM_READ, &major) != VM_FAULT_OK)
			break;
		done += got;
	}
	return done;
}

int vm_futex_key(struct vm_space *s, uint64_t addr, struct vm_object **object, uint64_t *offset)
{
	struct vm_region *r;
	int err = 0;

	*object = NULL;
	*offset = addr;
	mutex_lock(&s->lock);
	r = vm_find_locked(s, addr);
	if (!r || r->start > addr) {
		err = -EFAULT;
	} else if (r->object && (r->flags & VM_SHARED)) {
		vm_object_get(r->object);
		*object = r->object;
		*offset = (r->pgoff << PAGE_SHIFT) + (addr - r->start);
	}
	mutex_unlock(&s->lock);
	return err;
}
