/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The vDSO's code: runs in user mode, knows only its own pages. The data page is mapped right below
 * the first page of the image (vdso.ld). Where it cannot answer, it asks the kernel.
 */
#include <stdint.h>

#include "vdso/vdso.h"

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define CLOCK_MONOTONIC_RAW 4
#define CLOCK_REALTIME_COARSE 5
#define CLOCK_MONOTONIC_COARSE 6
#define CLOCK_BOOTTIME 7
#define NS 1000000000ull

#define NR_CLOCK_GETRES 114
#define NR_CLOCK_GETTIME 113
#define NR_GETTIMEOFDAY 169
#define NR_GETCPU 168
#define NR_FLUSH_ICACHE 259
#define NR_HWPROBE 258

struct timespec {
	int64_t sec, nsec;
};
struct timeval {
	int64_t sec, usec;
};
struct timezone {
	int32_t minuteswest, dsttime;
};

extern const volatile struct vdso_data vdso_data_page __attribute__((visibility("hidden")));

int __vdso_clock_gettime(int id, struct timespec *ts);
int __vdso_clock_getres(int id, struct timespec *ts);
int __vdso_gettimeofday(struct timeval *tv, struct timezone *tz);
int __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused);
int __vdso_flush_icache(uintptr_t start, uintptr_t end, uintptr_t flags);
long __vdso_riscv_hwprobe(void *pairs, uintptr_t count, uintptr_t cpu_count, void *cpus,
			  unsigned flags);

static long call(long nr, uintptr_t x0, uintptr_t x1, uintptr_t x2, uintptr_t x3, uintptr_t x4)
{
	register uintptr_t a0 __asm__("a0") = x0;
	register uintptr_t a1 __asm__("a1") = x1;
	register uintptr_t a2 __asm__("a2") = x2;
	register uintptr_t a3 __asm__("a3") = x3;
	register uintptr_t a4 __asm__("a4") = x4;
	register long a7 __asm__("a7") = nr;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a7)
			 : "memory");
	return (long)a0;
}

/* Monotonic nanoseconds, and the offset that goes with them. */
static uint64_t now(int64_t *wall)
{
	const volatile struct vdso_data *d = &vdso_data_page;
	uint64_t ticks, ns;
	uint32_t seq;

	do {
		while ((seq = d->seq) & 1)
			;
		__asm__ volatile("fence r, r" ::: "memory");
		__asm__ volatile("rdtime %0" : "=r"(ticks));
		ns = (uint64_t)((unsigned __int128)ticks * d->mult >> d->shift);
		*wall = d->wall_offset;
		__asm__ volatile("fence r, r" ::: "memory");
	} while (d->seq != seq);
	return ns;
}

int __vdso_clock_gettime(int id, struct timespec *ts)
{
	int64_t wall;
	uint64_t ns;

	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		ns = now(&wall) + 0;
		ns += (uint64_t)wall;
		break;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		ns = now(&wall);
		break;
	default:
		return (int)call(NR_CLOCK_GETTIME, (uintptr_t)id, (uintptr_t)ts, 0, 0, 0);
	}
	ts->sec = (int64_t)(ns / NS);
	ts->nsec = (int64_t)(ns % NS);
	return 0;
}

int __vdso_clock_getres(int id, struct timespec *ts)
{
	return (int)call(NR_CLOCK_GETRES, (uintptr_t)id, (uintptr_t)ts, 0, 0, 0);
}

int __vdso_gettimeofday(struct timeval *tv, struct timezone *tz)
{
	int64_t wall;
	uint64_t ns;

	if (tz)
		return (int)call(NR_GETTIMEOFDAY, (uintptr_t)tv, (uintptr_t)tz, 0, 0, 0);
	if (tv) {
		ns = now(&wall);
		ns += (uint64_t)wall;
		tv->sec = (int64_t)(ns / NS);
		tv->usec = (int64_t)(ns % NS / 1000);
	}
	return 0;
}

int __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
	return (int)call(NR_GETCPU, (uintptr_t)cpu, (uintptr_t)node, (uintptr_t)unused, 0, 0);
}

int __vdso_flush_icache(uintptr_t start, uintptr_t end, uintptr_t flags)
{
	return (int)call(NR_FLUSH_ICACHE, start, end, flags, 0, 0);
}

long __vdso_riscv_hwprobe(void *pairs, uintptr_t count, uintptr_t cpu_count, void *cpus,
			  unsigned flags)
{
	return call(NR_HWPROBE, (uintptr_t)pairs, count, cpu_count, (uintptr_t)cpus, flags);
}
