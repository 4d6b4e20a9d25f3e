/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Copies between the kernel and user memory of the current thread's address space.
 *
 * User addresses are plain uint64_t, never pointers: they cannot be dereferenced by mistake.
 * A copy walks the page table in software, takes the leaf table's spinlock, checks the entry
 * and copies at most a page through the direct map; where the entry does not allow it, the page
 * is faulted in and the step is retried. sstatus.SUM stays 0.
 *
 * Unless it says _nofault, a function may sleep and takes the address space's lock (rank MM):
 * call it with no lock of that rank or above held, in particular no vnode, page or DBFS lock.
 * There: uaccess_fault_in before taking the lock, copy with _nofault, retry what came short.
 */
#ifndef VM_UACCESS_H
#define VM_UACCESS_H

#include "base/types.h"

/* 0, or -EFAULT (some of the bytes may have been copied). */
int copy_from_user(void *dst, uint64_t src, size_t n) MUST_CHECK;
int copy_to_user(uint64_t dst, const void *src, size_t n) MUST_CHECK;
/* -EFAULT or 0. */
int clear_user(uint64_t dst, size_t n) MUST_CHECK;

/* As far as possible: how many bytes were copied (0..n), for read and write. */
size_t copy_from_user_part(void *dst, uint64_t src, size_t n) MUST_CHECK;
size_t copy_to_user_part(uint64_t dst, const void *src, size_t n) MUST_CHECK;

/* The same without faulting pages in: allowed under any lock below rank SPIN_VM. */
size_t copy_from_user_nofault(void *dst, uint64_t src, size_t n) MUST_CHECK;
size_t copy_to_user_nofault(uint64_t dst, const void *src, size_t n) MUST_CHECK;
/* Makes up to 64 KiB of [addr, addr + n) present. 0 or -EFAULT if its first byte cannot be. */
int uaccess_fault_in(uint64_t addr, size_t n, bool write) MUST_CHECK;

/*
 * A string with its terminator into dst[size]. Its length without it, -EFAULT, or -ENAMETOOLONG
 * if there is no terminator in size bytes.
 */
int64_t strncpy_from_user(char *dst, uint64_t src, size_t size) MUST_CHECK;
/* Length without terminator, at most max (then not terminated there), or -EFAULT. */
int64_t strnlen_user(uint64_t src, size_t max) MUST_CHECK;

/* One number. 0 or -EFAULT. */
static inline MUST_CHECK int get_user_u32(uint32_t *v, uint64_t src)
{
	return copy_from_user(v, src, sizeof(*v));
}
static inline MUST_CHECK int get_user_u64(uint64_t *v, uint64_t src)
{
	return copy_from_user(v, src, sizeof(*v));
}
static inline MUST_CHECK int put_user_u32(uint64_t dst, uint32_t v)
{
	return copy_to_user(dst, &v, sizeof(v));
}
static inline MUST_CHECK int put_user_u64(uint64_t dst, uint64_t v)
{
	return copy_to_user(dst, &v, sizeof(v));
}

/* Does [addr, addr + n) lie in the user half? (Says nothing about what is mapped there.) */
bool uaccess_range_ok(uint64_t addr, uint64_t n);

/*
 * Atomic operations on an aligned user word, through its page (futex). They fault pages in. 0,
 * -EFAULT; *old is the value before. cmpxchg stores only if the word equals expect.
 */
int user_cmpxchg_u32(uint64_t addr, uint32_t expect, uint32_t v, uint32_t *old) MUST_CHECK;
enum user_atomic_op { USER_OP_SET, USER_OP_ADD, USER_OP_OR, USER_OP_ANDN, USER_OP_XOR };
int user_atomic_u32(uint64_t addr, enum user_atomic_op op, uint32_t v, uint32_t *old) MUST_CHECK;
/* Reads an aligned word without faulting (under spinlocks). 0 or -EFAULT. */
int user_load_u32_nofault(uint64_t addr, uint32_t *v) MUST_CHECK;

#endif
