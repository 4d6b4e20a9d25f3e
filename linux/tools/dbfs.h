/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The subcommands of dbfs: each parses its own arguments (argv[0] is the name for messages). */
#ifndef LINUX_TOOLS_DBFS_H
#define LINUX_TOOLS_DBFS_H

int dbfs_cmd_ls(int argc, char **argv);
int dbfs_cmd_cat(int argc, char **argv);
int dbfs_cmd_stat(int argc, char **argv);
int dbfs_cmd_cp(int argc, char **argv);
int dbfs_cmd_dump(int argc, char **argv);
int dbfs_cmd_info(int argc, char **argv);

#endif
