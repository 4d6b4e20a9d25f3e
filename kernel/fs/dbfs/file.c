/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Regular files: pages in, bytes out. */
#include "fs/dbfs/glue.h"

#include "lib/string.h"
#include "mm/page.h"
#include "port/mem.h"
#include "vfs/errors.h"

/* Read-ahead goes through a buffer of this many pages, so that one extent is one request. */
#define READ_PAGES 16u

/* [off, off + len) of the file at vn, with zeros after its end. */
static int read_padded(struct op *op, struct vnode *vn, uint64_t off, void *buf, size_t len)
{
	size_t done;
	int err = dbfs_read(op->tx, ino_of(vn), off, buf, len, &done);

	if (err == 0 && done < len)
		memset((char *)buf + done, 0, len - done);
	return err;
}

static int read_one_by_one(struct op *op, struct vnode *vn, uint64_t index, struct page **pages,
			   unsigned n)
{
	int err = 0;

	for (unsigned i = 0; i < n && err == 0; i++)
		err = read_padded(op, vn, (index + i) * MM_PAGE_SIZE, mm_page_data(pages[i]),
				  MM_PAGE_SIZE);
	return err;
}

static int read_run(struct op *op, struct vnode *vn, uint64_t index, struct page **pages,
		    unsigned n)
{
	char *buf = n > 1 ? port_alloc_pages(n) : NULL;

	if (buf == NULL)
		return read_one_by_one(op, vn, index, pages, n);
	int err = read_padded(op, vn, index * MM_PAGE_SIZE, buf, n * MM_PAGE_SIZE);

	for (unsigned i = 0; i < n && err == 0; i++)
		memcpy(mm_page_data(pages[i]), buf + i * MM_PAGE_SIZE, MM_PAGE_SIZE);
	port_free_pages(buf, n);
	return err;
}

int dbfs_vn_readpages(struct vnode *vn, uint64_t index, struct page **pages, unsigned n)
{
	struct op op;
	int err = op_begin(&op, instance_of(vn), false);

	if (err != 0)
		return err;
	for (unsigned i = 0; i < n && err == 0; i += READ_PAGES)
		err = read_run(&op, vn, index + i, pages + i, MIN(n - i, READ_PAGES));
	return op_end(&op, err);
}

int dbfs_vn_write(struct vnode *vn, uint64_t off, const void *buf, size_t len)
{
	struct op op;
	int err = op_begin(&op, instance_of(vn), true);

	if (err != 0)
		return err;
	err = view_note(op.in, vn->ino, CHANGE_ATTR | CHANGE_DATA);
	if (err == 0)
		err = dbfs_write(op.tx, ino_of(vn), off, buf, len);
	return op_end(&op, err);
}

int dbfs_vn_writepage(struct vnode *vn, uint64_t index, const void *data, size_t len)
{
	return dbfs_vn_write(vn, index * MM_PAGE_SIZE, data, len);
}

/* In a view durability is the commit's business. */
int dbfs_vn_fsync(struct vnode *vn, bool data_only)
{
	struct instance *in = instance_of(vn);

	(void)data_only; /* the log is flushed as a whole */
	return in->view != NULL ? 0 : dbfs_errno(dbfs_sync(in->volume->db));
}

int dbfs_vn_fallocate(struct vnode *vn, unsigned mode, uint64_t off, uint64_t len)
{
	struct op op;
	int err = op_begin(&op, instance_of(vn), true);

	if (err != 0)
		return err;
	err = view_note(op.in, vn->ino, CHANGE_ATTR | CHANGE_DATA);
	if (err == 0)
		err = dbfs_fallocate(op.tx, ino_of(vn), mode, off, len);
	return op_end(&op, err);
}

int dbfs_vn_seek(struct vnode *vn, uint64_t off, bool hole, uint64_t *out)
{
	struct op op;
	int err = op_begin(&op, instance_of(vn), false);

	if (err != 0)
		return err;
	return op_end(&op, dbfs_seek(op.tx, ino_of(vn), off, hole, out));
}

/*
 * Holds first and looks then: an unlink that committed before the hold is seen, one that comes after it
 * leaves an orphan (GLUE-2).
 */
int dbfs_vn_open(struct vnode *vn, struct file *f)
{
	struct instance *in = instance_of(vn);
	struct dbfs_attr attr;
	struct op op;

	(void)f;
	int err = dbfs_errno(dbfs_hold(in->volume->db, ino_of(vn)));

	if (err != 0)
		return err;
	err = op_begin(&op, in, false);
	if (err == 0)
		err = op_end(&op, dbfs_getattr(op.tx, ino_of(vn), &attr));
	if (err != 0)
		dbfs_release(in->volume->db, ino_of(vn));
	return err;
}

void dbfs_vn_release(struct vnode *vn, struct file *f)
{
	(void)f;
	dbfs_release(instance_of(vn)->volume->db, ino_of(vn));
}
