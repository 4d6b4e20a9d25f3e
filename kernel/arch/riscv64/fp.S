/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The FP registers and fcsr to and from struct fp_state (arch/fp.h). sstatus.FS must not be off. */
	.text
	/* void fp_store(struct fp_state *s) */
	.globl fp_store
fp_store:
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	fsd	f\n, \n*8(a0)
	.endr
	frcsr	t0
	sw	t0, 256(a0)
	ret

	/* void fp_fetch(const struct fp_state *s) */
	.globl fp_fetch
fp_fetch:
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	fld	f\n, \n*8(a0)
	.endr
	lw	t0, 256(a0)
	fscsr	t0
	ret
