/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Volumes: mounting a DBFS disk. One disk is opened once, however often it is mounted.
 */
#include "fs/dbfs/glue.h"

#include "dev/blk.h"
#include "fs/dbfs/init.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "port/log.h"
#include "port/mem.h"
#include "vfs/errors.h"
#include "vfs/mount.h"

#define DBFS_MAGIC_NUMBER 0x64626673 /* "dbfs", what statfs shows */

static struct port_mutex volumes_lock;
static struct list volumes = LIST_INIT(volumes); /* lock: volumes_lock */

static struct volume *volume_of(struct vfs_fs *fs)
{
	return container_of(fs, struct instance, fs)->volume;
}

static int main_statfs(struct vfs_fs *fs, struct vfs_statfs *out)
{
	struct dbfs_statfs st;
	int err = dbfs_errno(dbfs_statfs(volume_of(fs)->db, &st));

	if (err != 0)
		return err;
	*out = (struct vfs_statfs){
		.type = DBFS_MAGIC_NUMBER,
		.bsize = DBFS_BLOCK_SIZE,
		.blocks = st.blocks,
		.bfree = st.bfree,
		.bavail = st.bfree,
		.files = st.files + st.bfree,
		.ffree = st.bfree, /* inodes are made as long as there is space */
		.fsid = fs->dev,
		.namelen = DBFS_NAME_MAX,
	};
	return 0;
}

static int main_sync(struct vfs_fs *fs)
{
	struct volume *v = volume_of(fs);

	views_reap(v);
	return v->read_only ? 0 : dbfs_errno(dbfs_sync(v->db));
}

static void main_unmount(struct vfs_fs *fs)
{
	struct volume *v = volume_of(fs);

	port_mutex_lock(&volumes_lock);
	list_del(&v->link);
	port_mutex_unlock(&volumes_lock);
	int err = dbfs_close(v->db);

	if (err != 0)
		port_log(PORT_LOG_ERROR, "dbfs: %s: close: %s", v->device->name,
			 dbfs_strerror(err));
	port_mutex_fini(&v->lock);
	port_free(v);
}

static const struct vfs_fs_ops main_ops = {
	.statfs = main_statfs,
	.sync = main_sync,
	.unmount = main_unmount,
};

static int open_volume(struct volume *v)
{
	const struct dbfs_open_opts opts = {.read_only = v->read_only};
	int err = dbfs_open(&v->device->blk, &opts, &v->db);

	if (err == 0) {
		err = dbfs_fs_mount(v->db);
		if (err != 0 && dbfs_close(v->db) != 0)
			port_log(PORT_LOG_ERROR, "dbfs: %s: close failed", v->device->name);
	}
	if (err != 0)
		port_log(PORT_LOG_ERROR, "dbfs: %s: cannot mount: %s", v->device->name,
			 dbfs_strerror(err));
	return dbfs_errno(err);
}

static int set_root(struct volume *v)
{
	struct op op;
	int err = op_begin(&op, &v->main, false);

	if (err != 0)
		return err;
	return op_end(&op, node_get(&op, DBFS_ROOT_INO, &v->main.fs.root));
}

static int init_volume(struct volume *v, const struct vfs_fs_type *type, const char *source)
{
	int err = open_volume(v);

	if (err != 0)
		return err;
	err = vfs_fs_init(&v->main.fs, type, &main_ops);
	if (err != 0)
		goto err_close;
	v->main.volume = v;
	port_mutex_init(&v->lock, LOCK_RANK_VIEW_LIST, "views");
	list_init(&v->views);
	list_init(&v->ended);
	strlcpy(v->main.fs.source, source, sizeof v->main.fs.source);
	/* An access time that is written is a change that others' transactions conflict with. */
	v->main.fs.flags = VFS_FS_NO_ATIME | (v->read_only ? VFS_FS_READONLY : 0);
	err = set_root(v);
	if (err != 0)
		goto err_fs;
	return 0;
err_fs:
	port_mutex_fini(&v->lock);
	vfs_fs_fini(&v->main.fs);
err_close:
	if (dbfs_close(v->db) != 0)
		port_log(PORT_LOG_ERROR, "dbfs: %s: close failed", v->device->name);
	return err;
}

/* Takes a reference unless the last one has just gone (it is being closed). */
static bool tryget(struct vfs_fs *fs)
{
	uint32_t refs = atomic_load_explicit(&fs->refs, memory_order_relaxed);

	while (refs != 0) {
		/* acquire: pairs with the release of whoever set the instance up */
		if (atomic_compare_exchange_weak_explicit(&fs->refs, &refs, refs + 1,
							  memory_order_acquire,
							  memory_order_relaxed))
			return true;
	}
	return false;
}

static struct volume *volume_on(struct blkdev *device)
{
	struct volume *v;

	list_for_each_entry (v, &volumes, struct volume, link) {
		if (v->device == device)
			return v;
	}
	return NULL;
}

static int mount_device(const struct vfs_fs_type *type, const struct vfs_mount_args *args,
			struct blkdev *device, struct vfs_fs **out)
{
	struct volume *v = volume_on(device);

	if (v != NULL) {
		*out = &v->main.fs;
		return tryget(&v->main.fs) ? 0 : -VFS_EBUSY;
	}
	v = port_alloc_zeroed(sizeof *v);
	if (v == NULL)
		return -VFS_ENOMEM;
	v->device = device;
	v->read_only = (args->flags & VFS_MS_RDONLY) || device->blk.read_only;
	int err = init_volume(v, type, args->source);

	if (err != 0) {
		port_free(v);
		return err;
	}
	list_add_tail(&volumes, &v->link);
	*out = &v->main.fs;
	return 0;
}

/* "/dev/vda" as a device node, or, at start, "vda" by name. */
static struct blkdev *find_device(const struct vfs_mount_args *args)
{
	if (args->device == NULL)
		return blkdev_find(args->source);
	if (args->device->type != VFS_S_IFBLK)
		return NULL;
	return blkdev_by_minor(vfs_dev_minor(args->device->rdev));
}

static int mount(const struct vfs_fs_type *type, const struct vfs_mount_args *args,
		 struct vfs_fs **out)
{
	struct blkdev *device = find_device(args);

	if (device == NULL)
		return args->device != NULL ? -ENOTBLK : -VFS_ENOENT;
	port_mutex_lock(&volumes_lock);
	int err = mount_device(type, args, device, out);

	port_mutex_unlock(&volumes_lock);
	return err;
}

static struct vfs_fs_type dbfs_type = {
	.name = "dbfs",
	.needs_device = true,
	.mount = mount,
};

void dbfs_init(void)
{
	port_mutex_init(&volumes_lock, LOCK_RANK_FS, "dbfs volumes");
	vfs_fs_register(&dbfs_type);
}
