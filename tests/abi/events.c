/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Pipes, FIFOs, poll, select, epoll, eventfd, timerfd, signalfd, terminals: what each call answers;
 * Linux's lines are the expectation (run.sh compares).
 */
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#include "abi.h"

static char buf[200000];
static volatile int caught;

static void on_signal(int sig)
{
	caught = sig;
}

static int poll_bits(int fd, short events)
{
	struct pollfd p = {fd, events, 0};

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

#define ALL \
	(POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM | POLLRDBAND | POLLWRBAND)

static void test_pipe(void)
{
	int p[2];

	pipe(p);
	SAY("empty read end", poll_bits(p[0], ALL));
	SAY("empty write end", poll_bits(p[1], ALL));
	SAY("write", write(p[1], "abc", 3));
	SAY("read end", poll_bits(p[0], ALL));
	SAY("fionread", (ioctl(p[0], FIONREAD, buf), *(int *)buf));
	SAY("zero read", read(p[0], buf, 0));
	SAY("zero write", write(p[1], buf, 0));
	SAY("wrong end", read(p[1], buf, 1));
	SAY("wrong end w", write(p[0], buf, 1));
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	read(p[0], buf, 3);
	SAY("fill", write(p[1], buf, sizeof(buf)));
	SAY("full", write(p[1], buf, 1));
	SAY("write end full", poll_bits(p[1], ALL));
	read(p[0], buf, 100);
	SAY("part", write(p[1], buf, 50) > 0 || errno == EAGAIN);
	SAY("atomic", write(p[1], buf, 4096));
	read(p[0], buf, 8192);
	SAY("room", poll_bits(p[1], ALL));
	SAY("atomic now", write(p[1], buf, 4096));
	close(p[1]);
	while (read(p[0], buf, sizeof(buf)) > 0)
		;
	SAY("hang-up", poll_bits(p[0], ALL));
	SAY("end", read(p[0], buf, 1));
	close(p[0]);
	pipe(p);
	close(p[0]);
	signal(SIGPIPE, on_signal);
	SAY("epipe", write(p[1], "x", 1));
	SAY("caught", caught);
	SAY("broken", poll_bits(p[1], ALL));
	SAY("zero into broken", write(p[1], "x", 0));
	close(p[1]);
	SAY("closed", poll_bits(p[1], POLLIN));
	SAY("negative fd", poll_bits(-5, POLLIN));
	SAY("regular file", poll_bits(open("/etc/passwd", O_RDONLY), ALL));
	SAY("directory", poll_bits(open("/etc", O_RDONLY), ALL));
	SAY("null", poll_bits(open("/dev/null", O_RDWR), ALL));
	SAY("zero", poll_bits(open("/dev/zero", O_RDWR), ALL));
}

static void test_fifo(void)
{
	int r, w, rw;

	unlink("fifo");
	mkfifo("fifo", 0600);
	SAY("writer alone", open("fifo", O_WRONLY | O_NONBLOCK));
	r = open("fifo", O_RDONLY | O_NONBLOCK);
	SAY("reader", r >= 0);
	SAY("no writer", read(r, buf, 1));
	SAY("poll no writer ever", poll_bits(r, ALL));
	w = open("fifo", O_WRONLY | O_NONBLOCK);
	SAY("writer", w >= 0);
	SAY("empty", read(r, buf, 1));
	SAY("write", write(w, "xy", 2));
	close(w);
	SAY("poll writer gone", poll_bits(r, ALL));
	SAY("rest", read(r, buf, 9));
	SAY("then end", read(r, buf, 9));
	SAY("poll hup", poll_bits(r, ALL));
	w = open("fifo", O_WRONLY | O_NONBLOCK);
	SAY("poll new writer", poll_bits(r, ALL));
	close(w);
	close(r);
	rw = open("fifo", O_RDWR);
	SAY("rdwr", rw >= 0);
	SAY("rdwr poll", poll_bits(rw, ALL));
	SAY("rdwr write", write(rw, "z", 1));
	SAY("rdwr poll 2", poll_bits(rw, ALL));
	SAY("lseek", lseek(rw, 0, SEEK_SET));
	close(rw);
	unlink("fifo");
}

static void test_select(void)
{
	fd_set r;
	struct timeval tv = {0, 20000};
	int p[2];

	pipe(p);
	FD_ZERO(&r);
	FD_SET(p[0], &r);
	SAY("times out", select(p[0] + 1, &r, NULL, NULL, &tv));
	SAY("cleared", FD_ISSET(p[0], &r));
	SAY("left", tv.tv_sec + tv.tv_usec);
	write(p[1], "x", 1);
	FD_SET(p[0], &r);
	SAY("ready", select(p[0] + 1, &r, NULL, NULL, NULL));
	SAY("neg n", select(-1, NULL, NULL, NULL, NULL));
	tv = (struct timeval){-1, 0};
	SAY("neg time", select(0, NULL, NULL, NULL, &tv));
	tv = (struct timeval){0, 2000000};
	close(p[0]);
	FD_SET(p[0], &r);
	SAY("bad fd", select(p[0] + 1, &r, NULL, NULL, NULL));
	SAY("poll too many", poll(NULL, 1u << 30, 0));
	SAY("poll fault", poll((void *)8, 1, 0));
	SAY("poll nothing", poll(NULL, 0, 1));
	SAY("ppoll bad time", ppoll(NULL, 0, &(struct timespec){0, -1}, NULL));
	signal(SIGALRM, on_signal);
	ualarm(20000, 0);
	SAY("poll interrupted", poll(NULL, 0, 5000));
	close(p[1]);
}

static void test_epoll(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), p[2], file = open("/etc/passwd", O_RDONLY);
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = 7}, out[4];

	pipe(p);
	SAY("create 0", epoll_create(0));
	SAY("create flags", epoll_create1(1));
	SAY("add", epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e));
	SAY("add again", epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e));
	SAY("mod missing", epoll_ctl(ep, EPOLL_CTL_MOD, p[1], &e));
	SAY("del missing", epoll_ctl(ep, EPOLL_CTL_DEL, p[1], &e));
	SAY("file", epoll_ctl(ep, EPOLL_CTL_ADD, file, &e));
	SAY("itself", epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e));
	SAY("no epoll", epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], &e));
	SAY("bad op", epoll_ctl(ep, 9, p[0], &e));
	SAY("bad fd", epoll_ctl(ep, EPOLL_CTL_ADD, 999, &e));
	SAY("fault", epoll_ctl(ep, EPOLL_CTL_ADD, p[1], (void *)8));
	SAY("nothing", epoll_wait(ep, out, 4, 0));
	SAY("max 0", epoll_wait(ep, out, 0, 0));
	SAY("times out", epoll_wait(ep, out, 4, 10));
	write(p[1], "x", 1);
	SAY("ready", epoll_wait(ep, out, 4, -1));
	SAY("events", out[0].events);
	SAY("data", out[0].data.u64);
	SAY("level", epoll_wait(ep, out, 4, 0));
	e.events = EPOLLIN | EPOLLET;
	SAY("edge", epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e));
	SAY("once", epoll_wait(ep, out, 4, 0));
	SAY("not twice", epoll_wait(ep, out, 4, 0));
	write(p[1], "x", 1);
	SAY("again", epoll_wait(ep, out, 4, 0));
	e.events = EPOLLIN | EPOLLONESHOT;
	epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e);
	SAY("oneshot", epoll_wait(ep, out, 4, 0));
	SAY("disarmed", epoll_wait(ep, out, 4, 0));
	e.events = EPOLLIN;
	epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e);
	SAY("poll of epoll", poll_bits(ep, ALL));
	read(p[0], buf, 9);
	close(p[1]);
	SAY("hup", epoll_wait(ep, out, 4, 0));
	SAY("hup events", out[0].events);
	close(p[0]);
	SAY("closed is gone", epoll_wait(ep, out, 4, 0));
	SAY("read epoll", read(ep, buf, 8));
	close(ep);
	close(file);
}

static void test_eventfd(void)
{
	uint64_t v = 0;
	int fd = eventfd(3, EFD_NONBLOCK);

	SAY("flags", eventfd(0, 77));
	SAY("poll", poll_bits(fd, ALL));
	SAY("read", read(fd, &v, 8));
	SAY("value", v);
	SAY("again", read(fd, &v, 8));
	SAY("short", read(fd, &v, 4));
	SAY("poll empty", poll_bits(fd, ALL));
	v = UINT64_MAX;
	SAY("write max", write(fd, &v, 8));
	v--;
	SAY("write max - 1", write(fd, &v, 8));
	SAY("poll full", poll_bits(fd, ALL));
	v = 1;
	SAY("one more", write(fd, &v, 8));
	SAY("short write", write(fd, &v, 4));
	SAY("seek", lseek(fd, 0, SEEK_SET));
	SAY("pread", pread(fd, &v, 8, 0));
	close(fd);
	fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	SAY("semaphore", (read(fd, &v, 8), v));
	SAY("semaphore 2", (read(fd, &v, 8), v));
	SAY("semaphore 3", read(fd, &v, 8));
	close(fd);
}

static void test_timerfd(void)
{
	struct itimerspec s = {{0, 0}, {0, 200000000}}, old;
	uint64_t n = 0;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), p[2];
	struct timespec now;

	pipe(p);
	SAY("clock", timerfd_create(77, 0));
	SAY("cpu clock", timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
	SAY("flags", timerfd_create(CLOCK_MONOTONIC, 1));
	SAY("read unarmed", read(fd, &n, 8));
	SAY("short", read(fd, &n, 4));
	SAY("write", write(fd, &n, 8));
	SAY("set flags", timerfd_settime(fd, 99, &s, NULL));
	SAY("set pipe", timerfd_settime(p[0], 0, &s, NULL));
	SAY("set bad fd", timerfd_settime(99, 0, &s, NULL));
	SAY("get pipe", timerfd_gettime(p[0], &old));
	SAY("set", timerfd_settime(fd, 0, &s, &old));
	SAY("old", old.it_value.tv_nsec + old.it_interval.tv_nsec);
	SAY("poll", poll_bits(fd, ALL));
	SAY("wait", poll(&(struct pollfd){fd, POLLIN, 0}, 1, 2000));
	SAY("read", read(fd, &n, 8));
	SAY("count", n);
	SAY("read again", read(fd, &n, 8));
	SAY("get", timerfd_gettime(fd, &old));
	SAY("over", old.it_value.tv_sec + old.it_value.tv_nsec);
	s.it_interval.tv_nsec = 5000000;
	timerfd_settime(fd, 0, &s, NULL);
	usleep(100000);
	SAY("interval", read(fd, &n, 8));
	SAY("several", n > 5);
	timerfd_gettime(fd, &old);
	SAY("interval is", old.it_interval.tv_nsec);
	s.it_value.tv_nsec = 0;
	timerfd_settime(fd, 0, &s, &old);
	usleep(20000);
	SAY("disarmed", read(fd, &n, 8));
	clock_gettime(CLOCK_MONOTONIC, &now);
	s = (struct itimerspec){{0, 0}, now};
	timerfd_settime(fd, TFD_TIMER_ABSTIME, &s, NULL);
	fcntl(fd, F_SETFL, 0);
	SAY("absolute, past", read(fd, &n, 8));
	s.it_value.tv_nsec = 1000000000;
	SAY("bad nsec", timerfd_settime(fd, 0, &s, NULL));
	close(fd);
}

static void test_signalfd(void)
{
	struct signalfd_siginfo si;
	sigset_t set;
	int fd, ep = epoll_create1(0), st;
	struct epoll_event e = {.events = EPOLLIN};

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK);
	SAY("flags", signalfd(-1, &set, 3));
	SAY("not one", signalfd(0, &set, 0) == -1);
	SAY("empty", read(fd, &si, sizeof(si)));
	SAY("short", read(fd, &si, 100));
	SAY("poll", poll_bits(fd, ALL));
	SAY("epoll", epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
	kill(getpid(), SIGUSR1);
	SAY("poll one", poll_bits(fd, ALL));
	SAY("epoll one", epoll_wait(ep, &e, 1, 1000));
	SAY("read", read(fd, &si, sizeof(si)));
	SAY("which", si.ssi_signo);
	SAY("code", si.ssi_code);
	SAY("pid", si.ssi_pid == (uint32_t)getpid());
	sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 42});
	SAY("queued", read(fd, buf, 4000));
	memcpy(&si, buf, sizeof(si));
	SAY("value", si.ssi_int);
	SAY("code", si.ssi_code);
	fflush(stdout);
	if (fork() == 0)
		_exit(9);
	SAY("child", epoll_wait(ep, &e, 1, 5000));
	SAY("read", read(fd, &si, sizeof(si)));
	SAY("code", si.ssi_code);
	SAY("status", si.ssi_status);
	wait(&st);
	raise(SIGUSR1);
	SAY("raise", read(fd, &si, sizeof(si)));
	SAY("code", si.ssi_code);
	fflush(stdout);
	if (fork() == 0) {
		/* the child's own signals, seen through the inherited epoll after the parent's */
		kill(getpid(), SIGUSR1);
		SAY("inherited", read(fd, &si, sizeof(si)));
		SAY("the child's", si.ssi_pid == (uint32_t)getpid());
		exit(0);
	}
	wait(&st);
	read(fd, &si, sizeof(si));
	sigdelset(&set, SIGUSR1);
	SAY("change", signalfd(fd, &set, 0) == fd);
	kill(getpid(), SIGUSR1);
	SAY("no longer", read(fd, &si, sizeof(si)));
	signal(SIGUSR1, on_signal);
	sigprocmask(SIG_UNBLOCK, &(sigset_t){{SIGUSR1 ? ~0ul : 0}}, NULL);
	SAY("the handler", caught);
	close(fd);
	close(ep);
}

/* Reads fd until what came (at most 100 bytes, into buf) ends in text: a terminal's output may come in pieces. */
static int ends_with(int fd, char *buf, const char *text)
{
	size_t len = strlen(text);
	size_t n = 0;

	for (int tries = 0; tries < 100 && n < 100; tries++) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (n >= len && memcmp(buf + n - len, text, len) == 0)
			return 1;
		if (poll(&p, 1, 1000) <= 0)
			return 0;
		ssize_t got = read(fd, buf + n, 100 - n);

		if (got <= 0)
			return 0;
		n += (size_t)got;
	}
	return 0;
}

/* What was written to the master reaches the slave a moment later on Linux. */
static void settle(int slave)
{
	struct pollfd p = {.fd = slave, .events = POLLIN};

	poll(&p, 1, 2000);
}

static void test_tty(void)
{
	struct winsize ws = {24, 80, 0, 0};
	struct termios t;
	int m, s, n;
	char name[64];

	SAY("openpty", openpty(&m, &s, name, NULL, &ws));
	SAY("isatty", isatty(s));
	SAY("isatty master", isatty(m));
	SAY("tcgetattr", tcgetattr(s, &t));
	SAY("iflag", t.c_iflag);
	SAY("oflag", t.c_oflag);
	SAY("cflag", t.c_cflag);
	SAY("lflag", t.c_lflag);
	for (int i = 0; i < 17; i++)
		SAY("cc", t.c_cc[i]);
	SAY("winsize", (ioctl(s, TIOCGWINSZ, &ws), ws.ws_row * 1000 + ws.ws_col));
	SAY("no session", tcgetpgrp(s));
	SAY("no session sid", tcgetsid(s));
	SAY("poll slave", poll_bits(s, ALL));
	SAY("poll master", poll_bits(m, ALL));
	SAY("type", write(m,
			  "ab\x7f"
			  "c\n",
			  5));
	settle(s);
	SAY("poll slave", poll_bits(s, ALL));
	SAY("fionread", (ioctl(s, FIONREAD, &n), n));
	SAY("line", read(s, buf, 100));
	SAY("is ac", memcmp(buf, "ac\n", 3));
	SAY("echo", ends_with(m, buf, "ab\b \bc\r\n"));
	write(m, "x\x04", 2);
	SAY("eof flushes", read(s, buf, 100));
	write(m, "\x04", 1);
	SAY("eof", read(s, buf, 100));
	write(m, "long line\n", 10);
	SAY("part", read(s, buf, 4));
	SAY("rest", read(s, buf, 100));
	SAY("output", write(s, "a\nb", 3));
	SAY("crlf", ends_with(m, buf, "a\r\nb"));
	fcntl(m, F_SETFL, O_NONBLOCK);
	SAY("nothing", read(m, buf, 100));
	cfmakeraw(&t);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 1;
	SAY("raw", tcsetattr(s, TCSANOW, &t));
	SAY("times out", read(s, buf, 100));
	write(m, "\x03\n", 2);
	settle(s);
	SAY("raw bytes", read(s, buf, 100));
	SAY("flush", tcflush(s, TCIOFLUSH));
	SAY("flush bad", tcflush(s, 9));
	SAY("drain", tcdrain(s));
	SAY("flow", tcflow(s, TCOON));
	SAY("bad ioctl", ioctl(s, 0x5499, 0));
	SAY("tiocsti", ioctl(s, TIOCNOTTY, 0));
	SAY("tcget on pipe", tcgetattr(0, &t));
	close(s);
	SAY("slave closed", read(m, buf, 100));
	SAY("poll", poll_bits(m, ALL));
	SAY("reopen", (s = open(name, O_RDWR | O_NOCTTY)) >= 0);
	SAY("nothing", read(m, buf, 100));
	close(m);
	SAY("master closed", read(s, buf, 100));
	SAY("write then", write(s, "x", 1));
	SAY("poll", poll_bits(s, ALL));
	SAY("name is gone", access(name, F_OK));
	close(s);
}

int main(void)
{
	if (chdir("/tmp"))
		return 2;
	test_pipe();
	test_fifo();
	test_select();
	test_epoll();
	test_eventfd();
	test_timerfd();
	test_signalfd();
	test_tty();
	return abi_done();
}
