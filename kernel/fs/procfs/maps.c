/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* /proc/PID/maps: the regions of an address space, copied under its lock one at a time. */
#include "fs/procfs/procfs.h"

#include "port/mem.h"
#include "vfs/file.h"
#include "vm/space.h"

struct region_view {
	uint64_t start, end, offset;
	uint32_t prot, flags;
	struct file *file; /* a reference */
};

/* The first region that ends above addr. False: there is none. */
static bool next_region(struct vm_space *mm, uint64_t addr, struct region_view *out)
{
	mutex_lock(&mm->lock);
	const struct vm_region *r = vm_find_locked(mm, addr);

	if (r != NULL) {
		*out = (struct region_view){
			.start = r->start,
			.end = r->end,
			.offset = r->file != NULL ? r->pgoff * PAGE_SIZE : 0,
			.prot = r->prot,
			.flags = r->flags,
			.file = r->file != NULL ? file_get(r->file) : NULL,
		};
	}
	mutex_unlock(&mm->lock);
	return r != NULL;
}

static const char *special_name(uint32_t flags)
{
	if (flags & VM_STACK)
		return "[stack]";
	if (flags & VM_HEAP)
		return "[heap]";
	if (flags & VM_VVAR)
		return "[vvar]";
	if (flags & VM_VDSO)
		return "[vdso]";
	return NULL;
}

static void show_name(const struct region_view *r, const struct path *root, struct text *out)
{
	const char *special = special_name(r->flags);
	char *buf = r->file != NULL ? port_alloc(VFS_PATH_MAX) : NULL;
	char *name;

	if (buf != NULL && file_name(r->file, root, buf, VFS_PATH_MAX, &name) == 0) {
		text_printf(out, "%26s", "");
		text_add(out, name, (size_t)(buf + VFS_PATH_MAX - 1 - name));
	} else if (special != NULL) {
		text_printf(out, "%26s%s", "", special);
	}
	port_free(buf);
}

static void show_region(const struct region_view *r, const struct path *root, struct text *out)
{
	struct vnode *vn = r->file != NULL ? r->file->path.vn : NULL;
	uint32_t dev = vn != NULL ? vn->fs->dev : 0;

	text_printf(out, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu",
		    (unsigned long long)r->start, (unsigned long long)r->end,
		    r->prot & VM_READ ? 'r' : '-', r->prot & VM_WRITE ? 'w' : '-',
		    r->prot & VM_EXEC ? 'x' : '-', r->flags & VM_SHARED ? 's' : 'p',
		    (unsigned long long)r->offset, vfs_dev_major(dev), vfs_dev_minor(dev),
		    vn != NULL ? (unsigned long long)vn->ino : 0ull);
	show_name(r, root, out);
	text_printf(out, "\n");
}

int show_maps(const struct target *t, struct text *out)
{
	struct region_view r;
	struct path root;
	int err = target_may_look(t);

	if (err != 0 || t->mm == NULL || t->fs == NULL)
		return err;
	fs_context_root(t->fs, &root);
	for (uint64_t addr = 0; out->err == 0 && next_region(t->mm, addr, &r); addr = r.end) {
		show_region(&r, &root, out);
		file_put(r.file);
	}
	path_put(&root);
	return 0;
}
