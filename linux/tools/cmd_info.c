/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* dbfs info and dbfs dump. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "dbfs/check.h"
#include "tools/dbfs.h"
#include "tools/tool.h"

struct options {
	const char *image;
	uint64_t ino; /* 0: all */
	bool one_arg;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (state->arg_num == 0) {
			o->image = arg;
			return 0;
		}
		if (state->arg_num > 1 || o->one_arg)
			argp_error(state, "too many arguments: %s", arg);
		if (!tool_parse_size(arg, &o->ino) || o->ino == 0)
			argp_error(state, "not an inode number: %s", arg);
		return 0;
	case ARGP_KEY_END:
		if (o->image == NULL)
			argp_error(state, "IMAGE is needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void print_line(void *arg, const char *line)
{
	(void)arg;
	puts(line);
}

int dbfs_cmd_dump(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "IMAGE [INODE]",
		.doc = "Print the file system's records, of one inode or all, damaged ones too."};
	struct options o = {0};
	struct dbfs_tx *tx;
	struct dbfs *db;
	int err;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	db = tool_open(o.image, false);
	if (db == NULL)
		return TOOL_FAILED;
	tx = tool_begin(db, DBFS_TX_READ_ONLY);
	err = dbfs_check_dump(tx, o.ino, print_line, NULL);
	if (err != 0)
		tool_dbfs_error(o.image, err);
	dbfs_tx_rollback(tx);
	return tool_close(db, o.image) == TOOL_OK && err == 0 ? TOOL_OK : TOOL_FAILED;
}

static void print_info(const struct dbfs_stats *s, const struct dbfs_statfs *f)
{
	char text[32];
	char more[32];

	printf("label:        %.32s\nuuid:         ", s->label);
	for (unsigned i = 0; i < 16; i++)
		printf("%02x%s", s->uuid[i], i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "");
	printf("\nsize:         %s (%llu blocks)\n",
	       tool_human(s->total_blocks * DBFS_BLOCK_SIZE, text, sizeof(text)),
	       (unsigned long long)s->total_blocks);
	printf("free:         %s (%llu blocks)\n",
	       tool_human(s->free_blocks * DBFS_BLOCK_SIZE, text, sizeof(text)),
	       (unsigned long long)s->free_blocks);
	printf("inodes:       %llu\n", (unsigned long long)f->files);
	printf("log:          %s of %s in use, %llu commits to replay\n",
	       tool_human(s->log_bytes, text, sizeof(text)),
	       tool_human(s->log_capacity, more, sizeof(more)),
	       (unsigned long long)s->replayed_commits);
	printf("last commit:  %llu\n", (unsigned long long)s->last_ts);
}

int dbfs_cmd_info(int argc, char **argv)
{
	static const struct argp argp = {.parser = parse,
					 .args_doc = "IMAGE",
					 .doc = "Print what is known of a volume."};
	struct options o = {.one_arg = true};
	struct dbfs_statfs f;
	struct dbfs_stats s;
	struct dbfs *db;
	int err;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	db = tool_open(o.image, false);
	if (db == NULL)
		return TOOL_FAILED;
	err = dbfs_statfs(db, &f);
	dbfs_get_stats(db, &s);
	if (err == 0)
		print_info(&s, &f);
	else
		tool_dbfs_error(o.image, err);
	return tool_close(db, o.image) == TOOL_OK && err == 0 ? TOOL_OK : TOOL_FAILED;
}
