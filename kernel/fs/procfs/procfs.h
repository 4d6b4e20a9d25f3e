/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * procfs: what ps, mount, top and libc read of the kernel. For this folder only.
 *
 * Every file is a row of a table (struct entry): a name, a mode, and a function that writes its text. A
 * vnode's number says all that there is to know (struct node), so nothing is kept for a process:
 *
 *     bits 63..56 kind   55..48 row of the kind's table   47..24 pid   23..0 tid or descriptor
 *
 *   ROOT     /proc and its files           system.c         PID     /proc/PID and its files   process.c
 *   SYS      /proc/sys/...                 sysctl.c         TASKS   /proc/PID/task
 *   FDS      /proc/PID/fd                  links.c          TASK    /proc/PID/task/TID and its files
 *   FD       /proc/PID/fd/N
 *
 * Texts are made anew for each read(2) and cut to what was asked for: a program that reads a file in pieces
 * may see two moments, as it may on Linux. Nothing is cached (VFS_FS_NO_NAMES, VFS_FS_NO_ATTRS): processes
 * come and go.
 *
 * Locks: none of its own. proc_lock is held only to copy numbers and take references (target.c).
 */
#ifndef FS_PROCFS_H
#define FS_PROCFS_H

#include "proc/process.h"
#include "vfs/fs.h"
#include "vfs/path.h"
#include "vfs/vnode.h"

/* --- text.c: a growing text ------------------------------------------------------------------ */

struct text {
	char *buf;
	size_t len;
	size_t size;
	int err; /* sticky: -ENOMEM */
};

void text_add(struct text *t, const void *p, size_t n);
void text_printf(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "Name:\t%8llu kB\n", as meminfo and status have it. */
void text_kib(struct text *t, const char *name, uint64_t kib);
void text_free(struct text *t);

/* --- target.c: the process that a file is about --------------------------------------------- */

/* References; members may be NULL where the process has them no more (a zombie). */
struct target {
	struct process *process;
	struct task *task; /* the thread; for /proc/PID the leader */
	struct fs_context *fs;
	struct fd_table *fds;
	struct vm_space *mm;
	struct cred *cred;
	struct file *exe;
};

/* -ESRCH. tid 0: the leader. */
int target_get(int pid, int tid, struct target *out) MUST_CHECK;
void target_put(struct target *t);
/* May the current process look into it (same user, or root)? 0 or -EACCES. */
int target_may_look(const struct target *t) MUST_CHECK;

/* --- Entries -------------------------------------------------------------------------------- */

enum kind { KIND_ROOT, KIND_SYS, KIND_PID, KIND_TASKS, KIND_TASK, KIND_FDS, KIND_FD };

struct node {
	enum kind kind;
	unsigned row;
	int pid;
	int sub; /* tid or descriptor */
};

struct entry {
	const char *name;
	uint32_t mode; /* type and permissions */
	int (*show)(const struct target *t, struct text *out);
	int (*write)(const struct target *t, const char *text, size_t len);
	/* Symbolic links: the place itself, with references; its name comes from that. */
	int (*follow)(const struct target *t, struct path *out);
	enum kind dir;   /* directories: what is in them */
	bool whole_only; /* not in /proc/PID/task/TID */
};

/* Row 0 of each is the directory itself. */
extern const struct entry root_entries[];
extern const unsigned root_entry_count;
extern const struct entry pid_entries[];
extern const unsigned pid_entry_count;

/* /proc/sys: a tree in an array; parent is a row. */
struct sys_entry {
	struct entry entry;
	unsigned parent;
};
extern const struct sys_entry sys_entries[];
extern const unsigned sys_entry_count;

/* --- tree.c: look-up and listing of every kind of directory -------------------------------- */

uint64_t node_ino(const struct node *n);
struct node node_of(const struct vnode *vn);
/* The row of a node; for FD a row that fits every descriptor. */
const struct entry *node_entry(const struct node *n);
int proc_lookup(struct vnode *dir, struct vfs_name name, struct vnode **out) MUST_CHECK;
int proc_readdir(struct vnode *dir, uint64_t cookie,
		 int (*fn)(void *arg, const struct vfs_dirent *e), void *arg) MUST_CHECK;
/* procfs.c */
int proc_vnode(struct vfs_fs *fs, const struct node *n, struct vnode **out) MUST_CHECK;

/* --- The files --------------------------------------------------------------------------------- */

int show_stat(const struct target *t, struct text *out) MUST_CHECK;
int show_statm(const struct target *t, struct text *out) MUST_CHECK;
int show_status(const struct target *t, struct text *out) MUST_CHECK;
int show_maps(const struct target *t, struct text *out) MUST_CHECK;
int follow_cwd(const struct target *t, struct path *out) MUST_CHECK;
int follow_root(const struct target *t, struct path *out) MUST_CHECK;
int follow_exe(const struct target *t, struct path *out) MUST_CHECK;
/* Descriptor fd of t: its place, or its kind ("pipe:[17]") as a link text. */
int fd_follow(const struct target *t, int fd, struct path *out) MUST_CHECK;
int fd_link(const struct target *t, int fd, struct text *out) MUST_CHECK;
/* The text of a link whose place is given by follow. */
int link_text(const struct target *t, const struct entry *e, struct text *out) MUST_CHECK;

/* USER_HZ: the unit of times in stat. */
#define PROC_TICKS_PER_SEC 100u

#endif
