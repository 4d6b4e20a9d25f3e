/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The command and its descendants. tx makes itself their reaper (a child that outlives its parent
 * comes to tx), so that nothing of the command can write any more when the transaction is decided.
 * The command dies with tx by its parent-death signal; the closed handle rolls back anyway.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tx.h"

static void exec_command(const struct tx_place *place, char **argv, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(TX_EXIT_ERROR);
	if (view_enter(place) < 0)
		_exit(TX_EXIT_ERROR);
	execvp(argv[0], argv);
	int err = errno;

	tx_error(err, "%s", argv[0]);
	_exit(err == ENOENT ? TX_EXIT_NOT_FOUND : TX_EXIT_CANNOT_RUN);
}

static pid_t wait_retry(pid_t pid, int *status, int options)
{
	pid_t got;

	do
		got = waitpid(pid, status, options);
	while (got < 0 && errno == EINTR);
	return got;
}

/* The children of this process, by /proc; at most max. */
static size_t children(pid_t *out, size_t max)
{
	char path[64];
	size_t n = 0;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	FILE *f = fopen(path, "r");

	if (f == NULL)
		return 0;
	for (int pid; n < max && fscanf(f, "%d", &pid) == 1; n++)
		out[n] = pid;
	fclose(f);
	return n;
}

/* Ends everything that is left below this process; what it leaves behind comes here in turn. */
static void end_leftovers(void)
{
	pid_t left[64];
	bool said = false;

	for (size_t n = children(left, 64); n > 0; n = children(left, 64)) {
		if (!said)
			fprintf(stderr, "tx: ending processes that the command left running\n");
		said = true;
		for (size_t i = 0; i < n; i++)
			kill(left[i], SIGKILL);
		for (size_t i = 0; i < n; i++)
			wait_retry(left[i], NULL, 0);
	}
	while (wait_retry(-1, NULL, WNOHANG) > 0)
		;
}

int command_run(const struct tx_place *place, char **argv)
{
	pid_t parent = getpid();
	int status = 0;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
		tx_error(errno, "cannot become the reaper of the command");
		return TX_EXIT_ERROR;
	}
	pid_t pid = fork();

	if (pid < 0) {
		tx_error(errno, "fork");
		return TX_EXIT_ERROR;
	}
	if (pid == 0)
		exec_command(place, argv, parent);
	/* The terminal's signals are for the command; its status tells tx of them. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	if (wait_retry(pid, &status, 0) < 0) {
		tx_error(errno, "wait");
		return TX_EXIT_ERROR;
	}
	end_leftovers();
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
