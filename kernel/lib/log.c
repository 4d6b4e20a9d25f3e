/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The log ring and the ways into it: printk and port_log. One line of at most LOG_LINE bytes. */
#include "lib/log.h"

#include "dev/console.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "port/log.h"
#include "sched/clock.h"
#include "sync/spinlock.h"

#define LOG_LINE 320
#define LOG_RING 65536

static struct {
	struct spinlock lock;
	uint64_t end; /* lock: lock, bytes ever written */
	int level;    /* messages up to this level go to the console; set at start */
	char ring[LOG_RING];
} klog = {.lock = SPINLOCK_INIT(LOCK_RANK_SPIN_CONSOLE), .level = PORT_LOG_INFO};

void log_ring_write(const char *s, size_t n)
{
	unsigned long flags = spin_lock_irqsave(&klog.lock);

	for (size_t i = 0; i < n; i++)
		klog.ring[klog.end++ % LOG_RING] = s[i];
	spin_unlock_irqrestore(&klog.lock, flags);
}

size_t log_ring_read(uint64_t *pos, char *buf, size_t n)
{
	unsigned long flags = spin_lock_irqsave(&klog.lock);
	size_t got = 0;

	if (klog.end > LOG_RING && *pos < klog.end - LOG_RING)
		*pos = klog.end - LOG_RING;
	while (got < n && *pos < klog.end)
		buf[got++] = klog.ring[(*pos)++ % LOG_RING];
	spin_unlock_irqrestore(&klog.lock, flags);
	return got;
}

uint64_t log_ring_end(void)
{
	unsigned long flags = spin_lock_irqsave(&klog.lock);
	uint64_t end = klog.end;

	spin_unlock_irqrestore(&klog.lock, flags);
	return end;
}

void log_set_console_level(int level)
{
	klog.level = level;
}

void printk(const char *fmt, ...)
{
	char line[LOG_LINE];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	n = MIN(n, (int)sizeof(line) - 1);
	log_ring_write(line, (size_t)n);
	console_write(line, (size_t)n);
}

void port_log(enum port_log_level level, const char *fmt, ...)
{
	static const char *const names[] = {"error: ", "warning: ", "", ""};
	uint64_t us = clock_now() / 1000;
	char line[LOG_LINE];
	size_t n;
	va_list ap;

	n = scnprintf(line, sizeof(line), "[%5llu.%06llu] %s", (unsigned long long)(us / 1000000),
		      (unsigned long long)(us % 1000000), names[level & 3]);
	va_start(ap, fmt);
	n += (size_t)vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	va_end(ap);
	n = MIN(n, sizeof(line) - 2);
	line[n++] = '\n';
	log_ring_write(line, n);
	if ((int)level <= klog.level)
		console_write(line, n);
}
