/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Who: process and thread numbers, groups and sessions, user and group ids, capabilities. */
#include "base/overflow.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/cred.h"
#include "proc/group.h"
#include "proc/process.h"
#include "sys/syscall.h"
#include "vm/uaccess.h"

#define NO_ID UINT32_MAX

SYSCALL(getpid)
{
	(void)a;
	return current_process()->pid;
}

SYSCALL(gettid)
{
	(void)a;
	return current_task()->tid;
}

SYSCALL(getppid)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct process *parent = current_process()->parent;
	int pid = parent ? parent->pid : 0;

	(void)a;
	spin_unlock_irqrestore(&proc_lock, flags);
	return pid;
}

SYSCALL(setpgid)
{
	return process_set_group(arg_int(a, 0), arg_int(a, 1));
}

SYSCALL(getpgid)
{
	return process_get_group(arg_int(a, 0), false);
}

SYSCALL(getsid)
{
	return process_get_group(arg_int(a, 0), true);
}

SYSCALL(setsid)
{
	(void)a;
	return process_new_session();
}

SYSCALL(getuid)
{
	(void)a;
	return current_cred()->uid;
}

SYSCALL(geteuid)
{
	(void)a;
	return current_cred()->euid;
}

SYSCALL(getgid)
{
	(void)a;
	return current_cred()->gid;
}

SYSCALL(getegid)
{
	(void)a;
	return current_cred()->egid;
}

SYSCALL(getresuid)
{
	const struct cred *c = current_cred();

	if (put_user_u32(a->v[0], c->uid) || put_user_u32(a->v[1], c->euid) ||
	    put_user_u32(a->v[2], c->suid))
		return -EFAULT;
	return 0;
}

SYSCALL(getresgid)
{
	const struct cred *c = current_cred();

	if (put_user_u32(a->v[0], c->gid) || put_user_u32(a->v[1], c->egid) ||
	    put_user_u32(a->v[2], c->sgid))
		return -EFAULT;
	return 0;
}

/* Replaces the user ids; the caller has checked. */
static long change_uids(uint32_t r, uint32_t e, uint32_t s)
{
	const struct cred *old = current_cred();
	struct cred *c = cred_copy(old);

	if (!c)
		return -ENOMEM;
	c->uid = r;
	c->euid = e;
	c->suid = s;
	cred_fix_caps(c, old);
	cred_replace(c);
	return 0;
}

static long change_gids(uint32_t r, uint32_t e, uint32_t s)
{
	struct cred *c = cred_copy(current_cred());

	if (!c)
		return -ENOMEM;
	c->gid = r;
	c->egid = e;
	c->sgid = s;
	c->fsgid = e;
	cred_replace(c);
	return 0;
}

static bool is_uid(uint32_t id)
{
	const struct cred *c = current_cred();

	return id == NO_ID || id == c->uid || id == c->euid || id == c->suid;
}

static bool is_gid(uint32_t id)
{
	const struct cred *c = current_cred();

	return id == NO_ID || id == c->gid || id == c->egid || id == c->sgid;
}

static uint32_t pick(uint32_t want, uint32_t now)
{
	return want == NO_ID ? now : want;
}

SYSCALL(setresuid)
{
	const struct cred *c = current_cred();
	uint32_t r = arg_u32(a, 0), e = arg_u32(a, 1), s = arg_u32(a, 2);

	if (!capable(CAP_SETUID) && !(is_uid(r) && is_uid(e) && is_uid(s)))
		return -EPERM;
	return change_uids(pick(r, c->uid), pick(e, c->euid), pick(s, c->suid));
}

SYSCALL(setresgid)
{
	const struct cred *c = current_cred();
	uint32_t r = arg_u32(a, 0), e = arg_u32(a, 1), s = arg_u32(a, 2);

	if (!capable(CAP_SETGID) && !(is_gid(r) && is_gid(e) && is_gid(s)))
		return -EPERM;
	return change_gids(pick(r, c->gid), pick(e, c->egid), pick(s, c->sgid));
}

SYSCALL(setreuid)
{
	const struct cred *c = current_cred();
	uint32_t r = arg_u32(a, 0), e = arg_u32(a, 1), s = c->suid;

	if (!capable(CAP_SETUID) && !((r == NO_ID || r == c->uid || r == c->euid) && is_uid(e)))
		return -EPERM;
	if (r != NO_ID || (e != NO_ID && e != c->uid))
		s = pick(e, c->euid);
	return change_uids(pick(r, c->uid), pick(e, c->euid), s);
}

SYSCALL(setregid)
{
	const struct cred *c = current_cred();
	uint32_t r = arg_u32(a, 0), e = arg_u32(a, 1), s = c->sgid;

	if (!capable(CAP_SETGID) && !((r == NO_ID || r == c->gid || r == c->egid) && is_gid(e)))
		return -EPERM;
	if (r != NO_ID || (e != NO_ID && e != c->gid))
		s = pick(e, c->egid);
	return change_gids(pick(r, c->gid), pick(e, c->egid), s);
}

SYSCALL(setuid)
{
	const struct cred *c = current_cred();
	uint32_t id = arg_u32(a, 0);

	if (id == NO_ID)
		return -EINVAL;
	if (capable(CAP_SETUID))
		return change_uids(id, id, id);
	if (id != c->uid && id != c->suid)
		return -EPERM;
	return change_uids(c->uid, id, c->suid);
}

SYSCALL(setgid)
{
	const struct cred *c = current_cred();
	uint32_t id = arg_u32(a, 0);

	if (id == NO_ID)
		return -EINVAL;
	if (capable(CAP_SETGID))
		return change_gids(id, id, id);
	if (id != c->gid && id != c->sgid)
		return -EPERM;
	return change_gids(c->gid, id, c->sgid);
}

SYSCALL(setfsuid)
{
	const struct cred *old = current_cred();
	uint32_t id = arg_u32(a, 0), was = old->fsuid;
	struct cred *c;

	if (id == NO_ID || !(capable(CAP_SETUID) || is_uid(id) || id == was))
		return was;
	c = cred_copy(old);
	if (!c)
		return was;
	c->fsuid = id;
	cred_replace(c);
	return was;
}

SYSCALL(setfsgid)
{
	const struct cred *old = current_cred();
	uint32_t id = arg_u32(a, 0), was = old->fsgid;
	struct cred *c;

	if (id == NO_ID || !(capable(CAP_SETGID) || is_gid(id) || id == was))
		return was;
	c = cred_copy(old);
	if (!c)
		return was;
	c->fsgid = id;
	cred_replace(c);
	return was;
}

SYSCALL(getgroups)
{
	const struct cred *c = current_cred();
	int room = arg_int(a, 0);

	if (room < 0)
		return -EINVAL;
	if (room == 0)
		return c->ngroups;
	if ((uint32_t)room < c->ngroups)
		return -EINVAL;
	if (copy_to_user(a->v[1], c->groups, c->ngroups * sizeof(c->groups[0])))
		return -EFAULT;
	return c->ngroups;
}

/* Sifts element i of the heap v[n] down. */
static void sift(uint32_t *v, size_t i, size_t n)
{
	for (;;) {
		size_t k = 2 * i + 1;
		uint32_t t = v[i];

		if (k >= n)
			return;
		if (k + 1 < n && v[k + 1] > v[k])
			k++;
		if (v[k] <= t)
			return;
		v[i] = v[k];
		v[k] = t;
		i = k;
	}
}

static void heap_sort(uint32_t *v, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sift(v, i, n);
	for (size_t i = n; i-- > 1;) {
		uint32_t t = v[0];

		v[0] = v[i];
		v[i] = t;
		sift(v, 0, i);
	}
}

SYSCALL(setgroups)
{
	uint64_t n = a->v[0];
	uint32_t *groups;
	struct cred *c = NULL;
	int err = 0;

	if (!capable(CAP_SETGID))
		return -EPERM;
	if (n > NGROUPS_MAX)
		return -EINVAL;
	groups = mm_alloc(MAX(n, 1u) * sizeof(*groups), MM_NORMAL);
	if (!groups)
		return -ENOMEM;
	if (n && copy_from_user(groups, a->v[1], n * sizeof(*groups)))
		err = -EFAULT;
	if (!err) {
		heap_sort(groups, n);
		c = cred_copy_groups(current_cred(), groups, (uint32_t)n);
		err = c ? 0 : -ENOMEM;
	}
	if (!err)
		cred_replace(c);
	mm_free(groups);
	return err;
}

#define CAP_VERSION_1 0x19980330u
#define CAP_VERSION_2 0x20071026u
#define CAP_VERSION_3 0x20080522u

struct cap_header {
	uint32_t version;
	int32_t pid;
};
struct cap_data {
	uint32_t effective, permitted, inheritable;
};

/* Words of the version; 0: unknown (the preferred one is then written back). */
static unsigned cap_words(uint64_t addr, struct cap_header *h)
{
	switch (h->version) {
	case CAP_VERSION_1:
		return 1;
	case CAP_VERSION_2:
	case CAP_VERSION_3:
		return 2;
	default:
		(void)!put_user_u32(addr, CAP_VERSION_3);
		return 0;
	}
}

SYSCALL(capget)
{
	struct cap_header h;
	struct cap_data d[2];
	uint64_t sets[3];
	unsigned words;
	struct task *t;
	unsigned long flags;

	if (copy_from_user(&h, a->v[0], sizeof(h)))
		return -EFAULT;
	words = cap_words(a->v[0], &h);
	if (!words)
		return a->v[1] ? -EINVAL : 0;
	if (h.pid < 0)
		return -EINVAL;
	flags = spin_lock_irqsave(&proc_lock);
	t = h.pid ? task_find_locked(h.pid) : current_task();
	if (t) {
		sets[0] = t->cred->cap_effective;
		sets[1] = t->cred->cap_permitted;
		sets[2] = t->cred->cap_inheritable;
	}
	spin_unlock_irqrestore(&proc_lock, flags);
	if (!t)
		return -ESRCH;
	for (unsigned i = 0; i < 2; i++)
		d[i] = (struct cap_data){(uint32_t)(sets[0] >> 32 * i),
					 (uint32_t)(sets[1] >> 32 * i),
					 (uint32_t)(sets[2] >> 32 * i)};
	return a->v[1] ? copy_to_user(a->v[1], d, words * sizeof(d[0])) : 0;
}

SYSCALL(capset)
{
	const struct cred *old = current_cred();
	struct cap_header h;
	struct cap_data d[2] = {{0, 0, 0}, {0, 0, 0}};
	uint64_t e, p, i;
	unsigned words;
	struct cred *c;

	if (copy_from_user(&h, a->v[0], sizeof(h)))
		return -EFAULT;
	words = cap_words(a->v[0], &h);
	if (!words)
		return -EINVAL;
	if (h.pid && h.pid != current_task()->tid)
		return -EPERM;
	if (copy_from_user(d, a->v[1], words * sizeof(d[0])))
		return -EFAULT;
	e = (d[0].effective | (uint64_t)d[1].effective << 32) & CAP_ALL;
	p = (d[0].permitted | (uint64_t)d[1].permitted << 32) & CAP_ALL;
	i = (d[0].inheritable | (uint64_t)d[1].inheritable << 32) & CAP_ALL;
	if ((p & ~old->cap_permitted) || (e & ~p))
		return -EPERM;
	if (i & ~(old->cap_inheritable | old->cap_permitted) && !capable(CAP_SETPCAP))
		return -EPERM;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	c->cap_effective = e;
	c->cap_permitted = p;
	c->cap_inheritable = i;
	c->cap_ambient &= p & i;
	cred_replace(c);
	return 0;
}
