/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Import of a tar, through libarchive: any compression, GNU and pax extensions, sparse files. */
#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

#include "tools/import.h"

#define READ_BLOCK ((size_t)1 << 20)

struct tar {
	struct import *im;
	struct archive *a;
	const char *source;
	/* Data waits in im->chunk for more that follows it. */
	uint64_t off;
	size_t len;
};

static int fail(const struct tar *t)
{
	const char *text = archive_error_string(t->a);

	return tool_error(t->source, "%s", text == NULL ? "cannot be read" : text);
}

static int write_out(struct tar *t, const char *path, struct dbfs_ino ino)
{
	int status =
		t->len == 0 ? TOOL_OK : import_data(t->im, path, ino, t->off, t->im->chunk, t->len);

	t->off += t->len;
	t->len = 0;
	return status;
}

/* Collects pieces that follow each other into large writes. */
static int add_piece(struct tar *t, const char *path, struct dbfs_ino ino, const uint8_t *p,
		     size_t len, uint64_t off)
{
	int status = TOOL_OK;

	if (off != t->off + t->len) {
		status = write_out(t, path, ino);
		t->off = off;
	}
	while (status == TOOL_OK && len > 0) {
		size_t n = MIN(len, IMPORT_CHUNK - t->len);

		memcpy(t->im->chunk + t->len, p, n);
		t->len += n;
		p += n;
		len -= n;
		if (t->len == IMPORT_CHUNK)
			status = write_out(t, path, ino);
	}
	return status;
}

static int copy_contents(struct tar *t, const char *path, struct dbfs_ino ino)
{
	t->off = 0;
	t->len = 0;
	for (;;) {
		const void *p;
		size_t len;
		la_int64_t off;
		int r = archive_read_data_block(t->a, &p, &len, &off);

		if (r == ARCHIVE_EOF)
			return write_out(t, path, ino);
		if (r != ARCHIVE_OK)
			return fail(t);
		if (off < 0)
			return tool_error(path, "impossible offset in the archive");
		if (add_piece(t, path, ino, p, len, (uint64_t)off) != TOOL_OK)
			return TOOL_FAILED;
	}
}

static int copy_xattrs(struct tar *t, struct archive_entry *e, struct dbfs_ino ino)
{
	const char *path = archive_entry_pathname(e);
	const char *name;
	const void *value;
	size_t len;

	archive_entry_xattr_reset(e);
	while (archive_entry_xattr_next(e, &name, &value, &len) == ARCHIVE_OK) {
		if (import_xattr(t->im, path, ino, name, value, len) != TOOL_OK)
			return TOOL_FAILED;
	}
	return TOOL_OK;
}

static int copy_entry(struct tar *t, struct archive_entry *e)
{
	const char *path = archive_entry_pathname(e);
	const char *link = archive_entry_hardlink(e);
	struct import_node n = {
		.mode = archive_entry_mode(e),
		.uid = (uint32_t)archive_entry_uid(e),
		.gid = (uint32_t)archive_entry_gid(e),
		.rdev_major = (uint32_t)archive_entry_rdevmajor(e),
		.rdev_minor = (uint32_t)archive_entry_rdevminor(e),
		.size = (uint64_t)archive_entry_size(e),
		.atime = {archive_entry_atime(e), (uint32_t)archive_entry_atime_nsec(e)},
		.mtime = {archive_entry_mtime(e), (uint32_t)archive_entry_mtime_nsec(e)},
		.target = archive_entry_symlink(e),
	};
	struct dbfs_ino ino;
	int status;

	if (path == NULL)
		return tool_error(t->source, "an entry without a name");
	if (link != NULL) {
		status = import_find(t->im, link, &ino);
		return status == TOOL_OK ? import_link(t->im, path, ino) : status;
	}
	if (archive_entry_size(e) < 0)
		return tool_error(path, "impossible size in the archive");
	if (!archive_entry_atime_is_set(e))
		n.atime = n.mtime;
	status = import_make(t->im, path, &n, &ino);
	if (status == TOOL_OK && (n.mode & DBFS_S_IFMT) == DBFS_S_IFREG && n.size > 0)
		status = copy_contents(t, path, ino);
	if (status == TOOL_OK)
		status = copy_xattrs(t, e, ino);
	return status == TOOL_OK ? import_done(t->im, path, ino, &n) : status;
}

int import_tar(struct import *im, const char *source)
{
	struct tar t = {.im = im, .a = archive_read_new(), .source = source};
	struct archive_entry *e;
	int status = TOOL_OK;
	int r;

	if (t.a == NULL)
		return tool_error(source, "out of memory");
	archive_read_support_filter_all(t.a);
	archive_read_support_format_tar(t.a);
	archive_read_support_format_gnutar(t.a);
	archive_read_support_format_empty(t.a);
	if (archive_read_open_filename(t.a, strcmp(source, "-") == 0 ? NULL : source, READ_BLOCK) !=
	    ARCHIVE_OK)
		status = fail(&t);
	while (status == TOOL_OK) {
		r = archive_read_next_header(t.a, &e);
		if (r == ARCHIVE_EOF)
			break;
		status = r == ARCHIVE_OK || r == ARCHIVE_WARN ? copy_entry(&t, e) : fail(&t);
	}
	archive_read_free(t.a);
	return status;
}
