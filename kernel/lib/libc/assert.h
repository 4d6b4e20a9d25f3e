/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* C11's name for the keyword, which is all that the portable units want of <assert.h>. */
#ifndef LIBC_ASSERT_H
#define LIBC_ASSERT_H

#define static_assert _Static_assert

#endif
