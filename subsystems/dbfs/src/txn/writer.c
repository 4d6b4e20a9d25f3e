/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The writer lock: while there is no lock manager, one transaction at a time writes. This file and
 * its callers (begin of a locking transaction, commit, the freeze of a checkpoint) are all that
 * knows of it. A transaction holds it, not a thread, so it is no port mutex.
 *
 * FIFO: unlock hands the lock to the first waiter; who gives up while waiting leaves the queue.
 */
#include "base/assert.h"
#include "txn/txn_priv.h"

struct writer_waiter {
	struct list link;
	struct port_cond wake; /* its own: only one of hundreds is woken */
	bool granted;
};

void dbfs_writer_init(struct writer *w)
{
	port_mutex_init(&w->lock, LOCK_RANK_DBFS_WRITER, "dbfs writer");
	list_init(&w->waiters);
	w->busy = false;
}

void dbfs_writer_fini(struct writer *w)
{
	port_mutex_fini(&w->lock);
}

int dbfs_writer_lock(struct writer *w, bool killable)
{
	struct writer_waiter me = {.granted = false};
	int err = 0;

	port_mutex_lock(&w->lock);
	if (!w->busy) {
		w->busy = true;
		port_mutex_unlock(&w->lock);
		return 0;
	}
	port_cond_init(&me.wake);
	list_add_tail(&w->waiters, &me.link);
	while (!me.granted && !err) {
		enum port_wait res = port_cond_wait_until(&me.wake, &w->lock, UINT64_MAX, killable);

		if (res == PORT_WAIT_KILLED && !me.granted) {
			list_del(&me.link);
			err = -DBFS_EINTR;
		}
	}
	port_mutex_unlock(&w->lock);
	port_cond_fini(&me.wake);
	return err;
}

void dbfs_writer_unlock(struct writer *w)
{
	port_mutex_lock(&w->lock);
	DBFS_ASSERT(w->busy);
	if (list_empty(&w->waiters)) {
		w->busy = false;
	} else {
		struct writer_waiter *next = list_first(&w->waiters, struct writer_waiter, link);

		list_del(&next->link);
		next->granted = true;
		port_cond_signal(&next->wake);
	}
	port_mutex_unlock(&w->lock);
}
