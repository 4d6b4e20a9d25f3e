/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Tests of virtio console ports: the port named "selftest" delivers a line, which goes back in
 * upper case, then 300 KB of known bytes; the driver script checks what arrives.
 */
#include "dev/chardev.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "selftest/selftest.h"

struct search {
	const char *alias;
	struct chardev *found;
};

static void match(struct chardev *c, void *arg)
{
	struct search *s = arg;

	if (c->alias && strcmp(c->alias, s->alias) == 0)
		s->found = c;
}

static bool test_port(void)
{
	struct search s = {"selftest", NULL};
	char line[64];
	size_t n = 0;

	chardev_for_each(match, &s);
	EXPECT(s.found);
	while (n < sizeof(line) && (n == 0 || line[n - 1] != '\n')) {
		int64_t got = s.found->ops->read(s.found, line + n, 5, false);

		EXPECT(got > 0);
		n += (size_t)got;
	}
	for (size_t i = 0; i + 1 < n; i++)
		line[i] = (char)(line[i] - 32);
	EXPECT(s.found->ops->write(s.found, line, n, false) == (int64_t)n);
	for (unsigned i = 0; i < 30000; i++)
		EXPECT(s.found->ops->write(s.found, "0123456789", 10, false) == 10);
	EXPECT(s.found->ops->poll(s.found) & (CHARDEV_OUT | CHARDEV_HUP | CHARDEV_IN));
	return true;
}

const struct selftest selftest_char[] = {
	{"virtio port", test_port},
	{NULL, NULL},
};
