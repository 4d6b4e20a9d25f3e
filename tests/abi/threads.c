/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Threads and futexes: through the C library, and by hand where it hides the edge. */
#include "abi.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static long total;
static int turn;
static const char *self;
static __thread int local = 5;

static long futex(unsigned *w, int op, unsigned val, const struct timespec *ts, unsigned *w2,
		  unsigned v3)
{
	return syscall(SYS_futex, w, op, val, ts, w2, v3);
}

static void *adder(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&lock);
		total++;
		pthread_mutex_unlock(&lock);
	}
	return (void *)(long)local++;
}

static void test_mutex(void)
{
	pthread_t t[4];
	void *r;
	long sum = 0;

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, adder, NULL);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &r);
		sum += (long)r;
	}
	CHECK("mutex", total == 80000);
	CHECK("thread-local storage", sum == 20 && local == 5);
}

static void *ping(void *arg)
{
	int me = (int)(long)arg;

	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&lock);
		while (turn != me)
			pthread_cond_wait(&cond, &lock);
		turn = !me;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void test_cond(void)
{
	pthread_t a, b;
	struct timespec ts;
	int err;

	pthread_create(&a, NULL, ping, (void *)0);
	pthread_create(&b, NULL, ping, (void *)1);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	CHECK("condition ping-pong", turn == 0);
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += 20000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	pthread_mutex_lock(&lock);
	err = pthread_cond_timedwait(&cond, &lock, &ts);
	pthread_mutex_unlock(&lock);
	CHECK("timed wait", err == ETIMEDOUT);
}

static void test_futex(void)
{
	unsigned *w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec ts = {0, 10000000};
	int pid, status;

	CHECK_ERRNO("value differs", futex(w, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
	CHECK_ERRNO("timeout", futex(w, FUTEX_WAIT, 0, &ts, NULL, 0), ETIMEDOUT);
	CHECK_ERRNO("unaligned", futex((unsigned *)((char *)w + 1), FUTEX_WAIT, 0, &ts, NULL, 0),
		    EINVAL);
	CHECK_ERRNO("bad address", futex((unsigned *)8, FUTEX_WAIT, 0, &ts, NULL, 0), EFAULT);
	CHECK_ERRNO("no bits", futex(w, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
	CHECK("nobody to wake", futex(w, FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
	pid = fork();
	if (pid == 0)
		_exit(futex(w, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 0 : 1);
	while (futex(w, FUTEX_WAKE, 1, NULL, NULL, 0) == 0)
		usleep(1000);
	waitpid(pid, &status, 0);
	CHECK("wake across processes", status == 0);
	pid = fork();
	if (pid == 0)
		_exit(futex(w, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 0 : 1);
	while (futex(w, FUTEX_CMP_REQUEUE, 0, (void *)1, w + 1, 0) == 0)
		usleep(1000);
	CHECK("requeued", futex(w, FUTEX_WAKE, 1, NULL, NULL, 0) == 0 &&
				  futex(w + 1, FUTEX_WAKE, 1, NULL, NULL, 0) == 1);
	waitpid(pid, &status, 0);
	CHECK("requeued waiter woke", status == 0);
	w[2] = 5;
	CHECK("wake op", futex(w, FUTEX_WAKE_OP, 1, (void *)1, w + 2,
			       FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)) == 0 &&
				 w[2] == 8);
	CHECK_ERRNO("unknown operation", futex(w, 99, 0, NULL, NULL, 0), ENOSYS);
}

static pthread_mutex_t *robust;

static void *die_holding(void *arg)
{
	pthread_mutex_lock(robust);
	return arg;
}

static void test_robust(void)
{
	pthread_mutexattr_t a;
	pthread_t t;
	int pid;

	robust = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(robust, &a);
	pthread_create(&t, NULL, die_holding, NULL);
	pthread_join(t, NULL);
	CHECK("owner thread died", pthread_mutex_lock(robust) == EOWNERDEAD);
	pthread_mutex_consistent(robust);
	pthread_mutex_unlock(robust);
	pid = fork();
	if (pid == 0) {
		pthread_mutex_lock(robust);
		usleep(20000);
		raise(SIGKILL);
	}
	usleep(5000);
	CHECK("owner process died", pthread_mutex_lock(robust) == EOWNERDEAD);
	waitpid(pid, NULL, 0);
}

static void *sleeper(void *arg)
{
	pause();
	return arg;
}

static void *exec_it(void *arg)
{
	execl(self, self, "child", NULL);
	return arg;
}

static void *exit_it(void *arg)
{
	exit(6);
	return arg;
}

static int with_threads(void *(*fn)(void *))
{
	pthread_t t;
	int status, pid = fork();

	if (pid == 0) {
		pthread_create(&t, NULL, sleeper, NULL);
		pthread_create(&t, NULL, fn, NULL);
		pause();
		_exit(1);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void *canceled_thread(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void test_ends(void)
{
	pthread_t t;
	void *r;
	int status;

	status = with_threads(exec_it);
	CHECK("exec by a thread", WEXITSTATUS(status) == 23);
	status = with_threads(exit_it);
	CHECK("exit by a thread", WEXITSTATUS(status) == 6);
	pthread_create(&t, NULL, canceled_thread, NULL);
	usleep(1000);
	pthread_cancel(t);
	pthread_join(t, &r);
	CHECK("cancel", r == PTHREAD_CANCELED);
}

static volatile int handler_tid;

static void which(int sig)
{
	(void)sig;
	handler_tid = gettid();
}

static void *wait_for_signal(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	*(volatile int *)arg = gettid();
	while (!handler_tid)
		usleep(1000);
	return NULL;
}

static void test_signals(void)
{
	volatile int tid = 0;
	pthread_t t;
	sigset_t set;

	signal(SIGUSR1, which);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_create(&t, NULL, wait_for_signal, (void *)&tid);
	while (!tid)
		usleep(1000);
	kill(getpid(), SIGUSR1);
	pthread_join(t, NULL);
	CHECK("process signal goes to who takes it", handler_tid == tid);
	CHECK_ERRNO("tgkill of another group", syscall(SYS_tgkill, getpid(), 1, 0), ESRCH);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return getpid() == gettid() ? 23 : 24;
	self = argv[0];
	test_mutex();
	test_cond();
	test_futex();
	test_robust();
	test_ends();
	test_signals();
	return abi_done();
}
