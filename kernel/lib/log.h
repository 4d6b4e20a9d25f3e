/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The log ring: what printk and port_log wrote, for /proc/kmsg and dmesg. Positions are byte
 * offsets since boot. Any context.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include "base/types.h"

/* Adds bytes to the ring only. */
void log_ring_write(const char *s, size_t n);
/*
 * Copies from *pos (moved up to the oldest kept byte if it is older); returns the count, moves
 * *pos.
 */
size_t log_ring_read(uint64_t *pos, char *buf, size_t n);
uint64_t log_ring_end(void);

/* Messages of this level (enum port_log_level) and above in severity also go to the console. */
void log_set_console_level(int level);

#endif
