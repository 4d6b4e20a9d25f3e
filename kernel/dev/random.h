/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The random generator: ChaCha20 with fast key erasure, seeded from the device tree's rng-
 * seed, virtio-rng and timing. port_random() never blocks. Any context.
 */
#ifndef DEV_RANDOM_H
#define DEV_RANDOM_H

#include "base/types.h"

/* Stirs bytes in. credit: these bytes are of full entropy. */
void random_add(const void *data, size_t n, bool credit);
/* Have 32 bytes of full entropy been credited? (getrandom blocks until then.) */
bool random_ready(void);

#endif
