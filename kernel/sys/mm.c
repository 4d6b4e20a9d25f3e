/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Memory: mmap and its family. */
#include "base/overflow.h"
#include "proc/process.h"
#include "sys/syscall.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vfs/mount.h"
#include "vfs/vnode.h"
#include "vm/filemap.h"
#include "vm/space.h"
#include "vm/uaccess.h"

enum {
	MAP_SHARED = 1,
	MAP_PRIVATE = 2,
	MAP_SHARED_VALIDATE = 3,
	MAP_TYPE = 15,
	MAP_FIXED = 0x10,
	MAP_ANONYMOUS = 0x20,
	MAP_GROWSDOWN = 0x100,
	MAP_LOCKED = 0x2000,
	MAP_NORESERVE = 0x4000,
	MAP_POPULATE = 0x8000,
	MAP_FIXED_NOREPLACE = 0x100000,
	PROT_GROWSDOWN = 0x01000000,
	PROT_GROWSUP = 0x02000000,
};

/* Checks f against the request and fills in object and file. */
static int map_file(struct vm_map_args *m, struct file *f, unsigned type)
{
	struct vnode *vn = f->path.vn;
	bool shared = type != MAP_PRIVATE;

	if (!vn || vn->type != VFS_S_IFREG ||
	    (atomic_load_explicit(&vn->flags, memory_order_relaxed) & VNODE_NO_MMAP))
		return -ENODEV;
	if (!(f->mode & FILE_READ))
		return -EACCES;
	if (shared && (m->prot & VM_WRITE) && !(f->mode & FILE_WRITE))
		return -EACCES;
	if ((m->prot & VM_EXEC) && f->path.mnt &&
	    (atomic_load_explicit(&f->path.mnt->flags, memory_order_relaxed) & VFS_MS_NOEXEC))
		return -EPERM;
	if (shared && (f->mode & FILE_WRITE))
		m->flags |= VM_MAYWRITE;
	m->object = filemap_object(vn);
	m->file = f;
	return m->object ? 0 : -ENOMEM;
}

static int64_t map_object(struct vm_map_args *m, unsigned type, unsigned flags, int fd)
{
	struct file *f = NULL;
	int64_t res = 0;

	if (flags & MAP_ANONYMOUS) {
		m->pgoff = 0;
		if (type == MAP_SHARED && m->len && m->len <= ARCH_USER_END) {
			m->flags |= VM_MAYWRITE;
			m->object = vm_shared_create((m->len + PAGE_MASK) >> PAGE_SHIFT);
			if (!m->object)
				res = -ENOMEM;
		}
	} else {
		f = fdtable_file(current_task()->fds, fd);
		if (!f)
			return -EBADF;
		if (f->mode & FILE_PATH)
			res = -EBADF;
		if (!res && m->len == 0)
			res = -EINVAL;
		if (!res)
			res = map_file(m, f, type);
	}
	if (!res)
		res = vm_map(vm_current(), m);
	if (m->object)
		vm_object_put(m->object);
	file_put(f);
	return res;
}

SYSCALL(mmap)
{
	unsigned flags = arg_u32(a, 3), type = flags & MAP_TYPE;
	struct vm_map_args m = {
		.addr = a->v[0],
		.len = a->v[1],
		.prot = arg_u32(a, 2) & 7,
		.pgoff = a->v[5] >> PAGE_SHIFT,
		.fixed = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0,
		.noreplace = (flags & MAP_FIXED_NOREPLACE) != 0,
		.populate = (flags & (MAP_POPULATE | MAP_LOCKED)) != 0,
	};

	if (a->v[5] & PAGE_MASK)
		return -EINVAL;
	if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (type != MAP_PRIVATE)
		m.flags |= VM_SHARED;
	if (type == MAP_SHARED_VALIDATE)
		type = MAP_SHARED;
	if (flags & MAP_GROWSDOWN)
		m.flags |= VM_GROWSDOWN;
	if (flags & MAP_LOCKED)
		m.flags |= VM_LOCKED;
	return map_object(&m, type, flags, arg_int(a, 4));
}

SYSCALL(munmap)
{
	return vm_unmap(vm_current(), a->v[0], a->v[1]);
}

SYSCALL(mprotect)
{
	uint32_t prot = arg_u32(a, 2);

	if (prot & ~(uint32_t)(7 | 8 | PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	if (prot & PROT_GROWSUP)
		return -EINVAL;
	return vm_protect(vm_current(), a->v[0], a->v[1], prot & 7, prot & PROT_GROWSDOWN);
}

SYSCALL(mremap)
{
	return vm_remap(vm_current(), a->v[0], a->v[1], a->v[2], (unsigned)MIN(a->v[3], 0xffffu),
			a->v[4]);
}

SYSCALL(brk)
{
	return (long)vm_brk(vm_current(), a->v[0]);
}

SYSCALL(madvise)
{
	return vm_advise(vm_current(), a->v[0], a->v[1], arg_int(a, 2));
}

SYSCALL(msync)
{
	return vm_sync(vm_current(), a->v[0], a->v[1], arg_u32(a, 2));
}

SYSCALL(mincore)
{
	uint64_t pages = (a->v[1] + PAGE_MASK) >> PAGE_SHIFT;
	uint8_t vec[256];

	if (a->v[0] & PAGE_MASK)
		return -EINVAL;
	if (!range_fits(a->v[0], a->v[1], ARCH_USER_END))
		return -ENOMEM;
	for (uint64_t at = 0; at < pages;) {
		size_t n = MIN(pages - at, sizeof(vec));
		int err = vm_incore(vm_current(), a->v[0] + at * PAGE_SIZE, n, vec);

		if (err)
			return err;
		if (copy_to_user(a->v[2] + at, vec, n))
			return -EFAULT;
		at += n;
	}
	return 0;
}

/* May the process lock len more bytes? */
static bool lock_allowed(uint64_t len)
{
	return capable(CAP_IPC_LOCK) || len <= current_rlimit(RLIMIT_MEMLOCK);
}

SYSCALL(mlock)
{
	if (!lock_allowed(a->v[1]))
		return -ENOMEM;
	return vm_lock_range(vm_current(), a->v[0], a->v[1], true, true);
}

SYSCALL(mlock2)
{
	if (arg_u32(a, 2) & ~1u)
		return -EINVAL;
	if (!lock_allowed(a->v[1]))
		return -ENOMEM;
	return vm_lock_range(vm_current(), a->v[0], a->v[1], true, !(arg_u32(a, 2) & 1));
}

SYSCALL(munlock)
{
	return vm_lock_range(vm_current(), a->v[0], a->v[1], false, false);
}

SYSCALL(mlockall)
{
	uint32_t flags = arg_u32(a, 0);

	if (!flags || (flags & ~7u) || flags == 4)
		return -EINVAL;
	if (!lock_allowed(UINT64_MAX))
		return -EPERM;
	/* Nothing is ever paged out: locking is kept in mind for future mappings only. */
	vm_current()->lock_future = (flags & 2) != 0;
	return 0;
}

SYSCALL(munlockall)
{
	(void)a;
	vm_current()->lock_future = false;
	return 0;
}
