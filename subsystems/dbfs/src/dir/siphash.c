/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#include "dir/siphash.h"

#include "base/bytes.h"

struct state {
	uint64_t a;
	uint64_t b;
	uint64_t c;
	uint64_t d;
};

static uint64_t rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void rounds(struct state *s, unsigned n)
{
	while (n-- > 0) {
		s->a += s->b;
		s->b = rotl(s->b, 13) ^ s->a;
		s->a = rotl(s->a, 32);
		s->c += s->d;
		s->d = rotl(s->d, 16) ^ s->c;
		s->a += s->d;
		s->d = rotl(s->d, 21) ^ s->a;
		s->c += s->b;
		s->b = rotl(s->b, 17) ^ s->c;
		s->c = rotl(s->c, 32);
	}
}

static uint64_t load(const uint8_t *p)
{
	struct le64 v;

	for (unsigned i = 0; i < 8; i++)
		v.b[i] = p[i];
	return le64_get(v);
}

static void absorb(struct state *s, uint64_t m)
{
	s->d ^= m;
	rounds(s, 2);
	s->a ^= m;
}

uint64_t dbfs_siphash(const uint8_t key[16], const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t k0 = load(key);
	uint64_t k1 = load(key + 8);
	uint64_t last = (uint64_t)(len & 0xff) << 56;
	struct state s = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du,
			  k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u};

	for (; len >= 8; len -= 8, p += 8)
		absorb(&s, load(p));
	for (unsigned i = 0; i < len; i++)
		last |= (uint64_t)p[i] << (8 * i);
	absorb(&s, last);
	s.c ^= 0xff;
	rounds(&s, 4);
	return s.a ^ s.b ^ s.c ^ s.d;
}
