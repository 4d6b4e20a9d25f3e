/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Directories: names to nodes and back, for every kind. */
#include "fs/procfs/procfs.h"

#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"

#define FIRST_COOKIE 3u /* 1 and 2 are "." and ".." */
#define PID_COOKIE 1000u

uint64_t node_ino(const struct node *n)
{
	return (uint64_t)n->kind << 56 | (uint64_t)n->row << 48 | (uint64_t)n->pid << 24 |
	       (uint64_t)n->sub | (n->kind == KIND_ROOT && n->row == 0 ? 1 : 0);
}

struct node node_of(const struct vnode *vn)
{
	struct node n = {
		.kind = (enum kind)(vn->ino >> 56),
		.row = (unsigned)(vn->ino >> 48 & 0xff),
		.pid = (int)(vn->ino >> 24 & 0xffffff),
		.sub = (int)(vn->ino & 0xffffff),
	};

	if (n.kind == KIND_ROOT)
		n.sub = 0; /* the root's number is 1, as everywhere */
	return n;
}

const struct entry *node_entry(const struct node *n)
{
	static const struct entry tasks = {.name = "task", .mode = VFS_S_IFDIR | 0555};
	static const struct entry fds = {.name = "fd", .mode = VFS_S_IFDIR | 0500};
	static const struct entry fd = {.name = "", .mode = VFS_S_IFLNK | 0700};

	switch (n->kind) {
	case KIND_ROOT:
		return &root_entries[n->row];
	case KIND_SYS:
		return &sys_entries[n->row].entry;
	case KIND_PID:
	case KIND_TASK:
		return &pid_entries[n->row];
	case KIND_TASKS:
		return &tasks;
	case KIND_FDS:
		return &fds;
	case KIND_FD:
		return &fd;
	}
	return NULL;
}

static bool same(struct vfs_name name, const char *s)
{
	return strlen(s) == name.len && memcmp(s, name.s, name.len) == 0;
}

/* A number without leading zeros, below 2^24; -1: it is none. */
static int parse_number(struct vfs_name name)
{
	int x = 0;

	if (name.len == 0 || name.len > 8 || (name.s[0] == '0' && name.len > 1))
		return -1;
	for (size_t i = 0; i < name.len; i++) {
		if (name.s[i] < '0' || name.s[i] > '9')
			return -1;
		x = x * 10 + (name.s[i] - '0');
	}
	return x < 1 << 24 ? x : -1;
}

static bool process_exists(int pid)
{
	struct process *p = process_find(pid);

	if (p != NULL)
		process_put(p);
	return p != NULL;
}

static bool task_exists(int pid, int tid)
{
	struct target t;

	if (tid == 0 || target_get(pid, tid, &t) != 0)
		return false;
	target_put(&t);
	return true;
}

static bool fd_is_open(const struct node *dir, int fd)
{
	struct target t;

	if (target_get(dir->pid, dir->sub, &t) != 0)
		return false;
	struct file *f = t.fds != NULL ? fdtable_file(t.fds, fd) : NULL;
	bool open = f != NULL;

	file_put(f);
	target_put(&t);
	return open;
}

/* What the directory of a row holds: the node of that directory's own kind. */
static struct node enter(const struct node *n, const struct entry *e)
{
	struct node in = *n;

	if ((e->mode & VFS_S_IFMT) == VFS_S_IFDIR && n->row != 0 && e->dir != n->kind) {
		in.kind = e->dir;
		in.row = 0;
	}
	return in;
}

static int find_row(const struct node *dir, struct vfs_name name, struct node *out)
{
	unsigned count = dir->kind == KIND_ROOT ? root_entry_count : pid_entry_count;
	const struct entry *table = dir->kind == KIND_ROOT ? root_entries : pid_entries;

	for (unsigned row = 1; row < count; row++) {
		if (!same(name, table[row].name) ||
		    (dir->kind == KIND_TASK && table[row].whole_only))
			continue;
		*out = *dir;
		out->row = row;
		*out = enter(out, &table[row]);
		return 0;
	}
	return -ENOENT;
}

static int find_sys(const struct node *dir, struct vfs_name name, struct node *out)
{
	for (unsigned row = 1; row < sys_entry_count; row++) {
		if (sys_entries[row].parent == dir->row &&
		    same(name, sys_entries[row].entry.name)) {
			*out = (struct node){.kind = KIND_SYS, .row = row};
			return 0;
		}
	}
	return -ENOENT;
}

static int parent_of(const struct node *dir, struct node *out)
{
	*out = (struct node){.kind = KIND_ROOT};
	if (dir->kind == KIND_SYS && dir->row != 0)
		*out = (struct node){.kind = KIND_SYS, .row = sys_entries[dir->row].parent};
	else if (dir->kind == KIND_TASK)
		*out = (struct node){.kind = KIND_TASKS, .pid = dir->pid};
	else if (dir->kind == KIND_TASKS || dir->kind == KIND_FDS)
		*out = (struct node){.kind = dir->sub != 0 ? KIND_TASK : KIND_PID,
				     .pid = dir->pid,
				     .sub = dir->sub};
	return 0;
}

static int find(const struct node *dir, struct vfs_name name, struct node *out)
{
	int number = parse_number(name);

	if (same(name, ".."))
		return parent_of(dir, out);
	switch (dir->kind) {
	case KIND_ROOT:
		*out = (struct node){.kind = KIND_PID, .pid = number};
		return number > 0 && process_exists(number) ? 0 : find_row(dir, name, out);
	case KIND_PID:
	case KIND_TASK:
		return find_row(dir, name, out);
	case KIND_SYS:
		return find_sys(dir, name, out);
	case KIND_TASKS:
		*out = (struct node){.kind = KIND_TASK, .pid = dir->pid, .sub = number};
		return number > 0 && task_exists(dir->pid, number) ? 0 : -ENOENT;
	case KIND_FDS:
		*out = (struct node){.kind = KIND_FD,
				     .row = dir->sub != 0,
				     .pid = dir->pid,
				     .sub = number};
		return number >= 0 && fd_is_open(dir, number) ? 0 : -ENOENT;
	case KIND_FD:
		break;
	}
	return -ENOTDIR;
}

int proc_lookup(struct vnode *dir, struct vfs_name name, struct vnode **out)
{
	struct node from = node_of(dir);
	struct node n;
	int err = find(&from, name, &n);

	return err != 0 ? err : proc_vnode(dir->fs, &n, out);
}

/* --- Listing ---------------------------------------------------------------------------------- */

struct lister {
	int (*fn)(void *arg, const struct vfs_dirent *e);
	void *arg;
};

static int list_node(const struct lister *l, const struct node *n, const char *name,
		     uint64_t cookie)
{
	const struct vfs_dirent e = {
		.ino = node_ino(n),
		.type = node_entry(n)->mode & VFS_S_IFMT,
		.cookie = cookie,
		.name = {name, strlen(name)},
	};

	return l->fn(l->arg, &e);
}

static int list_number(const struct lister *l, const struct node *n, int number, uint64_t cookie)
{
	char name[12];

	snprintf(name, sizeof name, "%d", number);
	return list_node(l, n, name, cookie);
}

static bool list_rows(const struct lister *l, const struct node *dir, uint64_t cookie)
{
	unsigned count = dir->kind == KIND_ROOT ? root_entry_count : pid_entry_count;
	const struct entry *table = dir->kind == KIND_ROOT ? root_entries : pid_entries;

	for (unsigned row = 1; row < count; row++) {
		struct node n = *dir;

		if (row + FIRST_COOKIE <= cookie ||
		    (dir->kind == KIND_TASK && table[row].whole_only))
			continue;
		n.row = row;
		n = enter(&n, &table[row]);
		if (list_node(l, &n, table[row].name, row + FIRST_COOKIE) != 0)
			return false;
	}
	return true;
}

static void list_processes(const struct lister *l, uint64_t cookie)
{
	int pid = cookie > PID_COOKIE ? (int)(cookie - PID_COOKIE) : 0;

	for (;;) {
		struct process *p = process_next(pid);

		if (p == NULL)
			return;
		pid = p->pid;
		process_put(p);
		const struct node n = {.kind = KIND_PID, .pid = pid};

		if (list_number(l, &n, pid, (uint64_t)pid + PID_COOKIE) != 0)
			return;
	}
}

static void list_tasks(const struct lister *l, const struct node *dir, uint64_t cookie)
{
	int tid = cookie > PID_COOKIE ? (int)(cookie - PID_COOKIE) : 0;
	struct process *p = process_find(dir->pid);

	while (p != NULL) {
		struct task *t = process_next_task(p, tid);

		if (t == NULL)
			break;
		tid = t->tid;
		thread_put(t->thread);
		const struct node n = {.kind = KIND_TASK, .pid = dir->pid, .sub = tid};

		if (list_number(l, &n, tid, (uint64_t)tid + PID_COOKIE) != 0)
			break;
	}
	if (p != NULL)
		process_put(p);
}

static void list_sys(const struct lister *l, const struct node *dir, uint64_t cookie)
{
	for (unsigned row = 1; row < sys_entry_count; row++) {
		const struct node n = {.kind = KIND_SYS, .row = row};

		if (sys_entries[row].parent != dir->row || row + FIRST_COOKIE <= cookie)
			continue;
		if (list_node(l, &n, sys_entries[row].entry.name, row + FIRST_COOKIE) != 0)
			return;
	}
}

static int list_fds(const struct lister *l, const struct node *dir, uint64_t cookie)
{
	struct target t;
	int fd = cookie >= FIRST_COOKIE ? (int)(cookie - FIRST_COOKIE) + 1 : 0;
	int err = target_get(dir->pid, dir->sub, &t);

	if (err != 0)
		return err;
	err = target_may_look(&t);
	if (err != 0 || t.fds == NULL)
		goto out;
	for (fd = fdtable_next(t.fds, fd); fd >= 0; fd = fdtable_next(t.fds, fd + 1)) {
		const struct node n = {.kind = KIND_FD,
				       .row = dir->sub != 0,
				       .pid = dir->pid,
				       .sub = fd};

		if (list_number(l, &n, fd, (uint64_t)fd + FIRST_COOKIE) != 0)
			break;
	}
out:
	target_put(&t);
	return err;
}

int proc_readdir(struct vnode *dir, uint64_t cookie,
		 int (*fn)(void *arg, const struct vfs_dirent *e), void *arg)
{
	const struct lister l = {fn, arg};
	const struct node n = node_of(dir);

	switch (n.kind) {
	case KIND_ROOT:
		if (list_rows(&l, &n, cookie))
			list_processes(&l, cookie);
		return 0;
	case KIND_PID:
	case KIND_TASK:
		list_rows(&l, &n, cookie);
		return 0;
	case KIND_TASKS:
		list_tasks(&l, &n, cookie);
		return 0;
	case KIND_SYS:
		list_sys(&l, &n, cookie);
		return 0;
	case KIND_FDS:
		return list_fds(&l, &n, cookie);
	case KIND_FD:
		break;
	}
	return -ENOTDIR;
}
