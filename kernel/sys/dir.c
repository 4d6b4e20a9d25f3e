/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* System calls on names: directories, links, renames, listings, the working directory, mounts. */
#include "lib/string.h"
#include "port/mem.h"
#include "proc/process.h"
#include "sys/fs_util.h"
#include "vfs/mount.h"
#include "vm/uaccess.h"

static struct fs_context *fs(void)
{
	return current_task()->fs;
}

SYSCALL(mkdirat)
{
	struct sys_at at;
	int err = sys_at_begin(&at, arg_int(a, 0), a->v[1]);

	if (err)
		return err;
	err = vfs_mkdir(&at.from, at.name, arg_u32(a, 2));
	sys_at_end(&at);
	return err;
}

SYSCALL(mknodat)
{
	struct sys_at at;
	int err = sys_at_begin(&at, arg_int(a, 0), a->v[1]);

	if (err)
		return err;
	err = vfs_mknod(&at.from, at.name, arg_u32(a, 2), arg_u32(a, 3));
	sys_at_end(&at);
	return err;
}

SYSCALL(unlinkat)
{
	struct sys_at at;
	int err;

	if (arg_u32(a, 2) & ~(uint32_t)AT_REMOVEDIR)
		return -EINVAL;
	err = sys_at_begin(&at, arg_int(a, 0), a->v[1]);
	if (err)
		return err;
	if (arg_u32(a, 2) & AT_REMOVEDIR)
		err = vfs_rmdir(&at.from, at.name);
	else
		err = vfs_unlink(&at.from, at.name);
	sys_at_end(&at);
	return err;
}

SYSCALL(symlinkat)
{
	struct sys_at at;
	char *target;
	int err = sys_name(a->v[0], &target);

	if (err)
		return err;
	err = sys_at_begin(&at, arg_int(a, 1), a->v[2]);
	if (!err) {
		err = vfs_symlink(&at.from, at.name, target);
		sys_at_end(&at);
	}
	port_free(target);
	return err;
}

SYSCALL(linkat)
{
	uint32_t flags = arg_u32(a, 4);
	struct sys_at from;
	struct sys_at to;
	struct path old;
	int err;

	if (flags & ~(uint32_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = sys_at_begin(&from, arg_int(a, 0), a->v[1]);
	if (err)
		return err;
	err = sys_at_walk(&from,
			  (flags & AT_EMPTY_PATH) |
				  (flags & AT_SYMLINK_FOLLOW ? 0u : (unsigned)AT_SYMLINK_NOFOLLOW),
			  &old);
	if (!err) {
		err = sys_at_begin(&to, arg_int(a, 2), a->v[3]);
		if (!err) {
			err = vfs_link(&old, &to.from, to.name);
			sys_at_end(&to);
		}
		path_put(&old);
	}
	sys_at_end(&from);
	return err;
}

SYSCALL(renameat2)
{
	struct sys_at from;
	struct sys_at to;
	int err = sys_at_begin(&from, arg_int(a, 0), a->v[1]);

	if (err)
		return err;
	err = sys_at_begin(&to, arg_int(a, 2), a->v[3]);
	if (!err) {
		err = vfs_rename(&from.from, from.name, &to.from, to.name, arg_u32(a, 4));
		sys_at_end(&to);
	}
	sys_at_end(&from);
	return err;
}

SYSCALL(readlinkat)
{
	int size = arg_int(a, 3);
	struct sys_at at;
	struct path p;
	char *buf;
	size_t len;
	int err;

	if (size <= 0)
		return -EINVAL;
	err = sys_at_begin(&at, arg_int(a, 0), a->v[1]);
	if (err)
		return err;
	err = sys_at_walk(&at, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &p);
	if (!err && !at.name[0] && p.vn->type != VFS_S_IFLNK) {
		path_put(&p);
		err = -ENOENT;
	}
	sys_at_end(&at);
	if (err)
		return err;
	len = MIN((size_t)size, (size_t)VFS_PATH_MAX);
	buf = port_alloc(VFS_PATH_MAX);
	err = buf ? vfs_readlink(&p, buf, &len) : -ENOMEM;
	if (!err && copy_to_user(a->v[2], buf, len))
		err = -EFAULT;
	port_free(buf);
	path_put(&p);
	return err ? err : (long)len;
}

/* --- The working directory --- */

SYSCALL(getcwd)
{
	struct path root;
	struct path cwd;
	char *buf = port_alloc(VFS_PATH_MAX);
	char *name;
	long n;

	if (!buf)
		return -ENOMEM;
	fs_context_root(fs(), &root);
	fs_context_cwd(fs(), &cwd);
	n = vfs_path_name_marked(&cwd, &root, buf, VFS_PATH_MAX, &name);
	if (!n) {
		size_t len = strlen(name) + 1;

		if (len > a->v[1])
			n = -ERANGE;
		else
			n = copy_to_user(a->v[0], name, len) ? -EFAULT : (long)len;
	}
	path_put(&root);
	path_put(&cwd);
	port_free(buf);
	return n;
}

SYSCALL(chdir)
{
	struct sys_at at;
	struct path p;
	int err = sys_at_begin(&at, AT_FDCWD, a->v[0]);

	if (err)
		return err;
	err = vfs_walk(&at.from, at.name, VFS_FOLLOW | VFS_DIRECTORY, &p);
	if (!err) {
		err = vnode_permission(p.vn, &at.cred, 1);
		if (!err)
			fs_context_set_cwd(fs(), &p);
		path_put(&p);
	}
	sys_at_end(&at);
	return err;
}

SYSCALL(fchdir)
{
	struct file *f = sys_file(arg_int(a, 0));
	struct vfs_cred cred;
	int err;

	if (!f)
		return -EBADF;
	sys_cred(&cred);
	if (!f->path.mnt || !vnode_is_dir(f->path.vn))
		err = -ENOTDIR;
	else
		err = vnode_permission(f->path.vn, &cred, 1);
	if (!err)
		fs_context_set_cwd(fs(), &f->path);
	file_put(f);
	return err;
}

SYSCALL(chroot)
{
	struct sys_at at;
	struct path p;
	int err = sys_at_begin(&at, AT_FDCWD, a->v[0]);

	if (err)
		return err;
	err = vfs_walk(&at.from, at.name, VFS_FOLLOW | VFS_DIRECTORY, &p);
	if (!err) {
		err = vnode_permission(p.vn, &at.cred, 1);
		if (!err && !capable(CAP_SYS_CHROOT))
			err = -EPERM;
		if (!err)
			fs_context_set_root(fs(), &p);
		path_put(&p);
	}
	sys_at_end(&at);
	return err;
}

SYSCALL(umask)
{
	return (long)atomic_exchange_explicit(&fs()->umask, arg_u32(a, 0) & 0777,
					      memory_order_relaxed);
}

/* --- getdents64 --- */

struct dirent64 {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};
#define DIRENT_HEAD 19u

struct listing {
	uint8_t *buf;
	size_t room;
	size_t used;
};

static int emit(void *arg, const struct vfs_dirent *e)
{
	struct listing *l = arg;
	size_t len = ALIGN_UP(DIRENT_HEAD + e->name.len + 1, 8u);
	struct dirent64 head = {.ino = e->ino,
				.off = (int64_t)e->cookie,
				.len = (uint16_t)len,
				.type = (uint8_t)(e->type >> 12)};
	uint8_t *p = l->buf + l->used;

	if (len > l->room - l->used)
		return 1;
	memset(p, 0, len);
	memcpy(p, &head, DIRENT_HEAD);
	memcpy(p + DIRENT_HEAD, e->name.s, e->name.len);
	l->used += len;
	return 0;
}

SYSCALL(getdents64)
{
	struct file *f = sys_file(arg_int(a, 0));
	struct listing l = {.room = MIN((size_t)arg_u32(a, 2), (size_t)32768)};
	uint64_t before;
	long n;

	if (!f)
		return -EBADF;
	if (!l.room) {
		file_put(f);
		return -EINVAL;
	}
	l.buf = port_alloc(l.room);
	before = f->pos;
	n = l.buf ? file_readdir(f, emit, &l) : -ENOMEM;
	if (!n && !l.used && f->pos == before) {
		/* the end, or not even one entry fits */
		struct listing probe = {.room = 512};

		probe.buf = l.room < 512 ? port_alloc(512) : NULL;
		if (probe.buf) {
			n = file_readdir(f, emit, &probe);
			if (!n && probe.used) {
				f->pos = before;
				n = -EINVAL;
			}
			port_free(probe.buf);
		}
	}
	if (!n && l.used)
		n = copy_to_user(a->v[1], l.buf, l.used) ? -EFAULT : (long)l.used;
	port_free(l.buf);
	file_put(f);
	return n;
}

/* --- Mounts --- */

/* A string of mount(2); a NULL stays one. data may be a page without terminator. */
static int mount_string(uint64_t user, char **out)
{
	*out = NULL;
	return user ? sys_name(user, out) : 0;
}

SYSCALL(mount)
{
	struct vfs_cred cred;
	struct vfs_walk_from from = {fs(), NULL, &cred};
	struct vfs_mount_call c = {.flags = a->v[3]};
	char *s[4] = {NULL, NULL, NULL, NULL};
	const uint64_t user[4] = {a->v[0], a->v[1], a->v[2], a->v[4]};
	int err = 0;

	sys_cred(&cred);
	for (unsigned i = 0; i < 4 && !err; i++)
		err = mount_string(user[i], &s[i]);
	if (!err && !s[1])
		err = -EFAULT;
	if (!err) {
		c.source = s[0];
		c.target = s[1];
		c.type = s[2];
		c.data = s[3];
		err = vfs_mount(&from, &c);
	}
	for (unsigned i = 0; i < 4; i++)
		port_free(s[i]);
	return err;
}

SYSCALL(umount2)
{
	struct sys_at at;
	int err = sys_at_begin(&at, AT_FDCWD, a->v[0]);

	if (err)
		return err;
	err = vfs_umount(&at.from, at.name, arg_u32(a, 1));
	sys_at_end(&at);
	return err;
}

SYSCALL(pivot_root)
{
	struct sys_at at;
	char *old;
	int err = sys_at_begin(&at, AT_FDCWD, a->v[0]);

	if (err)
		return err;
	err = sys_name(a->v[1], &old);
	if (!err) {
		err = vfs_pivot_root(&at.from, at.name, old);
		port_free(old);
	}
	sys_at_end(&at);
	return err;
}
