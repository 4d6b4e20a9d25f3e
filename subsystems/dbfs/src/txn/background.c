/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The volume's two threads: one writes out unsynced commits after sync_delay_ns or when there are too
 * many, and leaves a durable mark on a log that has become idle; one runs checkpoints. With no_background
 * their work is done by whoever commits.
 */
#include "port/log.h"
#include "port/time.h"
#include "txn/txn_priv.h"

/* For results that nobody waits for: an error is sticky in the log and shows at the next commit. */
static void leave(int err)
{
	if (err)
		port_log(PORT_LOG_DEBUG, "dbfs: background: error %d", err);
}

static uint64_t generation(struct dbfs *db)
{
	return atomic_load_explicit(&db->generation, memory_order_relaxed);
}

static bool sleep_until(struct background *bg, uint64_t deadline) REQUIRES(&bg->lock)
{
	if (!bg->stop)
		(void)port_cond_wait_until(&bg->wake, &bg->lock, deadline, false);
	return !bg->stop;
}

/* What the log thread has to do now; when to look again. */
static uint64_t log_work(struct dbfs *db)
{
	struct dbfs_wal_stats w;
	uint64_t now = port_now();
	uint64_t delay = db->opts.sync_delay_ns;

	if (dbfs_wal_error(db->wal))
		return UINT64_MAX;
	dbfs_wal_get_stats(db->wal, &w);
	if (w.oldest != UINT64_MAX) {
		if (now - w.oldest < delay && w.unwritten <= db->opts.dirty_bytes)
			return w.oldest + delay;
		leave(dbfs_sync(db));
	} else if (!w.marked) {
		leave(dbfs_wal_mark(db->wal, generation(db)));
	}
	return port_now() + delay;
}

static void log_thread(void *arg)
{
	struct dbfs *db = arg;
	struct background *bg = &db->bg;
	uint64_t next = port_now() + db->opts.sync_delay_ns;
	bool go;

	do {
		port_mutex_lock(&bg->lock);
		go = sleep_until(bg, next);
		port_mutex_unlock(&bg->lock);
		if (go)
			next = log_work(db);
	} while (go);
}

static void ckpt_thread(void *arg)
{
	struct dbfs *db = arg;
	struct background *bg = &db->bg;
	bool go;

	do {
		bool want;

		port_mutex_lock(&bg->lock);
		while (!bg->stop && !bg->want_ckpt)
			port_cond_wait(&bg->wake, &bg->lock);
		want = bg->want_ckpt;
		bg->want_ckpt = false;
		go = !bg->stop;
		port_mutex_unlock(&bg->lock);
		if (go && want && dbfs_ckpt_run(db, false, false) == -DBFS_ENOMEM)
			port_log(PORT_LOG_WARN, "dbfs: no memory for a checkpoint; later");
	} while (go);
}

int dbfs_background_start(struct dbfs *db)
{
	struct background *bg = &db->bg;
	int err;

	port_mutex_init(&bg->lock, LOCK_RANK_DBFS_VOLUME, "dbfs background");
	port_cond_init(&bg->wake);
	if (db->opts.no_background || db->read_only || dbfs_wal_error(db->wal))
		return 0;
	err = port_thread_create(&bg->log_thread, log_thread, db, "dbfs-log");
	if (err)
		return err;
	err = port_thread_create(&bg->ckpt_thread, ckpt_thread, db, "dbfs-ckpt");
	bg->started = true;
	if (!err)
		return 0;
	bg->started = false;
	port_mutex_lock(&bg->lock);
	bg->stop = true;
	port_cond_broadcast(&bg->wake);
	port_mutex_unlock(&bg->lock);
	port_thread_join(&bg->log_thread);
	return err;
}

void dbfs_background_stop(struct dbfs *db)
{
	struct background *bg = &db->bg;

	if (bg->started) {
		port_mutex_lock(&bg->lock);
		bg->stop = true;
		port_cond_broadcast(&bg->wake);
		port_mutex_unlock(&bg->lock);
		port_thread_join(&bg->log_thread);
		port_thread_join(&bg->ckpt_thread);
		bg->started = false;
	}
	port_cond_fini(&bg->wake);
	port_mutex_fini(&bg->lock);
}

static void wake(struct background *bg, bool ckpt)
{
	port_mutex_lock(&bg->lock);
	bg->want_ckpt = bg->want_ckpt || ckpt;
	port_cond_broadcast(&bg->wake);
	port_mutex_unlock(&bg->lock);
}

void dbfs_background_kick(struct dbfs *db, uint64_t group)
{
	struct dbfs_wal_stats w;
	bool due = dbfs_ckpt_is_due(db);

	dbfs_wal_get_stats(db->wal, &w);
	if (db->bg.started) {
		if (due || w.unwritten > db->opts.dirty_bytes)
			wake(&db->bg, due);
		/* Faster than the disk: who makes the dirt helps to write it. */
		if (w.unwritten > 2 * db->opts.dirty_bytes)
			leave(dbfs_wal_wait(db->wal, group));
		if (due)
			dbfs_ckpt_throttle(db);
		return;
	}
	if (w.unwritten > db->opts.dirty_bytes)
		leave(dbfs_wal_wait(db->wal, group));
	if (due) /* the commit stands, whatever comes of it */
		leave(dbfs_ckpt_run(db, false, false));
}
