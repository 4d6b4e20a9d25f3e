/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * User copies: a walk through the page table in software, page by page, under the leaf table's
 * lock, so that the frame cannot be freed under the copy (an unmapper changes the entry under that
 * lock before it frees). No address of the user is ever dereferenced.
 */
#include "vm/uaccess.h"

#include "base/overflow.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "sched/thread.h"
#include "vm/space.h"

bool uaccess_range_ok(uint64_t addr, uint64_t n)
{
	return range_fits(addr, n, ARCH_USER_END);
}

/* The entry for addr, locked, if it allows the access; NULL: fault it in first. */
static arch_pte *usable(uint64_t addr, bool write, uint8_t **at)
{
	struct arch_space *s = current_thread()->space;
	unsigned need = ARCH_PROT_USER | (write ? ARCH_PROT_WRITE : ARCH_PROT_READ);
	arch_pte *pte, v;

	if (!s || addr >= ARCH_USER_END)
		return NULL;
	pte = arch_pte_lock(s, addr, false);
	if (!pte)
		return NULL;
	v = arch_pte_get(pte);
	if (!arch_pte_valid(v) || (arch_pte_prot(v) & need) != need) {
		arch_pte_unlock(pte);
		return NULL;
	}
	*at = (uint8_t *)arch_direct(arch_pte_pa(v)) + (addr & PAGE_MASK);
	return pte;
}

static bool fault_in(uint64_t addr, bool write)
{
	bool major;

	if (!current_thread()->space || (thread_pending(current_thread()) & THREAD_KILLED))
		return false;
	return vm_fault(vm_current(), addr, write ? VM_WRITE : VM_READ, &major) == VM_FAULT_OK;
}

enum copy_dir { FROM_USER, TO_USER, CLEAR_USER };

static size_t copy(enum copy_dir dir, void *kernel, uint64_t user, size_t n, bool fault)
{
	size_t done = 0;

	if (user >= ARCH_USER_END)
		return 0;
	while (done < n) {
		uint64_t addr = user + done;
		size_t part = MIN(n - done, PAGE_SIZE - (addr & PAGE_MASK));
		uint8_t *at;
		arch_pte *pte = usable(addr, dir != FROM_USER, &at);

		if (!pte) {
			if (!fault || !fault_in(addr, dir != FROM_USER))
				break;
			continue;
		}
		if (dir == FROM_USER)
			memcpy((char *)kernel + done, at, part);
		else if (dir == TO_USER)
			memcpy(at, (char *)kernel + done, part);
		else
			memset(at, 0, part);
		arch_pte_unlock(pte);
		done += part;
	}
	return done;
}

/* The copy functions differ in direction only; writing through kernel stays in copy(). */
static void *writable(const void *p)
{
	return (void *)(uintptr_t)p;
}

size_t copy_from_user_part(void *dst, uint64_t src, size_t n)
{
	return copy(FROM_USER, dst, src, n, true);
}

size_t copy_to_user_part(uint64_t dst, const void *src, size_t n)
{
	return copy(TO_USER, writable(src), dst, n, true);
}

size_t copy_from_user_nofault(void *dst, uint64_t src, size_t n)
{
	return copy(FROM_USER, dst, src, n, false);
}

size_t copy_to_user_nofault(uint64_t dst, const void *src, size_t n)
{
	return copy(TO_USER, writable(src), dst, n, false);
}

int copy_from_user(void *dst, uint64_t src, size_t n)
{
	return copy(FROM_USER, dst, src, n, true) == n ? 0 : -EFAULT;
}

int copy_to_user(uint64_t dst, const void *src, size_t n)
{
	return copy(TO_USER, writable(src), dst, n, true) == n ? 0 : -EFAULT;
}

int clear_user(uint64_t dst, size_t n)
{
	return copy(CLEAR_USER, NULL, dst, n, true) == n ? 0 : -EFAULT;
}

int uaccess_fault_in(uint64_t addr, size_t n, bool write)
{
	uint64_t end;

	if (n == 0)
		return 0;
	if (addr >= ARCH_USER_END)
		return -EFAULT;
	end = addr + MIN(n, MIN((uint64_t)65536, ARCH_USER_END - addr));
	for (uint64_t at = addr; at < end; at = ALIGN_DOWN(at, PAGE_SIZE) + PAGE_SIZE) {
		uint8_t *p;
		arch_pte *pte;

		while ((pte = usable(at, write, &p)) == NULL) {
			if (!fault_in(at, write))
				return at == addr ? -EFAULT : 0;
		}
		arch_pte_unlock(pte);
	}
	return 0;
}

/* Length of the string at src within max bytes, copied to dst if that is not NULL; max: no end. */
static int64_t user_string(char *dst, uint64_t src, size_t max)
{
	size_t done = 0;

	while (done < max) {
		uint64_t addr = src + done;
		size_t part = MIN(max - done, PAGE_SIZE - (addr & PAGE_MASK));
		uint8_t *at, *end;
		arch_pte *pte = usable(addr, false, &at);

		if (!pte) {
			if (addr >= ARCH_USER_END || !fault_in(addr, false))
				return -EFAULT;
			continue;
		}
		end = memchr(at, 0, part);
		if (end)
			part = (size_t)(end - at);
		if (dst)
			memcpy(dst + done, at, part + (end != NULL));
		arch_pte_unlock(pte);
		done += part;
		if (end)
			return (int64_t)done;
	}
	return (int64_t)max;
}

int64_t strncpy_from_user(char *dst, uint64_t src, size_t size)
{
	int64_t n = user_string(dst, src, size);

	return n == (int64_t)size ? -ENAMETOOLONG : n;
}

int64_t strnlen_user(uint64_t src, size_t max)
{
	return user_string(NULL, src, max);
}

/* The locked entry of an aligned word, faulted in; NULL: EFAULT. */
static arch_pte *word(uint64_t addr, _Atomic uint32_t **w)
{
	arch_pte *pte;
	uint8_t *at;

	if (addr & 3)
		return NULL;
	while ((pte = usable(addr, true, &at)) == NULL) {
		if (addr >= ARCH_USER_END || !fault_in(addr, true))
			return NULL;
	}
	*w = (_Atomic uint32_t *)(void *)at;
	return pte;
}

int user_cmpxchg_u32(uint64_t addr, uint32_t expect, uint32_t v, uint32_t *old)
{
	_Atomic uint32_t *w;
	arch_pte *pte = word(addr, &w);

	if (!pte)
		return -EFAULT;
	/* seq_cst: the user's own synchronization hangs on it */
	atomic_compare_exchange_strong(w, &expect, v);
	arch_pte_unlock(pte);
	*old = expect;
	return 0;
}

int user_atomic_u32(uint64_t addr, enum user_atomic_op op, uint32_t v, uint32_t *old)
{
	_Atomic uint32_t *w;
	arch_pte *pte = word(addr, &w);

	if (!pte)
		return -EFAULT;
	switch (op) {
	case USER_OP_SET:
		*old = atomic_exchange(w, v);
		break;
	case USER_OP_ADD:
		*old = atomic_fetch_add(w, v);
		break;
	case USER_OP_OR:
		*old = atomic_fetch_or(w, v);
		break;
	case USER_OP_ANDN:
		*old = atomic_fetch_and(w, ~v);
		break;
	case USER_OP_XOR:
		*old = atomic_fetch_xor(w, v);
		break;
	}
	arch_pte_unlock(pte);
	return 0;
}

int user_load_u32_nofault(uint64_t addr, uint32_t *v)
{
	uint8_t *at;
	arch_pte *pte = (addr & 3) ? NULL : usable(addr, false, &at);

	if (!pte)
		return -EFAULT;
	*v = atomic_load((_Atomic uint32_t *)(void *)at);
	arch_pte_unlock(pte);
	return 0;
}
