/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The simulated disk (sim/disk.h): puts power, faults and the scheduler between a port block device
 * and the crash model.
 *
 * The life of a call: it is counted, a fault and the planned cut are looked for; pause_in() gives
 * others the processor (or takes virtual time); then the call acts, unless the power failed
 * meanwhile. epoch counts the cuts: a call that began before one must not touch the model
 * afterwards, for its write is gone (or landed) with the cut. No lock: only the thread with the
 * baton runs, and between the scheduling points nobody else does.
 *
 *   DISK-1  while off, nothing reaches the model but the cut itself.
 *   DISK-2  a call of an earlier epoch fails with EIO.
 */
#include "sim/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/overflow.h"
#include "port/errors.h"
#include "port/thread.h"
#include "sim/sim.h"

#define FAULTS_MAX 16
#define PAGE 4096u

struct sim_disk {
	struct port_blk blk;
	struct sim_model *model;
	struct sim_prng prng; /* latencies, damage, partial transfers */
	int base_fd;          /* of sim_disk_load, else -1; a clone has its own */
	bool off;
	bool drop_flushes;
	bool locked;
	uint64_t epoch;  /* cuts so far */
	uint64_t cut_at; /* the value of changes that meets the cut; 0: none */
	enum sim_cut_mode cut_mode;
	uint64_t cut_seed;
	uint64_t changes;
	uint64_t latency;
	uint64_t hits;
	unsigned fault_count;
	struct sim_fault faults[FAULTS_MAX]; /* nth counts down; 0: spent */
	struct sim_disk_counts counts;
};

static struct sim_disk *disk_of(struct port_blk *dev)
{
	return container_of(dev, struct sim_disk, blk);
}

/* The host has no memory: no property of the program under test. */
static void must(int err, const char *what)
{
	if (err)
		sim_fail("simulated disk: %s: error %d", what, err);
}

/* --- Faults and power --- */

static bool fault_matches(const struct sim_fault *f, enum sim_op op, uint64_t off, uint64_t len)
{
	if (f->nth == 0 || !(f->ops & op))
		return false;
	return op == SIM_OP_FLUSH || f->to == 0 || (off < f->to && off + len > f->from);
}

/* Counts the call against all faults. Gives the effect of the first that is due. */
static bool next_fault(struct sim_disk *d, enum sim_op op, uint64_t off, uint64_t len,
		       enum sim_effect *effect)
{
	bool hit = false;

	for (unsigned i = 0; i < d->fault_count; i++) {
		struct sim_fault *f = &d->faults[i];

		if (!fault_matches(f, op, off, len))
			continue;
		if (f->nth > 1) {
			f->nth--;
			continue;
		}
		if (!f->sticky)
			f->nth = 0;
		if (!hit)
			*effect = f->effect;
		hit = true;
	}
	d->hits += hit;
	return hit;
}

void sim_disk_fault(struct sim_disk *d, const struct sim_fault *fault)
{
	if (d->fault_count == FAULTS_MAX)
		sim_fail("more than %d faults on one disk", FAULTS_MAX);
	d->faults[d->fault_count] = *fault;
	if (fault->nth == 0)
		d->faults[d->fault_count].nth = 1;
	d->fault_count++;
}

void sim_disk_faults_clear(struct sim_disk *d)
{
	d->fault_count = 0;
}

uint64_t sim_disk_faults_hit(const struct sim_disk *d)
{
	return d->hits;
}

void sim_disk_drop_flushes(struct sim_disk *d, bool on)
{
	d->drop_flushes = on;
}

void sim_disk_cut(struct sim_disk *d)
{
	if (d->off)
		return;
	d->off = true;
	d->epoch++;
}

void sim_disk_cut_at(struct sim_disk *d, uint64_t nth)
{
	d->cut_at = nth ? d->changes + nth : 0;
}

uint64_t sim_disk_changes(const struct sim_disk *d)
{
	return d->changes;
}

bool sim_disk_is_off(const struct sim_disk *d)
{
	return d->off;
}

void sim_disk_cut_mode(struct sim_disk *d, enum sim_cut_mode mode)
{
	d->cut_mode = mode;
}

void sim_disk_cut_seed(struct sim_disk *d, uint64_t seed)
{
	d->cut_seed = seed;
}

void sim_disk_reboot(struct sim_disk *d, struct sim_cut_report *report)
{
	sim_disk_cut(d);
	must(sim_model_cut(d->model, d->cut_mode, d->cut_seed++, report), "power cut");
	d->off = false;
	d->locked = false;
	d->cut_at = 0;
}

/* --- The calls --- */

/* Does the planned cut hit this change? */
static bool cut_is_due(struct sim_disk *d)
{
	return ++d->changes == d->cut_at;
}

static void pause_in(struct sim_disk *d)
{
	if (d->latency)
		port_thread_sleep(sim_prng_range(&d->prng, 1, d->latency));
	else
		sim_point();
}

static uint64_t length_of(const struct port_iov *iov, unsigned n)
{
	uint64_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += iov[i].len;
	return len;
}

/* The contract's preconditions; gives the length. */
static uint64_t check_call(const struct sim_disk *d, const char *op, uint64_t off,
			   const struct port_iov *iov, unsigned n)
{
	uint64_t len = length_of(iov, n);

	if ((off | len) % PORT_BLK_ALIGN || !range_fits(off, len, d->blk.size))
		sim_fail("%s: %s of %llu bytes at %llu: misaligned or outside the device",
			 d->blk.name, op, (unsigned long long)len, (unsigned long long)off);
	for (unsigned i = 0; i < n; i++) {
		if ((uintptr_t)iov[i].base % 16)
			sim_fail("%s: %s: buffer %u is not aligned to 16 bytes", d->blk.name, op,
				 i);
	}
	return len;
}

typedef int read_fn(struct sim_model *m, uint64_t off, void *buf, size_t len);

static int read_with(struct sim_disk *d, read_fn *fn, uint64_t off, const struct port_iov *iov,
		     unsigned n)
{
	uint64_t len = check_call(d, "read", off, iov, n);
	enum sim_effect effect;
	uint64_t epoch = d->epoch;
	bool hit;

	d->counts.reads++;
	d->counts.read_bytes += len;
	hit = next_fault(d, SIM_OP_READ, off, len, &effect);
	pause_in(d);
	if (d->off || d->epoch != epoch || (hit && effect == SIM_EFFECT_EIO))
		return -PORT_EIO; /* DISK-2 */
	for (unsigned i = 0; i < n; i++) {
		if (hit && effect == SIM_EFFECT_LIE)
			memset(iov[i].base, 0, iov[i].len);
		else
			must(fn(d->model, off, iov[i].base, iov[i].len), "read");
		off += iov[i].len;
	}
	if (hit && effect == SIM_EFFECT_FLIP && n > 0 && iov[0].len > 0) {
		uint64_t bit = sim_prng_below(&d->prng, iov[0].len * 8);

		((uint8_t *)iov[0].base)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	return 0;
}

static int disk_readv(struct port_blk *dev, uint64_t off, const struct port_iov *iov, unsigned n)
{
	return read_with(disk_of(dev), sim_model_read, off, iov, n);
}

static int disk_readv_stable(struct port_blk *dev, uint64_t off, const struct port_iov *iov,
			     unsigned n)
{
	return read_with(disk_of(dev), sim_model_read_stable, off, iov, n);
}

static void *gather(const struct port_iov *iov, unsigned n, uint64_t len)
{
	uint8_t *buf = malloc(len ? len : 1);
	uint64_t done = 0;

	if (!buf)
		sim_fail("simulated disk: no memory");
	for (unsigned i = 0; i < n; i++) {
		memcpy(buf + done, iov[i].base, iov[i].len);
		done += iov[i].len;
	}
	return buf;
}

/* A write of buf (NULL: zeros) that meets whatever is planned. */
static int change(struct sim_disk *d, enum sim_op op, uint64_t off, const void *buf, uint64_t len)
{
	struct sim_model_io *io = NULL;
	enum sim_effect effect = SIM_EFFECT_EIO;
	bool hit = next_fault(d, op, off, len, &effect);
	bool cut = cut_is_due(d);
	uint64_t epoch = d->epoch;
	uint64_t part = len;

	if (hit && effect == SIM_EFFECT_EIO)
		part = sim_prng_below(&d->prng, len / SIM_SECTOR + 1) * SIM_SECTOR;
	if (hit && effect == SIM_EFFECT_LIE)
		part = 0;
	if (!d->off && part > 0) /* DISK-1 */
		must(sim_model_write_begin(d->model, off, buf, part, &io), "write");
	pause_in(d);
	if (cut)
		sim_disk_cut(d);
	if (d->off || d->epoch != epoch)
		return -PORT_EIO; /* io landed or was lost with the cut */
	if (io)
		must(sim_model_write_end(d->model, io), "write");
	sim_point();
	return hit && effect == SIM_EFFECT_EIO ? -PORT_EIO : 0;
}

static int disk_writev(struct port_blk *dev, uint64_t off, const struct port_iov *iov, unsigned n)
{
	struct sim_disk *d = disk_of(dev);
	uint64_t len = check_call(d, "write", off, iov, n);
	void *buf;
	int err;

	d->counts.writes++;
	if (dev->read_only)
		return -PORT_EROFS;
	d->counts.write_bytes += len;
	buf = gather(iov, n, len);
	err = change(d, SIM_OP_WRITE, off, buf, len);
	free(buf);
	return err;
}

/* Afterwards the contents are undefined: by seed what they were, zeros, or garbage. */
static int disk_discard(struct port_blk *dev, uint64_t off, uint64_t len)
{
	struct sim_disk *d = disk_of(dev);
	uint64_t kind = sim_prng_below(&d->prng, 3);
	uint8_t *buf = NULL;
	int err;

	if ((off | len) % PORT_BLK_ALIGN || !range_fits(off, len, dev->size))
		sim_fail("%s: discard of %llu bytes at %llu: misaligned or outside the device",
			 dev->name, (unsigned long long)len, (unsigned long long)off);
	d->counts.discards++;
	if (dev->read_only)
		return -PORT_EROFS;
	if (kind == 2 && len > 0) {
		buf = malloc(len);
		if (!buf)
			sim_fail("simulated disk: no memory");
		memset(buf, 0xdd, len);
	}
	err = change(d, SIM_OP_DISCARD, off, buf, kind ? len : 0);
	free(buf);
	return err;
}

static int disk_flush(struct port_blk *dev)
{
	struct sim_disk *d = disk_of(dev);
	uint64_t mark = sim_model_flush_begin(d->model);
	uint64_t epoch = d->epoch;
	enum sim_effect effect = SIM_EFFECT_EIO;
	bool hit = next_fault(d, SIM_OP_FLUSH, 0, 0, &effect);
	bool cut = cut_is_due(d);

	d->counts.flushes++;
	pause_in(d);
	if (cut)
		sim_disk_cut(d);
	if (d->off || d->epoch != epoch)
		return -PORT_EIO; /* DISK-2 */
	if (hit && effect == SIM_EFFECT_EIO) {
		must(sim_model_flush_fail(d->model, mark, sim_prng_next(&d->prng)), "flush");
		return -PORT_EIO;
	}
	if (!hit && !d->drop_flushes)
		must(sim_model_flush_end(d->model, mark), "flush");
	sim_point();
	return 0;
}

static int disk_lock(struct port_blk *dev)
{
	struct sim_disk *d = disk_of(dev);

	if (d->locked)
		return -PORT_EBUSY;
	d->locked = true;
	return 0;
}

static void disk_close(struct port_blk *dev)
{
	disk_of(dev)->locked = false;
}

static const struct port_blk_ops disk_ops = {
	.readv = disk_readv,
	.writev = disk_writev,
	.flush = disk_flush,
	.discard = disk_discard,
	.readv_stable = disk_readv_stable,
	.lock_exclusive = disk_lock,
	.close = disk_close,
};

/* --- Life --- */

static struct sim_disk *new_disk(const char *name, uint64_t size, uint64_t seed)
{
	struct sim_disk *d = calloc(1, sizeof(*d));

	if (!d)
		sim_fail("simulated disk: no memory");
	if (size == 0 || size % PORT_BLK_ALIGN)
		sim_fail("%s: a disk of %llu bytes", name, (unsigned long long)size);
	d->blk.ops = &disk_ops;
	d->blk.size = size;
	d->blk.name = name;
	d->prng = sim_prng_of(seed);
	d->base_fd = -1;
	d->cut_seed = seed;
	return d;
}

struct sim_disk *sim_disk_create(const char *name, uint64_t size, uint64_t seed)
{
	struct sim_disk *d = new_disk(name, size, seed);

	must(sim_model_create(size, NULL, &d->model), "create");
	return d;
}

static int read_file(void *ctx, uint64_t off, void *buf, size_t len)
{
	int fd = (int)(intptr_t)ctx;
	uint8_t *out = buf;

	while (len > 0) {
		ssize_t n = pread(fd, out, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -PORT_EIO;
		out += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

struct sim_disk *sim_disk_load(const char *name, const char *path, uint64_t seed)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct sim_model_base base = {read_file, (void *)(intptr_t)fd};
	struct sim_disk *d;
	struct stat st;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size < (off_t)PAGE) {
		close(fd);
		return NULL;
	}
	d = new_disk(name, ALIGN_DOWN((uint64_t)st.st_size, (uint64_t)PAGE), seed);
	d->base_fd = fd;
	must(sim_model_create(d->blk.size, &base, &d->model), "load");
	return d;
}

struct sim_disk *sim_disk_clone(struct sim_disk *d, uint64_t seed)
{
	struct sim_disk *c = new_disk(d->blk.name, d->blk.size, seed);

	if (d->base_fd >= 0)
		sim_fail("%s: a disk made by sim_disk_load cannot be cloned", d->blk.name);
	must(sim_model_clone(d->model, &c->model), "clone");
	return c;
}

void sim_disk_destroy(struct sim_disk *d)
{
	if (!d)
		return;
	sim_model_destroy(d->model);
	if (d->base_fd >= 0)
		close(d->base_fd);
	free(d);
}

struct port_blk *sim_disk_blk(struct sim_disk *d)
{
	return &d->blk;
}

static bool all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i])
			return false;
	}
	return true;
}

int sim_disk_save(struct sim_disk *d, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	uint8_t *page = malloc(PAGE);
	int err = 0;

	if (!page)
		sim_fail("simulated disk: no memory");
	if (fd < 0) {
		free(page);
		return -errno;
	}
	if (ftruncate(fd, (off_t)d->blk.size))
		err = -errno;
	for (uint64_t off = 0; !err && off < d->blk.size; off += PAGE) {
		err = sim_model_read_durable(d->model, off, page, PAGE);
		if (!err && !all_zero(page, PAGE) &&
		    pwrite(fd, page, PAGE, (off_t)off) != (ssize_t)PAGE)
			err = errno ? -errno : -PORT_EIO;
	}
	if (close(fd) && !err)
		err = -errno;
	free(page);
	return err;
}

/* --- Damage, looks, switches --- */

void sim_disk_peek(struct sim_disk *d, uint64_t off, void *buf, size_t len)
{
	must(sim_model_read(d->model, off, buf, len), "peek");
}

void sim_disk_poke(struct sim_disk *d, uint64_t off, const void *buf, size_t len)
{
	must(sim_model_poke(d->model, off, buf, len), "poke");
}

void sim_disk_rot(struct sim_disk *d, uint64_t off, uint64_t len, unsigned bits)
{
	uint8_t sector[SIM_SECTOR];

	while (bits-- > 0) {
		uint64_t bit = sim_prng_below(&d->prng, len * 8);
		uint64_t at = off + bit / 8;

		sim_disk_peek(d, ALIGN_DOWN(at, (uint64_t)SIM_SECTOR), sector, SIM_SECTOR);
		sector[at % SIM_SECTOR] ^= (uint8_t)(1u << bit % 8);
		sim_disk_poke(d, ALIGN_DOWN(at, (uint64_t)SIM_SECTOR), sector, SIM_SECTOR);
	}
}

void sim_disk_latency(struct sim_disk *d, uint64_t ns)
{
	d->latency = ns;
}

void sim_disk_read_only(struct sim_disk *d, bool on)
{
	d->blk.read_only = on;
}

void sim_disk_counts(const struct sim_disk *d, struct sim_disk_counts *out)
{
	*out = d->counts;
	out->unflushed = sim_model_unflushed(d->model);
}
