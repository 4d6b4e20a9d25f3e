/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Formatting: %s %c %d %i %u %x %X %o %p %% with flags 0 - + space #, width, precision, * and
 * the sizes hh h l ll z. No floating point. Any context.
 */
#ifndef LIB_PRINTF_H
#define LIB_PRINTF_H

#include <stdarg.h>

#include "base/types.h"

/* As the C library's: always terminates (size > 0), returns the full length. */
int snprintf(char *buf, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);
int vsnprintf(char *buf, size_t size, const char *fmt, va_list args);
/* The same, but returns what stands in buf (at most size - 1). */
size_t scnprintf(char *buf, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);

/*
 * One message with its newline to the console and the log ring. Prefer port_log (a level, a time
 * stamp). Any context.
 */
void printk(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Decimal, octal (0) or hexadecimal (0x) number; false if s is not one or does not fit. */
bool parse_u64(const char *s, uint64_t *out);

#endif
