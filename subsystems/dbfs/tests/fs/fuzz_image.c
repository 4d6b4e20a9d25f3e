/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* libFuzzer's way into hostile.h: the first byte picks the image, the rest are steps. */
#include <string.h>

#include "hostile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct hostile_step steps[8];
	size_t n;

	if (!ready) {
		hostile_init();
		ready = true;
	}
	if (size < 1 + sizeof(steps[0]))
		return 0;
	n = MIN((size - 1) / sizeof(steps[0]), ARRAY_SIZE(steps));
	memcpy(steps, data + 1, n * sizeof(steps[0]));
	for (size_t i = 0; i < n; i++)
		steps[i].kind %= HOSTILE_KINDS;
	hostile_run(data[0], steps, n);
	return 0;
}
