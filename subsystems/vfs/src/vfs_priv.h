/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* What the files of this unit share. */
#ifndef VFS_PRIV_H
#define VFS_PRIV_H

#include "base/assert.h"
#include "port/errors.h"
#include "port/mem.h"
#include "port/time.h"
#include "vfs/errors.h"
#include "vfs/file.h"
#include "vfs/mount.h"
#include "vfs/path.h"
#include "vfs/vnode.h"

#define memcpy __builtin_memcpy
#define memmove __builtin_memmove
#define memset __builtin_memset
#define memcmp __builtin_memcmp

static inline size_t vfs_strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

static inline bool vfs_streq(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* A copy from port_alloc; NULL: no memory. */
char *vfs_strdup(const char *s, size_t len) MUST_CHECK;
/* Copies as much as fits and terminates; returns where the terminator stands. */
char *vfs_strcpy_to(char *dst, const char *end, const char *src);

/* The time of now as file systems store it. */
struct vfs_time vfs_now(void);

/* --- names.c --- */
int names_init(void) MUST_CHECK;
/* Is (dir, name) cached? Then *out is a reference, or NULL for "does not exist". */
bool names_find(struct vnode *dir, const char *name, size_t len, struct vnode **out);
/* Enters (dir, name) -> vn (NULL: does not exist), replacing. Without memory it does nothing. */
void names_add(struct vnode *dir, const char *name, size_t len, struct vnode *vn);
void names_remove(struct vnode *dir, const char *name, size_t len);
void names_remove_dir(struct vnode *dir);  /* names in it */
void names_remove_vnode(struct vnode *vn); /* names of it */
void names_remove_fs(struct vfs_fs *fs);
/* A name of vn in dir (NULL: in any directory) as the cache knows it; gives *dir_out. */
bool names_of(struct vnode *vn, struct vnode *dir, char *buf, struct vnode **dir_out);
/* Drops the oldest want entries. */
void names_shrink(size_t want);
/* A reference unless nobody has one. vn must not be able to go (its table's lock, PC-5). */
bool vnode_tryref(struct vnode *vn);

/* --- vnode.c --- */
int vnodes_init_fs(struct vfs_fs *fs) MUST_CHECK;
/* Writes the dirty pages of all vnodes. */
int vnodes_flush_fs(struct vfs_fs *fs) MUST_CHECK;
void vnodes_evict_fs(struct vfs_fs *fs);
void vnodes_invalidate_fs(struct vfs_fs *fs);
void vnodes_kill_fs(struct vfs_fs *fs);
void vnodes_shrink_fs(struct vfs_fs *fs, size_t want);

/* --- fs.c --- */
void fs_for_each(void (*fn)(struct vfs_fs *fs, void *arg), void *arg);

/* --- walk.c --- */
struct walk {
	const struct vfs_walk_from *from;
	struct path root;
	struct path cur;
	const char *rest; /* what is still to be walked */
	char *buf;        /* holds rest after a link was spliced in; owned */
	unsigned links;
	struct vfs_fs *fs; /* whose seq this is */
	uint64_t seq;
	bool moved;           /* a sequence moved: the result is not to be trusted */
	struct vfs_last last; /* of walk_to_last: name, len, kind, trailing_slash (not parent) */
};
int walk_begin(struct walk *w, const struct vfs_walk_from *from, const char *name) MUST_CHECK;
void walk_end(struct walk *w);
/* Walks up to the last component, which is then in w->last; w->cur is its parent. */
int walk_to_last(struct walk *w) MUST_CHECK;
/* Takes the step w->last. With follow, *spliced tells that it was a link: walk_to_last again. */
int walk_last(struct walk *w, bool follow, bool *spliced) MUST_CHECK;
/* *link (a reference to a symbolic link in w->cur, taken over) becomes part of the rest. */
int walk_splice(struct walk *w, struct vnode *link) MUST_CHECK;
/* Must the walk start again? */
bool walk_stale(struct walk *w);
/* Search permission in w->cur. */
int walk_may_search(struct walk *w) MUST_CHECK;

/* --- mount.c --- */
extern struct port_mutex mount_lock;
struct mount *mount_get(struct mount *m);
void mount_put(struct mount *m);
int mounts_init(void) MUST_CHECK;
int walk_init(void) MUST_CHECK;
/* fn(fc) for every context that exists, under the list's lock. */
void fs_contexts_for_each(void (*fn)(struct fs_context *fc, void *arg), void *arg);

/* Is vn top, or does it stand below it in their instance? */
bool vnode_below(struct vnode *vn, struct vnode *top);

/* --- ops.c --- */
/*
 * Around an operation that changes vn's attributes: unless it sets them, what is cached is dropped, also
 * what a reader stored in between.
 */
uint64_t attr_begin(struct vnode *vn);
void attr_end(struct vnode *vn, uint64_t mark);
/* The child under dir->lock, through the name cache; *out NULL: not there. */
int lookup_locked(struct vnode *dir, struct vfs_name name, struct vnode **out) MUST_CHECK;
/* May cred change names in dir (path's vnode)? Read-only mounts too. */
int may_change_dir(const struct path *dir, const struct vfs_cred *cred) MUST_CHECK;
/* Sets of ->mode, uid, gid of a new inode in dir. */
int prepare_new(struct vnode *dir, const struct vfs_walk_from *from, uint32_t mode,
		struct vfs_new *out) MUST_CHECK;
/* Under dir->lock: makes it and enters the name; -VFS_EEXIST if it is there. Gives *out. */
int create_locked(struct vnode *dir, struct vfs_name name, const struct vfs_new *what,
		  struct vnode **out) MUST_CHECK;
/* Takes set-id bits off after a write by cred, if it must. Under vn->lock. */
int strip_setid_locked(struct vnode *vn, const struct vfs_cred *cred) MUST_CHECK;
int setattr_locked(struct vnode *vn, unsigned mask, struct vfs_attr *in) MUST_CHECK;
int truncate_locked(struct vnode *vn, uint64_t size) MUST_CHECK;

/* --- page_tree.c: page_cache.root; under page_cache.lock --- */
struct page *tree_get(const struct page_cache *pc, uint64_t index);
int tree_insert(struct page_cache *pc, uint64_t index, struct page *page) MUST_CHECK;
void tree_remove(struct page_cache *pc, uint64_t index);
/* The page with the smallest index >= index; NULL: none. */
struct page *tree_next(const struct page_cache *pc, uint64_t index);

int page_cache_start(void) MUST_CHECK;

#endif
