/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Memory. Thread-safe. May sleep in the kernel (never waits for write-back of DBFS: it takes from
 * a reserve or fails). Not to be called with a spinlock held.
 */
#ifndef PORT_MEM_H
#define PORT_MEM_H

#include "base/types.h"

/* size > 0; aligned for any type (16 bytes). NULL if there is none. The caller port_free()s it. */
void *port_alloc(size_t size) MUST_CHECK;
void *port_alloc_zeroed(size_t size) MUST_CHECK;

/* Takes p, which port_alloc*() returned; NULL is fine. */
void port_free(void *p);

/* Whole pages (4096 bytes), page-aligned, fit for direct device I/O. Content is undefined. */
void *port_alloc_pages(size_t pages) MUST_CHECK;
void port_free_pages(void *p, size_t pages);

#define PORT_PAGE_SIZE 4096u

#endif
