/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * txloop DIR [COUNT]: commits one transaction after the other until the power goes; `make crash-guest` cuts it.
 * txloop --check DIR: verifies what a cut left, on whatever system has DIR mounted.
 *
 * Each transaction raises the generation: it writes the number to eight files in three directories
 *
 *     DIR/a/f0 DIR/b/f1 DIR/c/f2 DIR/a/f3 ... DIR/b/f7
 *
 * and renames a ninth, DIR/X/gen.N to DIR/Y/gen.N+1 in the next of the three directories. "committed N" is
 * printed (and has left the machine) only after the commit of generation N returned, so a
 * generation below the last one printed is a broken promise, and files that disagree are half a transaction.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dbfs-tx.h"

enum { FILES = 8, DIRS = 3 };

static const char *const dirs[DIRS] = {"a", "b", "c"};

static void die(const char *what)
{
	fprintf(stderr, "txloop: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void file_name(char *buf, size_t size, int i)
{
	snprintf(buf, size, "%s/f%d", dirs[i % DIRS], i);
}

static void ninth_name(char *buf, size_t size, unsigned long gen)
{
	snprintf(buf, size, "%s/gen.%lu", dirs[gen % DIRS], gen);
}

static void write_number(int base, const char *name, unsigned long gen)
{
	int fd = openat(base, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || dprintf(fd, "%lu\n", gen) < 0 || close(fd) < 0)
		die(name);
}

/* False if there is no such file or no number in it. */
static bool read_number(int base, const char *name, unsigned long *gen)
{
	char buf[32] = "";
	char *end;
	int fd = openat(base, name, O_RDONLY);

	if (fd < 0)
		return false;
	ssize_t n = read(fd, buf, sizeof buf - 1);

	close(fd);
	*gen = strtoul(buf, &end, 10);
	return n > 0 && end != buf && *end == '\n';
}

/* The first transaction: directories, files and the ninth of generation 0. */
static void set_up(int base)
{
	char name[64];

	for (int i = 0; i < DIRS; i++) {
		if (mkdirat(base, dirs[i], 0755) < 0)
			die(dirs[i]);
	}
	for (int i = 0; i < FILES; i++) {
		file_name(name, sizeof name, i);
		write_number(base, name, 0);
	}
	ninth_name(name, sizeof name, 0);
	write_number(base, name, 0);
}

static void raise_generation(int base, unsigned long gen)
{
	char name[64];
	char old[64];

	for (int i = 0; i < FILES; i++) {
		file_name(name, sizeof name, i);
		write_number(base, name, gen);
	}
	ninth_name(old, sizeof old, gen - 1);
	ninth_name(name, sizeof name, gen);
	if (renameat(base, old, base, name) < 0)
		die("rename of the ninth");
}

/* Opens dir (absolute) as the transaction sees it. */
static int open_in_view(int handle, const char *mount, const char *dir)
{
	const char *rel = dir + (strcmp(mount, "/") == 0 ? 0 : strlen(mount));
	int view = dbfs_tx_dir(handle);

	if (view < 0)
		die("view");
	while (*rel == '/')
		rel++;
	int base = openat(view, *rel != '\0' ? rel : ".", O_RDONLY | O_DIRECTORY);

	if (base < 0)
		die(dir);
	close(view);
	return base;
}

static void one_transaction(const char *mount, const char *dir, unsigned long gen)
{
	int handle = dbfs_tx_begin(mount, NULL);

	if (handle < 0)
		die("begin");
	int base = open_in_view(handle, mount, dir);

	if (gen == 0)
		set_up(base);
	else
		raise_generation(base, gen);
	close(base);
	if (dbfs_tx_commit(handle, NULL) < 0)
		die("commit");
	close(handle);
	printf("committed %lu\n", gen);
}

/* Prints the generation that all agree on, or what disagrees. */
static int check(const char *dir)
{
	unsigned long first = 0;
	unsigned long gen;
	char name[64];
	struct stat st;
	int base = open(dir, O_RDONLY | O_DIRECTORY);

	if (base < 0)
		die(dir);
	for (int i = 0; i < FILES; i++) {
		file_name(name, sizeof name, i);
		if (!read_number(base, name, &gen)) {
			printf("broken: %s has no generation\n", name);
			return 1;
		}
		if (i == 0)
			first = gen;
		if (gen != first) {
			printf("broken: %s has generation %lu, f0 %lu\n", name, gen, first);
			return 1;
		}
	}
	ninth_name(name, sizeof name, first);
	if (fstatat(base, name, &st, 0) < 0) {
		printf("broken: %s is missing\n", name);
		return 1;
	}
	close(base);
	printf("generation %lu\n", first);
	return 0;
}

int main(int argc, char **argv)
{
	static char mount[PATH_MAX];
	static char dir[PATH_MAX];
	char name[64];
	unsigned long gen = 0;

	if (argc == 3 && strcmp(argv[1], "--check") == 0)
		return check(argv[2]);
	if (argc < 2 || argc > 3 || argv[1][0] == '-') {
		fprintf(stderr, "usage: txloop DIR [COUNT] | txloop --check DIR\n");
		return 2;
	}
	unsigned long count = argc == 3 ? strtoul(argv[2], NULL, 10) : ULONG_MAX;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (realpath(argv[1], dir) == NULL || dbfs_tx_find_mount(dir, mount, sizeof mount) < 0)
		die(argv[1]);
	int base = open(dir, O_RDONLY | O_DIRECTORY);

	file_name(name, sizeof name, 0);
	bool exists = base >= 0 && read_number(base, name, &gen);

	close(base);
	for (gen = exists ? gen + 1 : 0; count > 0; gen++, count--)
		one_transaction(mount, dir, gen);
	return 0;
}
