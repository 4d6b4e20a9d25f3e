/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Random bytes of cryptographic quality (in the simulator: from the seed). Any thread. */
#ifndef PORT_RAND_H
#define PORT_RAND_H

#include "base/types.h"

void port_random(void *buf, size_t len);

#endif
