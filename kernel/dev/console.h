/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The console: the first UART (SBI calls before its driver is up).
 */
#ifndef DEV_CONSOLE_H
#define DEV_CONSOLE_H

#include "base/types.h"

/* For messages: writes all bytes (polling if need be, "\n" becomes "\r\n"). Any context. */
void console_write(const char *s, size_t n);

/*
 * For the tty: queues raw bytes for output by interrupt; returns how many fitted. Never
 * blocks. When there is room again after a short write, the tx callback is called.
 */
size_t console_tx(const char *s, size_t n);
/* Room in the output ring; how many queued bytes are still unsent (tcdrain). */
size_t console_tx_room(void);
size_t console_tx_pending(void);

/*
 * Installs the tty: rx gets received bytes, tx_room is called when output has drained below a
 * half. Both in interrupt context. Bytes received before are kept (up to a ring's size) and
 * delivered now.
 */
void console_attach(void (*rx)(const uint8_t *s, size_t n), void (*tx_room)(void));

/* Machine layer. */
void uart_init(void);
void console_panic_mode(void); /* no locks from now on */

#endif
