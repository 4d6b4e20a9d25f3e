/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* A new image is made under a name of its own and renamed when it is durable, directory included. */
#include "kvfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "port/posix.h"

/* Gives a name beside path that nobody uses, and an empty file under it. The caller frees it. NULL: errno. */
static char *name_beside(const char *path)
{
	size_t room = strlen(path) + 8;
	char *name = malloc(room);
	int fd;

	if (!name)
		return NULL;
	snprintf(name, room, "%s.XXXXXX", path);
	fd = mkstemp(name);
	if (fd < 0) {
		free(name);
		return NULL;
	}
	close(fd);
	return name;
}

static int sync_dir_of(const char *path)
{
	char *copy = strdup(path);
	int err = 0;
	int fd;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		err = -errno;
	if (fd >= 0)
		close(fd);
	free(copy);
	return err;
}

/* Takes the finished image at from (freed) to its place. */
static int move_in(char *from, const char *path, int err)
{
	if (!err && rename(from, path))
		err = -errno;
	if (err)
		unlink(from);
	else
		err = sync_dir_of(path);
	free(from);
	return err;
}

static int make(const char *path, uint64_t size)
{
	static const struct dbfs_format_opts fmt = {0};
	struct port_blk *dev;
	char *temp = name_beside(path);
	int err;

	if (!temp)
		return -errno;
	err = port_posix_blk_create(
		temp, (size + DBFS_BLOCK_SIZE - 1) / DBFS_BLOCK_SIZE * DBFS_BLOCK_SIZE, &dev);
	if (!err) {
		err = dbfs_format(dev, &fmt);
		dev->ops->close(dev);
	}
	/* Not over an image that somebody else made meanwhile. */
	if (!err && link(temp, path) && errno != EEXIST)
		err = -errno;
	unlink(temp);
	free(temp);
	return err ? err : sync_dir_of(path);
}

int dbfs_kv_file_open(const char *path, uint64_t size, const struct dbfs_open_opts *opts,
		      struct dbfs **out)
{
	static const struct dbfs_open_opts defaults = {0};
	struct port_blk *dev;
	unsigned flags;
	int err;

	if (!opts)
		opts = &defaults;
	flags = opts->read_only ? PORT_POSIX_RDONLY : 0;
	err = port_posix_blk_open(path, flags, &dev);
	if (err == -ENOENT && size && !opts->read_only) {
		err = make(path, size);
		if (!err)
			err = port_posix_blk_open(path, flags, &dev);
	}
	if (err)
		return err;
	err = dbfs_open(dev, opts, out);
	if (err)
		dev->ops->close(dev);
	return err;
}

static int copy_to_temp(struct dbfs *db, const char *path, char **temp, uint64_t *size)
{
	struct port_blk *dev;
	int err = dbfs_kv_copy_size(db, size);

	if (err)
		return err;
	*temp = name_beside(path);
	if (!*temp)
		return -errno;
	err = port_posix_blk_create(*temp, *size, &dev);
	return err ? err : dbfs_kv_copy(db, dev);
}

int dbfs_kv_file_copy(struct dbfs *db, const char *path)
{
	char *temp = NULL;
	uint64_t size;
	int err = copy_to_temp(db, path, &temp, &size);

	return temp ? move_in(temp, path, err) : err;
}

int dbfs_kv_file_compact(const char *path, uint64_t *before, uint64_t *after)
{
	struct dbfs_stats st;
	struct dbfs *db;
	char *temp = NULL;
	uint64_t size = 0;
	int close_err;
	int err = dbfs_kv_file_open(path, 0, NULL, &db);

	if (err)
		return err;
	dbfs_get_stats(db, &st);
	err = copy_to_temp(db, path, &temp, &size);
	if (temp)
		err = move_in(temp, path, err);
	/* The old image, now nameless if all went well. */
	close_err = dbfs_close(db);
	if (!err)
		err = close_err;
	if (!err && before)
		*before = st.total_blocks * DBFS_BLOCK_SIZE;
	if (!err && after)
		*after = size;
	return err;
}
