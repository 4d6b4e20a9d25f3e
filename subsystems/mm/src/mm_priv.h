/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Counters shared inside mm. atomic: relaxed, statistics only. */
#ifndef MM_PRIV_H
#define MM_PRIV_H

#include <stdatomic.h>
#include <stdint.h>

extern _Atomic uint64_t mm_slab_pages;
extern _Atomic uint64_t mm_large_pages;

#endif
