/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Memory: mappings, copy-on-write, protection, growth, sharing, files. */
#include "abi.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PG 4096

static sigjmp_buf jump;

static void on_fault(int sig)
{
	siglongjmp(jump, sig);
}

/* Which signal does an access give? */
static int probe(volatile char *p, int write)
{
	int sig = sigsetjmp(jump, 1);

	if (!sig) {
		if (write)
			*p = 1;
		else
			(void)*p;
	}
	return sig;
}

static char *anon(size_t pages, int prot, int flags)
{
	return mmap(NULL, pages * PG, prot, MAP_ANONYMOUS | flags, -1, 0);
}

static int in_child(int (*fn)(char *p), char *p)
{
	int status, pid = fork();

	if (pid == 0)
		_exit(fn(p));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int change_all(char *p)
{
	int bad = 0;

	for (int i = 0; i < 64; i++) {
		bad |= p[i * PG] != i;
		p[i * PG] = 99;
	}
	return bad;
}

static void test_cow(void)
{
	char *p = anon(64, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	int bad = 0;

	for (int i = 0; i < 64; i++)
		p[i * PG] = (char)i;
	CHECK("child sees the parent's pages", in_child(change_all, p) == 0);
	for (int i = 0; i < 64; i++)
		bad |= p[i * PG] != i;
	CHECK("parent keeps its own", !bad);
	munmap(p, 64 * PG);
	p = anon(64, PROT_READ | PROT_WRITE, MAP_SHARED);
	for (int i = 0; i < 64; i++)
		p[i * PG] = (char)i;
	in_child(change_all, p);
	CHECK("shared memory is shared", p[0] == 99 && p[63 * PG] == 99);
	munmap(p, 64 * PG);
}

static void test_protect(void)
{
	char *p = anon(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	memset(p, 7, 4 * PG);
	CHECK("mprotect", mprotect(p + PG, PG, PROT_READ) == 0);
	CHECK("read-only", probe(p + PG, 1) == SIGSEGV && probe(p + PG, 0) == 0);
	CHECK("neighbors writable", probe(p, 1) == 0 && probe(p + 2 * PG, 1) == 0);
	mprotect(p + PG, PG, PROT_NONE);
	CHECK("none", probe(p + PG, 0) == SIGSEGV);
	mprotect(p + PG, PG, PROT_READ | PROT_WRITE);
	CHECK("contents stay", p[PG] == 7 && probe(p + PG, 1) == 0);
	CHECK_ERRNO("mprotect a hole", (munmap(p + 2 * PG, PG), mprotect(p, 4 * PG, PROT_READ)),
		    ENOMEM);
	CHECK_ERRNO("mprotect unaligned", mprotect(p + 1, PG, PROT_READ), EINVAL);
	CHECK("unmapped", probe(p + 2 * PG, 0) == SIGSEGV);
	CHECK("unmap a hole", munmap(p, 4 * PG) == 0);
	CHECK_ERRNO("unmap unaligned", munmap(p + 1, PG), EINVAL);
	CHECK_ERRNO("unmap nothing", munmap(p, 0), EINVAL);
}

static void test_map(void)
{
	char *p = anon(8, PROT_READ | PROT_WRITE, MAP_PRIVATE), *q;

	CHECK_ERRNO("length 0", mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		    EINVAL);
	CHECK_ERRNO("no type", mmap(NULL, PG, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERRNO("huge", mmap(NULL, 1ul << 60, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		    ENOMEM);
	CHECK_ERRNO("bad fd", mmap(NULL, PG, PROT_READ, MAP_PRIVATE, 77, 0), EBADF);
	CHECK_ERRNO("unaligned offset", mmap(NULL, PG, PROT_READ, MAP_PRIVATE, 0, 1), EINVAL);
	CHECK_ERRNO("noreplace",
		    mmap(p, PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			 0),
		    EEXIST);
	p[3 * PG] = 5;
	q = mmap(p + 3 * PG, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0);
	CHECK("fixed replaces", q == p + 3 * PG && *q == 0);
	memset(p, 3, 8 * PG);
	CHECK("DONTNEED zeroes",
	      madvise(p, 2 * PG, MADV_DONTNEED) == 0 && p[0] == 0 && p[PG] == 0 && p[2 * PG] == 3);
	CHECK_ERRNO("bad advice", madvise(p, PG, 77), EINVAL);
	munmap(p + 4 * PG, PG);
	CHECK_ERRNO("advice on a hole", madvise(p, 8 * PG, MADV_DONTNEED), ENOMEM);
	munmap(p, 8 * PG);
}

static void test_remap(void)
{
	char *p = anon(5, PROT_READ | PROT_WRITE, MAP_PRIVATE), *q;

	for (int i = 0; i < 4; i++)
		p[i * PG] = (char)(i + 1);
	mprotect(p + 4 * PG, PG, PROT_NONE);
	CHECK_ERRNO("no room to grow", mremap(p, 4 * PG, 8 * PG, 0), ENOMEM);
	q = mremap(p, 4 * PG, 600 * PG, MREMAP_MAYMOVE);
	CHECK("moves",
	      q != MAP_FAILED && q != p && q[0] == 1 && q[3 * PG] == 4 && q[599 * PG] == 0);
	CHECK("old place is gone", probe(p, 0) == SIGSEGV);
	p = mremap(q, 600 * PG, 2 * PG, 0);
	CHECK("shrinks", p == q && p[PG] == 2 && probe(p + 2 * PG, 0) == SIGSEGV);
	q = mremap(p, 2 * PG, 4 * PG, MREMAP_MAYMOVE);
	CHECK("grows", q != MAP_FAILED && q[PG] == 2 && q[3 * PG] == 0);
	CHECK_ERRNO("remap of nothing", mremap((void *)0x10000000, PG, 2 * PG, MREMAP_MAYMOVE),
		    EFAULT);
	munmap(q, 4 * PG);
	/* The part of a region moves to the place right below it: the rest stays. */
	p = anon(20, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	munmap(p, 10 * PG);
	p += 10 * PG;
	for (int i = 0; i < 10; i++)
		p[i * PG] = (char)(i + 1);
	q = mremap(p, 4 * PG, 6 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, p - 6 * PG);
	CHECK("moves down to itself", q == p - 6 * PG && q[3 * PG] == 4 && q[5 * PG] == 0);
	CHECK("what was not moved stays", probe(p, 0) == SIGSEGV && probe(p + 4 * PG, 0) == 0 &&
						  p[4 * PG] == 5 && p[9 * PG] == 10);
	munmap(q, 16 * PG);
}

static void test_brk(void)
{
	char *old = sbrk(0), *p = sbrk(10 * PG);

	CHECK("brk grows", p == old && sbrk(0) == old + 10 * PG);
	memset(p, 1, 10 * PG);
	CHECK("brk shrinks", sbrk(-5 * PG) == old + 10 * PG && sbrk(0) == old + 5 * PG);
	sbrk(5 * PG);
	CHECK("new pages are zero", p[9 * PG] == 0 && p[0] == 1);
	CHECK_ERRNO("brk too far", sbrk(1l << 45), ENOMEM);
	sbrk(-10 * PG);
}

static void test_file(void)
{
	int fd = open("/tmp/abi.map", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char buf[16] = "", *p, *q;

	CHECK("file", ftruncate(fd, 2 * PG + 100) == 0 && pwrite(fd, "hello", 5, PG) == 5);
	p = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	q = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK("contents", !memcmp(p + PG, "hello", 5) && !memcmp(q + PG, "hello", 5));
	CHECK("rest of the last page is zero", p[2 * PG + 100] == 0);
	CHECK("past the end", probe(p + 3 * PG, 0) == SIGBUS && probe(q + 3 * PG, 1) == SIGBUS);
	q[PG] = 'J';
	CHECK("private store stays private", p[PG] == 'h' && q[PG] == 'J');
	p[PG + 1] = 'u';
	CHECK("shared store reaches read", pread(fd, buf, 5, PG) == 5 && !memcmp(buf, "hullo", 5));
	CHECK("write reaches the mapping",
	      pwrite(fd, "XY", 2, 10) == 2 && !memcmp(p + 10, "XY", 2) && !memcmp(q + 10, "XY", 2));
	CHECK("msync", msync(p, 4 * PG, MS_SYNC) == 0);
	CHECK("truncation unmaps",
	      ftruncate(fd, PG) == 0 && probe(p + PG, 0) == SIGBUS && probe(q + PG, 0) == SIGBUS);
	CHECK("growth maps again",
	      ftruncate(fd, 2 * PG) == 0 && probe(p + PG, 0) == 0 && p[PG] == 0);
	close(fd);
	CHECK("mapping outlives the descriptor", !memcmp(p + 10, "XY", 2));
	fd = open("/tmp/abi.map", O_RDONLY);
	CHECK_ERRNO("shared write needs O_RDWR",
		    mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
	CHECK("private write does not",
	      mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	close(fd);
	unlink("/tmp/abi.map");
	munmap(p, 4 * PG);
	munmap(q, 4 * PG);
}

static int grow_stack(char *p)
{
	volatile char big[4 << 20];

	(void)p;
	for (size_t i = sizeof(big); i > 0; i -= PG)
		big[i - 1] = 1;
	return big[sizeof(big) - 1] == 1 ? 0 : 1;
}

static void test_stack(void)
{
	CHECK("stack grows", in_child(grow_stack, NULL) == 0);
}

static void test_user_pointers(void)
{
	char *ro = anon(2, PROT_READ, MAP_PRIVATE);
	char *edge = anon(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	int fd = open("/dev/zero", O_RDONLY);

	munmap(edge + PG, PG);
	CHECK_ERRNO("read to read-only", read(fd, ro, 10), EFAULT);
	CHECK_ERRNO("read to nothing", read(fd, (void *)8, 10), EFAULT);
	CHECK_ERRNO("read to the kernel", read(fd, (void *)0xffffffc000000000, 10), EFAULT);
	CHECK("read up to a hole", read(fd, edge + PG - 10, 20) == 10);
	CHECK_ERRNO("path at a hole", open(strcpy(edge + PG - 3, "ab") - 0, O_RDONLY), ENOENT);
	edge[PG - 1] = 'x';
	CHECK_ERRNO("path without end", open(edge + PG - 3, O_RDONLY), EFAULT);
	close(fd);
}

int main(void)
{
	struct sigaction sa = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	test_cow();
	test_protect();
	test_map();
	test_remap();
	test_brk();
	test_file();
	test_stack();
	test_user_pointers();
	return abi_done();
}
