/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The line discipline (vfs/ldisc.h).
 *
 * LD-1  tail <= ready <= head <= tail + LDISC_BUF. In canonical mode [ready, head) is the line being
 *       edited; in raw mode ready == head.
 * LD-2  lines is the number of delim bits in [tail, ready).
 * LD-3  One place stays free for the byte that ends a line, so that a full buffer can be read.
 */
#include "vfs/ldisc.h"

#define memset __builtin_memset
#define DISABLED 0 /* _POSIX_VDISABLE */

enum { SIG_INT = 2, SIG_QUIT = 3, SIG_TSTP = 20 };

static bool on(const struct ldisc *l, uint32_t lflag)
{
	return (l->t.lflag & lflag) != 0;
}

static bool is_cc(const struct ldisc *l, enum ldisc_cc i, uint8_t c)
{
	return l->t.cc[i] == c && c != DISABLED;
}

static bool get(const uint64_t *map, uint64_t pos)
{
	return (map[pos % LDISC_BUF / 64] >> (pos % 64) & 1) != 0;
}

static void put(uint64_t *map, uint64_t pos, bool v)
{
	uint64_t bit = (uint64_t)1 << (pos % 64);

	if (v)
		map[pos % LDISC_BUF / 64] |= bit;
	else
		map[pos % LDISC_BUF / 64] &= ~bit;
}

void ldisc_init(struct ldisc *l, const struct ldisc_ops *ops)
{
	static const uint8_t cc[LDISC_NCC] = {3,  28, 127, 21, 4,  0,  1,  0, 17,
					      19, 26, 0,   18, 15, 23, 22, 0};

	memset(l, 0, sizeof(*l));
	l->ops = ops;
	l->t.iflag = LDISC_ICRNL | LDISC_IXON;
	l->t.oflag = LDISC_OPOST | LDISC_ONLCR;
	l->t.cflag = 0277; /* B38400 CS8 CREAD; HUPCL and CLOCAL do not matter here */
	l->t.lflag = LDISC_ISIG | LDISC_ICANON | LDISC_ECHO | LDISC_ECHOE | LDISC_ECHOK |
		     LDISC_ECHOCTL | LDISC_ECHOKE | LDISC_IEXTEN;
	for (unsigned i = 0; i < LDISC_NCC; i++)
		l->t.cc[i] = cc[i];
}

void ldisc_set(struct ldisc *l, const struct ldisc_termios *t)
{
	bool was = on(l, LDISC_ICANON);
	bool is = (t->lflag & LDISC_ICANON) != 0;

	l->t = *t;
	if (was == is)
		return;
	if (is) { /* what came raw counts as one line */
		if (l->head > l->tail && !get(l->delim, l->head - 1)) {
			put(l->delim, l->head - 1, true);
			put(l->eof, l->head - 1, false);
			l->lines++;
		}
		l->line_column = l->column;
	}
	l->ready = l->head; /* LD-1 */
	l->lnext = false;
}

void ldisc_flush(struct ldisc *l)
{
	l->tail = l->ready = l->head;
	l->lines = 0;
	l->line_column = l->column;
}

/* --- Output --- */

size_t ldisc_output(struct ldisc *l, uint8_t c, char out[8])
{
	uint32_t o = l->t.oflag;
	size_t n = 0;

	if (!(o & LDISC_OPOST)) {
		out[0] = (char)c;
		return 1;
	}
	if (c == '\n') {
		if (o & LDISC_ONLCR)
			out[n++] = '\r';
		if (o & (LDISC_ONLCR | LDISC_ONLRET))
			l->column = 0;
		out[n++] = '\n';
		return n;
	}
	if (c == '\r') {
		if ((o & LDISC_ONOCR) && l->column == 0)
			return 0;
		l->column = 0;
		out[0] = o & LDISC_OCRNL ? '\n' : '\r';
		return 1;
	}
	if (c == '\t') {
		unsigned spaces = 8 - (l->column & 7);

		l->column += spaces;
		if ((o & LDISC_TABDLY) == LDISC_TABDLY) {
			for (; n < spaces; n++)
				out[n] = ' ';
			return n;
		}
	} else if (c == '\b') {
		l->column -= l->column ? 1 : 0;
	} else if (c >= ' ' && c != 127 && (c & 0xc0) != 0x80) {
		l->column++;
	}
	out[0] = (char)c;
	return 1;
}

static void echo_raw(struct ldisc *l, uint8_t c)
{
	char out[8];
	size_t n = ldisc_output(l, c, out);

	l->ops->echo(l, out, n);
}

static bool is_control(uint8_t c)
{
	return c < ' ' || c == 127;
}

/* As the user sees it: ^X for control characters. */
static void echo_char(struct ldisc *l, uint8_t c)
{
	if (on(l, LDISC_ECHOCTL) && is_control(c) && c != '\t' && c != '\n') {
		echo_raw(l, '^');
		echo_raw(l, c ^ 0100);
		return;
	}
	echo_raw(l, c);
}

/* --- Editing --- */

/* The column behind the characters [ready, end) of the edited line. */
static uint32_t column_at(const struct ldisc *l, uint64_t end)
{
	uint32_t col = l->line_column;

	for (uint64_t p = l->ready; p < end; p++) {
		uint8_t c = l->buf[p % LDISC_BUF];

		if (c == '\t')
			col += 8 - (col & 7);
		else if (is_control(c))
			col += on(l, LDISC_ECHOCTL) ? 2 : 0;
		else if (!(l->t.iflag & LDISC_IUTF8) || (c & 0xc0) != 0x80)
			col++;
	}
	return col;
}

/* The last character off the line; its bytes too if it is UTF-8. */
static void drop_char(struct ldisc *l)
{
	uint32_t before = column_at(l, l->head);
	uint32_t after;

	do {
		l->head--;
	} while ((l->t.iflag & LDISC_IUTF8) && l->head > l->ready &&
		 (l->buf[l->head % LDISC_BUF] & 0xc0) == 0x80);
	if (!on(l, LDISC_ECHO))
		return;
	if (!on(l, LDISC_ECHOE)) {
		echo_char(l, l->t.cc[LDISC_VERASE]);
		return;
	}
	after = column_at(l, l->head);
	for (; before > after; before--) {
		echo_raw(l, '\b');
		echo_raw(l, ' ');
		echo_raw(l, '\b');
	}
}

static bool is_word(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c >= 0x80;
}

static uint8_t last_char(const struct ldisc *l)
{
	return l->buf[(l->head - 1) % LDISC_BUF];
}

static void erase_word(struct ldisc *l)
{
	while (l->head > l->ready && !is_word(last_char(l)))
		drop_char(l);
	while (l->head > l->ready && is_word(last_char(l)))
		drop_char(l);
}

static void kill_line(struct ldisc *l)
{
	if (on(l, LDISC_ECHO) && !(on(l, LDISC_ECHOKE) && on(l, LDISC_ECHOE))) {
		l->head = l->ready;
		echo_char(l, l->t.cc[LDISC_VKILL]);
		if (on(l, LDISC_ECHOK))
			echo_raw(l, '\n');
		l->line_column = l->column;
		return;
	}
	while (l->head > l->ready)
		drop_char(l);
}

static void reprint(struct ldisc *l)
{
	echo_char(l, l->t.cc[LDISC_VREPRINT]);
	echo_raw(l, '\n');
	l->line_column = l->column;
	for (uint64_t p = l->ready; p < l->head; p++)
		echo_char(l, l->buf[p % LDISC_BUF]);
}

/* --- Input --- */

/* Puts c at the head; false: the buffer is full. spare: the last place may be used (LD-3). */
static bool store(struct ldisc *l, uint8_t c, bool spare)
{
	if (l->head - l->tail >= LDISC_BUF - (spare ? 0u : 1u)) {
		if (l->t.iflag & LDISC_IMAXBEL)
			l->ops->echo(l, "\a", 1);
		return false;
	}
	l->buf[l->head % LDISC_BUF] = c;
	put(l->delim, l->head, false);
	put(l->eof, l->head, false);
	l->head++;
	return true;
}

/* The line is complete with c (or with nothing, at an end-of-file mark). */
static void end_line(struct ldisc *l, uint8_t c, bool eof)
{
	if (!store(l, c, true))
		return;
	put(l->delim, l->head - 1, true);
	put(l->eof, l->head - 1, eof);
	l->ready = l->head;
	l->lines++;
	l->line_column = l->column;
}

/* Signal and flow characters. True: c is used up. */
static bool special(struct ldisc *l, uint8_t c)
{
	int sig = 0;

	if (l->t.iflag & LDISC_IXON) {
		bool start = is_cc(l, LDISC_VSTART, c);
		bool stop = is_cc(l, LDISC_VSTOP, c) && !(start && l->stopped);

		if (start || stop || (l->stopped && (l->t.iflag & LDISC_IXANY))) {
			bool now = stop && !(start && l->stopped);

			if (l->stopped != now) {
				l->stopped = now;
				l->ops->flow(l, now);
			}
			if (start || stop)
				return true;
		}
	}
	if (!on(l, LDISC_ISIG))
		return false;
	if (is_cc(l, LDISC_VINTR, c))
		sig = SIG_INT;
	else if (is_cc(l, LDISC_VQUIT, c))
		sig = SIG_QUIT;
	else if (is_cc(l, LDISC_VSUSP, c))
		sig = SIG_TSTP;
	if (!sig)
		return false;
	if (!on(l, LDISC_NOFLSH))
		ldisc_flush(l);
	if (l->stopped) {
		l->stopped = false;
		l->ops->flow(l, false);
	}
	if (on(l, LDISC_ECHO))
		echo_char(l, c);
	l->line_column = l->column;
	l->ops->signal(l, sig);
	return true;
}

/* The editing characters of canonical mode. True: c is used up. */
static bool edit(struct ldisc *l, uint8_t c)
{
	if (is_cc(l, LDISC_VERASE, c)) {
		if (l->head > l->ready)
			drop_char(l);
		return true;
	}
	if (is_cc(l, LDISC_VKILL, c)) {
		kill_line(l);
		return true;
	}
	if (is_cc(l, LDISC_VWERASE, c) && on(l, LDISC_IEXTEN)) {
		erase_word(l);
		return true;
	}
	if (is_cc(l, LDISC_VREPRINT, c) && on(l, LDISC_ECHO) && on(l, LDISC_IEXTEN)) {
		reprint(l);
		return true;
	}
	if (is_cc(l, LDISC_VLNEXT, c) && on(l, LDISC_IEXTEN)) {
		l->lnext = true;
		if (on(l, LDISC_ECHO) && on(l, LDISC_ECHOCTL)) {
			echo_raw(l, '^');
			echo_raw(l, '\b');
		}
		return true;
	}
	if (is_cc(l, LDISC_VEOF, c)) {
		end_line(l, 0, true);
		return true;
	}
	if (c == '\n' || is_cc(l, LDISC_VEOL, c) ||
	    (is_cc(l, LDISC_VEOL2, c) && on(l, LDISC_IEXTEN))) {
		if (on(l, LDISC_ECHO) || (c == '\n' && on(l, LDISC_ECHONL)))
			echo_char(l, c);
		end_line(l, c, false);
		return true;
	}
	return false;
}

static void plain(struct ldisc *l, uint8_t c)
{
	if (store(l, c, false) && on(l, LDISC_ECHO))
		echo_char(l, c);
	if (!on(l, LDISC_ICANON))
		l->ready = l->head;
}

void ldisc_input(struct ldisc *l, uint8_t c)
{
	if (l->t.iflag & LDISC_ISTRIP)
		c &= 0x7f;
	if (l->lnext) {
		l->lnext = false;
		plain(l, c);
		return;
	}
	if (special(l, c))
		return;
	if (c == '\r') {
		if (l->t.iflag & LDISC_IGNCR)
			return;
		if (l->t.iflag & LDISC_ICRNL)
			c = '\n';
	} else if (c == '\n' && (l->t.iflag & LDISC_INLCR)) {
		c = '\r';
	}
	if (on(l, LDISC_ICANON) && edit(l, c))
		return;
	plain(l, c);
}

/* --- Reading --- */

bool ldisc_readable(const struct ldisc *l, size_t min)
{
	if (on(l, LDISC_ICANON))
		return l->lines != 0;
	return l->head - l->tail >= MAX(min, (size_t)1);
}

size_t ldisc_available(const struct ldisc *l)
{
	size_t n = 0;

	if (!on(l, LDISC_ICANON))
		return (size_t)(l->head - l->tail);
	for (uint64_t p = l->tail; p < l->ready; p++)
		n += !get(l->eof, p);
	return n;
}

size_t ldisc_read(struct ldisc *l, uint8_t *dst, size_t n, bool *end)
{
	bool canon = on(l, LDISC_ICANON);
	uint64_t limit = canon ? l->ready : l->head;
	size_t done = 0;

	*end = false;
	while (l->tail < limit && !*end) {
		bool delim = get(l->delim, l->tail);
		bool eof = delim && get(l->eof, l->tail);

		if (done == n && !eof)
			break;
		if (!eof)
			dst[done++] = l->buf[l->tail % LDISC_BUF];
		l->tail++;
		if (delim) {
			if (l->lines)
				l->lines--;
			*end = canon;
		}
	}
	if (l->ready < l->tail)
		l->ready = l->tail;
	return done;
}
