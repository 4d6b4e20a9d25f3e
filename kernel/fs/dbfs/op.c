/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The transaction around one VFS operation.
 *
 *   main tree   read:   a read-only snapshot, which never waits
 *               change: a locking transaction of one call, committed without waiting for the disk
 *   view        the view's own transaction, under its lock; the operation is atomic in it by itself
 */
#include "fs/dbfs/glue.h"

#include "vfs/errors.h"

static int begin_main(struct op *op)
{
	const struct dbfs_tx_opts opts = {
		.mode = op->write ? DBFS_TX_LOCKING : DBFS_TX_READ_ONLY,
		.durability = DBFS_NOSYNC,
	};

	return dbfs_errno(dbfs_tx_begin(op->in->volume->db, &opts, &op->tx));
}

/* With a view the lock is held from here to op_end. */
int op_begin(struct op *op, struct instance *in, bool write) NO_THREAD_SAFETY
{
	struct view *view = in->view;

	op->in = in;
	op->write = write;
	if (view == NULL)
		return begin_main(op);
	port_mutex_lock(&view->lock);
	if (view->state != VIEW_RUNNING) {
		port_mutex_unlock(&view->lock);
		return -VFS_ESTALE;
	}
	op->tx = view->tx;
	return 0;
}

int op_end(struct op *op, int err) NO_THREAD_SAFETY
{
	if (op->in->view != NULL)
		port_mutex_unlock(&op->in->view->lock);
	else if (err == 0)
		err = dbfs_tx_commit(op->tx);
	else
		dbfs_tx_rollback(op->tx);
	op->tx = NULL;
	return dbfs_errno(err);
}
