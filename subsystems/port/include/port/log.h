/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Messages and the end of the world. Any context. */
#ifndef PORT_LOG_H
#define PORT_LOG_H

#include "base/types.h"

enum port_log_level { PORT_LOG_ERROR, PORT_LOG_WARN, PORT_LOG_INFO, PORT_LOG_DEBUG };

/* One line without a newline. %s %c %d %u %x %zu %llu %lld %p with width and zero fill only: the
 * kernel formatter is small. Cast 64-bit values to unsigned long long. */
void port_log(enum port_log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Only where continuing would damage data. */
NORETURN void port_panic(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
