/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The server's state, between the loop (main.c) and the commands (control.c). */
#ifndef NBD_SERVER_H
#define NBD_SERVER_H

#include "base/types.h"
#include "client.h"
#include "disk.h"

#define CLIENTS_MAX 64

struct options {
	const char *image;
	const char *socket;
	const char *control; /* NULL: commands come from stdin only */
	const char *output;  /* of SIGUSR1; NULL: none */
	uint64_t seed;
	enum sim_cut_mode mode;
	uint64_t cut_at;
	uint64_t cut_at_flush;
	bool in_place;
	bool drop_flush;
};

struct server {
	struct options opt;
	struct disk disk;
	struct client *clients[CLIENTS_MAX];
	unsigned client_count;
	bool quit;
	uint64_t cuts_told; /* of disk.stats.cuts */
};

/* A number in decimal, or hexadecimal after 0x, and nothing else. */
bool parse_number(const char *text, uint64_t *out);
/* A name that sim_cut_mode_name gives. */
bool parse_mode(const char *text, enum sim_cut_mode *out);

/*
 * Carries out one command line (without its newline; it is cut into words). Writes the answer, one line
 * with a newline that begins with "ok" or "error", into reply.
 */
void control_line(struct server *s, char *line, char *reply, size_t size);

/* If the power has gone since the last call: drops all clients and says so on stdout. */
void server_after_cut(struct server *s);

#endif
