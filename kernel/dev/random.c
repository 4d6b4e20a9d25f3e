/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The random generator: a 32-byte key; each request runs ChaCha20 (RFC 8439) under it, and the
 * first 32 bytes of the stream become the next key before any output is used (fast key
 * erasure), so a later look at memory does not reveal earlier output. Input is mixed by
 * encrypting: key' = block(key ^ input).
 *
 * Locking: a spinlock guards the key; output is made from a private copy.
 */
#include "dev/random.h"

#include "arch/cpu.h"
#include "lib/string.h"
#include "port/rand.h"
#include "sync/spinlock.h"

#define KEY_WORDS 8
#define ENOUGH 32 /* bytes of full entropy */

static struct spinlock lock = SPINLOCK_INIT(LOCK_RANK_SPIN_MEM - 2);
static uint32_t key[KEY_WORDS]; /* lock: lock, as the next two */
static uint64_t generation;
static _Atomic uint32_t credited; /* bytes; written under lock */

static uint32_t rotl(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static void quarter(uint32_t *s, unsigned a, unsigned b, unsigned c, unsigned d)
{
	s[a] += s[b];
	s[d] = rotl(s[d] ^ s[a], 16);
	s[c] += s[d];
	s[b] = rotl(s[b] ^ s[c], 12);
	s[a] += s[b];
	s[d] = rotl(s[d] ^ s[a], 8);
	s[c] += s[d];
	s[b] = rotl(s[b] ^ s[c], 7);
}

static void chacha_block(const uint32_t k[KEY_WORDS], uint64_t nonce, uint64_t counter,
			 uint32_t out[16])
{
	const uint32_t in[16] = {0x61707865,
				 0x3320646e,
				 0x79622d32,
				 0x6b206574,
				 k[0],
				 k[1],
				 k[2],
				 k[3],
				 k[4],
				 k[5],
				 k[6],
				 k[7],
				 (uint32_t)counter,
				 (uint32_t)(counter >> 32),
				 (uint32_t)nonce,
				 (uint32_t)(nonce >> 32)};

	memcpy(out, in, sizeof(in));
	for (unsigned i = 0; i < 10; i++) {
		quarter(out, 0, 4, 8, 12);
		quarter(out, 1, 5, 9, 13);
		quarter(out, 2, 6, 10, 14);
		quarter(out, 3, 7, 11, 15);
		quarter(out, 0, 5, 10, 15);
		quarter(out, 1, 6, 11, 12);
		quarter(out, 2, 7, 8, 13);
		quarter(out, 3, 4, 9, 14);
	}
	for (unsigned i = 0; i < 16; i++)
		out[i] += in[i];
}

/*
 * Replaces the key by its own first output; gives the second half of that block as a key for
 * one use.
 */
static void rekey(uint32_t once[KEY_WORDS]) REQUIRES(&lock)
{
	uint32_t block[16];

	chacha_block(key, generation++, 0, block);
	memcpy(key, block, sizeof(key));
	if (once)
		memcpy(once, block + KEY_WORDS, sizeof(key));
	memset(block, 0, sizeof(block));
	__asm__ volatile("" ::"r"(block) : "memory");
}

void random_add(const void *data, size_t n, bool credit)
{
	const uint8_t *p = data;
	unsigned long flags = spin_lock_irqsave(&lock);
	uint64_t now = arch_ticks();

	key[6] ^= (uint32_t)now;
	key[7] ^= (uint32_t)(now >> 32);
	for (size_t i = 0; i < n; i++) {
		key[i / 4 % KEY_WORDS] ^= (uint32_t)p[i] << (8 * (i % 4));
		if (i % sizeof(key) == sizeof(key) - 1)
			rekey(NULL);
	}
	rekey(NULL);
	if (credit)
		credited += (uint32_t)MIN(n, ENOUGH);
	spin_unlock_irqrestore(&lock, flags);
}

bool random_ready(void)
{
	return atomic_load_explicit(&credited, memory_order_relaxed) >= ENOUGH;
}

void port_random(void *buf, size_t len)
{
	uint32_t once[KEY_WORDS];
	uint32_t block[16];
	uint8_t *out = buf;
	unsigned long flags = spin_lock_irqsave(&lock);

	key[0] ^= (uint32_t)arch_ticks();
	rekey(once);
	spin_unlock_irqrestore(&lock, flags);
	for (uint64_t i = 0; len > 0; i++) {
		size_t n = MIN(len, sizeof(block));

		chacha_block(once, UINT64_MAX, i, block);
		memcpy(out, block, n);
		out += n;
		len -= n;
	}
	memset(once, 0, sizeof(once));
	memset(block, 0, sizeof(block));
	__asm__ volatile("" ::"r"(once), "r"(block) : "memory");
}
