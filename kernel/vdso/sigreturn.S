/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Where signal handlers return to. Unwinders recognize a signal frame by these two instruction words
 * (0x08b00893, 0x00000073), so they must not be compressed; the frame description says only that
 * this is a signal frame, as Linux's does.
 */
	.text
	.option norvc
	.balign 16
	nop
	.globl __vdso_rt_sigreturn
	.type __vdso_rt_sigreturn, @function
__vdso_rt_sigreturn:
	.cfi_startproc
	.cfi_signal_frame
	li	a7, 139
	ecall
	.cfi_endproc
	.size __vdso_rt_sigreturn, . - __vdso_rt_sigreturn
