/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The console UART (16550). Output has two ways in: console_write polls and is for messages;
 * console_tx queues bytes in a ring that the transmit interrupt empties, and is for the tty.
 * Before a message the ring is drained by polling, so the order is kept. Until uart_init bytes
 * go through the firmware.
 *
 * UART-1  The transmit interrupt is enabled exactly while the ring is not empty.
 *
 * Locking: one spinlock (rank SPIN_CONSOLE, irqsave) for registers and rings; callbacks run
 * without it. In a panic there is no locking at all.
 */
#include "arch/console.h"
#include "arch/vmap.h"
#include "dev/console.h"
#include "dev/fdt.h"
#include "dev/irq.h"
#include "port/log.h"
#include "sync/spinlock.h"

#define RING 4096u

enum uart_reg { UART_DATA = 0, UART_IER = 1, UART_FCR = 2, UART_LCR = 3, UART_LSR = 5 };

#define IER_RX 1u
#define IER_TX 2u
#define LSR_DATA 1u
#define LSR_TX_EMPTY 0x20u
#define FCR_ENABLE_CLEAR 7u
#define LCR_8N1 3u
#define FIFO_SIZE 16

struct ring {
	uint32_t head; /* bytes ever put in */
	uint32_t tail; /* bytes ever taken out */
	uint8_t data[RING];
};

static struct spinlock lock = SPINLOCK_INIT(LOCK_RANK_SPIN_CONSOLE);
static volatile uint8_t *regs; /* const after uart_init; NULL: not there */
static bool panicking;         /* no locks */
static struct ring tx;         /* lock: lock, as all below */
static struct ring rx;
static bool want_room;
static void (*rx_fn)(const uint8_t *s, size_t n);
static void (*room_fn)(void);

static uint32_t used(const struct ring *r)
{
	return r->head - r->tail;
}

static void put_polled(uint8_t c)
{
	if (!regs) {
		arch_console_putchar(c);
		return;
	}
	while (!(regs[UART_LSR] & LSR_TX_EMPTY)) {
	}
	regs[UART_DATA] = c;
}

static void drain_polled(void)
{
	while (used(&tx) > 0)
		put_polled(tx.data[tx.tail++ % RING]);
}

static void write_message(const char *s, size_t n)
{
	drain_polled();
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n')
			put_polled('\r');
		put_polled((uint8_t)s[i]);
	}
}

void console_write(const char *s, size_t n) NO_THREAD_SAFETY
{
	unsigned long flags;

	if (panicking) {
		write_message(s, n);
		return;
	}
	flags = spin_lock_irqsave(&lock);
	write_message(s, n);
	spin_unlock_irqrestore(&lock, flags);
}

void console_panic_mode(void)
{
	panicking = true;
}

/* Fills the FIFO if it is empty: UART-1. */
static void pump(void)
{
	if (!(regs[UART_LSR] & LSR_TX_EMPTY))
		return;
	for (unsigned i = 0; i < FIFO_SIZE && used(&tx) > 0; i++)
		regs[UART_DATA] = tx.data[tx.tail++ % RING];
}

static void set_interrupts(void)
{
	regs[UART_IER] = (uint8_t)(used(&tx) > 0 ? IER_RX | IER_TX : IER_RX);
}

size_t console_tx(const char *s, size_t n)
{
	unsigned long flags = spin_lock_irqsave(&lock);
	size_t put = MIN(n, (size_t)(RING - used(&tx)));

	for (size_t i = 0; i < put; i++)
		tx.data[tx.head++ % RING] = (uint8_t)s[i];
	if (put < n)
		want_room = true;
	if (regs) {
		pump();
		set_interrupts();
	} else {
		drain_polled();
	}
	spin_unlock_irqrestore(&lock, flags);
	return put;
}

size_t console_tx_pending(void)
{
	unsigned long flags = spin_lock_irqsave(&lock);
	size_t n = used(&tx);

	spin_unlock_irqrestore(&lock, flags);
	return n;
}

size_t console_tx_room(void)
{
	return RING - console_tx_pending();
}

/* Hands what has been received to the tty, outside the lock. */
static void deliver(void)
{
	uint8_t chunk[64];
	void (*fn)(const uint8_t *s, size_t n);
	size_t n;

	do {
		unsigned long flags = spin_lock_irqsave(&lock);

		fn = rx_fn;
		for (n = 0; fn && n < sizeof(chunk) && used(&rx) > 0; n++)
			chunk[n] = rx.data[rx.tail++ % RING];
		spin_unlock_irqrestore(&lock, flags);
		if (n > 0)
			fn(chunk, n);
	} while (n > 0);
}

static void uart_interrupt(void *arg)
{
	unsigned long flags = spin_lock_irqsave(&lock);
	void (*room)(void) = NULL;

	(void)arg;
	while (regs[UART_LSR] & LSR_DATA) {
		uint8_t c = regs[UART_DATA];

		if (used(&rx) < RING)
			rx.data[rx.head++ % RING] = c;
	}
	pump();
	set_interrupts();
	if (want_room && used(&tx) < RING / 2) {
		want_room = false;
		room = room_fn;
	}
	spin_unlock_irqrestore(&lock, flags);
	deliver();
	if (room)
		room();
}

void console_attach(void (*fn)(const uint8_t *s, size_t n), void (*room)(void))
{
	unsigned long flags = spin_lock_irqsave(&lock);

	rx_fn = fn;
	room_fn = room;
	spin_unlock_irqrestore(&lock, flags);
	deliver();
}

void uart_init(void)
{
	volatile uint8_t *r;

	if (!boot_info.uart.base)
		return;
	r = (volatile uint8_t *)arch_ioremap(boot_info.uart.base, boot_info.uart.size);
	if (!r)
		return;
	r[UART_IER] = 0;
	r[UART_LCR] = LCR_8N1;
	r[UART_FCR] = FCR_ENABLE_CLEAR;
	regs = r;
	if (irq_register(boot_info.uart.irq, uart_interrupt, NULL))
		port_log(PORT_LOG_WARN, "uart: interrupt %u cannot be used", boot_info.uart.irq);
	regs[UART_IER] = IER_RX;
}
