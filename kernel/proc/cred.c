/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Credentials: immutable blocks, shared by reference, replaced as a whole. */
#include "proc/cred.h"

#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc_priv.h"

static size_t cred_size(uint32_t ngroups)
{
	return sizeof(struct cred) + ngroups * sizeof(uint32_t);
}

struct cred *cred_create_root(void)
{
	struct cred *c = mm_alloc(cred_size(0), MM_ZERO);

	if (!c)
		return NULL;
	atomic_store_explicit(&c->refs, 1, memory_order_relaxed);
	c->cap_permitted = c->cap_effective = c->cap_bounding = CAP_ALL;
	return c;
}

struct cred *cred_copy(const struct cred *from)
{
	struct cred *c = mm_alloc(cred_size(from->ngroups), MM_NORMAL);

	if (!c)
		return NULL;
	memcpy(c, from, cred_size(from->ngroups));
	atomic_store_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

struct cred *cred_copy_groups(const struct cred *from, const uint32_t *groups, uint32_t n)
{
	struct cred *c = mm_alloc(cred_size(n), MM_NORMAL);

	if (!c)
		return NULL;
	memcpy(c, from, sizeof(*c));
	atomic_store_explicit(&c->refs, 1, memory_order_relaxed);
	c->ngroups = n;
	if (n)
		memcpy(c->groups, groups, n * sizeof(groups[0]));
	return c;
}

void cred_get(struct cred *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
}

void cred_put(struct cred *c)
{
	if (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
		mm_free(c);
}

void cred_replace(struct cred *c)
{
	struct task *t = current_task();
	struct cred *old;
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	old = t->cred;
	t->cred = c;
	spin_unlock_irqrestore(&proc_lock, flags);
	cred_put(old);
}

bool capable(enum cap cap)
{
	return current_cred()->cap_effective >> cap & 1;
}

bool cred_in_group(const struct cred *c, uint32_t gid)
{
	uint32_t lo = 0, hi = c->ngroups;

	if (gid == c->fsgid)
		return true;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (c->groups[mid] == gid)
			return true;
		if (c->groups[mid] < gid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

void cred_fix_caps(struct cred *c, const struct cred *old)
{
	bool had_root = old->uid == 0 || old->euid == 0 || old->suid == 0;
	bool has_root = c->uid == 0 || c->euid == 0 || c->suid == 0;

	if (had_root && !has_root) {
		c->cap_permitted = 0;
		c->cap_ambient = 0;
	}
	if (old->euid == 0 && c->euid != 0)
		c->cap_effective = 0;
	if (old->euid != 0 && c->euid == 0)
		c->cap_effective = c->cap_permitted;
	c->cap_effective &= c->cap_permitted;
	c->fsuid = c->euid;
	c->fsgid = c->egid;
}

void cred_vfs(const struct cred *c, struct vfs_cred *out)
{
	out->uid = c->fsuid;
	out->gid = c->fsgid;
	out->groups = c->groups;
	out->ngroups = c->ngroups;
	out->caps = c->cap_effective;
	/* setfsuid away from root takes the file capabilities along. */
	if (c->fsuid != 0 && c->euid == 0)
		out->caps &= ~((uint64_t)1 << CAP_CHOWN | (uint64_t)1 << CAP_DAC_OVERRIDE |
			       (uint64_t)1 << CAP_DAC_READ_SEARCH | (uint64_t)1 << CAP_FOWNER |
			       (uint64_t)1 << CAP_FSETID);
}
