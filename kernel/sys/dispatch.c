/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* From the trap to the handler. Boot argument "strace" logs every call of every process. */
#include "sys/dispatch.h"

#include "arch/trap.h"
#include "dev/fdt.h"
#include "ipc/futex.h"
#include "lib/printf.h"
#include "proc/process.h"
#include "proc/start.h"
#include "sys/syscall.h"
#include "sys/timers.h"

#define NR_RT_SIGRETURN 139

static bool trace; /* const after init */

static bool wants_restart(long ret)
{
	return ret == -ERESTARTSYS || ret == -ERESTARTNOINTR || ret == -ERESTARTNOHAND ||
	       ret == -ERESTART_RESTARTBLOCK;
}

static void say(const struct task *t, uint64_t nr, const struct syscall_args *a, long ret)
{
	const char *name = nr < syscall_count ? syscall_table[nr].name : NULL;

	printk("[%d %s] %s/%llu(%llx, %llx, %llx, %llx) = %ld\n", t->tid, t->comm,
	       name ? name : "?", (unsigned long long)nr, (unsigned long long)a->v[0],
	       (unsigned long long)a->v[1], (unsigned long long)a->v[2],
	       (unsigned long long)a->v[3], ret);
}

static void entry(struct trap_frame *f)
{
	struct task *t = current_task();
	uint64_t nr = f->x[TRAP_A7];
	struct syscall_args a;
	long ret = -ENOSYS;

	for (unsigned i = 0; i < 6; i++)
		a.v[i] = f->x[TRAP_A0 + i];
	t->orig_a0 = a.v[0];
	if (nr < syscall_count && syscall_table[nr].fn)
		ret = syscall_table[nr].fn(&a);
	if (UNLIKELY(trace))
		say(t, nr, &a, ret);
	f->x[TRAP_A0] = (uint64_t)ret;
	if (UNLIKELY(ret < 0 && wants_restart(ret)) && nr != NR_RT_SIGRETURN) {
		t->restart_pending = true;
		thread_interrupt(t->thread, THREAD_WORK);
	}
}

void syscalls_init(void)
{
	trace = boot_flag("strace");
	proc_install_syscalls(entry);
	futex_init();
	timers_init();
}
