/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * fuzz_calls SEED COUNT: children make random system calls with hostile arguments. Only the kernel's
 * survival is checked. Calls that would end the machine or the other processes are left out.
 */
#include "abi.h"

#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static uint64_t state;

static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static int skip(long nr)
{
	static const long never[] = {SYS_reboot,
				     SYS_kill,
				     SYS_tkill,
				     SYS_tgkill,
				     SYS_exit,
				     SYS_exit_group,
				     SYS_rt_sigqueueinfo,
				     SYS_ptrace,
				     SYS_rt_sigsuspend,
				     SYS_vhangup,
				     SYS_mount,
				     SYS_umount2,
				     SYS_pivot_root,
				     SYS_chroot,
				     SYS_unlinkat,
				     SYS_renameat2,
				     SYS_rt_tgsigqueueinfo,
				     SYS_syslog};

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		if (never[i] == nr)
			return 1;
	}
	return 0;
}

static char *area;

static uint64_t argument(void)
{
	static const uint64_t edges[] = {0,
					 1,
					 2,
					 8,
					 4095,
					 4096,
					 65536,
					 1ull << 31,
					 1ull << 32,
					 1ull << 38,
					 1ull << 39,
					 1ull << 47,
					 1ull << 63,
					 ~0ull,
					 ~0ull - 4095,
					 0xffffffc000000000,
					 0x7fffffff,
					 0xffffffff,
					 (uint64_t)-100};

	switch (rnd() % 6) {
	case 0:
		return edges[rnd() % (sizeof(edges) / sizeof(edges[0]))];
	case 1:
		return rnd() % 64;
	case 2:
		return rnd();
	case 3:
		return (uint64_t)area + rnd() % 16384;
	case 4:
		return (uint64_t)area + 4096 * 3 - rnd() % 64;
	default:
		return 1ull << rnd() % 64;
	}
}

static void child(long count)
{
	struct rlimit files = {64, 64}, memory = {64 << 20, 64 << 20};

	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_AS, &memory);
	area = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(area + 4096 * 3, 4096);
	for (long i = 0; i < count; i++) {
		long nr = (long)(rnd() % 460);

		for (int k = 0; k < 32; k++)
			((uint64_t *)(void *)area)[rnd() % 1500] = argument();
		if (skip(nr))
			continue;
		alarm(2);
		if (getenv("FUZZ_SHOW"))
			dprintf(2, "%ld\n", nr);
		syscall(nr, argument(), argument(), argument(), argument(), argument(), argument());
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	long count = argc > 2 ? atol(argv[2]) : 20;

	signal(SIGHUP, SIG_IGN);
	for (long i = 0; i < count; i++) {
		int pid;

		state = (seed + (uint64_t)i) * 0x9e3779b97f4a7c15ull + 1;
		pid = fork();
		if (pid == 0) {
			setsid();
			if (i & 1 && (setgid(1000) || setuid(1000)))
				_exit(1);
			if (chdir("/tmp"))
				_exit(1);
			child(300);
		}
		/* It may have blocked or ignored the alarm. */
		for (int ms = 0; waitpid(pid, NULL, WNOHANG) == 0; ms++) {
			if (ms > 1000)
				kill(pid, SIGKILL);
			usleep(1000);
		}
		/* what it cloned */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	CHECK("the kernel lives", getpid() > 0);
	return abi_done();
}
