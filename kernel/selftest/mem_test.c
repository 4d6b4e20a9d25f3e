/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* Tests of the allocators, page tables and the formatter as they work in the kernel. */
#include "arch/mmu.h"
#include "arch/vmap.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "port/rand.h"
#include "selftest/selftest.h"

#define BLOCKS 64

static bool test_alloc(void)
{
	static struct {
		uint8_t *p;
		size_t size;
	} b[BLOCKS];
	uint64_t seed = 42;

	memset(b, 0, sizeof(b));
	for (unsigned i = 0; i < 4000; i++) {
		unsigned k = (unsigned)(selftest_random(&seed) % BLOCKS);

		if (b[k].p) {
			EXPECT(b[k].p[0] == (uint8_t)k && b[k].p[b[k].size - 1] == (uint8_t)k);
			mm_free(b[k].p);
			b[k].p = NULL;
			continue;
		}
		b[k].size = 1 + selftest_random(&seed) % (i % 50 == 0 ? 200000 : 5000);
		b[k].p = mm_alloc(b[k].size, 0);
		EXPECT(b[k].p && (uintptr_t)b[k].p % 16 == 0);
		EXPECT(mm_alloc_size(b[k].p) >= b[k].size);
		memset(b[k].p, (int)k, b[k].size);
	}
	for (unsigned k = 0; k < BLOCKS; k++)
		mm_free(b[k].p);
	return true;
}

static bool test_vmalloc(void)
{
	for (unsigned i = 1; i < 20; i++) {
		size_t size = i * 37000;
		uint8_t *p = arch_vmalloc(size);
		uint8_t *q = arch_vmalloc(size / 2);

		EXPECT(p && q && arch_is_vmap(p));
		memset(p, 1, size);
		memset(q, 2, size / 2);
		EXPECT(p[size - 1] == 1 && q[0] == 2);
		EXPECT(arch_kernel_pa(p) && arch_kernel_pa(p) % 4096 == 0);
		arch_vfree(p);
		arch_vfree(q);
	}
	return true;
}

static _Atomic uint32_t released;

static void note_release(struct arch_space *s)
{
	(void)s;
	atomic_fetch_add(&released, 1);
}

static bool test_space(void)
{
	static struct arch_space s;
	struct mm_stats before;
	struct mm_stats after;
	uint64_t va = 0x3fe00000;

	atomic_store(&released, 0);
	mm_stats_get(&before);
	EXPECT(arch_space_init(&s, note_release) == 0);
	EXPECT(arch_pte_next(&s, 0, ARCH_USER_END) == ARCH_USER_END);
	for (unsigned i = 0; i < 8; i++, va += 0x1234000) {
		arch_pte *pte = arch_pte_lock(&s, va, true);

		EXPECT(pte);
		EXPECT(arch_pte_none(arch_pte_get(pte)));
		arch_pte_set(pte, arch_pte_make(0x80000000 + i * 4096ull,
						ARCH_PROT_READ | ARCH_PROT_WRITE | ARCH_PROT_USER));
		EXPECT(arch_pte_pa(arch_pte_get(pte)) == 0x80000000 + i * 4096ull);
		EXPECT(arch_pte_prot(arch_pte_get(pte)) & ARCH_PROT_WRITE);
		arch_pte_unlock(pte);
	}
	EXPECT(arch_pte_next(&s, 0, ARCH_USER_END) == 0x3fe00000);
	arch_tlb_shootdown(&s, 0x3fe00000, 4096);
	arch_space_put(&s);
	mm_stats_get(&after);
	EXPECT(atomic_load(&released) == 1);
	EXPECT(before.free_pages == after.free_pages);
	return true;
}

static bool formats(const char *want, const char *fmt, ...)
{
	char buf[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (strcmp(buf, want) != 0)
		printk("selftest: got '%s', want '%s'\n", buf, want);
	return strcmp(buf, want) == 0;
}

static bool test_printf(void)
{
	char small[4];

	EXPECT(formats("-5 5 +7", "%d %u %+d", -5, 5u, 7));
	EXPECT(formats("000ff ff FF 0xff", "%05x %x %X %#x", 255u, 255u, 255u, 255u));
	EXPECT(formats("  ab|ab  |a", "%4s|%-4s|%.1s", "ab", "ab", "ab"));
	EXPECT(formats("-9223372036854775808", "%lld", (long long)INT64_MIN));
	EXPECT(formats("18446744073709551615 %", "%zu %%", (size_t)SIZE_MAX));
	EXPECT(formats("  07 644 c", "%*.*d %o %c", 4, 2, 7, 0644u, 'c'));
	EXPECT(snprintf(small, sizeof(small), "12345") == 5 && strcmp(small, "123") == 0);
	return true;
}

static bool test_random(void)
{
	uint64_t a[16];
	uint64_t b[16];

	port_random(a, sizeof(a));
	port_random(b, sizeof(b));
	EXPECT(memcmp(a, b, sizeof(a)) != 0);
	for (unsigned i = 1; i < 16; i++)
		EXPECT(a[i] != a[i - 1]);
	return true;
}

const struct selftest selftest_mem[] = {
	{"allocator", test_alloc},  {"vmalloc", test_vmalloc}, {"address space", test_space},
	{"formatter", test_printf}, {"random", test_random},   {NULL, NULL},
};
