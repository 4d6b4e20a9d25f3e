/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Files of /proc/PID and /proc/PID/task/TID, but for stat and status (stat.c) and maps (maps.c). */
#include "fs/procfs/procfs.h"

#include "lib/errno.h"
#include "lib/string.h"
#include "port/mem.h"
#include "vfs/mount.h"
#include "vm/space.h"

/* Bytes [start, end) of the process's memory. */
static int show_memory(const struct target *t, struct text *out, uint64_t start, uint64_t end)
{
	char buf[256];

	while (start < end && out->err == 0) {
		size_t n = vm_read(t->mm, start, buf, (size_t)MIN(end - start, sizeof buf));

		if (n == 0)
			break;
		text_add(out, buf, n);
		start += n;
	}
	return 0;
}

static int show_cmdline(const struct target *t, struct text *out)
{
	return t->mm == NULL ? 0 : show_memory(t, out, t->mm->arg_start, t->mm->arg_end);
}

static int show_environ(const struct target *t, struct text *out)
{
	int err = target_may_look(t);

	if (err != 0 || t->mm == NULL)
		return err;
	return show_memory(t, out, t->mm->env_start, t->mm->env_end);
}

static int show_auxv(const struct target *t, struct text *out)
{
	int err = target_may_look(t);

	if (err == 0 && t->mm != NULL)
		text_add(out, t->mm->auxv, t->mm->auxv_words * sizeof t->mm->auxv[0]);
	return err;
}

static int show_comm(const struct target *t, struct text *out)
{
	char comm[COMM_LEN + 1] = {0};

	if (t->task == NULL)
		return 0;
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	memcpy(comm, t->task->comm, COMM_LEN);
	spin_unlock_irqrestore(&proc_lock, flags);
	text_printf(out, "%s\n", comm);
	return 0;
}

static int write_comm(const struct target *t, const char *text, size_t len)
{
	char comm[COMM_LEN] = {0};

	if (t->process != current_process())
		return -EINVAL;
	if (len > 0 && text[len - 1] == '\n')
		len--;
	memcpy(comm, text, MIN(len, sizeof comm - 1));
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	if (t->task != NULL)
		memcpy(t->task->comm, comm, sizeof comm);
	spin_unlock_irqrestore(&proc_lock, flags);
	return 0;
}

/* kind as in vfs_show_mounts. */
static int show_mount_table(const struct target *t, struct text *out, int kind)
{
	enum { CHUNK = 4096 };
	struct path root;
	uint64_t pos = 0;

	if (t->fs == NULL)
		return -EINVAL;
	char *buf = port_alloc(CHUNK);

	if (buf == NULL)
		return -ENOMEM;
	fs_context_root(t->fs, &root);
	for (;;) {
		size_t n = vfs_show_mounts(t->fs->ns, &root, kind, pos, buf, CHUNK);

		if (n == 0 || out->err != 0)
			break;
		text_add(out, buf, n);
		pos += n;
	}
	path_put(&root);
	port_free(buf);
	return 0;
}

static int show_mountinfo(const struct target *t, struct text *out)
{
	return show_mount_table(t, out, 0);
}

static int show_mounts(const struct target *t, struct text *out)
{
	return show_mount_table(t, out, 1);
}

static int show_limits(const struct target *t, struct text *out)
{
	static const struct {
		const char *name;
		const char *unit;
	} rows[RLIMIT_COUNT] = {
		[RLIMIT_CPU] = {"Max cpu time", "seconds"},
		[RLIMIT_FSIZE] = {"Max file size", "bytes"},
		[RLIMIT_DATA] = {"Max data size", "bytes"},
		[RLIMIT_STACK] = {"Max stack size", "bytes"},
		[RLIMIT_CORE] = {"Max core file size", "bytes"},
		[RLIMIT_RSS] = {"Max resident set", "bytes"},
		[RLIMIT_NPROC] = {"Max processes", "processes"},
		[RLIMIT_NOFILE] = {"Max open files", "files"},
		[RLIMIT_MEMLOCK] = {"Max locked memory", "bytes"},
		[RLIMIT_AS] = {"Max address space", "bytes"},
		[RLIMIT_LOCKS] = {"Max file locks", "locks"},
		[RLIMIT_SIGPENDING] = {"Max pending signals", "signals"},
		[RLIMIT_MSGQUEUE] = {"Max msgqueue size", "bytes"},
		[RLIMIT_NICE] = {"Max nice priority", ""},
		[RLIMIT_RTPRIO] = {"Max realtime priority", ""},
		[RLIMIT_RTTIME] = {"Max realtime timeout", "us"},
	};

	text_printf(out, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (unsigned i = 0; i < RLIMIT_COUNT; i++) {
		const uint64_t values[] = {t->process->rlimits[i].cur, t->process->rlimits[i].max};

		text_printf(out, "%-25s", rows[i].name);
		for (unsigned v = 0; v < 2; v++) {
			if (values[v] == RLIM_INFINITY)
				text_printf(out, " %-20s", "unlimited");
			else
				text_printf(out, " %-20llu", (unsigned long long)values[v]);
		}
		text_printf(out, " %-10s\n", rows[i].unit);
	}
	return 0;
}

static int show_children(const struct target *t, struct text *out)
{
	struct process *p;
	int pids[128];
	unsigned n = 0;
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	list_for_each_entry (p, &t->process->children, struct process, sibling) {
		if (n < ARRAY_SIZE(pids))
			pids[n++] = p->pid;
	}
	spin_unlock_irqrestore(&proc_lock, flags);
	for (unsigned i = 0; i < n; i++)
		text_printf(out, "%d ", pids[i]);
	return 0;
}

static int show_oom_score_adj(const struct target *t, struct text *out)
{
	text_printf(out, "%d\n", t->process->oom_score_adj);
	return 0;
}

#define FILE_MODE (VFS_S_IFREG | 0444)
#define OWN_MODE (VFS_S_IFREG | 0400)
#define LINK_MODE (VFS_S_IFLNK | 0777)

const struct entry pid_entries[] = {
	{.name = "", .mode = VFS_S_IFDIR | 0555, .dir = KIND_PID},
	{.name = "task", .mode = VFS_S_IFDIR | 0555, .dir = KIND_TASKS, .whole_only = true},
	{.name = "fd", .mode = VFS_S_IFDIR | 0500, .dir = KIND_FDS},
	{.name = "auxv", .mode = OWN_MODE, .show = show_auxv},
	{.name = "children", .mode = FILE_MODE, .show = show_children},
	{.name = "cmdline", .mode = FILE_MODE, .show = show_cmdline},
	{.name = "comm", .mode = VFS_S_IFREG | 0644, .show = show_comm, .write = write_comm},
	{.name = "cwd", .mode = LINK_MODE, .follow = follow_cwd},
	{.name = "environ", .mode = OWN_MODE, .show = show_environ},
	{.name = "exe", .mode = LINK_MODE, .follow = follow_exe},
	{.name = "limits", .mode = FILE_MODE, .show = show_limits},
	{.name = "maps", .mode = FILE_MODE, .show = show_maps},
	{.name = "mountinfo", .mode = FILE_MODE, .show = show_mountinfo},
	{.name = "mounts", .mode = FILE_MODE, .show = show_mounts},
	{.name = "oom_score_adj", .mode = FILE_MODE, .show = show_oom_score_adj},
	{.name = "root", .mode = LINK_MODE, .follow = follow_root},
	{.name = "stat", .mode = FILE_MODE, .show = show_stat},
	{.name = "statm", .mode = FILE_MODE, .show = show_statm},
	{.name = "status", .mode = FILE_MODE, .show = show_status},
};
const unsigned pid_entry_count = ARRAY_SIZE(pid_entries);
