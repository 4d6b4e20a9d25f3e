/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* /proc/sys: the few values that libc and the tools look up. Rows name their parent's row. */
#include "fs/procfs/procfs.h"

#include "vfs/fdtable.h"

static int show_ostype(const struct target *t, struct text *out)
{
	(void)t;
	text_printf(out, "Linux\n");
	return 0;
}

static int show_osrelease(const struct target *t, struct text *out)
{
	(void)t;
	text_printf(out, "6.12.0-alien\n");
	return 0;
}

static int show_pid_max(const struct target *t, struct text *out)
{
	(void)t;
	text_printf(out, "%d\n", PID_MAX);
	return 0;
}

static int show_ngroups_max(const struct target *t, struct text *out)
{
	(void)t;
	text_printf(out, "%d\n", NGROUPS_MAX);
	return 0;
}

static int show_overcommit(const struct target *t, struct text *out)
{
	(void)t;
	text_printf(out, "1\n"); /* memory is never promised */
	return 0;
}

static int show_nr_open(const struct target *t, struct text *out)
{
	(void)t;
	text_printf(out, "%d\n", FDTABLE_MAX);
	return 0;
}

enum { ROW_TOP, ROW_KERNEL, ROW_VM, ROW_FS };

#define DIR(n, up)                                                               \
	{                                                                        \
		{.name = (n), .mode = VFS_S_IFDIR | 0555, .dir = KIND_SYS}, (up) \
	}
#define FILE(n, up, fn)                                                       \
	{                                                                     \
		{.name = (n), .mode = VFS_S_IFREG | 0444, .show = (fn)}, (up) \
	}

const struct sys_entry sys_entries[] = {
	[ROW_TOP] = DIR("", ROW_TOP),
	[ROW_KERNEL] = DIR("kernel", ROW_TOP),
	[ROW_VM] = DIR("vm", ROW_TOP),
	[ROW_FS] = DIR("fs", ROW_TOP),
	FILE("ostype", ROW_KERNEL, show_ostype),
	FILE("osrelease", ROW_KERNEL, show_osrelease),
	FILE("pid_max", ROW_KERNEL, show_pid_max),
	FILE("ngroups_max", ROW_KERNEL, show_ngroups_max),
	FILE("overcommit_memory", ROW_VM, show_overcommit),
	FILE("nr_open", ROW_FS, show_nr_open),
};
const unsigned sys_entry_count = ARRAY_SIZE(sys_entries);
