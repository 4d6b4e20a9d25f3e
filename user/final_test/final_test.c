/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * final_test: a short tour of what the system promises, each promise tried once, on the running machine.
 * One line a check; exit status 1 if any failed. The figures at its end are for the eye: no check depends on time
 * (bench/ compares). The thorough tests are `make test`.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dbfs-tx.h"

#define DIR_NAME "/final_test.d"

static unsigned passed;
static unsigned failed;

static void check(const char *what, bool ok)
{
	printf("%s  %s\n", ok ? "ok  " : "FAIL", what);
	*(ok ? &passed : &failed) += 1;
}

static bool put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	return fd >= 0 && close(fd) == 0 && ok;
}

static bool holds(int dir, const char *name, const char *text)
{
	char buf[64] = "";
	int fd = openat(dir, name, O_RDONLY);

	if (fd < 0)
		return false;
	ssize_t n = read(fd, buf, sizeof buf - 1);

	close(fd);
	return n == (ssize_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

static bool missing(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

/* DIR_NAME inside a new transaction; -1: none could be begun. */
static int begin(int *handle)
{
	*handle = dbfs_tx_begin("/", NULL);
	int view = *handle >= 0 ? dbfs_tx_dir(*handle) : -1;
	int dir = view >= 0 ? openat(view, DIR_NAME + 1, O_RDONLY | O_DIRECTORY) : -1;

	if (view >= 0)
		close(view);
	return dir;
}

static void test_commit(int dir)
{
	int handle;
	int in = begin(&handle);

	check("a transaction begins", in >= 0);
	check("it writes two files", put(in, "a", "one") && put(in, "b", "two"));
	check("it sees them", holds(in, "a", "one") && holds(in, "b", "two"));
	check("nobody else does", missing(dir, "a") && missing(dir, "b"));
	check("it commits", dbfs_tx_commit(handle, NULL) == 0);
	check("now everybody does", holds(dir, "a", "one") && holds(dir, "b", "two"));
	check("its view is gone", openat(in, "a", O_RDONLY) < 0 && errno == ESTALE);
	close(in);
	close(handle);
}

static void test_rollback(int dir)
{
	int handle;
	int in = begin(&handle);

	check("changes, removals and names in a second one",
	      put(in, "a", "changed") && unlinkat(in, "b", 0) == 0 && put(in, "c", "new") &&
		      renameat(in, "c", in, "d") == 0 && mkdirat(in, "e", 0755) == 0);
	check("are rolled back when its handle is closed", close(handle) == 0);
	check("without a trace", holds(dir, "a", "one") && holds(dir, "b", "two") &&
					 missing(dir, "c") && missing(dir, "d") &&
					 missing(dir, "e"));
	close(in);
}

static void test_conflict(int dir)
{
	int handle;
	int in = begin(&handle);

	check("a transaction reads a file", holds(in, "a", "one"));
	check("another writes it meanwhile", put(dir, "a", "outside"));
	check("the first still sees its state", holds(in, "a", "one"));
	check("and its commit is refused",
	      put(in, "b", "lost") && dbfs_tx_commit(handle, NULL) < 0 && errno == EAGAIN);
	check("with nothing of it done", holds(dir, "b", "two") && holds(dir, "a", "outside"));
	close(in);
	close(handle);
}

static void test_savepoint(int dir)
{
	struct dbfs_txctl_savepoint sp;
	int handle;
	int in = begin(&handle);

	check("a savepoint is set", put(in, "s", "before") && dbfs_tx_savepoint(handle, &sp) == 0);
	check("what comes after it is undone alone",
	      put(in, "s", "after") && put(in, "t", "after") &&
		      dbfs_tx_rollback_to(handle, &sp) == 0 && holds(in, "s", "before") &&
		      missing(in, "t"));
	sp.pos++;
	check("a savepoint that was never given is refused",
	      dbfs_tx_rollback_to(handle, &sp) < 0 && errno == EINVAL);
	check("and the rest commits",
	      dbfs_tx_commit(handle, NULL) == 0 && holds(dir, "s", "before"));
	close(in);
	close(handle);
}

static void test_posix(int dir)
{
	struct stat st;
	int fd = openat(dir, "p", O_RDWR | O_CREAT, 0600);

	check("write, fsync", write(fd, "text", 4) == 4 && fsync(fd) == 0);
	check("an unlinked open file stays readable",
	      unlinkat(dir, "p", 0) == 0 && missing(dir, "p") && lseek(fd, 0, SEEK_SET) == 0 &&
		      fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 4);
	close(fd);
	check("rename replaces at once", put(dir, "q", "old") && put(dir, "r", "new") &&
						 renameat(dir, "r", dir, "q") == 0 &&
						 holds(dir, "q", "new"));
	fd = openat(dir, "sparse", O_RDWR | O_CREAT, 0600);
	check("a sparse file takes no space", ftruncate(fd, 1 << 30) == 0 && fstat(fd, &st) == 0 &&
						      st.st_size == 1 << 30 && st.st_blocks < 16);
	close(fd);
}

static void test_processes(void)
{
	int status = 0;
	struct utsname u;
	pid_t pid = fork();

	if (pid == 0)
		execl("/bin/sh", "sh", "-c", "exit 7", (char *)NULL);
	check("fork, exec, wait",
	      waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
	check("this is riscv64", uname(&u) == 0 && strcmp(u.machine, "riscv64") == 0);
	check("an unknown call is refused", syscall(5000) < 0 && errno == ENOSYS);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void figures(int dir)
{
	enum { CALLS = 20000, FILES = 1000, COMMITS = 50 };
	char name[32];
	int handle;
	double start = seconds();

	for (int i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
	printf("      null system call   %8.2f us\n", (seconds() - start) / CALLS * 1e6);
	start = seconds();
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof name, "f%d", i);
		close(openat(dir, name, O_CREAT | O_WRONLY, 0644));
	}
	printf("      file creation      %8.2f us\n", (seconds() - start) / FILES * 1e6);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof name, "f%d", i);
		unlinkat(dir, name, 0);
	}
	start = seconds();
	for (int i = 0; i < COMMITS; i++) {
		int in = begin(&handle);

		if (in < 0 || !put(in, "a", "x") || !put(in, "b", "y") ||
		    dbfs_tx_commit(handle, NULL) < 0)
			printf("      (a commit failed: %s)\n", strerror(errno));
		close(in);
		close(handle);
	}
	printf("      durable commit     %8.2f us (two files)\n",
	       (seconds() - start) / COMMITS * 1e6);
}

static void clean_up(int dir)
{
	static const char *const names[] = {"a", "b", "q", "s", "sparse"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unlinkat(dir, names[i], 0);
	close(dir);
	check("everything can be removed", rmdir(DIR_NAME) == 0);
}

int main(void)
{
	if (mkdir(DIR_NAME, 0755) < 0) {
		fprintf(stderr, "final_test: %s: %s\n", DIR_NAME, strerror(errno));
		return 2;
	}
	int dir = open(DIR_NAME, O_RDONLY | O_DIRECTORY);

	test_commit(dir);
	test_rollback(dir);
	test_conflict(dir);
	test_savepoint(dir);
	test_posix(dir);
	test_processes();
	figures(dir);
	clean_up(dir);
	printf("final_test: %u passed, %u failed\n", passed, failed);
	return failed != 0;
}
