/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * exec in two halves. Before the point of no return a complete new address space is made, and any
 * failure is an error of the call: open, #! interpreters (at most 4 deep), argument strings into
 * kernel pages, ELF segments mapped, the stack region. Then the other threads of the process
 * die, and from there on (commit_exec) a failure kills the process: switch of the space, signals and
 * close-on-exec, strings, pointers and auxiliary vector onto the stack, registers.
 *
 * The stack, from the top: execfn, environment, arguments (strings); 16 random bytes; auxv; envp;
 * argv; argc (sp, 16-byte aligned).
 */
#include "proc/exec.h"

#include "arch/fp.h"
#include "base/assert.h"
#include "dev/fdt.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "port/rand.h"
#include "proc/args.h"
#include "proc/cred.h"
#include "proc/elf.h"
#include "proc/proc_priv.h"
#include "proc/wait_child.h"
#include "vdso/vdso.h"
#include "vfs/errors.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vfs/mount.h"
#include "vfs/path.h"
#include "vm/space.h"
#include "vm/uaccess.h"

#define HEAD_SIZE 256
#define MAX_DEPTH 4
#define PERSONALITY_NO_RANDOM 0x0040000

struct exec {
	struct file *file; /* the program itself, after all #! */
	char *name;        /* as called: AT_EXECFN and comm */
	struct arg_list pre, args, env;
	size_t skip_args; /* bytes of args' first string, if a script replaced it */
	size_t limit;
	struct vm_space *space;
	struct elf_image image;
	uint64_t stack_top;
	struct cred *cred;
	bool secure;
	uint8_t head[HEAD_SIZE];
	char interp[HEAD_SIZE];
};

/* Opens a place for execution: permission, type, noexec. */
static int open_exec(const struct path *p, struct file **out)
{
	struct vfs_cred cred, all;
	int err;

	cred_vfs(current_cred(), &cred);
	all = cred;
	all.caps = VFS_CAPS_ALL; /* execute permission is enough to map it */
	if (p->vn->type != VFS_S_IFREG)
		return -EACCES;
	if (atomic_load_explicit(&p->mnt->flags, memory_order_relaxed) & VFS_MS_NOEXEC)
		return -EACCES;
	err = vnode_permission(p->vn, &cred, 1);
	return err ? err : vfs_open_path(p, VFS_O_RDONLY, &all, out);
}

static int open_by_name(const char *name, struct file **out)
{
	struct vfs_cred cred;
	struct vfs_walk_from from = {.fc = current_task()->fs, .cred = &cred};
	struct path p;
	int err;

	cred_vfs(current_cred(), &cred);
	err = vfs_walk(&from, name, VFS_FOLLOW, &p);
	if (err)
		return err;
	err = open_exec(&p, out);
	path_put(&p);
	return err;
}

static int read_head(struct exec *x, size_t *n)
{
	memset(x->head, 0, sizeof(x->head));
	return vfs_read_kernel(x->file->path.vn, 0, x->head, sizeof(x->head), n);
}

/* "#! interpreter [argument]": the two words, cut out of the head in place. */
static int parse_script(struct exec *x, char **interp, char **arg)
{
	char *line = (char *)x->head + 2, *end, *p;

	end = memchr(line, '\n', HEAD_SIZE - 2);
	if (!end)
		end = memchr(line, 0, HEAD_SIZE - 2);
	if (!end)
		return -ENOEXEC; /* the name may have been cut off */
	*end = 0;
	while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = 0;
	for (p = line; *p == ' ' || *p == '\t'; p++)
		;
	if (!*p)
		return -ENOEXEC;
	*interp = p;
	while (*p && *p != ' ' && *p != '\t')
		p++;
	if (*p)
		*p++ = 0;
	while (*p == ' ' || *p == '\t')
		p++;
	*arg = *p ? p : NULL;
	return 0;
}

/* pre := interpreter, argument, what was in pre (or, at first, the script's name). */
static int prepend(struct exec *x, const char *interp, const char *arg, bool first)
{
	struct arg_list old = x->pre;
	size_t off = 0;
	int err;

	x->pre = (struct arg_list){0};
	err = arg_list_add(&x->pre, interp, x->limit);
	if (!err && arg)
		err = arg_list_add(&x->pre, arg, x->limit);
	if (!err && first)
		err = arg_list_add(&x->pre, x->name, x->limit);
	/* Few and short (at most HEAD_SIZE each, the name a path): each lies in the first pages. */
	for (size_t i = 0; i < old.count && !err; i++) {
		size_t n = arg_list_length(&old, off);
		char *s = mm_alloc(n, MM_NORMAL);

		if (!s) {
			err = -ENOMEM;
			break;
		}
		for (size_t k = 0; k < n; k++) {
			size_t at = off + k;

			s[k] = ((char *)mm_page_data(old.pages[at / PAGE_SIZE]))[at % PAGE_SIZE];
		}
		err = arg_list_add(&x->pre, s, x->limit);
		mm_free(s);
		off += n;
	}
	arg_list_fini(&old);
	return err;
}

/* Follows #! lines until x->file is something else. */
static int resolve_scripts(struct exec *x, size_t *n)
{
	for (unsigned depth = 0;; depth++) {
		char *interp, *arg;
		struct file *f;
		int err = read_head(x, n);

		if (err)
			return err;
		if (*n < 2 || x->head[0] != '#' || x->head[1] != '!')
			return 0;
		if (depth == MAX_DEPTH)
			return -ELOOP;
		err = parse_script(x, &interp, &arg);
		if (!err && depth == 0 && x->args.count)
			x->skip_args = arg_list_length(&x->args, 0);
		if (!err)
			err = prepend(x, interp, arg, depth == 0);
		if (err)
			return err;
		strlcpy(x->interp, interp, sizeof(x->interp));
		err = open_by_name(x->interp, &f);
		if (err)
			return err;
		file_put(x->file);
		x->file = f;
	}
}

static int map_stack(struct exec *x, bool randomize)
{
	uint64_t r = 0, gap;
	struct vm_space *s = x->space;
	struct vm_map_args a = {
		.prot = VM_READ | VM_WRITE | (x->image.exec_stack == 1 ? VM_EXEC : 0u),
		.flags = VM_GROWSDOWN | VM_STACK,
		.fixed = true,
	};
	int64_t at;

	if (randomize)
		port_random(&r, sizeof(r));
	x->stack_top = ARCH_USER_END - PAGE_SIZE - (r % 2048) * PAGE_SIZE;
	/* The strings are stored from below upwards; all of it must be there. */
	a.len = ALIGN_UP(x->pre.bytes + x->args.bytes + x->env.bytes +
				 (x->args.count + x->env.count + x->pre.count) * 8 + 8192,
			 PAGE_SIZE) +
		32 * PAGE_SIZE;
	a.addr = x->stack_top - a.len;
	at = vm_map(s, &a);
	gap = MIN(MAX(s->limit_stack, 128ull << 20), ARCH_USER_END / 6 * 5);
	s->mmap_top =
		ALIGN_DOWN(x->stack_top - gap - VM_STACK_GAP - ((r >> 16) % 65536) * PAGE_SIZE,
			   PAGE_SIZE);
	return at < 0 ? (int)at : 0;
}

static int make_space(struct exec *x, size_t head_len)
{
	const struct process *p = current_process();
	const struct elf_source from = {
		.file = x->file,
		.head = x->head,
		.head_len = head_len,
		.randomize = !(current_task()->personality & PERSONALITY_NO_RANDOM),
		.open_interp = open_by_name,
	};
	int err;

	x->space = vm_space_create();
	if (!x->space)
		return -ENOMEM;
	x->space->limit_as = p->rlimits[RLIMIT_AS].cur;
	x->space->limit_data = p->rlimits[RLIMIT_DATA].cur;
	x->space->limit_stack = p->rlimits[RLIMIT_STACK].cur;
	err = map_stack(x, from.randomize);
	if (!err)
		err = elf_load(x->space, &from, &x->image);
	return err ? err : vdso_map(x->space);
}

/* The set-id bits of the file and root's capabilities: the credentials after exec. */
static int make_cred(struct exec *x)
{
	const struct cred *old = current_cred();
	struct vfs_attr attr;
	struct cred *c;
	int err = vnode_getattr(x->file->path.vn, &attr);

	if (err)
		return err;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	x->cred = c;
	if (!old->no_new_privs && !(x->file->path.mnt->flags & VFS_MS_NOSUID)) {
		if (attr.mode & VFS_S_ISUID)
			c->euid = attr.uid;
		if ((attr.mode & VFS_S_ISGID) && (attr.mode & 0010))
			c->egid = attr.gid;
	}
	x->secure = c->euid != old->euid || c->egid != old->egid || c->euid != c->uid ||
		    c->egid != c->gid;
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	if (c->euid == 0 || c->uid == 0)
		c->cap_permitted = c->cap_bounding | c->cap_inheritable;
	else
		c->cap_permitted = c->cap_ambient;
	c->cap_effective = c->euid == 0 ? c->cap_permitted : c->cap_ambient;
	return 0;
}

/* The other threads die; this one becomes the leader. -EINTR: somebody else was first. */
static int kill_siblings(struct task *me)
{
	struct process *p = me->process;
	struct task *t;
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	int err;

	if (p->exiting || (p->execing && p->exec_task != me)) {
		spin_unlock_irqrestore(&proc_lock, flags);
		return -EINTR;
	}
	p->execing = true;
	p->exec_task = me;
	list_for_each_entry (t, &p->tasks, struct task, in_process) {
		if (t != me)
			thread_interrupt(t->thread, THREAD_SIGNAL | THREAD_KILLED);
	}
	spin_unlock_irqrestore(&proc_lock, flags);
	err = WAIT_EVENT_UNTIL(&p->task_wait, p->task_count == 1, WAIT_FOREVER, WAIT_KILLABLE);
	flags = spin_lock_irqsave(&proc_lock);
	p->execing = false;
	p->exec_task = NULL;
	if (!err && me->tid != p->pid) {
		task_leave_locked(me);
		task_enter_locked(me, p->pid);
	}
	if (!err)
		p->leader = me;
	spin_unlock_irqrestore(&proc_lock, flags);
	return err;
}

static void reset_signals(struct task *t, struct sighand *fresh)
{
	struct process *p = t->process;
	struct sighand *old = NULL;
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	if (fresh) {
		old = p->sighand;
		p->sighand = fresh;
	}
	for (int i = 0; i < NSIG; i++) {
		struct sigaction *a = &p->sighand->actions[i];

		if (a->handler > SIG_IGN)
			a->handler = SIG_DFL;
		a->flags = 0;
		a->mask = 0;
	}
	t->altstack_flags = 2; /* SS_DISABLE */
	t->restart_fn = NULL;
	p->exec_done = true;
	p->exit_signal = p->exit_signal ? SIGCHLD : 0;
	t->pdeath_signal = 0;
	spin_unlock_irqrestore(&proc_lock, flags);
	sighand_put(old);
}

static void set_names(struct exec *x)
{
	struct task *t = current_task();
	struct process *p = t->process;
	const char *base = strrchr(x->name, '/');
	struct file *old;
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	strlcpy(t->comm, base ? base + 1 : x->name, sizeof(t->comm));
	strlcpy(t->thread->name, t->comm, sizeof(t->thread->name));
	old = p->exe;
	p->exe = file_get(x->file);
	p->dumpable = !x->secure;
	spin_unlock_irqrestore(&proc_lock, flags);
	file_put(old);
}

static uint64_t hwcap(void)
{
	uint64_t bits = 0;

	/* The single letters of "rv64imafdc_zicsr...". */
	for (const char *s = boot_info.isa + 4; *s && *s != '_'; s++) {
		if (*s >= 'a' && *s <= 'z')
			bits |= 1ull << (*s - 'a');
	}
	return bits & ((1u << ('i' - 'a')) | (1u << ('m' - 'a')) | (1u << 0) | (1u << ('f' - 'a')) |
		       (1u << ('d' - 'a')) | (1u << ('c' - 'a')));
}

static void make_auxv(struct exec *x, uint64_t execfn, uint64_t random)
{
	const struct elf_image *im = &x->image;
	const struct cred *c = x->cred;
	struct vm_space *s = x->space;
	const uint64_t v[] = {
		AT_SYSINFO_EHDR, s->vdso,    AT_HWCAP,  hwcap(),  AT_PAGESZ, PAGE_SIZE,
		AT_CLKTCK,       100,        AT_PHDR,   im->phdr, AT_PHENT,  56,
		AT_PHNUM,        im->phnum,  AT_BASE,   im->base, AT_FLAGS,  0,
		AT_ENTRY,        im->entry,  AT_UID,    c->uid,   AT_EUID,   c->euid,
		AT_GID,          c->gid,     AT_EGID,   c->egid,  AT_SECURE, x->secure,
		AT_RANDOM,       random,     AT_HWCAP2, 0,        AT_EXECFN, execfn,
		AT_MINSIGSTKSZ,  1088 + 960, AT_NULL,   0,
	};

	_Static_assert(sizeof(v) <= sizeof(s->auxv), "room in the space");
	memcpy(s->auxv, v, sizeof(v));
	s->auxv_words = ARRAY_SIZE(v);
}

/* Pointers to count strings that lie from *str on; advances both. */
static int put_pointers(const struct arg_list *l, size_t skip, size_t count, uint64_t *at,
			uint64_t *str)
{
	size_t off = skip;

	for (size_t i = 0; i < count; i++) {
		size_t n = arg_list_length(l, off);
		int err = put_user_u64(*at, *str);

		if (err)
			return err;
		*at += 8;
		*str += n;
		off += n;
	}
	return 0;
}

static int put_strings(struct exec *x, uint64_t args, uint64_t env, uint64_t execfn)
{
	int err = arg_list_store(&x->pre, 0, args);

	if (!err)
		err = arg_list_store(&x->args, x->skip_args, args + x->pre.bytes);
	if (!err)
		err = arg_list_store(&x->env, 0, env);
	return err ? err : copy_to_user(execfn, x->name, strlen(x->name) + 1);
}

/* Fills the stack of the space that is now the current one. *sp: where the program starts. */
static int fill_stack(struct exec *x, uint64_t *sp)
{
	struct vm_space *s = x->space;
	size_t nargs = x->pre.count + x->args.count - (x->skip_args != 0);
	uint64_t execfn = x->stack_top - 8 - ALIGN_UP(strlen(x->name) + 1, 8ull);
	uint64_t env = execfn - x->env.bytes;
	uint64_t args = env - x->pre.bytes - (x->args.bytes - x->skip_args);
	uint64_t random = ALIGN_DOWN(args, 16ull) - 16;
	uint64_t at, str = args;
	uint8_t seed[16];
	int err;

	make_auxv(x, execfn, random);
	at = ALIGN_DOWN(random - (1 + nargs + 1 + x->env.count + 1 + s->auxv_words) * 8, 16ull);
	*sp = at;
	port_random(seed, sizeof(seed));
	err = copy_to_user(random, seed, sizeof(seed));
	if (!err)
		err = put_strings(x, args, env, execfn);
	if (!err)
		err = put_user_u64(at, nargs);
	at += 8;
	if (!err)
		err = put_pointers(&x->pre, 0, x->pre.count, &at, &str);
	if (!err)
		err = put_pointers(&x->args, x->skip_args, nargs - x->pre.count, &at, &str);
	if (!err)
		err = put_user_u64(at, 0);
	at += 8;
	if (!err)
		err = put_pointers(&x->env, 0, x->env.count, &at, &str);
	if (!err)
		err = put_user_u64(at, 0);
	at += 8;
	if (!err)
		err = copy_to_user(at, s->auxv, s->auxv_words * 8);
	s->arg_start = args;
	s->arg_end = s->env_start = env;
	s->env_end = execfn;
	s->stack_start = *sp;
	return err;
}

static void switch_space(struct exec *x)
{
	struct task *t = current_task();
	unsigned long flags;

	task_drop_space(t);
	flags = spin_lock_irqsave(&proc_lock);
	t->mm = x->space;
	spin_unlock_irqrestore(&proc_lock, flags);
	thread_set_space(&t->mm->arch);
}

/* Past the point of no return. */
static void commit_exec(struct exec *x, struct sighand *fresh)
{
	struct task *t = current_task();
	struct trap_frame *f = arch_user_frame(t->thread);
	struct fd_table *old = t->fds, *own = NULL;
	uint64_t sp = 0;
	int err = 0;

	switch_space(x);
	if (proc_hooks.timers_gone)
		proc_hooks.timers_gone(t->process, true);
	reset_signals(t, fresh);
	if (atomic_load_explicit(&old->refs, memory_order_acquire) > 1) {
		own = fdtable_clone(old); /* shared without threads: vfork's child, clone(FILES) */
		err = own ? 0 : -ENOMEM;
	}
	if (own) {
		unsigned long flags = spin_lock_irqsave(&proc_lock);

		t->fds = own;
		spin_unlock_irqrestore(&proc_lock, flags);
		fdtable_put(old);
	}
	if (!err)
		fdtable_exec(t->fds);
	cred_get(x->cred);
	cred_replace(x->cred);
	set_names(x);
	for (unsigned i = 0; i < x->image.ntails && !err; i++)
		err = clear_user(x->image.tails[i].addr, x->image.tails[i].len);
	if (!err)
		err = fill_stack(x, &sp);
	if (err)
		process_exit(SIGKILL);
	arch_user_frame_init(f, x->image.start, sp);
	arch_fp_set(&(struct fp_state){0});
}

static int exec_prepared(struct exec *x)
{
	struct task *t = current_task();
	struct sighand *fresh = NULL;
	size_t n = 0;
	int err = resolve_scripts(x, &n);

	if (!err)
		err = make_cred(x);
	if (!err)
		err = make_space(x, n);
	if (!err && atomic_load_explicit(&t->process->sighand->refs, memory_order_acquire) > 1) {
		fresh = sighand_create(t->process->sighand);
		err = fresh ? 0 : -ENOMEM;
	}
	if (!err)
		err = kill_siblings(t);
	if (err) {
		sighand_put(fresh);
		if (x->space)
			vm_space_put(x->space);
		return err;
	}
	commit_exec(x, fresh);
	return 0;
}

static void exec_fini(struct exec *x)
{
	file_put(x->file);
	arg_list_fini(&x->pre);
	arg_list_fini(&x->args);
	arg_list_fini(&x->env);
	cred_put(x->cred);
	mm_free(x->name);
	mm_free(x);
}

static struct exec *exec_create(const char *name)
{
	struct exec *x = mm_alloc(sizeof(*x), MM_ZERO);
	size_t n = strlen(name) + 1;

	if (!x)
		return NULL;
	x->name = mm_alloc(n, MM_NORMAL);
	if (!x->name) {
		mm_free(x);
		return NULL;
	}
	memcpy(x->name, name, n);
	x->limit = MAX(MIN(current_rlimit(RLIMIT_STACK) / 4, 6u << 20), ARG_MAX_STRING);
	return x;
}

int exec_user(const struct path *p, const char *name, uint64_t argv, uint64_t envp)
{
	struct exec *x = exec_create(name);
	int err;

	if (!x)
		return -ENOMEM;
	err = open_exec(p, &x->file);
	if (!err)
		err = arg_list_add_user(&x->args, argv, x->limit);
	if (!err && x->args.count == 0)
		err = arg_list_add(&x->args, "", x->limit);
	if (!err)
		err = arg_list_add_user(&x->env, envp, x->limit);
	if (!err && x->args.bytes + x->env.bytes + (x->args.count + x->env.count) * 8 > x->limit)
		err = -E2BIG;
	if (!err)
		err = exec_prepared(x);
	exec_fini(x);
	return err;
}

int exec_kernel(const char *path, const char *const argv[], const char *const envp[])
{
	struct exec *x = exec_create(path);
	int err;

	if (!x)
		return -ENOMEM;
	err = open_by_name(path, &x->file);
	for (; *argv && !err; argv++)
		err = arg_list_add(&x->args, *argv, x->limit);
	for (; *envp && !err; envp++)
		err = arg_list_add(&x->env, *envp, x->limit);
	if (!err)
		err = exec_prepared(x);
	exec_fini(x);
	return err;
}
