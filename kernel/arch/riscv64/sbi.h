/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Calls of the supervisor binary interface (OpenSBI). */
#ifndef RISCV64_SBI_H
#define RISCV64_SBI_H

#include "base/types.h"

struct sbi_ret {
	long error;
	long value;
};

enum sbi_ext {
	SBI_LEGACY_PUTCHAR = 1,
	SBI_EXT_TIME = 0x54494d45,
	SBI_EXT_IPI = 0x735049,
	SBI_EXT_HSM = 0x48534d,
	SBI_EXT_SRST = 0x53525354,
};

static inline struct sbi_ret sbi_call(unsigned long ext, unsigned long fid, unsigned long a,
				      unsigned long b, unsigned long c)
{
	register unsigned long a0 __asm__("a0") = a;
	register unsigned long a1 __asm__("a1") = b;
	register unsigned long a2 __asm__("a2") = c;
	register unsigned long a6 __asm__("a6") = fid;
	register unsigned long a7 __asm__("a7") = ext;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
	return (struct sbi_ret){(long)a0, (long)a1};
}

/* Interrupts the harts of mask (SBI hart ids 0..63). */
static inline void sbi_send_ipi(uint64_t mask)
{
	(void)sbi_call(SBI_EXT_IPI, 0, mask, 0, 0);
}

#endif
