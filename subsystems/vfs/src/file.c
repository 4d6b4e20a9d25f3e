/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Open file descriptions and the data path of vnode-backed files.
 *
 * FILE-1  Nothing of rank VNODE or above is held while a vfs_iter moves bytes: user memory may fault.
 * FILE-2  write: the bytes are copied to kernel memory first (up to CHUNK at once), then handed to the file
 *         system under vn->lock, then into the cached pages: one call up to CHUNK is one change.
 * FILE-3  read: pages are pinned by reference and copied from without a lock.
 */
#include "vfs/file.h"

#include "vfs/lock.h"
#include "vfs/ops.h"
#include "vfs_priv.h"

#define CHUNK ((size_t)1 << 20)
#define READ_CHUNK ((size_t)1 << 16)
#define PAGE MM_PAGE_SIZE
#define DAY 86400

/* --- Iterators over kernel memory --- */

static size_t move_to(struct vfs_iter *it, void *kernel, size_t n)
{
	memcpy(it->buf, kernel, n);
	it->buf += n;
	it->left -= n;
	return n;
}

static size_t move_from(struct vfs_iter *it, void *kernel, size_t n)
{
	memcpy(kernel, it->buf, n);
	it->buf += n;
	it->left -= n;
	return n;
}

void vfs_iter_to(struct vfs_iter *it, void *buf, size_t len)
{
	*it = (struct vfs_iter){.left = len, .move = move_to, .buf = buf};
}

void vfs_iter_from(struct vfs_iter *it, const void *buf, size_t len)
{
	/* move_from only reads it */
	*it = (struct vfs_iter){.left = len, .move = move_from, .buf = (uint8_t *)(uintptr_t)buf};
}

/* --- Life --- */

static void (*watch_release)(struct file *f);

void vfs_install_watch_release(void (*fn)(struct file *f))
{
	watch_release = fn;
}

struct file *file_create(const struct file_ops *ops, unsigned open_flags)
{
	struct file *f = port_alloc_zeroed(sizeof(*f));
	unsigned acc = open_flags & VFS_O_ACCMODE;

	if (!f)
		return NULL;
	atomic_store_explicit(&f->refs, 1, memory_order_relaxed);
	atomic_store_explicit(&f->flags,
			      open_flags & ~(unsigned)(VFS_O_CREAT | VFS_O_EXCL | VFS_O_TRUNC |
						       VFS_O_CLOEXEC | VFS_O_EXEC),
			      memory_order_relaxed);
	if (open_flags & VFS_O_PATH)
		f->mode = FILE_PATH;
	else
		f->mode = (acc != VFS_O_WRONLY ? FILE_READ : 0u) |
			  (acc == VFS_O_WRONLY || acc == VFS_O_RDWR ? FILE_WRITE : 0u);
	f->ops = ops;
	port_mutex_init(&f->pos_lock, LOCK_RANK_FILE_POS, "file position");
	list_init(&f->watchers);
	return f;
}

void file_put(struct file *f)
{
	if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (!list_empty(&f->watchers) && watch_release)
		watch_release(f);
	if (f->path.vn) {
		vfs_lock_release(f->path.vn, VFS_LOCK_FLOCK, f);
		vfs_lock_release(f->path.vn, VFS_LOCK_OFD, f);
	}
	if (f->ops && f->ops->release)
		f->ops->release(f);
	if (f->mode & FILE_WRITER)
		atomic_fetch_sub_explicit(&f->path.vn->writers, 1, memory_order_acq_rel);
	vnode_put(f->name_dir);
	port_free(f->name);
	path_put(&f->path);
	port_mutex_fini(&f->pos_lock);
	port_free(f);
}

int file_name(struct file *f, const struct path *root, char *buf, size_t size, char **out)
{
	struct vfs_name_hint hint = {f->name_dir, f->name};

	if (!f->path.mnt)
		return -VFS_ENOENT;
	return vfs_path_name(&f->path, root, &hint, buf, size, out);
}

/* --- Reading --- */

static unsigned vnode_flags(const struct vnode *vn)
{
	return atomic_load_explicit(&vn->flags, memory_order_relaxed);
}

static bool is_memory(const struct vnode *vn)
{
	return (atomic_load_explicit(&vn->fs->flags, memory_order_relaxed) & VFS_FS_MEMORY) != 0;
}

static bool cached(const struct vnode *vn)
{
	return !(vnode_flags(vn) & VNODE_NO_CACHE) && (vn->ops->readpages || is_memory(vn));
}

/* From ops->read through a buffer. */
static int64_t read_direct(struct vnode *vn, struct vfs_iter *it, uint64_t *pos)
{
	size_t room = MIN(it->left, READ_CHUNK);
	int64_t total = 0;
	int err = 0;
	void *buf;

	if (!vn->ops->read)
		return -VFS_EINVAL;
	if (!it->left)
		return 0;
	buf = port_alloc(room);
	if (!buf)
		return -VFS_ENOMEM;
	while (it->left) {
		size_t n = MIN(it->left, room);
		size_t done = 0;
		size_t moved;

		err = vn->ops->read(vn, *pos, buf, n, &done);
		if (err || !done)
			break;
		moved = it->move(it, buf, done);
		*pos += moved;
		total += (int64_t)moved;
		if (moved < done) {
			err = -VFS_EFAULT;
			break;
		}
		if (done < n)
			break;
	}
	port_free(buf);
	return total ? total : err;
}

/* The page of the file at index to read from; *out NULL: a hole of a memory file. */
static int page_for_read(struct vnode *vn, uint64_t index, struct page **out)
{
	if (is_memory(vn)) {
		*out = page_cache_find(vn, index);
		return 0;
	}
	return page_cache_get(vn, index, out);
}

static int64_t read_pages(struct vnode *vn, struct vfs_iter *it, uint64_t *pos)
{
	static const uint8_t zeros[256];
	int64_t total = 0;
	int err = 0;

	while (it->left && !err) {
		struct page *page = NULL;
		uint64_t size;
		size_t in = (size_t)(*pos % PAGE);
		size_t n;
		size_t moved;

		err = vnode_size(vn, &size);
		if (err || *pos >= size)
			break;
		n = (size_t)MIN(MIN((uint64_t)it->left, size - *pos), PAGE - in);
		err = page_for_read(vn, *pos / PAGE, &page);
		if (err == -VFS_EFAULT) { /* cut off meanwhile */
			err = 0;
			break;
		}
		if (err)
			break;
		if (!page)
			n = MIN(n, sizeof(zeros));
		moved = it->move(it,
				 page ? (uint8_t *)mm_page_data(page) + in
				      : (uint8_t *)(uintptr_t)zeros,
				 n); /* FILE-1, FILE-3 */
		if (page)
			mm_page_put(page);
		*pos += moved;
		total += (int64_t)moved;
		if (moved < n)
			err = -VFS_EFAULT;
	}
	return total ? total : err;
}

/* relatime: the first read of a description whose access time is older than its other times. */
static void touch_atime(struct file *f)
{
	struct vnode *vn = f->path.vn;
	struct vfs_attr a;
	unsigned mf;

	f->atime_done = true;
	if (!f->path.mnt) /* memfd */
		return;
	mf = atomic_load_explicit(&f->path.mnt->flags, memory_order_relaxed);
	if ((mf & (VFS_MS_NOATIME | VFS_MS_RDONLY)) || mount_readonly(f->path.mnt) ||
	    (atomic_load_explicit(&vn->fs->flags, memory_order_relaxed) & VFS_FS_NO_ATIME) ||
	    (atomic_load_explicit(&f->flags, memory_order_relaxed) & VFS_O_NOATIME) ||
	    (vnode_flags(vn) & VNODE_NO_CACHE) || vnode_getattr(vn, &a))
		return;
	if ((mf & VFS_MS_RELATIME) &&
	    (a.atime.sec > a.mtime.sec ||
	     (a.atime.sec == a.mtime.sec && a.atime.nsec > a.mtime.nsec)) &&
	    (a.atime.sec > a.ctime.sec ||
	     (a.atime.sec == a.ctime.sec && a.atime.nsec > a.ctime.nsec)) &&
	    vfs_now().sec - a.atime.sec < DAY)
		return;
	a.atime = vfs_now();
	port_mutex_lock(&vn->lock);
	if (vn->ops->setattr) {
		uint64_t mark = attr_begin(vn);

		/* no ctime: reading changes nothing else; a failure is nobody's business */
		(void)!vn->ops->setattr(vn, VFS_SET_ATIME, &a);
		attr_end(vn, mark);
	}
	port_mutex_unlock(&vn->lock);
}

static int64_t vnode_file_read(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	struct vnode *vn = f->path.vn;
	int64_t n;

	if (vnode_is_dir(vn))
		return -VFS_EISDIR;
	if (vnode_flags(vn) & VNODE_DEAD)
		return -VFS_ESTALE;
	if (*pos > INT64_MAX)
		return -VFS_EINVAL;
	if (!f->atime_done)
		touch_atime(f);
	n = cached(vn) ? read_pages(vn, it, pos) : read_direct(vn, it, pos);
	return n;
}

int vfs_read_kernel(struct vnode *vn, uint64_t off, void *buf, size_t len, size_t *done)
{
	struct vfs_iter it;
	int64_t n;

	vfs_iter_to(&it, buf, len);
	n = cached(vn) ? read_pages(vn, &it, &off) : read_direct(vn, &it, &off);
	if (n < 0)
		return (int)n;
	*done = (size_t)n;
	return 0;
}

/* --- Writing --- */

struct write_args {
	const struct vfs_cred *cred;
	uint64_t limit;
	bool append;
};

/* One chunk that is in kernel memory. *n is cut to the limit. Moves *pos past it. */
static int write_chunk(struct vnode *vn, const void *buf, size_t *n, uint64_t *pos,
		       const struct write_args *w)
{
	uint64_t at = *pos;
	uint64_t mark;
	int err = 0;

	port_mutex_lock(&vn->lock);
	if (w->append)
		err = vnode_size(vn, &at);
	if (!err && (at >= w->limit || at > (uint64_t)INT64_MAX - *n))
		err = -VFS_EFBIG;
	if (!err)
		*n = (size_t)MIN((uint64_t)*n, w->limit - at);
	if (!err)
		err = strip_setid_locked(vn, w->cred);
	if (!err) {
		mark = attr_begin(vn);
		err = vn->ops->write(vn, at, buf, *n);
		if (!err && !is_memory(vn))
			page_cache_update(vn, at, buf, *n); /* PC-3 */
		attr_end(vn, mark);
	}
	port_mutex_unlock(&vn->lock);
	if (!err)
		*pos = at + *n;
	return err;
}

static int64_t write_vnode(struct vnode *vn, struct vfs_iter *it, uint64_t *pos,
			   const struct write_args *w)
{
	size_t room = MIN(it->left, CHUNK);
	void *buf = port_alloc(room);
	int64_t total = 0;
	int err = 0;

	if (!buf && room > PAGE) {
		room = PAGE;
		buf = port_alloc(room);
	}
	if (!buf)
		return -VFS_ENOMEM;
	while (it->left && !err) {
		size_t want = MIN(it->left, room);
		size_t got = it->move(it, buf, want); /* FILE-1 */
		size_t n = got;

		if (got)
			err = write_chunk(vn, buf, &n, pos, w);
		if (!err) {
			total += (int64_t)n;
			if (n < got)
				break;
			if (got < want)
				err = -VFS_EFAULT;
		}
	}
	port_free(buf);
	return total ? total : err;
}

static int64_t write_any(struct file *f, struct vfs_iter *it, uint64_t *pos,
			 const struct write_args *w)
{
	struct vnode *vn = f->path.vn;
	unsigned flags = atomic_load_explicit(&f->flags, memory_order_relaxed);
	int64_t n;

	if (!vn->ops->write)
		return -VFS_EINVAL;
	if (f->path.mnt && mount_readonly(f->path.mnt))
		return -VFS_EROFS;
	if (vnode_flags(vn) & VNODE_DEAD)
		return -VFS_ESTALE;
	if (*pos > INT64_MAX)
		return -VFS_EINVAL;
	if (!it->left)
		return 0;
	n = write_vnode(vn, it, pos, w);
	if (n > 0 && (flags & VFS_O_DSYNC)) {
		int err = file_fsync(f, (flags & VFS_O_SYNC) != VFS_O_SYNC);

		if (err)
			return err;
	}
	return n;
}

static int64_t vnode_file_write(struct file *f, struct vfs_iter *it, uint64_t *pos)
{
	unsigned flags = atomic_load_explicit(&f->flags, memory_order_relaxed);
	struct write_args w = {NULL, UINT64_MAX, (flags & VFS_O_APPEND) != 0};

	return write_any(f, it, pos, &w);
}

static int64_t do_write(struct file *f, struct vfs_iter *it, uint64_t *pos,
			const struct vfs_cred *cred, uint64_t limit)
{
	unsigned flags = atomic_load_explicit(&f->flags, memory_order_relaxed);
	struct write_args w = {cred, limit, (flags & VFS_O_APPEND) != 0};

	if (f->ops->write == vnode_file_write)
		return write_any(f, it, pos, &w);
	return f->ops->write ? f->ops->write(f, it, pos) : -VFS_EINVAL;
}

/* --- Other operations of vnode-backed files --- */

static int64_t vnode_file_seek(struct file *f, int64_t off, int whence)
{
	enum { SET, CUR, END, DATA, HOLE };
	struct vnode *vn = f->path.vn;
	uint64_t size = 0;
	int64_t base = 0;
	int err = 0;

	if (whence == CUR)
		base = (int64_t)f->pos;
	if (whence == END || whence == DATA || whence == HOLE)
		err = vnode_size(vn, &size);
	if (err)
		return err;
	if (whence == END)
		base = (int64_t)size;
	if (whence == DATA || whence == HOLE) {
		uint64_t at = (uint64_t)off;

		if (off < 0 || at >= size)
			return -VFS_ENXIO;
		if (vn->ops->seek) {
			err = vn->ops->seek(vn, at, whence == HOLE, &at);
			if (err)
				return err;
		} else if (whence == HOLE) {
			at = size;
		}
		f->pos = at;
		return (int64_t)at;
	}
	if (whence > HOLE || whence < 0)
		return -VFS_EINVAL;
	if (__builtin_add_overflow(base, off, &base) || base < 0)
		return -VFS_EINVAL;
	f->pos = (uint64_t)base;
	return base;
}

static int vnode_file_fsync(struct file *f, bool data_only)
{
	struct vnode *vn = f->path.vn;
	int err = page_cache_flush(vn, 0, 0);

	if (!err && vn->ops->fsync)
		err = vn->ops->fsync(vn, data_only);
	return err;
}

static void vnode_file_release(struct file *f)
{
	if (f->path.vn->ops->release)
		f->path.vn->ops->release(f->path.vn, f);
}

const struct file_ops vfs_file_ops = {
	.read = vnode_file_read,
	.write = vnode_file_write,
	.seek = vnode_file_seek,
	.fsync = vnode_file_fsync,
	.release = vnode_file_release,
};

/* --- What the system calls use --- */

int64_t file_read(struct file *f, struct vfs_iter *it)
{
	int64_t n;

	if (!(f->mode & FILE_READ))
		return -VFS_EBADF;
	if (!f->ops->read)
		return f->path.vn && vnode_is_dir(f->path.vn) ? -VFS_EISDIR : -VFS_EINVAL;
	if (!(f->mode & FILE_SEEK)) {
		uint64_t pos = 0;

		return f->ops->read(f, it, &pos);
	}
	port_mutex_lock(&f->pos_lock);
	n = f->ops->read(f, it, &f->pos);
	port_mutex_unlock(&f->pos_lock);
	return n;
}

int64_t file_write(struct file *f, struct vfs_iter *it, const struct vfs_cred *cred, uint64_t limit)
{
	int64_t n;

	if (!(f->mode & FILE_WRITE))
		return -VFS_EBADF;
	if (!(f->mode & FILE_SEEK)) {
		uint64_t pos = 0;

		return do_write(f, it, &pos, cred, limit);
	}
	port_mutex_lock(&f->pos_lock);
	n = do_write(f, it, &f->pos, cred, limit);
	port_mutex_unlock(&f->pos_lock);
	return n;
}

int64_t file_pread(struct file *f, struct vfs_iter *it, uint64_t pos)
{
	if (!(f->mode & FILE_READ))
		return -VFS_EBADF;
	if (!(f->mode & FILE_SEEK))
		return -VFS_ESPIPE;
	return f->ops->read ? f->ops->read(f, it, &pos) : -VFS_EINVAL;
}

int64_t file_pwrite(struct file *f, struct vfs_iter *it, uint64_t pos, const struct vfs_cred *cred,
		    uint64_t limit)
{
	if (!(f->mode & FILE_WRITE))
		return -VFS_EBADF;
	if (!(f->mode & FILE_SEEK))
		return -VFS_ESPIPE;
	return do_write(f, it, &pos, cred, limit);
}

int64_t file_seek(struct file *f, int64_t off, int whence)
{
	int64_t n;

	if (f->mode & FILE_PATH)
		return -VFS_EBADF;
	/* Without a name (eventfd and the like) the operation alone decides. */
	if (!f->ops->seek || (f->path.vn && !(f->mode & FILE_SEEK)))
		return -VFS_ESPIPE;
	port_mutex_lock(&f->pos_lock);
	n = f->ops->seek(f, off, whence);
	port_mutex_unlock(&f->pos_lock);
	return n;
}

uint32_t file_poll(struct file *f, struct vfs_poll *p)
{
	if (f->mode & FILE_PATH)
		return VFS_POLLNVAL;
	if (!f->ops->poll)
		return VFS_POLLIN | VFS_POLLOUT | VFS_POLLRDNORM | VFS_POLLWRNORM;
	return f->ops->poll(f, p);
}

int file_fsync(struct file *f, bool data_only)
{
	if (f->mode & FILE_PATH)
		return -VFS_EBADF;
	return f->ops->fsync ? f->ops->fsync(f, data_only) : -VFS_EINVAL;
}

/* --- Listings --- */

struct list_args {
	struct file *f;
	int (*emit)(void *arg, const struct vfs_dirent *e);
	void *arg;
	bool full;
};

/* A cookie of the file system c is position c + 2: 1 stands after ".", 2 after "..". */
static int offer(void *arg, const struct vfs_dirent *e)
{
	struct list_args *l = arg;
	struct vfs_dirent d = *e;

	d.cookie = e->cookie + 2;
	if (l->emit(l->arg, &d)) {
		l->full = true;
		return 1;
	}
	l->f->pos = d.cookie;
	return 0;
}

static int offer_dots(struct list_args *l)
{
	struct vnode *dir = l->f->path.vn;
	struct vfs_dirent d = {.ino = dir->ino, .type = VFS_S_IFDIR, .cookie = 1, .name = {".", 1}};

	if (l->f->pos == 0) {
		if (l->emit(l->arg, &d)) {
			l->full = true;
			return 0;
		}
		l->f->pos = 1;
	}
	if (l->f->pos == 1) {
		struct vnode *up = NULL;

		if (dir != dir->fs->root && !vfs_lookup_one(dir, "..", 2, &up) && up)
			d.ino = up->ino;
		vnode_put(up);
		d.cookie = 2;
		d.name = (struct vfs_name){"..", 2};
		if (l->emit(l->arg, &d)) {
			l->full = true;
			return 0;
		}
		l->f->pos = 2;
	}
	return 0;
}

int file_readdir(struct file *f, int (*emit)(void *arg, const struct vfs_dirent *e), void *arg)
{
	struct list_args l = {f, emit, arg, false};
	struct vnode *dir = f->path.vn;
	int err = 0;

	if (!(f->mode & FILE_READ))
		return -VFS_EBADF;
	if (!dir || !vnode_is_dir(dir) || !dir->ops->readdir)
		return -VFS_ENOTDIR;
	if (vnode_flags(dir) & VNODE_DEAD)
		return -VFS_ESTALE;
	if (vnode_flags(dir) & VNODE_UNLINKED)
		return -VFS_ENOENT;
	port_mutex_lock(&f->pos_lock);
	if (f->pos < 2)
		err = offer_dots(&l);
	if (!err && !l.full)
		err = dir->ops->readdir(dir, f->pos - 2, offer, &l);
	port_mutex_unlock(&f->pos_lock);
	return err;
}
