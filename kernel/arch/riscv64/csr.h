/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Control and status registers of supervisor mode and their bits. */
#ifndef RISCV64_CSR_H
#define RISCV64_CSR_H

#define SSTATUS_SIE 0x2
#define SSTATUS_SPIE 0x20
#define SSTATUS_SPP 0x100
#define SSTATUS_FS 0x6000
#define SSTATUS_FS_INITIAL 0x2000
#define SSTATUS_FS_CLEAN 0x4000
#define SSTATUS_FS_DIRTY 0x6000
#define SSTATUS_SUM 0x40000
#define SSTATUS_UXL_64 0x200000000

#define SIE_SSIE 0x2
#define SIE_STIE 0x20
#define SIE_SEIE 0x200

#define SATP_SV39_BITS 0x8000000000000000
#define SATP_SV39 0x8000000000000000ul
#define CSR_STIMECMP 0x14d

/* Offsets in struct thread (sched/thread.h) and struct trap_frame; trap.c asserts them. */
#define THREAD_KSTACK_TOP 112
#define THREAD_TRAP_SP 120
#define THREAD_HART 132
#define FRAME_EPC 256
#define FRAME_STATUS 264
#define FRAME_CAUSE 272
#define FRAME_TVAL 280

#ifndef __ASSEMBLER__
#define csr_read(csr)                                                        \
	__extension__({                                                      \
		unsigned long csr_v_;                                        \
		__asm__ volatile("csrr %0, " #csr : "=r"(csr_v_)::"memory"); \
		csr_v_;                                                      \
	})
#define csr_write(csr, v) __asm__ volatile("csrw " #csr ", %0" ::"r"((unsigned long)(v)) : "memory")
#define csr_set(csr, v) __asm__ volatile("csrs " #csr ", %0" ::"r"((unsigned long)(v)) : "memory")
#define csr_clear(csr, v) __asm__ volatile("csrc " #csr ", %0" ::"r"((unsigned long)(v)) : "memory")
#endif

#endif
