/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* System calls on attributes: stat and its kin, modes, owners, times, sizes, extended attributes. */
#include "lib/string.h"
#include "port/mem.h"
#include "proc/process.h"
#include "sched/clock.h"
#include "sys/fs_util.h"
#include "vfs/mount.h"
#include "vm/uaccess.h"

struct user_stat {
	uint64_t dev;
	uint64_t ino;
	uint32_t mode;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint64_t rdev;
	uint64_t pad1;
	int64_t size;
	int32_t blksize;
	int32_t pad2;
	int64_t blocks;
	int64_t atime;
	uint64_t atime_nsec;
	int64_t mtime;
	uint64_t mtime_nsec;
	int64_t ctime;
	uint64_t ctime_nsec;
	uint32_t unused[2];
};
_Static_assert(sizeof(struct user_stat) == 128, "struct stat of the ABI");

struct statx_time {
	int64_t sec;
	uint32_t nsec;
	int32_t pad;
};

struct user_statx {
	uint32_t mask;
	uint32_t blksize;
	uint64_t attributes;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint16_t mode;
	uint16_t pad;
	uint64_t ino;
	uint64_t size;
	uint64_t blocks;
	uint64_t attributes_mask;
	struct statx_time atime;
	struct statx_time btime;
	struct statx_time ctime;
	struct statx_time mtime;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint64_t mnt_id;
	uint64_t spare[13];
};
_Static_assert(sizeof(struct user_statx) == 256, "struct statx of the ABI");

#define STATX_BASIC 0x7ffu
#define STATX_BTIME 0x800u
#define STATX_MNT_ID 0x1000u
#define STATX_ATTR_MOUNT_ROOT 0x2000u

/* What a call found: attributes, device, mount. */
struct found {
	struct vfs_attr a;
	uint32_t dev;
	uint32_t mnt_id;
	bool mount_root;
};

static int stat_path(const struct path *p, struct found *s)
{
	int err = vfs_getattr(p, &s->a);

	if (err)
		return err;
	s->dev = p->vn->fs->dev;
	s->mnt_id = p->mnt ? p->mnt->id : 0;
	s->mount_root = p->mnt && p->mnt->root == p->vn;
	return 0;
}

/* A description without a place: pipe, socket, eventfd ... */
static void stat_anon(const struct file *f, struct found *s)
{
	struct vfs_attr *at = &s->a;

	*at = (struct vfs_attr){.ino = f->kind_ino,
				.mode = 0600,
				.nlink = 1,
				.blksize = 4096,
				.uid = current_cred()->fsuid,
				.gid = current_cred()->fsgid};
	if (f->kind && f->kind[0] == 'p')
		at->mode |= VFS_S_IFIFO;
	else if (f->kind && f->kind[0] == 's')
		at->mode = VFS_S_IFSOCK | 0777;
	s->dev = vfs_dev(0, 0xfffff);
}

static int stat_file(struct file *f, struct found *s)
{
	if (f->path.vn)
		return stat_path(&f->path, s);
	stat_anon(f, s);
	return 0;
}

static int stat_fd(int fd, struct found *s)
{
	struct file *f = sys_file(fd);
	int err;

	if (!f)
		return -EBADF;
	err = stat_file(f, s);
	file_put(f);
	return err;
}

static int stat_at(int dirfd, uint64_t name, unsigned flags, struct found *s)
{
	struct sys_at at;
	struct path p;
	char c = 0;
	int err;

	*s = (struct found){.dev = 0};
	/* fstat by AT_EMPTY_PATH: also of what has no place; a null name counts as "" */
	if ((flags & AT_EMPTY_PATH) && dirfd != AT_FDCWD &&
	    (!name || (!copy_from_user(&c, name, 1) && !c)))
		return stat_fd(dirfd, s);
	err = sys_at_begin(&at, dirfd, name);
	if (err)
		return err;
	err = sys_at_walk(&at, flags, &p);
	sys_at_end(&at);
	if (err)
		return err;
	err = stat_path(&p, s);
	path_put(&p);
	return err;
}

static long put_stat(uint64_t user, const struct found *s)
{
	struct user_stat u = {.dev = s->dev,
			      .ino = s->a.ino,
			      .mode = s->a.mode,
			      .nlink = s->a.nlink,
			      .uid = s->a.uid,
			      .gid = s->a.gid,
			      .rdev = s->a.rdev,
			      .size = (int64_t)s->a.size,
			      .blksize = s->a.blksize ? (int32_t)s->a.blksize : 4096,
			      .blocks = (int64_t)s->a.blocks,
			      .atime = s->a.atime.sec,
			      .atime_nsec = s->a.atime.nsec,
			      .mtime = s->a.mtime.sec,
			      .mtime_nsec = s->a.mtime.nsec,
			      .ctime = s->a.ctime.sec,
			      .ctime_nsec = s->a.ctime.nsec};

	return copy_to_user(user, &u, sizeof(u));
}

SYSCALL(newfstatat)
{
	uint32_t flags = arg_u32(a, 3);
	struct found s;
	int err;

	if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	err = stat_at(arg_int(a, 0), a->v[1], flags, &s);
	return err ? err : put_stat(a->v[2], &s);
}

SYSCALL(fstat)
{
	struct found s = {.dev = 0};
	int err = stat_fd(arg_int(a, 0), &s);

	return err ? err : put_stat(a->v[1], &s);
}

static struct statx_time statx_time(struct vfs_time t)
{
	return (struct statx_time){t.sec, t.nsec, 0};
}

SYSCALL(statx)
{
	uint32_t flags = arg_u32(a, 2);
	struct user_statx u = {.mask = STATX_BASIC | STATX_MNT_ID};
	struct found s;
	int err;

	if ((flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH |
				 AT_STATX_SYNC_TYPE)) ||
	    (arg_u32(a, 3) & 0x80000000u))
		return -EINVAL;
	err = stat_at(arg_int(a, 0), a->v[1], flags, &s);
	if (err)
		return err;
	u.blksize = s.a.blksize ? s.a.blksize : 4096;
	u.nlink = s.a.nlink;
	u.uid = s.a.uid;
	u.gid = s.a.gid;
	u.mode = (uint16_t)s.a.mode;
	u.ino = s.a.ino;
	u.size = s.a.size;
	u.blocks = s.a.blocks;
	u.attributes_mask = STATX_ATTR_MOUNT_ROOT;
	u.attributes = s.mount_root ? STATX_ATTR_MOUNT_ROOT : 0;
	u.atime = statx_time(s.a.atime);
	u.mtime = statx_time(s.a.mtime);
	u.ctime = statx_time(s.a.ctime);
	if (s.a.btime.sec || s.a.btime.nsec) {
		u.btime = statx_time(s.a.btime);
		u.mask |= STATX_BTIME;
	}
	u.rdev_major = vfs_dev_major(s.a.rdev);
	u.rdev_minor = vfs_dev_minor(s.a.rdev);
	u.dev_major = vfs_dev_major(s.dev);
	u.dev_minor = vfs_dev_minor(s.dev);
	u.mnt_id = s.mnt_id;
	return copy_to_user(a->v[4], &u, sizeof(u));
}

/* --- statfs --- */

struct user_statfs {
	uint64_t type, bsize, blocks, bfree, bavail, files, ffree;
	uint32_t fsid[2];
	uint64_t namelen, frsize, flags, spare[4];
};
_Static_assert(sizeof(struct user_statfs) == 120, "struct statfs of the ABI");

static long put_statfs(const struct path *p, uint64_t user)
{
	enum { ST_VALID = 0x20 };
	struct vfs_statfs s;
	uint32_t mf;
	struct user_statfs u;
	int err = vfs_statfs(p, &s, &mf);

	if (err)
		return err;
	u = (struct user_statfs){.type = s.type,
				 .bsize = s.bsize,
				 .blocks = s.blocks,
				 .bfree = s.bfree,
				 .bavail = s.bavail,
				 .files = s.files,
				 .ffree = s.ffree,
				 .fsid = {(uint32_t)s.fsid, (uint32_t)(s.fsid >> 32)},
				 .namelen = s.namelen,
				 .frsize = s.bsize};
	u.flags = ST_VALID | (mf & 15u) | (mf & (VFS_MS_NOATIME | VFS_MS_NODIRATIME)) |
		  (mf & VFS_MS_RELATIME ? 4096u : 0u);
	return copy_to_user(user, &u, sizeof(u));
}

SYSCALL(statfs)
{
	struct sys_at at;
	struct path p;
	long n = sys_at_begin(&at, AT_FDCWD, a->v[0]);

	if (n)
		return n;
	n = sys_at_walk(&at, 0, &p);
	sys_at_end(&at);
	if (n)
		return n;
	n = put_statfs(&p, a->v[1]);
	path_put(&p);
	return n;
}

SYSCALL(fstatfs)
{
	struct file *f = sys_file(arg_int(a, 0));
	struct user_statfs pipe = {.type = 0x50495045,
				   .bsize = 4096,
				   .namelen = 255,
				   .frsize = 4096};
	long n;

	if (!f)
		return -EBADF;
	n = f->path.vn ? put_statfs(&f->path, a->v[1]) : copy_to_user(a->v[1], &pipe, sizeof(pipe));
	file_put(f);
	return n;
}

/* --- access --- */

static long do_access(const struct syscall_args *a, uint32_t flags)
{
	const struct cred *k = current_cred();
	uint32_t mode = arg_u32(a, 2);
	struct sys_at at;
	struct path p;
	long err;

	if ((mode & ~7u) || (flags & ~(uint32_t)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
		return -EINVAL;
	err = sys_at_begin(&at, arg_int(a, 0), a->v[1]);
	if (err)
		return err;
	if (!(flags & AT_EACCESS)) {
		at.cred.uid = k->uid;
		at.cred.gid = k->gid;
		at.cred.caps = k->uid ? 0 : k->cap_permitted;
	}
	err = sys_at_walk(&at, flags & (AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH), &p);
	if (!err) {
		err = vfs_access(&p, &at.cred, mode);
		path_put(&p);
	}
	sys_at_end(&at);
	return err;
}

SYSCALL(faccessat)
{
	return do_access(a, 0);
}

SYSCALL(faccessat2)
{
	return do_access(a, arg_u32(a, 3));
}

/* --- Modes, owners, times --- */

static long do_fchmodat(const struct syscall_args *a, uint32_t flags)
{
	struct sys_at at;
	struct path p;
	long err;

	if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = sys_at_begin(&at, arg_int(a, 0), a->v[1]);
	if (err)
		return err;
	err = sys_at_walk(&at, flags, &p);
	if (!err) {
		err = vfs_chmod(&p, &at.cred, arg_u32(a, 2));
		path_put(&p);
	}
	sys_at_end(&at);
	return err;
}

SYSCALL(fchmodat)
{
	return do_fchmodat(a, 0);
}

SYSCALL(fchmodat2)
{
	return do_fchmodat(a, arg_u32(a, 3));
}

SYSCALL(fchmod)
{
	struct file *f = sys_file(arg_int(a, 0));
	struct vfs_cred cred;
	long err = -EINVAL;

	if (!f)
		return -EBADF;
	sys_cred(&cred);
	if (f->mode & FILE_PATH)
		err = -EBADF;
	else if (f->path.vn)
		err = vfs_chmod(&f->path, &cred, arg_u32(a, 1));
	file_put(f);
	return err;
}

SYSCALL(fchownat)
{
	uint32_t flags = arg_u32(a, 4);
	struct sys_at at;
	struct path p;
	long err;

	if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = sys_at_begin(&at, arg_int(a, 0), a->v[1]);
	if (err)
		return err;
	err = sys_at_walk(&at, flags, &p);
	if (!err) {
		err = vfs_chown(&p, &at.cred, arg_u32(a, 2), arg_u32(a, 3));
		path_put(&p);
	}
	sys_at_end(&at);
	return err;
}

SYSCALL(fchown)
{
	struct file *f = sys_file(arg_int(a, 0));
	struct vfs_cred cred;
	long err = -EINVAL;

	if (!f)
		return -EBADF;
	sys_cred(&cred);
	if (f->mode & FILE_PATH)
		err = -EBADF;
	else if (f->path.vn)
		err = vfs_chown(&f->path, &cred, arg_u32(a, 1), arg_u32(a, 2));
	file_put(f);
	return err;
}

struct user_timespec {
	int64_t sec;
	int64_t nsec;
};

#define UTIME_NOW 0x3fffffff
#define UTIME_OMIT 0x3ffffffe

/* The two times of utimensat; *explicit: not "now". */
static int get_times(uint64_t user, struct vfs_time t[2], unsigned *set, bool *explicit_times)
{
	int64_t wall = clock_wall();
	struct vfs_time now = {wall / 1000000000, (uint32_t)(wall % 1000000000)};
	struct user_timespec u[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};

	if (user && copy_from_user(u, user, sizeof(u)))
		return -EFAULT;
	*set = 0;
	*explicit_times = false;
	for (unsigned i = 0; i < 2; i++) {
		t[i] = now;
		if (u[i].nsec == UTIME_OMIT) {
			*explicit_times = true; /* one only: needs the owner */
			continue;
		}
		*set |= i ? VFS_SET_MTIME : VFS_SET_ATIME;
		if (u[i].nsec == UTIME_NOW)
			continue;
		if (u[i].nsec < 0 || u[i].nsec > 999999999)
			return -EINVAL;
		*explicit_times = true;
		t[i] = (struct vfs_time){u[i].sec, (uint32_t)u[i].nsec};
	}
	return 0;
}

SYSCALL(utimensat)
{
	uint32_t flags = arg_u32(a, 3);
	struct vfs_time t[2];
	struct vfs_cred cred;
	struct sys_at at;
	struct path p;
	struct file *f;
	unsigned set;
	bool explicit_times;
	long err = get_times(a->v[2], t, &set, &explicit_times);

	if (!err && (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
		err = -EINVAL;
	if (err || !set)
		return err;
	if (!a->v[1] && arg_int(a, 0) != AT_FDCWD) { /* futimens */
		f = sys_file(arg_int(a, 0));
		if (!f)
			return -EBADF;
		sys_cred(&cred);
		err = !f->path.vn || (f->mode & FILE_PATH)
			      ? -EBADF
			      : vfs_utimes(&f->path, &cred, set, explicit_times, t);
		file_put(f);
		return err;
	}
	err = sys_at_begin(&at, arg_int(a, 0), a->v[1]);
	if (err)
		return err;
	err = sys_at_walk(&at, flags, &p);
	if (!err) {
		err = vfs_utimes(&p, &at.cred, set, explicit_times, t);
		path_put(&p);
	}
	sys_at_end(&at);
	return err;
}

/* --- Sizes --- */

/* 0, or why the size cannot be: negative, or over the limit. */
static long check_size(int64_t size)
{
	if (size < 0)
		return -EINVAL;
	if ((uint64_t)size > current_rlimit(RLIMIT_FSIZE)) {
		signal_self_sig(SIGXFSZ);
		return -EFBIG;
	}
	return 0;
}

SYSCALL(truncate)
{
	struct sys_at at;
	struct path p;
	long err = check_size((int64_t)a->v[1]);

	if (!err)
		err = sys_at_begin(&at, AT_FDCWD, a->v[0]);
	if (err)
		return err;
	err = sys_at_walk(&at, 0, &p);
	if (!err) {
		err = vfs_truncate(&p, &at.cred, NULL, a->v[1]);
		path_put(&p);
	}
	sys_at_end(&at);
	return err;
}

SYSCALL(ftruncate)
{
	struct file *f = sys_file(arg_int(a, 0));
	struct vfs_cred cred;
	long err;

	if (!f)
		return -EBADF;
	sys_cred(&cred);
	err = f->mode & FILE_PATH ? -EBADF : check_size((int64_t)a->v[1]);
	if (!err && (!(f->mode & FILE_WRITE) || !f->path.vn || f->path.vn->type != VFS_S_IFREG))
		err = -EINVAL;
	if (!err)
		err = vfs_truncate(&f->path, &cred, f, a->v[1]);
	file_put(f);
	return err;
}

SYSCALL(fallocate)
{
	int64_t off = (int64_t)a->v[2];
	int64_t len = (int64_t)a->v[3];
	int64_t end;
	struct file *f;
	long err;

	if (off < 0 || len <= 0)
		return -EINVAL;
	if (__builtin_add_overflow(off, len, &end))
		return -EFBIG;
	f = sys_file(arg_int(a, 0));
	if (!f)
		return -EBADF;
	err = arg_u32(a, 1) & 1 ? 0 : check_size(end);
	if (!err)
		err = vfs_fallocate(f, arg_u32(a, 1), (uint64_t)off, (uint64_t)len);
	file_put(f);
	return err;
}
