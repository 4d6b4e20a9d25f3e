/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Processes and their threads (docs/kernel/processes.md).
 *
 * struct task is one user thread; it lives exactly as long as its struct thread (thread->proc
 * points to it). struct process is a thread group: what all its tasks share. Processes form a
 * tree; each is in a process group, each group in a session.
 *
 * proc_lock (spinlock, irqsave, rank SPIN_SIGNAL) protects the tables of tasks and processes, the
 * tree, groups and sessions, thread lists, signal state and stop state. Fields marked "owner" are
 * used by their thread only. Pointers to tasks and processes that were looked up are valid under
 * proc_lock only, unless a reference was taken.
 */
#ifndef PROC_PROCESS_H
#define PROC_PROCESS_H

#include <stdatomic.h>

#include "arch/fp.h"
#include "arch/trap.h"
#include "base/list.h"
#include "proc/signal.h"
#include "sched/thread.h"
#include "sched/timer.h"
#include "sync/wait.h"

struct fd_table;   /* descriptors; shared by CLONE_FILES */
struct fs_context; /* root, working directory, umask, mount namespace; shared by CLONE_FS */
struct file;
struct tty;
struct vm_space;

#define PID_MAX 32768
#define NGROUPS_MAX 65536
#define COMM_LEN 16

/* Immutable once published; replaced as a whole. Shared by reference. */
struct cred {
	_Atomic uint32_t refs;
	uint32_t uid, euid, suid, fsuid;
	uint32_t gid, egid, sgid, fsgid;
	uint64_t cap_permitted, cap_effective, cap_inheritable, cap_bounding, cap_ambient;
	uint32_t securebits;
	bool no_new_privs;
	uint32_t ngroups;
	uint32_t groups[]; /* sorted */
};

enum cap {
	CAP_CHOWN = 0,
	CAP_DAC_OVERRIDE = 1,
	CAP_DAC_READ_SEARCH = 2,
	CAP_FOWNER = 3,
	CAP_FSETID = 4,
	CAP_KILL = 5,
	CAP_SETGID = 6,
	CAP_SETUID = 7,
	CAP_SETPCAP = 8,
	CAP_LINUX_IMMUTABLE = 9,
	CAP_NET_BIND_SERVICE = 10,
	CAP_NET_ADMIN = 12,
	CAP_NET_RAW = 13,
	CAP_IPC_LOCK = 14,
	CAP_SYS_CHROOT = 18,
	CAP_SYS_PTRACE = 19,
	CAP_SYS_ADMIN = 21,
	CAP_SYS_BOOT = 22,
	CAP_SYS_NICE = 23,
	CAP_SYS_RESOURCE = 24,
	CAP_SYS_TIME = 25,
	CAP_SYS_TTY_CONFIG = 26,
	CAP_MKNOD = 27,
	CAP_LAST = 40,
};
#define CAP_ALL ((1ull << (CAP_LAST + 1)) - 1)

enum rlimit_resource {
	RLIMIT_CPU,
	RLIMIT_FSIZE,
	RLIMIT_DATA,
	RLIMIT_STACK,
	RLIMIT_CORE,
	RLIMIT_RSS,
	RLIMIT_NPROC,
	RLIMIT_NOFILE,
	RLIMIT_MEMLOCK,
	RLIMIT_AS,
	RLIMIT_LOCKS,
	RLIMIT_SIGPENDING,
	RLIMIT_MSGQUEUE,
	RLIMIT_NICE,
	RLIMIT_RTPRIO,
	RLIMIT_RTTIME,
	RLIMIT_COUNT,
};
#define RLIM_INFINITY UINT64_MAX

struct rlimit {
	uint64_t cur, max;
};

/* A process group or session exists while it has members. lock: proc_lock */
struct session {
	int32_t id;
	uint32_t groups; /* process groups in it */
	struct tty
		*tty; /* controlling terminal, NULL: none. The tty layer's word; lock: proc_lock */
	int32_t tty_dev; /* its device number as stat shows it, 0: none */
	bool leader_dead;
	struct list hash;
};

struct pgrp {
	int32_t id;
	struct list members; /* struct process.in_pgrp */
	struct session *session;
	struct list hash;
};

struct sighand {
	_Atomic uint32_t refs;
	struct sigaction actions[NSIG]; /* lock: proc_lock */
};

struct sigqueue {
	sigset set;       /* signals with something in the list, or pending without an entry */
	struct list list; /* struct sigqueue_entry; lock: proc_lock */
};

/* Times of dead threads and of waited-for children: nanoseconds. */
struct proc_times {
	uint64_t user_ns, system_ns;
	uint64_t minor_faults, major_faults;
	uint64_t voluntary, involuntary;
	uint64_t max_rss; /* pages */
};

enum stop_state { PROC_RUNNING, PROC_STOPPING, PROC_STOPPED };

struct process {
	_Atomic uint32_t refs;
	int32_t pid;      /* const */
	struct list hash; /* lock: proc_lock, as everything that is not marked otherwise */
	struct process *parent;
	struct list children; /* struct process.sibling */
	struct list sibling;
	struct pgrp *pgrp;
	struct list in_pgrp;
	struct list tasks; /* struct task.in_process */
	uint32_t task_count;
	struct task *leader; /* the task whose tid is pid; NULL once it is gone */

	struct sighand *sighand;
	struct sigqueue shared;
	struct wait_queue signal_wait; /* sigtimedwait, signalfd */
	struct wait_queue child_wait;  /* woken when a child changes state */
	struct wait_queue task_wait;   /* woken when a task leaves (exec waits for the others) */

	bool exiting; /* exit_group: all tasks die; exit_code is set */
	bool execing; /* exec_task kills the other tasks */
	struct task *exec_task;
	bool zombie;    /* no task left: waits to be reaped */
	bool autoreap;  /* the parent does not want to know */
	bool exec_done; /* has exec'd since fork: setpgid by the parent is refused */
	bool subreaper; /* prctl */
	bool core_dumped;
	uint32_t last_uid;   /* of the leader, for those who wait */
	uint32_t exit_code;  /* wait status */
	int32_t exit_signal; /* what the parent gets; 0: nothing */

	enum stop_state stop;
	int32_t stop_signal;
	bool stop_report;     /* WUNTRACED has not seen it yet */
	bool continue_report; /* WCONTINUED */
	uint32_t stopped_tasks;
	struct wait_queue stop_wait;

	struct rlimit rlimits[RLIMIT_COUNT];
	struct proc_times dead_times;  /* tasks that have ended */
	struct proc_times child_times; /* waited for */
	uint64_t start_ns;             /* clock_now() at fork; const */
	struct file *exe;              /* what /proc/PID/exe shows. lock: exe_lock */
	int32_t dumpable;
	int32_t oom_score_adj;
	struct process_timers *timers; /* itimers and POSIX timers; owner: kernel/sys/timer.c */
};

struct task {
	int32_t tid; /* changes only when exec makes this task the leader; lock: proc_lock */
	struct process *process; /* const; a reference */
	struct thread *thread;   /* const */
	struct list hash;
	struct list in_process;

	struct cred *cred;     /* owner; others read it under proc_lock */
	struct fs_context *fs; /* owner changes it; others under proc_lock */
	struct fd_table *fds;
	struct vm_space *mm;

	sigset blocked;    /* lock: proc_lock */
	sigset saved_mask; /* with restore_mask: what comes back. owner */
	bool restore_mask;
	struct sigqueue pending; /* lock: proc_lock */
	uint64_t altstack, altstack_size;
	int32_t altstack_flags;
	bool stopped;   /* parked in a group stop; lock: proc_lock */
	sigset sigwait; /* sigtimedwait waits for these; lock: proc_lock */

	/* System call restart. owner */
	bool restart_pending; /* the last result was one of ERESTART*: user_return decides */
	uint64_t orig_a0;
	long (*restart_fn)(struct task *t);
	uint64_t restart[6];

	uint64_t set_child_tid, clear_child_tid; /* owner */
	uint64_t robust_list;                    /* owner */
	_Atomic uint32_t vfork_done;
	bool is_vfork;
	struct wait_queue vfork_wait;
	int32_t pdeath_signal;
	uint64_t timer_slack;
	uint32_t personality; /* owner */
	char comm[COMM_LEN];  /* lock: proc_lock */
	uint64_t minor_faults, major_faults;
	int32_t sched_policy, sched_priority;
	uint32_t exit_code; /* wait status of exit(2); owner */
	bool exited;        /* its part of the exit is done; lock: proc_lock */
	uint64_t start_ns;
	struct fp_state fp_area;
};

extern struct spinlock proc_lock;

static inline struct task *current_task(void)
{
	return (struct task *)current_thread()->proc;
}

static inline struct process *current_process(void)
{
	return current_task()->process;
}

/* NULL for kernel threads. */
static inline const struct cred *current_cred(void)
{
	return current_task()->cred;
}

/* Does the current thread have the capability in its effective set? */
bool capable(enum cap cap);
/* Is gid the fs group of c or one of its supplementary groups? */
bool cred_in_group(const struct cred *c, uint32_t gid);
void cred_get(struct cred *c);
/* Any context. */
void cred_put(struct cred *c);

/* The soft limit of the current process. */
uint64_t current_rlimit(enum rlimit_resource r);

void process_get(struct process *p);
void process_put(struct process *p);
/*
 * By number, with a reference (process_put; thread_put(t->thread)); NULL: no such. Zombies are
 * found too.
 */
struct process *process_find(int pid) MUST_CHECK;
struct task *task_find(int tid) MUST_CHECK;
/* Lookups for callers that hold proc_lock; no reference. */
struct process *process_find_locked(int pid) MUST_CHECK;
struct task *task_find_locked(int tid) MUST_CHECK;
struct pgrp *pgrp_find_locked(int pgid) MUST_CHECK;
/* The process with the smallest pid > pid, with a reference; NULL: no more. (readdir of /proc) */
struct process *process_next(int pid) MUST_CHECK;
/* The task of p with the smallest tid > tid, with a reference to its thread; NULL: no more. */
struct task *process_next_task(struct process *p, int tid) MUST_CHECK;

/*
 * Job control, for the terminal. Ids of the current process; the foreground test and orphaned
 * test (POSIX: no member has a parent in another group of the session).
 */
int current_pgid(void);
int current_sid(void);
/* Would a stop signal to group pgid have nobody who could continue it? */
bool pgrp_orphaned(int pgid);
/* The session of group pgid; 0: no such group. */
int pgrp_session(int pgid);
/*
 * Makes tty the controlling terminal of the current session: 0; -EPERM: not the leader, or it
 * has one. The terminal keeps (session id, foreground pgid) itself.
 */
int session_set_tty(struct tty *tty, int dev) MUST_CHECK;
/* The current session's terminal, NULL: none. */
struct tty *session_tty(void);
/* TIOCNOTTY, hang-up: session sid has no terminal any more. */
void session_clear_tty(int sid);

/* CPU times and faults of all tasks of p so far; proc_lock held. Of the current task alone. */
void process_times(const struct process *p, struct proc_times *out);
void task_own_times(struct proc_times *out);

/* Ends the current process / thread with this wait status. */
NORETURN void process_exit(uint32_t status);

/* Once at start, after the file layers: installs the trap table. */
void proc_init(void);

/*
 * What ends with a session's leader or with the machine lies above: installed at start, each may
 * be NULL.
 */
struct proc_hooks {
	/* The leader of a session with this terminal dies: hang up. May sleep. */
	void (*tty_hangup)(struct tty *tty, int sid);
	/* Before power-off and reboot: write everything back. May sleep. */
	void (*sync_all)(void);
	/* Futexes: a task leaves its space (exit, exec): robust list. The space is still there. */
	void (*robust_exit)(struct task *t);
	/* Wakes one waiter on a user word of the current space. */
	void (*futex_wake)(uint64_t addr);
	/* A process ends or execs: its timers go. */
	void (*timers_gone)(struct process *p, bool exec);
};
extern struct proc_hooks proc_hooks;

#endif
