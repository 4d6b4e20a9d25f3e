/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* For libfdt: the kernel's own. */
#include "lib/string.h"
