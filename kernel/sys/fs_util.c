/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Descriptors, names and user iterators for the handlers of file system calls. */
#include "sys/fs_util.h"

#include "lib/string.h"
#include "port/mem.h"
#include "proc/process.h"
#include "vm/uaccess.h"

#define IOV_MAX 1024u
#define RW_MAX 0x7ffff000u /* Linux's bound of one call */

struct file *sys_file(int fd)
{
	return fdtable_file(current_task()->fds, fd);
}

void sys_cred(struct vfs_cred *c)
{
	const struct cred *k = current_cred();

	*c = (struct vfs_cred){.uid = k->fsuid,
			       .gid = k->fsgid,
			       .groups = k->groups,
			       .ngroups = k->ngroups,
			       .caps = k->cap_effective};
}

int sys_name(uint64_t user, char **out)
{
	char *name = port_alloc(VFS_PATH_MAX);
	int64_t n;

	if (!name)
		return -ENOMEM;
	n = strncpy_from_user(name, user, VFS_PATH_MAX);
	if (n < 0) {
		port_free(name);
		return (int)n;
	}
	*out = name;
	return 0;
}

int sys_at_begin(struct sys_at *s, int dirfd, uint64_t name)
{
	int err;

	*s = (struct sys_at){.dir = NULL};
	sys_cred(&s->cred);
	s->from = (struct vfs_walk_from){current_task()->fs, NULL, &s->cred};
	err = sys_name(name, &s->name);
	if (err)
		return err;
	if (dirfd == AT_FDCWD || s->name[0] == '/')
		return 0;
	s->dir = sys_file(dirfd);
	if (!s->dir) {
		port_free(s->name);
		return -EBADF;
	}
	if (!s->dir->path.mnt || (s->name[0] && !vnode_is_dir(s->dir->path.vn))) {
		/* not a directory; "" with AT_EMPTY_PATH means the file itself */
		if (s->name[0] || !s->dir->path.vn) {
			sys_at_end(s);
			return -ENOTDIR;
		}
	}
	s->from.at = &s->dir->path;
	return 0;
}

void sys_at_end(struct sys_at *s)
{
	file_put(s->dir);
	port_free(s->name);
}

int sys_at_walk(struct sys_at *s, unsigned flags, struct path *out)
{
	return vfs_walk(&s->from, s->name,
			(flags & AT_SYMLINK_NOFOLLOW ? 0u : (unsigned)VFS_FOLLOW) |
				(flags & AT_EMPTY_PATH ? (unsigned)VFS_EMPTY_PATH : 0u),
			out);
}

/* --- Iterators --- */

static size_t user_move(struct vfs_iter *it, void *kernel, size_t n)
{
	struct sys_iter *s = container_of(it, struct sys_iter, it);
	uint8_t *k = kernel;
	size_t done = 0;

	while (done < n && s->at < s->n) {
		struct sys_iovec *v = &s->iov[s->at];
		size_t step = MIN(n - done, (size_t)(v->len - s->off));
		size_t moved;

		if (step == 0) {
			s->at++;
			s->off = 0;
			continue;
		}
		moved = s->to_user ? copy_to_user_part(v->base + s->off, k + done, step)
				   : copy_from_user_part(k + done, v->base + s->off, step);
		done += moved;
		s->off += moved;
		if (moved < step)
			break;
	}
	it->left -= done;
	return done;
}

void sys_iter_one(struct sys_iter *s, uint64_t base, uint64_t len, bool to_user)
{
	*s = (struct sys_iter){.to_user = to_user, .n = 1};
	s->one = (struct sys_iovec){base, MIN(len, (uint64_t)RW_MAX)};
	s->iov = &s->one;
	s->it.left = (size_t)s->one.len;
	s->it.move = user_move;
}

int sys_iter_vec(struct sys_iter *s, uint64_t vec, uint64_t n, bool to_user)
{
	uint64_t total = 0;
	int err;

	*s = (struct sys_iter){.to_user = to_user};
	s->it.move = user_move;
	if (n > IOV_MAX)
		return -EINVAL;
	if (n == 0)
		return 0;
	s->owned = port_alloc((size_t)n * sizeof(*s->owned));
	if (!s->owned)
		return -ENOMEM;
	err = copy_from_user(s->owned, vec, (size_t)n * sizeof(*s->owned));
	for (unsigned i = 0; i < n && !err; i++) {
		struct sys_iovec *v = &s->owned[i];

		if (v->len > INT64_MAX)
			err = -EINVAL;
		else if (!uaccess_range_ok(v->base, v->len))
			err = -EFAULT;
		else
			v->len = MIN(v->len, RW_MAX - total);
		total += v->len;
	}
	if (err) {
		port_free(s->owned);
		return err;
	}
	s->iov = s->owned;
	s->n = (unsigned)n;
	s->it.left = (size_t)total;
	return 0;
}

void sys_iter_end(struct sys_iter *s)
{
	port_free(s->owned);
}

long sys_io_result(int64_t n)
{
	if (n == -EFBIG)
		signal_self_sig(SIGXFSZ);
	else if (n == -EPIPE)
		signal_self_sig(SIGPIPE);
	return syscall_restart((long)n);
}
