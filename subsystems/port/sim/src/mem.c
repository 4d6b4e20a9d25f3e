/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * port/mem.h and port/rand.h in the simulator: malloc with counters and refusals by seed. Each
 * allocation is the host's own, so that AddressSanitizer sees its exact bounds. Memory that is not zeroed is
 * filled with a pattern: what reads it too early behaves the same in every run.
 *
 * No lock: only the thread with the baton runs.
 */
#include "port/mem.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "port/rand.h"
#include "sim/sim.h"
#include "sim_priv.h"

#define FRESH 0xa5

static struct {
	struct sim_prng random; /* port_random */
	struct sim_prng coin;   /* refusals */
	uint64_t calls;
	uint64_t failures;
	uint64_t fail_at; /* the value of calls that fails; 0: none */
	bool fail_sticky;
	unsigned fail_chance; /* in a million */
	uint64_t outstanding;
	uint64_t bytes;
	uint64_t peak;
} mem;

void sim_mem_reset(uint64_t seed)
{
	struct sim_prng root = sim_prng_of(seed);

	memset(&mem, 0, sizeof(mem));
	mem.random = sim_prng_split(&root, SIM_PURPOSE_RANDOM);
	mem.coin = sim_prng_split(&root, SIM_PURPOSE_MEM);
}

bool sim_mem_refuses(void)
{
	bool refuse;

	sim_need_world();
	mem.calls++;
	refuse = mem.fail_at &&
		 (mem.calls == mem.fail_at || (mem.fail_sticky && mem.calls > mem.fail_at));
	if (mem.fail_chance && sim_prng_chance(&mem.coin, mem.fail_chance, 1000000))
		refuse = true;
	if (refuse)
		mem.failures++;
	return refuse;
}

static void *note(void *p)
{
	if (!p)
		return NULL;
	mem.outstanding++;
	mem.bytes += malloc_usable_size(p);
	mem.peak = MAX(mem.peak, mem.bytes);
	return p;
}

void *port_alloc(size_t size)
{
	void *p;

	if (size == 0)
		sim_fail("port_alloc of 0 bytes");
	if (sim_mem_refuses())
		return NULL;
	p = malloc(size);
	if (p)
		memset(p, FRESH, size);
	return note(p);
}

void *port_alloc_zeroed(size_t size)
{
	if (size == 0)
		sim_fail("port_alloc_zeroed of 0 bytes");
	return sim_mem_refuses() ? NULL : note(calloc(1, size));
}

void port_free(void *p)
{
	if (!p)
		return;
	if (mem.outstanding > 0) { /* 0: it is older than this world */
		mem.outstanding--;
		mem.bytes -= MIN(mem.bytes, malloc_usable_size(p));
	}
	free(p);
}

void *port_alloc_pages(size_t pages)
{
	void *p = NULL;

	if (pages == 0)
		sim_fail("port_alloc_pages of 0 pages");
	if (sim_mem_refuses() || pages > SIZE_MAX / PORT_PAGE_SIZE)
		return NULL;
	if (posix_memalign(&p, PORT_PAGE_SIZE, pages * PORT_PAGE_SIZE))
		return NULL;
	memset(p, FRESH, pages * PORT_PAGE_SIZE);
	return note(p);
}

void port_free_pages(void *p, size_t pages)
{
	(void)pages;
	port_free(p);
}

void port_random(void *buf, size_t len)
{
	sim_need_world();
	sim_prng_fill(&mem.random, buf, len);
}

void sim_mem_fail_at(uint64_t nth, bool sticky)
{
	mem.fail_at = nth ? mem.calls + nth : 0;
	mem.fail_sticky = sticky;
}

void sim_mem_fail_chance(unsigned num)
{
	mem.fail_chance = num;
}

uint64_t sim_mem_calls(void)
{
	return mem.calls;
}

uint64_t sim_mem_failures(void)
{
	return mem.failures;
}

uint64_t sim_mem_outstanding(void)
{
	return mem.outstanding;
}

uint64_t sim_mem_bytes(void)
{
	return mem.bytes;
}

uint64_t sim_mem_peak(void)
{
	return mem.peak;
}
