/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * mkfs.dbfs SIZE IMAGE [--from DIR|TAR]...: makes an image and fills it.
 *
 * A regular file that holds something else than nothing, zeros or a DBFS image, and a device that holds
 * anything, is overwritten only with --force. An image that could not be finished is removed if
 * it was made here.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port/posix.h"
#include "tools/import.h"

#define FILES_PER_BATCH 256
#define PROBE_BYTES ((size_t)128 << 10)
#define CACHE_BYTES ((size_t)64 << 20)

struct options {
	const char *size_text;
	const char *image;
	uint64_t size;
	const char **from;
	unsigned nfrom;
	const char *label;
	uint64_t log_bytes;
	bool force;
	bool quiet;
};

static const struct argp_option argp_opts[] = {
	{"from", 'f', "DIR|TAR", 0,
	 "Fill the image from a directory or a tar (- is stdin); may be given several times", 0},
	{"label", 'L', "NAME", 0, "Volume label, at most 31 bytes", 0},
	{"log-size", 'l', "SIZE", 0, "Size of the log (default: chosen from SIZE)", 0},
	{"force", 'F', NULL, 0, "Overwrite whatever IMAGE holds", 0},
	{"quiet", 'q', NULL, 0, "No progress and no summary", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'f':
		o->from[o->nfrom++] = arg;
		return 0;
	case 'L':
		if (strlen(arg) > 31)
			argp_error(state, "the label has more than 31 bytes");
		o->label = arg;
		return 0;
	case 'l':
		if (!tool_parse_size(arg, &o->log_bytes) || o->log_bytes == 0)
			argp_error(state, "not a size: %s", arg);
		return 0;
	case 'F':
		o->force = true;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "too many arguments: %s", arg);
		*(state->arg_num == 0 ? &o->size_text : &o->image) = arg;
		return 0;
	case ARGP_KEY_END:
		if (state->arg_num < 2)
			argp_error(state, "SIZE and IMAGE are needed");
		if (!tool_parse_size(o->size_text, &o->size) || o->size < DBFS_BLOCK_SIZE)
			argp_error(state, "not a size: %s", o->size_text);
		o->size -= o->size % DBFS_BLOCK_SIZE;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = argp_opts,
	.parser = parse,
	.args_doc = "SIZE IMAGE",
	.doc = "Make a DBFS file system of SIZE bytes (K, M, G, T allowed) in the file or device "
	       "IMAGE.",
};

/* May IMAGE be overwritten? Says why not. */
static bool may_overwrite(const struct options *o, bool *existed)
{
	static const char magic[] = "DBFSvol";
	struct stat st;
	uint8_t *head;
	bool zero = true;
	ssize_t n;
	int fd;

	*existed = stat(o->image, &st) == 0;
	if (!*existed || o->force)
		return true;
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		tool_error(o->image, "neither a file nor a block device");
		return false;
	}
	fd = open(o->image, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		tool_errno(o->image);
		return false;
	}
	head = tool_alloc(PROBE_BYTES);
	n = read(fd, head, PROBE_BYTES);
	close(fd);
	if (n < 0)
		tool_errno(o->image);
	for (ssize_t i = 0; i < n; i++)
		zero = zero && head[i] == 0;
	if (!zero && S_ISREG(st.st_mode) && n > (ssize_t)sizeof(magic) &&
	    memcmp(head, magic, sizeof(magic) - 1) == 0)
		zero = true;
	free(head);
	if (n >= 0 && !zero)
		tool_error(o->image,
			   "holds something that is not a DBFS image; --force overwrites it");
	return n >= 0 && zero;
}

/* Fails while another program (a running QEMU, a mount) has the image. */
static bool image_is_free(const char *image)
{
	struct port_blk *dev;
	struct stat st;

	if (stat(image, &st) != 0 || (S_ISREG(st.st_mode) && st.st_size < DBFS_BLOCK_SIZE))
		return true;
	dev = tool_open_device(image, true);
	if (dev != NULL)
		dev->ops->close(dev);
	return dev != NULL;
}

static struct dbfs *make(const struct options *o)
{
	struct dbfs_format_opts fo = {.log_bytes = o->log_bytes};
	const struct dbfs_open_opts oo = {.no_background = true, .cache_bytes = CACHE_BYTES};
	const struct dbfs_tx_opts to = {DBFS_TX_LOCKING, DBFS_SYNC, 0};
	struct port_blk *dev;
	struct dbfs_tx *tx;
	struct dbfs *db;
	int err = port_posix_blk_create(o->image, o->size, &dev);

	if (err != 0) {
		tool_error(o->image, "%s", strerror(-err));
		return NULL;
	}
	if (o->label != NULL)
		memcpy(fo.label, o->label, strlen(o->label));
	err = dbfs_format(dev, &fo);
	if (err == -DBFS_ENOSPC)
		tool_error(o->image, "%s bytes are too few for a volume%s", o->size_text,
			   o->log_bytes == 0 ? "" : " with such a log");
	else if (err != 0)
		tool_dbfs_error(o->image, err);
	if (err == 0) {
		err = dbfs_open(dev, &oo, &db);
		if (err != 0)
			tool_dbfs_error(o->image, err);
	}
	if (err != 0) {
		dev->ops->close(dev);
		return NULL;
	}
	err = dbfs_tx_begin(db, &to, &tx);
	if (err == 0) {
		err = dbfs_fs_make(tx);
		if (err == 0)
			err = dbfs_tx_commit(tx);
		else
			dbfs_tx_rollback(tx);
	}
	if (err == 0)
		return db;
	tool_dbfs_error(o->image, err);
	err = dbfs_close(db);
	return NULL;
}

static int fill(const struct options *o, struct dbfs *db)
{
	struct import im;

	import_init(&im, db, NULL, FILES_PER_BATCH);
	im.progress = !o->quiet && isatty(STDERR_FILENO);
	for (unsigned i = 0; i < o->nfrom; i++) {
		struct stat st;
		bool is_dir = false;
		int status;

		if (strcmp(o->from[i], "-") != 0) {
			if (stat(o->from[i], &st) != 0) {
				tool_errno(o->from[i]);
				import_abandon(&im);
				return TOOL_FAILED;
			}
			is_dir = S_ISDIR(st.st_mode);
		}
		status = is_dir ? import_tree(&im, o->from[i], "") : import_tar(&im, o->from[i]);
		if (status != TOOL_OK) {
			import_abandon(&im);
			return status;
		}
	}
	return import_finish(&im);
}

static void summary(const struct options *o, struct dbfs *db)
{
	struct dbfs_statfs s;
	char total[32];
	char used[32];

	if (o->quiet || dbfs_statfs(db, &s) != 0)
		return;
	printf("%s: %s, %llu inodes, %s used\n", o->image,
	       tool_human(s.blocks * DBFS_BLOCK_SIZE, total, sizeof(total)),
	       (unsigned long long)s.files,
	       tool_human((s.blocks - s.bfree) * DBFS_BLOCK_SIZE, used, sizeof(used)));
}

int main(int argc, char **argv)
{
	struct options o = {0};
	struct dbfs *db;
	bool existed;
	int status;

	tool_init("mkfs.dbfs", TOOL_USAGE);
	o.from = tool_alloc((size_t)argc * sizeof(char *));
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (!may_overwrite(&o, &existed) || !image_is_free(o.image)) {
		free(o.from);
		return TOOL_FAILED;
	}
	db = make(&o);
	status = db == NULL ? TOOL_FAILED : TOOL_OK;
	if (db != NULL) {
		status = fill(&o, db);
		if (status == TOOL_OK)
			summary(&o, db);
		if (tool_close(db, o.image) != TOOL_OK)
			status = TOOL_FAILED;
	}
	if (status != TOOL_OK && !existed)
		unlink(o.image);
	free(o.from);
	return status;
}
