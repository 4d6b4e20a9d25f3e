/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * init: the first process of the guest, and the commands poweroff, halt and reboot (the same program
 * under other names; statically linked, so that it needs nothing of the image).
 *
 *   start:   mounts -> host name, environment -> one main child
 *   main     a root login shell on the console, started again when it ends (or, with
 *   child:   alien.onexit=poweroff, the end of the machine); with alien.run=TOKEN the runner (run.c)
 *            instead, whose end is the end of the machine
 *   always:  reaps every orphan; signals ask for the end
 *   end:     TERM, then KILL to all, sync, unmount, reboot(2)
 *
 * Invariants
 *   INIT-1  Signals are blocked except inside sigsuspend, so no request and no death is missed.
 *   INIT-2  Process 1 never exits: a kernel would panic.
 *   INIT-3  A main child that ends at once is not started again more than once a second.
 */
#include "init.h"

#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t end_request; /* the last signal that asks for the end, 0: none */

static void note_end(int sig)
{
	end_request = sig;
}

static void note_child(int sig)
{
	(void)sig; /* only has to end sigsuspend */
}

static void set_signals(void)
{
	static const int ends[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGPWR};
	struct sigaction sa = {.sa_handler = note_end};
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL); /* INIT-1 */
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		sigaction(ends[i], &sa, NULL);
	sa.sa_handler = note_child;
	sigaction(SIGCHLD, &sa, NULL);
	reboot(RB_DISABLE_CAD); /* Ctrl-Alt-Del sends SIGINT */
}

static int end_command(int sig)
{
	if (sig == SIGUSR1)
		return (int)RB_HALT_SYSTEM;
	return sig == SIGUSR2 || sig == SIGPWR ? RB_POWER_OFF : RB_AUTOBOOT;
}

int fork_child(void)
{
	int pid = fork();
	if (pid == 0) {
		sigset_t none;
		signal(SIGCHLD, SIG_DFL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
	}
	return pid;
}

static int start_main(const char *token)
{
	int pid = token ? run_start(token) : console_shell();
	if (pid < 0)
		say("fork: %s", strerror(errno));
	return pid;
}

/* Reaps; true when the main child is among the dead. */
static bool reap(int main_child)
{
	bool ended = false;
	int status;
	for (int pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
		ended = ended || pid == main_child;
	return ended;
}

static void run_forever(const char *token, bool respawn)
{
	sigset_t none;
	sigemptyset(&none);
	for (;;) {
		time_t started = time(NULL);
		int child = start_main(token);
		while (!reap(child) && !end_request && child > 0)
			sigsuspend(&none);
		if (end_request)
			power_down(end_command(end_request));
		if (child > 0 && !respawn)
			power_down(RB_POWER_OFF);
		if (time(NULL) - started < 1)
			nanosleep(&(struct timespec){1, 0}, NULL); /* INIT-3 */
	}
}

static void init_main(int argc, char **argv)
{
	char token[65], onexit[16];
	set_signals();
	console_open();
	mounts_make();
	console_open();
	args_read(argc, argv);
	surroundings_set();
	bool run = args_value("alien.run", token, sizeof(token));
	bool respawn = !run && !(args_value("alien.onexit", onexit, sizeof(onexit)) &&
				 strcmp(onexit, "poweroff") == 0);
	run_forever(run ? token : NULL, respawn);
}

int main(int argc, char **argv)
{
	char name[256];
	strncpy(name, argc > 0 ? argv[0] : "init", sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	if (getpid() != 1)
		return power_command(basename(name), argc, argv);
	init_main(argc, argv);
	return 1;
}
