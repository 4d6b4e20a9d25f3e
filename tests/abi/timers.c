/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Clocks and timers. Only orders and lower bounds are checked: no test depends on the host's load. */
#include "abi.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

static volatile sig_atomic_t ticks, overruns, code, value;

static void tick(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	ticks++;
	code = si->si_code;
	value = si->si_value.sival_int;
}

static double now(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void test_clocks(void)
{
	struct timespec a, b;
	double r = now(CLOCK_REALTIME), m = now(CLOCK_MONOTONIC), c;
	volatile long x = 0;
	int bad = 0;

	CHECK("wall clock is set", r > 1.5e9);
	clock_gettime(CLOCK_MONOTONIC, &a);
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &b);
	CHECK("vDSO and kernel agree",
	      b.tv_sec - a.tv_sec <= 1 && (b.tv_sec > a.tv_sec || b.tv_nsec >= a.tv_nsec));
	for (int i = 0; i < 10000; i++) {
		clock_gettime(CLOCK_MONOTONIC, &b);
		bad |= b.tv_sec < a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec < a.tv_nsec);
		a = b;
	}
	CHECK("monotonic", !bad && now(CLOCK_MONOTONIC) >= m);
	c = now(CLOCK_PROCESS_CPUTIME_ID);
	while (now(CLOCK_MONOTONIC) < m + 0.2)
		x++;
	CHECK("CPU time passes",
	      now(CLOCK_PROCESS_CPUTIME_ID) > c && now(CLOCK_THREAD_CPUTIME_ID) > 0);
	CHECK_ERRNO("no such clock", syscall(SYS_clock_gettime, 77, &a), EINVAL);
	CHECK("resolution",
	      clock_getres(CLOCK_MONOTONIC, &a) == 0 && a.tv_sec == 0 && a.tv_nsec == 1);
	CHECK_ERRNO("bad pointer", syscall(SYS_clock_gettime, CLOCK_REALTIME, 8), EFAULT);
}

static void test_sleep(void)
{
	struct timespec ts = {0, 30000000}, bad = {0, 1000000000};
	double m = now(CLOCK_MONOTONIC);

	CHECK("nanosleep", nanosleep(&ts, NULL) == 0 && now(CLOCK_MONOTONIC) - m >= 0.03);
	CHECK_ERRNO("too many nanoseconds", nanosleep(&bad, NULL), EINVAL);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += 30000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	CHECK("absolute sleep",
	      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == 0 &&
		      now(CLOCK_MONOTONIC) >= (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9);
	CHECK("sleep into the past",
	      clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &(struct timespec){5, 0}, NULL) == 0);
}

static void test_itimer(void)
{
	struct sigaction sa = {.sa_flags = SA_SIGINFO | SA_RESTART};
	struct itimerval it = {{0, 10000}, {0, 10000}}, old;
	volatile long x = 0;

	sa.sa_sigaction = tick;
	sigaction(SIGALRM, &sa, NULL);
	sigaction(SIGPROF, &sa, NULL);
	CHECK("setitimer", setitimer(ITIMER_REAL, &it, NULL) == 0);
	while (ticks < 3)
		usleep(1000);
	CHECK("interval", code == SI_KERNEL && getitimer(ITIMER_REAL, &old) == 0 &&
				  old.it_interval.tv_usec == 10000);
	memset(&it, 0, sizeof(it));
	CHECK("stop", setitimer(ITIMER_REAL, &it, &old) == 0 && old.it_interval.tv_usec == 10000);
	ticks = 0;
	usleep(30000);
	CHECK("stopped", ticks == 0);
	it.it_value.tv_usec = 20000;
	setitimer(ITIMER_PROF, &it, NULL);
	while (!ticks)
		x++;
	CHECK("PROF", ticks == 1);
	it.it_value.tv_usec = 1000000;
	CHECK_ERRNO("bad value", setitimer(ITIMER_REAL, &it, NULL), EINVAL);
}

static void test_posix(void)
{
	struct sigaction sa = {.sa_flags = SA_SIGINFO};
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
	struct itimerspec its = {{0, 5000000}, {0, 5000000}};
	sigset_t set;
	timer_t t;

	sa.sa_sigaction = tick;
	sigaction(SIGRTMIN, &sa, NULL);
	ev.sigev_value.sival_int = 33;
	ticks = 0;
	CHECK("timer_create", timer_create(CLOCK_MONOTONIC, &ev, &t) == 0);
	CHECK("timer_settime", timer_settime(t, 0, &its, NULL) == 0);
	while (ticks < 3)
		usleep(1000);
	CHECK("its signal", code == SI_TIMER && value == 33);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	usleep(60000);
	ticks = 0;
	timer_gettime(t, &its);
	CHECK("timer_gettime", its.it_interval.tv_nsec == 5000000 && its.it_value.tv_nsec > 0);
	memset(&its, 0, sizeof(its));
	timer_settime(t, 0, &its, NULL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	CHECK("queued once", ticks <= 1);
	CHECK("timer_delete", timer_delete(t) == 0);
	CHECK_ERRNO("deleted", timer_delete(t), EINVAL);
	CHECK_ERRNO("bad clock", timer_create(99, &ev, &t), EINVAL);
}

int main(void)
{
	struct tms t;

	test_clocks();
	test_sleep();
	test_itimer();
	test_posix();
	CHECK("times", times(&t) != -1);
	return abi_done();
}
