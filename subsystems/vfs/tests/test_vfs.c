/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The VFS core on a toy file system: walks, names, data and pages, mounts, descriptors, locks, terminals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mm/mm_init.h"
#include "mm/slab.h"
#include "toyfs.h"
#include "vfs/errors.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vfs/ldisc.h"
#include "vfs/lock.h"
#include "vfs/mount.h"
#include "vfs/ops.h"

#define PAGES 2048u
#define PAGE 4096u

static struct mnt_ns *ns;
static struct fs_context *fc;
static const struct vfs_cred root_cred = {.caps = VFS_CAPS_ALL};
static const struct vfs_cred user_cred = {.uid = 1000, .gid = 1000};
static struct vfs_walk_from as_root;
static struct vfs_walk_from as_user;

void mm_platform_lock_error(void)
{
	fail_msg("a spinlock was taken twice");
}

void *mm_platform_vmalloc(size_t size)
{
	(void)size;
	return NULL;
}

void mm_platform_vfree(void *p)
{
	(void)p;
}

bool mm_platform_is_vmalloc(const void *p)
{
	(void)p;
	return false;
}

size_t mm_platform_vmalloc_size(const void *p)
{
	(void)p;
	return 0;
}

void mm_platform_wake_reclaim(void)
{
}

bool mm_platform_may_reclaim(void)
{
	return true;
}

static void start(void)
{
	static struct page map[PAGES];
	uint8_t *mem = aligned_alloc((size_t)4 << 20, (size_t)PAGES * PAGE);

	assert_non_null(mem);
	mm_init(0x80000000, mem, map, PAGES);
	mm_slab_init();
	mm_add_free(0x80000000, PAGES);
	mm_set_marks();
	assert_int_equal(vfs_init(), 0);
	vfs_fs_register(&toyfs_type);
}

static int setup(void **state)
{
	static bool started;
	struct vfs_mount_args args = {.source = "", .data = "", .cred = &root_cred};
	struct vfs_fs *fs;

	(void)state;
	if (!started)
		start();
	started = true;
	assert_int_equal(toyfs_type.mount(&toyfs_type, &args, &fs), 0);
	assert_int_equal(mnt_ns_create(fs, 0, &ns), 0);
	fc = fs_context_create(ns);
	assert_non_null(fc);
	as_root = (struct vfs_walk_from){fc, NULL, &root_cred};
	as_user = (struct vfs_walk_from){fc, NULL, &user_cred};
	toyfs_unmounts = 0;
	return 0;
}

/* Everything is given back: the last mount takes the instance along (FS-3 asserts no vnode is left). */
static int teardown(void **state)
{
	(void)state;
	fs_context_put(fc);
	mnt_ns_put(ns);
	return toyfs_unmounts ? 0 : -1;
}

static void write_file(const char *name, const char *text)
{
	struct vfs_iter it;
	struct file *f;

	assert_int_equal(vfs_open(&as_root, name, VFS_O_RDWR | VFS_O_CREAT | VFS_O_TRUNC, 0644, &f),
			 0);
	vfs_iter_from(&it, text, strlen(text));
	assert_int_equal(file_write(f, &it, &root_cred, UINT64_MAX), strlen(text));
	file_put(f);
}

static void expect_file(const char *name, const char *text)
{
	char buf[256] = "";
	struct vfs_iter it;
	struct file *f;

	assert_int_equal(vfs_open(&as_root, name, VFS_O_RDONLY, 0, &f), 0);
	vfs_iter_to(&it, buf, sizeof(buf) - 1);
	assert_int_equal(file_read(f, &it), strlen(text));
	assert_string_equal(buf, text);
	file_put(f);
}

static int walk(const char *name, unsigned flags)
{
	struct path p;
	int err = vfs_walk(&as_root, name, flags, &p);

	if (!err)
		path_put(&p);
	return err;
}

static int open_err(const char *name, unsigned flags)
{
	struct file *f;
	int err = vfs_open(&as_root, name, flags, 0644, &f);

	if (!err)
		file_put(f);
	return err;
}

static void test_walk(void **state)
{
	char longname[300];
	static char longpath[5000];

	(void)state;
	memset(longname, 'a', sizeof(longname) - 1);
	longname[299] = 0;
	memset(longpath, '/', sizeof(longpath) - 1);
	assert_int_equal(vfs_mkdir(&as_root, "/d", 0755), 0);
	assert_int_equal(vfs_mkdir(&as_root, "/d/e/", 0755), 0);
	write_file("/d/f", "x");
	assert_int_equal(vfs_symlink(&as_root, "/l", "d/e"), 0);
	assert_int_equal(vfs_symlink(&as_root, "/loop", "loop"), 0);
	assert_int_equal(vfs_symlink(&as_root, "/lf", "/d/f"), 0);
	assert_int_equal(vfs_symlink(&as_root, "/dangling", "nowhere"), 0);
	assert_int_equal(walk("", 0), -VFS_ENOENT);
	assert_int_equal(walk("/../..//./d/../d/e/.", VFS_DIRECTORY), 0);
	assert_int_equal(walk("/d/f/", 0), -VFS_ENOTDIR);
	assert_int_equal(walk("/d/f/x", 0), -VFS_ENOTDIR);
	assert_int_equal(walk("/d/f/..", 0), -VFS_ENOTDIR);
	assert_int_equal(walk("/nix/..", 0), -VFS_ENOENT);
	assert_int_equal(walk("/l/../f", 0), 0);
	assert_int_equal(walk("/l/", VFS_DIRECTORY), 0);
	assert_int_equal(walk("/l", VFS_DIRECTORY), -VFS_ENOTDIR);
	assert_int_equal(walk("/loop", VFS_FOLLOW), -VFS_ELOOP);
	assert_int_equal(walk("/loop", 0), 0);
	assert_int_equal(walk("/lf/", 0), -VFS_ENOTDIR);
	assert_int_equal(walk(longname, 0), -VFS_ENAMETOOLONG);
	assert_int_equal(walk(longpath, 0), -VFS_ENAMETOOLONG);
	assert_int_equal(open_err("/d", VFS_O_WRONLY), -VFS_EISDIR);
	assert_int_equal(open_err("/d", VFS_O_RDONLY | VFS_O_CREAT), -VFS_EISDIR);
	assert_int_equal(open_err("/d/f", VFS_O_RDONLY | VFS_O_DIRECTORY), -VFS_ENOTDIR);
	assert_int_equal(open_err("/lf", VFS_O_RDONLY | VFS_O_NOFOLLOW), -VFS_ELOOP);
	assert_int_equal(open_err("/d/f", VFS_O_WRONLY | VFS_O_CREAT | VFS_O_EXCL), -VFS_EEXIST);
	assert_int_equal(open_err("/dangling", VFS_O_WRONLY | VFS_O_CREAT | VFS_O_EXCL),
			 -VFS_EEXIST);
	assert_int_equal(open_err("/dangling", VFS_O_WRONLY | VFS_O_CREAT), 0);
	assert_int_equal(walk("/nowhere", 0), 0);
	assert_int_equal(open_err("/new/", VFS_O_WRONLY | VFS_O_CREAT), -VFS_EISDIR);
}

static void test_names(void **state)
{
	struct path p;

	(void)state;
	assert_int_equal(vfs_mkdir(&as_root, "/a", 0755), 0);
	assert_int_equal(vfs_mkdir(&as_root, "/a/b", 0755), 0);
	assert_int_equal(vfs_mkdir(&as_root, "/c", 0777), 0);
	write_file("/a/f", "one");
	assert_int_equal(vfs_mkdir(&as_root, "/a", 0755), -VFS_EEXIST);
	assert_int_equal(vfs_mkdir(&as_root, "/", 0755), -VFS_EEXIST);
	assert_int_equal(vfs_rmdir(&as_root, "/a"), -VFS_ENOTEMPTY);
	assert_int_equal(vfs_rmdir(&as_root, "/a/."), -VFS_EINVAL);
	assert_int_equal(vfs_rmdir(&as_root, "/a/f"), -VFS_ENOTDIR);
	assert_int_equal(vfs_unlink(&as_root, "/a"), -VFS_EISDIR);
	assert_int_equal(vfs_unlink(&as_root, "/a/f/"), -VFS_ENOTDIR);
	assert_int_equal(vfs_unlink(&as_user, "/a/f"), -VFS_EACCES);
	assert_int_equal(vfs_walk(&as_root, "/a/f", 0, &p), 0);
	assert_int_equal(vfs_link(&p, &as_root, "/c/g"), 0);
	assert_int_equal(vfs_link(&p, &as_root, "/c/g"), -VFS_EEXIST);
	path_put(&p);
	assert_int_equal(vfs_unlink(&as_root, "/a/f"), 0);
	expect_file("/c/g", "one");
	assert_int_equal(vfs_rename(&as_root, "/a", &as_root, "/a/b/x", 0), -VFS_EINVAL);
	assert_int_equal(vfs_rename(&as_root, "/a/b", &as_root, "/a", 0), -VFS_ENOTEMPTY);
	assert_int_equal(vfs_rename(&as_root, "/c/g", &as_root, "/a", 0), -VFS_EISDIR);
	assert_int_equal(vfs_rename(&as_root, "/a", &as_root, "/c/g", 0), -VFS_ENOTDIR);
	assert_int_equal(vfs_rename(&as_root, "/c/g", &as_root, "/a/h", 0), 0);
	assert_int_equal(walk("/c/g", 0), -VFS_ENOENT);
	write_file("/c/g", "two");
	assert_int_equal(vfs_rename(&as_root, "/c/g", &as_root, "/a/h", VFS_RENAME_NOREPLACE),
			 -VFS_EEXIST);
	assert_int_equal(vfs_rename(&as_root, "/c/g", &as_root, "/a/h", VFS_RENAME_EXCHANGE), 0);
	expect_file("/c/g", "one");
	expect_file("/a/h", "two");
	assert_int_equal(vfs_rename(&as_root, "/a/b", &as_root, "/c/b", 0), 0);
	assert_int_equal(walk("/c/b/../g", 0), 0); /* ".." follows the move */
	assert_int_equal(vfs_rename(&as_root, "/c/g", &as_root, "/a/h", 0), 0);
	expect_file("/a/h", "one");
}

static void test_open_unlinked(void **state)
{
	struct file *f;
	char buf[8] = "";
	struct vfs_iter it;

	(void)state;
	write_file("/f", "still");
	assert_int_equal(vfs_open(&as_root, "/f", VFS_O_RDONLY, 0, &f), 0);
	assert_int_equal(vfs_unlink(&as_root, "/f"), 0);
	assert_int_equal(walk("/f", 0), -VFS_ENOENT);
	vfs_iter_to(&it, buf, 7);
	assert_int_equal(file_read(f, &it), 5);
	assert_string_equal(buf, "still");
	file_put(f);
}

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed / 7;
}

static void test_data(void **state)
{
	enum { SIZE = 100000 };
	static uint8_t model[SIZE];
	static uint8_t got[SIZE];
	struct vfs_iter it;
	struct file *f;
	struct path p;
	unsigned seed = 7;

	(void)state;
	memset(model, 0, sizeof(model));
	assert_int_equal(vfs_open(&as_root, "/big", VFS_O_RDWR | VFS_O_CREAT, 0644, &f), 0);
	p = f->path;
	assert_int_equal(vfs_truncate(&p, &root_cred, f, SIZE), 0);
	for (unsigned i = 0; i < 400; i++) {
		uint64_t off = next_random(&seed) % SIZE;
		size_t want = next_random(&seed) % 9000;
		size_t n = MIN(want, (size_t)(SIZE - off));

		if (i % 3 == 0) {
			memset(got, (int)i, n);
			memset(model + off, (int)i, n);
			vfs_iter_from(&it, got, n);
			assert_int_equal(file_pwrite(f, &it, off, &root_cred, UINT64_MAX), n);
		} else if (i % 50 == 1) {
			assert_int_equal(vfs_truncate(&p, &root_cred, f, off), 0);
			memset(model + off, 0, SIZE - off);
			assert_int_equal(vfs_truncate(&p, &root_cred, f, SIZE), 0);
		} else {
			vfs_iter_to(&it, got, n);
			assert_int_equal(file_pread(f, &it, off), n);
			assert_memory_equal(got, model + off, n);
		}
		if (i % 40 == 0)
			(void)mm_reclaim(10);
	}
	/* O_APPEND, limits, seeking */
	assert_int_equal(file_seek(f, -10, 2), SIZE - 10);
	vfs_iter_from(&it, "abc", 3);
	assert_int_equal(file_write(f, &it, &root_cred, SIZE - 10), -VFS_EFBIG);
	vfs_iter_from(&it, "abc", 3);
	assert_int_equal(file_write(f, &it, &root_cred, SIZE - 8), 2);
	file_put(f);
}

static void test_mapped_pages(void **state)
{
	struct page *page;
	struct path p;

	(void)state;
	write_file("/m", "hello world");
	assert_int_equal(vfs_walk(&as_root, "/m", 0, &p), 0);
	assert_int_equal(page_cache_get(p.vn, 1, &page), -VFS_EFAULT);
	toyfs_fail_reads = 2;
	assert_int_equal(page_cache_get(p.vn, 0, &page), -VFS_EIO);
	toyfs_fail_reads = 0;
	assert_int_equal(page_cache_get(p.vn, 0, &page), 0);
	assert_int_equal(page_cache_make_dirty(p.vn, page), 0);
	memcpy(mm_page_data(page), "HELLO", 5);
	mm_page_put(page);
	expect_file("/m", "HELLO world");
	(void)mm_reclaim(1000); /* dirty pages stay */
	assert_int_equal(page_cache_flush(p.vn, 0, 0), 0);
	(void)mm_reclaim(1000);
	(void)mm_reclaim(1000);
	assert_int_equal(p.vn->pages.count, 0);
	expect_file("/m", "HELLO world");
	assert_int_equal(page_cache_get(p.vn, 0, &page), 0);
	assert_int_equal(page_cache_make_dirty(p.vn, page), 0);
	memcpy(mm_page_data(page), "J", 1);
	(void)mm_reclaim_slow(1000); /* somebody has a reference: written, and kept */
	assert_int_equal(p.vn->pages.count, 1);
	assert_int_equal(p.vn->pages.dirty, 0);
	assert_int_equal(page_cache_make_dirty(p.vn, page), 0);
	mm_page_put(page);
	(void)mm_reclaim_slow(1000);
	assert_int_equal(p.vn->pages.count, 0);
	expect_file("/m", "JELLO world");
	assert_int_equal(page_cache_get(p.vn, 0, &page), 0);
	page_cache_truncate(p.vn, 0);
	assert_int_equal(page_cache_make_dirty(p.vn, page), -VFS_ESTALE);
	mm_page_put(page);
	path_put(&p);
}

static void test_publish(void **state)
{
	struct vfs_attr a;
	struct path p;
	struct path root;

	(void)state;
	write_file("/a", "old");
	expect_file("/a", "old");
	assert_int_equal(walk("/b", 0), -VFS_ENOENT); /* a negative entry */
	assert_int_equal(vfs_walk(&as_root, "/a", 0, &p), 0);
	fs_context_root(fc, &root);
	vfs_publish_begin(p.vn->fs);
	toyfs_poke(p.vn->fs, p.vn->ino, "brand new");
	toyfs_rename_behind(p.vn->fs, root.vn->ino, "a", "b");
	vfs_invalidate_vnode(p.vn, true);
	vfs_invalidate_entry(root.vn, "a", 1);
	vfs_invalidate_entry(root.vn, "b", 1);
	vfs_publish_end(p.vn->fs);
	assert_int_equal(vfs_getattr(&p, &a), 0);
	assert_int_equal(a.size, 9);
	assert_int_equal(walk("/a", 0), -VFS_ENOENT);
	expect_file("/b", "brand new");
	path_put(&p);
	path_put(&root);
}

static void test_name_cache(void **state)
{
	unsigned before;

	(void)state;
	write_file("/x", "1");
	assert_int_equal(walk("/x", 0), 0);
	assert_int_equal(walk("/y", 0), -VFS_ENOENT);
	before = toyfs_lookups;
	assert_int_equal(walk("/x", 0), 0);
	assert_int_equal(walk("/y", 0), -VFS_ENOENT);
	assert_int_equal(toyfs_lookups, before);
	vfs_shrink(1000);
	assert_int_equal(walk("/x", 0), 0);
	assert_true(toyfs_lookups > before);
}

static int do_mount(const char *source, const char *target, unsigned long flags)
{
	struct vfs_mount_call c = {source, target, "toy", NULL, flags};

	return vfs_mount(&as_root, &c);
}

static void expect_cwd(const char *want)
{
	char buf[256];
	char *name;
	struct path root;
	struct path cwd;

	fs_context_root(fc, &root);
	fs_context_cwd(fc, &cwd);
	assert_int_equal(vfs_path_name(&cwd, &root, NULL, buf, sizeof(buf), &name), 0);
	assert_string_equal(name, want);
	path_put(&root);
	path_put(&cwd);
}

static void change_dir(const char *name)
{
	struct path p;

	assert_int_equal(vfs_walk(&as_root, name, VFS_FOLLOW | VFS_DIRECTORY, &p), 0);
	fs_context_set_cwd(fc, &p);
	path_put(&p);
}

static void test_mounts(void **state)
{
	struct vfs_mount_call bad = {"x", "/m", "nofs", NULL, 0};
	char text[2048];
	struct path root;

	(void)state;
	assert_int_equal(vfs_mkdir(&as_root, "/m", 0755), 0);
	assert_int_equal(vfs_mkdir(&as_root, "/n", 0755), 0);
	write_file("/m/under", "u");
	write_file("/file", "file");
	write_file("/other", "other");
	assert_int_equal(vfs_mount(&as_root, &bad), -VFS_ENODEV);
	assert_int_equal(vfs_mount(&as_user, &bad), -VFS_EPERM);
	assert_int_equal(do_mount("t1", "/m", 0), 0);
	assert_int_equal(walk("/m/under", 0), -VFS_ENOENT);
	assert_int_equal(vfs_mkdir(&as_root, "/m/sub", 0755), 0);
	assert_int_equal(vfs_rmdir(&as_root, "/m"), -VFS_EBUSY);
	assert_int_equal(vfs_rename(&as_root, "/file", &as_root, "/m/file", 0), -VFS_EXDEV);
	change_dir("/m/sub");
	expect_cwd("/m/sub");
	assert_int_equal(vfs_umount(&as_root, "/m", 0), -VFS_EBUSY);
	change_dir("../..");
	expect_cwd("/");
	assert_int_equal(do_mount("/m", "/n", VFS_MS_BIND), 0);
	assert_int_equal(walk("/n/sub", VFS_DIRECTORY), 0);
	assert_int_equal(do_mount(NULL, "/n", VFS_MS_REMOUNT | VFS_MS_BIND | VFS_MS_RDONLY), 0);
	assert_int_equal(vfs_mkdir(&as_root, "/n/x", 0755), -VFS_EROFS);
	assert_int_equal(vfs_mkdir(&as_root, "/m/x", 0755), 0);
	assert_int_equal(do_mount("/other", "/file", VFS_MS_BIND), 0);
	expect_file("/file", "other");
	fs_context_root(fc, &root);
	text[vfs_show_mounts(ns, &root, 1, 0, text, sizeof(text) - 1)] = 0;
	assert_non_null(strstr(text, "t1 /n toy ro,relatime 0 0\n"));
	text[vfs_show_mounts(ns, &root, 0, 0, text, sizeof(text) - 1)] = 0;
	assert_non_null(strstr(text, " /other /file rw "));
	path_put(&root);
	assert_int_equal(vfs_umount(&as_root, "/file", 0), 0);
	expect_file("/file", "file");
	assert_int_equal(vfs_umount(&as_root, "/n", VFS_MNT_DETACH), 0);
	assert_int_equal(toyfs_unmounts, 0);
	assert_int_equal(vfs_umount(&as_root, "/m", 0), 0);
	assert_int_equal(toyfs_unmounts, 1);
	assert_int_equal(vfs_umount(&as_root, "/m", 0), -VFS_EINVAL);
	expect_file("/m/under", "u");
}

/* What tx does: a private copy of the tree whose root is another mount. */
static void test_pivot(void **state)
{
	struct fs_context *other = fs_context_clone(fc);
	struct vfs_walk_from in_other = {other, NULL, &root_cred};
	struct vfs_mount_call rec = {"/view", "/view", NULL, NULL, VFS_MS_BIND | VFS_MS_REC};
	struct path p;

	(void)state;
	assert_int_equal(vfs_mkdir(&as_root, "/view", 0755), 0);
	assert_int_equal(vfs_mkdir(&as_root, "/view/old", 0755), 0);
	assert_int_equal(vfs_mkdir(&as_root, "/view/in", 0755), 0);
	assert_int_equal(mnt_ns_unshare(other), 0);
	assert_int_equal(vfs_pivot_root(&in_other, "/view", "/view/old"), -VFS_EBUSY);
	assert_int_equal(vfs_mount(&in_other, &rec), 0);
	assert_int_equal(vfs_pivot_root(&in_other, "/view", "/view/in/.."), 0);
	assert_int_equal(vfs_walk(&in_other, "/in", 0, &p), 0);
	path_put(&p);
	assert_int_equal(walk("/in", 0), -VFS_ENOENT); /* the first namespace is as it was */
	assert_int_equal(walk("/view/in", 0), 0);
	fs_context_put(other);
}

static void test_descriptors(void **state)
{
	struct fd_table *t = fdtable_create();
	struct fd_table *copy;
	struct file *f;

	(void)state;
	write_file("/f", "x");
	assert_int_equal(vfs_open(&as_root, "/f", VFS_O_RDONLY, 0, &f), 0);
	for (int i = 0; i < 70; i++)
		assert_int_equal(fdtable_install(t, file_get(f), 0, 100, i % 2 == 1), i);
	assert_int_equal(fdtable_close(t, 5), 0);
	assert_int_equal(fdtable_close(t, 5), -VFS_EBADF);
	assert_int_equal(fdtable_close(t, -1), -VFS_EBADF);
	assert_int_equal(fdtable_close(t, 1 << 30), -VFS_EBADF);
	assert_int_equal(fdtable_install(t, file_get(f), 0, 100, false), 5);
	assert_int_equal(fdtable_install(t, f, 100, 100, false), -VFS_EINVAL);
	assert_int_equal(fdtable_install(t, f, 0, 70, false), -VFS_EMFILE);
	assert_int_equal(fdtable_replace(t, file_get(f), 90, 100, true), 90);
	assert_int_equal(fdtable_replace(t, f, 100, 100, true), -VFS_EBADF);
	assert_int_equal(fdtable_get_cloexec(t, 90), 1);
	copy = fdtable_clone(t);
	fdtable_exec(copy);
	assert_int_equal(fdtable_get_cloexec(copy, 90), -VFS_EBADF);
	assert_int_equal(fdtable_next(copy, 1), 2);
	fdtable_close_range(t, 3, UINT32_MAX, false);
	assert_int_equal(fdtable_next(t, 3), -1);
	fdtable_put(copy);
	fdtable_put(t);
	assert_int_equal(f->refs, 1);
	file_put(f);
}

static void test_locks(void **state)
{
	int a, b;
	struct vfs_lock l = {VFS_LOCK_POSIX, VFS_WRLCK, &a, 1, 10, 19};
	struct vfs_lock m;
	struct path p;

	(void)state;
	write_file("/f", "x");
	assert_int_equal(vfs_walk(&as_root, "/f", 0, &p), 0);
	assert_int_equal(vfs_lock_set(p.vn, &l), 0);
	m = (struct vfs_lock){VFS_LOCK_POSIX, VFS_RDLCK, &b, 2, 0, 9};
	assert_int_equal(vfs_lock_set(p.vn, &m), 0);
	m.end = 10;
	assert_int_equal(vfs_lock_set(p.vn, &m), -VFS_EAGAIN);
	m.kind = VFS_LOCK_FLOCK; /* another world */
	assert_int_equal(vfs_lock_set(p.vn, &m), 0);
	l.type = VFS_UNLCK;
	l.start = 12;
	l.end = 14;
	assert_int_equal(vfs_lock_set(p.vn, &l), 0); /* splits it */
	m = (struct vfs_lock){VFS_LOCK_POSIX, VFS_WRLCK, &b, 2, 12, INT64_MAX};
	vfs_lock_test(p.vn, &m);
	assert_int_equal(m.type, VFS_WRLCK);
	assert_int_equal(m.start, 15);
	assert_int_equal(m.end, 19);
	vfs_lock_release(p.vn, VFS_LOCK_POSIX, &a);
	m = (struct vfs_lock){VFS_LOCK_POSIX, VFS_WRLCK, &b, 2, 0, INT64_MAX};
	assert_int_equal(vfs_lock_set(p.vn, &m), 0);
	path_put(&p);
}

/* --- The line discipline --- */

static char echoed[256];
static int last_signal;

static void on_echo(struct ldisc *l, const char *s, size_t n)
{
	(void)l;
	if (strlen(echoed) + n < sizeof(echoed))
		strncat(echoed, s, n);
}

static void on_signal(struct ldisc *l, int sig)
{
	(void)l;
	last_signal = sig;
}

static void on_flow(struct ldisc *l, bool stopped)
{
	(void)l;
	(void)stopped;
}

static void type(struct ldisc *l, const char *s)
{
	while (*s)
		ldisc_input(l, (uint8_t)*s++);
}

static void expect_line(struct ldisc *l, const char *want)
{
	uint8_t buf[300] = {0};
	bool end;

	assert_true(ldisc_readable(l, 1));
	assert_int_equal(ldisc_read(l, buf, sizeof(buf), &end), strlen(want));
	assert_true(end);
	assert_string_equal((char *)buf, want);
}

static void test_terminal(void **state)
{
	static const struct ldisc_ops ld_ops = {on_echo, on_signal, on_flow};
	static struct ldisc l;
	struct ldisc_termios raw;
	uint8_t buf[8];
	bool end;

	(void)state;
	ldisc_init(&l, &ld_ops);
	echoed[0] = 0;
	type(&l, "ab\x7f"
		 "c\r");
	assert_string_equal(echoed, "ab\b \bc\r\n");
	expect_line(&l, "ac\n");
	type(&l, "one two\x17three\n");
	expect_line(&l, "one three\n");
	type(&l, "gone\x15kept\n");
	expect_line(&l, "kept\n");
	type(&l, "\x16\x03\n");
	expect_line(&l, "\x03\n");
	type(&l, "part\x04");
	expect_line(&l, "part");
	type(&l, "\x04");
	expect_line(&l, "");
	type(&l, "lost\x03");
	assert_int_equal(last_signal, 2);
	assert_false(ldisc_readable(&l, 1));
	for (unsigned i = 0; i < 5000; i++)
		ldisc_input(&l, 'x');
	ldisc_input(&l, '\n'); /* a full buffer still ends its line */
	assert_true(ldisc_readable(&l, 1));
	assert_int_equal(ldisc_available(&l), LDISC_BUF);
	ldisc_flush(&l);
	raw = l.t;
	raw.lflag &= ~(uint32_t)(LDISC_ICANON | LDISC_ECHO | LDISC_ISIG);
	ldisc_set(&l, &raw);
	type(&l, "\x03q");
	assert_int_equal(ldisc_read(&l, buf, 8, &end), 2);
	assert_memory_equal(buf, "\x03q", 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_walk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_unlinked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_data, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mapped_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_publish, setup, teardown),
		cmocka_unit_test_setup_teardown(test_name_cache, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mounts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pivot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_locks, setup, teardown),
		cmocka_unit_test(test_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
