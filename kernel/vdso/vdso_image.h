/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The generated image (scripts/gen_vdso.py). */
#ifndef VDSO_VDSO_IMAGE_H
#define VDSO_VDSO_IMAGE_H

#include "base/types.h"

extern const uint8_t vdso_image[];
extern const size_t vdso_image_size;
extern const uint64_t vdso_image_sigreturn;

#endif
