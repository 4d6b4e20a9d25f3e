/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The control file: one open description is one handle, with at most one transaction in its life.
 * The structures are those of dbfs/txctl.h; user memory is touched without any lock held (GLUE-5).
 */
#include "fs/dbfs/glue.h"

#include "dbfs/txctl.h"
#include "lib/errno.h"
#include "port/mem.h"
#include "proc/process.h"
#include "vfs/errors.h"
#include "vm/uaccess.h"

/* Threads may share a descriptor: one call at a time. */
struct handle {
	struct volume *volume;  /* const */
	struct port_mutex lock; /* rank FS; taken before any lock of views */
	struct view *view;      /* NULL: BEGIN has not been called; lock: lock */
	uint32_t mode;          /* of BEGIN; lock: lock */
	uint32_t flags;
	uint32_t state; /* enum dbfs_txctl_state, 0 before BEGIN */
};

static int begin(struct handle *h, struct dbfs_txctl_begin *b)
{
	struct view_opts opts = {.age = b->age, .uid = current_cred()->fsuid};

	if (b->version != DBFS_TXCTL_VERSION || b->reserved != 0 ||
	    (b->flags & ~(uint32_t)DBFS_TXCTL_NOSYNC))
		return -VFS_EINVAL;
	if (h->view != NULL)
		return -VFS_EBUSY;
	if (b->mode == DBFS_TXCTL_OPTIMISTIC && h->volume->read_only)
		return -VFS_EROFS;
	if (b->mode == DBFS_TXCTL_OPTIMISTIC)
		opts.mode = DBFS_TX_OPTIMISTIC;
	else if (b->mode == DBFS_TXCTL_READ_ONLY)
		opts.mode = DBFS_TX_READ_ONLY;
	else
		return b->mode == DBFS_TXCTL_LOCKING ? -VFS_EOPNOTSUPP : -VFS_EINVAL;
	int err = view_begin(h->volume, &opts, &h->view);

	if (err != 0)
		return err;
	h->mode = b->mode;
	h->flags = b->flags;
	h->state = DBFS_TXCTL_RUNNING;
	b->id = h->view->id;
	return 0;
}

static int commit(struct handle *h, struct dbfs_txctl_commit *c)
{
	uint64_t ts = 0;

	if (h->state != DBFS_TXCTL_RUNNING)
		return h->state == 0 ? -ENOTCONN : -VFS_ESTALE;
	c->age = view_age(h->view);
	int err = view_commit(h->view, !(h->flags & DBFS_TXCTL_NOSYNC), &ts);

	if (view_running(h->view))
		return err; /* could not even start: stores of a mapping failed */
	h->state = err == 0 || ts != 0 ? DBFS_TXCTL_COMMITTED : DBFS_TXCTL_ROLLED_BACK;
	c->commit_ts = ts;
	return err;
}

static int rollback(struct handle *h)
{
	if (h->state != DBFS_TXCTL_RUNNING)
		return h->state == 0 ? -ENOTCONN : -VFS_ESTALE;
	h->state = DBFS_TXCTL_ROLLED_BACK;
	return view_rollback(h->view);
}

static int status(const struct handle *h, struct dbfs_txctl_status *s)
{
	if (h->state == 0)
		return -ENOTCONN;
	*s = (struct dbfs_txctl_status){.id = h->view->id, .state = h->state, .mode = h->mode};
	return 0;
}

union txctl_arg {
	struct dbfs_txctl_begin begin;
	struct dbfs_txctl_commit commit;
	struct dbfs_txctl_savepoint savepoint;
	struct dbfs_txctl_status status;
};

static int savepoint(struct handle *h, uint32_t cmd, struct dbfs_txctl_savepoint *sp)
{
	if (h->state != DBFS_TXCTL_RUNNING)
		return h->state == 0 ? -ENOTCONN : -VFS_ESTALE;
	return cmd == DBFS_TXCTL_SAVEPOINT ? view_savepoint(h->view, &sp->pos)
					   : view_rollback_to(h->view, sp->pos);
}

static int dispatch(struct handle *h, uint32_t cmd, union txctl_arg *a)
{
	switch (cmd) {
	case DBFS_TXCTL_BEGIN:
		return begin(h, &a->begin);
	case DBFS_TXCTL_COMMIT:
		return commit(h, &a->commit);
	case DBFS_TXCTL_ROLLBACK:
		return rollback(h);
	case DBFS_TXCTL_SAVEPOINT:
	case DBFS_TXCTL_ROLLBACK_TO:
		return savepoint(h, cmd, &a->savepoint);
	case DBFS_TXCTL_STATUS:
		return status(h, &a->status);
	default:
		return -VFS_ENOTTY;
	}
}

/* The command's number says how much is copied in (bit 30) and out (bit 31). */
static int64_t ctl_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct handle *h = f->private;
	union txctl_arg a = {0};
	size_t size = cmd >> 16 & 0x3fff;

	if (size > sizeof a)
		return -VFS_ENOTTY;
	if ((cmd & 1u << 30) && copy_from_user(&a, arg, size) != 0)
		return -VFS_EFAULT;
	port_mutex_lock(&h->lock);
	int err = dispatch(h, cmd, &a);

	port_mutex_unlock(&h->lock);
	if (err == 0 && (cmd & 1u << 31) && copy_to_user(arg, &a, size) != 0)
		return -VFS_EFAULT;
	return err;
}

static void ctl_release(struct file *f)
{
	struct handle *h = f->private;

	if (h->view != NULL)
		view_put(h->view);
	port_mutex_fini(&h->lock);
	port_free(h);
}

static const struct file_ops ctl_file_ops = {
	.ioctl = ctl_ioctl,
	.release = ctl_release,
};

int ctl_open(struct vnode *vn, struct file *f)
{
	struct handle *h = port_alloc_zeroed(sizeof *h);

	if (h == NULL)
		return -VFS_ENOMEM;
	h->volume = instance_of(vn)->volume;
	port_mutex_init(&h->lock, LOCK_RANK_NONE, "tx handle");
	f->ops = &ctl_file_ops;
	f->private = h;
	return 0;
}
