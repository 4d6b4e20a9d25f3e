/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The machine layer's character devices (dev/chardev.h): virtio consoles and ports, hwrng. */
#include "dev/chardev.h"

#include "fs/devfs/devfs.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "port/mem.h"

#define CHUNK ((size_t)4096)

static bool nonblocking(struct file *f)
{
	return (atomic_load_explicit(&f->flags, memory_order_relaxed) & VFS_O_NONBLOCK) != 0;
}

static int64_t chr_read(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	struct chardev *c = f->private;
	size_t want = MIN(it->left, CHUNK);
	void *buf;
	int64_t n;

	(void)pos;
	if (!want)
		return 0;
	if (!c->ops->read)
		return -EINVAL;
	buf = port_alloc(want);
	if (!buf)
		return -ENOMEM;
	n = c->ops->read(c, buf, want, nonblocking(f));
	if (n > 0) {
		size_t moved = it->move(it, buf, (size_t)n);

		n = moved ? (int64_t)moved : -EFAULT;
	}
	port_free(buf);
	return n;
}

static int64_t chr_write(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	struct chardev *c = f->private;
	size_t room = MIN(it->left, CHUNK);
	int64_t total = 0;
	int64_t n = 0;
	uint8_t *buf;

	(void)pos;
	if (!room)
		return 0;
	if (!c->ops->write)
		return -EINVAL;
	buf = port_alloc(room);
	if (!buf)
		return -ENOMEM;
	while (it->left) {
		size_t got = it->move(it, buf, MIN(it->left, room));
		size_t at = 0;

		if (!got)
			n = -EFAULT;
		while (at < got) {
			n = c->ops->write(c, buf + at, got - at, nonblocking(f));
			if (n <= 0)
				break;
			at += (size_t)n;
			total += n;
		}
		if (n <= 0)
			break;
	}
	port_free(buf);
	return total ? total : n;
}

static uint32_t chr_poll(struct file *f, struct vfs_poll *p)
{
	struct chardev *c = f->private;
	unsigned r;

	vfs_poll_wait(p, &c->wait);
	r = c->ops->poll ? c->ops->poll(c) : 3;
	return (r & 1 ? VFS_POLLIN | VFS_POLLRDNORM : 0u) |
	       (r & 2 ? VFS_POLLOUT | VFS_POLLWRNORM : 0u) | (r & 4 ? (uint32_t)VFS_POLLHUP : 0u);
}

static const struct file_ops chr_ops = {.read = chr_read, .write = chr_write, .poll = chr_poll};

struct search {
	uint32_t rdev;
	struct chardev *found;
};

static void match(struct chardev *c, void *arg)
{
	struct search *s = arg;

	if (vfs_dev(c->major, c->minor) == s->rdev)
		s->found = c;
}

static int open_chardev(struct vnode *vn, struct file *f)
{
	struct search s = {vn->rdev, NULL};

	chardev_for_each(match, &s);
	if (!s.found)
		return -ENXIO;
	f->private = s.found;
	f->ops = &chr_ops;
	return 0;
}

/* What for_each found, to be made into nodes without its lock. */
struct found {
	struct chardev *c[32];
	unsigned n;
};

static void collect(struct chardev *c, void *arg)
{
	struct found *s = arg;

	if (s->n < ARRAY_SIZE(s->c))
		s->c[s->n++] = c;
}

static void add_node(struct chardev *c)
{
	char name[64];

	devfs_node(c->name, VFS_S_IFCHR | 0600, vfs_dev(c->major, c->minor));
	if (c->alias) {
		char target[40];

		(void)scnprintf(name, sizeof(name), "virtio-ports/%s", c->alias);
		(void)scnprintf(target, sizeof(target), "../%s", c->name);
		if (!strchr(c->alias, '/'))
			devfs_symlink(name, target);
	}
}

void devfs_chardev_init(void)
{
	static struct devfs_chr table[32];
	struct found s = {.n = 0};

	chardev_for_each(collect, &s);
	for (unsigned i = 0; i < s.n; i++) {
		table[i] = (struct devfs_chr){.major = s.c[i]->major,
					      .first = s.c[i]->minor,
					      .count = 1,
					      .open = open_chardev};
		devfs_register_chr(&table[i]);
		add_node(s.c[i]);
	}
}
