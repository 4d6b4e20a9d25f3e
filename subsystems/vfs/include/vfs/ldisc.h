/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The terminal line discipline: what turns typed bytes into lines, echo and signals, and written bytes into
 * what the device gets. Pure logic without locks, waits or devices: the owner calls it under its lock.
 */
#ifndef VFS_LDISC_H
#define VFS_LDISC_H

#include "base/types.h"

#define LDISC_BUF 4096u
#define LDISC_NCC 19

/* Linux's struct termios as the kernel sees it (TCGETS). */
struct ldisc_termios {
	uint32_t iflag;
	uint32_t oflag;
	uint32_t cflag;
	uint32_t lflag;
	uint8_t line;
	uint8_t cc[LDISC_NCC];
};

enum ldisc_cc {
	LDISC_VINTR,
	LDISC_VQUIT,
	LDISC_VERASE,
	LDISC_VKILL,
	LDISC_VEOF,
	LDISC_VTIME,
	LDISC_VMIN,
	LDISC_VSWTC,
	LDISC_VSTART,
	LDISC_VSTOP,
	LDISC_VSUSP,
	LDISC_VEOL,
	LDISC_VREPRINT,
	LDISC_VDISCARD,
	LDISC_VWERASE,
	LDISC_VLNEXT,
	LDISC_VEOL2,
};

enum {
	/* iflag */
	LDISC_ISTRIP = 040,
	LDISC_INLCR = 0100,
	LDISC_IGNCR = 0200,
	LDISC_ICRNL = 0400,
	LDISC_IXON = 02000,
	LDISC_IXANY = 04000,
	LDISC_IMAXBEL = 020000,
	LDISC_IUTF8 = 040000,
	/* oflag */
	LDISC_OPOST = 1,
	LDISC_ONLCR = 4,
	LDISC_OCRNL = 010,
	LDISC_ONOCR = 020,
	LDISC_ONLRET = 040,
	LDISC_TABDLY = 014000,
	/* lflag */
	LDISC_ISIG = 1,
	LDISC_ICANON = 2,
	LDISC_ECHO = 010,
	LDISC_ECHOE = 020,
	LDISC_ECHOK = 040,
	LDISC_ECHONL = 0100,
	LDISC_NOFLSH = 0200,
	LDISC_TOSTOP = 0400,
	LDISC_ECHOCTL = 01000,
	LDISC_ECHOPRT = 02000,
	LDISC_ECHOKE = 04000,
	LDISC_IEXTEN = 0100000,
};

struct ldisc;

/* What the discipline asks of its owner, during ldisc_input. None may sleep or call back. */
struct ldisc_ops {
	/* Raw bytes for the device (echo): what does not fit is dropped. */
	void (*echo)(struct ldisc *l, const char *s, size_t n);
	/* enum vfs_... SIGINT 2, SIGQUIT 3, SIGTSTP 20 to the foreground group. */
	void (*signal)(struct ldisc *l, int sig);
	/* Output stops or goes on (IXON). */
	void (*flow)(struct ldisc *l, bool stopped);
};

struct ldisc {
	const struct ldisc_ops *ops; /* const */
	struct ldisc_termios t;
	uint8_t buf[LDISC_BUF];         /* ring: positions count up */
	uint64_t delim[LDISC_BUF / 64]; /* this byte ends a line */
	uint64_t eof[LDISC_BUF / 64];   /* ... and is the end-of-file mark, not data */
	uint64_t tail;                  /* next to be read */
	uint64_t ready;                 /* canonical: the end of the last complete line */
	uint64_t head;                  /* next free */
	uint32_t lines;                 /* delimiters in [tail, ready) */
	uint32_t column;                /* of the output */
	uint32_t line_column;           /* where the line being edited began */
	bool lnext;                     /* the next byte is literal */
	bool stopped;                   /* by the stop character */
};

/* Linux's defaults for a console at 38400 baud. */
void ldisc_init(struct ldisc *l, const struct ldisc_ops *ops);
/* TCSETS: new settings; what is pending stays readable. */
void ldisc_set(struct ldisc *l, const struct ldisc_termios *t);
/* One received byte. */
void ldisc_input(struct ldisc *l, uint8_t c);
/* Can a read get something now? (min: VMIN as it counts for the caller) */
bool ldisc_readable(const struct ldisc *l, size_t min);
/* Bytes that a read could get without waiting (FIONREAD). */
size_t ldisc_available(const struct ldisc *l);
/*
 * Takes up to n bytes. Canonical: to the end of the line; *end says that it was reached (an end-of-file
 * mark gives the bytes before it, 0 of them for end of file).
 */
size_t ldisc_read(struct ldisc *l, uint8_t *dst, size_t n, bool *end);
/* Drops what has not been read. */
void ldisc_flush(struct ldisc *l);
/* How one written byte goes to the device: 0..8 bytes in out. */
size_t ldisc_output(struct ldisc *l, uint8_t c, char out[8]);

#endif
