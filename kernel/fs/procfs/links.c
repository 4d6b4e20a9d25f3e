/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Links to places: cwd, root, exe, and descriptors. */
#include "fs/procfs/procfs.h"

#include "lib/errno.h"
#include "lib/string.h"
#include "port/mem.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"

int follow_cwd(const struct target *t, struct path *out)
{
	if (t->fs == NULL)
		return -ENOENT;
	fs_context_cwd(t->fs, out);
	return 0;
}

int follow_root(const struct target *t, struct path *out)
{
	if (t->fs == NULL)
		return -ENOENT;
	fs_context_root(t->fs, out);
	return 0;
}

int follow_exe(const struct target *t, struct path *out)
{
	if (t->exe == NULL)
		return -ENOENT;
	*out = t->exe->path;
	path_get(out);
	return 0;
}

int fd_follow(const struct target *t, int fd, struct path *out)
{
	struct file *f = t->fds != NULL ? fdtable_file(t->fds, fd) : NULL;

	if (f == NULL)
		return -ENOENT;
	int err = f->path.vn != NULL ? 0 : -ENXIO; /* a pipe has no place to be opened again at */

	if (err == 0) {
		*out = f->path;
		path_get(out);
	}
	file_put(f);
	return err;
}

/* As the reader's root shows it. */
static int path_text(const struct path *p, struct text *out)
{
	struct path root;
	char *name;
	char *buf = port_alloc(VFS_PATH_MAX);

	if (buf == NULL)
		return -ENOMEM;
	fs_context_root(current_task()->fs, &root);
	int err = vfs_path_name(p, &root, NULL, buf, VFS_PATH_MAX, &name);

	if (err == 0)
		text_add(out, name, strlen(name));
	path_put(&root);
	port_free(buf);
	return err;
}

static int file_text(struct file *f, struct text *out)
{
	struct path root;
	char *name;
	char *buf;

	if (f->path.mnt == NULL && f->kind != NULL) {
		bool numbered = strchr(f->kind, '%') != NULL; /* "pipe:[%llu]" */

		text_add(out, f->kind,
			 numbered ? (size_t)(strchr(f->kind, '%') - f->kind) : strlen(f->kind));
		if (numbered)
			text_printf(out, "%llu]", (unsigned long long)f->kind_ino);
		return 0;
	}
	buf = port_alloc(VFS_PATH_MAX);

	if (buf == NULL)
		return -ENOMEM;
	fs_context_root(current_task()->fs, &root);
	int err = file_name(f, &root, buf, VFS_PATH_MAX, &name);

	if (err == 0)
		text_add(out, name, strlen(name));
	path_put(&root);
	port_free(buf);
	return err;
}

int fd_link(const struct target *t, int fd, struct text *out)
{
	int err = target_may_look(t);
	struct file *f = err == 0 && t->fds != NULL ? fdtable_file(t->fds, fd) : NULL;

	if (f == NULL)
		return err != 0 ? err : -ENOENT;
	err = file_text(f, out);
	file_put(f);
	return err;
}

int link_text(const struct target *t, const struct entry *e, struct text *out)
{
	struct path p;
	int err = target_may_look(t);

	if (err != 0)
		return err;
	if (e->follow == follow_exe) /* by the name it was started by */
		return t->exe != NULL ? file_text(t->exe, out) : -ENOENT;
	err = e->follow(t, &p);
	if (err != 0)
		return err;
	err = path_text(&p, out);
	path_put(&p);
	return err;
}
