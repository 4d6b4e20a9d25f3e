/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The end: as process 1, and as the commands poweroff, halt and reboot, which ask process 1 by the
 * signals that busybox uses too (USR1 halt, USR2 power off, TERM reboot), or with -f do it themselves.
 */
#include "init.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GRACE_MS 3000 /* between SIGTERM and SIGKILL */
#define STEP_MS 20

struct command {
	const char *name;
	int signal;
	int how;
};

static const struct command commands[] = {
	{"poweroff", SIGUSR2, RB_POWER_OFF},
	{"halt", SIGUSR1, (int)RB_HALT_SYSTEM},
	{"reboot", SIGTERM, RB_AUTOBOOT},
};

/*
 * Reaps until process 1 has no children, or the time is over. Every other process descends from one,
 * so without children there is nobody left. True: none are left.
 */
static bool wait_for_all(int ms)
{
	const struct timespec step = {0, STEP_MS * 1000000L};
	for (;;) {
		int pid;
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (pid < 0)
			return true;
		if (ms <= 0)
			return false;
		nanosleep(&step, NULL);
		ms -= STEP_MS;
	}
}

void power_down(int how)
{
	sync();
	kill(-1, SIGTERM);
	kill(-1, SIGCONT);
	if (!wait_for_all(GRACE_MS)) {
		kill(-1, SIGKILL);
		wait_for_all(GRACE_MS);
	}
	mounts_end();
	sync();
	reboot(how);
	say("reboot: %s", strerror(errno));
	for (;;)
		pause();
}

static int usage(const char *name)
{
	fprintf(stderr, "usage: %s [-f]\n  -f  at once: sync, but end no processes\n", name);
	return 2;
}

int power_command(const char *name, int argc, char **argv)
{
	const struct command *c = NULL;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(name, commands[i].name) == 0)
			c = &commands[i];
	bool force = argc == 2 && strcmp(argv[1], "-f") == 0;
	if (!c) {
		fprintf(stderr, "%s: runs as process 1, or as poweroff, halt or reboot\n", name);
		return 2;
	}
	if (argc > 1 && !force)
		return usage(name);
	if (force) {
		sync();
		reboot(c->how);
	} else if (kill(1, c->signal) == 0) {
		return 0;
	}
	fprintf(stderr, "%s: %s\n", name, strerror(errno));
	return 1;
}
