/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Views: a transaction with a file tree of its own.
 *
 * States: RUNNING (view_begin) -> ENDING (view_commit, view_rollback: the transaction has been taken out, new
 * operations get ESTALE) -> ENDED (its vnodes are dead). The handle owns the view until view_put; the
 * instance inside may then still be mounted in the command's namespace or have open files, so the
 * memory is given back by views_reap once nothing refers to it.
 *
 * Commit (GLUE-4): write what shared mappings stored; open the main tree's publishing window; take the
 * transaction out; write what mappings of the main tree stored into files that the view changed, which
 * may conflict with it like any write (a dirty page that stayed would overwrite the view's bytes later;
 * new stores wait for the end of the window); commit in memory; drop the main caches of what it changed;
 * close the window; wait for the disk. Readers of the main tree that raced start again, so none sees half
 * of it.
 */
#include "fs/dbfs/glue.h"

#include "port/log.h"
#include "port/mem.h"
#include "vfs/errors.h"
#include "vfs/page_cache.h"

/* The instance stays in view->in until views_reap finds it unused. */
static void view_unmount(struct vfs_fs *fs)
{
	struct view *view = container_of(fs, struct view, in.fs);

	port_free(view->savepoints);
	changes_fini(&view->changes);
	port_mutex_fini(&view->lock);
	port_free(view);
}

static int view_statfs(struct vfs_fs *fs, struct vfs_statfs *out)
{
	struct vfs_fs *main = &container_of(fs, struct instance, fs)->volume->main.fs;

	return main->ops->statfs(main, out);
}

static const struct vfs_fs_ops view_fs_ops = {
	.statfs = view_statfs,
	.unmount = view_unmount,
};

static int set_root(struct view *view)
{
	struct op op;
	int err = op_begin(&op, &view->in, false);

	if (err != 0)
		return err;
	return op_end(&op, node_get(&op, DBFS_ROOT_INO, &view->in.fs.root));
}

static int init_view(struct view *view, struct volume *v, const struct view_opts *opts)
{
	const struct dbfs_tx_opts tx_opts = {
		.mode = opts->mode,
		.durability = DBFS_NOSYNC, /* view_commit waits for the disk itself */
		.age = opts->age,
	};
	int err = vfs_fs_init(&view->in.fs, v->main.fs.type, &view_fs_ops);

	if (err != 0)
		return err;
	view->in.fs.dev = v->main.fs.dev;
	view->in.fs.flags = VFS_FS_KERNEL | VFS_FS_NO_ATIME |
			    (opts->mode == DBFS_TX_READ_ONLY ? VFS_FS_READONLY : 0);
	view->in.volume = v;
	vfs_fs_get(&v->main.fs);
	view->in.view = view;
	view->uid = opts->uid;
	port_mutex_init(&view->lock, LOCK_RANK_VIEW, "view");
	list_init(&view->link);
	err = dbfs_errno(dbfs_tx_begin(v->db, &tx_opts, &view->tx));
	if (err != 0)
		goto err_fs;
	err = set_root(view);
	if (err != 0)
		goto err_tx;
	return 0;
err_tx:
	dbfs_tx_rollback(view->tx);
err_fs:
	port_mutex_fini(&view->lock);
	vfs_fs_fini(&view->in.fs);
	vfs_fs_put(&v->main.fs); /* never the last: the handle is a file of it */
	return err;
}

int view_begin(struct volume *v, const struct view_opts *opts, struct view **out)
{
	struct view *view = port_alloc_zeroed(sizeof *view);

	if (view == NULL)
		return -VFS_ENOMEM;
	views_reap(v);
	int err = init_view(view, v, opts);

	if (err != 0) {
		port_free(view);
		return err;
	}
	port_mutex_lock(&v->lock);
	view->id = ++v->last_view;
	list_add_tail(&v->views, &view->link);
	port_mutex_unlock(&v->lock);
	*out = view;
	return 0;
}

static struct view *find_locked(struct volume *v, uint64_t id) REQUIRES(v->lock)
{
	struct view *view;

	list_for_each_entry (view, &v->views, struct view, link) {
		if (view->id == id)
			return view;
	}
	return NULL;
}

int view_root(struct volume *v, uint64_t id, struct vnode **out)
{
	port_mutex_lock(&v->lock);
	struct view *view = find_locked(v, id);

	if (view != NULL)
		*out = vnode_ref(view->in.fs.root);
	port_mutex_unlock(&v->lock);
	return view != NULL ? 0 : -VFS_ENOENT;
}

int view_owner(struct volume *v, uint64_t id, uint32_t *uid)
{
	port_mutex_lock(&v->lock);
	struct view *view = find_locked(v, id);

	if (view != NULL)
		*uid = view->uid;
	port_mutex_unlock(&v->lock);
	return view != NULL ? 0 : -VFS_ENOENT;
}

/* The smallest number above id, 0: none. */
static uint64_t next_id(struct volume *v, uint64_t id)
{
	uint64_t best = 0;
	struct view *view;

	port_mutex_lock(&v->lock);
	list_for_each_entry (view, &v->views, struct view, link) {
		if (view->id > id && (best == 0 || view->id < best))
			best = view->id;
	}
	port_mutex_unlock(&v->lock);
	return best;
}

int views_list(struct volume *v, uint64_t cookie, int (*fn)(void *arg, const struct vfs_dirent *e),
	       void *arg)
{
	const uint64_t first_cookie = 2; /* 1 and 2 are "." and ".." */
	uint64_t id = next_id(v, cookie > first_cookie ? cookie - first_cookie : 0);

	for (; id != 0; id = next_id(v, id)) {
		char digits[20];
		size_t at = sizeof digits;

		for (uint64_t x = id; x != 0; x /= 10)
			digits[--at] = (char)('0' + x % 10);
		const struct vfs_dirent e = {
			.ino = magic_view_ino(id),
			.type = VFS_S_IFDIR,
			.cookie = id + first_cookie,
			.name = {digits + at, sizeof digits - at},
		};

		if (fn(arg, &e) != 0)
			break;
	}
	return 0;
}

bool view_running(struct view *view)
{
	port_mutex_lock(&view->lock);
	bool running = view->state == VIEW_RUNNING;

	port_mutex_unlock(&view->lock);
	return running;
}

uint64_t view_age(struct view *view)
{
	port_mutex_lock(&view->lock);
	uint64_t age = view->tx != NULL ? dbfs_tx_age(view->tx) : 0;

	port_mutex_unlock(&view->lock);
	return age;
}

int view_note(struct instance *in, uint64_t ino, unsigned what)
{
	return in->view == NULL ? 0 : changes_add(&in->view->changes, ino, what);
}

int view_hold(struct instance *in, uint64_t ino)
{
	struct view *view = in->view;

	if (view == NULL)
		return 0;
	if (changes_get(&view->changes, ino) & CHANGE_HELD)
		return 0;
	int err = dbfs_hold(in->volume->db, (struct dbfs_ino){ino});

	if (err != 0)
		return err;
	err = changes_add(&view->changes, ino, CHANGE_ATTR | CHANGE_HELD);
	if (err != 0)
		dbfs_release(in->volume->db, (struct dbfs_ino){ino});
	return err;
}

/* Takes the transaction out: RUNNING -> ENDING. -VFS_ESTALE: somebody else did. */
static int take_tx(struct view *view, struct dbfs_tx **tx)
{
	int err = -VFS_ESTALE;

	port_mutex_lock(&view->lock);
	if (view->state == VIEW_RUNNING) {
		view->state = VIEW_ENDING;
		*tx = view->tx;
		view->tx = NULL;
		err = 0;
	}
	port_mutex_unlock(&view->lock);
	return err;
}

/* In the publishing window: the main tree forgets what the view changed. */
static void forget_changed(struct view *view)
{
	struct vfs_fs *main = &view->in.volume->main.fs;

	for (size_t i = 0; i < view->changes.size; i++) {
		const struct change *c = &view->changes.table[i];
		struct vnode *vn = c->ino != 0 ? vnode_find(main, c->ino) : NULL;

		if (vn == NULL)
			continue;
		vfs_invalidate_vnode(vn, (c->what & CHANGE_DATA) != 0);
		if (c->what & CHANGE_NAMES)
			vfs_invalidate_dir(vn);
		vnode_put(vn);
	}
}

/* In the publishing window, ENDING: no dirty page of the main tree lies over what the view has written. */
static int write_main_stores(struct view *view)
{
	struct vfs_fs *main = &view->in.volume->main.fs;
	int err = 0;

	for (size_t i = 0; i < view->changes.size && err == 0; i++) {
		const struct change *c = &view->changes.table[i];
		struct vnode *vn = NULL;

		if (c->ino != 0 && (c->what & CHANGE_DATA))
			vn = vnode_find(main, c->ino);
		if (vn != NULL)
			err = page_cache_flush(vn, 0, 0);
		vnode_put(vn);
	}
	return err;
}

/* ENDING -> ENDED: nothing of the view answers any more; what it held may go. */
static void finish(struct view *view)
{
	vfs_fs_kill(&view->in.fs);
	for (size_t i = 0; i < view->changes.size; i++) {
		const struct change *c = &view->changes.table[i];

		if (c->what & CHANGE_HELD)
			dbfs_release(view->in.volume->db, (struct dbfs_ino){c->ino});
	}
	changes_fini(&view->changes);
	port_mutex_lock(&view->lock);
	view->state = VIEW_ENDED;
	port_mutex_unlock(&view->lock);
}

int view_commit(struct view *view, bool sync, uint64_t *commit_ts)
{
	struct volume *v = view->in.volume;
	struct dbfs_tx *tx;
	int err = vfs_fs_sync(&view->in.fs); /* stores of shared mappings */

	if (err != 0)
		return err; /* still running: the caller may try again or give up */
	vfs_publish_begin(&v->main.fs);
	err = take_tx(view, &tx);
	if (err == 0) {
		err = write_main_stores(view);
		if (err == 0)
			err = dbfs_errno(dbfs_tx_commit_ts(tx, commit_ts));
		else
			dbfs_tx_rollback(tx);
		if (err == 0)
			forget_changed(view);
		vfs_publish_end(&v->main.fs);
		finish(view);
	} else {
		vfs_publish_end(&v->main.fs);
	}
	if (err == 0 && sync)
		err = dbfs_errno(dbfs_wait_durable(v->db, *commit_ts));
	return err;
}

int view_rollback(struct view *view)
{
	struct dbfs_tx *tx;
	int err = take_tx(view, &tx);

	if (err != 0)
		return err;
	dbfs_tx_rollback(tx);
	finish(view);
	return 0;
}

/* Room for one more savepoint. -DBFS_ENOMEM. */
static int grow_savepoints(struct view *view)
{
	size_t room = view->savepoint_room == 0 ? 8 : view->savepoint_room * 2;

	if (view->savepoint_count < view->savepoint_room)
		return 0;
	uint64_t *grown = port_alloc(room * sizeof *grown);

	if (grown == NULL)
		return -DBFS_ENOMEM;
	for (size_t i = 0; i < view->savepoint_count; i++)
		grown[i] = view->savepoints[i];
	port_free(view->savepoints);
	view->savepoints = grown;
	view->savepoint_room = room;
	return 0;
}

/* GLUE-7. Forgets the savepoints that come after pos. */
static int find_savepoint(struct view *view, uint64_t pos)
{
	for (size_t i = view->savepoint_count; i-- > 0;) {
		if (view->savepoints[i] == pos) {
			view->savepoint_count = i + 1;
			return 0;
		}
	}
	return -DBFS_EINVAL;
}

int view_savepoint(struct view *view, uint64_t *pos)
{
	struct op op;
	int err = vfs_fs_sync(&view->in.fs);

	if (err == 0)
		err = op_begin(&op, &view->in, true);
	if (err != 0)
		return err;
	err = grow_savepoints(view);
	if (err == 0) {
		*pos = dbfs_tx_savepoint(op.tx).pos;
		view->savepoints[view->savepoint_count++] = *pos;
	}
	return op_end(&op, err);
}

int view_rollback_to(struct view *view, uint64_t pos)
{
	struct op op;
	struct vfs_fs *fs = &view->in.fs;

	vfs_publish_begin(fs);
	int err = op_begin(&op, &view->in, true);

	if (err == 0) {
		err = find_savepoint(view, pos);
		if (err == 0)
			dbfs_tx_rollback_to(op.tx, (struct dbfs_savepoint){pos});
		err = op_end(&op, err);
		vfs_invalidate_all(fs);
	}
	vfs_publish_end(fs);
	return err;
}

void view_put(struct view *view)
{
	struct volume *v = view->in.volume;

	/* Nobody else has the handle: it is running or has ended. */
	if (view_running(view) && view_rollback(view) != 0)
		port_panic("dbfs: view %llu ended by itself", (unsigned long long)view->id);
	port_mutex_lock(&v->lock);
	list_del(&view->link);
	list_add_tail(&v->ended, &view->link);
	port_mutex_unlock(&v->lock);
	views_reap(v);
}

/* Does anything but views_reap's own reference keep the instance? */
static bool in_use(struct view *view)
{
	struct vfs_fs *fs = &view->in.fs;

	port_mutex_lock(&fs->lock);
	/* The root's vnode is never unused: fs->root refers to it. */
	bool used = atomic_load_explicit(&fs->refs, memory_order_acquire) > 1 ||
		    atomic_load_explicit(&fs->root->refs, memory_order_acquire) > 1 ||
		    fs->vnodes > fs->unused + 1;

	port_mutex_unlock(&fs->lock);
	return used;
}

void views_reap(struct volume *v)
{
	struct list unused = LIST_INIT(unused);
	struct view *view;
	struct view *next;

	port_mutex_lock(&v->lock);
	list_for_each_entry_safe (view, next, &v->ended, struct view, link) {
		if (in_use(view))
			continue;
		list_del(&view->link);
		list_add_tail(&unused, &view->link);
	}
	port_mutex_unlock(&v->lock);
	list_for_each_entry_safe (view, next, &unused, struct view, link) {
		list_del(&view->link);
		vfs_fs_put(&view->in.fs); /* calls view_unmount */
		vfs_fs_put(&v->main.fs);  /* never the last: the caller has one */
	}
}
