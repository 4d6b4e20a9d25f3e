/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Shared anonymous memory (mmap MAP_SHARED | MAP_ANONYMOUS): an object whose pages are made on
 * first touch and live as long as it. Two levels: groups of 512 page pointers.
 */
#include "vm/vm_priv.h"

#include "lib/errno.h"
#include "mm/slab.h"

#define GROUP 512

struct shared {
	struct vm_object object;
	struct mutex lock; /* rank FS: the groups and their entries */
	uint64_t count;
	struct page **groups[]; /* lock: lock */
};

static struct shared *of(struct vm_object *o)
{
	return container_of(o, struct shared, object);
}

/* The slot of index, allocating its group; NULL: no memory. */
static struct page **slot(struct shared *sh, uint64_t index, bool create)
{
	struct page ***g = &sh->groups[index / GROUP];

	if (!*g && create)
		*g = mm_alloc(GROUP * sizeof(struct page *), MM_ZERO);
	return *g ? &(*g)[index % GROUP] : NULL;
}

static int shared_get(struct vm_object *o, uint64_t index, struct page **out)
{
	struct shared *sh = of(o);
	struct page **p;
	int err = -ENOMEM;

	if (index >= sh->count)
		return -ENXIO;
	mutex_lock(&sh->lock);
	p = slot(sh, index, true);
	if (p && !*p)
		*p = mm_page_alloc(0, MM_ZERO);
	if (p && *p) {
		mm_page_get(*p);
		*out = *p;
		err = 0;
	}
	mutex_unlock(&sh->lock);
	return err;
}

static struct page *shared_peek(struct vm_object *o, uint64_t index)
{
	(void)o;
	(void)index;
	return NULL;
}

static void shared_release(struct vm_object *o)
{
	struct shared *sh = of(o);

	for (uint64_t i = 0; i < (sh->count + GROUP - 1) / GROUP; i++) {
		if (!sh->groups[i])
			continue;
		for (unsigned j = 0; j < GROUP; j++) {
			if (sh->groups[i][j])
				mm_page_put(sh->groups[i][j]);
		}
		mm_free(sh->groups[i]);
	}
	mm_free(sh);
}

static const struct vm_object_ops shared_ops = {
	.get = shared_get,
	.peek = shared_peek,
	.release = shared_release,
};

struct vm_object *vm_shared_create(uint64_t count)
{
	uint64_t groups = (count + GROUP - 1) / GROUP;
	struct shared *sh;

	if (count == 0 || count > ARCH_USER_END >> PAGE_SHIFT)
		return NULL;
	sh = mm_alloc(sizeof(*sh) + groups * sizeof(sh->groups[0]), MM_ZERO);
	if (!sh)
		return NULL;
	vm_object_init(&sh->object, &shared_ops);
	mutex_init(&sh->lock, LOCK_RANK_FS, "shared memory");
	sh->count = count;
	return &sh->object;
}
