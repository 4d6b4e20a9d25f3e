/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Start-up of the page allocator; used by the machine layer and by tests. */
#ifndef MM_INIT_H
#define MM_INIT_H

#include "mm/page.h"

/*
 * Manages [pa, pa + pages * 4096), whose byte 0 is at direct; map is an array of that many
 * struct page. All pages begin absent. Once, before anything else.
 */
void mm_init(uint64_t pa, void *direct, struct page *map, size_t pages);
/* Hands a range of pages (absent so far) to the allocator. */
void mm_add_free(uint64_t pa, size_t pages);
/* Sets reserve and low mark from what is free now; call after the last mm_add_free. */
void mm_set_marks(void);

#endif
