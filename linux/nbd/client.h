/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * One NBD client: the fixed newstyle handshake and the transmission phase with simple replies, as
 * a state machine over a non-blocking socket (the NBD project's doc/proto.md).
 */
#ifndef NBD_CLIENT_H
#define NBD_CLIENT_H

#include "base/types.h"
#include "disk.h"

struct client;

/* Takes fd, a connected non-blocking socket, and greets. NULL: no memory, fd is closed. */
struct client *client_create(int fd, struct disk *disk);
/* Closes the connection. */
void client_destroy(struct client *c);

int client_fd(const struct client *c);
/* The poll events it waits for. */
short client_events(const struct client *c);
/*
 * Reads, handles and answers what it can without blocking. False: the connection has ended or the
 * peer broke the protocol; destroy it. The disk may have met a planned cut.
 */
bool client_work(struct client *c);

#endif
