/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* dbfs ls and dbfs stat. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/dbfs.h"
#include "tools/tool.h"

#define DEPTH_MAX 2000

struct options {
	const char *image;
	char **paths;
	size_t count;
	bool lng;
	bool all;
	bool recursive;
};

static const struct argp_option ls_opts[] = {
	{"long", 'l', NULL, 0, "Mode, links, owner, group, size, time", 0},
	{"all", 'a', NULL, 0, "Names that begin with a dot too", 0},
	{"recursive", 'R', NULL, 0, "Directories below too", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'l':
		o->lng = true;
		return 0;
	case 'a':
		o->all = true;
		return 0;
	case 'R':
		o->recursive = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->image == NULL)
			o->image = arg;
		else
			o->paths[o->count++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (o->image == NULL)
			argp_error(state, "IMAGE is needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const char *time_text(struct dbfs_time t, char *buf, size_t len)
{
	time_t sec = (time_t)t.sec;
	struct tm tm;

	if (gmtime_r(&sec, &tm) == NULL || strftime(buf, len, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(buf, len, "%lld", (long long)t.sec);
	return buf;
}

static bool is_device(uint32_t mode)
{
	return (mode & DBFS_S_IFMT) == DBFS_S_IFCHR || (mode & DBFS_S_IFMT) == DBFS_S_IFBLK;
}

static int print_target(struct dbfs_tx *tx, const struct dbfs_attr *a)
{
	char *target;
	int err = tool_readlink(tx, a->ino, &target);

	if (err != 0)
		return err;
	printf(" -> %s", target);
	free(target);
	return 0;
}

static int print_entry(const struct options *o, struct dbfs_tx *tx, const char *name,
		       struct dbfs_ino ino)
{
	struct dbfs_attr a;
	char mode[11];
	char when[32];
	char size[32];
	int err;

	if (!o->lng) {
		puts(name);
		return 0;
	}
	err = dbfs_getattr(tx, ino, &a);
	if (err != 0)
		return err;
	tool_mode_text(a.mode, mode);
	if (is_device(a.mode))
		snprintf(size, sizeof(size), "%u, %u", a.rdev_major, a.rdev_minor);
	else
		snprintf(size, sizeof(size), "%llu", (unsigned long long)a.size);
	printf("%s %3u %5u %5u %12s %s %s", mode, a.nlink, a.uid, a.gid, size,
	       time_text(a.mtime, when, sizeof(when)), name);
	if ((a.mode & DBFS_S_IFMT) == DBFS_S_IFLNK)
		err = print_target(tx, &a);
	putchar('\n');
	return err;
}

static int list_dir(const struct options *o, struct dbfs_tx *tx, const char *path,
		    struct dbfs_ino dir, unsigned depth)
{
	struct tool_list l;
	int err = tool_list_dir(tx, dir, &l);
	int status = err == 0 ? TOOL_OK : tool_dbfs_error(path, err);

	if (o->recursive || o->count > 1)
		printf("%s%s:\n", depth == 0 ? "" : "\n", path);
	for (size_t i = 0; i < l.count; i++) {
		if (!o->all && l.e[i].name[0] == '.')
			continue;
		err = print_entry(o, tx, l.e[i].name, l.e[i].ino);
		if (err != 0)
			status = tool_dbfs_error(l.e[i].name, err);
	}
	for (size_t i = 0; o->recursive && i < l.count; i++) {
		char *sub;

		if (l.e[i].type != DBFS_S_IFDIR || (!o->all && l.e[i].name[0] == '.'))
			continue;
		if (depth >= DEPTH_MAX) {
			status = tool_error(path, "directories are nested too deeply");
			break;
		}
		if (asprintf(&sub, "%s%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/",
			     l.e[i].name) < 0)
			abort();
		if (list_dir(o, tx, sub, l.e[i].ino, depth + 1) != TOOL_OK)
			status = TOOL_FAILED;
		free(sub);
	}
	tool_list_free(&l);
	return status;
}

static int list_path(const struct options *o, struct dbfs_tx *tx, const char *path)
{
	struct dbfs_ino ino;
	struct dbfs_attr a;
	int err = tool_walk(tx, path, !o->lng, &ino);

	if (err == 0)
		err = dbfs_getattr(tx, ino, &a);
	if (err != 0)
		return tool_dbfs_error(path, err);
	if ((a.mode & DBFS_S_IFMT) == DBFS_S_IFDIR)
		return list_dir(o, tx, path[0] == '\0' ? "/" : path, ino, 0);
	err = print_entry(o, tx, path, ino);
	return err == 0 ? TOOL_OK : tool_dbfs_error(path, err);
}

int dbfs_cmd_ls(int argc, char **argv)
{
	static const struct argp argp = {.options = ls_opts,
					 .parser = parse,
					 .args_doc = "IMAGE [PATH...]",
					 .doc = "List directories of an image. Times are in UTC."};
	struct options o = {.paths = tool_alloc((size_t)argc * sizeof(char *))};
	static char root[] = "/";
	struct dbfs_tx *tx;
	struct dbfs *db;
	int status = TOOL_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (o.count == 0)
		o.paths[o.count++] = root;
	db = tool_open(o.image, false);
	if (db == NULL) {
		free(o.paths);
		return TOOL_FAILED;
	}
	tx = tool_begin(db, DBFS_TX_READ_ONLY);
	for (size_t i = 0; i < o.count; i++) {
		if (list_path(&o, tx, o.paths[i]) != TOOL_OK)
			status = TOOL_FAILED;
	}
	dbfs_tx_rollback(tx);
	free(o.paths);
	return tool_close(db, o.image) == TOOL_OK ? status : TOOL_FAILED;
}

/* --- stat ------------------------------------------------------------------------------------ */

struct xattr_print {
	struct dbfs_tx *tx;
	struct dbfs_ino ino;
};

static int print_xattr(void *arg, struct dbfs_name name)
{
	const struct xattr_print *x = arg;
	size_t len = 0;

	if (dbfs_getxattr(x->tx, x->ino, name, NULL, &len) != 0)
		return 1;
	printf("  xattr:  %.*s (%zu bytes)\n", (int)name.len, name.s, len);
	return 0;
}

static void print_time(const char *what, struct dbfs_time t)
{
	char buf[32];

	printf("  %-7s %s.%09u UTC\n", what, time_text(t, buf, sizeof(buf)), t.nsec);
}

static int stat_path(struct dbfs_tx *tx, const char *path)
{
	struct xattr_print x = {.tx = tx};
	struct dbfs_attr a;
	char mode[11];
	int err = tool_walk(tx, path, false, &x.ino);

	if (err == 0)
		err = dbfs_getattr(tx, x.ino, &a);
	if (err != 0)
		return tool_dbfs_error(path, err);
	tool_mode_text(a.mode, mode);
	printf("%s", path);
	if ((a.mode & DBFS_S_IFMT) == DBFS_S_IFLNK)
		err = print_target(tx, &a);
	printf("\n  inode:  %llu\n  mode:   %s (%06o)\n  links:  %u\n  owner:  %u:%u\n",
	       (unsigned long long)a.ino.n, mode, a.mode, a.nlink, a.uid, a.gid);
	printf("  size:   %llu (%llu sectors)\n", (unsigned long long)a.size,
	       (unsigned long long)a.blocks);
	if (is_device(a.mode))
		printf("  device: %u, %u\n", a.rdev_major, a.rdev_minor);
	print_time("access:", a.atime);
	print_time("modify:", a.mtime);
	print_time("change:", a.ctime);
	print_time("birth:", a.btime);
	if (err == 0)
		err = dbfs_listxattr(tx, x.ino, print_xattr, &x);
	return err == 0 ? TOOL_OK : tool_dbfs_error(path, err);
}

int dbfs_cmd_stat(int argc, char **argv)
{
	static const struct argp argp = {.parser = parse,
					 .args_doc = "IMAGE PATH...",
					 .doc = "Print all attributes of files in an image."};
	struct options o = {.paths = tool_alloc((size_t)argc * sizeof(char *))};
	struct dbfs_tx *tx;
	struct dbfs *db;
	int status = TOOL_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	db = o.count == 0 ? NULL : tool_open(o.image, false);
	if (db == NULL) {
		status = TOOL_FAILED;
		if (o.count == 0) {
			tool_error(NULL, "stat: PATH is needed");
			status = TOOL_USAGE;
		}
		free(o.paths);
		return status;
	}
	tx = tool_begin(db, DBFS_TX_READ_ONLY);
	for (size_t i = 0; i < o.count; i++) {
		if (stat_path(tx, o.paths[i]) != TOOL_OK)
			status = TOOL_FAILED;
	}
	dbfs_tx_rollback(tx);
	free(o.paths);
	return tool_close(db, o.image) == TOOL_OK ? status : TOOL_FAILED;
}
