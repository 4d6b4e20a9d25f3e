/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#ifndef BASE_CRC32C_TABLE_H
#define BASE_CRC32C_TABLE_H

#include "base/types.h"

extern const uint32_t base_crc32c_table[8][256];

#endif
