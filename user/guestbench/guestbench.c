/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * guestbench DIR: a few system calls, timed. Runs on Alien OS and on Linux alike (bench/guest.py compares).
 * One line a figure: "NAME NANOSECONDS", the time of one operation as the median of several rounds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 5 };

static const char *dir;

static void die(const char *what)
{
	fprintf(stderr, "guestbench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void null_call(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		syscall(SYS_getppid);
}

static void read_byte(unsigned n)
{
	int fd = open("/dev/zero", O_RDONLY);
	char c;

	for (unsigned i = 0; i < n; i++) {
		if (read(fd, &c, 1) != 1)
			die("read");
	}
	close(fd);
}

static void read_file_byte(unsigned n)
{
	char name[1024];
	char c = 'x';

	snprintf(name, sizeof name, "%s/byte", dir);
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, &c, 1) != 1)
		die(name);
	for (unsigned i = 0; i < n; i++) {
		if (pread(fd, &c, 1, 0) != 1)
			die("pread");
	}
	close(fd);
	unlink(name);
}

static void stat_file(unsigned n)
{
	struct stat st;

	for (unsigned i = 0; i < n; i++) {
		if (stat("/bin/sh", &st) < 0)
			die("/bin/sh");
	}
}

static void create_files(unsigned n)
{
	char name[1024];

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof name, "%s/f%u", dir, i);
		int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);

		if (fd < 0 || close(fd) < 0)
			die(name);
	}
}

static void unlink_files(unsigned n)
{
	char name[1024];

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof name, "%s/f%u", dir, i);
		if (unlink(name) < 0)
			die(name);
	}
}

static void fork_exit(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			die("fork");
	}
}

static void fork_exec(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			die("fork");
	}
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return (*x > *y) - (*x < *y);
}

static void measure(const char *name, void (*fn)(unsigned n), unsigned n)
{
	uint64_t times[ROUNDS];

	for (int r = 0; r < ROUNDS; r++) {
		uint64_t start = now();

		fn(n);
		times[r] = (now() - start) / n;
		if (fn == create_files)
			unlink_files(n);
	}
	qsort(times, ROUNDS, sizeof times[0], compare);
	printf("%s %llu\n", name, (unsigned long long)times[ROUNDS / 2]);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: guestbench DIR\n");
		return 2;
	}
	dir = argv[1];
	measure("null-call", null_call, 20000);
	measure("read-1-zero", read_byte, 10000);
	measure("read-1-file", read_file_byte, 10000);
	measure("stat", stat_file, 5000);
	measure("create-close", create_files, 2000);
	measure("fork-exit", fork_exit, 50);
	measure("fork-exec", fork_exec, 20);
	return 0;
}
