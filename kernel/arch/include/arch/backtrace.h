/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Walks frame records. Any context; stops at whatever does not look like a frame. */
#ifndef ARCH_BACKTRACE_H
#define ARCH_BACKTRACE_H

#include "base/types.h"

/* fp: a frame pointer (register s0). fn for each return address, innermost first, at most 32. */
void arch_backtrace(uint64_t fp, void (*fn)(uint64_t pc, void *arg), void *arg);

#endif
