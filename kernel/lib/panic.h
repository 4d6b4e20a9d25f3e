/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The end of the world: stops the other harts, prints message, registers, symbolised
 * backtrace, and powers off with status 125 (bootarg panic=halt: waits for a debugger
 * instead). port_panic() does the same.
 */
#ifndef LIB_PANIC_H
#define LIB_PANIC_H

#include "base/assert.h"
#include "base/types.h"

struct trap_frame;

NORETURN void panic(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* With the registers of a trap. */
NORETURN void panic_trap(const struct trap_frame *f, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "name+0x12" of a kernel text address into buf. */
void symbol_format(uint64_t addr, char *buf, size_t size);
/* Prints the current thread's backtrace (from frame pointer and stack scan). */
void backtrace_print(void);

#endif
