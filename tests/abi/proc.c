/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Processes: fork, exec, exit, wait, groups, sessions, stops, orphans. */
#include "abi.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

extern char **environ;
static int *shared; /* memory that children write results to */
static const char *self;

static int run(int (*fn)(void))
{
	int status, pid = fork();

	if (pid == 0)
		_exit(fn());
	waitpid(pid, &status, 0);
	return status;
}

static int exit_42(void)
{
	return 42;
}

static int die_term(void)
{
	raise(SIGTERM);
	return 0;
}

static int die_abort(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	abort();
}

static int nothing(void)
{
	return 0;
}

static void test_exit(void)
{
	int status = run(exit_42);

	CHECK("exit status", WIFEXITED(status) && WEXITSTATUS(status) == 42);
	status = run(die_term);
	CHECK("killed by TERM", WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	status = run(die_abort);
	CHECK("killed by ABRT", WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	CHECK_ERRNO("wait without children", wait(NULL), ECHILD);
	CHECK_ERRNO("wait bad options", waitpid(-1, NULL, 0x100), EINVAL);
}

static void test_waitid(void)
{
	siginfo_t si;
	int pid = fork();

	if (pid == 0)
		_exit(9);
	memset(&si, 0, sizeof(si));
	CHECK("waitid NOWAIT", waitid(P_PID, pid, &si, WEXITED | WNOWAIT) == 0 &&
				       si.si_pid == pid && si.si_code == CLD_EXITED &&
				       si.si_status == 9 && si.si_signo == SIGCHLD);
	CHECK("waitid again", waitid(P_ALL, 0, &si, WEXITED) == 0 && si.si_pid == pid);
	CHECK_ERRNO("waitid gone", waitid(P_PID, pid, &si, WEXITED), ECHILD);
	CHECK_ERRNO("waitid no options", waitid(P_ALL, 0, &si, 0), EINVAL);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	CHECK("WNOHANG", waitpid(pid, NULL, WNOHANG) == 0);
	memset(&si, 1, sizeof(si));
	CHECK("waitid WNOHANG", waitid(P_PID, pid, &si, WEXITED | WNOHANG) == 0 && si.si_pid == 0);
	kill(pid, SIGKILL);
	CHECK("killed", waitpid(pid, NULL, 0) == pid);
}

static void test_stop(void)
{
	siginfo_t si;
	int status, pid = fork();

	if (pid == 0) {
		raise(SIGSTOP);
		_exit(5);
	}
	CHECK("stopped", waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) &&
				 WSTOPSIG(status) == SIGSTOP);
	CHECK("reported once", waitpid(pid, &status, WUNTRACED | WNOHANG) == 0);
	kill(pid, SIGCONT);
	CHECK("continued or ended", waitid(P_PID, pid, &si, WCONTINUED | WEXITED | WNOWAIT) == 0);
	CHECK("end", waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5);
}

static void test_groups(void)
{
	int pid, status;

	pid = fork();
	if (pid == 0) {
		int ok = setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid();

		ok = ok && setsid() == -1 && errno == EPERM;
		ok = ok && setpgid(0, 0) == -1 && errno == EPERM;
		_exit(ok ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	CHECK("setsid", status == 0);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	CHECK("setpgid of a child", setpgid(pid, pid) == 0 && getpgid(pid) == pid);
	CHECK_ERRNO("setpgid nowhere", setpgid(pid, 30000), EPERM);
	CHECK_ERRNO("setpgid negative", setpgid(pid, -1), EINVAL);
	CHECK_ERRNO("getpgid nobody", getpgid(30000), ESRCH);
	CHECK("kill group", kill(-pid, SIGKILL) == 0);
	CHECK("wait for group", waitpid(-pid, &status, 0) == pid);
	CHECK_ERRNO("kill nobody", kill(30000, 0), ESRCH);
	CHECK_ERRNO("kill bad signal", kill(getpid(), 65), EINVAL);
}

static int orphan(void)
{
	int before = getpid();

	if (fork() == 0) {
		while (getppid() == before)
			usleep(1000);
		shared[0] = getppid();
		_exit(0);
	}
	return 0;
}

static void test_orphans(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	run(orphan);
	CHECK("subreaper gets the orphan", wait(NULL) > 0 && shared[0] == getpid());
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void test_vfork(void)
{
	int status, pid;

	shared[1] = 0;
	pid = vfork();
	if (pid == 0) {
		shared[1] = 7;
		_exit(3);
	}
	CHECK("vfork waits", shared[1] == 7);
	CHECK("vfork child", waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3);
}

static void test_exec(void)
{
	char *argv[] = {(char *)self, (char *)"child", (char *)"a b", (char *)"", NULL};
	char *envp[] = {(char *)"X=1", NULL};
	int status, pid, fd;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(1, 20);
		dup2(1, 21);
		fcntl(21, F_SETFD, FD_CLOEXEC);
		signal(SIGUSR1, SIG_IGN);
		execve(self, argv, envp);
		_exit(99);
	}
	waitpid(pid, &status, 0);
	CHECK("exec", status == 0);
	CHECK_ERRNO("exec of nothing", execve("/nonexistent", argv, envp), ENOENT);
	CHECK_ERRNO("exec of a directory", execve("/tmp", argv, envp), EACCES);
	fd = open("/tmp/abi.script", O_CREAT | O_TRUNC | O_WRONLY, 0755);
	dprintf(fd, "#!/bin/sh -e\nexit $#\n");
	close(fd);
	pid = fork();
	if (pid == 0) {
		execl("/tmp/abi.script", "x", "1", "2", "3", NULL);
		_exit(99);
	}
	waitpid(pid, &status, 0);
	CHECK("script", WEXITSTATUS(status) == 3);
	fd = open("/tmp/abi.script", O_TRUNC | O_WRONLY);
	dprintf(fd, "garbage\n");
	close(fd);
	CHECK_ERRNO("exec of garbage", execve("/tmp/abi.script", argv, envp), ENOEXEC);
	chmod("/tmp/abi.script", 0644);
	CHECK_ERRNO("exec without x", execve("/tmp/abi.script", argv, envp), EACCES);
	unlink("/tmp/abi.script");
	CHECK_ERRNO("exec bad argv", syscall(SYS_execve, self, 8, 0), EFAULT);
}

static int child(int argc, char **argv)
{
	CHECK("argc", argc == 4 && !strcmp(argv[2], "a b") && !argv[3][0] && !argv[4]);
	CHECK("environment", environ[0] && !strcmp(environ[0], "X=1") && !environ[1]);
	CHECK("close on exec", fcntl(20, F_GETFD) == 0 && fcntl(21, F_GETFD) == -1);
	CHECK("ignored stays ignored", signal(SIGUSR1, SIG_DFL) == SIG_IGN);
	CHECK("page size", getauxval(AT_PAGESZ) == 4096);
	CHECK("execfn", !strcmp((char *)getauxval(AT_EXECFN), argv[0]));
	CHECK("random", getauxval(AT_RANDOM) != 0);
	CHECK("vdso", getauxval(AT_SYSINFO_EHDR) != 0);
	CHECK("clktck", getauxval(AT_CLKTCK) == 100);
	CHECK("secure", getauxval(AT_SECURE) == 0);
	CHECK("hwcap", (getauxval(AT_HWCAP) & 0x112d) == 0x112d);
	return abi_done();
}

static void test_misc(void)
{
	struct utsname u;
	struct rlimit r;
	struct rusage ru;
	cpu_set_t set;
	char name[16];
	gid_t groups[2] = {7, 5};

	CHECK("uname",
	      uname(&u) == 0 && !strcmp(u.sysname, "Linux") && !strcmp(u.machine, "riscv64"));
	CHECK("rlimit", getrlimit(RLIMIT_STACK, &r) == 0 && r.rlim_cur == 8 << 20);
	r.rlim_cur = 10;
	r.rlim_max = 5;
	CHECK_ERRNO("rlimit soft above hard", setrlimit(RLIMIT_NOFILE, &r), EINVAL);
	CHECK("rusage", getrusage(RUSAGE_SELF, &ru) == 0 && ru.ru_maxrss > 0 && ru.ru_minflt > 0);
	CHECK_ERRNO("rusage bad", getrusage(5, &ru), EINVAL);
	CHECK("affinity", sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) >= 1);
	CPU_ZERO(&set);
	CHECK_ERRNO("empty affinity", sched_setaffinity(0, sizeof(set), &set), EINVAL);
	CHECK("comm", prctl(PR_SET_NAME, "a-name-that-is-too-long") == 0 &&
			      prctl(PR_GET_NAME, name) == 0 && !strcmp(name, "a-name-that-is-"));
	CHECK("setgroups",
	      setgroups(2, groups) == 0 && getgroups(2, groups) == 2 && groups[0] == 5);
	CHECK("no groups", setgroups(0, NULL) == 0 && getgroups(0, NULL) == 0);
	CHECK("priority",
	      setpriority(PRIO_PROCESS, 0, 3) == 0 && getpriority(PRIO_PROCESS, 0) == 3);
	CHECK_ERRNO("unknown call", syscall(1000), ENOSYS);
	CHECK("rseq or not", syscall(293, 0, 0, 0, 0) == -1);
}

static int drop_root(void)
{
	if (setresgid(100, 100, 100) || setresuid(1000, 1000, 1000))
		return 1;
	if (setuid(0) != -1 || errno != EPERM)
		return 2;
	if (kill(1, 0) != -1 || errno != EPERM)
		return 3;
	if (setpriority(PRIO_PROCESS, 0, -5) != -1 || errno != EACCES)
		return 4;
	return getuid() == 1000 && getegid() == 100 ? 0 : 5;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return child(argc, argv);
	self = argv[0];
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	test_exit();
	test_waitid();
	test_stop();
	test_groups();
	test_orphans();
	test_vfork();
	test_exec();
	test_misc();
	CHECK("without privileges", run(drop_root) == 0);
	signal(SIGCHLD, SIG_IGN);
	CHECK("ignored children reap themselves", run(nothing) >= -1 && wait(NULL) == -1);
	return abi_done();
}
