/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The vDSO's pages: one object, page 0 the data, then the image. All spaces share them; nobody may
 * write. The data changes only when the wall clock is set, under a sequence number.
 */
#include "vdso/vdso.h"

#include <stdatomic.h>

#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mm/page.h"
#include "sched/clock.h"
#include "sync/spinlock.h"
#include "vdso/vdso_image.h"
#include "vm/space.h"

#define MAX_PAGES 8

static struct page *pages[MAX_PAGES]; /* const after init */
static size_t page_count;
static struct vm_object object;
static struct spinlock update_lock = SPINLOCK_INIT(LOCK_RANK_SPIN_DEV);

static struct page *vdso_peek(struct vm_object *o, uint64_t index)
{
	(void)o;
	if (index >= page_count)
		return NULL;
	mm_page_get(pages[index]);
	return pages[index];
}

static int vdso_get(struct vm_object *o, uint64_t index, struct page **out)
{
	*out = vdso_peek(o, index);
	return *out ? 0 : -ENXIO;
}

static void vdso_release(struct vm_object *o)
{
	(void)o; /* static: the first reference stays */
}

static const struct vm_object_ops vdso_ops = {
	.get = vdso_get,
	.peek = vdso_peek,
	.release = vdso_release,
};

void vdso_update(void)
{
	struct vdso_data *d = mm_page_data(pages[0]);
	unsigned shift;
	unsigned long flags = spin_lock_irqsave(&update_lock);
	_Atomic uint32_t *seq = (_Atomic uint32_t *)&d->seq;

	/* release/acquire fences pair with the reader's loop in vdso_user.c */
	atomic_fetch_add_explicit(seq, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	clock_scale(&d->mult, &shift);
	d->shift = shift;
	d->wall_offset = clock_wall_offset();
	atomic_fetch_add_explicit(seq, 1, memory_order_release);
	spin_unlock_irqrestore(&update_lock, flags);
}

void vdso_init(void)
{
	size_t n = (vdso_image_size + PAGE_SIZE - 1) / PAGE_SIZE;

	if (n + 1 > MAX_PAGES)
		panic("vdso: image too large");
	for (size_t i = 0; i <= n; i++) {
		pages[i] = mm_page_alloc(0, MM_ZERO);
		if (!pages[i])
			panic("vdso: no memory");
		if (i)
			memcpy(mm_page_data(pages[i]), vdso_image + (i - 1) * PAGE_SIZE,
			       MIN(PAGE_SIZE, vdso_image_size - (i - 1) * PAGE_SIZE));
	}
	page_count = n + 1;
	vm_object_init(&object, &vdso_ops);
	vdso_update();
}

int vdso_map(struct vm_space *s)
{
	struct vm_map_args data = {
		.len = PAGE_SIZE,
		.prot = VM_READ,
		.flags = VM_VVAR,
		.object = &object,
		.fixed = true,
	};
	struct vm_map_args code = {
		.len = (page_count - 1) * PAGE_SIZE,
		.prot = VM_READ | VM_EXEC,
		.flags = VM_VDSO,
		.object = &object,
		.pgoff = 1,
		.fixed = true,
	};
	struct vm_map_args room = {.len = page_count * PAGE_SIZE};
	int64_t at = vm_map(s, &room), err;

	if (at < 0)
		return (int)at;
	data.addr = (uint64_t)at;
	code.addr = (uint64_t)at + PAGE_SIZE;
	err = vm_map(s, &data);
	if (err >= 0)
		err = vm_map(s, &code);
	if (err < 0)
		return (int)err;
	s->vdso = code.addr;
	return 0;
}

uint64_t vdso_sigreturn_offset(void)
{
	return vdso_image_sigreturn;
}
