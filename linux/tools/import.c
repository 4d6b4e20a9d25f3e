/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Import: objects come one after another with a path and are made in the image.
 *
 * Paths are resolved in the image, through symbolic links, as a package manager that unpacks over an existing
 * system does: where /bin is a link to usr/bin, bin/sh lands in usr/bin. The inodes of directories
 * are remembered by path, so that a file costs no walk; whatever could change what a path means (replacing a
 * link or a directory) forgets all of it.
 *
 * For mkfs a transaction holds a batch of inodes and commits unsynced; checkpoints are taken here, as the
 * volume has no threads. For `dbfs cp` all is one transaction.
 *
 * Times of directories are set at the end: each new entry raises them.
 */
#include "tools/import.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_BYTES ((uint64_t)16 << 20)
#define SHOW_EVERY 512
/* Upper bounds of what goes to the log: an object without its names, a block of data (alone in its extent). */
#define LOG_PER_OBJECT 640
#define LOG_PER_BLOCK 96

/* --- Directories by path -------------------------------------------------------------------- */

struct dir_slot {
	char *path;
	uint64_t ino;
};

struct import_dirs {
	struct dir_slot *slot;
	size_t size; /* a power of two */
	size_t used;
};

static uint64_t hash_path(const char *p, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)p[i]) * 0x100000001b3u;
	return h ^ h >> 29;
}

static struct dir_slot *find_slot(const struct import_dirs *d, const char *path, size_t len)
{
	size_t i = hash_path(path, len) & (d->size - 1);

	while (d->slot[i].path != NULL &&
	       (strncmp(d->slot[i].path, path, len) != 0 || d->slot[i].path[len] != '\0'))
		i = (i + 1) & (d->size - 1);
	return &d->slot[i];
}

static struct import_dirs *dirs_create(size_t size)
{
	struct import_dirs *d = tool_alloc(sizeof(*d));

	*d = (struct import_dirs){tool_alloc(size * sizeof(struct dir_slot)), size, 0};
	memset(d->slot, 0, size * sizeof(struct dir_slot));
	return d;
}

static void dirs_destroy(struct import_dirs *d)
{
	for (size_t i = 0; i < d->size; i++)
		free(d->slot[i].path);
	free(d->slot);
	free(d);
}

static void dirs_put(struct import *im, const char *path, size_t len, uint64_t ino)
{
	struct dir_slot *s;

	if (im->dirs->used * 2 >= im->dirs->size) {
		struct import_dirs *d = dirs_create(im->dirs->size * 2);

		for (size_t i = 0; i < im->dirs->size; i++) {
			struct dir_slot *old = &im->dirs->slot[i];

			if (old->path != NULL)
				*find_slot(d, old->path, strlen(old->path)) = *old;
		}
		d->used = im->dirs->used;
		free(im->dirs->slot);
		free(im->dirs);
		im->dirs = d;
	}
	s = find_slot(im->dirs, path, len);
	if (s->path == NULL) {
		s->path = tool_alloc(len + 1);
		memcpy(s->path, path, len);
		s->path[len] = '\0';
		im->dirs->used++;
	}
	s->ino = ino;
}

static void dirs_forget(struct import *im)
{
	dirs_destroy(im->dirs);
	im->dirs = dirs_create(1024);
}

/* --- Times of directories -------------------------------------------------------------------- */

struct dir_times {
	struct dbfs_ino ino;
	struct dbfs_time atime;
	struct dbfs_time mtime;
};

struct import_times {
	struct dir_times *t;
	size_t count;
	size_t room;
};

static void times_add(struct import *im, struct dbfs_ino ino, const struct import_node *n)
{
	struct import_times *l = im->times;

	if (l->count == l->room) {
		l->room = l->room * 2 + 256;
		l->t = realloc(l->t, l->room * sizeof(*l->t));
		if (l->t == NULL) {
			tool_error(NULL, "out of memory");
			exit(TOOL_FAILED);
		}
	}
	l->t[l->count++] = (struct dir_times){ino, n->atime, n->mtime};
}

/* --- Transactions ---------------------------------------------------------------------------- */

static int begin(struct import *im)
{
	const struct dbfs_tx_opts opts = {DBFS_TX_LOCKING, DBFS_NOSYNC, 0};
	int err = dbfs_tx_begin(im->db, &opts, &im->tx);

	im->in_batch = 0;
	im->batch_bytes = 0;
	im->batch_log = 0;
	if (err != 0)
		im->tx = NULL;
	return err == 0 ? TOOL_OK : tool_dbfs_error("begin", err);
}

static int commit(struct import *im)
{
	struct dbfs_stats s;
	int err = dbfs_tx_commit(im->tx);

	im->tx = NULL;
	if (err != 0)
		return tool_dbfs_error("commit", err);
	dbfs_get_stats(im->db, &s);
	if (s.log_bytes > s.log_capacity / 3 || s.version_bytes > (uint64_t)32 << 20) {
		err = dbfs_checkpoint(im->db);
		if (err != 0)
			return tool_dbfs_error("checkpoint", err);
	}
	return TOOL_OK;
}

static void show(struct import *im, bool last)
{
	char text[32];

	if (!im->progress || (!last && im->files - im->shown < SHOW_EVERY && im->files != 0))
		return;
	im->shown = im->files;
	fprintf(stderr, "\r%llu files, %s \033[K%s", (unsigned long long)im->files,
		tool_human(im->bytes, text, sizeof(text)), last ? "\n" : "");
}

static bool batch_is_full(const struct import *im)
{
	return im->in_batch >= im->batch || im->batch_bytes >= BATCH_BYTES ||
	       im->batch_log >= im->log_limit;
}

/* Between two objects. */
static int next_batch(struct import *im)
{
	show(im, false);
	if (im->batch == 0 || !batch_is_full(im))
		return TOOL_OK;
	if (commit(im) != TOOL_OK)
		return TOOL_FAILED;
	return begin(im);
}

void import_init(struct import *im, struct dbfs *db, struct dbfs_tx *tx, unsigned batch)
{
	struct dbfs_stats s;

	*im = (struct import){.db = db, .tx = tx, .top = DBFS_ROOT_INO, .batch = batch};
	dbfs_get_stats(db, &s);
	im->log_limit = s.log_capacity / 16; /* a transaction may take a quarter */
	im->dirs = dirs_create(1024);
	im->times = tool_alloc(sizeof(*im->times));
	*im->times = (struct import_times){0};
	if (posix_memalign((void **)&im->chunk, 4096, IMPORT_CHUNK) != 0) {
		tool_error(NULL, "out of memory");
		exit(TOOL_FAILED);
	}
	if (batch != 0 && begin(im) != TOOL_OK)
		exit(TOOL_FAILED);
}

static void free_all(struct import *im)
{
	dirs_destroy(im->dirs);
	free(im->times->t);
	free(im->times);
	free(im->chunk);
}

int import_finish(struct import *im)
{
	int status = TOOL_OK;

	for (size_t i = 0; i < im->times->count && status == TOOL_OK; i++) {
		struct dir_times *t = &im->times->t[i];
		struct dbfs_attr a = {.atime = t->atime, .mtime = t->mtime};
		int err = dbfs_setattr(im->tx, t->ino, DBFS_SET_ATIME | DBFS_SET_MTIME, &a);

		/* A later source may have replaced it by something else. */
		if (err != 0 && err != -DBFS_ENOENT)
			status = tool_dbfs_error("times of a directory", err);
		im->in_batch++;
		im->batch_log += LOG_PER_OBJECT;
		if (status == TOOL_OK)
			status = next_batch(im);
	}
	show(im, true);
	if (status != TOOL_OK) {
		import_abandon(im);
		return status;
	}
	if (im->batch != 0)
		status = commit(im);
	free_all(im);
	return status;
}

void import_abandon(struct import *im)
{
	if (im->batch != 0 && im->tx != NULL)
		dbfs_tx_rollback(im->tx);
	free_all(im);
}

/* --- Paths ----------------------------------------------------------------------------------- */

/* Length of path without its last component and slashes before it; *last is that component. */
static size_t split(const char *path, struct dbfs_name *last)
{
	size_t end = strlen(path);
	size_t start;

	while (end > 0 && path[end - 1] == '/')
		end--;
	start = end;
	while (start > 0 && path[start - 1] != '/')
		start--;
	*last = (struct dbfs_name){path + start, end - start};
	while (start > 0 && path[start - 1] == '/')
		start--;
	return start;
}

/* The directory at the first len bytes of path (normal form), made if it is missing. */
static int find_dir(struct import *im, const char *path, size_t len, struct dbfs_ino *out)
{
	const struct dbfs_new plain = {.mode = DBFS_S_IFDIR | 0755};
	struct dir_slot *s = find_slot(im->dirs, path, len);
	struct dbfs_ino dir = im->top;
	size_t at = 0;

	if (s->path != NULL) {
		out->n = s->ino;
		return 0;
	}
	while (at < len) {
		size_t end = at;
		struct dbfs_name n;
		struct dbfs_ino found;
		int err;

		while (end < len && path[end] != '/')
			end++;
		n = (struct dbfs_name){path + at, end - at};
		at = end + 1;
		s = find_slot(im->dirs, path, end);
		if (s->path != NULL) {
			dir.n = s->ino;
			continue;
		}
		err = dbfs_lookup(im->tx, dir, n, &found);
		if (err == 0)
			err = tool_follow(im->tx, dir, found, &found);
		else if (err == -DBFS_ENOENT)
			err = dbfs_create(im->tx, dir, n, &plain, &found);
		if (err != 0)
			return err;
		dir = found;
		dirs_put(im, path, end, dir.n);
	}
	*out = dir;
	return 0;
}

/* Copies path without "." and double slashes. NULL: it has a "..". */
static char *normal(const char *path)
{
	char *out = tool_alloc(strlen(path) + 2);
	size_t len = 0;

	while (*path != '\0') {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.') {
			free(out);
			return NULL;
		}
		if (n > 0 && !(n == 1 && path[0] == '.')) {
			if (len > 0)
				out[len++] = '/';
			memcpy(out + len, path, n);
			len += n;
		}
		path += n;
		path += strspn(path, "/");
	}
	out[len] = '\0';
	return out;
}

/* --- Objects --------------------------------------------------------------------------------- */

/* Takes what stands at name out of the way. *keep: it is a directory and so is n: merge. */
static int make_room(struct import *im, struct dbfs_ino dir, struct dbfs_name name,
		     const struct import_node *n, struct dbfs_ino *old, bool *keep)
{
	bool is_dir = (n->mode & DBFS_S_IFMT) == DBFS_S_IFDIR;
	struct dbfs_attr a;
	int err = dbfs_lookup(im->tx, dir, name, old);

	*keep = false;
	if (err != 0)
		return err == -DBFS_ENOENT ? 0 : err;
	err = dbfs_getattr(im->tx, *old, &a);
	if (err != 0)
		return err;
	if ((a.mode & DBFS_S_IFMT) == DBFS_S_IFDIR) {
		*keep = is_dir;
		if (is_dir)
			return 0;
		dirs_forget(im);
		return dbfs_rmdir(im->tx, dir, name, NULL);
	}
	if (is_dir && (a.mode & DBFS_S_IFMT) == DBFS_S_IFLNK) {
		struct dbfs_ino to;

		if (tool_follow(im->tx, dir, *old, &to) == 0 && dbfs_getattr(im->tx, to, &a) == 0 &&
		    (a.mode & DBFS_S_IFMT) == DBFS_S_IFDIR) {
			*keep = true; /* a link to a directory stands for it, and stays */
			return 0;
		}
	}
	if ((a.mode & DBFS_S_IFMT) == DBFS_S_IFLNK)
		dirs_forget(im);
	return dbfs_unlink(im->tx, dir, name, NULL);
}

static int set_owner_and_mode(struct import *im, struct dbfs_ino ino, const struct import_node *n)
{
	struct dbfs_attr a = {.mode = n->mode & 07777, .uid = n->uid, .gid = n->gid};

	return dbfs_setattr(im->tx, ino, DBFS_SET_MODE | DBFS_SET_UID | DBFS_SET_GID, &a);
}

static int make_at(struct import *im, const char *path, const struct import_node *n,
		   struct dbfs_ino *out)
{
	struct dbfs_new what = {n->mode,
				n->uid,
				n->gid,
				n->rdev_major,
				n->rdev_minor,
				n->target,
				n->target == NULL ? 0 : strlen(n->target)};
	struct dbfs_name last;
	struct dbfs_ino dir;
	struct dbfs_attr a;
	bool keep;
	size_t len = split(path, &last);
	int err;

	if (last.len == 0) { /* the top itself */
		if ((n->mode & DBFS_S_IFMT) != DBFS_S_IFDIR)
			return -DBFS_EISDIR;
		*out = im->top;
		return set_owner_and_mode(im, im->top, n);
	}
	err = find_dir(im, path, len, &dir);
	if (err == 0)
		err = make_room(im, dir, last, n, out, &keep);
	if (err != 0)
		return err;
	if (!keep) {
		err = dbfs_create(im->tx, dir, last, &what, out);
		/* A set-group-ID directory in the image passes its group on; the source decides. */
		if (err == 0)
			err = dbfs_getattr(im->tx, *out, &a);
		if (err == 0 && (a.gid != n->gid || ((a.mode ^ n->mode) & DBFS_S_ISGID) != 0) &&
		    (n->mode & DBFS_S_IFMT) != DBFS_S_IFLNK)
			err = set_owner_and_mode(im, *out, n);
		return err;
	}
	err = dbfs_getattr(im->tx, *out, &a);
	if (err == 0 && (a.mode & DBFS_S_IFMT) == DBFS_S_IFDIR)
		err = set_owner_and_mode(im, *out, n);
	return err;
}

static char *checked(const char *path)
{
	char *p = normal(path);

	if (p == NULL)
		tool_error(path, "a path with \"..\" is refused");
	return p;
}

int import_make(struct import *im, const char *path, const struct import_node *n,
		struct dbfs_ino *out)
{
	char *p;
	int err;

	if (next_batch(im) != TOOL_OK)
		return TOOL_FAILED;
	p = checked(path);
	if (p == NULL)
		return TOOL_FAILED;
	err = make_at(im, p, n, out);
	free(p);
	im->files++;
	im->in_batch++;
	im->batch_log += LOG_PER_OBJECT + strlen(path);
	return err == 0 ? TOOL_OK : tool_dbfs_error(path, err);
}

int import_link(struct import *im, const char *path, struct dbfs_ino ino)
{
	const struct import_node any = {.mode = DBFS_S_IFREG};
	struct dbfs_name last;
	struct dbfs_ino dir;
	struct dbfs_ino old = {0};
	bool keep;
	char *p;
	size_t len;
	int err;

	if (next_batch(im) != TOOL_OK)
		return TOOL_FAILED;
	p = checked(path);
	if (p == NULL)
		return TOOL_FAILED;
	len = split(p, &last);
	err = find_dir(im, p, len, &dir);
	if (err == 0 && dbfs_lookup(im->tx, dir, last, &old) == 0 && old.n == ino.n)
		goto out; /* is that name already */
	if (err == 0)
		err = make_room(im, dir, last, &any, &old, &keep);
	if (err == 0)
		err = dbfs_link(im->tx, ino, dir, last);
out:
	free(p);
	im->files++;
	im->in_batch++;
	im->batch_log += LOG_PER_OBJECT + strlen(path);
	return err == 0 ? TOOL_OK : tool_dbfs_error(path, err);
}

int import_find(struct import *im, const char *path, struct dbfs_ino *out)
{
	struct dbfs_name last;
	struct dbfs_ino dir;
	char *p = checked(path);
	size_t len;
	int err;

	if (p == NULL)
		return TOOL_FAILED;
	len = split(p, &last);
	err = find_dir(im, p, len, &dir);
	if (err == 0)
		err = dbfs_lookup(im->tx, dir, last, out);
	free(p);
	return err == 0 ? TOOL_OK : tool_dbfs_error(path, err);
}

int import_data(struct import *im, const char *path, struct dbfs_ino ino, uint64_t off,
		const void *data, size_t len)
{
	int err = dbfs_write(im->tx, ino, off, data, len);

	if (err != 0)
		return tool_dbfs_error(path, err);
	im->bytes += len;
	im->batch_bytes += len;
	im->batch_log += (len / DBFS_BLOCK_SIZE + 1) * LOG_PER_BLOCK;
	if (off + len <= DBFS_BLOCK_SIZE)
		im->batch_log += len; /* perhaps kept in the tree */
	/* A large file spans transactions: nobody can look while the image is being made. */
	return next_batch(im);
}

int import_xattr(struct import *im, const char *path, struct dbfs_ino ino, const char *name,
		 const void *value, size_t len)
{
	int err = dbfs_setxattr(im->tx, ino, (struct dbfs_name){name, strlen(name)},
				(struct dbfs_value){value, len}, 0);

	im->batch_log += LOG_PER_OBJECT + len;
	return err == 0 ? TOOL_OK : tool_error(path, "%s: %s", name, dbfs_strerror(err));
}

int import_done(struct import *im, const char *path, struct dbfs_ino ino,
		const struct import_node *n)
{
	struct dbfs_attr a = {.atime = n->atime, .mtime = n->mtime, .size = n->size};
	unsigned mask = DBFS_SET_ATIME | DBFS_SET_MTIME;
	struct dbfs_attr now;
	int err = dbfs_getattr(im->tx, ino, &now);

	if (err == 0 && (now.mode & DBFS_S_IFMT) != (n->mode & DBFS_S_IFMT))
		return TOOL_OK; /* a link to a directory that stayed */
	if ((n->mode & DBFS_S_IFMT) == DBFS_S_IFDIR) {
		times_add(im, ino, n);
		return TOOL_OK;
	}
	if (err == 0 && (n->mode & DBFS_S_IFMT) == DBFS_S_IFREG && now.size != n->size)
		mask |= DBFS_SET_SIZE;
	if (err == 0)
		err = dbfs_setattr(im->tx, ino, mask, &a);
	return err == 0 ? TOOL_OK : tool_dbfs_error(path, err);
}
