/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* System calls on descriptors: open, close, dup, fcntl, locks, ioctl. */
#include "fs/pipe/pipe.h"
#include "fs/tmpfs/tmpfs.h"
#include "lib/string.h"
#include "port/mem.h"
#include "proc/clone.h"
#include "proc/process.h"
#include "sync/wait.h"
#include "sys/fs_util.h"
#include "vfs/lock.h"
#include "vm/uaccess.h"

static struct wait_queue locks_wait = WAIT_QUEUE_INIT(locks_wait);

static void wake_lockers(void)
{
	wait_wake_all(&locks_wait);
}

static struct fd_table *fds(void)
{
	return current_task()->fds;
}

/* --- open and close --- */

SYSCALL(openat)
{
	unsigned flags = arg_u32(a, 2) & ~(unsigned)VFS_O_EXEC;
	struct sys_at at;
	struct file *f;
	int err = sys_at_begin(&at, arg_int(a, 0), a->v[1]);

	if (err)
		return err;
	err = vfs_open(&at.from, at.name, flags, arg_u32(a, 3) & 07777, &f);
	sys_at_end(&at);
	if (err)
		return syscall_restart(err);
	err = fdtable_install(fds(), f, 0, current_rlimit(RLIMIT_NOFILE),
			      (flags & VFS_O_CLOEXEC) != 0);
	if (err < 0)
		file_put(f);
	return err;
}

SYSCALL(close)
{
	return fdtable_close(fds(), arg_int(a, 0));
}

SYSCALL(close_range)
{
	enum { UNSHARE = 2, CLOEXEC = 4 };
	uint32_t first = arg_u32(a, 0);
	uint32_t last = arg_u32(a, 1);
	uint32_t flags = arg_u32(a, 2);

	if ((flags & ~(uint32_t)(UNSHARE | CLOEXEC)) || first > last)
		return -EINVAL;
	if (flags & UNSHARE) {
		int err = task_unshare(CLONE_FILES);

		if (err)
			return err;
	}
	fdtable_close_range(fds(), first, last, (flags & CLOEXEC) != 0);
	return 0;
}

SYSCALL(dup)
{
	struct file *f = sys_file(arg_int(a, 0));
	int fd;

	if (!f)
		return -EBADF;
	fd = fdtable_install(fds(), f, 0, current_rlimit(RLIMIT_NOFILE), false);
	if (fd < 0)
		file_put(f);
	return fd;
}

SYSCALL(dup3)
{
	struct file *f;
	int fd;

	if (arg_u32(a, 2) & ~(uint32_t)VFS_O_CLOEXEC)
		return -EINVAL;
	if (arg_int(a, 0) == arg_int(a, 1))
		return -EINVAL;
	f = sys_file(arg_int(a, 0));
	if (!f)
		return -EBADF;
	fd = fdtable_replace(fds(), f, arg_int(a, 1), current_rlimit(RLIMIT_NOFILE),
			     (arg_u32(a, 2) & VFS_O_CLOEXEC) != 0);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* --- Locks --- */

struct user_flock {
	int16_t type;
	int16_t whence;
	int32_t pad;
	int64_t start;
	int64_t len;
	int32_t pid;
	int32_t pad2;
};
_Static_assert(sizeof(struct user_flock) == 32, "struct flock of the ABI");

/* Tries until it works or a signal comes. */
static int lock_wait(struct vnode *vn, const struct vfs_lock *l)
{
	for (;;) {
		uint64_t gen = vfs_lock_generation();
		int err = vfs_lock_set(vn, l);

		if (err != -EAGAIN)
			return err;
		err = WAIT_EVENT_UNTIL(&locks_wait, vfs_lock_generation() != gen, WAIT_FOREVER,
				       WAIT_INTERRUPTIBLE);
		if (err)
			return err;
	}
}

static int set_lock(struct vnode *vn, const struct vfs_lock *l, bool wait)
{
	static _Atomic uint32_t installed;

	if (!atomic_exchange_explicit(&installed, 1, memory_order_relaxed))
		vfs_lock_install_wake(wake_lockers);
	return wait ? lock_wait(vn, l) : vfs_lock_set(vn, l);
}

SYSCALL(flock)
{
	enum { SH = 1, EX = 2, NB = 4, UN = 8, MAND = 32 };
	int op = arg_int(a, 1);
	struct file *f = sys_file(arg_int(a, 0));
	struct vfs_lock l = {.kind = VFS_LOCK_FLOCK, .owner = f, .end = INT64_MAX};
	long err = 0;

	if (!f)
		return -EBADF;
	if (op & MAND) {
		/* Mandatory locks came to nothing long ago: Linux answers so since. */
		file_put(f);
		return 0;
	}
	switch (op & ~NB) {
	case SH:
		l.type = VFS_RDLCK;
		break;
	case EX:
		l.type = VFS_WRLCK;
		break;
	case UN:
		l.type = VFS_UNLCK;
		break;
	default:
		err = -EINVAL;
	}
	if (!err && ((f->mode & FILE_PATH) || !f->path.vn))
		err = -EBADF;
	l.pid = current_process()->pid;
	if (!err)
		err = set_lock(f->path.vn, &l, !(op & NB));
	file_put(f);
	return syscall_restart(err);
}

static int to_lock(struct file *f, const struct user_flock *u, struct vfs_lock *l)
{
	uint64_t base = 0;
	int64_t start;
	int err = 0;

	if (u->whence == 1)
		base = f->pos;
	else if (u->whence == 2)
		err = vnode_size(f->path.vn, &base);
	else if (u->whence != 0)
		err = -EINVAL;
	if (err)
		return err;
	if (__builtin_add_overflow((int64_t)base, u->start, &start))
		return -EOVERFLOW;
	if (u->len < 0) {
		if (__builtin_add_overflow(start, u->len, &start))
			return -EINVAL;
	}
	if (start < 0)
		return -EINVAL;
	l->start = (uint64_t)start;
	if (u->len == 0)
		l->end = INT64_MAX;
	else if (__builtin_add_overflow(l->start, (uint64_t)(u->len < 0 ? -u->len : u->len) - 1,
					&l->end) ||
		 l->end > INT64_MAX)
		return -EOVERFLOW;
	if (u->type < 0 || u->type > 2)
		return -EINVAL;
	l->type = (enum vfs_lock_type)u->type;
	return 0;
}

enum { F_GETLK = 5, F_SETLK, F_SETLKW, F_OFD_GETLK = 36, F_OFD_SETLK, F_OFD_SETLKW };

static long record_lock(struct file *f, int cmd, uint64_t user)
{
	bool ofd = cmd >= F_OFD_GETLK;
	struct vfs_lock l = {.kind = ofd ? VFS_LOCK_OFD : VFS_LOCK_POSIX,
			     .owner = ofd ? (const void *)f : (const void *)fds(),
			     .pid = ofd ? -1 : current_process()->pid};
	struct user_flock u;
	int err;

	if (copy_from_user(&u, user, sizeof(u)))
		return -EFAULT;
	if (!f->path.vn)
		return -EINVAL;
	if (ofd && u.pid)
		return -EINVAL;
	err = to_lock(f, &u, &l);
	if (err)
		return err;
	if (cmd == F_GETLK || cmd == F_OFD_GETLK) {
		if (l.type == VFS_UNLCK)
			return -EINVAL;
		vfs_lock_test(f->path.vn, &l);
		u.type = (int16_t)l.type;
		if (l.type != VFS_UNLCK) {
			u.whence = 0;
			u.start = (int64_t)l.start;
			u.len = l.end == INT64_MAX ? 0 : (int64_t)(l.end - l.start + 1);
			u.pid = l.pid;
		}
		return copy_to_user(user, &u, sizeof(u));
	}
	if ((l.type == VFS_RDLCK && !(f->mode & FILE_READ)) ||
	    (l.type == VFS_WRLCK && !(f->mode & FILE_WRITE)))
		return -EBADF;
	return syscall_restart(set_lock(f->path.vn, &l, cmd == F_SETLKW || cmd == F_OFD_SETLKW));
}

/* --- fcntl --- */

enum {
	F_DUPFD,
	F_GETFD,
	F_SETFD,
	F_GETFL,
	F_SETFL,
	F_SETOWN = 8,
	F_GETOWN,
	F_SETSIG,
	F_GETSIG,
	F_SETOWN_EX = 15,
	F_GETOWN_EX,
	F_SETLEASE = 1024,
	F_GETLEASE,
	F_DUPFD_CLOEXEC = 1030,
	F_SETPIPE_SZ = 1031,
	F_GETPIPE_SZ = 1032,
};

static void set_flags(struct file *f, unsigned flags)
{
	const unsigned mask =
		VFS_O_APPEND | VFS_O_NONBLOCK | VFS_O_ASYNC | VFS_O_DIRECT | VFS_O_NOATIME;
	unsigned old = atomic_load_explicit(&f->flags, memory_order_relaxed);

	atomic_store_explicit(&f->flags, (old & ~mask) | (flags & mask), memory_order_relaxed);
	if (f->ops && f->ops->flags_changed)
		f->ops->flags_changed(f);
}

static long dup_from(struct file *f, uint64_t from, bool cloexec)
{
	int fd;

	if (from > INT32_MAX || from >= current_rlimit(RLIMIT_NOFILE))
		return -EINVAL;
	file_get(f);
	fd = fdtable_install(fds(), f, (unsigned)from, current_rlimit(RLIMIT_NOFILE), cloexec);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* The owner by kind and number; a group is stored negative, as F_SETOWN has it. */
static long owner_ex(struct file *f, bool set, uint64_t user)
{
	enum { OWNER_TID, OWNER_PID, OWNER_PGRP };
	struct {
		int32_t type;
		int32_t pid;
	} o;

	if (set) {
		if (copy_from_user(&o, user, sizeof(o)))
			return -EFAULT;
		if (o.type < OWNER_TID || o.type > OWNER_PGRP)
			return -EINVAL;
		if (o.type == OWNER_PGRP)
			o.pid = -o.pid;
		atomic_store_explicit(&f->owner, (uint32_t)o.pid, memory_order_relaxed);
		return 0;
	}
	o.pid = (int32_t)atomic_load_explicit(&f->owner, memory_order_relaxed);
	o.type = o.pid < 0 ? OWNER_PGRP : OWNER_PID;
	o.pid = o.pid < 0 ? -o.pid : o.pid;
	return copy_to_user(user, &o, sizeof(o)) ? -EFAULT : 0;
}

static long fcntl_file(struct file *f, int fd, int cmd, uint64_t arg)
{
	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return dup_from(f, arg, cmd == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return fdtable_get_cloexec(fds(), fd);
	case F_SETFD:
		return fdtable_set_cloexec(fds(), fd, (arg & 1) != 0);
	case F_GETFL:
		return (long)(atomic_load_explicit(&f->flags, memory_order_relaxed) |
			      (f->mode & FILE_PATH ? 0u : (unsigned)VFS_O_LARGEFILE));
	default:
		break;
	}
	if (f->mode & FILE_PATH)
		return -EBADF;
	switch (cmd) {
	case F_SETFL:
		set_flags(f, (unsigned)arg);
		return 0;
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return record_lock(f, cmd, arg);
	case F_SETOWN:
		atomic_store_explicit(&f->owner, (uint32_t)arg, memory_order_relaxed);
		return 0;
	case F_GETOWN:
		return (int32_t)atomic_load_explicit(&f->owner, memory_order_relaxed);
	case F_SETOWN_EX:
	case F_GETOWN_EX:
		return owner_ex(f, cmd == F_SETOWN_EX, arg);
	case F_SETSIG:
		if (arg > 64)
			return -EINVAL;
		f->sig = (int32_t)arg;
		return 0;
	case F_GETSIG:
		return f->sig;
	case F_GETLEASE:
		return 2; /* F_UNLCK: nobody has one */
	case F_GETPIPE_SZ:
		return pipe_get_size(f);
	case F_SETPIPE_SZ:
		return pipe_set_size(f, arg, capable(CAP_SYS_RESOURCE));
	default:
		return -EINVAL;
	}
}

SYSCALL(fcntl)
{
	struct file *f = sys_file(arg_int(a, 0));
	long n;

	if (!f)
		return -EBADF;
	n = fcntl_file(f, arg_int(a, 0), arg_int(a, 1), a->v[2]);
	file_put(f);
	return n;
}

/* --- ioctl --- */

enum {
	FIONREAD = 0x541b,
	FIONBIO = 0x5421,
	FIONCLEX = 0x5450,
	FIOCLEX = 0x5451,
	FIOASYNC = 0x5452,
	FIOQSIZE = 0x5460,
};

static long ioctl_flag(struct file *f, uint64_t arg, unsigned flag)
{
	uint32_t on;

	if (get_user_u32(&on, arg))
		return -EFAULT;
	if (on)
		atomic_fetch_or_explicit(&f->flags, flag, memory_order_relaxed);
	else
		atomic_fetch_and_explicit(&f->flags, ~flag, memory_order_relaxed);
	if (f->ops->flags_changed)
		f->ops->flags_changed(f);
	return 0;
}

static long ioctl_file(struct file *f, int fd, unsigned cmd, uint64_t arg)
{
	uint64_t size;
	int err;

	switch (cmd) {
	case FIOCLEX:
	case FIONCLEX:
		return fdtable_set_cloexec(fds(), fd, cmd == FIOCLEX);
	case FIONBIO:
		return ioctl_flag(f, arg, VFS_O_NONBLOCK);
	case FIOASYNC:
		return ioctl_flag(f, arg, VFS_O_ASYNC);
	default:
		break;
	}
	if (cmd == FIONREAD && f->path.vn && f->path.vn->type == VFS_S_IFREG) {
		err = vnode_size(f->path.vn, &size);
		if (err)
			return err;
		return put_user_u32(arg, size > f->pos ? (uint32_t)(size - f->pos) : 0);
	}
	return f->ops->ioctl ? (long)f->ops->ioctl(f, cmd, arg) : -ENOTTY;
}

SYSCALL(ioctl)
{
	struct file *f = sys_file(arg_int(a, 0));
	long n;

	if (!f)
		return -EBADF;
	n = f->mode & FILE_PATH ? -EBADF : ioctl_file(f, arg_int(a, 0), arg_u32(a, 1), a->v[2]);
	file_put(f);
	return syscall_restart(n);
}

/* --- Descriptors without a name --- */

SYSCALL(pipe2)
{
	uint32_t flags = arg_u32(a, 1);
	struct file *f[2];
	int fd[2];
	int err;

	if (flags & ~(uint32_t)(VFS_O_CLOEXEC | VFS_O_NONBLOCK | VFS_O_DIRECT))
		return -EINVAL;
	err = pipe_create(flags & VFS_O_NONBLOCK, f);
	if (err)
		return err;
	err = fdtable_install2(fds(), f, current_rlimit(RLIMIT_NOFILE),
			       (flags & VFS_O_CLOEXEC) != 0, fd);
	if (err) {
		file_put(f[0]);
		file_put(f[1]);
		return err;
	}
	if (copy_to_user(a->v[0], fd, sizeof(fd))) {
		(void)!fdtable_close(fds(), fd[0]);
		(void)!fdtable_close(fds(), fd[1]);
		return -EFAULT;
	}
	return 0;
}

SYSCALL(memfd_create)
{
	enum { CLOEXEC = 1, ALLOW_SEALING = 2, NOEXEC_SEAL = 8, EXEC = 16 };
	uint32_t flags = arg_u32(a, 1);
	struct file *f;
	char *name;
	int fd;
	int err;

	if (flags & ~(uint32_t)(CLOEXEC | ALLOW_SEALING | NOEXEC_SEAL | EXEC))
		return -EINVAL;
	err = sys_name(a->v[0], &name);
	if (err)
		return err;
	err = strlen(name) > 249 ? -EINVAL : tmpfs_memfd("/memfd:", &f);
	port_free(name);
	if (err)
		return err;
	fd = fdtable_install(fds(), f, 0, current_rlimit(RLIMIT_NOFILE), (flags & CLOEXEC) != 0);
	if (fd < 0)
		file_put(f);
	return fd;
}
