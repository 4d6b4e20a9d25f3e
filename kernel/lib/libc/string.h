/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* For libfdt and the portable units: the kernel's own. */
#include "lib/string.h"
