/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The virtqueue logic against a model device that follows the specification: random requests,
 * random completion order, notifications suppressed by the event index or not; nothing may be
 * lost, mixed up or left unnotified. And against a device that returns nonsense.
 */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "drivers/virtq.h"

#define SIZE 16u
#define REQUESTS 20000u
#define MAX_BUFS 5u

NORETURN void port_assert_fail(const char *expr, const char *file, int line)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, expr);
	abort();
}

struct request {
	uint32_t id;
	unsigned out;
	unsigned in;
	uint64_t base; /* address of its first buffer */
	bool in_flight;
};

struct device {
	uint8_t *mem;
	struct virtq_layout l;
	bool event_index;
	uint16_t avail_next;
	uint16_t used_next;
	uint16_t held[SIZE]; /* heads taken from avail, not yet completed */
	unsigned held_count;
	bool kicked;
	bool interrupted;
};

static uint64_t rng = 1;

static unsigned rnd(unsigned n)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(rng >> 33) % n;
}

static uint16_t get16(const struct device *d, size_t at)
{
	uint16_t v;

	memcpy(&v, d->mem + at, 2);
	return v;
}

static void put16(struct device *d, size_t at, uint16_t v)
{
	memcpy(d->mem + at, &v, 2);
}

/* Takes new chains; then says from where on it wants a notification. */
static void device_poll(struct device *d)
{
	uint16_t idx = get16(d, d->l.avail + 2);

	while (d->avail_next != idx) {
		d->held[d->held_count++] = get16(d, d->l.avail + 4 + 2u * (d->avail_next % SIZE));
		d->avail_next++;
	}
	put16(d, d->l.used + 4 + 8u * SIZE, d->avail_next);
	d->kicked = false;
}

static void device_complete(struct device *d)
{
	unsigned k;
	uint32_t elem[2];
	uint16_t used_event = get16(d, d->l.avail + 4 + 2u * SIZE);

	if (d->held_count == 0)
		return;
	k = rnd(d->held_count);
	elem[0] = d->held[k];
	elem[1] = d->held[k] * 3u;
	d->held[k] = d->held[--d->held_count];
	memcpy(d->mem + d->l.used + 4 + 8u * (d->used_next % SIZE), elem, 8);
	put16(d, d->l.used + 2, ++d->used_next);
	if (!d->event_index || (uint16_t)(d->used_next - 1) == used_event)
		d->interrupted = true;
}

static void check_chain(const struct device *d, uint16_t head, const struct request *r)
{
	const struct virtq_desc *desc = (const struct virtq_desc *)(const void *)d->mem;
	unsigned n = r->out + r->in;
	uint16_t i = head;

	for (unsigned k = 0; k < n; k++) {
		assert_int_equal(desc[i].addr, r->base + k);
		assert_int_equal(desc[i].len, k + 1);
		assert_int_equal(desc[i].flags & 2, k >= r->out ? 2 : 0);
		assert_int_equal(desc[i].flags & 1, k + 1 < n);
		i = desc[i].next;
	}
}

static void add_some(struct virtq *q, struct device *d, struct request *reqs, uint32_t *next)
{
	struct virtq_buf bufs[MAX_BUFS];

	for (unsigned tries = rnd(4); tries > 0 && *next < REQUESTS; tries--) {
		struct request *r = &reqs[*next];
		uint16_t head = q->free_head;

		r->id = *next;
		r->out = rnd(3);
		r->in = rnd(3) + (r->out == 0);
		r->base = 0x1000 + (uint64_t)*next * 16;
		for (unsigned k = 0; k < r->out + r->in; k++)
			bufs[k] = (struct virtq_buf){r->base + k, k + 1};
		if (!virtq_add(q, bufs, r->out, r->in, r)) {
			assert_true(q->free_count < r->out + r->in);
			break;
		}
		check_chain(d, head, r);
		r->in_flight = true;
		(*next)++;
	}
	if (virtq_publish(q))
		d->kicked = true;
}

static void run_model(bool event_index)
{
	struct device d = {.event_index = event_index};
	struct request *reqs = calloc(REQUESTS, sizeof(*reqs));
	void *tokens[SIZE];
	struct virtq q;
	uint32_t next = 0;
	uint32_t done = 0;
	uint32_t len;
	struct request *r;

	virtq_layout(SIZE, &d.l);
	d.mem = aligned_alloc(4096, ALIGN_UP(d.l.total, (size_t)4096));
	assert_non_null(reqs);
	assert_non_null(d.mem);
	memset(d.mem, 0, d.l.total);
	virtq_init(&q, SIZE, d.mem, tokens, event_index);
	assert_false(virtq_rearm(&q));
	while (done < REQUESTS) {
		uint32_t before = done;

		add_some(&q, &d, reqs, &next);
		/* The device looks only if it was notified or happens to be awake. */
		if (d.kicked || (d.held_count > 0 && rnd(2)))
			device_poll(&d);
		for (unsigned k = rnd(4); k > 0; k--)
			device_complete(&d);
		/* Nothing left to do for the device: it must not owe a lost notification. */
		if (d.held_count == 0 && !d.kicked)
			assert_int_equal(get16(&d, d.l.avail + 2), d.avail_next);
		if (!d.interrupted) {
			assert_true(d.used_next == q.used_next || d.held_count < SIZE);
			continue;
		}
		d.interrupted = false;
		do {
			while ((r = virtq_pop(&q, &len)) != NULL) {
				assert_true(r->in_flight);
				r->in_flight = false;
				done++;
			}
		} while (virtq_rearm(&q));
		assert_true(done > before || d.used_next == q.used_next);
		assert_int_equal(q.used_next, d.used_next);
	}
	assert_int_equal(q.free_count, SIZE);
	assert_false(q.broken);
	free(d.mem);
	free(reqs);
}

static void test_model(void **state)
{
	(void)state;
	run_model(false);
	run_model(true);
}

/* Wrong ids, repeated ids, indices out of the queue. */
static void test_nonsense(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		struct device d = {0};
		void *tokens[SIZE];
		struct virtq q;
		struct virtq_buf b[2] = {{1, 1}, {2, 2}};
		uint32_t len;
		unsigned popped = 0;

		virtq_layout(SIZE, &d.l);
		d.mem = aligned_alloc(4096, ALIGN_UP(d.l.total, (size_t)4096));
		assert_non_null(d.mem);
		memset(d.mem, 0, d.l.total);
		virtq_init(&q, SIZE, d.mem, tokens, false);
		assert_true(virtq_add(&q, b, 1, 1, &q));
		assert_true(virtq_publish(&q));
		for (size_t i = d.l.used; i < d.l.total; i++)
			d.mem[i] = (uint8_t)rnd(rnd(2) ? 3 : 256);
		while (popped < 100 && virtq_pop(&q, &len))
			popped++;
		assert_true(popped <= 1);
		assert_true(q.free_count <= SIZE);
		free(d.mem);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
