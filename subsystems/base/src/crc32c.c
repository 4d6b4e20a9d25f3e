/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * CRC32C by slicing-by-8 (Kounavis and Berry, 2005): eight bytes a step through eight tables of
 * 256 entries. Table k holds the CRC of a byte followed by k zero bytes; scripts/gen_crc32c.py
 * prints the tables and the unit test recomputes them bit by bit.
 */
#include "base/crc32c.h"
#include "base/bytes.h"
#include "crc32c_table.h"

static uint32_t step1(uint32_t crc, uint8_t byte)
{
	return (crc >> 8) ^ base_crc32c_table[0][(crc ^ byte) & 0xff];
}

static uint32_t step8(uint32_t crc, const uint8_t *p)
{
	uint32_t lo = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
			     (uint32_t)p[3] << 24);

	return base_crc32c_table[7][lo & 0xff] ^ base_crc32c_table[6][(lo >> 8) & 0xff] ^
	       base_crc32c_table[5][(lo >> 16) & 0xff] ^ base_crc32c_table[4][lo >> 24] ^
	       base_crc32c_table[3][p[4]] ^ base_crc32c_table[2][p[5]] ^
	       base_crc32c_table[1][p[6]] ^ base_crc32c_table[0][p[7]];
}

uint32_t base_crc32c(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (; len >= 8; len -= 8, p += 8)
		crc = step8(crc, p);
	for (; len > 0; len--, p++)
		crc = step1(crc, *p);
	return ~crc;
}
