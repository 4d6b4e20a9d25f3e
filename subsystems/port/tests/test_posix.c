/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* port/posix: locks and conditions under real threads (run with TSan), the file block device. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "port/errors.h"
#include "port/mem.h"
#include "port/posix.h"
#include "port/rand.h"
#include "port/sync.h"
#include "port/thread.h"
#include "port/time.h"

#define THREADS 4
#define ROUNDS 2000

struct counter {
	struct port_mutex lock;
	struct port_cond changed;
	unsigned value; /* lock: counter.lock */
};

static void count_up(void *arg)
{
	struct counter *c = arg;

	assert_null(*port_thread_slot());
	*port_thread_slot() = &c;
	for (unsigned i = 0; i < ROUNDS; i++) {
		port_mutex_lock(&c->lock);
		c->value++;
		port_cond_broadcast(&c->changed);
		port_mutex_unlock(&c->lock);
	}
	assert_ptr_equal(*port_thread_slot(), &c);
}

static void counter_init(struct counter *c)
{
	port_mutex_init(&c->lock, LOCK_RANK_DBFS_WAL, "counter");
	port_cond_init(&c->changed);
	c->value = 0;
}

static void counter_fini(struct counter *c)
{
	port_cond_fini(&c->changed);
	port_mutex_fini(&c->lock);
}

static void test_mutex_and_cond(void **state)
{
	struct port_thread threads[THREADS];
	struct counter c;

	(void)state;
	counter_init(&c);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(port_thread_create(&threads[i], count_up, &c, "counter"), 0);
	port_mutex_lock(&c.lock);
	assert_true(port_mutex_held(&c.lock));
	while (c.value < THREADS * ROUNDS)
		port_cond_wait(&c.changed, &c.lock);
	port_mutex_unlock(&c.lock);
	assert_false(port_mutex_held(&c.lock));
	for (unsigned i = 0; i < THREADS; i++)
		port_thread_join(&threads[i]);
	assert_int_equal(c.value, THREADS * ROUNDS);
	counter_fini(&c);
}

static void test_timed_wait(void **state)
{
	struct counter c;
	uint64_t start = port_now();
	uint64_t deadline = start + 20 * PORT_NS_PER_MS;
	enum port_wait got;

	(void)state;
	counter_init(&c);
	port_mutex_lock(&c.lock);
	do {
		got = port_cond_wait_until(&c.changed, &c.lock, deadline, false);
	} while (got == PORT_WAIT_SIGNALED);
	assert_int_equal(got, PORT_WAIT_TIMEOUT);
	assert_true(port_mutex_held(&c.lock));
	assert_true(port_now() >= deadline);
	port_mutex_unlock(&c.lock);
	counter_fini(&c);
	port_thread_sleep(PORT_NS_PER_MS);
	assert_true(port_now() >= deadline + PORT_NS_PER_MS);
	assert_true(port_wallclock() > (int64_t)(1600000000 * PORT_NS_PER_SEC));
}

static void try_it(void *arg)
{
	struct counter *c = arg;

	if (port_mutex_trylock(&c->lock)) {
		c->value = 1;
		port_mutex_unlock(&c->lock);
	}
}

static void test_trylock(void **state)
{
	struct port_thread t;
	struct counter c;

	(void)state;
	counter_init(&c);
	port_mutex_lock(&c.lock);
	assert_int_equal(port_thread_create(&t, try_it, &c, "try"), 0);
	port_thread_join(&t);
	assert_int_equal(c.value, 0);
	port_mutex_unlock(&c.lock);
	try_it(&c);
	assert_int_equal(c.value, 1);
	counter_fini(&c);
}

/* Does fn end in port_panic (abort) in a child? Its message goes to /dev/null. */
static bool panics(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static struct port_mutex low;
static struct port_mutex high;

static void rising_order(void) NO_THREAD_SAFETY
{
	port_mutex_lock(&low);
	port_mutex_lock(&high);
	port_mutex_unlock(&low);
	port_mutex_unlock(&high);
}

static void UNUSED falling_order(void) NO_THREAD_SAFETY
{
	port_mutex_lock(&high);
	port_mutex_lock(&low);
}

static void UNUSED wait_under_higher(void) NO_THREAD_SAFETY
{
	static struct port_cond c;

	port_cond_init(&c);
	port_mutex_lock(&low);
	port_mutex_lock(&high);
	(void)port_cond_wait_until(&c, &low, 1, false);
}

static void lock_twice(void) NO_THREAD_SAFETY
{
	port_mutex_lock(&low);
	port_mutex_lock(&low);
}

static void unlock_free(void) NO_THREAD_SAFETY
{
	port_mutex_unlock(&low);
}

static void test_lock_rules(void **state)
{
	(void)state;
	port_mutex_init(&low, LOCK_RANK_DBFS_WAL, "low");
	port_mutex_init(&high, LOCK_RANK_DBFS_CACHE, "high");
	assert_false(panics(rising_order));
	assert_true(panics(lock_twice));
	assert_true(panics(unlock_free));
#ifdef BASE_DEBUG
	assert_true(panics(falling_order));
	assert_true(panics(wait_under_higher));
#endif
	port_mutex_fini(&low);
	port_mutex_fini(&high);
}

static void test_memory(void **state)
{
	uint8_t *p = port_alloc_zeroed(100);
	void *pages = port_alloc_pages(3);
	uint8_t a[32] = {0};
	uint8_t b[32] = {0};

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	assert_int_equal((uintptr_t)p % 16, 0);
	assert_int_equal((uintptr_t)pages % PORT_PAGE_SIZE, 0);
	memset(pages, 1, 3 * PORT_PAGE_SIZE);
	port_free_pages(pages, 3);
	port_free(p);
	port_free(NULL);
	assert_null(port_alloc_pages(SIZE_MAX / 8));
	port_random(a, sizeof(a));
	port_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

static char last_line[256];

static void keep_line(void *ctx, enum port_log_level level, const char *text)
{
	*(int *)ctx += (int)level;
	snprintf(last_line, sizeof(last_line), "%s", text);
}

static char image[64];

static int make_image(void **state)
{
	int fd;

	(void)state;
	strcpy(image, "/tmp/alien-port-XXXXXX");
	fd = mkstemp(image);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int drop_image(void **state)
{
	(void)state;
	return unlink(image);
}

static uint64_t blocks_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_blocks;
}

/* 200 buffers in one call (more than one batch), at odd addresses for direct I/O. */
static void transfer_many(struct port_blk *dev)
{
	enum { N = 200, LEN = 4096 };
	uint8_t *mem = calloc(1, (size_t)2 * N * LEN + 64);
	static struct port_iov out[N];
	static struct port_iov in[N];

	assert_non_null(mem);
	for (unsigned i = 0; i < N; i++) {
		out[i] = (struct port_iov){mem + 16 + (size_t)i * LEN, LEN};
		in[i] = (struct port_iov){mem + 32 + (size_t)(N + i) * LEN, LEN};
		memset(out[i].base, (int)(i * 7 + 1), LEN);
	}
	assert_int_equal(port_blk_writev(dev, 8 * LEN, out, N), 0);
	assert_int_equal(port_blk_readv(dev, 8 * LEN, in, N), 0);
	for (unsigned i = 0; i < N; i++)
		assert_memory_equal(in[i].base, out[i].base, LEN);
	assert_int_equal(port_blk_flush(dev), 0);
	for (unsigned i = 0; i < N; i++)
		memset(in[i].base, 0, LEN);
	assert_int_equal(dev->ops->readv_stable(dev, 8 * LEN, in, N), 0);
	for (unsigned i = 0; i < N; i++)
		assert_memory_equal(in[i].base, out[i].base, LEN);
	free(mem);
}

static void test_blk(void **state)
{
	const uint64_t size = 4 << 20;
	struct port_blk_counts counts;
	struct port_blk *dev;
	struct port_blk *file;
	int errors = 0;
	static uint8_t page[4096] ALIGNED(16);
	static const uint8_t zero[4096];

	(void)state;
	assert_int_equal(port_posix_blk_create(image, size, &file), 0);
	assert_int_equal(port_blk_count(file, &dev), 0);
	assert_int_equal(dev->size, size);
	assert_int_equal(port_blk_read(dev, size - 4096, page, 4096), 0);
	assert_memory_equal(page, zero, 4096);
	transfer_many(dev);
	port_blk_counts_read(dev, &counts);
	assert_int_equal(counts.writes, 1);
	assert_int_equal(counts.reads, 3);
	assert_int_equal(counts.flushes, 1);
	assert_int_equal(counts.write_bytes, 200 * 4096);
	assert_true(blocks_of(image) >= 200 * 8);
	assert_int_equal(dev->ops->discard(dev, 0, 2 << 20), 0);
	assert_true(blocks_of(image) < 200 * 8);
	port_posix_log_hook(keep_line, &errors);
	assert_int_equal(port_blk_read(dev, size, page, 4096), -PORT_EIO);
	assert_int_equal(truncate(image, (off_t)size / 2), 0);
	assert_int_equal(port_blk_read(dev, size - 4096, page, 4096), -PORT_EIO);
	port_posix_log_hook(NULL, NULL);
	port_blk_counts_read(dev, &counts);
	assert_int_equal(counts.errors, 2);
	dev->ops->close(dev);
}

static void test_blk_direct(void **state)
{
	struct port_blk *dev;

	(void)state;
	assert_int_equal(truncate(image, 4 << 20), 0);
	assert_int_equal(port_posix_blk_open(image, PORT_POSIX_DIRECT, &dev), 0);
	transfer_many(dev);
	dev->ops->close(dev);
}

static void test_blk_refusals(void **state)
{
	struct port_blk *a;
	struct port_blk *b;
	static uint8_t page[4096] ALIGNED(16);
	struct port_iov iov = {page, sizeof(page)};

	(void)state;
	assert_int_equal(port_posix_blk_open("/nonexistent/x", 0, &a), -PORT_ENOENT);
	assert_int_equal(port_posix_blk_open("/tmp", PORT_POSIX_RDONLY, &a), -PORT_EINVAL);
	assert_int_equal(port_posix_blk_open("/dev/null", PORT_POSIX_RDONLY, &a), -PORT_EINVAL);
	assert_int_equal(truncate(image, 4095), 0);
	assert_int_equal(port_posix_blk_open(image, 0, &a), -PORT_EINVAL);
	assert_int_equal(port_posix_blk_create(image, 4095, &a), -PORT_EINVAL);
	assert_int_equal(truncate(image, 65536 + 100), 0);
	assert_int_equal(port_posix_blk_open(image, 0, &a), 0);
	assert_int_equal(a->size, 65536);
	assert_int_equal(port_posix_blk_open(image, PORT_POSIX_RDONLY, &b), 0);
	assert_int_equal(port_blk_writev(b, 0, &iov, 1), -PORT_EROFS);
	assert_int_equal(b->ops->discard(b, 0, 4096), -PORT_EROFS);
	assert_int_equal(port_blk_flush(b), 0);
	assert_int_equal(a->ops->lock_exclusive(a), 0);
	assert_int_equal(b->ops->lock_exclusive(b), -PORT_EBUSY);
	assert_int_equal(port_posix_blk_create(image, 4096, &b), -PORT_EBUSY);
	a->ops->close(a);
	assert_int_equal(b->ops->lock_exclusive(b), 0);
	b->ops->close(b);
}

static void test_log(void **state)
{
	int sum = 0;

	(void)state;
	port_posix_log_hook(keep_line, &sum);
	port_log(PORT_LOG_WARN, "block %llu", 7ULL);
	assert_string_equal(last_line, "block 7");
	port_log(PORT_LOG_INFO, "dropped");
	assert_string_equal(last_line, "block 7");
	assert_int_equal(sum, PORT_LOG_WARN);
	port_posix_log_hook(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutex_and_cond),
		cmocka_unit_test(test_timed_wait),
		cmocka_unit_test(test_trylock),
		cmocka_unit_test(test_lock_rules),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_blk),
		cmocka_unit_test(test_blk_direct),
		cmocka_unit_test(test_blk_refusals),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests(tests, make_image, drop_image);
}
