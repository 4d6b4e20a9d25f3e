/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The machine as programs see it: names, memory, random numbers, power, caches. */
#include "arch/mmu.h"
#include "arch/power.h"
#include "arch/smp.h"
#include "base/overflow.h"
#include "dev/random.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "port/log.h"
#include "port/rand.h"
#include "proc/process.h"
#include "sched/clock.h"
#include "sched/sched.h"
#include "sync/mutex.h"
#include "sys/syscall.h"
#include "vfs/fs.h"
#include "vm/space.h"
#include "vm/uaccess.h"

struct utsname {
	char sysname[65], nodename[65], release[65], version[65], machine[65], domain[65];
};

static struct mutex uts_lock = MUTEX_INIT(uts_lock, LOCK_RANK_PROC, "uts");
static struct utsname uts = {
	.sysname = "Linux",
	.nodename = "alien",
	.release = "6.12.0-alien",
	.version = "#1 SMP PREEMPT Alien OS",
	.machine = "riscv64",
	.domain = "(none)",
}; /* lock: uts_lock */

SYSCALL(uname)
{
	struct utsname copy;

	mutex_lock(&uts_lock);
	copy = uts;
	mutex_unlock(&uts_lock);
	return copy_to_user(a->v[0], &copy, sizeof(copy));
}

static long set_name(char *field, uint64_t addr, uint64_t len)
{
	char name[65] = {0};

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (len > 64)
		return -EINVAL;
	if (copy_from_user(name, addr, len))
		return -EFAULT;
	mutex_lock(&uts_lock);
	memcpy(field, name, sizeof(name));
	mutex_unlock(&uts_lock);
	return 0;
}

SYSCALL(sethostname)
{
	return set_name(uts.nodename, a->v[0], a->v[1]);
}

SYSCALL(setdomainname)
{
	return set_name(uts.domain, a->v[0], a->v[1]);
}

struct user_sysinfo {
	int64_t uptime;
	uint64_t loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	uint16_t procs, pad;
	uint64_t totalhigh, freehigh;
	uint32_t mem_unit;
	uint32_t rest;
};

static uint16_t count_processes(void)
{
	uint16_t n = 0;
	struct process *p, *next;

	for (p = process_next(0); p; p = next, n++) {
		next = process_next(p->pid);
		process_put(p);
	}
	return n;
}

SYSCALL(sysinfo)
{
	struct user_sysinfo u = {.mem_unit = 1, .procs = count_processes()};
	struct mm_stats mm;
	uint32_t load[3];

	mm_stats_get(&mm);
	sched_loadavg(load);
	for (unsigned i = 0; i < 3; i++)
		u.loads[i] = (uint64_t)load[i] << 5;
	u.uptime = (int64_t)(clock_now() / NS_PER_SEC);
	u.totalram = mm.total_pages * PAGE_SIZE;
	u.freeram = mm.free_pages * PAGE_SIZE;
	return copy_to_user(a->v[0], &u, sizeof(u));
}

enum { GRND_NONBLOCK = 1, GRND_RANDOM = 2, GRND_INSECURE = 4 };

SYSCALL(getrandom)
{
	uint64_t n = MIN(a->v[1], (uint64_t)INT32_MAX), done = 0;
	uint32_t flags = arg_u32(a, 2);
	uint8_t buf[256];

	if ((flags & ~7u) || (flags & (GRND_RANDOM | GRND_INSECURE)) == 6)
		return -EINVAL;
	while (!random_ready() && !(flags & GRND_INSECURE)) {
		if (flags & GRND_NONBLOCK)
			return -EAGAIN;
		if (sched_sleep_until(clock_now() + 10 * NS_PER_MS, WAIT_INTERRUPTIBLE))
			return -ERESTARTSYS;
	}
	while (done < n) {
		size_t part = MIN(n - done, sizeof(buf));

		port_random(buf, part);
		if (copy_to_user(a->v[0] + done, buf, part))
			return done ? (long)done : -EFAULT;
		done += part;
		if (signal_pending())
			break;
	}
	return (long)done;
}

struct hwprobe_pair {
	int64_t key;
	uint64_t value;
};

static void hwprobe(struct hwprobe_pair *p)
{
	switch (p->key) {
	case 0: /* mvendorid */
	case 1: /* marchid */
	case 2: /* mimpid */
		p->value = 0;
		break;
	case 3: /* base behavior: IMA */
		p->value = 1;
		break;
	case 4: /* extensions: FD, C */
		p->value = 3;
		break;
	case 5: /* misaligned scalar accesses: fast */
	case 9:
		p->value = 3;
		break;
	case 7: /* highest user address */
		p->value = ARCH_USER_END - 1;
		break;
	case 8: /* ticks of the time CSR a second */
		p->value = arch_timebase();
		break;
	default:
		p->key = -1;
		p->value = 0;
	}
}

SYSCALL(riscv_hwprobe)
{
	uint64_t count = a->v[1];

	if (arg_u32(a, 4) || count > 4096)
		return -EINVAL;
	for (uint64_t i = 0; i < count; i++) {
		struct hwprobe_pair p;

		if (copy_from_user(&p, a->v[0] + i * sizeof(p), sizeof(p)))
			return -EFAULT;
		hwprobe(&p);
		if (copy_to_user(a->v[0] + i * sizeof(p), &p, sizeof(p)))
			return -EFAULT;
	}
	return 0;
}

SYSCALL(riscv_flush_icache)
{
	if (a->v[2] & ~1ull)
		return -EINVAL;
	if (a->v[2] & 1)
		arch_icache_sync_local();
	else
		arch_icache_sync_all();
	return 0;
}

enum {
	MEMBARRIER_QUERY = 0,
	MEMBARRIER_GLOBAL = 1,
	MEMBARRIER_GLOBAL_EXPEDITED = 2,
	MEMBARRIER_REGISTER_GLOBAL_EXPEDITED = 4,
	MEMBARRIER_PRIVATE_EXPEDITED = 8,
	MEMBARRIER_REGISTER_PRIVATE_EXPEDITED = 16,
};

static void full_fence(void *arg)
{
	(void)arg;
	atomic_thread_fence(memory_order_seq_cst);
}

SYSCALL(membarrier)
{
	struct vm_space *s = vm_current();

	if (a->v[1])
		return -EINVAL;
	switch (arg_int(a, 0)) {
	case MEMBARRIER_QUERY:
		return 31;
	case MEMBARRIER_GLOBAL:
	case MEMBARRIER_GLOBAL_EXPEDITED:
		break;
	case MEMBARRIER_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_REGISTER_PRIVATE_EXPEDITED:
		atomic_fetch_or_explicit(&s->membarrier, a->v[0], memory_order_relaxed);
		return 0;
	case MEMBARRIER_PRIVATE_EXPEDITED:
		if (!(atomic_load_explicit(&s->membarrier, memory_order_relaxed) &
		      MEMBARRIER_REGISTER_PRIVATE_EXPEDITED))
			return -EPERM;
		break;
	default:
		return -EINVAL;
	}
	arch_smp_call(arch_harts_online(), full_fence, NULL);
	return 0;
}

#define REBOOT_MAGIC1 0xfee1deadu
enum {
	REBOOT_RESTART = 0x01234567,
	REBOOT_HALT = (int)0xcdef0123,
	REBOOT_POWER_OFF = 0x4321fedc,
	REBOOT_RESTART2 = (int)0xa1b2c3d4,
	REBOOT_CAD_ON = (int)0x89abcdef,
	REBOOT_CAD_OFF = 0,
};

static bool magic2_ok(uint32_t m)
{
	return m == 672274793 || m == 85072278 || m == 369367448 || m == 537993216;
}

/* "exit=N" as RESTART2's string leaves QEMU with that status: for tests. */
static int exit_status(uint64_t addr)
{
	char s[16];
	int v = 0;

	if (strncpy_from_user(s, addr, sizeof(s)) < 6 || memcmp(s, "exit=", 5) != 0)
		return -1;
	for (const char *p = s + 5; *p; p++) {
		if (*p < '0' || *p > '9')
			return -1;
		v = v * 10 + (*p - '0');
	}
	return v < 256 ? v : -1;
}

SYSCALL(reboot)
{
	int cmd = arg_int(a, 2), status;

	if (!capable(CAP_SYS_BOOT))
		return -EPERM;
	if (arg_u32(a, 0) != REBOOT_MAGIC1 || !magic2_ok(arg_u32(a, 1)))
		return -EINVAL;
	if (cmd == REBOOT_CAD_ON || cmd == REBOOT_CAD_OFF)
		return 0;
	if (cmd != REBOOT_RESTART && cmd != REBOOT_HALT && cmd != REBOOT_POWER_OFF &&
	    cmd != REBOOT_RESTART2)
		return -EINVAL;
	status = cmd == REBOOT_RESTART2 ? exit_status(a->v[3]) : 0;
	if (proc_hooks.sync_all)
		proc_hooks.sync_all();
	if (cmd == REBOOT_RESTART || (cmd == REBOOT_RESTART2 && status < 0))
		arch_reboot();
	arch_power_off(status);
}

/* syslog(2): reading the ring. struct per call: position of the reader that consumes. */
enum {
	SYSLOG_READ = 2,
	SYSLOG_READ_ALL = 3,
	SYSLOG_READ_CLEAR = 4,
	SYSLOG_CLEAR = 5,
	SYSLOG_CONSOLE_OFF = 6,
	SYSLOG_CONSOLE_ON = 7,
	SYSLOG_CONSOLE_LEVEL = 8,
	SYSLOG_SIZE_UNREAD = 9,
	SYSLOG_SIZE_BUFFER = 10
};

static uint64_t log_read_pos, log_clear_pos; /* racing readers share them: either is right */

static long read_log(uint64_t *pos, uint64_t addr, uint64_t len)
{
	char buf[256];
	uint64_t done = 0;

	while (done < len) {
		size_t n = log_ring_read(pos, buf, MIN(len - done, sizeof(buf)));

		if (!n)
			break;
		if (copy_to_user(addr + done, buf, n))
			return -EFAULT;
		done += n;
	}
	return (long)done;
}

SYSCALL(syslog)
{
	uint64_t pos = log_clear_pos, end = log_ring_end();
	long n;

	switch (arg_int(a, 0)) {
	case SYSLOG_READ:
		return read_log(&log_read_pos, a->v[1], arg_u32(a, 2));
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR:
		if (end - pos > arg_u32(a, 2))
			pos = end - arg_u32(a, 2);
		n = read_log(&pos, a->v[1], arg_u32(a, 2));
		if (arg_int(a, 0) == SYSLOG_READ_CLEAR)
			log_clear_pos = end;
		return n;
	case SYSLOG_CLEAR:
		log_clear_pos = end;
		return 0;
	case SYSLOG_CONSOLE_OFF:
		log_set_console_level(0);
		return 0;
	case SYSLOG_CONSOLE_ON:
		log_set_console_level(7);
		return 0;
	case SYSLOG_CONSOLE_LEVEL:
		return arg_int(a, 2) < 1 || arg_int(a, 2) > 8 ? -EINVAL : 0;
	case SYSLOG_SIZE_UNREAD:
		return (long)(end - MIN(log_read_pos, end));
	case SYSLOG_SIZE_BUFFER:
		return 65536;
	default:
		return arg_int(a, 0) < 2 && arg_int(a, 0) >= 0 ? 0 : -EINVAL;
	}
}
