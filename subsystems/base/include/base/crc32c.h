/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * CRC32C (Castagnoli, RFC 3720 appendix B.4): polynomial 0x1EDC6F41, reflected, initial value and
 * final exclusive-or of all ones. base_crc32c(0, "123456789", 9) is 0xE3069283.
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include "base/types.h"

/*
 * Continues crc (0 to start) over len bytes: base_crc32c(base_crc32c(0, a, n), a + n, m) is the CRC of the
 * whole. Any thread, any context; does not block.
 */
uint32_t base_crc32c(uint32_t crc, const void *data, size_t len);

#endif
