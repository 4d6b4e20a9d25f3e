/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * tx: runs a command inside a transaction of a mounted DBFS volume. Exit status 0 of the command
 * commits, anything else rolls back: all that it did to files of the volume happens, or nothing.
 * See tx(1).
 */
#include <argp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tx.h"

const char *argp_program_version = "tx (Alien OS) 0.1";
static const char doc[] =
	"Run COMMAND inside a transaction of a DBFS volume: if it exits with 0, everything that it "
	"changed on "
	"the volume is committed as one; otherwise nothing of it happened. Without COMMAND, start "
	"a "
	"shell and ask at its end.\v"
	"Exit status: the command's; 75 when the commit lost against a conflicting one; 125 when "
	"tx "
	"itself failed, 126 when COMMAND cannot be run, 127 when it is not found.";
enum { OPT_READ_ONLY = 256, OPT_NO_SYNC };
static const struct argp_option options[] = {
	{"directory", 'C', "DIR", 0, "Work in DIR, on the volume that it lies on", 0},
	{"retry", 'r', "N", 0, "Run COMMAND again up to N times after a conflict (default 0)", 0},
	{"read-only", OPT_READ_ONLY, NULL, 0, "Only look: writes fail with EROFS", 0},
	{"no-sync", OPT_NO_SYNC, NULL, 0, "Do not wait until the commit is on the disk", 0},
	{"quiet", 'q', NULL, 0, "No remarks", 0},
	{0},
};

void tx_error(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "tx: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, err != 0 ? ": %s\n" : "\n", strerror(err));
	va_end(ap);
}

static unsigned parse_count(const char *arg, struct argp_state *state)
{
	char *end;

	errno = 0;
	unsigned long n = strtoul(arg, &end, 10);

	if (errno != 0 || *arg < '0' || *arg > '9' || *end != '\0' || n > 1000000)
		argp_error(state, "--retry takes a number, not '%s'", arg);
	return (unsigned)n;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct tx_options *o = state->input;

	switch (key) {
	case 'C':
		o->dir = arg;
		return 0;
	case 'r':
		o->retries = parse_count(arg, state);
		return 0;
	case OPT_READ_ONLY:
		o->begin.mode = DBFS_TXCTL_READ_ONLY;
		return 0;
	case OPT_NO_SYNC:
		o->begin.flags |= DBFS_TXCTL_NOSYNC;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	case ARGP_KEY_ARGS:
		o->command = state->argv + state->next;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool asked_to_commit(void)
{
	char answer[16];

	fprintf(stderr, "tx: commit what the shell did? [y/N] ");
	return fgets(answer, sizeof answer, stdin) != NULL &&
	       (answer[0] == 'y' || answer[0] == 'Y');
}

/* The command has ended with status. Its status, or tx's own if that could not be honored. */
static int decide(int handle, int status, const struct tx_options *o)
{
	struct dbfs_txctl_commit result;

	if (o->command == NULL ? !asked_to_commit() : status != 0) {
		if (dbfs_tx_rollback(handle) < 0)
			tx_error(errno, "rollback");
		return o->command == NULL ? 1 : status;
	}
	if (dbfs_tx_commit(handle, &result) == 0)
		return 0;
	if (errno == EAGAIN) {
		if (!o->quiet)
			tx_error(0, "conflict with another commit; rolled back");
		return TX_EXIT_CONFLICT;
	}
	tx_error(errno, "commit failed");
	return TX_EXIT_ERROR;
}

/* One attempt: begin, run, decide. *conflict: it lost. */
static int attempt(struct tx_place *place, const struct tx_options *o, bool *conflict)
{
	static char default_shell[] = "/bin/sh";
	char *shell[] = {getenv("SHELL"), NULL};
	int handle = dbfs_tx_begin(place->mount, &o->begin);

	*conflict = false;
	if (shell[0] == NULL)
		shell[0] = default_shell;
	if (handle < 0) {
		tx_error(errno, "cannot begin a transaction on %s", place->mount);
		return TX_EXIT_ERROR;
	}
	int status = TX_EXIT_ERROR;

	if (view_name(handle, place) == 0) {
		status = command_run(place, o->command != NULL ? o->command : shell);
		int decided = decide(handle, status, o);

		*conflict = decided == TX_EXIT_CONFLICT && status == 0;
		status = decided;
	}
	close(handle);
	return status;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {options, parse, "[-- COMMAND [ARG...]]", doc, NULL,
					 NULL,    NULL};
	struct tx_options o = {0};
	static struct tx_place place;
	bool conflict;

	argp_err_exit_status = TX_EXIT_ERROR;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &o);
	if (view_find(o.dir, &place) < 0)
		return TX_EXIT_ERROR;
	if (!o.quiet)
		view_warn_inherited(&place);
	int status = attempt(&place, &o, &conflict);

	for (unsigned n = 0; conflict && n < o.retries; n++)
		status = attempt(&place, &o, &conflict);
	return status;
}
