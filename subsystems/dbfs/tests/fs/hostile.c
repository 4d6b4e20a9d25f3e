/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#include "hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "dbfs/check.h"
#include "inode/fs_ondisk.h"
#include "io/ondisk.h"
#include "sim/sim.h"
#include "txn/txn.h"
#include "vol.h"

#define BS DBFS_BLOCK_SIZE
#define IMAGE_BLOCKS 448u /* 1.75 MiB */
#define WALK_MAX 400u

static uint8_t *base[2];

/* --- A block device in memory, exact about its bounds ------------------------------------------ */

struct mem_blk {
	struct port_blk blk;
	uint8_t *p;
};

static int mem_check(struct port_blk *dev, uint64_t off, size_t len)
{
	CHECK(off % BS == 0 && len % BS == 0 && off <= dev->size && len <= dev->size - off);
	return 0;
}

static int mem_readv(struct port_blk *dev, uint64_t off, const struct port_iov *iov, unsigned n)
{
	struct mem_blk *m = container_of(dev, struct mem_blk, blk);

	for (unsigned i = 0; i < n; off += iov[i++].len) {
		mem_check(dev, off, iov[i].len);
		memcpy(iov[i].base, m->p + off, iov[i].len);
	}
	return 0;
}

static int mem_writev(struct port_blk *dev, uint64_t off, const struct port_iov *iov, unsigned n)
{
	struct mem_blk *m = container_of(dev, struct mem_blk, blk);

	CHECK(!dev->read_only);
	for (unsigned i = 0; i < n; off += iov[i++].len) {
		mem_check(dev, off, iov[i].len);
		memcpy(m->p + off, iov[i].base, iov[i].len);
	}
	return 0;
}

static int mem_flush(struct port_blk *dev)
{
	(void)dev;
	return 0;
}

static void mem_close(struct port_blk *dev)
{
	(void)dev;
}

static const struct port_blk_ops mem_ops = {.readv = mem_readv,
					    .writev = mem_writev,
					    .flush = mem_flush,
					    .close = mem_close};

static struct mem_blk mem_of(uint8_t *p, uint64_t blocks, bool read_only)
{
	return (struct mem_blk){{&mem_ops, blocks * BS, read_only, "hostile"}, p};
}

/* --- The image ----------------------------------------------------------------------------------- */

static void populate_dir(struct dbfs_tx *tx, struct dbfs_ino dir, unsigned salt)
{
	static uint8_t data[20 * BS];
	char name[40];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + salt);
	for (unsigned i = 0; i < 20; i++) {
		struct dbfs_ino f;

		snprintf(name, sizeof(name), "file-%u-%u", salt, i);
		f = t_mkfile(tx, dir, name);
		t_write(tx, f, i % 3 == 0 ? i * BS : 0, data, 50 + i * i * 20);
		if (i % 4 == 0)
			OK(dbfs_setxattr(tx, f, t_name("user.attribute"),
					 (struct dbfs_value){data, i * 100}, 0));
		if (i % 5 == 0) {
			snprintf(name, sizeof(name), "link-%u-%u", salt, i);
			OK(dbfs_link(tx, f, dir, t_name(name)));
		}
	}
}

static void populate(struct dbfs *db)
{
	const struct dbfs_tx_opts opts = {DBFS_TX_LOCKING, DBFS_SYNC, 0};
	const struct dbfs_new sym = {.mode = DBFS_S_IFLNK,
				     .target = "sub/file-1-1",
				     .target_len = 12};
	const struct dbfs_new dev = {.mode = DBFS_S_IFCHR | 0600, .rdev_major = 1};
	const struct dbfs_new anon = {.mode = DBFS_S_IFREG | 0600};
	struct dbfs_ino ino = DBFS_ROOT_INO;
	struct dbfs_ino sub;
	struct dbfs_tx *tx;

	OK(dbfs_tx_begin(db, &opts, &tx));
	OK(dbfs_fs_make(tx));
	populate_dir(tx, ino, 0);
	sub = t_mkdir(tx, ino, "sub");
	t_commit(tx);
	OK(dbfs_tx_begin(db, &opts, &tx));
	populate_dir(tx, sub, 1);
	t_mkdir(tx, t_mkdir(tx, sub, "deep"), "deeper");
	OK(dbfs_create(tx, sub, t_name("symlink"), &sym, &ino));
	OK(dbfs_create(tx, sub, t_name("device"), &dev, &ino));
	OK(dbfs_create_anon(tx, &anon, &ino));
	OK(dbfs_unlink(tx, sub, t_name("file-1-7"), NULL));
	t_commit(tx);
}

void hostile_init(void)
{
	const struct dbfs_format_opts fo = {.uuid = {1}};
	const struct dbfs_open_opts oo = {.no_background = true};

	sim_init(1);
	for (unsigned which = 0; which < 2; which++) {
		struct mem_blk m = mem_of(calloc(IMAGE_BLOCKS, BS), IMAGE_BLOCKS, false);
		struct dbfs *db;

		CHECK(m.p != NULL);
		OK(dbfs_format(&m.blk, &fo));
		OK(dbfs_open(&m.blk, &oo, &db));
		populate(db);
		base[which] = malloc((size_t)IMAGE_BLOCKS * BS);
		CHECK(base[which] != NULL);
		if (which == 1) /* as a crash leaves it */
			memcpy(base[1], m.p, (size_t)IMAGE_BLOCKS * BS);
		OK(dbfs_close(db));
		if (which == 0)
			memcpy(base[0], m.p, (size_t)IMAGE_BLOCKS * BS);
		free(m.p);
	}
	sim_fini();
}

/* --- Checksums made right again ------------------------------------------------------------------ */

struct image {
	uint8_t *p;
	uint64_t blocks;
};

static uint8_t *block_at(const struct image *im, uint64_t b)
{
	return im->p + b * BS;
}

static uint32_t crc_without(const uint8_t *block, size_t at)
{
	static const uint8_t zero[4];
	uint32_t crc = base_crc32c(0, block, at);

	crc = base_crc32c(crc, zero, 4);
	return base_crc32c(crc, block + at + 4, BS - at - 4);
}

static void put32(uint8_t *p, uint32_t x)
{
	struct le32 v = le32_of(x);

	memcpy(p, &v, 4);
}

static uint32_t get32(const uint8_t *p)
{
	struct le32 v;

	memcpy(&v, p, 4);
	return le32_get(v);
}

static bool is_page(const uint8_t *b)
{
	return b[4] == 'T' && b[5] < DBFS_TREE_LEVELS_MAX && get32(b) == crc_without(b, 0);
}

static bool is_root(uint64_t block)
{
	return block >= DBFS_BLOCK_ROOT && block < DBFS_BLOCK_ROOT + 4;
}

static void repoint(struct image *im, uint64_t block, uint32_t old, uint32_t now, unsigned depth);

/* The contents of block b changed from a state with these checksums: fix its own and its pointers'. */
static void reseal(struct image *im, uint64_t b, uint32_t old_field, uint32_t old_whole,
		   unsigned depth)
{
	uint8_t *p = block_at(im, b);

	if (is_root(b)) {
		put32(p + 8, crc_without(p, 8));
		return;
	}
	if (p[4] == 'T')
		put32(p, crc_without(p, 0));
	repoint(im, b, old_whole, base_crc32c(0, p, BS), depth);
	if (p[4] == 'T')
		repoint(im, b, old_field, get32(p), depth);
}

/* Every pointer (block, old) becomes (block, now), and its holder is sealed again. */
static void repoint(struct image *im, uint64_t block, uint32_t old, uint32_t now, unsigned depth)
{
	uint8_t want[12];
	struct le64 b = le64_of(block);

	if (old == now || depth > 6)
		return;
	memcpy(want, &b, 8);
	put32(want + 8, old);
	for (uint64_t h = DBFS_BLOCK_ROOT; h < im->blocks; h++) {
		uint8_t *p = block_at(im, h);
		bool held = is_root(h) || is_page(p) || memcmp(p, "DIDX", 4) == 0;
		uint32_t field = get32(p);
		uint32_t whole;
		bool hit = false;

		if (!held)
			continue;
		whole = base_crc32c(0, p, BS);
		for (size_t i = 0; i + 12 <= BS; i++) {
			if (p[i] == want[0] && memcmp(p + i, want, 12) == 0) {
				put32(p + i + 8, now);
				hit = true;
			}
		}
		if (hit)
			reseal(im, h, field, whole, depth + 1);
	}
}

static void patch(uint8_t *p, size_t size, const struct hostile_step *s)
{
	for (unsigned i = 0; i <= s->n % 8u; i++)
		p[(s->off + i) % size] ^= (uint8_t)(s->value >> (8 * i));
}

static void patch_sealed(struct image *im, uint64_t b, const struct hostile_step *s)
{
	uint8_t *p = block_at(im, b);
	uint32_t field = get32(p);
	uint32_t whole = base_crc32c(0, p, BS);
	uint8_t type = p[4];

	patch(p, BS, s);
	if (!is_root(b) && type == 'T')
		p[4] = type; /* still a page, else the change is just another FLIP */
	reseal(im, b, field, whole, 0);
}

static void patch_page(struct image *im, const struct hostile_step *s)
{
	for (uint64_t i = 0; i < im->blocks; i++) {
		uint64_t b = (s->block + i) % im->blocks;

		if (b >= DBFS_BLOCK_LOG && is_page(block_at(im, b))) {
			patch_sealed(im, b, s);
			return;
		}
	}
}

/* An index block, or a bitmap that one points to. */
static void patch_map(struct image *im, const struct hostile_step *s)
{
	for (uint64_t b = DBFS_BLOCK_LOG; b < im->blocks; b++) {
		const struct dbfs_disk_index *x = (const void *)block_at(im, b);
		uint64_t to = b;

		if (memcmp(x->magic, "DIDX", 4) != 0)
			continue;
		if (s->n % 2 != 0)
			to = le64_get(x->chunks[0].block);
		if (to < im->blocks)
			patch_sealed(im, to, s);
	}
}

static void patch_super(struct image *im, const struct hostile_step *s)
{
	for (uint64_t b = 0; b < 2; b++) {
		uint8_t *p = block_at(im, b);
		struct hostile_step in = *s;

		in.off = 12 + s->off % (sizeof(struct dbfs_disk_super) - 12);
		patch(p, BS, &in);
		put32(p + 8, crc_without(p, 8));
	}
}

static void patch_roots(struct image *im, const struct hostile_step *s)
{
	for (uint64_t b = DBFS_BLOCK_ROOT; b < DBFS_BLOCK_ROOT + 4; b++) {
		struct hostile_step in = *s;

		in.off = s->off % 400; /* where something stands */
		if (in.off < 12)
			in.off = 12;
		patch_sealed(im, b, &in);
	}
}

static bool is_group(const struct image *im, uint64_t b)
{
	const struct dbfs_disk_group *g = (const void *)block_at(im, b);

	return memcmp(g->magic, DBFS_GROUP_MAGIC, 4) == 0 &&
	       le32_get(g->bytes) <= (im->blocks - b) * BS &&
	       le32_get(g->bytes) >= sizeof(*g) + DBFS_RECORD_ALIGN;
}

/* All checksums of the group, and what the next ones say of the one before. */
static void seal_group(struct image *im, uint64_t b, const uint32_t *prev)
{
	struct dbfs_disk_group *g = (void *)block_at(im, b);
	uint8_t *p = block_at(im, b);
	size_t bytes = le32_get(g->bytes);
	size_t at = sizeof(*g);
	uint32_t old = le32_get(g->crc);
	uint32_t body = 0;

	while (at + sizeof(struct dbfs_disk_record) <= bytes) {
		struct dbfs_disk_record *r = (void *)(p + at);
		size_t len = MIN((size_t)le32_get(r->len), bytes - at - sizeof(*r));
		uint32_t crc = base_crc32c(0, r + 1, len);

		r->crc = le32_of(base_crc32c(crc, &r->len, sizeof(*r) - 4));
		body = base_crc32c(body, &r->crc, 4);
		at += ALIGN_UP(sizeof(*r) + len, (size_t)DBFS_RECORD_ALIGN);
	}
	g->body_crc = le32_of(body);
	if (prev != NULL)
		g->prev_crc = le32_of(*prev);
	g->crc = le32_of(0);
	g->crc = le32_of(base_crc32c(0, g, sizeof(*g)));
	for (uint64_t n = DBFS_BLOCK_LOG; n < im->blocks; n++) {
		const struct dbfs_disk_group *next = (const void *)block_at(im, n);
		uint32_t now = le32_get(g->crc);

		if (n > b && is_group(im, n) && le32_get(next->prev_crc) == old) {
			seal_group(im, n, &now);
			return;
		}
	}
}

static void patch_log(struct image *im, const struct hostile_step *s)
{
	for (uint64_t i = 0; i < im->blocks; i++) {
		uint64_t b = (s->block + i) % im->blocks;
		struct dbfs_disk_group *g = (void *)block_at(im, b);
		struct hostile_step in = *s;

		if (b < DBFS_BLOCK_LOG || !is_group(im, b))
			continue;
		if (s->kind == HOSTILE_GROUP) {
			in.off = 8 + s->off % (sizeof(*g) - 16);
			patch(block_at(im, b), sizeof(*g), &in);
		} else {
			/* Near the front, where the headers of records and operations are dense. */
			in.off = (uint16_t)(sizeof(*g) + s->off % (s->n > 128 ? 256u : 4000u));
			patch(block_at(im, b), le32_get(g->bytes), &in);
		}
		if (is_group(im, b))
			seal_group(im, b, NULL);
		return;
	}
}

/* --- Records of the file system, through the engine ------------------------------------------------ */

static uint32_t bucket_of(const struct hostile_step *s)
{
	return DBFS_BUCKET_FS_FIRST + (uint32_t)(s->value % 8);
}

struct copy {
	uint8_t key[DBFS_KEY_MAX + 8];
	uint8_t val[8192];
	struct dbfs_key k;
	size_t vlen;
};

/* The index-th record of a bucket (counted round), or false. */
static bool pick(struct dbfs_tx *tx, uint32_t bucket, size_t index, struct copy *out, size_t *total)
{
	struct dbfs_cursor *c;
	size_t n = 0;
	bool found = false;

	OK(dbfs_cursor_open(tx, (struct dbfs_key){bucket, 0, ""},
			    (struct dbfs_key){bucket + 1, 0, ""}, 0, &c));
	while (dbfs_cursor_next(c) == 0) {
		struct dbfs_val v;

		if (n++ != index)
			continue;
		out->k = dbfs_cursor_key(c);
		memcpy(out->key, out->k.p, out->k.len);
		out->k.p = out->key;
		OK(dbfs_cursor_value(c, &v));
		out->vlen = MIN(v.len, sizeof(out->val));
		memcpy(out->val, v.p, out->vlen);
		found = true;
	}
	dbfs_cursor_close(c);
	*total = n;
	return found;
}

static void change_record(struct dbfs_tx *tx, const struct hostile_step *s, struct copy *r)
{
	struct hostile_step in = *s;

	in.value = s->value >> 8 | 1;
	if (s->kind != HOSTILE_VALUE)
		OK(dbfs_txn_delete(tx, r->k));
	if (s->kind == HOSTILE_DELETE)
		return;
	if (s->kind == HOSTILE_MOVE) {
		if (r->k.len > 0)
			patch(r->key, r->k.len, &in);
		if (s->off % 16 == 0)
			r->k.len = s->n % 40u;
	} else if (s->off % 16 == 0) {
		r->vlen = s->n; /* another length */
	} else if (r->vlen > 0) {
		in.off = (uint16_t)(s->off % r->vlen);
		patch(r->val, r->vlen, &in);
	}
	OK(dbfs_txn_put(tx, r->k, (struct dbfs_val){r->val, r->vlen}));
}

static void change_through_engine(struct image *im, const struct hostile_step *s)
{
	const struct dbfs_open_opts oo = {.no_background = true};
	const struct dbfs_tx_opts to = {DBFS_TX_LOCKING, DBFS_SYNC, 0};
	struct mem_blk m = mem_of(im->p, im->blocks, false);
	static struct copy r;
	struct dbfs_tx *tx;
	struct dbfs *db;
	size_t total;

	if (dbfs_open(&m.blk, &oo, &db) != 0)
		return; /* an earlier step */
	if (dbfs_tx_begin(db, &to, &tx) == 0) {
		bool there = pick(tx, bucket_of(s), SIZE_MAX, &r, &total);

		if (total > 0)
			there = pick(tx, bucket_of(s), s->block % total, &r, &total);
		/* Counters are the engine's own form; a put over them is a rule of txn.h. */
		if (there && (bucket_of(s) != DBFS_BUCKET_COUNTERS || s->kind == HOSTILE_DELETE))
			change_record(tx, s, &r);
		if (dbfs_tx_commit(tx) != 0)
			there = false;
	}
	if (dbfs_close(db) != 0)
		return;
}

size_t hostile_records(uint32_t bucket)
{
	const struct dbfs_open_opts oo = {.no_background = true, .read_only = true};
	const struct dbfs_tx_opts to = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};
	struct mem_blk m = mem_of(base[0], IMAGE_BLOCKS, true);
	static struct copy r;
	struct dbfs_tx *tx;
	struct dbfs *db;
	size_t total;

	sim_init(1);
	OK(dbfs_open(&m.blk, &oo, &db));
	OK(dbfs_tx_begin(db, &to, &tx));
	pick(tx, bucket, SIZE_MAX, &r, &total);
	dbfs_tx_rollback(tx);
	OK(dbfs_close(db));
	sim_fini();
	return total;
}

static void apply(struct image *im, const struct hostile_step *s)
{
	uint64_t b = s->block % im->blocks;

	switch ((enum hostile_kind)(s->kind % HOSTILE_KINDS)) {
	case HOSTILE_FLIP:
		patch(block_at(im, b), BS, s);
		return;
	case HOSTILE_ZERO:
		memset(block_at(im, b), 0, BS);
		return;
	case HOSTILE_COPY:
		memmove(block_at(im, b), block_at(im, s->value % im->blocks), BS);
		return;
	case HOSTILE_CUT:
		im->blocks = b + 1;
		return;
	case HOSTILE_PAGE:
		patch_page(im, s);
		return;
	case HOSTILE_SUPER:
		if (im->blocks > 2)
			patch_super(im, s);
		return;
	case HOSTILE_ROOT:
		if (im->blocks > DBFS_BLOCK_LOG)
			patch_roots(im, s);
		return;
	case HOSTILE_MAP:
		patch_map(im, s);
		return;
	case HOSTILE_RECORD:
	case HOSTILE_GROUP:
		patch_log(im, s);
		return;
	case HOSTILE_VALUE:
	case HOSTILE_DELETE:
	case HOSTILE_MOVE:
		change_through_engine(im, s);
		return;
	case HOSTILE_KINDS:
		return;
	}
}

/* --- Using it -------------------------------------------------------------------------------------- */

struct walk {
	struct dbfs_tx *tx;
	struct dbfs_ino todo[WALK_MAX];
	unsigned count;
};

static int walk_entry(void *arg, const struct dbfs_dirent *e)
{
	struct walk *w = arg;

	if (w->count == WALK_MAX)
		return 1;
	w->todo[w->count++] = e->ino;
	return 0;
}

static int walk_xattr(void *arg, struct dbfs_name name)
{
	(void)arg;
	return name.len > 0 ? 0 : 1;
}

static int count_line(void *unused, const char *line)
{
	(void)unused;
	return (int)strlen(line);
}

static void print_line(void *arg, const char *line)
{
	*(uint64_t *)arg += (uint64_t)count_line(NULL, line);
}

/* The calls' results do not matter: that they return does. */
static void use(int result)
{
	(void)result;
}

static void walk_tree(struct dbfs_tx *tx)
{
	static struct walk w;
	static uint8_t buf[64 * 1024];

	w = (struct walk){.tx = tx, .todo = {DBFS_ROOT_INO}, .count = 1};
	for (unsigned i = 0; i < w.count; i++) {
		struct dbfs_ino ino = w.todo[i];
		struct dbfs_attr a = {.size = 0};
		uint64_t at = 0;
		size_t done;
		size_t len = sizeof(buf);

		use(dbfs_getattr(tx, ino, &a));
		use(dbfs_readdir(tx, ino, 0, walk_entry, &w));
		use(dbfs_read(tx, ino, 0, buf, sizeof(buf), &done));
		use(dbfs_read(tx, ino, a.size - MIN(a.size, (uint64_t)5000), buf + 1, 6000, &done));
		use(dbfs_seek(tx, ino, 0, true, &at));
		use(dbfs_seek(tx, ino, at, false, &at));
		use(dbfs_readlink(tx, ino, (char *)buf, &len));
		use(dbfs_listxattr(tx, ino, walk_xattr, &w));
		len = sizeof(buf);
		use(dbfs_getxattr(tx, ino, t_name("user.attribute"), buf, &len));
	}
}

static void look(struct image *im, struct hostile_result *out)
{
	const struct dbfs_open_opts oo = {.no_background = true, .read_only = true};
	const struct dbfs_tx_opts to = {DBFS_TX_READ_ONLY, DBFS_NOSYNC, 0};
	const struct dbfs_check_opts co = {.data = true};
	struct mem_blk m = mem_of(im->p, im->blocks, true);
	struct dbfs_check_result r;
	struct dbfs_tx *tx;
	struct dbfs *db;
	uint64_t chars = 0;

	out->opened = dbfs_open(&m.blk, &oo, &db) == 0;
	if (!out->opened)
		return;
	use(dbfs_fs_mount(db));
	out->checked = dbfs_check(db, &co, &r) == 0;
	if (out->checked) {
		out->findings = r.findings;
		out->blocks = r.tree_pages + r.data_blocks;
	}
	if (dbfs_tx_begin(db, &to, &tx) == 0) {
		walk_tree(tx);
		use(dbfs_check_dump(tx, 0, print_line, &chars));
		dbfs_tx_rollback(tx);
	}
	use(dbfs_close(db));
}

static void change_some(struct dbfs_tx *tx)
{
	static struct walk w;
	static uint8_t data[3 * BS];
	const struct dbfs_attr small = {.size = 5};
	struct dbfs_ino ino;

	w = (struct walk){.tx = tx};
	use(dbfs_readdir(tx, DBFS_ROOT_INO, 0, walk_entry, &w));
	for (unsigned i = 0; i < MIN(w.count, 30u); i++) {
		ino = w.todo[i];
		use(dbfs_write(tx, ino, 100, data, sizeof(data)));
		use(dbfs_setattr(tx, ino, DBFS_SET_SIZE, &small));
		use(dbfs_fallocate(tx, ino, DBFS_FALLOC_ZERO_RANGE, 10, 9000));
		use(dbfs_link(tx, ino, DBFS_ROOT_INO, t_name("another")));
		use(dbfs_rename(tx, DBFS_ROOT_INO, t_name("another"), ino, t_name("x"), 0));
		use(dbfs_removexattr(tx, ino, t_name("user.attribute")));
		use(dbfs_unlink(tx, DBFS_ROOT_INO, t_name("another"), NULL));
	}
	use(dbfs_unlink(tx, DBFS_ROOT_INO, t_name("file-0-5"), NULL));
	use(dbfs_rename(tx, DBFS_ROOT_INO, t_name("sub"), DBFS_ROOT_INO, t_name("bus"), 0));
	use(dbfs_rmdir(tx, DBFS_ROOT_INO, t_name("bus"), NULL));
	if (dbfs_lookup(tx, DBFS_ROOT_INO, t_name("bus"), &ino) == 0) {
		use(dbfs_unlink(tx, ino, t_name("file-1-1"), NULL));
		use(dbfs_rename(tx, ino, t_name("deep"), DBFS_ROOT_INO, t_name("deep"), 0));
		use(dbfs_rename(tx, DBFS_ROOT_INO, t_name("deep"), ino, t_name("file-1-2"), 2));
	}
}

static void change(struct image *im)
{
	const struct dbfs_open_opts oo = {.no_background = true};
	const struct dbfs_tx_opts to = {DBFS_TX_LOCKING, DBFS_SYNC, 0};
	struct mem_blk m = mem_of(im->p, im->blocks, false);
	struct dbfs_tx *tx;
	struct dbfs *db;

	if (dbfs_open(&m.blk, &oo, &db) != 0)
		return;
	use(dbfs_fs_mount(db));
	if (dbfs_tx_begin(db, &to, &tx) == 0) {
		change_some(tx);
		use(dbfs_tx_commit(tx));
	}
	use(dbfs_checkpoint(db));
	use(dbfs_close(db));
}

struct hostile_result hostile_run(unsigned which, const struct hostile_step *steps, size_t n)
{
	struct hostile_result r = {0};
	struct image im = {malloc((size_t)IMAGE_BLOCKS * BS), IMAGE_BLOCKS};

	CHECK(im.p != NULL);
	memcpy(im.p, base[which % 2], (size_t)IMAGE_BLOCKS * BS);
	sim_init(7);
	for (size_t i = 0; i < n; i++)
		apply(&im, &steps[i]);
	look(&im, &r);
	change(&im);
	sim_fini(); /* nothing leaked */
	free(im.p);
	return r;
}
