/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * alien-nbd: serves a disk image to QEMU or any NBD client over a unix socket, on the crash model
 * of port/sim, so that cutting the power loses, tears and reorders what the guest had not flushed.
 *
 * One thread and one poll loop over: the listening sockets, the clients, the control connections,
 * stdin, and a signalfd. Nothing blocks but the image file.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server.h"

#define CONTROLS_MAX 8
#define LINE_BYTES 4096

enum { EXIT_USAGE = 2 };

static const char help_text[] =
	"Usage: alien-nbd [OPTION]... --socket PATH IMAGE\n"
	"Serve IMAGE as an NBD disk whose power can be cut.\n"
	"\n"
	"The disk has a volatile write cache: what a client has written but not flushed may be "
	"lost,\n"
	"torn at 512 bytes, or overtaken by later writes when the power goes; a seed decides. "
	"IMAGE\n"
	"is a raw file and is not changed (see --in-place); changes are kept in memory.\n"
	"QEMU attaches with\n"
	"    -drive driver=nbd,server.type=unix,server.path=PATH,cache=writeback,if=none,id=d0\n"
	"\n"
	"  -s, --socket PATH      unix socket for NBD clients (any export name); it exists once "
	"the\n"
	"                         server is ready and is removed at the end\n"
	"  -c, --control PATH     unix socket for commands; stdin always takes them too\n"
	"      --seed N           seed of cuts for which none is given (default 0)\n"
	"      --mode MODE        what is lost: seeded (default), lose-all, keep-all, prefix, "
	"suffix,\n"
	"                         subset, torn, one-lost, one-kept\n"
	"      --cut-at N         cut the power in the middle of the Nth write, trim or flush\n"
	"      --cut-at-flush N   cut the power instead of the Nth flush\n"
	"      --output PATH      where SIGUSR1 writes the image that survives\n"
	"      --in-place         allow commit, and let SIGUSR1 write into IMAGE\n"
	"      --drop-flush       flushes succeed and do nothing (a lying disk, to test tests)\n"
	"  -h, --help             show this and exit\n"
	"\n"
	"Commands, one a line; each is answered by a line that begins with ok or error:\n"
	"  cut [SEED]             cut the power: connections drop, the seed decides what survives\n"
	"  cut-at N [SEED]        the same in the middle of the Nth write, trim or flush from now\n"
	"                         (0: not at all)\n"
	"  cut-at-flush N [SEED]  the same instead of the Nth flush from now\n"
	"  write PATH             after a cut: write the surviving image to PATH (sparse)\n"
	"  commit                 after a cut: write it into IMAGE (with --in-place)\n"
	"  on                     power on again, with what survived\n"
	"  mode MODE, drop-flush on|off, stats, quit\n"
	"\n"
	"Each cut prints a line: cut seed=N mode=M writes=N sectors=N survived=N\n"
	"SIGUSR1 cuts the power, writes the image (--output, --in-place) and exits. SIGTERM "
	"exits.\n"
	"\n"
	"Exit status: 0 ended as told, 1 trouble, 2 wrong usage.\n";

enum {
	OPT_SEED = 256,
	OPT_MODE,
	OPT_CUT_AT,
	OPT_CUT_AT_FLUSH,
	OPT_OUTPUT,
	OPT_IN_PLACE,
	OPT_DROP_FLUSH,
};

static const struct option long_options[] = {
	{"socket", required_argument, NULL, 's'},
	{"control", required_argument, NULL, 'c'},
	{"seed", required_argument, NULL, OPT_SEED},
	{"mode", required_argument, NULL, OPT_MODE},
	{"cut-at", required_argument, NULL, OPT_CUT_AT},
	{"cut-at-flush", required_argument, NULL, OPT_CUT_AT_FLUSH},
	{"output", required_argument, NULL, OPT_OUTPUT},
	{"in-place", no_argument, NULL, OPT_IN_PLACE},
	{"drop-flush", no_argument, NULL, OPT_DROP_FLUSH},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static NORETURN void usage(const char *what, const char *value)
{
	if (what)
		fprintf(stderr, "alien-nbd: %s%s%s\n", what, value ? ": " : "", value ? value : "");
	fprintf(stderr, "Usage: alien-nbd [OPTION]... --socket PATH IMAGE (--help for more)\n");
	exit(EXIT_USAGE);
}

static uint64_t number_or_die(const char *text)
{
	uint64_t n;

	if (!parse_number(text, &n))
		usage("not a number", text);
	return n;
}

static void take_option(struct options *o, int opt)
{
	switch (opt) {
	case 's':
		o->socket = optarg;
		break;
	case 'c':
		o->control = optarg;
		break;
	case OPT_SEED:
		o->seed = number_or_die(optarg);
		break;
	case OPT_MODE:
		if (!parse_mode(optarg, &o->mode))
			usage("no such mode", optarg);
		break;
	case OPT_CUT_AT:
		o->cut_at = number_or_die(optarg);
		break;
	case OPT_CUT_AT_FLUSH:
		o->cut_at_flush = number_or_die(optarg);
		break;
	case OPT_OUTPUT:
		o->output = optarg;
		break;
	case OPT_IN_PLACE:
		o->in_place = true;
		break;
	case OPT_DROP_FLUSH:
		o->drop_flush = true;
		break;
	case 'h':
		fputs(help_text, stdout);
		exit(0);
	default:
		usage(NULL, NULL); /* getopt has said why */
	}
}

static void parse_options(struct options *o, int argc, char **argv)
{
	int opt;

	memset(o, 0, sizeof(*o));
	while ((opt = getopt_long(argc, argv, "s:c:h", long_options, NULL)) != -1)
		take_option(o, opt);
	if (!o->socket)
		usage("--socket is missing", NULL);
	if (optind == argc)
		usage("the image is missing", NULL);
	if (optind + 1 < argc)
		usage("one image only", argv[optind + 1]);
	o->image = argv[optind];
}

/* --- Sockets --- */

/* Who finds a socket that nobody answers removes it. False: a message was printed. */
static bool clear_place(const char *path, const struct sockaddr_un *addr)
{
	struct stat st;
	int fd;
	bool stale;

	if (lstat(path, &st))
		return true;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	stale = S_ISSOCK(st.st_mode) && fd >= 0 &&
		connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) && errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	if (stale && unlink(path) == 0)
		return true;
	fprintf(stderr, "alien-nbd: %s: exists and is in use\n", path);
	return false;
}

/* A listening socket at path, or -1 after a message. */
static int listen_at(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		fprintf(stderr, "alien-nbd: %s: longer than a socket's name may be\n", path);
		return -1;
	}
	memcpy(addr.sun_path, path, strlen(path) + 1);
	if (!clear_place(path, &addr))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 16)) {
		fprintf(stderr, "alien-nbd: %s: %s\n", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static int accept_one(int listener)
{
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static void accept_client(struct server *s, int listener)
{
	int fd = accept_one(listener);
	struct client *c;

	if (fd < 0)
		return;
	if (!s->disk.on || s->client_count == CLIENTS_MAX) {
		close(fd);
		return;
	}
	c = client_create(fd, &s->disk);
	if (c)
		s->clients[s->client_count++] = c;
}

/* --- Command lines --- */

struct lines {
	int in;
	int out;
	size_t used;
	bool too_long; /* the rest of this line is thrown away */
	char text[LINE_BYTES];
};

static void answer(int fd, const char *text)
{
	size_t len = strlen(text);

	if (write(fd, text, len) != (ssize_t)len)
		return; /* who does not read its answers loses them */
}

static void take_char(struct server *s, struct lines *l, char c)
{
	char reply[512];

	if (c != '\n') {
		if (l->used < LINE_BYTES - 1)
			l->text[l->used++] = c;
		else
			l->too_long = true;
		return;
	}
	l->text[l->used] = '\0';
	if (l->too_long)
		snprintf(reply, sizeof(reply), "error line too long\n");
	else
		control_line(s, l->text, reply, sizeof(reply));
	answer(l->out, reply);
	l->used = 0;
	l->too_long = false;
}

/* False: the other end is gone. */
static bool take_lines(struct server *s, struct lines *l)
{
	char buf[512];
	ssize_t n = read(l->in, buf, sizeof(buf));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	for (ssize_t i = 0; i < n; i++)
		take_char(s, l, buf[i]);
	return n > 0;
}

/* --- The loop --- */

struct loop {
	struct server server;
	int listener;
	int control; /* -1: none */
	int signals;
	struct lines lines[CONTROLS_MAX + 1]; /* [0]: stdin, in < 0 when it has ended */
	unsigned line_count;
	int status;
};

static void on_usr1(struct loop *l)
{
	struct server *s = &l->server;
	int err = disk_cut(&s->disk, s->opt.seed);

	server_after_cut(s);
	if (!err && s->opt.output)
		err = disk_save(&s->disk, s->opt.output);
	if (!err && s->opt.in_place)
		err = disk_commit(&s->disk);
	if (err) {
		fprintf(stderr, "alien-nbd: writing the surviving image: %s\n", strerror(err));
		l->status = EXIT_FAILURE;
	}
	s->quit = true;
}

static void on_signal(struct loop *l)
{
	struct signalfd_siginfo info;

	if (read(l->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1)
		on_usr1(l);
	else
		l->server.quit = true;
}

static void accept_control(struct loop *l)
{
	int fd = accept_one(l->control);

	if (fd < 0)
		return;
	if (l->line_count == CONTROLS_MAX + 1) {
		close(fd);
		return;
	}
	memset(&l->lines[l->line_count], 0, sizeof(l->lines[0]));
	l->lines[l->line_count].in = fd;
	l->lines[l->line_count].out = fd;
	l->line_count++;
}

#define FIXED_POLLS 3
#define POLLS_MAX (FIXED_POLLS + CONTROLS_MAX + 1 + CLIENTS_MAX)

/* Order: listener, control listener, signals, command lines, clients. */
static nfds_t fill_polls(const struct loop *l, struct pollfd *p)
{
	nfds_t n = 0;

	p[n++] = (struct pollfd){.fd = l->listener, .events = POLLIN};
	p[n++] = (struct pollfd){.fd = l->control, .events = POLLIN};
	p[n++] = (struct pollfd){.fd = l->signals, .events = POLLIN};
	for (unsigned i = 0; i < l->line_count; i++)
		p[n++] = (struct pollfd){.fd = l->lines[i].in, .events = POLLIN};
	for (unsigned i = 0; i < l->server.client_count; i++) {
		const struct client *c = l->server.clients[i];

		p[n++] = (struct pollfd){.fd = client_fd(c), .events = client_events(c)};
	}
	return n;
}

/* From the last to the first: removal moves the last one into the gap. */
static void work_clients(struct server *s, const struct pollfd *p)
{
	for (unsigned i = s->client_count; i-- > 0;) {
		if (!p[i].revents || client_work(s->clients[i]))
			continue;
		client_destroy(s->clients[i]);
		s->clients[i] = s->clients[--s->client_count];
		server_after_cut(s);
		if (!s->disk.on)
			return;
	}
}

static void work_lines(struct loop *l, const struct pollfd *p)
{
	for (unsigned i = l->line_count; i-- > 0;) {
		if (!p[i].revents || take_lines(&l->server, &l->lines[i]))
			continue;
		if (i == 0) {
			l->lines[0].in = -1; /* poll skips it */
			continue;
		}
		close(l->lines[i].in);
		l->lines[i] = l->lines[--l->line_count];
	}
}

static void run_loop(struct loop *l)
{
	struct pollfd polls[POLLS_MAX];

	while (!l->server.quit) {
		nfds_t n = fill_polls(l, polls);
		unsigned lines = l->line_count;

		if (poll(polls, n, -1) < 0)
			continue; /* EINTR */
		work_clients(&l->server, polls + FIXED_POLLS + lines);
		work_lines(l, polls + FIXED_POLLS);
		if (polls[2].revents)
			on_signal(l);
		if (polls[1].revents)
			accept_control(l);
		if (polls[0].revents)
			accept_client(&l->server, l->listener);
	}
}

static int open_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void set_up_disk(struct server *s)
{
	s->disk.mode = s->opt.mode;
	s->disk.drop_flushes = s->opt.drop_flush;
	s->disk.plan = (struct cut_plan){.changes = s->opt.cut_at,
					 .flushes = s->opt.cut_at_flush,
					 .seed = s->opt.seed};
}

/* Control first: whoever sees the NBD socket can use both. */
static bool open_sockets(struct loop *l)
{
	const struct options *o = &l->server.opt;

	l->control = o->control ? listen_at(o->control) : -1;
	if (o->control && l->control < 0)
		return false;
	l->listener = listen_at(o->socket);
	if (l->listener < 0 && o->control)
		unlink(o->control);
	return l->listener >= 0;
}

int main(int argc, char **argv)
{
	static struct loop l;
	struct server *s = &l.server;

	parse_options(&s->opt, argc, argv);
	if (!disk_open(&s->disk, s->opt.image, s->opt.in_place))
		return EXIT_FAILURE;
	set_up_disk(s);
	l.signals = open_signals();
	l.lines[0].in = STDIN_FILENO;
	l.lines[0].out = STDOUT_FILENO;
	l.line_count = 1;
	if (l.signals < 0 || !open_sockets(&l)) {
		disk_close(&s->disk);
		return EXIT_FAILURE;
	}
	run_loop(&l);
	while (s->client_count > 0)
		client_destroy(s->clients[--s->client_count]);
	unlink(s->opt.socket);
	if (s->opt.control)
		unlink(s->opt.control);
	disk_close(&s->disk);
	return l.status;
}
