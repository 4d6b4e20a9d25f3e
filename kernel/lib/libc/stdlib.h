/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* libfdt includes it and uses nothing of it in the files that the kernel compiles. */
#ifndef LIBC_STDLIB_H
#define LIBC_STDLIB_H

#endif
#ifndef LIBC_STDLIB_H
#define LIBC_STDLIB_H

#endif
