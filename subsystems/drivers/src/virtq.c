/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Split virtqueues.
 *
 *   desc[size]   buffers, chained by next; free ones form a chain from free_head
 *   avail        driver -> device: heads of chains; index avail_published
 *   used         device -> driver: heads of completed chains; used_next is our place
 *
 * VQ-1  Each descriptor is in the free chain or in the chain of exactly one head with a token.
 * VQ-2  The device is shown an index only after the entries below it are written (release),
 * and
 *       entries are read only after the index that covers them (acquire).
 * VQ-3  Whoever publishes an index and then reads the other side's event index or flags has a
 * full fence
 *       between, as the other side has: one of the two sees the other, so no notification is lost.
 *
 * What the device writes is checked: a bad id marks the queue broken instead of corrupting
 * memory.
 */
#include "drivers/virtq.h"

#include "base/assert.h"

#define DESC_NEXT 1u
#define DESC_WRITE 2u
#define USED_NO_NOTIFY 1u
#define LEGACY_ALIGN 4096u

void virtq_layout(uint16_t size, struct virtq_layout *out)
{
	out->avail = (size_t)size * sizeof(struct virtq_desc);
	out->used = ALIGN_UP(out->avail + 2u * (3u + (size_t)size), (size_t)LEGACY_ALIGN);
	out->total = out->used + 6u + (size_t)size * sizeof(struct virtq_used_elem);
}

void virtq_init(struct virtq *q, uint16_t size, void *mem, void **tokens, bool event_index)
{
	struct virtq_layout l;

	KASSERT(size > 0 && size <= VIRTQ_MAX_SIZE && (size & (size - 1)) == 0);
	virtq_layout(size, &l);
	*q = (struct virtq){.size = size, .event_index = event_index, .free_count = size};
	q->desc = mem;
	q->avail = (_Atomic uint16_t *)(void *)((char *)mem + l.avail);
	q->used = (_Atomic uint16_t *)(void *)((char *)mem + l.used);
	q->tokens = tokens;
	for (uint16_t i = 0; i < size; i++) {
		q->desc[i].next = (uint16_t)(i + 1);
		tokens[i] = NULL;
	}
}

static _Atomic uint16_t *avail_slot(struct virtq *q, uint16_t i)
{
	return &q->avail[2 + (i & (q->size - 1))];
}

static struct virtq_used_elem used_elem(struct virtq *q, uint16_t i)
{
	const char *ring = (const char *)(uintptr_t)q->used + 4;
	struct virtq_used_elem e;

	__builtin_memcpy(&e, ring + (size_t)(i & (q->size - 1)) * sizeof(e), sizeof(e));
	return e;
}

/* Last member of the avail part: we write there which used index we want to hear of. */
static _Atomic uint16_t *used_event(struct virtq *q)
{
	return &q->avail[2 + q->size];
}

/* Last member of the used part: the device writes there which avail index it wants to hear of. */
static uint16_t avail_event(struct virtq *q)
{
	size_t at = 2 + (size_t)q->size * (sizeof(struct virtq_used_elem) / 2);

	return atomic_load_explicit(&q->used[at], memory_order_relaxed);
}

bool virtq_add(struct virtq *q, const struct virtq_buf *bufs, unsigned out, unsigned in,
	       void *token)
{
	unsigned n = out + in;
	uint16_t head = q->free_head;
	uint16_t i = head;

	KASSERT(n > 0 && token);
	if (n > q->free_count || q->broken)
		return false;
	for (unsigned k = 0; k < n; k++) {
		struct virtq_desc *d = &q->desc[i];

		d->addr = bufs[k].addr;
		d->len = bufs[k].len;
		d->flags = (uint16_t)((k + 1 < n ? DESC_NEXT : 0) | (k >= out ? DESC_WRITE : 0));
		i = d->next;
	}
	q->free_head = i;
	q->free_count = (uint16_t)(q->free_count - n);
	q->tokens[head] = token;
	atomic_store_explicit(avail_slot(q, q->avail_next), head, memory_order_relaxed);
	q->avail_next++;
	return true;
}

bool virtq_publish(struct virtq *q)
{
	uint16_t old = q->avail_published;
	uint16_t now = q->avail_next;

	if (old == now)
		return false;
	atomic_store_explicit(&q->avail[1], now, memory_order_release); /* VQ-2 */
	q->avail_published = now;
	atomic_thread_fence(memory_order_seq_cst); /* VQ-3 */
	if (!q->event_index)
		return !(atomic_load_explicit(&q->used[0], memory_order_relaxed) & USED_NO_NOTIFY);
	/* Did we step over the index that the device wants to hear of? */
	return (uint16_t)(now - avail_event(q) - 1) < (uint16_t)(now - old);
}

/* Returns a chain to the free list: VQ-1. False if it does not end within the queue. */
static bool free_chain(struct virtq *q, uint16_t head)
{
	uint16_t last = head;
	uint16_t n = 1;

	while (q->desc[last].flags & DESC_NEXT) {
		last = q->desc[last].next;
		if (last >= q->size || ++n > q->size)
			return false;
	}
	q->desc[last].next = q->free_head;
	q->free_head = head;
	q->free_count = (uint16_t)(q->free_count + n);
	return true;
}

void *virtq_pop(struct virtq *q, uint32_t *len)
{
	struct virtq_used_elem e;
	void *token;

	if (q->broken ||
	    atomic_load_explicit(&q->used[1], memory_order_acquire) == q->used_next) /* VQ-2 */
		return NULL;
	e = used_elem(q, q->used_next);
	token = e.id < q->size ? q->tokens[e.id] : NULL;
	if (!token || !free_chain(q, (uint16_t)e.id)) {
		q->broken = true;
		return NULL;
	}
	q->tokens[e.id] = NULL;
	q->used_next++;
	*len = e.len;
	return token;
}

bool virtq_rearm(struct virtq *q)
{
	if (q->event_index)
		atomic_store_explicit(used_event(q), q->used_next, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst); /* VQ-3 */
	return !q->broken &&
	       atomic_load_explicit(&q->used[1], memory_order_relaxed) != q->used_next;
}
