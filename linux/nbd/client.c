/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The NBD protocol (client.h).
 *
 * States and what each expects next; input is collected until the expected number of bytes is there:
 *
 *     FLAGS     the client's flags                    -> OPTION
 *     OPTION    header of an option                   -> OPTION_DATA
 *     OPTION_DATA  its data                           -> OPTION, TRANSMIT (go, export name) or CLOSING
 *     TRANSMIT  header of a request                   -> TRANSMIT or WRITE_DATA
 *     WRITE_DATA   the payload of a write             -> TRANSMIT
 *     CLOSING   nothing: ends once all is sent
 *
 * Requests of one connection are handled one after the other, and all connections by one thread: a
 * request has either happened completely or not begun when the power goes, except for the one that a planned
 * cut interrupts. Output is buffered; while much of it is unsent no further request is read, so a client
 * that does not read cannot make the server grow.
 */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/overflow.h"

#define NBD_MAGIC UINT64_C(0x4e42444d41474943)
#define NBD_OPT_MAGIC UINT64_C(0x49484156454f5054)
#define NBD_REP_MAGIC UINT64_C(0x0003e889045565a9)
#define NBD_REQUEST_MAGIC 0x25609513u
#define NBD_REPLY_MAGIC 0x67446698u

enum { FLAG_FIXED_NEWSTYLE = 1, FLAG_NO_ZEROES = 2 };

enum nbd_option {
	OPT_EXPORT_NAME = 1,
	OPT_ABORT = 2,
	OPT_LIST = 3,
	OPT_INFO = 6,
	OPT_GO = 7,
};

#define REP_ACK 1u
#define REP_SERVER 2u
#define REP_INFO 3u
#define REP_ERR_UNSUP 0x80000001u
#define REP_ERR_INVALID 0x80000003u

enum { INFO_EXPORT = 0, INFO_BLOCK_SIZE = 3 };

enum nbd_command { CMD_READ, CMD_WRITE, CMD_DISC, CMD_FLUSH, CMD_TRIM };

enum { CMD_FLAG_FUA = 1 };

/* has flags, flush, FUA, trim, several connections (a flush covers all of them) */
#define EXPORT_FLAGS (1u | 4u | 8u | 32u | 256u)

#define OPTION_MAX 65536u
#define TRANSFER_MAX ((uint32_t)32 << 20)
#define UNSENT_MAX ((size_t)64 << 20)

enum state { FLAGS, OPTION, OPTION_DATA, TRANSMIT, WRITE_DATA, CLOSING };

struct buffer {
	uint8_t *data;
	size_t used;
	size_t room;
	size_t start; /* output: what is sent already */
};

struct client {
	int fd;
	struct disk *disk;
	enum state state;
	bool no_zeroes;
	size_t expect; /* bytes that the state needs */
	struct buffer in;
	struct buffer out;

	uint32_t option; /* OPTION_DATA */
	uint64_t cookie; /* WRITE_DATA */
	uint64_t offset;
	bool fua;
};

static bool grow(struct buffer *b, size_t len)
{
	size_t room = b->room ? b->room : 4096;
	uint8_t *data;

	if (b->used + len <= b->room)
		return true;
	if (b->start > 0) {
		b->used -= b->start;
		memmove(b->data, b->data + b->start, b->used);
		b->start = 0;
	}
	while (room < b->used + len)
		room *= 2;
	data = realloc(b->data, room);
	if (!data)
		return false;
	b->data = data;
	b->room = room;
	return true;
}

/* Room for len bytes of output, already counted as used. NULL: no memory. */
static uint8_t *reserve(struct client *c, size_t len)
{
	uint8_t *p;

	if (!grow(&c->out, len))
		return NULL;
	p = c->out.data + c->out.used;
	c->out.used += len;
	return p;
}

static void be16_store(uint8_t *p, unsigned x)
{
	p[0] = (uint8_t)(x >> 8);
	p[1] = (uint8_t)x;
}

static uint16_t be16_load(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void next(struct client *c, enum state state, size_t expect)
{
	c->state = state;
	c->expect = expect;
}

/* --- Handshake --- */

static bool reply_option(struct client *c, uint32_t type, const void *data, size_t len)
{
	uint8_t *p = reserve(c, 20 + len);

	if (!p)
		return false;
	be64_store(p, NBD_REP_MAGIC);
	be32_store(p + 8, c->option);
	be32_store(p + 12, type);
	be32_store(p + 16, (uint32_t)len);
	if (len > 0)
		memcpy(p + 20, data, len);
	return true;
}

static bool on_flags(struct client *c, const uint8_t *in)
{
	uint32_t flags = be32_load(in);

	if (!(flags & FLAG_FIXED_NEWSTYLE) || (flags & ~3u))
		return false;
	c->no_zeroes = flags & FLAG_NO_ZEROES;
	next(c, OPTION, 16);
	return true;
}

static bool on_option(struct client *c, const uint8_t *in)
{
	uint32_t len = be32_load(in + 12);

	if (be64_load(in) != NBD_OPT_MAGIC || len > OPTION_MAX)
		return false;
	c->option = be32_load(in + 8);
	next(c, OPTION_DATA, len);
	return true;
}

/* The old way to choose an export: any name, no refusal possible. */
static bool export_name(struct client *c)
{
	size_t len = c->no_zeroes ? 10 : 134;
	uint8_t *p = reserve(c, len);

	if (!p)
		return false;
	memset(p, 0, len);
	be64_store(p, c->disk->size);
	be16_store(p + 8, EXPORT_FLAGS);
	next(c, TRANSMIT, 28);
	return true;
}

/* Is the data of GO or INFO well-formed: name length, name, count, that many 16-bit requests? */
static bool info_is_valid(const uint8_t *in, size_t len)
{
	uint32_t name;

	if (len < 6)
		return false;
	name = be32_load(in);
	if (name > len - 6)
		return false;
	return len - 6 - name == (size_t)be16_load(in + 4 + name) * 2;
}

static bool give_info(struct client *c, const uint8_t *in, size_t len)
{
	uint8_t export[12];
	uint8_t sizes[14];

	if (!info_is_valid(in, len))
		return reply_option(c, REP_ERR_INVALID, NULL, 0);
	be16_store(export, INFO_EXPORT);
	be64_store(export + 2, c->disk->size);
	be16_store(export + 10, EXPORT_FLAGS);
	be16_store(sizes, INFO_BLOCK_SIZE);
	be32_store(sizes + 2, 1);
	be32_store(sizes + 6, 4096);
	be32_store(sizes + 10, TRANSFER_MAX);
	if (!reply_option(c, REP_INFO, export, sizeof(export)) ||
	    !reply_option(c, REP_INFO, sizes, sizeof(sizes)) || !reply_option(c, REP_ACK, NULL, 0))
		return false;
	if (c->option == OPT_GO)
		next(c, TRANSMIT, 28);
	return true;
}

static bool give_list(struct client *c, size_t len)
{
	static const uint8_t no_name[4];

	if (len > 0)
		return reply_option(c, REP_ERR_INVALID, NULL, 0);
	return reply_option(c, REP_SERVER, no_name, sizeof(no_name)) &&
	       reply_option(c, REP_ACK, NULL, 0);
}

static bool on_option_data(struct client *c, const uint8_t *in, size_t len)
{
	next(c, OPTION, 16);
	switch (c->option) {
	case OPT_EXPORT_NAME:
		return export_name(c);
	case OPT_ABORT:
		next(c, CLOSING, 0);
		return reply_option(c, REP_ACK, NULL, 0);
	case OPT_LIST:
		return give_list(c, len);
	case OPT_INFO:
	case OPT_GO:
		return give_info(c, in, len);
	default:
		return reply_option(c, REP_ERR_UNSUP, NULL, 0);
	}
}

/* --- Transmission --- */

/* Only errors that the protocol has. */
static uint32_t wire_error(int err)
{
	switch (err) {
	case 0:
	case EPERM:
	case EIO:
	case ENOMEM:
	case EINVAL:
	case ENOSPC:
	case ESHUTDOWN:
		return (uint32_t)err;
	default:
		return EIO;
	}
}

static bool put_reply(struct client *c, uint64_t cookie, int err)
{
	uint8_t *p = reserve(c, 16);

	if (!p)
		return false;
	be32_store(p, NBD_REPLY_MAGIC);
	be32_store(p + 4, wire_error(err));
	be64_store(p + 8, cookie);
	return true;
}

static bool do_read(struct client *c, uint64_t cookie, uint64_t off, uint32_t len)
{
	uint8_t *p;
	int err;

	if (len > TRANSFER_MAX || !range_fits(off, len, c->disk->size))
		return put_reply(c, cookie, EINVAL);
	p = reserve(c, 16 + (size_t)len);
	if (!p)
		return false;
	err = disk_read(c->disk, off, p + 16, len);
	if (err) {
		c->out.used -= 16 + (size_t)len;
		return put_reply(c, cookie, err);
	}
	be32_store(p, NBD_REPLY_MAGIC);
	be32_store(p + 4, 0);
	be64_store(p + 8, cookie);
	return true;
}

static bool on_write_data(struct client *c, const uint8_t *in, size_t len)
{
	int err = ENOSPC;

	if (range_fits(c->offset, len, c->disk->size))
		err = len ? disk_write(c->disk, c->offset, in, len, c->fua) : 0;
	next(c, TRANSMIT, 28);
	return put_reply(c, c->cookie, err);
}

static int do_trim(struct client *c, uint64_t off, uint32_t len, bool fua)
{
	int err;

	if (!range_fits(off, len, c->disk->size))
		return EINVAL;
	err = disk_trim(c->disk, off, len);
	return !err && fua ? disk_flush(c->disk) : err;
}

static bool on_request(struct client *c, const uint8_t *in)
{
	unsigned flags = be16_load(in + 4);
	unsigned type = be16_load(in + 6);
	uint64_t cookie = be64_load(in + 8);
	uint64_t off = be64_load(in + 16);
	uint32_t len = be32_load(in + 24);

	if (be32_load(in) != NBD_REQUEST_MAGIC)
		return false;
	if (type == CMD_WRITE) {
		if (len > TRANSFER_MAX)
			return false; /* its payload cannot be skipped at a price worth paying */
		c->cookie = cookie;
		c->offset = off;
		c->fua = flags & CMD_FLAG_FUA;
		next(c, WRITE_DATA, len);
		return true;
	}
	if (type == CMD_DISC) {
		next(c, CLOSING, 0);
		return true;
	}
	if (flags & ~(unsigned)CMD_FLAG_FUA)
		return put_reply(c, cookie, EINVAL);
	switch (type) {
	case CMD_READ:
		return do_read(c, cookie, off, len);
	case CMD_FLUSH:
		return put_reply(c, cookie, disk_flush(c->disk));
	case CMD_TRIM:
		return put_reply(c, cookie, do_trim(c, off, len, flags & CMD_FLAG_FUA));
	default:
		return put_reply(c, cookie, EINVAL);
	}
}

/* --- The connection --- */

static bool handle(struct client *c, const uint8_t *in, size_t len)
{
	switch (c->state) {
	case FLAGS:
		return on_flags(c, in);
	case OPTION:
		return on_option(c, in);
	case OPTION_DATA:
		return on_option_data(c, in, len);
	case TRANSMIT:
		return on_request(c, in);
	case WRITE_DATA:
		return on_write_data(c, in, len);
	case CLOSING:
		break;
	}
	return true;
}

struct client *client_create(int fd, struct disk *disk)
{
	struct client *c = calloc(1, sizeof(*c));
	uint8_t *p = NULL;

	if (c) {
		c->fd = fd;
		c->disk = disk;
		next(c, FLAGS, 4);
		p = reserve(c, 18);
	}
	if (!p) {
		free(c);
		close(fd);
		return NULL;
	}
	be64_store(p, NBD_MAGIC);
	be64_store(p + 8, NBD_OPT_MAGIC);
	be16_store(p + 16, FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES);
	return c;
}

void client_destroy(struct client *c)
{
	close(c->fd);
	free(c->in.data);
	free(c->out.data);
	free(c);
}

int client_fd(const struct client *c)
{
	return c->fd;
}

static size_t unsent(const struct client *c)
{
	return c->out.used - c->out.start;
}

short client_events(const struct client *c)
{
	short events = 0;

	if (unsent(c) > 0)
		events |= POLLOUT;
	if (c->state != CLOSING && unsent(c) < UNSENT_MAX)
		events |= POLLIN;
	return events;
}

/* False: the peer is gone. */
static bool send_some(struct client *c)
{
	while (unsent(c) > 0) {
		ssize_t n = send(c->fd, c->out.data + c->out.start, unsent(c), MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->out.start += (size_t)n;
	}
	c->out.start = 0;
	c->out.used = 0;
	return true;
}

static bool can_handle(const struct client *c, size_t available)
{
	return c->state != CLOSING && available >= c->expect && unsent(c) < UNSENT_MAX;
}

/* Handles what is complete. A cut in between ends it: later requests never reach the disk. */
static bool handle_all(struct client *c)
{
	size_t done = 0;

	while (can_handle(c, c->in.used - done)) {
		size_t len = c->expect;

		if (!handle(c, c->in.data + done, len))
			return false;
		done += len;
		if (!c->disk->on)
			return false;
	}
	c->in.used -= done;
	if (done > 0 && c->in.used > 0)
		memmove(c->in.data, c->in.data + done, c->in.used);
	return true;
}

bool client_work(struct client *c)
{
	for (;;) {
		ssize_t n;

		if (!handle_all(c) || !send_some(c))
			return false;
		if (c->state == CLOSING)
			return unsent(c) > 0;
		if (can_handle(c, c->in.used))
			continue; /* sending has made room */
		if (unsent(c) >= UNSENT_MAX)
			return true;
		if (!grow(&c->in, MAX(c->expect, (size_t)65536)))
			return false;
		n = recv(c->fd, c->in.data + c->in.used, c->in.room - c->in.used, 0);
		if (n == 0)
			return false;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->in.used += (size_t)n;
	}
}
