/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Signals: handlers, masks, queues, restart, stacks, faults, FP state, unwinding. */
#include "abi.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unwind.h>

static volatile sig_atomic_t count, last_code, last_value, order[8], order_n;
static void *volatile last_addr;
static sigjmp_buf jump;

static void counter(int sig)
{
	(void)sig;
	count++;
}

static void note(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	last_code = si->si_code;
	last_value = si->si_value.sival_int;
	if (order_n < 8)
		order[order_n++] = sig;
}

static void install(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = {.sa_flags = flags | SA_SIGINFO};

	sa.sa_sigaction = fn;
	sigaction(sig, &sa, NULL);
}

static void test_basic(void)
{
	sigset_t set, old;
	union sigval v = {.sival_int = 0};

	signal(SIGUSR1, counter);
	raise(SIGUSR1);
	CHECK("handler", count == 1);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR1);
	raise(SIGUSR1);
	CHECK("blocked", count == 1 && sigpending(&set) == 0 && sigismember(&set, SIGUSR1));
	sigprocmask(SIG_SETMASK, &old, NULL);
	CHECK("merged into one", count == 2);
	install(SIGRTMIN, note, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGRTMIN + 1);
	install(SIGRTMIN + 1, note, 0);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (v.sival_int = 1; v.sival_int <= 3; v.sival_int++)
		sigqueue(getpid(), v.sival_int == 1 ? SIGRTMIN + 1 : SIGRTMIN, v);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	CHECK("real-time signals queue", order_n == 3 && last_code == SI_QUEUE);
	CHECK_ERRNO("KILL cannot be caught", sigaction(SIGKILL, &(struct sigaction){0}, NULL),
		    EINVAL);
	CHECK_ERRNO("signal 65", syscall(SYS_rt_sigaction, 65, 0, 0, 8), EINVAL);
	CHECK_ERRNO("bad set size", syscall(SYS_rt_sigaction, 1, 0, 0, 4), EINVAL);
}

static void test_wait(void)
{
	sigset_t set;
	siginfo_t si;
	struct timespec ts = {0, 20000000};
	int pid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK_ERRNO("sigtimedwait times out", sigtimedwait(&set, &si, &ts), EAGAIN);
	pid = fork();
	if (pid == 0) {
		usleep(20000);
		kill(getppid(), SIGUSR2);
		_exit(0);
	}
	CHECK("sigwaitinfo",
	      sigwaitinfo(&set, &si) == SIGUSR2 && si.si_pid == pid && si.si_code == SI_USER);
	waitpid(pid, NULL, 0);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	count = 0;
	signal(SIGALRM, counter);
	sigemptyset(&set);
	ualarm(20000, 0);
	CHECK_ERRNO("sigsuspend", sigsuspend(&set), EINTR);
	CHECK("its handler ran", count == 1);
}

static void restart_case(const char *name, int flags, int want_eintr)
{
	struct sigaction sa = {.sa_handler = counter, .sa_flags = flags};
	struct itimerval it = {{0, 0}, {0, 30000}};
	int pid, got;

	sigaction(SIGALRM, &sa, NULL);
	pid = fork();
	if (pid == 0) {
		usleep(100000);
		_exit(0);
	}
	setitimer(ITIMER_REAL, &it, NULL);
	got = waitpid(pid, NULL, 0);
	CHECK(name, want_eintr ? got == -1 && errno == EINTR : got == pid);
	if (want_eintr)
		waitpid(pid, NULL, 0);
}

static void test_restart(void)
{
	struct timespec ts = {0, 50000000}, rest = {9, 9};

	restart_case("wait without SA_RESTART", 0, 1);
	restart_case("wait with SA_RESTART", SA_RESTART, 0);
	ualarm(10000, 0);
	CHECK_ERRNO("nanosleep is never restarted after a handler", nanosleep(&ts, &rest), EINTR);
	CHECK("rest of the sleep", rest.tv_sec == 0 && rest.tv_nsec > 0 && rest.tv_nsec < 50000000);
}

static void on_fault(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	last_addr = si->si_addr;
	last_code = si->si_code;
	siglongjmp(jump, sig);
}

static void test_faults(void)
{
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int sig;

	install(SIGSEGV, on_fault, 0);
	install(SIGILL, on_fault, 0);
	install(SIGTRAP, on_fault, 0);
	sig = sigsetjmp(jump, 1);
	if (!sig)
		*(volatile char *)(page + 5) = 1;
	CHECK("write to read-only",
	      sig == SIGSEGV && last_code == SEGV_ACCERR && last_addr == page + 5);
	sig = sigsetjmp(jump, 1);
	if (!sig)
		*(volatile char *)16 = 1;
	CHECK("write to nothing",
	      sig == SIGSEGV && last_code == SEGV_MAPERR && last_addr == (void *)16);
	sig = sigsetjmp(jump, 1);
	if (!sig)
		__asm__ volatile(".word 0");
	CHECK("illegal instruction", sig == SIGILL);
	sig = sigsetjmp(jump, 1);
	if (!sig)
		__asm__ volatile("ebreak");
	CHECK("breakpoint", sig == SIGTRAP && last_code == TRAP_BRKPT);
	sig = sigsetjmp(jump, 1);
	if (!sig)
		((void (*)(void))(void *)page)();
	CHECK("no execute", sig == SIGSEGV && last_code == SEGV_ACCERR);
	sig = sigsetjmp(jump, 1);
	if (!sig)
		*(volatile char *)0xffffffc000000000 = 1;
	CHECK("kernel address", sig == SIGSEGV);
	signal(SIGSEGV, SIG_DFL);
}

static void clobber_fp(int sig)
{
	volatile double x = 1;

	(void)sig;
	for (int i = 0; i < 100; i++)
		x = x * 1.0001 + i;
	__asm__ volatile("fmv.d.x fs3, zero\n fmv.d.x ft0, zero\n fsrm zero" ::: "fs3", "ft0");
	count++;
}

/* Two seconds of signals to itself, whose handler uses FP: true if fs3 was never another value after one. */
static int keeps_fp(double mine)
{
	time_t end = time(NULL) + 2;
	double got = mine;

	signal(SIGUSR1, clobber_fp);
	while (got == mine && time(NULL) < end) {
		__asm__ volatile("fmv.d fs3, %1\n mv a0, %2\n li a1, 10\n li a7, 129\n ecall\n"
				 "fmv.d %0, fs3"
				 : "=f"(got)
				 : "f"(mine), "r"(getpid())
				 : "a0", "a1", "a7", "fs3", "memory");
	}
	return got == mine;
}

/* Returns from handlers in processes that are switched all the time. */
static void test_fp_switched(void)
{
	int status, bad = 0;

	for (int i = 0; i < 6; i++) {
		if (fork() == 0)
			_exit(!keeps_fp(i + 0.5));
	}
	while (wait(&status) > 0)
		bad += status != 0;
	CHECK("FP registers over handlers and switches", bad == 0);
}

static void test_fp(void)
{
	double keep = 3.25, saved = 0, temp = 0;
	unsigned long mode;

	signal(SIGUSR1, clobber_fp);
	__asm__ volatile(
		"fsrmi 2\n fmv.d fs3, %2\n fmv.d ft0, %2\n mv a0, %3\n li a1, 10\n li a7, 129\n"
		"ecall\n fmv.d %0, fs3\n fmv.d %1, ft0"
		: "=&f"(saved), "=&f"(temp)
		: "f"(keep), "r"(getpid())
		: "a0", "a1", "a7", "fs3", "ft0", "memory");
	__asm__ volatile("frrm %0\n fsrmi 0" : "=r"(mode));
	CHECK("FP registers over a handler", saved == 3.25 && temp == 3.25);
	CHECK("rounding mode over a handler", mode == 2);
	for (int i = 0; i < 20; i++) {
		double d = i * 1.5;

		__asm__ volatile("fmv.d fs4, %0" ::"f"(d) : "fs4");
		syscall(SYS_sched_yield);
		usleep(1000);
		__asm__ volatile("fmv.d %0, fs4" : "=f"(saved)::"fs4");
		if (saved != d)
			count = -1000;
	}
	CHECK("FP registers over switches", count >= 0);
}

static char alt[32768] __attribute__((aligned(16)));
static volatile int on_alt;

static void alt_handler(int sig, siginfo_t *si, void *uc)
{
	char here;
	stack_t ss;

	(void)sig;
	(void)si;
	(void)uc;
	sigaltstack(NULL, &ss);
	on_alt = &here >= alt && &here < alt + sizeof(alt) && (ss.ss_flags & SS_ONSTACK);
}

static int depth(int n)
{
	volatile char big[4096];

	big[0] = (char)n;
	return n ? depth(n - 1) + big[0] : 0;
}

static void overflow(int sig)
{
	(void)sig;
	_exit(77);
}

static void test_altstack(void)
{
	stack_t ss = {.ss_sp = alt, .ss_size = sizeof(alt)}, old;
	struct sigaction sa = {.sa_handler = overflow, .sa_flags = SA_ONSTACK};
	int pid, status;

	CHECK("altstack", sigaltstack(&ss, &old) == 0 && old.ss_flags == SS_DISABLE);
	install(SIGUSR2, alt_handler, SA_ONSTACK);
	raise(SIGUSR2);
	CHECK("handler on the alternate stack", on_alt);
	ss.ss_size = 100;
	CHECK_ERRNO("too small", sigaltstack(&ss, NULL), ENOMEM);
	pid = fork();
	if (pid == 0) {
		sigaction(SIGSEGV, &sa, NULL);
		_exit(depth(1 << 20));
	}
	waitpid(pid, &status, 0);
	CHECK("stack overflow caught", WIFEXITED(status) && WEXITSTATUS(status) == 77);
}

static volatile int saw_caller;
static void *caller_lo, *caller_hi;

static _Unwind_Reason_Code frame(struct _Unwind_Context *c, void *arg)
{
	char *ip = (char *)_Unwind_GetIP(c);

	(void)arg;
	if (ip >= (char *)caller_lo && ip < (char *)caller_hi)
		saw_caller = 1;
	return _URC_NO_REASON;
}

static void unwind_handler(int sig)
{
	(void)sig;
	_Unwind_Backtrace(frame, NULL);
}

static __attribute__((noinline)) void interrupted(void)
{
	raise(SIGUSR1);
	__asm__ volatile("");
}

static void test_unwind(void)
{
	caller_lo = (void *)interrupted;
	caller_hi = (char *)caller_lo + 64;
	signal(SIGUSR1, unwind_handler);
	interrupted();
	CHECK("unwinding through the frame", saw_caller);
}

static void test_chld(void)
{
	struct sigaction sa = {.sa_handler = counter, .sa_flags = SA_NOCLDSTOP};
	int pid, status;

	count = 0;
	sigaction(SIGCHLD, &sa, NULL);
	pid = fork();
	if (pid == 0) {
		raise(SIGSTOP);
		_exit(0);
	}
	while (waitpid(pid, &status, WUNTRACED) == -1)
		;
	CHECK("NOCLDSTOP", count == 0);
	kill(pid, SIGCONT);
	while (waitpid(pid, &status, 0) == -1)
		;
	CHECK("CHLD", count >= 1);
	sa.sa_flags = SA_NOCLDWAIT;
	sigaction(SIGCHLD, &sa, NULL);
	pid = fork();
	if (pid == 0)
		_exit(0);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	CHECK("NOCLDWAIT", errno == ECHILD);
	sa.sa_handler = SIG_DFL;
	sa.sa_flags = 0;
	sigaction(SIGCHLD, &sa, NULL);
}

int main(void)
{
	test_basic();
	test_wait();
	test_restart();
	test_faults();
	test_fp();
	test_fp_switched();
	test_altstack();
	test_unwind();
	test_chld();
	return abi_done();
}
