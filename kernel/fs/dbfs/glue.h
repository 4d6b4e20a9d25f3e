/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * DBFS in the kernel: the glue between the VFS and libdbfs. For this folder only.
 *
 *   struct volume    an open DBFS volume on a disk                            volume.c
 *   struct instance  what the VFS sees of it: the main tree, or a view        node.c dir.c file.c
 *   struct view      a transaction and its instance                           view.c changes.c
 *   .dbfs            magic directories and the control file of the main tree  magic.c ctl.c
 *
 * Every operation of the main tree is a transaction of its own (op.c): reads take a read-only
 * snapshot, changes are committed in memory, in order, and are made durable later or by fsync. In a view the
 * operations go to the view's transaction, one at a time under view->lock.
 *
 * Invariants
 *   GLUE-1  A vnode's number is its inode's; magic vnodes have bit 63 set, which no inode has. Its private
 *           word is ANON_HOLD while it holds an inode that was made without a name, else NULL.
 *   GLUE-2  An inode is held (dbfs_hold) from open to release of each open file, so that a committed
 *           unlink leaves its contents readable.
 *   GLUE-3  After a view has ended none of its vnodes answers anything but ESTALE.
 *   GLUE-4  A commit of a view becomes visible and the main tree's caches are dropped for what it
 *           changed inside one publishing window of the main instance.
 *   GLUE-5  No lock of this folder is held while user memory is touched.
 *   GLUE-6  A view has a reference to the main instance: the volume stays open while vnodes of the view
 *           are in use (through a bind mount, say). The view goes at the next begin, end or sync.
 *   GLUE-7  A program can go back only to a savepoint that it was given: any other position may lie in the
 *           middle of an operation, and what half an operation wrote must not be committed.
 *
 * Locks: volume->lock (rank VIEW_LIST: the lists of views) and view->lock (rank VIEW: one operation). Neither
 * is held while anything of the VFS is called that takes vnode locks.
 *
 * A crash here: nothing is kept in this folder that is not in a transaction; views vanish as if rolled
 * back.
 */
#ifndef FS_DBFS_GLUE_H
#define FS_DBFS_GLUE_H

#include "dbfs/dbfs.h"
#include "dbfs/fs.h"
#include "vfs/file.h"
#include "vfs/fs.h"
#include "vfs/vnode.h"

struct blkdev;
struct view;

struct instance {
	struct vfs_fs fs;
	struct volume *volume; /* const */
	struct view *view;     /* const; NULL: the main tree */
};

struct volume {
	struct dbfs *db;       /* const */
	struct blkdev *device; /* const */
	struct instance main;
	struct port_mutex lock;
	struct list views;  /* struct view.link: running ones; lock: lock */
	struct list ended;  /* views that ended but whose vnodes are still in use; lock: lock */
	uint64_t last_view; /* lock: lock */
	struct list link;   /* lock: volumes_lock */
	bool read_only;     /* const */
};

#define ANON_HOLD ((void *)1)

static inline struct instance *instance_of(const struct vnode *vn)
{
	return container_of(vn->fs, struct instance, fs);
}

static inline struct dbfs_ino ino_of(const struct vnode *vn)
{
	return (struct dbfs_ino){vn->ino};
}

static inline struct dbfs_name name_of(struct vfs_name n)
{
	return (struct dbfs_name){n.s, n.len};
}

/* --- op.c: one operation -------------------------------------------------------------------- */

struct op {
	struct instance *in;
	struct dbfs_tx *tx;
	bool write;
};

/* -VFS_ESTALE: the view has ended. The op then needs no op_end. */
int op_begin(struct op *op, struct instance *in, bool write) MUST_CHECK;
/* err is what the operation returned: commits (0) or undoes. The negative errno for the VFS. */
int op_end(struct op *op, int err) MUST_CHECK;

/* --- node.c: vnodes and attributes --------------------------------------------------------- */

extern const struct vnode_ops dbfs_node_ops;

/* The vnode of ino, which was found or made inside op (still open): attributes are read in it. */
int node_get(struct op *op, struct dbfs_ino ino, struct vnode **out) MUST_CHECK;
void node_attr(const struct dbfs_attr *in, struct vfs_attr *out);

/* --- dir.c, file.c: operations, listed in dbfs_node_ops ------------------------------------ */

int dbfs_vn_lookup(struct vnode *dir, struct vfs_name name, struct vnode **out) MUST_CHECK;
int dbfs_vn_create(struct vnode *dir, struct vfs_name name, const struct vfs_new *what,
		   struct vnode **out) MUST_CHECK;
int dbfs_vn_create_anon(struct vnode *dir, const struct vfs_new *what, struct vnode **out)
	MUST_CHECK;
int dbfs_vn_link(struct vnode *dir, struct vfs_name name, struct vnode *target) MUST_CHECK;
int dbfs_vn_unlink(struct vnode *dir, struct vfs_name name, struct vnode *victim) MUST_CHECK;
int dbfs_vn_rmdir(struct vnode *dir, struct vfs_name name, struct vnode *victim) MUST_CHECK;
int dbfs_vn_rename(struct vnode *odir, struct vfs_name oname, struct vnode *ndir,
		   struct vfs_name nname, unsigned flags) MUST_CHECK;
int dbfs_vn_readdir(struct vnode *dir, uint64_t cookie,
		    int (*fn)(void *arg, const struct vfs_dirent *e), void *arg) MUST_CHECK;
int dbfs_vn_readlink(struct vnode *vn, char *buf, size_t *len) MUST_CHECK;

int dbfs_vn_readpages(struct vnode *vn, uint64_t index, struct page **pages, unsigned n) MUST_CHECK;
int dbfs_vn_write(struct vnode *vn, uint64_t off, const void *buf, size_t len) MUST_CHECK;
int dbfs_vn_writepage(struct vnode *vn, uint64_t index, const void *data, size_t len) MUST_CHECK;
int dbfs_vn_fsync(struct vnode *vn, bool data_only) MUST_CHECK;
int dbfs_vn_fallocate(struct vnode *vn, unsigned mode, uint64_t off, uint64_t len) MUST_CHECK;
int dbfs_vn_seek(struct vnode *vn, uint64_t off, bool hole, uint64_t *out) MUST_CHECK;
int dbfs_vn_open(struct vnode *vn, struct file *f) MUST_CHECK;
void dbfs_vn_release(struct vnode *vn, struct file *f);

/* --- view.c, changes.c: transactions ------------------------------------------------------- */

enum change_what {
	CHANGE_ATTR = 1,  /* attributes */
	CHANGE_DATA = 2,  /* contents */
	CHANGE_NAMES = 4, /* names in this directory */
	CHANGE_HELD = 8,  /* held by the view since it took a name away */
};

/* A hash set of inodes and what of them changed. Grows; entries are never removed. */
struct changes {
	struct change *table;
	size_t size; /* power of two, or 0 */
	size_t used;
};

struct change {
	uint64_t ino; /* 0: free */
	unsigned what;
};

/* What of ino has changed: enum change_what bits. */
unsigned changes_get(const struct changes *c, uint64_t ino);
/* -DBFS_ENOMEM. */
int changes_add(struct changes *c, uint64_t ino, unsigned what) MUST_CHECK;
void changes_fini(struct changes *c);

enum view_state { VIEW_RUNNING, VIEW_ENDING, VIEW_ENDED };

struct view {
	struct instance in;
	uint64_t id;  /* const */
	uint32_t uid; /* const: who may enter it */
	struct port_mutex lock;
	struct dbfs_tx *tx;     /* NULL once ended; lock: lock */
	enum view_state state;  /* lock: lock */
	struct changes changes; /* lock: lock */
	uint64_t *savepoints;   /* given and not yet undone, rising; lock: lock */
	size_t savepoint_count;
	size_t savepoint_room;
	struct list link; /* lock: volume->lock */
};

struct view_opts {
	enum dbfs_tx_mode mode;
	uint64_t age;
	uint32_t uid;
};

int view_begin(struct volume *v, const struct view_opts *opts, struct view **out) MUST_CHECK;
/* By number: a reference to the root of its tree; who may enter it. -VFS_ENOENT: no such view. */
int view_root(struct volume *v, uint64_t id, struct vnode **out) MUST_CHECK;
int view_owner(struct volume *v, uint64_t id, uint32_t *uid) MUST_CHECK;
/* Calls fn for each view with a number above cookie, in order, as readdir does. */
int views_list(struct volume *v, uint64_t cookie, int (*fn)(void *arg, const struct vfs_dirent *e),
	       void *arg) MUST_CHECK;
/* Both end the view; its handle still has to view_put it. -VFS_ESTALE: it has ended before. */
int view_commit(struct view *view, bool sync, uint64_t *commit_ts) MUST_CHECK;
bool view_running(struct view *view);
/* For a retry with the same age; 0 once it has ended. */
uint64_t view_age(struct view *view);
int view_rollback(struct view *view) MUST_CHECK;
int view_savepoint(struct view *view, uint64_t *pos) MUST_CHECK;
int view_rollback_to(struct view *view, uint64_t pos) MUST_CHECK;
/* The handle is gone: rolls back what still runs; the memory goes when no file of it is open. */
void view_put(struct view *view);
/* Notes a change if in is a view (else nothing to do). Inside an op. */
int view_note(struct instance *in, uint64_t ino, unsigned what) MUST_CHECK;
/* Takes a name away from ino inside an op of a view: it stays held until the view has ended. */
int view_hold(struct instance *in, uint64_t ino) MUST_CHECK;
/* Frees ended views that nobody uses any more. The caller has a reference to the main instance. */
void views_reap(struct volume *v);

/* --- magic.c, ctl.c: .dbfs ------------------------------------------------------------------ */

/* Is name the magic directory, looked up in the root of the main tree? */
bool magic_is(const struct vnode *dir, struct vfs_name name);
int magic_get(struct volume *v, struct vnode **out) MUST_CHECK;
/* The number of .dbfs/tx/ID. */
uint64_t magic_view_ino(uint64_t id);
int ctl_open(struct vnode *vn, struct file *f) MUST_CHECK;

#endif
