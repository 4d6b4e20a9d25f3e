/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Panic and symbols. The symbol table is made by scripts/gen_symtab.py at link time and comes
 * last in read-only data. A second panic (while printing) powers off at once.
 */
#include "lib/panic.h"

#include <stdatomic.h>

#include "arch/backtrace.h"
#include "arch/power.h"
#include "arch/smp.h"
#include "arch/trap.h"
#include "dev/console.h"
#include "dev/fdt.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "port/log.h"
#include "sched/thread.h"

#define PANIC_STATUS 125

extern const uint64_t symtab_count __attribute__((weak));
extern const uint32_t symtab_offsets[] __attribute__((weak));
extern const uint32_t symtab_names[] __attribute__((weak));
extern const char symtab_strings[] __attribute__((weak));
extern char image_start[], image_rodata[];

static _Atomic uint32_t panicking; /* acq_rel: first to set it prints */

void symbol_format(uint64_t addr, char *buf, size_t size)
{
	uint64_t off = addr - (uint64_t)image_start;
	uint64_t lo = 0;
	uint64_t hi;

	if (addr < (uint64_t)image_start || addr >= (uint64_t)image_rodata || !&symtab_count) {
		snprintf(buf, size, "?");
		return;
	}
	hi = symtab_count;
	while (hi - lo > 1) {
		uint64_t mid = (lo + hi) / 2;

		if (symtab_offsets[mid] <= off)
			lo = mid;
		else
			hi = mid;
	}
	snprintf(buf, size, "%s+0x%llx", symtab_strings + symtab_names[lo],
		 (unsigned long long)(off - symtab_offsets[lo]));
}

/*
 * A return address: the call before it counts, which may be the last instruction of its
 * function.
 */
static void print_address(uint64_t pc, void *arg)
{
	char sym[96];

	(void)arg;
	symbol_format(pc - 2, sym, sizeof(sym));
	printk("  %016llx %s\n", (unsigned long long)pc, sym);
}

void backtrace_print(void)
{
	arch_backtrace((uint64_t)__builtin_frame_address(0), print_address, NULL);
}

static void print_registers(const struct trap_frame *f)
{
	static const char *const names[] = {"pc", "ra", "sp",  "gp",  "tp", "t0", "t1", "t2",
					    "s0", "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
					    "a6", "a7", "s2",  "s3",  "s4", "s5", "s6", "s7",
					    "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};
	char sym[96];

	symbol_format(f->epc, sym, sizeof(sym));
	printk("cause %llu  tval %016llx  status %llx  at %s\n", (unsigned long long)f->cause,
	       (unsigned long long)f->tval, (unsigned long long)f->status, sym);
	for (unsigned i = 0; i < 32; i++)
		printk("%4s %016llx%s", names[i], (unsigned long long)(i == 0 ? f->epc : f->x[i]),
		       i % 4 == 3 ? "\n" : "");
}

/* Claims the console for the one hart that panics. */
static void begin(void)
{
	arch_irq_disable();
	if (atomic_fetch_add_explicit(&panicking, 1, memory_order_acq_rel) != 0)
		arch_power_off(PANIC_STATUS);
	console_panic_mode();
	arch_smp_stop();
}

static NORETURN void finish(void)
{
	if (boot_flag("panic=halt")) {
		printk("halted; attach a debugger\n");
		for (;;)
			arch_wait_for_interrupt();
	}
	arch_power_off(PANIC_STATUS);
}

static void headline(const char *fmt, va_list ap)
{
	char text[256];

	vsnprintf(text, sizeof(text), fmt, ap);
	printk("\nkernel panic: %s\n", text);
	printk("hart %u, thread %u %s\n", current_thread()->hart, current_thread()->id,
	       current_thread()->name);
}

void panic(const char *fmt, ...)
{
	va_list ap;

	begin();
	va_start(ap, fmt);
	headline(fmt, ap);
	va_end(ap);
	backtrace_print();
	finish();
}

void port_panic(const char *fmt, ...)
{
	va_list ap;

	begin();
	va_start(ap, fmt);
	headline(fmt, ap);
	va_end(ap);
	backtrace_print();
	finish();
}

void panic_trap(const struct trap_frame *f, const char *fmt, ...)
{
	va_list ap;

	begin();
	va_start(ap, fmt);
	headline(fmt, ap);
	va_end(ap);
	print_registers(f);
	arch_backtrace(f->x[8], print_address, NULL);
	finish();
}

void port_assert_fail(const char *expr, const char *file, int line)
{
	panic("assertion failed: %s (%s:%d)", expr, file, line);
}
