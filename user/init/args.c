/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Kernel arguments. */
#include "init.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char words[8192]; /* separated by blanks, with a blank at both ends */

static void add_word(const char *word)
{
	size_t used = strlen(words);
	if (used + strlen(word) + 2 < sizeof(words))
		snprintf(words + used, sizeof(words) - used, "%s ", word);
}

void args_read(int argc, char **argv)
{
	char line[2048];
	strcpy(words, " ");
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t n = read(fd, line, sizeof(line) - 1);
		close(fd);
		line[n > 0 ? n : 0] = 0;
		char *save = NULL;
		for (char *w = strtok_r(line, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
			add_word(w);
	}
	for (int i = 1; i < argc; i++)
		add_word(argv[i]);
}

bool args_value(const char *name, char *buf, size_t size)
{
	char key[64];
	const char *last = NULL;
	size_t n = (size_t)snprintf(key, sizeof(key), " %s=", name);
	for (const char *p = words; (p = strstr(p, key)); p++)
		last = p + n;
	if (!last)
		return false;
	size_t len = strcspn(last, " ");
	if (len >= size)
		return false;
	memcpy(buf, last, len);
	buf[len] = 0;
	return true;
}
