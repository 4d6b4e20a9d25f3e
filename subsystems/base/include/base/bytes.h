/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Integers as they stand on disk and in protocols.
 *
 * struct leN is a little-endian integer of N bits with alignment 1. It is a structure so that
 * reading it without conversion does not compile. beN functions store big-endian numbers into
 * keys, where memcmp order must be numeric order. Compilers turn all of these into one load or
 * store where unaligned access is cheap.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/types.h"

struct le16 {
	uint8_t b[2];
};

struct le32 {
	uint8_t b[4];
};

struct le64 {
	uint8_t b[8];
};

static inline uint16_t le16_get(struct le16 v)
{
	return (uint16_t)((uint32_t)v.b[0] | (uint32_t)v.b[1] << 8);
}

static inline uint32_t le32_get(struct le32 v)
{
	return (uint32_t)v.b[0] | (uint32_t)v.b[1] << 8 | (uint32_t)v.b[2] << 16 |
	       (uint32_t)v.b[3] << 24;
}

static inline uint64_t le64_get(struct le64 v)
{
	return (uint64_t)v.b[0] | (uint64_t)v.b[1] << 8 | (uint64_t)v.b[2] << 16 |
	       (uint64_t)v.b[3] << 24 | (uint64_t)v.b[4] << 32 | (uint64_t)v.b[5] << 40 |
	       (uint64_t)v.b[6] << 48 | (uint64_t)v.b[7] << 56;
}

static inline struct le16 le16_of(uint16_t x)
{
	return (struct le16){{(uint8_t)x, (uint8_t)(x >> 8)}};
}

static inline struct le32 le32_of(uint32_t x)
{
	return (struct le32){
		{(uint8_t)x, (uint8_t)(x >> 8), (uint8_t)(x >> 16), (uint8_t)(x >> 24)}};
}

static inline struct le64 le64_of(uint64_t x)
{
	return (struct le64){{(uint8_t)x, (uint8_t)(x >> 8), (uint8_t)(x >> 16), (uint8_t)(x >> 24),
			      (uint8_t)(x >> 32), (uint8_t)(x >> 40), (uint8_t)(x >> 48),
			      (uint8_t)(x >> 56)}};
}

static inline uint32_t be32_load(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static inline uint64_t be64_load(const uint8_t *p)
{
	return (uint64_t)be32_load(p) << 32 | be32_load(p + 4);
}

static inline void be32_store(uint8_t *p, uint32_t x)
{
	p[0] = (uint8_t)(x >> 24);
	p[1] = (uint8_t)(x >> 16);
	p[2] = (uint8_t)(x >> 8);
	p[3] = (uint8_t)x;
}

static inline void be64_store(uint8_t *p, uint64_t x)
{
	be32_store(p, (uint32_t)(x >> 32));
	be32_store(p + 4, (uint32_t)x);
}

#endif
