/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Trap entry and exit. In the kernel sscratch is 0 and tp the current thread; in user mode
 * sscratch holds the thread. A trap in the kernel pushes a frame on the current stack after a test
 * of bit 14 of the new sp, which is set on every good kernel stack (ARCH_KSTACK_SIZE).
 */
#include "arch/trap.h"
#include "csr.h"

.macro save_most
	sd	x1, 8(sp)
	sd	x3, 24(sp)
	.irp	n, 5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	sd	x\n, \n*8(sp)
	.endr
	csrr	t0, sepc
	csrr	t1, sstatus
	csrr	t2, scause
	csrr	t3, stval
	sd	t0, FRAME_EPC(sp)
	sd	t1, FRAME_STATUS(sp)
	sd	t2, FRAME_CAUSE(sp)
	sd	t3, FRAME_TVAL(sp)
.endm

.macro restore_csrs
	ld	t0, FRAME_EPC(sp)
	ld	t1, FRAME_STATUS(sp)
	/* A reservation made before the trap must not let a later SC of another context succeed. */
	sc.d	zero, t0, (sp)
	csrw	sepc, t0
	csrw	sstatus, t1
.endm

.macro restore_most
	ld	x1, 8(sp)
	ld	x3, 24(sp)
	.irp	n, 5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	ld	x\n, \n*8(sp)
	.endr
.endm

	.text
	.balign 4
	.globl trap_entry
trap_entry:
	csrrw	tp, sscratch, tp
	bnez	tp, from_user

	csrrw	tp, sscratch, zero
	sd	sp, THREAD_TRAP_SP(tp)
	addi	sp, sp, -TRAP_FRAME_SIZE
	srli	sp, sp, 14
	andi	sp, sp, 1
	beqz	sp, overflow
	ld	sp, THREAD_TRAP_SP(tp)
	addi	sp, sp, -TRAP_FRAME_SIZE
	save_most
	ld	t0, THREAD_TRAP_SP(tp)
	sd	t0, 16(sp)
	sd	tp, 32(sp)
	mv	a0, sp
	/* a frame record for backtraces: return address sepc, caller's frame s0 */
	call	trap_kernel
	restore_csrs
	restore_most
	ld	sp, 16(sp)
	sret

from_user:
	sd	sp, THREAD_TRAP_SP(tp)
	ld	sp, THREAD_KSTACK_TOP(tp)
	addi	sp, sp, -TRAP_FRAME_SIZE
	save_most
	ld	t0, THREAD_TRAP_SP(tp)
	sd	t0, 16(sp)
	csrrw	t0, sscratch, zero
	sd	t0, 32(sp)
	li	s0, 0
	mv	a0, sp
	call	trap_user
trap_exit:
	csrw	sscratch, tp
	restore_csrs
	restore_most
	ld	tp, 32(sp)
	ld	sp, 16(sp)
	sret

	/* void trap_exit_to_user(struct trap_frame *f): interrupts off */
	.globl trap_exit_to_user
trap_exit_to_user:
	mv	sp, a0
	j	trap_exit

	/* The kernel stack is used up: go on with the hart's overflow stack, and panic. */
overflow:
	la	sp, overflow_stacks
	/* the hart number: t0 is needed, and there is nowhere to save it but sscratch */
	csrw	sscratch, t0
	lw	t0, THREAD_HART(tp)
	addi	t0, t0, 1
	slli	t0, t0, 11
	add	sp, sp, t0
	csrrw	t0, sscratch, zero
	addi	sp, sp, -TRAP_FRAME_SIZE
	save_most
	ld	t0, THREAD_TRAP_SP(tp)
	sd	t0, 16(sp)
	sd	tp, 32(sp)
	mv	a0, sp
	call	trap_overflow

	/* void irq_stack_call(void (*fn)(void *), void *arg, uint64_t top) */
	.globl irq_stack_call
irq_stack_call:
	addi	sp, sp, -32
	sd	ra, 24(sp)
	sd	s0, 16(sp)
	sd	s1, 8(sp)
	addi	s0, sp, 32
	mv	s1, sp
	mv	sp, a2
	mv	t0, a0
	mv	a0, a1
	jalr	t0
	mv	sp, s1
	ld	ra, 24(sp)
	ld	s0, 16(sp)
	ld	s1, 8(sp)
	addi	sp, sp, 32
	ret

	/*
	 * struct thread *context_switch(struct thread *prev, struct thread *next): returns, in
	 * next, the thread that ran before it. Interrupts off.
	 */
	.globl context_switch
context_switch:
	sd	ra, 0(a0)
	sd	sp, 8(a0)
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11
	sd	s\n, 16+\n*8(a0)
	.endr
	ld	ra, 0(a1)
	ld	sp, 8(a1)
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11
	ld	s\n, 16+\n*8(a1)
	.endr
	mv	tp, a1
	ret

	/* First return address of a new thread; a0: the one before it. */
	.globl context_begin
context_begin:
	li	s0, 0
	call	sched_thread_begin

	/* bool probe_stimecmp(void): can this hart's stimecmp be written? Interrupts off. */
	.globl probe_stimecmp
probe_stimecmp:
	la	t0, 1f
	csrrw	t0, stvec, t0
	li	a0, 0
	li	t1, -1
	csrw	CSR_STIMECMP, t1
	li	a0, 1
	.balign	4
1:	csrw	stvec, t0
	ret
