/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Open file descriptions: what descriptors refer to. One is made by open, pipe, socket ...; dup and
 * fork share it. Its kind is its ops table: vnode-backed (this unit), or any other that the kernel
 * brings (pipe, tty, device, socket, eventfd, epoll).
 *
 * Data moves through a struct vfs_iter: a sequence of bytes to fill or to drain, over kernel memory
 * or (kernel/sys) user memory. Its functions may sleep and fault, so they are never called with a lock
 * of rank VNODE or above held; a file's position lock is the only one held around them.
 */
#ifndef VFS_FILE_H
#define VFS_FILE_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/types.h"
#include "port/sync.h"
#include "vfs/path.h"
#include "vfs/vnode.h"

struct wait_queue; /* the kernel's (sync/wait.h); opaque here */

/* Linux's O_* on riscv64 (asm-generic). */
enum vfs_open_flag {
	VFS_O_ACCMODE = 3,
	VFS_O_RDONLY = 0,
	VFS_O_WRONLY = 1,
	VFS_O_RDWR = 2,
	VFS_O_CREAT = 0100,
	VFS_O_EXCL = 0200,
	VFS_O_NOCTTY = 0400,
	VFS_O_TRUNC = 01000,
	VFS_O_APPEND = 02000,
	VFS_O_NONBLOCK = 04000,
	VFS_O_DSYNC = 010000,
	VFS_O_ASYNC = 020000,
	VFS_O_DIRECT = 040000,
	VFS_O_LARGEFILE = 0100000,
	VFS_O_DIRECTORY = 0200000,
	VFS_O_NOFOLLOW = 0400000,
	VFS_O_NOATIME = 01000000,
	VFS_O_CLOEXEC = 02000000,
	VFS_O_SYNC = 04010000,
	VFS_O_PATH = 010000000,
	VFS_O_TMPFILE = 020200000,
	VFS_O_EXEC =
		1 << 30, /* kernel only: for execution (EACCES if not a file with x, or noexec) */
};

enum vfs_poll_bit {
	VFS_POLLIN = 1,
	VFS_POLLPRI = 2,
	VFS_POLLOUT = 4,
	VFS_POLLERR = 8,
	VFS_POLLHUP = 16,
	VFS_POLLNVAL = 32,
	VFS_POLLRDNORM = 64,
	VFS_POLLWRNORM = 256,
	VFS_POLLRDHUP = 0x2000,
};

/* Handed down by whoever polls: an implementation calls p->add for each queue it will wake. */
struct vfs_poll {
	void (*add)(struct vfs_poll *p, struct wait_queue *q);
};
static inline void vfs_poll_wait(struct vfs_poll *p, struct wait_queue *q)
{
	if (p)
		p->add(p, q);
}

/*
 * move(it, kernel, n): the next n <= it->left bytes go between kernel memory and the iterator's; returns
 * how many did (fewer only for a bad user address), having advanced left.
 */
struct vfs_iter {
	size_t left;
	size_t (*move)(struct vfs_iter *it, void *kernel, size_t n);
	uint8_t *buf; /* of vfs_iter_kernel */
};
/* Over kernel memory: to is where reads go. */
void vfs_iter_to(struct vfs_iter *it, void *buf, size_t len);
void vfs_iter_from(struct vfs_iter *it, const void *buf, size_t len);

struct file_ops {
	/*
	 * At *pos (which moves by the result), up to it->left bytes. Result: bytes moved (0: end),
	 * or an error if none was. -VFS_EAGAIN if it would block and f is O_NONBLOCK. NULL: EINVAL.
	 */
	int64_t (*read)(struct file *f, struct vfs_iter *it, uint64_t *pos);
	int64_t (*write)(struct file *f, struct vfs_iter *it, uint64_t *pos);
	/* NULL: ESPIPE. */
	int64_t (*seek)(struct file *f, int64_t off, int whence);
	/* Ready bits now; p non-NULL: also registers. NULL op: always readable and writable. */
	uint32_t (*poll)(struct file *f, struct vfs_poll *p);
	/* arg is a user address or a value. NULL: ENOTTY. */
	int64_t (*ioctl)(struct file *f, unsigned cmd, uint64_t arg);
	int (*fsync)(struct file *f, bool data_only); /* NULL: EINVAL */
	/* The last reference is gone. NULL: nothing to do. */
	void (*release)(struct file *f);
	/* One descriptor to it was closed (POSIX: releases locks of that owner elsewhere). */
	void (*flush)(struct file *f);
	/* fcntl(F_SETFL) changed f->flags. NULL: nothing to do. */
	void (*flags_changed)(struct file *f);
};

enum file_mode {
	FILE_READ = 1,
	FILE_WRITE = 2,
	FILE_PATH = 4,    /* O_PATH: names a place only */
	FILE_SEEK = 8,    /* has a position */
	FILE_WRITER = 16, /* counted in vnode.writers */
};

struct file {
	_Atomic uint32_t refs;
	_Atomic uint32_t flags;     /* O_* that F_GETFL shows */
	uint32_t mode;              /* const after open: enum file_mode */
	const struct file_ops *ops; /* const after open */
	struct path path;           /* references; both NULL: no place (pipe2, eventfd) */
	void *private;
	struct port_mutex pos_lock; /* rank FILE_POS */
	uint64_t pos;               /* lock: pos_lock */
	bool atime_done;        /* this description has updated the access time; lock: pos_lock */
	struct vnode *name_dir; /* by which name it was opened; references; NULL: none */
	char *name;
	const char *kind; /* "pipe:[%llu]" and the like for /proc/PID/fd without a place */
	uint64_t kind_ino;
	struct list watchers;   /* epoll's own; lock: epoll's */
	_Atomic uint32_t owner; /* F_SETOWN: recorded */
	int32_t sig;
};

/* Called with the last reference gone if f->watchers is not empty, before ops->release (epoll). */
void vfs_install_watch_release(void (*fn)(struct file *f));

/* An empty description with one reference; mode and flags from O_*. NULL: no memory. */
struct file *file_create(const struct file_ops *ops, unsigned open_flags) MUST_CHECK;
static inline struct file *file_get(struct file *f)
{
	atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
	return f;
}
/* The last one calls ops->release and frees it. May sleep. NULL is fine. */
void file_put(struct file *f);

/* open(2) and openat(2) as a whole. mode: permissions of a new file (umask is applied here). */
int vfs_open(const struct vfs_walk_from *from, const char *name, unsigned flags, uint32_t mode,
	     struct file **out) MUST_CHECK;
/* For a place that is known (exec, /proc/self/fd): *p is borrowed. */
int vfs_open_path(const struct path *p, unsigned flags, const struct vfs_cred *cred,
		  struct file **out) MUST_CHECK;

/*
 * Installed by the kernel at start: opens of devices, FIFOs and sockets. Sets f->ops and f->private, or
 * fails (ENXIO). May sleep (FIFOs), interruptible.
 */
struct vfs_special_ops {
	int (*open)(struct vnode *vn, struct file *f);
};
void vfs_install_special(const struct vfs_special_ops *ops);

/* The operations of vnode-backed files, for special files that want part of them. */
extern const struct file_ops vfs_file_ops;

/* What read(2) ... do once the descriptor is found. -VFS_EBADF for the wrong mode. */
int64_t file_read(struct file *f, struct vfs_iter *it); /* at the position, which moves */
int64_t file_write(struct file *f, struct vfs_iter *it, const struct vfs_cred *cred,
		   uint64_t limit);
int64_t file_pread(struct file *f, struct vfs_iter *it, uint64_t pos);
int64_t file_pwrite(struct file *f, struct vfs_iter *it, uint64_t pos, const struct vfs_cred *cred,
		    uint64_t limit); /* limit: RLIMIT_FSIZE; -VFS_EFBIG: the caller sends SIGXFSZ */
int64_t file_seek(struct file *f, int64_t off, int whence);
uint32_t file_poll(struct file *f, struct vfs_poll *p);
int file_fsync(struct file *f, bool data_only) MUST_CHECK;

/* All of [off, off + len) into kernel memory (exec): *done < len only at the end of the file. */
int vfs_read_kernel(struct vnode *vn, uint64_t off, void *buf, size_t len, size_t *done) MUST_CHECK;

/*
 * getdents64: entries from f's position; emit returns non-zero when the entry does not fit (it is
 * then offered again next time). Result 0 or an error. emit gets kernel memory and must not fault
 * on user memory (it fills a kernel buffer).
 */
int file_readdir(struct file *f, int (*emit)(void *arg, const struct vfs_dirent *e), void *arg)
	MUST_CHECK;

/* The name of an open file for /proc (fd, exe, maps) as seen from root. */
int file_name(struct file *f, const struct path *root, char *buf, size_t size, char **out)
	MUST_CHECK;

#endif
