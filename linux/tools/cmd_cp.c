/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * dbfs cat and dbfs cp. Copying in is one transaction: all of it is in the image afterwards, or
 * nothing. Copying out keeps modes, times, holes, xattrs and, as root, owners and devices.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tools/dbfs.h"
#include "tools/import.h"
#include "tools/tool.h"

#define CHUNK ((size_t)1 << 20)
#define DEPTH_MAX 2000

struct args {
	char **v;
	size_t count;
	size_t least;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case 'r':
		return 0; /* trees are always copied whole */
	case ARGP_KEY_ARG:
		a->v[a->count++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (a->count < a->least)
			argp_error(state, "too few arguments");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* --- Out ------------------------------------------------------------------------------------- */

/* Files with several names that were copied already. */
struct copied {
	uint64_t ino;
	char *path;
};

struct out {
	struct dbfs_tx *tx;
	uint8_t *buf; /* CHUNK */
	struct copied *seen;
	size_t seen_count;
	size_t seen_room;
};

static int write_all(int fd, const uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Contents to fd; sparse: holes are skipped. */
static int copy_out(struct out *o, struct dbfs_ino ino, const char *path, int fd, bool sparse)
{
	uint64_t off = 0;

	for (;;) {
		size_t done;
		int err;

		if (sparse) {
			err = dbfs_seek(o->tx, ino, off, false, &off);
			if (err == -DBFS_ENXIO)
				return TOOL_OK; /* the end; the size is set later */
			if (err != 0)
				return tool_dbfs_error(path, err);
			if (lseek(fd, (off_t)off, SEEK_SET) < 0)
				return tool_errno(path);
		}
		err = dbfs_read(o->tx, ino, off, o->buf, CHUNK - off % CHUNK, &done);
		if (err != 0)
			return tool_dbfs_error(path, err);
		if (done == 0)
			return TOOL_OK;
		if (write_all(fd, o->buf, done) != 0)
			return tool_errno(path);
		off += done;
	}
}

int dbfs_cmd_cat(int argc, char **argv)
{
	static const struct argp argp = {.parser = parse,
					 .args_doc = "IMAGE PATH...",
					 .doc = "Print files of an image."};
	struct args a = {.v = tool_alloc((size_t)argc * sizeof(char *)), .least = 2};
	struct out o = {.buf = tool_alloc(CHUNK)};
	int status = TOOL_OK;
	struct dbfs *db;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	db = tool_open(a.v[0], false);
	if (db == NULL) {
		status = TOOL_FAILED;
		goto out;
	}
	o.tx = tool_begin(db, DBFS_TX_READ_ONLY);
	for (size_t i = 1; i < a.count; i++) {
		struct dbfs_ino ino;
		int err = tool_walk(o.tx, a.v[i], true, &ino);

		if (err != 0)
			status = tool_dbfs_error(a.v[i], err);
		else if (copy_out(&o, ino, a.v[i], STDOUT_FILENO, false) != TOOL_OK)
			status = TOOL_FAILED;
	}
	dbfs_tx_rollback(o.tx);
	if (tool_close(db, a.v[0]) != TOOL_OK)
		status = TOOL_FAILED;
out:
	free(o.buf);
	free(a.v);
	return status;
}

static const char *seen_path(const struct out *o, uint64_t ino)
{
	for (size_t i = 0; i < o->seen_count; i++) {
		if (o->seen[i].ino == ino)
			return o->seen[i].path;
	}
	return NULL;
}

static void seen_add(struct out *o, uint64_t ino, const char *path)
{
	if (o->seen_count == o->seen_room) {
		o->seen_room = o->seen_room * 2 + 64;
		o->seen = realloc(o->seen, o->seen_room * sizeof(*o->seen));
		if (o->seen == NULL)
			abort();
	}
	o->seen[o->seen_count++] = (struct copied){ino, tool_strdup(path)};
}

struct xattr_copy {
	struct out *o;
	struct dbfs_ino ino;
	const char *path;
	int status;
};

static int out_xattr(void *arg, struct dbfs_name name)
{
	struct xattr_copy *x = arg;
	char text[DBFS_XATTR_NAME_MAX + 1];
	size_t len = DBFS_XATTR_VALUE_MAX;
	int err = dbfs_getxattr(x->o->tx, x->ino, name, x->o->buf, &len);

	if (err != 0) {
		x->status = tool_dbfs_error(x->path, err);
		return 1;
	}
	memcpy(text, name.s, name.len);
	text[name.len] = '\0';
	if (lsetxattr(x->path, text, x->o->buf, len, 0) != 0 && errno != EPERM && errno != ENOTSUP)
		x->status = tool_errno(x->path);
	return 0;
}

/* Owner, xattrs, mode, times: in the order in which none undoes another. */
static int out_attr(struct out *o, const struct dbfs_attr *a, const char *path)
{
	struct xattr_copy x = {o, a->ino, path, TOOL_OK};
	const struct timespec t[2] = {{(time_t)a->atime.sec, a->atime.nsec},
				      {(time_t)a->mtime.sec, a->mtime.nsec}};
	int err;

	if (lchown(path, a->uid, a->gid) != 0 && errno != EPERM)
		return tool_errno(path);
	err = dbfs_listxattr(o->tx, a->ino, out_xattr, &x);
	if (err != 0)
		return tool_dbfs_error(path, err);
	if ((a->mode & DBFS_S_IFMT) != DBFS_S_IFLNK && chmod(path, a->mode & 07777) != 0)
		return tool_errno(path);
	if (utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW) != 0)
		return tool_errno(path);
	return x.status;
}

static int out_file(struct out *o, const struct dbfs_attr *a, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int status;

	if (fd < 0)
		return tool_errno(path);
	status = copy_out(o, a->ino, path, fd, true);
	if (status == TOOL_OK && ftruncate(fd, (off_t)a->size) != 0)
		status = tool_errno(path);
	if (close(fd) != 0 && status == TOOL_OK)
		status = tool_errno(path);
	return status;
}

static int out_other(struct out *o, const struct dbfs_attr *a, const char *path)
{
	char *target;
	int status;
	int err;

	if ((a->mode & DBFS_S_IFMT) != DBFS_S_IFLNK)
		return mknod(path, a->mode, makedev(a->rdev_major, a->rdev_minor)) == 0
			       ? TOOL_OK
			       : tool_errno(path);
	err = tool_readlink(o->tx, a->ino, &target);
	if (err != 0)
		return tool_dbfs_error(path, err);
	status = symlink(target, path) == 0 ? TOOL_OK : tool_errno(path);
	free(target);
	return status;
}

static int out_tree(struct out *o, struct dbfs_ino ino, const char *path, unsigned depth);

static int out_dir(struct out *o, const struct dbfs_attr *a, const char *path, unsigned depth)
{
	struct tool_list l;
	int status = TOOL_OK;
	int err;

	if (depth > DEPTH_MAX)
		return tool_error(path, "directories are nested too deeply");
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return tool_errno(path);
	err = tool_list_dir(o->tx, a->ino, &l);
	if (err != 0)
		status = tool_dbfs_error(path, err);
	for (size_t i = 0; i < l.count && status == TOOL_OK; i++) {
		char *sub;

		if (asprintf(&sub, "%s/%s", path, l.e[i].name) < 0)
			abort();
		status = out_tree(o, l.e[i].ino, sub, depth + 1);
		free(sub);
	}
	tool_list_free(&l);
	return status;
}

/* Depth is bounded by DEPTH_MAX. */
static int out_tree(struct out *o, struct dbfs_ino ino, const char *path, unsigned depth)
{
	struct dbfs_attr a;
	const char *first;
	int status;
	int err = dbfs_getattr(o->tx, ino, &a);

	if (err != 0)
		return tool_dbfs_error(path, err);
	first = a.nlink > 1 && (a.mode & DBFS_S_IFMT) != DBFS_S_IFDIR ? seen_path(o, ino.n) : NULL;
	if (first != NULL)
		return link(first, path) == 0 ? TOOL_OK : tool_errno(path);
	if ((a.mode & DBFS_S_IFMT) == DBFS_S_IFDIR) {
		status = out_dir(o, &a, path, depth);
	} else {
		status = (a.mode & DBFS_S_IFMT) == DBFS_S_IFREG ? out_file(o, &a, path)
								: out_other(o, &a, path);
		if (a.nlink > 1)
			seen_add(o, ino.n, path);
	}
	return status == TOOL_OK ? out_attr(o, &a, path) : status;
}

/* The part of a path after its last slash. */
static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static int cp_one_out(struct out *o, const char *inside, const char *dest)
{
	struct dbfs_ino ino;
	struct stat st;
	char *to = NULL;
	int status;
	int err = tool_walk(o->tx, inside, false, &ino);

	if (err != 0)
		return tool_dbfs_error(inside, err);
	/* Into an existing directory under its own name; the root's contents right into it. */
	if (stat(dest, &st) == 0 && S_ISDIR(st.st_mode) && base_name(inside)[0] != '\0') {
		if (asprintf(&to, "%s/%s", dest, base_name(inside)) < 0)
			abort();
	}
	status = out_tree(o, ino, to == NULL ? dest : to, 0);
	free(to);
	return status;
}

/* --- In -------------------------------------------------------------------------------------- */

static int cp_in(struct dbfs *db, char **sources, size_t count, const char *inside)
{
	struct dbfs_tx *tx = tool_begin(db, DBFS_TX_LOCKING);
	struct dbfs_ino ino;
	struct dbfs_attr a;
	struct import im;
	bool into = tool_walk(tx, inside, true, &ino) == 0 && dbfs_getattr(tx, ino, &a) == 0 &&
		    (a.mode & DBFS_S_IFMT) == DBFS_S_IFDIR;
	int status = TOOL_OK;
	int err;

	if (!into && count > 1) {
		dbfs_tx_rollback(tx);
		return tool_error(inside, "not a directory in the image");
	}
	import_init(&im, db, tx, 0);
	for (size_t i = 0; i < count && status == TOOL_OK; i++) {
		char *to;

		if (asprintf(&to, "%s/%s", inside, into ? base_name(sources[i]) : "") < 0)
			abort();
		status = import_tree(&im, sources[i], to);
		free(to);
	}
	if (status == TOOL_OK)
		status = import_finish(&im);
	else
		import_abandon(&im);
	if (status != TOOL_OK) {
		dbfs_tx_rollback(tx);
		return status;
	}
	err = dbfs_tx_commit(tx);
	return err == 0 ? TOOL_OK : tool_dbfs_error("commit", err);
}

/* Splits IMAGE:PATH at ":/" in place. NULL: it is not of that form. */
static char *split_image(char *arg)
{
	char *colon = strstr(arg, ":/");

	if (colon == NULL || colon == arg)
		return NULL;
	*colon = '\0';
	return colon + 1;
}

static int cp_out(struct args *a, char *first)
{
	const char *image = a->v[0];
	struct out o = {.buf = tool_alloc(CHUNK)};
	struct dbfs *db = tool_open(image, false);
	int status = TOOL_OK;

	if (db == NULL) {
		free(o.buf);
		return TOOL_FAILED;
	}
	o.tx = tool_begin(db, DBFS_TX_READ_ONLY);
	for (size_t i = 0; i + 1 < a->count && status == TOOL_OK; i++) {
		char *inside = i == 0 ? first : split_image(a->v[i]);

		if (inside == NULL || strcmp(a->v[i], image) != 0)
			status = tool_error(a->v[i], "all sources must be of one image");
		else
			status = cp_one_out(&o, inside, a->v[a->count - 1]);
	}
	dbfs_tx_rollback(o.tx);
	for (size_t i = 0; i < o.seen_count; i++)
		free(o.seen[i].path);
	free(o.seen);
	free(o.buf);
	return tool_close(db, image) == TOOL_OK ? status : TOOL_FAILED;
}

int dbfs_cmd_cp(int argc, char **argv)
{
	static const struct argp_option opts[] = {{"recursive", 'r', NULL, 0,
						   "Accepted: trees are always copied whole", 0},
						  {0}};
	static const struct argp argp = {.options = opts,
					 .parser = parse,
					 .args_doc = "IMAGE:PATH... DEST\nSOURCE... IMAGE:PATH",
					 .doc = "Copy trees out of an image or, in one "
						"transaction, into it. PATH begins with /."};
	struct args a = {.v = tool_alloc((size_t)argc * sizeof(char *)), .least = 2};
	char *inside;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	inside = split_image(a.v[0]);
	if (inside != NULL) {
		status = cp_out(&a, inside);
	} else if ((inside = split_image(a.v[a.count - 1])) != NULL) {
		const char *image = a.v[a.count - 1];
		struct dbfs *db = tool_open(image, true);

		status = TOOL_FAILED;
		if (db != NULL) {
			status = cp_in(db, a.v, a.count - 1, inside);
			if (tool_close(db, image) != TOOL_OK)
				status = TOOL_FAILED;
		}
	} else {
		tool_error(NULL, "cp: either the sources or the destination must be IMAGE:/PATH");
		status = TOOL_USAGE;
	}
	free(a.v);
	return status;
}
