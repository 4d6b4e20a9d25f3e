/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * views DEVICE: what a view's commit does to files that others have open and mapped, and a view that is in use when its
 * volume is unmounted. Runs in the guest (test_views.sh).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dbfs/txctl.h"

#define MAIN "/tmp/m1"
#define BOUND "/tmp/m2"

static int failed;

static void check(const char *name, long want, long got)
{
	if (want == got)
		return;
	failed++;
	printf("FAIL: %s: expected %ld, got %ld (%s)\n", name, want, got, strerror(errno));
}

/* Begins; path becomes that of name in the view. */
static int begin(char *path, size_t size, const char *name)
{
	struct dbfs_txctl_begin b = {.version = DBFS_TXCTL_VERSION, .mode = DBFS_TXCTL_OPTIMISTIC};
	int ctl = open(MAIN "/.dbfs/ctl", O_RDWR | O_CLOEXEC);

	check("begin", 0, ioctl(ctl, DBFS_TXCTL_BEGIN, &b));
	snprintf(path, size, MAIN "/.dbfs/tx/%llu/root%s", (unsigned long long)b.id, name);
	return ctl;
}

static int commit(int ctl)
{
	struct dbfs_txctl_commit c = {0};
	int err = ioctl(ctl, DBFS_TXCTL_COMMIT, &c) ? errno : 0;

	close(ctl);
	return err;
}

static void unmounted_volume(const char *device)
{
	struct statfs s;
	struct stat st;
	char path[100];
	int ctl, f, anon;

	check("mount", 0, mount(device, MAIN, "dbfs", 0, NULL));
	ctl = begin(path, sizeof(path), "");
	check("bind", 0, mount(path, BOUND, NULL, MS_BIND, NULL));
	f = open(BOUND "/f", O_RDWR | O_CREAT, 0644);
	check("write", 5, write(f, "hello", 5));
	anon = open(BOUND, O_TMPFILE | O_RDWR, 0600);
	check("a volume with a view is busy", -1, umount(MAIN));
	check("detach", 0, umount2(MAIN, MNT_DETACH));
	close(ctl);
	check("statfs of the dead view", 0, statfs(BOUND, &s));
	check("blocks", 4096, s.f_bsize);
	check("its file", -1, fstat(f, &st));
	check("is stale", ESTALE, errno);
	close(f);
	close(anon);
	check("unbind", 0, umount(BOUND));
	sync();
	check("mount again", 0, mount(device, MAIN, "dbfs", 0, NULL));
	check("umount", 0, umount(MAIN));
}

static int touch(volatile char *p)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)*p;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void mapped_files(const char *device)
{
	char path[100], big[8192];
	int ctl, f, g;
	char *m;

	memset(big, 'a', sizeof(big));
	check("mount", 0, mount(device, MAIN, "dbfs", 0, NULL));
	f = open(MAIN "/g", O_RDWR | O_CREAT | O_TRUNC, 0644);
	check("fill", sizeof(big), write(f, big, sizeof(big)));
	m = mmap(NULL, sizeof(big), PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	ctl = begin(path, sizeof(path), "/g");
	g = open(path, O_RDWR);
	check("write in the view", 2, write(g, "XY", 2));
	close(g);
	m[2] = 'b'; /* a dirty page of the main tree under the view's write */
	check("the store conflicts", EAGAIN, commit(ctl));
	check("and is kept", 0, memcmp(m, "aab", 3));
	ctl = begin(path, sizeof(path), "/g");
	g = open(path, O_RDWR);
	check("write again", 2, write(g, "XY", 2));
	close(g);
	check("commit", 0, commit(ctl));
	check("the mapping shows it", 0, memcmp(m, "XYb", 3));
	m[4096] = 'c';
	ctl = begin(path, sizeof(path), "/g");
	check("truncate in the view", 0, truncate(path, 4096));
	m[4097] = 'd';
	(void)commit(ctl);
	ctl = begin(path, sizeof(path), "/g");
	check("truncate again", 0, truncate(path, 4096));
	check("commit it", 0, commit(ctl));
	check("beyond the end", SIGBUS, touch(m + 4096));
	munmap(m, sizeof(big));
	close(f);
	check("umount", 0, umount(MAIN));
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	mkdir(MAIN, 0755);
	mkdir(BOUND, 0755);
	unmounted_volume(argv[1]);
	mapped_files(argv[1]);
	printf("views: %d failed\n", failed);
	return failed != 0;
}
