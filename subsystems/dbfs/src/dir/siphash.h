/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash that an attacker without the key cannot steer. */
#ifndef DBFS_DIR_SIPHASH_H
#define DBFS_DIR_SIPHASH_H

#include "base/types.h"

uint64_t dbfs_siphash(const uint8_t key[16], const void *data, size_t len);

#endif
