/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The commands of alien-nbd: one table of name, arguments and function. --help lists them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

struct reply {
	char *text;
	size_t size;
};

struct command {
	const char *name;
	int min_args;
	int max_args;
	void (*run)(struct server *s, char **args, int n, struct reply *r);
};

bool parse_number(const char *text, uint64_t *out)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, text[1] == 'x' ? 16 : 10);
	return *end == '\0' && errno == 0;
}

bool parse_mode(const char *text, enum sim_cut_mode *out)
{
	for (int i = SIM_CUT_SEEDED; i <= SIM_CUT_ONE_KEPT; i++) {
		if (strcmp(text, sim_cut_mode_name((enum sim_cut_mode)i)) == 0) {
			*out = (enum sim_cut_mode)i;
			return true;
		}
	}
	return false;
}

static void say(struct reply *r, const char *text)
{
	snprintf(r->text, r->size, "%s\n", text);
}

static void say_result(struct reply *r, int err, const char *what)
{
	if (err)
		snprintf(r->text, r->size, "error %s: %s\n", what, strerror(err));
	else
		say(r, "ok");
}

static void say_cut(const struct server *s, char *text, size_t size, const char *word)
{
	const struct sim_cut_report *cut = &s->disk.last_cut;

	snprintf(text, size, "%s seed=%llu mode=%s writes=%llu sectors=%llu survived=%llu\n", word,
		 (unsigned long long)s->disk.last_seed, sim_cut_mode_name(cut->mode),
		 (unsigned long long)cut->writes, (unsigned long long)cut->sectors,
		 (unsigned long long)cut->survived);
}

void server_after_cut(struct server *s)
{
	char line[256];

	if (s->disk.stats.cuts == s->cuts_told)
		return;
	s->cuts_told = s->disk.stats.cuts;
	while (s->client_count > 0)
		client_destroy(s->clients[--s->client_count]);
	say_cut(s, line, sizeof(line), "cut");
	fputs(line, stdout);
	fflush(stdout);
}

/* Words are numbers or the command fails. */
static bool numbers(char **args, int n, uint64_t *out, struct reply *r)
{
	for (int i = 0; i < n; i++) {
		if (!parse_number(args[i], &out[i])) {
			snprintf(r->text, r->size, "error not a number: %.100s\n", args[i]);
			return false;
		}
	}
	return true;
}

static void run_cut(struct server *s, char **args, int n, struct reply *r)
{
	uint64_t seed = s->opt.seed;
	int err;

	if (!numbers(args, n, &seed, r))
		return;
	if (!s->disk.on) {
		say(r, "error the power is off");
		return;
	}
	err = disk_cut(&s->disk, seed);
	server_after_cut(s);
	if (err)
		say_result(r, err, "cut");
	else
		say_cut(s, r->text, r->size, "ok");
}

static void run_cut_at(struct server *s, char **args, int n, struct reply *r)
{
	uint64_t x[2] = {0, s->opt.seed};

	if (!numbers(args, n, x, r))
		return;
	s->disk.plan = (struct cut_plan){.changes = x[0], .seed = x[1]};
	say(r, "ok");
}

static void run_cut_at_flush(struct server *s, char **args, int n, struct reply *r)
{
	uint64_t x[2] = {0, s->opt.seed};

	if (!numbers(args, n, x, r))
		return;
	s->disk.plan = (struct cut_plan){.flushes = x[0], .seed = x[1]};
	say(r, "ok");
}

static void run_mode(struct server *s, char **args, int n, struct reply *r)
{
	(void)n;
	if (parse_mode(args[0], &s->disk.mode))
		say(r, "ok");
	else
		say(r, "error no such mode");
}

static void run_drop_flush(struct server *s, char **args, int n, struct reply *r)
{
	bool on = strcmp(args[0], "on") == 0;

	(void)n;
	if (!on && strcmp(args[0], "off") != 0) {
		say(r, "error expected on or off");
		return;
	}
	s->disk.drop_flushes = on;
	say(r, "ok");
}

static void run_write(struct server *s, char **args, int n, struct reply *r)
{
	(void)n;
	if (s->disk.on)
		say(r, "error the power is on: cut it first");
	else
		say_result(r, disk_save(&s->disk, args[0]), "write");
}

static void run_commit(struct server *s, char **args, int n, struct reply *r)
{
	(void)args;
	(void)n;
	if (!s->opt.in_place)
		say(r, "error the image is not to be changed (no --in-place)");
	else if (s->disk.on)
		say(r, "error the power is on: cut it first");
	else
		say_result(r, disk_commit(&s->disk), "commit");
}

static void run_on(struct server *s, char **args, int n, struct reply *r)
{
	(void)args;
	(void)n;
	s->disk.on = true;
	say(r, "ok");
}

static void run_stats(struct server *s, char **args, int n, struct reply *r)
{
	const struct disk_stats *st = &s->disk.stats;

	(void)args;
	(void)n;
	snprintf(r->text, r->size,
		 "ok power=%s clients=%u reads=%llu writes=%llu flushes=%llu read_bytes=%llu "
		 "write_bytes=%llu unflushed=%llu cuts=%llu\n",
		 s->disk.on ? "on" : "off", s->client_count, (unsigned long long)st->reads,
		 (unsigned long long)st->writes, (unsigned long long)st->flushes,
		 (unsigned long long)st->read_bytes, (unsigned long long)st->write_bytes,
		 (unsigned long long)sim_model_unflushed(s->disk.model),
		 (unsigned long long)st->cuts);
}

static void run_quit(struct server *s, char **args, int n, struct reply *r)
{
	(void)args;
	(void)n;
	s->quit = true;
	say(r, "ok");
}

static const struct command commands[] = {
	{"cut", 0, 1, run_cut},
	{"cut-at", 1, 2, run_cut_at},
	{"cut-at-flush", 1, 2, run_cut_at_flush},
	{"mode", 1, 1, run_mode},
	{"drop-flush", 1, 1, run_drop_flush},
	{"write", 1, 1, run_write},
	{"commit", 0, 0, run_commit},
	{"on", 0, 0, run_on},
	{"stats", 0, 0, run_stats},
	{"quit", 0, 0, run_quit},
};

#define WORDS_MAX 4

void control_line(struct server *s, char *line, char *text, size_t size)
{
	struct reply r = {text, size};
	char *words[WORDS_MAX];
	char *save = NULL;
	int n = 0;

	for (char *w = strtok_r(line, " \t\r", &save); w; w = strtok_r(NULL, " \t\r", &save)) {
		if (n == WORDS_MAX) {
			say(&r, "error too many words");
			return;
		}
		words[n++] = w;
	}
	if (n == 0) {
		say(&r, "error empty command");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *c = &commands[i];

		if (strcmp(words[0], c->name) != 0)
			continue;
		if (n - 1 < c->min_args || n - 1 > c->max_args)
			say(&r, "error wrong number of arguments");
		else
			c->run(s, words + 1, n - 1, &r);
		return;
	}
	snprintf(text, size, "error unknown command: %.100s\n", words[0]);
}
