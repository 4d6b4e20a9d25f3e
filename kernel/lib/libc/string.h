/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* For libfdt and the portable units: the kernel's own. */
#ifndef LIBC_STRING_H
#define LIBC_STRING_H

#ifndef LIBC_STRING_H
#define LIBC_STRING_H

#include "lib/string.h"

#endif

#endif
