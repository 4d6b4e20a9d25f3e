/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * First instructions. OpenSBI enters with a0 = hart id, a1 = physical address of the device tree,
 * translation off. The boot page table maps RAM's first GiB at its physical address (for these
 * few instructions), the kernel image, and the direct map, all with gigapages; mmu.c replaces it.
 *
 * A further hart (SBI HSM) enters at secondary_start with a1 = physical address of its struct
 * hart_boot (smp.c): { stack top, thread, satp }.
 *
 * OpenSBI 1.1 marks a hart as startable before it has stored where it shall start, so a hart that wakes in
 * between comes in at _start a second time. Only the first to draw a zero there boots; a later
 * one is the hart that is being started, and finds its hart_boot through hart_starting.
 */
#include "arch/layout.h"
#include "csr.h"

	.section .head, "ax"
	.globl _start
_start:
	/* Header of a flat Linux-style image: QEMU needs none, boot loaders do. */
	j	boot
	.balign 8
	.dword	0x200000		/* load offset from RAM's start */
	.dword	image_end - image_start
	.dword	0			/* flags: little endian */
	.word	2			/* header version 0.2 */
	.word	0
	.dword	0
	.ascii	"RISCV\0\0\0"
	.ascii	"RSC\x05"
	.word	0

boot:
	csrw	sie, zero
	csrw	sip, zero
	la	t0, boot_drawn
	li	t1, 1
	amoswap.w.aqrl	t1, t1, (t0)
	beqz	t1, first
	la	t0, hart_starting
	ld	a1, 0(t0)
	j	secondary_start
first:
	la	sp, boot_stack_top
	la	t0, bss_start
	la	t1, bss_end
1:	sd	zero, (t0)
	addi	t0, t0, 8
	bltu	t0, t1, 1b
	la	t0, boot_root
	srli	t0, t0, 12
	li	t1, SATP_SV39_BITS
	or	t0, t0, t1
	sfence.vma
	csrw	satp, t0
	sfence.vma
	li	t0, ARCH_KERNEL_BASE - ARCH_KERNEL_PHYS
	add	sp, sp, t0
	la	t1, 2f
	add	t1, t1, t0
	jr	t1
2:	la	tp, boot_thread
	la	t0, trap_entry
	csrw	stvec, t0
	csrw	sscratch, zero
	li	s0, 0
	call	boot_main
3:	wfi
	j	3b

	.globl secondary_start
secondary_start:
	csrw	sie, zero
	ld	s1, 0(a1)		/* stack top */
	ld	s2, 8(a1)		/* thread */
	ld	s3, 16(a1)		/* satp of the kernel's root */
	la	t0, boot_root
	srli	t0, t0, 12
	li	t1, SATP_SV39_BITS
	or	t0, t0, t1
	sfence.vma
	csrw	satp, t0
	sfence.vma
	li	t0, ARCH_KERNEL_BASE - ARCH_KERNEL_PHYS
	la	t1, 1f
	add	t1, t1, t0
	jr	t1
1:	csrw	satp, s3
	sfence.vma
	mv	sp, s1
	mv	tp, s2
	la	t0, trap_entry
	csrw	stvec, t0
	csrw	sscratch, zero
	li	s0, 0
	call	secondary_main
2:	wfi
	j	2b

	.section .data.boot, "aw" /* not .bss: it is read before and after that is cleared */
	.balign 8
	.globl hart_starting
hart_starting: /* physical address of the hart_boot of the hart that is being started */
	.dword	0
boot_drawn:
	.word	0

	.section .data.page, "aw"
	.balign 4096
	.globl boot_root
boot_root:	/* gigapages, V R W X A D (and G in the upper half) */
	.dword	0, 0
	.dword	0x200000cf
	.fill	253, 8, 0
	.set	gib, 0
	.rept	124
	.dword	(gib << 28) | 0xef
	.set	gib, gib + 1
	.endr
	.fill	130, 8, 0
	.dword	0x200000ef
	.dword	0

	.section .bss.stack, "aw", @nobits
	.balign 32768
	.globl overflow_stacks
overflow_stacks:	/* 2 KiB a hart, below the boot stack whose bit 14 must be set */
	.skip	16384
	.globl boot_stack_top
boot_stack:
	.skip	16384
boot_stack_top:
