/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* dbfs COMMAND ...: looks into an image and copies in and out, without mounting it. */
#include <stdlib.h>
#include <string.h>

#include "tools/dbfs.h"
#include "tools/tool.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *args;
	const char *what;
} commands[] = {
	{"ls", dbfs_cmd_ls, "[-laR] IMAGE [PATH...]", "list directories"},
	{"cat", dbfs_cmd_cat, "IMAGE PATH...", "print files"},
	{"stat", dbfs_cmd_stat, "IMAGE PATH...", "print all attributes"},
	{"cp", dbfs_cmd_cp, "IMAGE:PATH... DEST | SOURCE... IMAGE:PATH",
	 "copy trees out of the image or into it, in one transaction"},
	{"dump", dbfs_cmd_dump, "IMAGE [INODE]",
	 "print the records that the file system is made of"},
	{"info", dbfs_cmd_info, "IMAGE", "print what is known of the volume"},
};

static void usage(FILE *f)
{
	fprintf(f, "Usage: dbfs COMMAND ...\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(f, "  dbfs %-4s %s\n            %s\n", commands[i].name, commands[i].args,
			commands[i].what);
}

int main(int argc, char **argv)
{
	char name[32];
	int status = TOOL_USAGE;

	tool_init("dbfs", TOOL_USAGE);
	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
		usage(stdout);
		return TOOL_OK;
	}
	for (size_t i = 0; argc >= 2 && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		snprintf(name, sizeof(name), "dbfs %s", commands[i].name);
		argv[1] = name;
		status = commands[i].run(argc - 1, argv + 1);
		if (fflush(stdout) != 0 || ferror(stdout))
			status = tool_error("standard output", "cannot be written");
		return status;
	}
	if (argc >= 2)
		tool_error(argv[1], "no such command");
	usage(stderr);
	return TOOL_USAGE;
}
