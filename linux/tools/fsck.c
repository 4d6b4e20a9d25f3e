/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * fsck.dbfs: checks an image and changes nothing. The log is replayed in memory, as a mount would do on
 * disk. Exit statuses as fsck(8): 0 clean, 4 errors found, 8 could not be carried out, 16 wrong usage.
 */
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dbfs/check.h"
#include "tools/tool.h"

enum { FSCK_CLEAN = 0, FSCK_ERRORS = 4, FSCK_FAILED = 8, FSCK_USAGE = 16 };

struct options {
	const char *image;
	bool data;
	bool quiet;
	bool progress;
	unsigned max;
	uint64_t printed;
};

enum { KEY_MAX = 1000 };

static const struct argp_option argp_opts[] = {
	{"data", 'd', NULL, 0, "Also read all file data and compare checksums", 0},
	{"quiet", 'q', NULL, 0, "No summary", 0},
	{"max", KEY_MAX, "N", 0, "Print at most N findings (default 1000; all are counted)", 0},
	{NULL, 'n', NULL, 0, "Accepted: nothing is ever changed", 0},
	{NULL, 'y', NULL, OPTION_ALIAS, NULL, 0},
	{NULL, 'a', NULL, OPTION_ALIAS, NULL, 0},
	{NULL, 'p', NULL, OPTION_ALIAS, NULL, 0},
	{NULL, 'f', NULL, OPTION_ALIAS, NULL, 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	uint64_t n;

	switch (key) {
	case 'd':
		o->data = true;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	case 'n':
	case 'y':
	case 'a':
	case 'p':
	case 'f':
		return 0;
	case KEY_MAX:
		if (!tool_parse_size(arg, &n) || n > 1000000)
			argp_error(state, "not a number of findings: %s", arg);
		o->max = (unsigned)n;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_error(state, "too many arguments: %s", arg);
		o->image = arg;
		return 0;
	case ARGP_KEY_END:
		if (o->image == NULL)
			argp_error(state, "IMAGE is needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = argp_opts,
	.parser = parse,
	.args_doc = "IMAGE",
	.doc = "Check the DBFS file system in IMAGE. Nothing is changed.",
};

static void finding(void *arg, const char *object, const char *text)
{
	struct options *o = arg;

	if (o->printed++ < o->max)
		printf("%s: %s: %s\n", o->image, object, text);
}

static void progress(void *arg, uint64_t done, uint64_t total)
{
	const struct options *o = arg;

	if (o->progress)
		fprintf(stderr, "\r%llu%%\033[K%s",
			(unsigned long long)(total == 0 ? 100 : done * 100 / total),
			done >= total ? "\n" : "");
}

static int check(struct options *o, struct dbfs *db)
{
	const struct dbfs_check_opts co = {o->data, finding, progress, o};
	struct dbfs_check_result r;
	struct dbfs_stats s;
	int err = dbfs_check(db, &co, &r);

	if (err != 0) {
		tool_dbfs_error(o->image, err);
		return FSCK_FAILED;
	}
	dbfs_get_stats(db, &s);
	if (o->printed > o->max)
		printf("%s: ... and %llu more\n", o->image,
		       (unsigned long long)(o->printed - o->max));
	if (!o->quiet)
		printf("%s: %s: %llu inodes (%llu directories), %llu data blocks, %llu tree pages, "
		       "%llu commits from the log%s; %llu findings\n",
		       o->image, r.findings == 0 ? "clean" : "DAMAGED",
		       (unsigned long long)r.inodes, (unsigned long long)r.directories,
		       (unsigned long long)r.data_blocks, (unsigned long long)r.tree_pages,
		       (unsigned long long)s.replayed_commits, o->data ? ", data checked" : "",
		       (unsigned long long)r.findings);
	return r.findings == 0 ? FSCK_CLEAN : FSCK_ERRORS;
}

int main(int argc, char **argv)
{
	const struct dbfs_open_opts opts = {.read_only = true, .no_background = true};
	struct options o = {.max = 1000};
	struct port_blk *dev;
	struct dbfs *db;
	int status;
	int err;

	tool_init("fsck.dbfs", FSCK_USAGE);
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	o.progress = isatty(STDERR_FILENO) != 0;
	dev = tool_open_device(o.image, false);
	if (dev == NULL)
		return FSCK_FAILED;
	err = dbfs_open(dev, &opts, &db);
	if (err != 0) {
		dev->ops->close(dev);
		if (err == -DBFS_ECORRUPT) {
			printf("%s: volume: %s; it cannot be opened\n", o.image,
			       dbfs_strerror(err));
			return FSCK_ERRORS;
		}
		tool_dbfs_error(o.image, err);
		return FSCK_FAILED;
	}
	status = check(&o, db);
	err = dbfs_close(db);
	return status;
}
