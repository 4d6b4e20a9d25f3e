/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Files of /proc itself. */
#include "fs/procfs/procfs.h"

#include "arch/smp.h"
#include "dev/blk.h"
#include "dev/fdt.h"
#include "lib/string.h"
#include "mm/page.h"
#include "sched/clock.h"
#include "sched/sched.h"
#include "vfs/page_cache.h"

#define PAGE_KIB 4u

static int show_meminfo(const struct target *t, struct text *out)
{
	struct mm_stats mm;
	uint64_t cached;
	uint64_t dirty;

	(void)t;
	mm_stats_get(&mm);
	page_cache_stats(&cached, &dirty);
	const struct {
		const char *name;
		uint64_t pages;
	} rows[] = {
		{"MemTotal", mm.total_pages},
		{"MemFree", mm.free_pages},
		{"MemAvailable", mm.free_pages + cached - dirty},
		{"Buffers", 0},
		{"Cached", cached},
		{"SwapCached", 0},
		{"SwapTotal", 0},
		{"SwapFree", 0},
		{"Dirty", dirty},
		{"Slab", mm.slab_pages},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		text_printf(out, "%s:%*s%8llu kB\n", rows[i].name, (int)(15 - strlen(rows[i].name)),
			    "", (unsigned long long)rows[i].pages * PAGE_KIB);
	return 0;
}

static int show_uptime(const struct target *t, struct text *out)
{
	uint64_t up = clock_now() / (NS_PER_SEC / PROC_TICKS_PER_SEC);
	uint64_t idle = 0;

	(void)t;
	for (unsigned hart = 0; hart < arch_hart_count(); hart++) {
		struct sched_stats st;

		sched_hart_stats(hart, &st);
		idle += st.idle_ticks;
	}
	idle = idle * PROC_TICKS_PER_SEC / boot_info.timebase;
	text_printf(out, "%llu.%02u %llu.%02u\n", (unsigned long long)(up / 100),
		    (unsigned)(up % 100), (unsigned long long)(idle / 100), (unsigned)(idle % 100));
	return 0;
}

static int show_loadavg(const struct target *t, struct text *out)
{
	uint32_t load[3];
	unsigned running = 0;
	unsigned tasks = 0;
	int last = 0;

	(void)t;
	sched_loadavg(load);
	for (unsigned hart = 0; hart < arch_hart_count(); hart++) {
		struct sched_stats st;

		sched_hart_stats(hart, &st);
		running += st.runnable;
	}
	for (struct process *p = process_next(0); p != NULL; p = process_next(last)) {
		last = p->pid;
		tasks += p->task_count;
		process_put(p);
	}
	for (int i = 0; i < 3; i++)
		text_printf(out, "%u.%02u ", load[i] >> 11, (load[i] & 2047) * 100 >> 11);
	text_printf(out, "%u/%u %d\n", running, tasks, last);
	return 0;
}

static void hart_stat(struct text *out, const char *name, uint64_t idle, uint64_t total)
{
	text_printf(out, "%s %llu 0 0 %llu 0 0 0 0 0 0\n", name,
		    (unsigned long long)(total > idle ? total - idle : 0),
		    (unsigned long long)idle);
}

/* Time that is not idle is shown as user time: the harts do not tell them apart. */
static int show_system_stat(const struct target *t, struct text *out)
{
	uint64_t up = clock_now() / (NS_PER_SEC / PROC_TICKS_PER_SEC);
	uint64_t idle[64] = {0};
	uint64_t all = 0;
	uint64_t switches = 0;
	unsigned running = 0;

	(void)t;
	for (unsigned hart = 0; hart < arch_hart_count() && hart < ARRAY_SIZE(idle); hart++) {
		struct sched_stats st;

		sched_hart_stats(hart, &st);
		idle[hart] = st.idle_ticks * PROC_TICKS_PER_SEC / boot_info.timebase;
		all += idle[hart];
		switches += st.switches;
		running += st.runnable;
	}
	hart_stat(out, "cpu ", all, up * arch_hart_count());
	for (unsigned hart = 0; hart < arch_hart_count() && hart < ARRAY_SIZE(idle); hart++) {
		text_printf(out, "cpu%u", hart);
		hart_stat(out, "", idle[hart], up);
	}
	text_printf(out, "ctxt %llu\nbtime %lld\nprocs_running %u\nprocs_blocked 0\n",
		    (unsigned long long)switches,
		    (long long)(clock_wall_offset() / (int64_t)NS_PER_SEC), running);
	return 0;
}

static int show_cpuinfo(const struct target *t, struct text *out)
{
	(void)t;
	for (unsigned hart = 0; hart < arch_hart_count(); hart++)
		text_printf(out, "processor\t: %u\nhart\t\t: %llu\nisa\t\t: %s\nmmu\t\t: sv39\n\n",
			    hart, (unsigned long long)boot_info.hart_ids[hart], boot_info.isa);
	return 0;
}

static int show_version(const struct target *t, struct text *out)
{
	(void)t;
	text_printf(out, "Linux version 6.12.0-alien (Alien OS) #1 SMP PREEMPT\n");
	return 0;
}

static int show_cmdline(const struct target *t, struct text *out)
{
	(void)t;
	text_printf(out, "%s\n", boot_info.args);
	return 0;
}

static void show_type(const struct vfs_fs_type *type, void *arg)
{
	text_printf(arg, "%s\t%s\n", type->needs_device ? "" : "nodev", type->name);
}

static int show_filesystems(const struct target *t, struct text *out)
{
	(void)t;
	vfs_fs_for_each_type(show_type, out);
	return 0;
}

static int show_diskstats(const struct target *t, struct text *out)
{
	(void)t;
	for (unsigned i = 0; blkdev_get(i) != NULL; i++) {
		const struct blkdev *d = blkdev_get(i);

		text_printf(out, "%4u %7u %s %llu 0 %llu 0 %llu 0 %llu 0 0 0 0 0 0 0 0 %llu 0\n",
			    d->major, d->minor, d->name, (unsigned long long)d->reads,
			    (unsigned long long)d->read_sectors, (unsigned long long)d->writes,
			    (unsigned long long)d->write_sectors, (unsigned long long)d->flushes);
	}
	return 0;
}

static int show_partitions(const struct target *t, struct text *out)
{
	(void)t;
	text_printf(out, "major minor  #blocks  name\n\n");
	for (unsigned i = 0; blkdev_get(i) != NULL; i++) {
		const struct blkdev *d = blkdev_get(i);

		text_printf(out, "%4u %8u %10llu %s\n", d->major, d->minor,
			    (unsigned long long)d->sectors / 2, d->name);
	}
	return 0;
}

static int link_self(const struct target *t, struct text *out)
{
	(void)t;
	text_printf(out, "%d", current_process()->pid);
	return 0;
}

static int link_thread_self(const struct target *t, struct text *out)
{
	(void)t;
	text_printf(out, "%d/task/%d", current_process()->pid, current_task()->tid);
	return 0;
}

static int link_mounts(const struct target *t, struct text *out)
{
	(void)t;
	text_printf(out, "self/mounts");
	return 0;
}

#define FILE_MODE (VFS_S_IFREG | 0444)
#define LINK_MODE (VFS_S_IFLNK | 0777)

const struct entry root_entries[] = {
	{.name = "", .mode = VFS_S_IFDIR | 0555, .dir = KIND_ROOT},
	{.name = "self", .mode = LINK_MODE, .show = link_self},
	{.name = "thread-self", .mode = LINK_MODE, .show = link_thread_self},
	{.name = "mounts", .mode = LINK_MODE, .show = link_mounts},
	{.name = "sys", .mode = VFS_S_IFDIR | 0555, .dir = KIND_SYS},
	{.name = "cmdline", .mode = FILE_MODE, .show = show_cmdline},
	{.name = "cpuinfo", .mode = FILE_MODE, .show = show_cpuinfo},
	{.name = "diskstats", .mode = FILE_MODE, .show = show_diskstats},
	{.name = "filesystems", .mode = FILE_MODE, .show = show_filesystems},
	{.name = "loadavg", .mode = FILE_MODE, .show = show_loadavg},
	{.name = "meminfo", .mode = FILE_MODE, .show = show_meminfo},
	{.name = "partitions", .mode = FILE_MODE, .show = show_partitions},
	{.name = "stat", .mode = FILE_MODE, .show = show_system_stat},
	{.name = "uptime", .mode = FILE_MODE, .show = show_uptime},
	{.name = "version", .mode = FILE_MODE, .show = show_version},
};
const unsigned root_entry_count = ARRAY_SIZE(root_entries);
