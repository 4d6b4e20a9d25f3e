/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * tar reader. A member is a header block of 512 bytes and its data, padded to blocks; two blocks of zeros
 * end the archive. Long names come before their member: GNU type L and K, or pax records (type x)
 * "LENGTH key=value\n". Nothing is trusted: numbers and lengths are checked against the archive's size.
 */
#include "fs/initrd/initrd.h"

#include "lib/errno.h"
#include "lib/string.h"
#include "port/log.h"
#include "port/mem.h"
#include "vfs/file.h"
#include "vfs/ops.h"
#include "vfs/path.h"

#define BLOCK 512u

struct header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char sum[8];
	char type;
	char link[100];
	char magic[8];
	char uname[32];
	char gname[32];
	char major[8];
	char minor[8];
	char prefix[155];
	char pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

struct member {
	char name[VFS_PATH_MAX];
	char link[VFS_PATH_MAX];
	bool long_name; /* name was given by a member before this one */
	bool long_link;
	uint32_t mode, uid, gid, major, minor;
	uint64_t size;
	int64_t mtime;
	char type;
	const uint8_t *data;
};

static const struct vfs_cred root_cred = {.caps = VFS_CAPS_ALL};

/* Octal, or base 256 if the first bit is set. */
static uint64_t number(const char *s, size_t n)
{
	uint64_t v = 0;

	if ((uint8_t)s[0] & 0x80) {
		for (size_t i = 1; i < n; i++)
			v = v << 8 | (uint8_t)s[i];
		return v;
	}
	for (size_t i = 0; i < n && s[i]; i++) {
		if (s[i] >= '0' && s[i] <= '7')
			v = v << 3 | (uint64_t)(s[i] - '0');
	}
	return v;
}

static bool sum_ok(const struct header *h)
{
	const uint8_t *p = (const uint8_t *)h;
	uint64_t sum = 0;

	for (size_t i = 0; i < BLOCK; i++) {
		bool in_sum =
			i >= offsetof(struct header, sum) && i < offsetof(struct header, type);

		sum += in_sum ? ' ' : p[i];
	}
	return sum == number(h->sum, sizeof(h->sum));
}

static void copy_text(char *dst, const uint8_t *src, uint64_t len)
{
	size_t n = (size_t)MIN(len, (uint64_t)VFS_PATH_MAX - 1);

	memcpy(dst, src, n);
	dst[n] = 0;
}

/* The records of a pax header that matter here. */
static void read_pax(struct member *m, const uint8_t *p, uint64_t size)
{
	uint64_t at = 0;

	while (at < size) {
		uint64_t start = at;
		uint64_t len = 0;

		while (at < size && p[at] >= '0' && p[at] <= '9' && len < size)
			len = len * 10 + (uint64_t)(p[at++] - '0');
		if (at >= size || p[at] != ' ' || len > size - start || len < at - start + 3)
			return;
		at++;
		if (start + len - at > 5 && memcmp(p + at, "path=", 5) == 0) {
			copy_text(m->name, p + at + 5, start + len - at - 6);
			m->long_name = true;
		} else if (start + len - at > 9 && memcmp(p + at, "linkpath=", 9) == 0) {
			copy_text(m->link, p + at + 9, start + len - at - 10);
			m->long_link = true;
		}
		at = start + len;
	}
}

static void read_names(struct member *m, const struct header *h)
{
	if (!m->long_name) {
		size_t at = 0;

		if (memcmp(h->magic, "ustar", 6) == 0 && h->prefix[0]) {
			at = strnlen(h->prefix, sizeof(h->prefix));
			memcpy(m->name, h->prefix, at);
			m->name[at++] = '/';
		}
		copy_text(m->name + at, (const uint8_t *)h->name,
			  strnlen(h->name, sizeof(h->name)));
	}
	if (!m->long_link)
		copy_text(m->link, (const uint8_t *)h->link, strnlen(h->link, sizeof(h->link)));
}

/* The directories above name, as plain ones, if they are not there. */
static void make_parents(const struct vfs_walk_from *from, char *name)
{
	for (char *s = name + 1; *s; s++) {
		if (*s != '/')
			continue;
		*s = 0;
		if (vfs_mkdir(from, name, 0755) == -ENOMEM)
			port_log(PORT_LOG_ERROR, "initrd: no memory for %s", name);
		*s = '/';
	}
}

static int write_file(const struct vfs_walk_from *from, const struct member *m)
{
	struct file *f;
	struct vfs_iter it;
	int64_t n;
	int err = vfs_open(from, m->name, VFS_O_WRONLY | VFS_O_CREAT | VFS_O_TRUNC, 0600, &f);

	if (err)
		return err;
	vfs_iter_from(&it, m->data, m->size);
	n = file_write(f, &it, &root_cred, UINT64_MAX);
	file_put(f);
	if (n < 0)
		return (int)n;
	return (uint64_t)n == m->size ? 0 : -ENOSPC;
}

static int make_link(const struct vfs_walk_from *from, const struct member *m)
{
	struct path old;
	int err = vfs_walk(from, m->link, 0, &old);

	if (err)
		return err;
	err = vfs_link(&old, from, m->name);
	path_put(&old);
	return err;
}

static int make_object(const struct vfs_walk_from *from, const struct member *m)
{
	static const uint32_t types[] = {VFS_S_IFCHR, VFS_S_IFBLK, 0, VFS_S_IFIFO};
	int err;

	switch (m->type) {
	case '1':
		return make_link(from, m);
	case '2':
		return vfs_symlink(from, m->name, m->link);
	case '3':
	case '4':
	case '6':
		return vfs_mknod(from, m->name, types[m->type - '3'] | (m->mode & 07777),
				 vfs_dev(m->major, m->minor));
	case '5':
		err = vfs_mkdir(from, m->name, m->mode & 07777);
		return err == -EEXIST ? 0 : err;
	default:
		return write_file(from, m);
	}
}

static int set_attributes(const struct vfs_walk_from *from, const struct member *m)
{
	struct vfs_time t[2] = {{m->mtime, 0}, {m->mtime, 0}};
	struct path p;
	int err = vfs_walk(from, m->name, 0, &p);

	if (err)
		return err;
	err = vfs_chown(&p, &root_cred, m->uid, m->gid);
	if (!err && p.vn->type != VFS_S_IFLNK)
		err = vfs_chmod(&p, &root_cred, m->mode & 07777);
	if (!err)
		err = vfs_utimes(&p, &root_cred, VFS_SET_ATIME | VFS_SET_MTIME, true, t);
	path_put(&p);
	return err;
}

static int make_member(const struct vfs_walk_from *from, struct member *m)
{
	int err = make_object(from, m);

	if (err == -ENOENT) {
		make_parents(from, m->name);
		err = make_object(from, m);
	}
	if (err == -EEXIST) {
		err = vfs_unlink(from, m->name);
		if (!err)
			err = make_object(from, m);
	}
	if (!err && m->type != '1')
		err = set_attributes(from, m);
	return err;
}

/* The archive's names relative to the root: "./a", "/a" and "a" are the same. */
static void strip(char *name)
{
	char *s = name;
	size_t n;

	while (s[0] == '/' || (s[0] == '.' && (s[1] == '/' || s[1] == 0)))
		s++;
	n = strlen(s);
	memmove(name, s, n + 1);
	while (n > 1 && name[n - 1] == '/')
		name[--n] = 0;
}

/* One header and what belongs to it. True: m is complete. */
static bool read_member(struct member *m, const struct header *h)
{
	m->type = h->type ? h->type : '0';
	if (m->type == 'L' || m->type == 'K') {
		copy_text(m->type == 'L' ? m->name : m->link, m->data, m->size);
		m->long_name |= m->type == 'L';
		m->long_link |= m->type == 'K';
		return false;
	}
	if (m->type == 'x') {
		read_pax(m, m->data, m->size);
		return false;
	}
	if (m->type == 'g')
		return false;
	read_names(m, h);
	m->mode = (uint32_t)number(h->mode, sizeof(h->mode));
	m->uid = (uint32_t)number(h->uid, sizeof(h->uid));
	m->gid = (uint32_t)number(h->gid, sizeof(h->gid));
	m->major = (uint32_t)number(h->major, sizeof(h->major));
	m->minor = (uint32_t)number(h->minor, sizeof(h->minor));
	m->mtime = (int64_t)number(h->mtime, sizeof(h->mtime));
	return true;
}

static int64_t unpack(const struct vfs_walk_from *from, struct member *m, const uint8_t *tar,
		      uint64_t size)
{
	uint64_t at = 0;
	int64_t count = 0;

	while (size - at >= BLOCK) {
		const struct header *h = (const struct header *)(const void *)(tar + at);
		uint64_t padded;
		int err;

		if (h->name[0] == 0 && number(h->sum, sizeof(h->sum)) == 0)
			break; /* the end */
		if (!sum_ok(h))
			return count ? -EIO : -EINVAL;
		at += BLOCK;
		m->data = tar + at;
		m->size = number(h->size, sizeof(h->size));
		if (m->size > size - at)
			return -EIO;
		padded = ALIGN_UP(m->size, (uint64_t)BLOCK);
		at = MIN(at + padded, size);
		if (!read_member(m, h))
			continue;
		m->long_name = m->long_link = false;
		strip(m->name);
		if (m->type == '1')
			strip(m->link);
		if (!m->name[0])
			continue;
		err = make_member(from, m);
		if (err == -ENOSPC || err == -ENOMEM)
			return err;
		if (err)
			port_log(PORT_LOG_WARN, "initrd: %s: error %d", m->name, -err);
		else
			count++;
	}
	return count;
}

int64_t initrd_unpack(struct fs_context *fc, const uint8_t *tar, uint64_t size)
{
	struct member *m = port_alloc_zeroed(sizeof(*m));
	struct vfs_walk_from from = {fc, NULL, &root_cred};
	int64_t n;

	if (!m)
		return -ENOMEM;
	atomic_store_explicit(&fc->umask, 0, memory_order_relaxed);
	n = unpack(&from, m, tar, size);
	atomic_store_explicit(&fc->umask, 022, memory_order_relaxed);
	port_free(m);
	return n;
}
