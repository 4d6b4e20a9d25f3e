/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The page allocator and the object caches against a model: random operations from a seed,
 * contents checked for overlap, everything given back at the end. Memory is a host buffer with
 * a hole in it.
 */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "mm/mm_init.h"
#include "mm/slab.h"

#define PAGES 4096u
#define HOLE_AT 1000u
#define HOLE 77u
#define BASE_PA 0x80000000u
#define OPS 60000u
#define SLOTS 300u

NORETURN void port_assert_fail(const char *expr, const char *file, int line)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, expr);
	abort();
}

void mm_platform_lock_error(void)
{
	fail_msg("a spinlock was taken twice");
}

/* "vmalloc": the length stands before the block, in a header of 64 bytes. */
static void *vmallocs[64];

void *mm_platform_vmalloc(size_t size)
{
	char *p = malloc(size + 64);

	for (unsigned i = 0; p && i < 64; i++) {
		if (!vmallocs[i]) {
			memcpy(p, &size, sizeof(size));
			vmallocs[i] = p + 64;
			return p + 64;
		}
	}
	free(p);
	return NULL;
}

static void **vmalloc_slot(const void *p)
{
	for (unsigned i = 0; i < 64; i++) {
		if (vmallocs[i] == p)
			return &vmallocs[i];
	}
	return NULL;
}

bool mm_platform_is_vmalloc(const void *p)
{
	return p && vmalloc_slot(p) != NULL;
}

void mm_platform_vfree(void *p)
{
	void **slot = vmalloc_slot(p);

	assert_non_null(slot);
	if (slot)
		*slot = NULL;
	free((char *)p - 64);
}

size_t mm_platform_vmalloc_size(const void *p)
{
	size_t n;

	memcpy(&n, (const char *)p - 64, sizeof(n));
	return n;
}

static unsigned woken;

void mm_platform_wake_reclaim(void)
{
	woken++;
}

bool mm_platform_may_reclaim(void)
{
	return true;
}

static uint64_t rng;

static unsigned rnd(unsigned n)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(rng >> 33) % n;
}

static char *memory;
static struct page *map;

static int setup(void **state)
{
	(void)state;
	memory = aligned_alloc(4096, (size_t)PAGES * MM_PAGE_SIZE);
	map = calloc(PAGES, sizeof(*map));
	assert_non_null(memory);
	assert_non_null(map);
	mm_init(BASE_PA, memory, map, PAGES);
	mm_add_free(BASE_PA, HOLE_AT);
	mm_add_free(BASE_PA + (uint64_t)(HOLE_AT + HOLE) * MM_PAGE_SIZE, PAGES - HOLE_AT - HOLE);
	mm_set_marks();
	mm_slab_init();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(memory);
	free(map);
	return 0;
}

static uint64_t free_pages(void)
{
	struct mm_stats s;

	mm_stats_get(&s);
	return s.free_pages;
}

struct block {
	struct page *page;
	unsigned order;
};

static void test_pages(void **state)
{
	static uint8_t used[PAGES];
	static struct block blocks[SLOTS];
	uint64_t all = free_pages();

	(void)state;
	rng = 11;
	memset(used, 0, sizeof(used));
	assert_int_equal(all, PAGES - HOLE);
	for (unsigned op = 0; op < OPS; op++) {
		struct block *b = &blocks[rnd(SLOTS)];
		size_t at;

		if (b->page) {
			at = (size_t)(b->page - map);
			for (size_t i = 0; i < (size_t)1 << b->order; i++)
				assert_int_equal(used[at + i]--, 1);
			mm_page_put(b->page);
			b->page = NULL;
			continue;
		}
		b->order = rnd(10) ? rnd(4) : rnd(MM_MAX_ORDER + 1);
		b->page = mm_page_alloc(b->order, rnd(2) ? MM_NORMAL : MM_ATOMIC);
		if (!b->page)
			continue;
		at = (size_t)(b->page - map);
		assert_int_equal(at % ((size_t)1 << b->order), 0);
		for (size_t i = 0; i < (size_t)1 << b->order; i++) {
			assert_int_equal(used[at + i]++, 0);
			assert_false(at + i >= HOLE_AT && at + i < HOLE_AT + HOLE);
		}
		assert_int_equal(mm_page_pa(b->page), BASE_PA + at * MM_PAGE_SIZE);
		assert_ptr_equal(mm_page_of(mm_page_data(b->page)), b->page);
	}
	for (unsigned i = 0; i < SLOTS; i++) {
		if (blocks[i].page)
			mm_page_put(blocks[i].page);
		blocks[i].page = NULL;
	}
	assert_int_equal(free_pages(), all);
	/* All merged again: the largest blocks that the hole leaves can be had. */
	for (unsigned i = 0; i < 2; i++) {
		struct page *p = mm_page_alloc(MM_MAX_ORDER, MM_RESERVE);

		assert_non_null(p);
		blocks[i].page = p;
	}
	mm_page_put(blocks[0].page);
	mm_page_put(blocks[1].page);
	assert_int_equal(free_pages(), all);
}

static void test_references(void **state)
{
	struct page *p = mm_page_alloc(0, MM_ZERO);
	uint64_t before = free_pages();

	(void)state;
	assert_non_null(p);
	for (size_t i = 0; i < MM_PAGE_SIZE; i++)
		assert_int_equal(((uint8_t *)mm_page_data(p))[i], 0);
	mm_page_get(p);
	assert_true(mm_page_tryget(p));
	mm_page_put(p);
	mm_page_put(p);
	assert_int_equal(free_pages(), before);
	mm_page_put(p);
	assert_int_equal(free_pages(), before + 1);
	assert_false(mm_page_tryget(p));
	assert_null(mm_page_of_pa(BASE_PA - 1));
	assert_null(mm_page_of_pa(BASE_PA + (uint64_t)PAGES * MM_PAGE_SIZE));
}

static struct page *hoard[PAGES];
static size_t hoarded;

static size_t give_back(struct mm_reclaimer *r, size_t want)
{
	size_t n = 0;

	(void)r;
	for (; n < want && hoarded > 0; n++)
		mm_page_put(hoard[--hoarded]);
	return n;
}

static void test_reserve_and_reclaim(void **state)
{
	static struct mm_reclaimer r = {.name = "test", .reclaim = give_back};
	struct mm_stats s;
	struct page *p;
	struct page *q;

	(void)state;
	woken = 0;
	while ((p = mm_page_alloc(0, MM_NORMAL)) != NULL)
		hoard[hoarded++] = p;
	mm_stats_get(&s);
	assert_int_equal(s.free_pages, s.reserve_pages);
	assert_true(mm_low());
	assert_true(woken > 0);
	assert_true(s.failures == 1);
	p = mm_page_alloc(0, MM_ATOMIC);
	q = mm_page_alloc(0, MM_RESERVE);
	assert_non_null(p);
	assert_non_null(q);
	mm_reclaim_register(&r);
	mm_page_put(p);
	p = mm_page_alloc(0, MM_NORMAL);
	assert_non_null(p);
	mm_page_put(p);
	mm_page_put(q);
	while (hoarded > 0)
		mm_page_put(hoard[--hoarded]);
	assert_int_equal(free_pages(), PAGES - HOLE);
}

struct piece {
	uint8_t *p;
	size_t size;
	uint8_t tag;
};

static void check_piece(const struct piece *x)
{
	for (size_t i = 0; i<x->size; i += x->size> 4096 ? 509 : 1)
		assert_int_equal(x->p[i], x->tag);
	assert_int_equal(x->p[x->size - 1], x->tag);
}

static size_t random_size(void)
{
	switch (rnd(12)) {
	case 0:
		return 1 + rnd(600000);
	case 1:
		return 1 + rnd(20000);
	default:
		return 1 + rnd(rnd(2) ? 100 : 3100);
	}
}

static void test_alloc(void **state)
{
	static struct piece pieces[SLOTS];
	uint64_t all = free_pages();
	struct mm_stats s;

	(void)state;
	rng = 5;
	for (unsigned op = 0; op < OPS; op++) {
		struct piece *x = &pieces[rnd(SLOTS)];

		if (x->p) {
			check_piece(x);
			mm_free(x->p);
			x->p = NULL;
			continue;
		}
		x->size = random_size();
		x->tag = (uint8_t)op;
		x->p = mm_alloc(x->size, rnd(2) ? MM_ZERO : MM_NORMAL);
		if (!x->p)
			continue;
		assert_int_equal((uintptr_t)x->p % 16, 0);
		if (x->size >= 4096 && (x->size & (x->size - 1)) == 0)
			assert_int_equal((uintptr_t)x->p % 4096, 0);
		assert_true(mm_alloc_size(x->p) >= x->size);
		memset(x->p, x->tag, x->size);
	}
	for (unsigned i = 0; i < SLOTS; i++) {
		if (pieces[i].p)
			check_piece(&pieces[i]);
		mm_free(pieces[i].p);
		pieces[i].p = NULL;
	}
	/* Only the few empty slabs that each cache keeps are still out. */
	mm_stats_get(&s);
	assert_int_equal(s.free_pages + s.slab_pages, all);
	assert_int_equal(s.large_pages, 0);
	assert_true(s.slab_pages <= 15 * 2 * 8);
	assert_null(mm_alloc(0, 0));
	assert_null(mm_alloc(SIZE_MAX, 0));
	mm_free(NULL);
}

static void test_cache(void **state)
{
	static struct mm_cache c;
	void *p[500];

	(void)state;
	mm_cache_init(&c, "test", 200, 64);
	for (unsigned i = 0; i < 500; i++) {
		p[i] = mm_cache_alloc(&c, MM_ZERO);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % 64, 0);
		for (unsigned k = 0; k < 200; k++)
			assert_int_equal(((uint8_t *)p[i])[k], 0);
		memset(p[i], 0xff, 200);
	}
	assert_int_equal(c.objects, 500);
	for (unsigned i = 0; i < 500; i++)
		mm_cache_free(&c, p[(i * 7) % 500]);
	assert_int_equal(c.objects, 0);
	assert_true(c.slabs <= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_references, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reserve_and_reclaim, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alloc, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cache, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
