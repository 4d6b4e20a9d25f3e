/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#include "tools/tool.h"

#include <argp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "port/posix.h"

#define LINK_DEPTH 40

static const char *program = "dbfs";

void tool_init(const char *name, int usage_status)
{
	program = name;
	argp_err_exit_status = usage_status;
	port_posix_log_program(name);
}

int tool_error(const char *object, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "%s: %s%s", program, object == NULL ? "" : object,
		object == NULL ? "" : ": ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return TOOL_FAILED;
}

int tool_dbfs_error(const char *object, int err)
{
	return tool_error(object, "%s", dbfs_strerror(err));
}

int tool_errno(const char *object)
{
	return tool_error(object, "%s", strerror(errno));
}

void *tool_alloc(size_t size)
{
	void *p = malloc(size == 0 ? 1 : size);

	if (p == NULL) {
		tool_error(NULL, "out of memory");
		exit(TOOL_FAILED);
	}
	return p;
}

char *tool_strdup(const char *s)
{
	size_t len = strlen(s) + 1;

	return memcpy(tool_alloc(len), s, len);
}

bool tool_parse_size(const char *text, uint64_t *out)
{
	static const char units[] = "KMGT";
	unsigned long long n;
	const char *unit;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno != 0)
		return false;
	if (*end != '\0') {
		unsigned shift;

		unit = strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end);
		if (unit == NULL || end[1] != '\0')
			return false;
		shift = 10 * (unsigned)(unit - units + 1);
		if (n > UINT64_MAX >> shift)
			return false;
		n <<= shift;
	}
	*out = n;
	return true;
}

const char *tool_human(uint64_t bytes, char *buf, size_t len)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double x = (double)bytes;
	unsigned i = 0;

	while (x >= 1024 && i + 1 < ARRAY_SIZE(units)) {
		x /= 1024;
		i++;
	}
	snprintf(buf, len, i == 0 ? "%.0f %s" : "%.1f %s", x, units[i]);
	return buf;
}

/* --- Images -------------------------------------------------------------------------------- */

struct port_blk *tool_open_device(const char *image, bool writable)
{
	struct port_blk *dev;
	int err = port_posix_blk_open(image, writable ? 0 : PORT_POSIX_RDONLY, &dev);

	if (err == 0 && dev->ops->lock_exclusive != NULL) {
		err = dev->ops->lock_exclusive(dev);
		if (err != 0)
			dev->ops->close(dev);
	}
	if (err == 0)
		return dev;
	if (err == -DBFS_EINVAL)
		tool_error(image, "not a file or block device that can hold an image");
	else if (err == -DBFS_EBUSY)
		tool_error(image, "in use by another program");
	else
		tool_error(image, "%s", strerror(-err));
	return NULL;
}

struct dbfs *tool_open(const char *image, bool writable)
{
	const struct dbfs_open_opts opts = {.read_only = !writable, .no_background = true};
	struct port_blk *dev = tool_open_device(image, writable);
	struct dbfs *db;
	int err;

	if (dev == NULL)
		return NULL;
	err = dbfs_open(dev, &opts, &db);
	if (err != 0) {
		dev->ops->close(dev);
		tool_dbfs_error(image, err);
		return NULL;
	}
	err = dbfs_fs_mount(db);
	if (err != 0) {
		if (err == -DBFS_EFORMAT)
			tool_error(image, "a DBFS volume without a file system");
		else
			tool_dbfs_error(image, err);
		err = dbfs_close(db);
		return NULL;
	}
	return db;
}

int tool_close(struct dbfs *db, const char *image)
{
	int err = dbfs_close(db);

	return err == 0 ? TOOL_OK : tool_dbfs_error(image, err);
}

struct dbfs_tx *tool_begin(struct dbfs *db, enum dbfs_tx_mode mode)
{
	const struct dbfs_tx_opts opts = {mode, DBFS_SYNC, 0};
	struct dbfs_tx *tx;
	int err = dbfs_tx_begin(db, &opts, &tx);

	if (err != 0) {
		tool_dbfs_error("transaction", err);
		exit(TOOL_FAILED);
	}
	return tx;
}

/* The next component of *path, which moves on; empty at the end. */
static struct dbfs_name component(const char **path)
{
	struct dbfs_name n;

	while (**path == '/')
		++*path;
	n.s = *path;
	while (**path != '\0' && **path != '/')
		++*path;
	n.len = (size_t)(*path - n.s);
	return n;
}

static bool is(struct dbfs_name n, const char *s)
{
	return n.len == strlen(s) && memcmp(n.s, s, n.len) == 0;
}

int tool_readlink(struct dbfs_tx *tx, struct dbfs_ino ino, char **out)
{
	char *target = tool_alloc(DBFS_SYMLINK_MAX + 1);
	size_t len = DBFS_SYMLINK_MAX;
	int err = dbfs_readlink(tx, ino, target, &len);

	if (err != 0) {
		free(target);
		return err;
	}
	target[len] = '\0';
	*out = target;
	return 0;
}

struct walk {
	struct dbfs_tx *tx;
	unsigned links; /* followed so far, over all */
};

/* From *at along path; depth is bounded by LINK_DEPTH. */
static int walk_from(struct walk *w, const char *path, bool follow, struct dbfs_ino *at)
{
	struct dbfs_name n;

	if (*path == '/')
		*at = DBFS_ROOT_INO;
	while ((n = component(&path)).len > 0) {
		struct dbfs_ino dir = *at;
		struct dbfs_attr a;
		bool last = path[strspn(path, "/")] == '\0';
		char *target;
		int err = 0;

		if (is(n, ".."))
			err = dbfs_parent(w->tx, dir, at);
		else if (!is(n, "."))
			err = dbfs_lookup(w->tx, dir, n, at);
		if (err == 0)
			err = dbfs_getattr(w->tx, *at, &a);
		if (err != 0)
			return err;
		if ((a.mode & DBFS_S_IFMT) != DBFS_S_IFLNK || (last && !follow))
			continue;
		if (++w->links > LINK_DEPTH)
			return -DBFS_ELOOP;
		err = tool_readlink(w->tx, *at, &target);
		if (err != 0)
			return err;
		*at = dir;
		err = walk_from(w, target, true, at);
		free(target);
		if (err != 0)
			return err;
	}
	return 0;
}

int tool_walk(struct dbfs_tx *tx, const char *path, bool follow, struct dbfs_ino *out)
{
	struct walk w = {tx, 0};
	struct dbfs_ino at = DBFS_ROOT_INO;
	int err = walk_from(&w, path, follow, &at);

	if (err == 0)
		*out = at;
	return err;
}

int tool_walk_parent(struct dbfs_tx *tx, const char *path, struct dbfs_ino *dir,
		     struct dbfs_name *last)
{
	const char *end = path + strlen(path);
	const char *start;
	char *parent;
	int err;

	while (end > path && end[-1] == '/')
		end--;
	start = end;
	while (start > path && start[-1] != '/')
		start--;
	*last = (struct dbfs_name){start, (size_t)(end - start)};
	parent = tool_strdup(path);
	parent[start - path] = '\0';
	err = tool_walk(tx, parent, true, dir);
	free(parent);
	return err;
}

int tool_follow(struct dbfs_tx *tx, struct dbfs_ino dir, struct dbfs_ino ino, struct dbfs_ino *out)
{
	struct walk w = {tx, 0};
	struct dbfs_attr a;
	char *target;
	int err = dbfs_getattr(tx, ino, &a);

	if (err != 0)
		return err;
	if ((a.mode & DBFS_S_IFMT) != DBFS_S_IFLNK) {
		*out = ino;
		return 0;
	}
	err = tool_readlink(tx, ino, &target);
	if (err != 0)
		return err;
	err = walk_from(&w, target, true, &dir);
	free(target);
	if (err == 0)
		*out = dir;
	return err;
}

/* --- Listings ------------------------------------------------------------------------------ */

static int add_entry(void *arg, const struct dbfs_dirent *d)
{
	struct tool_list *l = arg;
	struct tool_entry *e;

	if (l->count == l->room) {
		size_t room = l->room * 2 + 16;

		l->e = realloc(l->e, room * sizeof(*l->e));
		if (l->e == NULL) {
			tool_error(NULL, "out of memory");
			exit(TOOL_FAILED);
		}
		l->room = room;
	}
	e = &l->e[l->count++];
	e->name = tool_alloc(d->name.len + 1);
	memcpy(e->name, d->name.s, d->name.len);
	e->name[d->name.len] = '\0';
	e->len = d->name.len;
	e->ino = d->ino;
	e->type = d->type;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct tool_entry *x = a;
	const struct tool_entry *y = b;

	return strcmp(x->name, y->name);
}

int tool_list_dir(struct dbfs_tx *tx, struct dbfs_ino dir, struct tool_list *out)
{
	int err;

	*out = (struct tool_list){0};
	err = dbfs_readdir(tx, dir, 0, add_entry, out);
	if (out->count > 0)
		qsort(out->e, out->count, sizeof(*out->e), by_name);
	return err;
}

void tool_list_free(struct tool_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->e[i].name);
	free(l->e);
	*l = (struct tool_list){0};
}

void tool_mode_text(uint32_t mode, char out[11])
{
	static const char types[] = "?pc?d?b?-?l?s???";
	static const char bits[] = "rwxrwxrwx";

	out[0] = types[mode >> 12 & 15];
	for (unsigned i = 0; i < 9; i++)
		out[1 + i] = (mode >> (8 - i) & 1) != 0 ? bits[i] : '-';
	if ((mode & DBFS_S_ISUID) != 0)
		out[3] = out[3] == 'x' ? 's' : 'S';
	if ((mode & DBFS_S_ISGID) != 0)
		out[6] = out[6] == 'x' ? 's' : 'S';
	if ((mode & DBFS_S_ISVTX) != 0)
		out[9] = out[9] == 'x' ? 't' : 'T';
	out[10] = '\0';
}
