/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* port/mem.h and port/rand.h on the host. */
#include "port/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "port/log.h"
#include "port/rand.h"

void *port_alloc(size_t size)
{
	return malloc(size);
}

void *port_alloc_zeroed(size_t size)
{
	return calloc(1, size);
}

void port_free(void *p)
{
	free(p);
}

void *port_alloc_pages(size_t pages)
{
	void *p = NULL;

	if (pages > SIZE_MAX / PORT_PAGE_SIZE)
		return NULL;
	if (posix_memalign(&p, PORT_PAGE_SIZE, pages * PORT_PAGE_SIZE))
		return NULL;
	return p;
}

void port_free_pages(void *p, size_t pages)
{
	(void)pages;
	free(p);
}

void port_random(void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			port_panic("getrandom: %s", strerror(errno));
		}
		p += n;
		len -= (size_t)n;
	}
}
