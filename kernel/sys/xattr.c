/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The twelve system calls of extended attributes: by path, by path without following, by descriptor. */
#include "lib/string.h"
#include "port/mem.h"
#include "proc/process.h"
#include "sys/fs_util.h"
#include "vm/uaccess.h"

#define VALUE_MAX ((size_t)65536)
#define NAME_MAX 256u

/* How a call names the object: a path (followed or not) or a descriptor. */
enum by { BY_PATH, BY_LINK, BY_FD };

struct object {
	struct vfs_cred cred;
	struct path path;
};

static int find(enum by by, uint64_t arg, struct object *o)
{
	struct sys_at at;
	struct file *f;
	int err;

	sys_cred(&o->cred);
	if (by == BY_FD) {
		f = sys_file((int)(uint32_t)arg);
		if (!f)
			return -EBADF;
		err = f->mode & FILE_PATH ? -EBADF : f->path.vn ? 0 : -EOPNOTSUPP;
		if (!err) {
			o->path = f->path;
			path_get(&o->path);
		}
		file_put(f);
		return err;
	}
	err = sys_at_begin(&at, AT_FDCWD, arg);
	if (err)
		return err;
	err = sys_at_walk(&at, by == BY_LINK ? AT_SYMLINK_NOFOLLOW : 0, &o->path);
	sys_at_end(&at);
	return err;
}

static int get_name(uint64_t user, char name[NAME_MAX])
{
	int64_t n = strncpy_from_user(name, user, NAME_MAX);

	if (n == -ENAMETOOLONG || n == 0)
		return -ERANGE;
	return n < 0 ? (int)n : 0;
}

static long set(const struct syscall_args *a, enum by by)
{
	char name[NAME_MAX];
	struct vfs_xattr x = {.name = name, .len = (size_t)a->v[3], .flags = arg_u32(a, 4)};
	struct object o;
	void *buf = NULL;
	long err;

	if (x.flags & ~3u)
		return -EINVAL;
	err = get_name(a->v[1], name);
	if (!err && a->v[3] > VALUE_MAX)
		err = -E2BIG;
	if (err)
		return err;
	buf = port_alloc(x.len + 1);
	if (!buf)
		return -ENOMEM;
	x.value = buf;
	err = copy_from_user(buf, a->v[2], x.len);
	if (!err)
		err = find(by, a->v[0], &o);
	if (!err) {
		err = vfs_setxattr(&o.path, &o.cred, &x);
		path_put(&o.path);
	}
	port_free(buf);
	return err;
}

/* get (name set) or list (NULL) into the user's buffer of size bytes (0: how many?). */
static long fetch(enum by by, uint64_t what, const char *name, uint64_t user, uint64_t size)
{
	size_t room = (size_t)MIN(size, (uint64_t)VALUE_MAX);
	size_t len = room;
	struct object o;
	void *buf = room ? port_alloc(room) : NULL;
	long err;

	if (room && !buf)
		return -ENOMEM;
	err = find(by, what, &o);
	if (!err) {
		err = name ? vfs_getxattr(&o.path, &o.cred, name, buf, &len)
			   : vfs_listxattr(&o.path, &o.cred, buf, &len);
		path_put(&o.path);
	}
	if (!err && room && copy_to_user(user, buf, len))
		err = -EFAULT;
	port_free(buf);
	return err ? err : (long)len;
}

static long get(const struct syscall_args *a, enum by by)
{
	char name[NAME_MAX];
	int err = get_name(a->v[1], name);

	return err ? err : fetch(by, a->v[0], name, a->v[2], a->v[3]);
}

static long drop(const struct syscall_args *a, enum by by)
{
	char name[NAME_MAX];
	struct object o;
	long err = get_name(a->v[1], name);

	if (!err)
		err = find(by, a->v[0], &o);
	if (err)
		return err;
	err = vfs_removexattr(&o.path, &o.cred, name);
	path_put(&o.path);
	return err;
}

SYSCALL(setxattr)
{
	return set(a, BY_PATH);
}

SYSCALL(lsetxattr)
{
	return set(a, BY_LINK);
}

SYSCALL(fsetxattr)
{
	return set(a, BY_FD);
}

SYSCALL(getxattr)
{
	return get(a, BY_PATH);
}

SYSCALL(lgetxattr)
{
	return get(a, BY_LINK);
}

SYSCALL(fgetxattr)
{
	return get(a, BY_FD);
}

SYSCALL(listxattr)
{
	return fetch(BY_PATH, a->v[0], NULL, a->v[1], a->v[2]);
}

SYSCALL(llistxattr)
{
	return fetch(BY_LINK, a->v[0], NULL, a->v[1], a->v[2]);
}

SYSCALL(flistxattr)
{
	return fetch(BY_FD, a->v[0], NULL, a->v[1], a->v[2]);
}

SYSCALL(removexattr)
{
	return drop(a, BY_PATH);
}

SYSCALL(lremovexattr)
{
	return drop(a, BY_LINK);
}

SYSCALL(fremovexattr)
{
	return drop(a, BY_FD);
}
