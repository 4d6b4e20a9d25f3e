/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Traps of user mode: system calls, page faults, other exceptions; the start of the first process. */
#include "arch/trap.h"

#include "arch/cpu.h"
#include "arch/power.h"
#include "dev/fdt.h"
#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/page.h"
#include "port/log.h"
#include "proc/cred.h"
#include "proc/proc_priv.h"
#include "proc/start.h"
#include "sched/clock.h"
#include "sched/sched.h"
#include "vdso/vdso.h"
#include "vfs/fdtable.h"
#include "vfs/path.h"
#include "vm/filemap.h"
#include "vm/space.h"
#include "vm/uaccess.h"

static void (*syscall_entry)(struct trap_frame *f);

#define OOM_BATCH 64 /* pages */

static bool print_fatal; /* const after init: boot argument "print-fatal-signals" */

static void fault_signal(int sig, int code, uint64_t addr)
{
	struct siginfo info = {.signo = sig, .code = code};

	if (UNLIKELY(print_fatal))
		port_log(PORT_LOG_WARN, "%s[%d]: signal %d code %d at %#llx, pc %#llx sp %#llx",
			 current_task()->comm, current_task()->tid, sig, code,
			 (unsigned long long)addr,
			 (unsigned long long)arch_user_frame(current_task()->thread)->epc,
			 (unsigned long long)arch_user_frame(current_task()->thread)->x[2]);
	info.fault.addr = addr;
	signal_self(&info, true);
}

static uint64_t rss_locked(const struct process *p)
{
	struct task *t;

	list_for_each_entry (t, &p->tasks, struct task, in_process) {
		if (t->mm)
			return atomic_load_explicit(&t->mm->rss, memory_order_relaxed);
	}
	return 0;
}

/*
 * The process with the most memory, with a reference. NULL: only init is left, or one is ending already and
 * will give its memory back.
 */
static struct process *largest(void)
{
	struct process *best = NULL, *p, *next;
	uint64_t most = 0;
	bool ending = false;

	for (p = process_next(0); p; p = next) {
		unsigned long flags = spin_lock_irqsave(&proc_lock);
		uint64_t rss = rss_locked(p);

		ending |= p->exiting && rss > 0;
		spin_unlock_irqrestore(&proc_lock, flags);
		next = process_next(p->pid);
		if (p->pid != 1 && rss > most) {
			struct process *smaller = best;

			most = rss;
			best = p;
			p = smaller;
		}
		if (p)
			process_put(p);
	}
	if (best && ending) {
		process_put(best);
		best = NULL;
	}
	return best;
}

/* A fault found no memory and nothing could be reclaimed: a process ends, this one or a larger one. */
static void out_of_memory(void)
{
	struct process *p = largest();
	unsigned long flags;

	if (p) {
		char comm[COMM_LEN + 1] = {0};

		flags = spin_lock_irqsave(&proc_lock);
		if (p->leader)
			memcpy(comm, p->leader->comm, COMM_LEN);
		process_kill_all_locked(p, SIGKILL);
		spin_unlock_irqrestore(&proc_lock, flags);
		port_log(PORT_LOG_WARN, "out of memory: process %d (%s) is killed", p->pid, comm);
		process_put(p);
	}
	/* Time for it to end, or for those that are ending; then the access is tried again. */
	(void)sched_sleep_until(clock_now() + 20 * NS_PER_MS, WAIT_KILLABLE);
}

static void on_page_fault(struct trap_frame *f, enum trap_access access)
{
	static const uint32_t bits[] = {VM_READ, VM_WRITE, VM_EXEC};
	struct task *t = current_task();
	bool major = false;
	enum vm_fault_result r = vm_fault(t->mm, f->tval, bits[access], &major);

	t->minor_faults += !major;
	t->major_faults += major;
	switch (r) {
	case VM_FAULT_OK:
	case VM_FAULT_KILLED:
		break;
	case VM_FAULT_MAPERR:
		fault_signal(SIGSEGV, SEGV_MAPERR, f->tval);
		break;
	case VM_FAULT_ACCERR:
		fault_signal(SIGSEGV, SEGV_ACCERR, f->tval);
		break;
	case VM_FAULT_BUS:
		fault_signal(SIGBUS, BUS_ADRERR, f->tval);
		break;
	case VM_FAULT_OOM:
		/* If that frees a batch, the access is tried again. */
		if (mm_reclaim_slow(OOM_BATCH) < OOM_BATCH / 2)
			out_of_memory();
	}
}

static void on_exception(struct trap_frame *f)
{
	switch (f->cause) {
	case TRAP_ILLEGAL:
		fault_signal(SIGILL, ILL_ILLOPC, f->epc);
		break;
	case TRAP_BREAKPOINT:
		fault_signal(SIGTRAP, TRAP_BRKPT, f->epc);
		break;
	case TRAP_FETCH_MISALIGNED:
	case TRAP_LOAD_MISALIGNED:
	case TRAP_STORE_MISALIGNED:
		fault_signal(SIGBUS, BUS_ADRALN, f->tval);
		break;
	default:
		fault_signal(SIGSEGV, SEGV_ACCERR, f->tval);
	}
}

static void on_syscall(struct trap_frame *f)
{
	syscall_entry(f);
}

static const struct trap_user_ops ops = {
	.syscall = on_syscall,
	.page_fault = on_page_fault,
	.exception = on_exception,
	.user_return = signal_user_return,
};

void proc_install_syscalls(void (*entry)(struct trap_frame *f))
{
	syscall_entry = entry;
}

void proc_init(void)
{
	tables_init();
	vm_init();
	filemap_init();
	vdso_init();
	arch_trap_install(&ops);
	print_fatal = boot_flag("print-fatal-signals");
}

static void default_limits(struct process *p)
{
	for (unsigned i = 0; i < RLIMIT_COUNT; i++)
		p->rlimits[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
	p->rlimits[RLIMIT_STACK].cur = 8ull << 20;
	p->rlimits[RLIMIT_CORE].cur = 0;
	p->rlimits[RLIMIT_NOFILE] = (struct rlimit){1024, 524288};
	p->rlimits[RLIMIT_NPROC] = (struct rlimit){PID_MAX / 2, PID_MAX / 2};
	p->rlimits[RLIMIT_MEMLOCK] = (struct rlimit){8ull << 20, 8ull << 20};
	p->rlimits[RLIMIT_SIGPENDING] = (struct rlimit){4096, 4096};
	p->rlimits[RLIMIT_MSGQUEUE] = (struct rlimit){819200, 819200};
	p->rlimits[RLIMIT_NICE] = (struct rlimit){0, 0};
	p->rlimits[RLIMIT_RTPRIO] = (struct rlimit){0, 0};
}

/* What init is called with: the words of the command line after "--". */
static const char *const envp[] = {
	"HOME=/", "TERM=linux", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	NULL};

static int try_init(const char *path)
{
	const char *argv[] = {path, NULL};
	int err = exec_kernel(path, argv, envp);

	if (err && err != -ENOENT)
		port_log(PORT_LOG_ERROR, "%s: cannot be started (error %d)", path, -err);
	return err;
}

/* The first process: runs in its task, becomes init. */
static void init_entry(void *arg)
{
	static const char *const names[] = {"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"};
	char path[128];

	(void)arg;
	if (boot_arg("init", path, sizeof(path))) {
		int err = try_init(path);

		if (err)
			panic("init=%s: error %d", path, -err);
		arch_enter_user();
	}
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (try_init(names[i]) == 0)
			arch_enter_user();
	}
	panic("no init found (init= on the command line names one)");
}

void proc_start_init(struct fs_context *fs, struct fd_table *fds)
{
	struct task *t = task_create("init", init_entry);
	struct process *p = process_create();
	struct pgrp_spare spare;
	unsigned long flags;

	if (!t || !p || pgrp_spare_alloc(&spare))
		panic("no memory for the first process");
	p->sighand = sighand_create(NULL);
	t->cred = cred_create_root();
	if (!p->sighand || !t->cred)
		panic("no memory for the first process");
	default_limits(p);
	p->exit_signal = SIGCHLD;
	t->process = p;
	process_get(p);
	t->fs = fs;
	t->fds = fds;
	flags = spin_lock_irqsave(&proc_lock);
	process_enter_locked(p, pid_alloc_locked());
	p->leader = t;
	task_enter_locked(t, p->pid);
	pgrp_join_locked(p, p->pid, NULL, &spare);
	spin_unlock_irqrestore(&proc_lock, flags);
	pgrp_spare_free(&spare);
	arch_user_frame_init(arch_user_frame(t->thread), 0, 0);
	thread_start(t->thread);
}
