/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* System calls that move data: read, write and their kin; positions; synchronization. */
#include "lib/string.h"
#include "port/mem.h"
#include "proc/process.h"
#include "sys/fs_util.h"
#include "vm/uaccess.h"

#define CHUNK ((size_t)65536)

static long do_read(struct file *f, struct sys_iter *s)
{
	if (s->it.left == 0 && !(f->mode & FILE_READ))
		return -EBADF;
	return sys_io_result(file_read(f, &s->it));
}

static long do_write(struct file *f, struct sys_iter *s)
{
	struct vfs_cred cred;

	sys_cred(&cred);
	return sys_io_result(file_write(f, &s->it, &cred, current_rlimit(RLIMIT_FSIZE)));
}

SYSCALL(read)
{
	struct file *f = sys_file(arg_int(a, 0));
	struct sys_iter s;
	long n;

	if (!f)
		return -EBADF;
	sys_iter_one(&s, a->v[1], a->v[2], true);
	n = uaccess_range_ok(a->v[1], s.it.left) ? do_read(f, &s) : -EFAULT;
	file_put(f);
	return n;
}

SYSCALL(write)
{
	struct file *f = sys_file(arg_int(a, 0));
	struct sys_iter s;
	long n;

	if (!f)
		return -EBADF;
	sys_iter_one(&s, a->v[1], a->v[2], false);
	n = uaccess_range_ok(a->v[1], s.it.left) ? do_write(f, &s) : -EFAULT;
	file_put(f);
	return n;
}

static long vec_call(const struct syscall_args *a, bool read)
{
	struct file *f = sys_file(arg_int(a, 0));
	struct sys_iter s;
	long n;

	if (!f)
		return -EBADF;
	n = sys_iter_vec(&s, a->v[1], a->v[2], read);
	if (!n) {
		n = read ? do_read(f, &s) : do_write(f, &s);
		sys_iter_end(&s);
	}
	file_put(f);
	return n;
}

SYSCALL(readv)
{
	return vec_call(a, true);
}

SYSCALL(writev)
{
	return vec_call(a, false);
}

/* With a position; *s is ready. */
static long at_call(struct file *f, struct sys_iter *s, int64_t pos, bool read)
{
	struct vfs_cred cred;

	if (pos < 0)
		return -EINVAL;
	if (read)
		return sys_io_result(file_pread(f, &s->it, (uint64_t)pos));
	sys_cred(&cred);
	return sys_io_result(
		file_pwrite(f, &s->it, (uint64_t)pos, &cred, current_rlimit(RLIMIT_FSIZE)));
}

static long one_at(const struct syscall_args *a, bool read)
{
	struct file *f = sys_file(arg_int(a, 0));
	struct sys_iter s;
	long n;

	if (!f)
		return -EBADF;
	sys_iter_one(&s, a->v[1], a->v[2], read);
	n = uaccess_range_ok(a->v[1], s.it.left) ? at_call(f, &s, (int64_t)a->v[3], read) : -EFAULT;
	file_put(f);
	return n;
}

SYSCALL(pread64)
{
	return one_at(a, true);
}

SYSCALL(pwrite64)
{
	return one_at(a, false);
}

/* preadv2 and pwritev2 with position -1 use the file's. */
static long vec_at(const struct syscall_args *a, bool read, bool own_pos)
{
	struct file *f = sys_file(arg_int(a, 0));
	int64_t pos = (int64_t)a->v[3];
	struct sys_iter s;
	long n;

	if (!f)
		return -EBADF;
	n = sys_iter_vec(&s, a->v[1], a->v[2], read);
	if (!n) {
		if (own_pos && pos == -1)
			n = read ? do_read(f, &s) : do_write(f, &s);
		else
			n = at_call(f, &s, pos, read);
		sys_iter_end(&s);
	}
	file_put(f);
	return n;
}

SYSCALL(preadv)
{
	return vec_at(a, true, false);
}

SYSCALL(pwritev)
{
	return vec_at(a, false, false);
}

SYSCALL(preadv2)
{
	return arg_int(a, 5) ? -EOPNOTSUPP : vec_at(a, true, true);
}

SYSCALL(pwritev2)
{
	return arg_int(a, 5) ? -EOPNOTSUPP : vec_at(a, false, true);
}

SYSCALL(lseek)
{
	struct file *f = sys_file(arg_int(a, 0));
	long n;

	if (!f)
		return -EBADF;
	n = (long)file_seek(f, (int64_t)a->v[1], arg_int(a, 2));
	file_put(f);
	return n;
}

/* --- Between files --- */

struct copy {
	struct file *in, *out;
	bool in_at, out_at; /* use the positions here, not the files' */
	uint64_t in_pos, out_pos;
	uint64_t len;
	bool apart; /* refuse overlapping ranges of one file */
};

static int64_t copy_chunk(struct copy *c, uint8_t *buf, size_t n)
{
	struct vfs_cred cred;
	struct vfs_iter it;
	int64_t got;
	int64_t put;
	uint64_t limit = current_rlimit(RLIMIT_FSIZE);

	sys_cred(&cred);
	vfs_iter_to(&it, buf, n);
	got = c->in_at ? file_pread(c->in, &it, c->in_pos) : file_read(c->in, &it);
	if (got <= 0)
		return got;
	vfs_iter_from(&it, buf, (size_t)got);
	put = c->out_at ? file_pwrite(c->out, &it, c->out_pos, &cred, limit)
			: file_write(c->out, &it, &cred, limit);
	if (!c->in_at && put < got && (c->in->mode & FILE_SEEK)) /* what was not written */
		(void)file_seek(c->in, (put > 0 ? put : 0) - got, 1);
	if (put > 0) {
		c->in_pos += (uint64_t)put;
		c->out_pos += (uint64_t)put;
	}
	return put;
}

static int64_t copy_data(struct copy *c)
{
	uint8_t *buf = port_alloc(CHUNK);
	int64_t total = 0;
	int64_t n = 0;

	if (!buf)
		return -ENOMEM;
	while ((uint64_t)total < c->len) {
		size_t want = (size_t)MIN(c->len - (uint64_t)total, CHUNK);

		n = copy_chunk(c, buf, want);
		if (n <= 0)
			break;
		total += n;
		if ((size_t)n < want && !(c->in->mode & FILE_SEEK))
			break;
		if (signal_pending())
			break;
	}
	port_free(buf);
	return total ? total : n;
}

/* A position in user memory (0: none) in or out. */
static int get_pos(uint64_t user, bool *at, uint64_t *pos)
{
	*at = user != 0;
	if (!user)
		return 0;
	if (get_user_u64(pos, user))
		return -EFAULT;
	return *pos > INT64_MAX ? -EINVAL : 0;
}

/* Would the copy within one file read what it has written? */
static bool overlaps(const struct copy *c)
{
	uint64_t in = c->in_at ? c->in_pos : c->in->pos;
	uint64_t out = c->out_at ? c->out_pos : c->out->pos;

	return c->in->path.vn && c->in->path.vn == c->out->path.vn && in < out + c->len &&
	       out < in + c->len;
}

static long run_copy(struct copy *c, uint64_t user_in, uint64_t user_out)
{
	int64_t n = get_pos(user_in, &c->in_at, &c->in_pos);

	if (!n)
		n = get_pos(user_out, &c->out_at, &c->out_pos);
	if (n)
		return (long)n;
	if (c->apart && overlaps(c))
		return -EINVAL;
	n = copy_data(c);
	if (n > 0 && user_in && put_user_u64(user_in, c->in_pos))
		return -EFAULT;
	if (n > 0 && user_out && put_user_u64(user_out, c->out_pos))
		return -EFAULT;
	return sys_io_result(n);
}

SYSCALL(sendfile)
{
	struct copy c = {.out = sys_file(arg_int(a, 0)),
			 .in = sys_file(arg_int(a, 1)),
			 .len = MIN(a->v[3], (uint64_t)0x7ffff000)};
	long n = -EBADF;

	if (c.in && c.out) {
		if (!(c.in->mode & FILE_READ) || !(c.out->mode & FILE_WRITE))
			n = -EBADF;
		else if (!c.in->path.vn || !(c.in->mode & FILE_SEEK))
			n = -EINVAL;
		else
			n = run_copy(&c, a->v[2], 0);
	}
	file_put(c.in);
	file_put(c.out);
	return n;
}

SYSCALL(copy_file_range)
{
	struct copy c = {.in = sys_file(arg_int(a, 0)),
			 .out = sys_file(arg_int(a, 2)),
			 .len = MIN(a->v[4], (uint64_t)0x7ffff000),
			 .apart = true};
	long n = -EBADF;

	if (c.in && c.out) {
		bool dirs = (c.in->path.vn && vnode_is_dir(c.in->path.vn)) ||
			    (c.out->path.vn && vnode_is_dir(c.out->path.vn));

		if (arg_int(a, 5))
			n = -EINVAL;
		else if (dirs)
			n = -EISDIR;
		else if (!(c.in->mode & FILE_SEEK) || !(c.out->mode & FILE_SEEK))
			n = -EINVAL;
		else if (!(c.in->mode & FILE_READ) || !(c.out->mode & FILE_WRITE) ||
			 (atomic_load_explicit(&c.out->flags, memory_order_relaxed) & VFS_O_APPEND))
			n = -EBADF;
		else
			n = run_copy(&c, a->v[1], a->v[3]);
	}
	file_put(c.in);
	file_put(c.out);
	return n;
}

/* --- To stable storage --- */

static long sync_file(const struct syscall_args *a, bool data_only)
{
	struct file *f = sys_file(arg_int(a, 0));
	long err;

	if (!f)
		return -EBADF;
	err = file_fsync(f, data_only);
	file_put(f);
	return err;
}

SYSCALL(fsync)
{
	return sync_file(a, false);
}

SYSCALL(fdatasync)
{
	return sync_file(a, true);
}

SYSCALL(sync)
{
	(void)a;
	/* sync(2) has no errors; the file system has reported its own */
	if (vfs_sync_all())
		return 0;
	return 0;
}

SYSCALL(syncfs)
{
	struct file *f = sys_file(arg_int(a, 0));
	long err = 0;

	if (!f)
		return -EBADF;
	if (f->mode & FILE_PATH)
		err = -EBADF;
	else if (f->path.vn)
		err = vfs_fs_sync(f->path.vn->fs);
	file_put(f);
	return err;
}

SYSCALL(sync_file_range)
{
	struct file *f = sys_file(arg_int(a, 0));
	long err = -ESPIPE;

	if (!f)
		return -EBADF;
	if ((int64_t)a->v[1] < 0 || (int64_t)a->v[2] < 0 || (arg_u32(a, 3) & ~7u))
		err = -EINVAL;
	else if (f->path.vn && f->path.vn->type == VFS_S_IFREG)
		err = page_cache_flush(f->path.vn, a->v[1], a->v[2]);
	file_put(f);
	return err;
}

SYSCALL(fadvise64)
{
	struct file *f = sys_file(arg_int(a, 0));
	long err = 0;

	if (!f)
		return -EBADF;
	if (!f->path.mnt)
		err = -ESPIPE;
	else if (arg_u32(a, 3) > 5)
		err = -EINVAL;
	file_put(f);
	return err;
}

SYSCALL(readahead)
{
	struct file *f = sys_file(arg_int(a, 0));
	long err = 0;

	if (!f)
		return -EBADF;
	if (!(f->mode & FILE_READ))
		err = -EBADF;
	else if (!f->path.vn || f->path.vn->type != VFS_S_IFREG)
		err = -EINVAL;
	file_put(f);
	return err;
}
