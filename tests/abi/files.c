/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Names and files: open, rename, link, unlink, rmdir, symlinks, truncate, seek, positions, limits,
 * fcntl, locks, attributes, permissions of another user. Each line says what a call answered; the
 * lines under Linux are the expectation (run.sh compares). Runs as root in an empty directory.
 */
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "abi.h"

static char home[] = "/root/files.XXXXXX"; /* on the root file system */

static void put(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	SAY("put", write(fd, text, strlen(text)));
	close(fd);
}

/* Opens and closes: descriptor or error. */
static int opens(const char *path, int flags)
{
	int fd = open(path, flags, 0644);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static void test_open(void)
{
	put("f", "hello");
	mkdir("d", 0755);
	symlink("f", "to_f");
	symlink("d", "to_d");
	symlink("none", "dangling");
	symlink("loop", "loop");
	SAY("excl on a file", opens("f", O_CREAT | O_EXCL | O_WRONLY));
	SAY("excl on dangling", opens("dangling", O_CREAT | O_EXCL | O_WRONLY));
	SAY("excl on a dir", opens("d", O_CREAT | O_EXCL));
	SAY("creat on a dir", opens("d", O_CREAT));
	SAY("creat dir slash", opens("d/", O_CREAT));
	SAY("creat new slash", opens("new/", O_CREAT));
	SAY("creat new slash wr", opens("new/", O_CREAT | O_WRONLY));
	SAY("directory creat", opens("new", O_CREAT | O_DIRECTORY));
	SAY("nofollow link", opens("to_f", O_NOFOLLOW));
	SAY("nofollow path", opens("to_f", O_NOFOLLOW | O_PATH));
	SAY("nofollow dir link slash", opens("to_d/", O_NOFOLLOW));
	SAY("nofollow directory", opens("to_d", O_NOFOLLOW | O_DIRECTORY));
	SAY("directory on file", opens("f", O_DIRECTORY));
	SAY("directory on link to file", opens("to_f", O_DIRECTORY));
	SAY("file slash", opens("f/", O_RDONLY));
	SAY("file dot", opens("f/.", O_RDONLY));
	SAY("link to file slash", opens("to_f/", O_RDONLY));
	SAY("dir for write", opens("d", O_WRONLY));
	SAY("dir rdwr", opens("d/", O_RDWR));
	SAY("dir trunc", opens("d", O_TRUNC));
	SAY("access mode 3", opens("f", 3));
	SAY("loop", opens("loop", O_RDONLY));
	SAY("loop creat", opens("loop", O_CREAT | O_WRONLY));
	SAY("empty", opens("", O_RDONLY));
	SAY("creat through dangling", opens("dangling", O_CREAT | O_WRONLY));
	SAY("it made none", opens("none", O_RDONLY));
	SAY("under a file", opens("f/x", O_RDONLY));
	SAY("under nothing", opens("zzz/x", O_CREAT | O_WRONLY));
	SAY("bad flags", opens("f", O_RDONLY | 0x80000000));
	SAY("tmpfile on file", opens("f", O_TMPFILE | O_RDWR));
	SAY("tmpfile rdonly", opens(".", O_TMPFILE));
	SAY("trunc rdonly", opens("f", O_TRUNC));
	SAY("bad address", open((char *)8, O_RDONLY));
	SAY("bad dirfd", openat(99, "f", O_RDONLY));
	SAY("bad dirfd, absolute", openat(99, "/nonexistent", O_RDONLY));
	{
		int fd = open("f", O_RDONLY);

		SAY("file as dirfd", openat(fd, "x", O_RDONLY));
		SAY("getfl", fcntl(fd, F_GETFL) & ~O_LARGEFILE);
		SAY("read on wronly", write(fd, "x", 1));
		close(fd);
		fd = open("d", O_RDONLY | O_DIRECTORY);
		SAY("read a dir", read(fd, &fd, 0));
		SAY("read a dir 1", read(fd, (char[1]){0}, 1));
		SAY("pread a dir", pread(fd, (char[1]){0}, 1, 0));
		SAY("ftruncate a dir", ftruncate(fd, 0));
		SAY("fsync a dir", fsync(fd));
		close(fd);
		fd = open("f", O_PATH);
		SAY("path read", read(fd, (char[1]){0}, 1));
		SAY("path fchmod", fchmod(fd, 0600));
		SAY("path getfl", fcntl(fd, F_GETFL) & ~O_LARGEFILE);
		SAY("path ioctl", fsync(fd));
		SAY("path fstat", fstat(fd, &(struct stat){0}));
		SAY("path dup", fcntl(fd, F_DUPFD, 50));
		SAY("path flock", flock(fd, LOCK_SH));
		close(fd);
		close(50);
	}
	{
		char name[300];

		memset(name, 'n', sizeof(name));
		name[255] = 0;
		SAY("name of 255", opens(name, O_CREAT | O_WRONLY));
		SAY("unlink it", unlink(name));
		name[255] = 'n';
		name[256] = 0;
		SAY("name of 256", opens(name, O_CREAT | O_WRONLY));
		SAY("mkdir of 256", mkdir(name, 0755));
		SAY("look-up of 256", opens(name, O_RDONLY));
	}
	{
		static char path[5000];

		for (int i = 0; i < 4094; i += 2)
			memcpy(path + i, "./", 2);
		strcpy(path + 4094, "f");
		SAY("path of 4095", opens(path, O_RDONLY));
		strcpy(path + 4094, "./");
		SAY("path of 4096", opens(path, O_RDONLY));
	}
}

static void test_rename(void)
{
	mkdir("r", 0755);
	chdir("r");
	put("a", "A");
	put("b", "B");
	mkdir("d1", 0755);
	mkdir("d2", 0755);
	mkdir("full", 0755);
	put("full/x", "x");
	SAY("file over dir", rename("a", "d1"));
	SAY("dir over file", rename("d1", "a"));
	SAY("dir over full dir", rename("d1", "full"));
	SAY("full dir over dir", rename("full", "d2"));
	SAY("x is there", access("d2/x", F_OK));
	SAY("dir into itself", rename("d2", "d2/in"));
	SAY("dir into child's child", rename("d2", "d2/x/y"));
	SAY("onto own parent", rename("d2/x", "d2"));
	SAY("parent over non-empty", rename("d1", "."));
	SAY("dot", rename(".", "q"));
	SAY("dotdot", rename("..", "q"));
	SAY("d1/.", rename("d1/.", "q"));
	SAY("to x/.", rename("d1", "q/."));
	SAY("same name", rename("a", "a"));
	SAY("missing", rename("zz", "q"));
	SAY("file slash", rename("a/", "q"));
	SAY("to slash", rename("a", "q/"));
	SAY("dir to slash", rename("d1", "q/"));
	SAY("dir slash to name", rename("q/", "d1"));
	SAY("link", link("a", "a2"));
	SAY("links to one file", rename("a", "a2"));
	SAY("both stay", access("a", F_OK) || access("a2", F_OK));
	SAY("noreplace on existing", renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
	SAY("noreplace", renameat2(AT_FDCWD, "b", AT_FDCWD, "b9", RENAME_NOREPLACE));
	SAY("exchange missing", renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
	SAY("exchange", renameat2(AT_FDCWD, "a", AT_FDCWD, "d1", RENAME_EXCHANGE));
	SAY("a is a dir", opens("a", O_DIRECTORY));
	SAY("exchange back", renameat2(AT_FDCWD, "a", AT_FDCWD, "d1", RENAME_EXCHANGE));
	SAY("exchange with child", renameat2(AT_FDCWD, "d2", AT_FDCWD, "d2/x", RENAME_EXCHANGE));
	SAY("both flags",
	    renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE | RENAME_NOREPLACE));
	SAY("unknown flag", renameat2(AT_FDCWD, "a", AT_FDCWD, "b", 64));
	SAY("across mounts", rename("a", "/dev/shm/a"));
	symlink("d2", "ld");
	SAY("symlink itself", rename("ld", "ld2"));
	SAY("symlink slash", rename("ld2/", "ld3"));
	SAY("over symlink", rename("b9", "ld2"));
	SAY("d2 untouched", access("d2/x", F_OK));
	chdir("..");
}

static void test_links(void)
{
	mkdir("l", 0755);
	chdir("l");
	put("a", "A");
	mkdir("d", 0755);
	symlink("a", "s");
	symlink("nothing", "dang");
	SAY("link dir", link("d", "d2"));
	SAY("link existing", link("a", "s"));
	SAY("link symlink", link("s", "s2"));
	SAY("is a symlink", readlink("s2", (char[9]){0}, 9));
	SAY("link follow", linkat(AT_FDCWD, "s", AT_FDCWD, "a3", AT_SYMLINK_FOLLOW));
	SAY("link missing", link("zz", "q"));
	SAY("link to slash", link("a", "q/"));
	SAY("link from slash", link("a/", "q"));
	SAY("linkat flag", linkat(AT_FDCWD, "a", AT_FDCWD, "q", 1));
	SAY("link across", link("a", "/dev/shm/q"));
	{
		int fd = open(".", O_TMPFILE | O_RDWR, 0600);
		char p[64];

		SAY("tmpfile", fd >= 0);
		SAY("tmpfile nlink 0", fstat(fd, &(struct stat){0}));
		sprintf(p, "/proc/self/fd/%d", fd);
		SAY("give it a name", linkat(AT_FDCWD, p, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
		SAY("it is there", access("named", F_OK));
		close(fd);
	}
	SAY("unlink dir", unlink("d"));
	SAY("unlink slash", unlink("a/"));
	SAY("unlink missing slash", unlink("zz/"));
	SAY("unlink symlink slash", unlink("s/"));
	SAY("unlink dot", unlink("."));
	SAY("unlink flags", unlinkat(AT_FDCWD, "a", 1));
	SAY("rmdir file", rmdir("a"));
	SAY("rmdir dot", rmdir("."));
	SAY("rmdir d/.", rmdir("d/."));
	SAY("rmdir d/..", rmdir("d/.."));
	SAY("rmdir dotdot", rmdir(".."));
	SAY("rmdir root", rmdir("/"));
	put("d/x", "x");
	SAY("rmdir full", rmdir("d"));
	unlink("d/x");
	SAY("rmdir symlink", rmdir("s"));
	SAY("rmdir slash", rmdir("d/"));
	SAY("rmdir missing", rmdir("d"));
	SAY("rmdir mount point", rmdir("/dev/shm"));
	SAY("mkdir existing", mkdir("a", 0755));
	SAY("mkdir dot", mkdir(".", 0755));
	SAY("mkdir slash", mkdir("e/", 0755));
	SAY("mkdir root", mkdir("/", 0755));
	SAY("mkdir dangling", mkdir("dang", 0755));
	SAY("mkdir dangling slash", mkdir("dang/", 0755));
	SAY("symlink empty", symlink("", "q"));
	SAY("symlink existing", symlink("x", "a"));
	SAY("symlink slash", symlink("x", "q/"));
	SAY("readlink file", readlink("a", (char[9]){0}, 9));
	SAY("readlink 0", readlink("s", (char[9]){0}, 0));
	SAY("readlink cut", readlink("dang", (char[9]){0}, 3));
	{
		char t[4100];

		memset(t, 'x', sizeof(t));
		t[4095] = 0;
		SAY("symlink of 4095", symlink(t, "long"));
		t[4095] = 'x';
		t[4096] = 0;
		SAY("symlink of 4096", symlink(t, "long2"));
	}
	for (int i = 0; i < 42; i++) {
		char from[16], to[16];

		sprintf(from, "c%d", i);
		sprintf(to, "c%d", i + 1);
		symlink(to, from);
	}
	put("c42", "end");
	SAY("40 links", opens("c2", O_RDONLY));
	SAY("41 links", opens("c1", O_RDONLY));
	chdir("..");
	rmdir("l/e");
	{
		int fd;

		mkdir("gone", 0755);
		fd = open("gone", O_RDONLY);
		chdir("gone");
		rmdir("../gone");
		SAY("create in a removed dir", opens("x", O_CREAT | O_WRONLY));
		SAY("mkdir in a removed dir", mkdir("y", 0755));
		SAY("getcwd there", getcwd((char[99]){0}, 99) == NULL ? -1 : 0);
		SAY("open dot there", opens(".", O_RDONLY));
		SAY("dotdot there", opens("..", O_RDONLY));
		SAY("nlink", fstat(fd, &(struct stat){0}));
		fchdir(fd);
		close(fd);
		chdir("/");
		chdir(home);
	}
}

static void test_data(void)
{
	char b[64] = "";
	int fd = open("data", O_CREAT | O_RDWR | O_TRUNC, 0644), fd2;
	struct iovec v[3] = {{"one", 3}, {"", 0}, {"two", 3}};
	struct stat st;

	SAY("writev", writev(fd, v, 3));
	SAY("writev none", writev(fd, v, 0));
	SAY("writev -1", writev(fd, v, -1));
	SAY("writev 1025", writev(fd, v, 1025));
	v[1].iov_len = (size_t)-1;
	SAY("writev negative", writev(fd, v, 3));
	v[1] = (struct iovec){(void *)8, 5};
	SAY("writev fault in the middle", writev(fd, v, 3));
	SAY("write fault", write(fd, (void *)8, 5));
	SAY("write 0 fault", write(fd, (void *)8, 0));
	SAY("position", lseek(fd, 0, SEEK_CUR));
	SAY("pread", pread(fd, b, 3, 3));
	SAY("pread neg", pread(fd, b, 3, -1));
	SAY("pwrite far", pwrite(fd, "far", 3, 100000));
	SAY("size", lseek(fd, 0, SEEK_END));
	SAY("hole is zero", pread(fd, b, 3, 50000) == 3 && b[0] == 0);
	SAY("seek neg", lseek(fd, -1, SEEK_SET));
	SAY("seek bad whence", lseek(fd, 0, 9));
	SAY("seek beyond", lseek(fd, 1 << 30, SEEK_SET));
	SAY("read beyond", read(fd, b, 3));
	SAY("seek overflow", lseek(fd, INT64_MAX, SEEK_CUR));
	SAY("truncate", ftruncate(fd, 10));
	SAY("truncate neg", ftruncate(fd, -1));
	SAY("grow", ftruncate(fd, 5000));
	SAY("tail is zero", pread(fd, b, 1, 4999) == 1 && b[0] == 0);
	SAY("truncate missing", truncate("zzz", 0));
	SAY("truncate dir", truncate("d", 0));
	SAY("truncate path neg", truncate("data", -1));
	fd2 = open("data", O_RDONLY);
	SAY("truncate rdonly", ftruncate(fd2, 0));
	SAY("seek data in empty", (ftruncate(fd, 0), lseek(fd, 0, SEEK_DATA)));
	pwrite(fd, "x", 1, 1 << 20);
	SAY("seek data past end", lseek(fd, 2 << 20, SEEK_DATA));
	SAY("seek hole past end", lseek(fd, 2 << 20, SEEK_HOLE));
	SAY("seek data finds", lseek(fd, 0, SEEK_DATA) == 1 << 20);
	SAY("seek hole 0", lseek(fd, 0, SEEK_HOLE));
	SAY("seek hole end", lseek(fd, 1 << 20, SEEK_HOLE) == (1 << 20) + 1);
	fstat(fd, &st);
	SAY("sparse", st.st_blocks <= 16);
	SAY("append", fcntl(fd, F_SETFL, O_APPEND));
	ftruncate(fd, 3);
	lseek(fd, 0, SEEK_SET);
	SAY("append write", write(fd, "zz", 2));
	SAY("position after", lseek(fd, 0, SEEK_CUR));
	SAY("append pwrite", pwrite(fd, "yy", 2, 0));
	SAY("it appended", lseek(fd, 0, SEEK_END));
	SAY("fallocate neg", fallocate(fd, 0, -1, 10));
	SAY("fallocate 0", fallocate(fd, 0, 0, 0));
	SAY("fallocate rdonly", fallocate(fd2, 0, 0, 10));
	SAY("fallocate", fallocate(fd, 0, 0, 10000));
	SAY("size then", lseek(fd, 0, SEEK_END));
	SAY("fallocate keep", fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 20000));
	SAY("size stays", lseek(fd, 0, SEEK_END));
	SAY("punch", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4));
	SAY("punched", pread(fd, b, 7, 0) == 7 && b[0] == 0 && b[3] == 0 && b[4] == 'z');
	SAY("punch without keep", fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4));
	{
		struct rlimit rl = {100, RLIM_INFINITY}, old;

		signal(SIGXFSZ, SIG_IGN);
		getrlimit(RLIMIT_FSIZE, &old);
		setrlimit(RLIMIT_FSIZE, &rl);
		fcntl(fd, F_SETFL, 0);
		ftruncate(fd, 0);
		SAY("fsize cut", pwrite(fd, b, 20, 90));
		SAY("fsize over", pwrite(fd, b, 20, 100));
		SAY("fsize truncate", ftruncate(fd, 101));
		setrlimit(RLIMIT_FSIZE, &old);
	}
	SAY("read into bad", (pwrite(fd, "data", 4, 0), pread(fd, (void *)8, 4, 0)));
	SAY("copy range", copy_file_range(fd2, &(off_t){0}, fd, &(off_t){50}, 10, 0));
	SAY("copy overlap", copy_file_range(fd, &(off_t){0}, fd, &(off_t){5}, 10, 0));
	SAY("copy flags", copy_file_range(fd, &(off_t){0}, fd, &(off_t){50}, 10, 1));
	SAY("o_direct", opens("data", O_RDWR | O_DIRECT) == 0 || errno == EINVAL);
	close(fd);
	close(fd2);
}

static void test_fds(void)
{
	int fd = open("f", O_RDWR), p[2];

	SAY("dup2 same", dup2(fd, fd) == fd);
	SAY("dup3 same", dup3(fd, fd, 0));
	SAY("dup3 flags", dup3(fd, 60, O_APPEND));
	SAY("dup2 neg", dup2(fd, -1));
	SAY("dup2 huge", dup2(fd, 1 << 29));
	SAY("dup bad", dup(77));
	SAY("dupfd huge", fcntl(fd, F_DUPFD, 1 << 29));
	SAY("dupfd neg", fcntl(fd, F_DUPFD, -1));
	SAY("dupfd 40", fcntl(fd, F_DUPFD, 40));
	SAY("dupfd 40 again", fcntl(fd, F_DUPFD_CLOEXEC, 40));
	SAY("getfd", fcntl(41, F_GETFD));
	SAY("getfd 40", fcntl(40, F_GETFD));
	SAY("setfd", fcntl(40, F_SETFD, 1));
	SAY("getfd now", fcntl(40, F_GETFD));
	SAY("bad cmd", fcntl(fd, 9999));
	SAY("close range", close_range(40, 41, 0));
	SAY("close range back", close_range(41, 40, 0));
	SAY("closed", fcntl(40, F_GETFD));
	SAY("pipe size", (pipe(p), fcntl(p[0], F_GETPIPE_SZ)));
	SAY("set pipe size", fcntl(p[0], F_SETPIPE_SZ, 8192));
	SAY("set pipe size odd", fcntl(p[0], F_SETPIPE_SZ, 5000));
	SAY("back", fcntl(p[0], F_SETPIPE_SZ, 65536));
	{
		static char big[70000], back[70000];

		for (size_t i = 0; i < sizeof(big); i++)
			big[i] = (char)(i * 7);
		fcntl(p[1], F_SETFL, O_NONBLOCK);
		write(p[1], big, 5000);
		read(p[0], back, 4500);
		SAY("fill", write(p[1], big, 40000));
		SAY("too small", fcntl(p[0], F_SETPIPE_SZ, 16384));
		SAY("larger", fcntl(p[0], F_SETPIPE_SZ, 200000));
		SAY("fill more", write(p[1], big, 70000));
		read(p[0], back, 500);
		SAY("read", read(p[0], back, 40000));
		SAY("the same", memcmp(big, back, 40000));
		SAY("read", read(p[0], back, 70000));
		SAY("the same", memcmp(big, back, 70000));
		SAY("1 GiB", fcntl(p[0], F_SETPIPE_SZ, 1 << 30) == -1);
	}
	SAY("pipe size of file", fcntl(fd, F_GETPIPE_SZ));
	SAY("seek pipe", lseek(p[0], 0, SEEK_CUR));
	SAY("pread pipe", pread(p[0], (char[1]){0}, 1, 0));
	SAY("truncate pipe", ftruncate(p[1], 0));
	SAY("fsync pipe", fsync(p[1]));
	SAY("pipe2 flags", pipe2((int[2]){0}, O_APPEND));
	SAY("getown", fcntl(fd, F_GETOWN));
	SAY("lease", fcntl(p[0], F_GETLEASE) < 1);
	close(p[0]);
	close(p[1]);
	close(fd);
}

/* In a child: 0 or the errno of the call that f makes. */
static void lock_from_child(const char *name, int (*f)(void))
{
	int st = 0;

	fflush(stdout);
	if (fork() == 0)
		_exit(f() ? errno : 0);
	wait(&st);
	printf("= %s: child %d\n", name, WEXITSTATUS(st));
}

static int flock_ex(void)
{
	return flock(open("f", O_RDWR), LOCK_EX | LOCK_NB);
}

static int posix_lock(short type, off_t start, off_t len)
{
	struct flock l = {.l_type = type, .l_start = start, .l_len = len};

	return fcntl(open("f", O_RDWR), F_SETLK, &l);
}

static int posix_rd(void)
{
	return posix_lock(F_RDLCK, 0, 10);
}

static int posix_wr(void)
{
	return posix_lock(F_WRLCK, 5, 1);
}

static int posix_after(void)
{
	return posix_lock(F_WRLCK, 10, 0);
}

static void test_locks(void)
{
	int fd = open("f", O_RDWR), fd2 = open("f", O_RDWR);
	struct flock l = {.l_type = F_RDLCK, .l_len = 10};

	SAY("flock ex", flock(fd, LOCK_EX));
	SAY("flock other fd", flock(fd2, LOCK_SH | LOCK_NB));
	lock_from_child("flock", flock_ex);
	SAY("flock down", flock(fd, LOCK_SH));
	SAY("flock other sh", flock(fd2, LOCK_SH | LOCK_NB));
	SAY("flock up", flock(fd, LOCK_EX | LOCK_NB));
	SAY("flock bad", flock(fd, 99));
	flock(fd, LOCK_UN);
	flock(fd2, LOCK_UN);
	lock_from_child("flock free", flock_ex);
	SAY("posix rd", fcntl(fd, F_SETLK, &l));
	lock_from_child("posix rd", posix_rd);
	lock_from_child("posix wr", posix_wr);
	lock_from_child("posix after", posix_after);
	l.l_type = F_WRLCK;
	SAY("getlk own", fcntl(fd, F_GETLK, &l));
	SAY("unlocked", l.l_type == F_UNLCK);
	close(fd2); /* drops all of them */
	lock_from_child("posix after close", posix_wr);
	l = (struct flock){.l_type = F_WRLCK, .l_start = -1, .l_len = 1};
	SAY("posix neg", fcntl(fd, F_SETLK, &l));
	l = (struct flock){.l_type = 9};
	SAY("posix type", fcntl(fd, F_SETLK, &l));
	l = (struct flock){.l_type = F_WRLCK, .l_pid = 5};
	SAY("ofd pid", fcntl(fd, F_OFD_SETLK, &l));
	l.l_pid = 0;
	SAY("ofd", fcntl(fd, F_OFD_SETLK, &l));
	lock_from_child("ofd", posix_wr);
	close(fd);
	fd = open("f", O_RDONLY);
	l = (struct flock){.l_type = F_WRLCK};
	SAY("posix wr on rdonly", fcntl(fd, F_SETLK, &l));
	close(fd);
}

static void test_attrs(void)
{
	struct stat st;
	struct timespec t[2] = {{5, 7}, {6, UTIME_OMIT}};
	char b[100];

	put("at", "x");
	SAY("utimensat", utimensat(AT_FDCWD, "at", t, 0));
	stat("at", &st);
	SAY("atime", st.st_atim.tv_sec * 10 + st.st_atim.tv_nsec);
	SAY("mtime kept", st.st_mtim.tv_sec > 1000);
	t[0].tv_nsec = 1000000000;
	SAY("bad nsec", utimensat(AT_FDCWD, "at", t, 0));
	SAY("null path", utimensat(AT_FDCWD, NULL, NULL, 0));
	SAY("bad flag", utimensat(AT_FDCWD, "at", NULL, 1));
	SAY("missing", utimensat(AT_FDCWD, "zz", NULL, 0));
	SAY("chmod", chmod("at", 07777));
	stat("at", &st);
	SAY("mode", st.st_mode);
	SAY("chown", chown("at", 5, 6));
	stat("at", &st);
	SAY("mode after chown", st.st_mode);
	SAY("ids", st.st_uid * 10 + st.st_gid);
	SAY("chown -1", chown("at", (uid_t)-1, (gid_t)-1));
	umask(027);
	SAY("umask", (mkdir("um", 0777), stat("um", &st), st.st_mode));
	SAY("mkdir nlink", st.st_nlink);
	umask(022);
	SAY("sgid dir", (chmod("um", 02777), mkdir("um/s", 0755), stat("um/s", &st), st.st_mode));
	SAY("mknod fifo", mknod("ff", S_IFIFO | 0644, 0));
	SAY("mknod chr", mknod("cc", S_IFCHR | 0644, makedev(1, 3)));
	SAY("it is null", (opens("cc", O_RDWR)));
	stat("cc", &st);
	SAY("rdev", st.st_rdev);
	SAY("mknod dir", mknod("dd", S_IFDIR | 0644, 0));
	SAY("mknod reg", mknod("rr", 0644, 0));
	SAY("no device", (mknod("nd", S_IFCHR | 0644, makedev(99, 3)), opens("nd", O_RDWR)));
	SAY("setxattr", setxattr("at", "user.a", "val", 3, 0));
	SAY("create again", setxattr("at", "user.a", "val", 3, XATTR_CREATE));
	SAY("replace missing", setxattr("at", "user.b", "val", 3, XATTR_REPLACE));
	SAY("size", getxattr("at", "user.a", NULL, 0));
	SAY("small", getxattr("at", "user.a", b, 2));
	SAY("get", getxattr("at", "user.a", b, sizeof(b)));
	SAY("missing", getxattr("at", "user.zz", b, sizeof(b)));
	SAY("list", listxattr("at", b, sizeof(b)));
	SAY("list small", listxattr("at", b, 2));
	SAY("no namespace", setxattr("at", "foo", "val", 3, 0));
	SAY("empty name", setxattr("at", "", "val", 3, 0));
	SAY("strange namespace", setxattr("at", "foo.bar", "val", 3, 0));
	SAY("user. only", setxattr("at", "user.", "val", 3, 0));
	SAY("flags", setxattr("at", "user.c", "val", 3, 9));
	SAY("on a symlink", lsetxattr("to_f", "user.a", "v", 1, 0));
	SAY("trusted", setxattr("at", "trusted.t", "v", 1, 0));
	SAY("remove", removexattr("at", "user.a"));
	SAY("remove again", removexattr("at", "user.a"));
	{
		struct statx sx;

		SAY("statx", statx(AT_FDCWD, "at", 0, STATX_BASIC_STATS, &sx));
		SAY("statx mask", sx.stx_mask & STATX_BASIC_STATS);
		SAY("statx reserved", statx(AT_FDCWD, "at", 0, 0x80000000u, &sx));
		SAY("statx flags", statx(AT_FDCWD, "at", 0x10, 0, &sx));
		SAY("statx empty", statx(AT_FDCWD, "", 0, 0, &sx));
		SAY("statx empty path", statx(AT_FDCWD, "", AT_EMPTY_PATH, 0, &sx));
	}
	SAY("stat flags", fstatat(AT_FDCWD, "at", &st, 1));
	SAY("chmod at nofollow", fchmodat(AT_FDCWD, "to_f", 0600, AT_SYMLINK_NOFOLLOW));
	SAY("access mode", access("at", 9));
	SAY("acc x", (chmod("at", 0644), access("at", X_OK)));
}

static void as_user(void)
{
	struct timespec t[2] = {{5, 7}, {6, 7}};

	setgroups(0, NULL);
	setgid(1000);
	setuid(1000);
	SAY("read 0600", opens("p600", O_RDONLY));
	SAY("write 0644", opens("p644", O_WRONLY));
	SAY("rdwr 0644", opens("p644", O_RDWR));
	SAY("trunc 0644", opens("p644", O_RDONLY | O_TRUNC));
	SAY("access", access("p600", R_OK));
	SAY("exec", execl("p644", "p644", NULL));
	SAY("search", opens("p700/x", O_RDONLY));
	SAY("create", opens("nope", O_CREAT | O_WRONLY));
	SAY("creat existing", opens("p644", O_CREAT | O_RDONLY));
	SAY("unlink", unlink("p644"));
	SAY("mkdir", mkdir("nope", 0755));
	SAY("mkdir existing", mkdir("p700", 0755));
	SAY("chmod", chmod("p644", 0777));
	SAY("chown", chown("p644", 1000, 1000));
	SAY("utime", utimensat(AT_FDCWD, "p644", t, 0));
	SAY("utime now", utimensat(AT_FDCWD, "p644", NULL, 0));
	SAY("utime now writable", utimensat(AT_FDCWD, "p666", NULL, 0));
	SAY("utime set writable", utimensat(AT_FDCWD, "p666", t, 0));
	SAY("setxattr", setxattr("p644", "user.a", "x", 1, 0));
	SAY("setxattr 666", setxattr("p666", "user.a", "x", 1, 0));
	SAY("trusted", setxattr("p666", "trusted.a", "x", 1, 0));
	SAY("sticky own", opens("sticky/mine", O_CREAT | O_WRONLY));
	SAY("sticky unlink other", unlink("sticky/root"));
	SAY("sticky rename other", rename("sticky/root", "sticky/q"));
	SAY("sticky over other", rename("sticky/mine", "sticky/root"));
	SAY("sticky creat other", opens("sticky/root", O_CREAT | O_RDWR));
	SAY("sticky unlink own", unlink("sticky/mine"));
	SAY("link other", link("p644", "sticky/l"));
	SAY("chroot", chroot("sticky"));
	SAY("mknod", mknod("sticky/n", S_IFCHR | 0600, makedev(1, 3)));
	SAY("fifo", mknod("sticky/n", S_IFIFO | 0600, 0));
	SAY("chown own away", chown("sticky/n", 0, (gid_t)-1));
	SAY("chown own group", chown("sticky/n", (uid_t)-1, 0));
	SAY("chown own to self", chown("sticky/n", 1000, 1000));
	SAY("own sgid", (chmod("sticky/n", 02755), 0));
	SAY("kill 1", kill(1, 0));
	SAY("setuid 0", setuid(0));
	SAY("nice up", setpriority(PRIO_PROCESS, 0, -5));
	SAY("rlimit up", setrlimit(RLIMIT_NOFILE, &(struct rlimit){4096, 1 << 20}));
	SAY("exec suid dir", execl(".", "x", NULL));
	SAY("read dir 0311", opens("p311", O_RDONLY));
	SAY("stat in 0311", access("p311/x", F_OK));
	SAY("stat in 0644 dir", access("d644/x", F_OK));
	SAY("statfs", access("/proc/1/fd", R_OK));
	SAY("proc exe", readlink("/proc/1/exe", (char[99]){0}, 99) > 0);
}

static void test_user(void)
{
	int st;

	put("p600", "x");
	put("p644", "x");
	put("p666", "x");
	chmod("p600", 0600);
	chmod("p666", 0666);
	mkdir("p700", 0700);
	put("p700/x", "x");
	mkdir("p311", 0311);
	put("p311/x", "x");
	mkdir("d644", 0644);
	put("d644/x", "x");
	mkdir("sticky", 0755);
	chmod("sticky", 01777);
	put("sticky/root", "x");
	fflush(stdout);
	if (fork() == 0) {
		as_user();
		exit(0);
	}
	wait(&st);
	SAY("child", st);
}

/* Every entry that is there all the time is seen exactly once while others go. */
static void test_dirs(void)
{
	enum { N = 1500 };
	static char seen[N];
	char name[32];
	int count = 0, twice = 0, missing = 0, others = 0;
	struct dirent *e;
	DIR *d;
	long pos;

	mkdir("many", 0755);
	chdir("many");
	for (int i = 0; i < N; i++) {
		sprintf(name, "n%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0644));
	}
	d = opendir(".");
	while ((e = readdir(d))) {
		int i;

		if (sscanf(e->d_name, "n%d", &i) != 1) {
			others++;
			continue;
		}
		twice += seen[i]++;
		if (i % 2)
			unlink(e->d_name);
		count++;
	}
	for (int i = 0; i < N; i += 2)
		missing += !seen[i];
	SAY("seen twice", twice);
	SAY("missing", missing);
	SAY("others", others);
	rewinddir(d);
	for (count = 0; (e = readdir(d)); count++)
		;
	SAY("left", count);
	rewinddir(d);
	for (int i = 0; i < 100; i++)
		readdir(d);
	pos = telldir(d);
	e = readdir(d);
	strcpy(name, e->d_name);
	while (readdir(d))
		;
	seekdir(d, pos);
	e = readdir(d);
	SAY("telldir", e && strcmp(e->d_name, name) == 0);
	rewinddir(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] != '.')
			unlink(e->d_name);
	}
	closedir(d);
	chdir("..");
	SAY("removed", rmdir("many"));
	{
		char small[8];
		int fd = open(".", O_RDONLY | O_DIRECTORY);

		SAY("getdents small", getdents64(fd, small, sizeof(small)));
		SAY("getdents fault", getdents64(fd, (void *)8, 4096));
		close(fd);
		fd = open("f", O_RDONLY);
		SAY("getdents file", getdents64(fd, small, sizeof(small)));
		close(fd);
	}
}

int main(void)
{
	umask(022);
	if (!mkdtemp(home) || chmod(home, 0755) || chdir(home))
		return 2;
	test_open();
	test_rename();
	test_links();
	test_data();
	test_fds();
	test_locks();
	test_attrs();
	test_user();
	test_dirs();
	return abi_done();
}
