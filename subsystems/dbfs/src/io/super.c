/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The superblock (written once, by format) and the two root slots, each stored twice. */
#include "io/io.h"

#include "base/mem.h"
#include "base/overflow.h"
#include "port/log.h"

static int check_super(const struct dbfs_io *io, const struct dbfs_disk_super *d)
{
	uint64_t total = le64_get(d->total_blocks);
	uint64_t log_start = le64_get(d->log_start);
	uint64_t log_blocks = le64_get(d->log_blocks);
	uint64_t data_start = le64_get(d->data_start);

	if (memcmp(d->magic, DBFS_SUPER_MAGIC, sizeof(d->magic)) != 0)
		return -DBFS_EFORMAT;
	if (dbfs_io_block_crc(d, offsetof(struct dbfs_disk_super, crc)) != le32_get(d->crc))
		return -DBFS_ECORRUPT;
	if (le32_get(d->version) != DBFS_FORMAT_VERSION || le32_get(d->flags) != 0) {
		port_log(PORT_LOG_ERROR, "dbfs: format version %u flags %x: this program knows %u",
			 (unsigned)le32_get(d->version), (unsigned)le32_get(d->flags),
			 DBFS_FORMAT_VERSION);
		return -DBFS_EFORMAT;
	}
	if (le32_get(d->block_size) != DBFS_BLOCK_SIZE || total > DBFS_BLOCKS_MAX ||
	    log_start < DBFS_BLOCK_LOG || log_blocks < DBFS_LOG_MIN_BLOCKS ||
	    log_blocks > UINT32_MAX || !range_fits(log_start, log_blocks, total) ||
	    data_start < log_start + log_blocks || data_start >= total)
		return -DBFS_ECORRUPT;
	if (total > io->blocks) {
		port_log(PORT_LOG_ERROR, "dbfs: the volume has %llu blocks but the device %llu",
			 (unsigned long long)total, (unsigned long long)io->blocks);
		return -DBFS_EFORMAT;
	}
	return 0;
}

int dbfs_super_read(struct dbfs_io *io, struct dbfs_super *out, void *buf)
{
	const struct dbfs_disk_super *d = buf;
	int err = -DBFS_EFORMAT;

	if (io->blocks < DBFS_BLOCK_LOG)
		return -DBFS_EFORMAT;
	for (unsigned copy = 0; copy < 2; copy++) {
		int e = dbfs_io_read(io, DBFS_BLOCK_SUPER + copy, buf, 1);

		if (!e)
			e = check_super(io, d);
		if (!e) {
			memcpy(out->uuid, d->uuid, sizeof(out->uuid));
			memcpy(out->label, d->label, sizeof(out->label));
			memcpy(out->secret, d->secret, sizeof(out->secret));
			out->total_blocks = le64_get(d->total_blocks);
			out->log_start = le64_get(d->log_start);
			out->log_blocks = le64_get(d->log_blocks);
			out->data_start = le64_get(d->data_start);
			return 0;
		}
		/* "Not DBFS at all" is what is said only if neither copy looks like it. */
		if (e != -DBFS_EFORMAT || copy == 0)
			err = e;
	}
	return err;
}

int dbfs_super_write(struct dbfs_io *io, const struct dbfs_super *s, void *buf)
{
	struct dbfs_disk_super *d = buf;
	struct port_iov iov[2] = {{buf, DBFS_BLOCK_SIZE}, {buf, DBFS_BLOCK_SIZE}};

	memset(buf, 0, DBFS_BLOCK_SIZE);
	memcpy(d->magic, DBFS_SUPER_MAGIC, sizeof(d->magic));
	d->version = le32_of(DBFS_FORMAT_VERSION);
	memcpy(d->uuid, s->uuid, sizeof(d->uuid));
	memcpy(d->label, s->label, sizeof(d->label));
	memcpy(d->secret, s->secret, sizeof(d->secret));
	d->block_size = le32_of(DBFS_BLOCK_SIZE);
	d->total_blocks = le64_of(s->total_blocks);
	d->log_start = le64_of(s->log_start);
	d->log_blocks = le64_of(s->log_blocks);
	d->data_start = le64_of(s->data_start);
	d->crc = le32_of(dbfs_io_block_crc(d, offsetof(struct dbfs_disk_super, crc)));
	return dbfs_io_writev(io, DBFS_BLOCK_SUPER, iov, 2);
}

/* Fields that later code uses as sizes are checked here, once. */
static bool root_is_valid(const struct dbfs_disk_root *r, const struct dbfs_super *s)
{
	uint64_t chunks = (s->total_blocks + DBFS_CHUNK_BLOCKS - 1) / DBFS_CHUNK_BLOCKS;
	uint64_t from = 0;

	if (memcmp(r->magic, DBFS_ROOT_MAGIC, sizeof(r->magic)) != 0 ||
	    dbfs_io_block_crc(r, offsetof(struct dbfs_disk_root, crc)) != le32_get(r->crc))
		return false;
	if (le32_get(r->nsalts) < 1 || le32_get(r->nsalts) > DBFS_ROOT_SALTS ||
	    le32_get(r->nindexes) != (chunks + DBFS_INDEX_ENTRIES - 1) / DBFS_INDEX_ENTRIES ||
	    le32_get(r->tree.aux) > DBFS_TREE_LEVELS_MAX ||
	    le64_get(r->log_lsn) % DBFS_BLOCK_SIZE != 0 || le64_get(r->log_lsn) > INT64_MAX ||
	    le64_get(r->log_seq) > INT64_MAX || le64_get(r->last_ts) > INT64_MAX ||
	    le64_get(r->generation) > INT64_MAX || le64_get(r->next_id) > INT64_MAX ||
	    le64_get(r->tree_pages) > s->total_blocks)
		return false;
	for (uint32_t i = 0; i < le32_get(r->nsalts); i++) {
		if (le64_get(r->salts[i].from_seq) < from)
			return false;
		from = le64_get(r->salts[i].from_seq);
	}
	return le64_get(r->salts[0].from_seq) <= le64_get(r->log_seq);
}

int dbfs_root_read(struct dbfs_io *io, const struct dbfs_super *s, struct dbfs_disk_root *root,
		   void *scratch, unsigned *slot)
{
	const struct dbfs_disk_root *r = scratch;
	bool found = false;
	int err = -DBFS_ECORRUPT;

	for (unsigned i = 0; i < 4; i++) {
		int e = dbfs_io_read_stable(io, DBFS_BLOCK_ROOT + i, scratch, 1);

		if (e) {
			err = e;
			continue;
		}
		if (!root_is_valid(r, s))
			continue;
		if (found && le64_get(r->generation) <= le64_get(root->generation))
			continue;
		memcpy(root, scratch, DBFS_BLOCK_SIZE);
		*slot = i / 2;
		found = true;
	}
	if (!found)
		port_log(PORT_LOG_ERROR, "dbfs: none of the four roots (blocks 2 to 5) is valid");
	return found ? 0 : err;
}

int dbfs_root_write(struct dbfs_io *io, struct dbfs_disk_root *root, unsigned slot)
{
	struct port_iov iov[2] = {{root, DBFS_BLOCK_SIZE}, {root, DBFS_BLOCK_SIZE}};

	memcpy(root->magic, DBFS_ROOT_MAGIC, sizeof(root->magic));
	root->crc = le32_of(dbfs_io_block_crc(root, offsetof(struct dbfs_disk_root, crc)));
	return dbfs_io_writev(io, DBFS_BLOCK_ROOT + 2 * slot, iov, 2);
}
