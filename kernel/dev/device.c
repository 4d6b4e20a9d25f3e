/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Start of the drivers. */
#include "dev/device.h"

#include "dev/fdt.h"
#include "dev/random.h"
#include "dev/virtio_mmio.h"
#include "lib/string.h"
#include "port/log.h"
#include "sched/clock.h"

void dev_init(void)
{
	int64_t wall = rtc_read();

	random_add(boot_info.rng_seed, boot_info.rng_seed_len, boot_info.rng_seed_len >= 32);
	memset(boot_info.rng_seed, 0, sizeof(boot_info.rng_seed));
	if (wall)
		clock_set_wall(wall);
	else
		port_log(PORT_LOG_WARN, "no real-time clock: it is 1970");
	virtio_probe_all();
}
