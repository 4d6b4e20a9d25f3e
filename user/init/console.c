/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The console and the login shell on it. The shell gets a session of its own with the console as its
 * controlling terminal, so that Ctrl-C and job control work.
 */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static const char *const shells[][2] = {
	{"/bin/bash", "-bash"},
	{"/bin/sh", "-sh"},
	{"/bin/busybox", "-sh"},
};

void say(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n = snprintf(line, sizeof(line), "init: ");
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	strcat(line, "\n");
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		return; /* there is nobody to tell */
}

static void use_as_stdio(int fd)
{
	for (int i = 0; i < 3; i++)
		if (fd != i)
			dup2(fd, i);
	if (fd > 2)
		close(fd);
}

void console_open(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);
	if (fd < 0)
		fd = open("/dev/null", O_RDWR);
	if (fd >= 0)
		use_as_stdio(fd);
}

static void set_host_name(void)
{
	char name[65] = "alien";
	int fd = open("/etc/hostname", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t n = read(fd, name, sizeof(name) - 1);
		close(fd);
		name[n > 0 ? n : 0] = 0;
		name[strcspn(name, " \t\n")] = 0;
	}
	if (name[0] && sethostname(name, strlen(name)) != 0)
		say("set the host name to %s: %s", name, strerror(errno));
}

void surroundings_set(void)
{
	char term[64];
	char dir[64];
	set_host_name();
	clearenv();
	setenv("PATH", INIT_PATH, 1);
	setenv("HOME", "/root", 1);
	setenv("USER", "root", 1);
	setenv("LOGNAME", "root", 1);
	setenv("SHELL", "/bin/bash", 1);
	setenv("TERM", args_value("alien.term", term, sizeof(term)) ? term : "vt220", 1);
	umask(022);
	if (!args_value("alien.dir", dir, sizeof(dir)) || chdir(dir) != 0)
		strcpy(dir, "/root");
	if (chdir(dir) != 0 && chdir("/") != 0)
		say("no working directory: %s", strerror(errno));
}

static void set_window_size(void)
{
	char text[32];
	struct winsize ws = {0};
	if (args_value("alien.winsize", text, sizeof(text)) &&
	    sscanf(text, "%hux%hu", &ws.ws_row, &ws.ws_col) == 2)
		ioctl(0, TIOCSWINSZ, &ws);
}

static void print_file(const char *path)
{
	char buf[1024];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	for (ssize_t n; (n = read(fd, buf, sizeof(buf))) > 0;)
		if (write(STDOUT_FILENO, buf, (size_t)n) < 0)
			break;
	close(fd);
}

int console_shell(void)
{
	int pid = fork_child();
	if (pid != 0)
		return pid;
	setsid();
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);
	if (fd >= 0)
		use_as_stdio(fd);
	if (ioctl(0, TIOCSCTTY, 1) != 0)
		say("no job control on the console: %s", strerror(errno));
	else
		tcsetpgrp(0, getpid());
	set_window_size();
	print_file("/etc/motd");
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		execl(shells[i][0], shells[i][1], (char *)NULL);
	say("cannot start a shell: %s", strerror(errno));
	_exit(127);
}
