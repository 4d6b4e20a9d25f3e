/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * virtio-console: ports as character devices (dev/chardev.h).
 *
 * With the multiport feature the device describes its ports by control messages: it announces
 * each, we say that it is ready, then come its kind, its name and whether the host's side is
 * connected. Console ports become hvcN, others vportNpM with their name as alias. Without it
 * there is one port, hvcN.
 *
 *   queue 0, 1: port 0 in, out    2, 3: control in, out    2 + 2p, 3 + 2p: port p in, out
 *
 * Input buffers belong to the device until they are filled; then they stand in the port's list
 * in order of arrival until they have been read, and go back. Output is copied into a pool of
 * buffers.
 *
 * Control messages are handled in a thread, since they register devices.
 *
 * Locking: one spinlock a device (rank SPIN_DEV, irqsave) for all its queues and lists.
 */
#include "arch/layout.h"
#include "dev/chardev.h"
#include "dev/virtio_mmio.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "port/log.h"
#include "sched/clock.h"
#include "sched/sched.h"
#include "sched/thread.h"

#define MAX_PORTS 4u
#define BUFS 8u
#define BUF_SIZE 2048u
#define CONTROL_BUFS 16u
#define CONTROL_SIZE 128u
#define HVC_MAJOR 229u
#define VPORT_MAJOR 242u
#define F_MULTIPORT (1ull << 1)

enum control_event {
	DEVICE_READY = 0,
	PORT_ADD = 1,
	PORT_REMOVE = 2,
	PORT_READY = 3,
	CONSOLE_PORT = 4,
	PORT_OPEN = 6,
	PORT_NAME = 7,
};

struct control { /* as the device reads it */
	uint32_t id;
	uint16_t event;
	uint16_t value;
};

struct buf {
	struct list link; /* in: filled, out: free */
	uint32_t len;
	uint32_t off; /* read so far */
	char *data;
};

struct port {
	struct chardev dev;
	struct console *console; /* const */
	unsigned id;             /* const */
	struct virtq in;         /* lock: console.lock, as all below */
	struct virtq out;
	struct list filled;
	struct list free;
	bool added;
	bool registered;
	bool is_console;
	bool host_open;
	char name[16];
	char alias[40];
};

struct console {
	struct virtio_dev *v;
	unsigned number;
	struct spinlock lock;
	struct virtq control_in;  /* lock: lock */
	struct virtq control_out; /* lock: lock */
	struct wait_queue control_wait;
	_Atomic uint32_t control_pending; /* release by the interrupt */
	struct port *ports[MAX_PORTS];    /* const after probe; NULL: not usable */
	struct buf control_bufs[CONTROL_BUFS];
};

static struct spinlock list_lock = SPINLOCK_INIT(LOCK_RANK_SPIN_DEV);
static struct list chardevs = LIST_INIT(chardevs); /* lock: list_lock; grows only */
static unsigned console_count;                     /* start only */
static _Atomic uint32_t hvc_count;

void chardev_register(struct chardev *c)
{
	wait_init(&c->wait);
	spin_lock(&list_lock);
	list_add_tail(&chardevs, &c->link);
	spin_unlock(&list_lock);
}

void chardev_for_each(void (*fn)(struct chardev *c, void *arg), void *arg)
{
	struct list *pos;

	/* The list only grows at its end and nothing is removed: fn may sleep between elements. */
	for (pos = chardevs.next; pos != &chardevs; pos = pos->next)
		fn(list_entry(pos, struct chardev, link), arg);
}

static unsigned queue_of(unsigned port, bool out)
{
	return (port == 0 ? 0 : 2 + 2 * port) + out;
}

static void give(struct virtq *q, struct buf *b, uint32_t size)
{
	struct virtq_buf vb = {arch_direct_pa(b->data), size};

	b->off = 0;
	b->len = 0;
	if (!virtq_add(q, &vb, 0, 1, b))
		list_init(&b->link); /* a broken queue: the buffer rests */
}

static void ring(struct console *c, struct virtq *q, unsigned index)
{
	if (virtq_publish(q))
		virtio_notify(c->v, index);
}

static void port_interrupt(struct port *p)
{
	struct buf *b;
	uint32_t len;

	do {
		while ((b = virtq_pop(&p->in, &len)) != NULL) {
			b->len = MIN(len, BUF_SIZE);
			list_add_tail(&p->filled, &b->link);
		}
	} while (virtq_rearm(&p->in));
	do {
		while ((b = virtq_pop(&p->out, &len)) != NULL)
			list_add_tail(&p->free, &b->link);
	} while (virtq_rearm(&p->out));
}

static void console_interrupt(struct virtio_dev *v)
{
	struct console *c = v->driver;
	unsigned long flags = spin_lock_irqsave(&c->lock);

	for (unsigned i = 0; i < MAX_PORTS; i++) {
		if (c->ports[i])
			port_interrupt(c->ports[i]);
	}
	spin_unlock_irqrestore(&c->lock, flags);
	for (unsigned i = 0; i < MAX_PORTS; i++) {
		if (c->ports[i] && c->ports[i]->registered)
			wait_wake_all(&c->ports[i]->dev.wait);
	}
	atomic_store_explicit(&c->control_pending, 1, memory_order_release);
	wait_wake_all(&c->control_wait);
}

static struct port *port_of(struct chardev *d)
{
	return container_of(d, struct port, dev);
}

/* Copies what is there; -EAGAIN: nothing yet, 0: nothing and the host's side is closed. */
static int64_t take_input(struct port *p, char *to, size_t n)
{
	unsigned long flags = spin_lock_irqsave(&p->console->lock);
	int64_t got = 0;

	while (n > 0 && !list_empty(&p->filled)) {
		struct buf *b = list_first(&p->filled, struct buf, link);
		size_t k = MIN(n, (size_t)(b->len - b->off));

		memcpy(to, b->data + b->off, k);
		to += k;
		n -= k;
		got += (int64_t)k;
		b->off += (uint32_t)k;
		if (b->off == b->len) {
			list_del(&b->link);
			give(&p->in, b, BUF_SIZE);
		}
	}
	ring(p->console, &p->in, queue_of(p->id, false));
	if (got == 0 && p->host_open)
		got = -EAGAIN;
	spin_unlock_irqrestore(&p->console->lock, flags);
	return got;
}

static int64_t port_read(struct chardev *d, void *buf, size_t n, bool nonblock)
{
	struct port *p = port_of(d);
	int64_t got;

	if (n == 0)
		return 0;
	got = take_input(p, buf, n);
	if (got == -EAGAIN && !nonblock) {
		int err = WAIT_EVENT_UNTIL(&d->wait, (got = take_input(p, buf, n)) != -EAGAIN,
					   WAIT_FOREVER, WAIT_INTERRUPTIBLE);

		if (err)
			return err;
	}
	return got;
}

static int64_t put_output(struct port *p, const char *from, size_t n)
{
	unsigned long flags = spin_lock_irqsave(&p->console->lock);
	int64_t put = 0;

	while (n > 0 && !list_empty(&p->free)) {
		struct buf *b = list_first(&p->free, struct buf, link);
		size_t k = MIN(n, (size_t)BUF_SIZE);
		struct virtq_buf vb = {arch_direct_pa(b->data), (uint32_t)k};

		memcpy(b->data, from, k);
		if (!virtq_add(&p->out, &vb, 1, 0, b))
			break;
		list_del(&b->link);
		from += k;
		n -= k;
		put += (int64_t)k;
	}
	ring(p->console, &p->out, queue_of(p->id, true));
	if (put == 0)
		put = p->out.broken ? -EIO : -EAGAIN;
	spin_unlock_irqrestore(&p->console->lock, flags);
	return put;
}

static int64_t port_write(struct chardev *d, const void *buf, size_t n, bool nonblock)
{
	struct port *p = port_of(d);
	const char *from = buf;
	size_t done = 0;

	while (done < n) {
		int64_t put = put_output(p, from + done, n - done);
		int err = 0;

		if (put == -EAGAIN && !nonblock)
			err = WAIT_EVENT_UNTIL(&d->wait,
					       (put = put_output(p, from + done, n - done)) !=
						       -EAGAIN,
					       WAIT_FOREVER, WAIT_INTERRUPTIBLE);
		if (err || put < 0)
			return done > 0 ? (int64_t)done : err ? err : put;
		done += (size_t)put;
	}
	return (int64_t)done;
}

static unsigned port_poll(struct chardev *d)
{
	struct port *p = port_of(d);
	unsigned long flags = spin_lock_irqsave(&p->console->lock);
	unsigned ready = 0;

	if (!list_empty(&p->filled) || !p->host_open)
		ready |= CHARDEV_IN;
	if (!list_empty(&p->free))
		ready |= CHARDEV_OUT;
	if (!p->host_open)
		ready |= CHARDEV_HUP;
	spin_unlock_irqrestore(&p->console->lock, flags);
	return ready;
}

static const struct chardev_ops port_ops = {
	.read = port_read,
	.write = port_write,
	.poll = port_poll,
};

static struct buf *new_buf(void)
{
	struct buf *b = mm_alloc(sizeof(*b), MM_ZERO);

	if (b) {
		b->data = mm_alloc(BUF_SIZE, MM_NORMAL);
		list_init(&b->link);
	}
	return b && b->data ? b : NULL;
}

/* Buffers and queues of one port. Before the device runs; on failure the device is given up. */
static int make_port(struct console *c, unsigned id)
{
	struct port *p = mm_alloc(sizeof(*p), MM_ZERO);
	int err;

	if (!p)
		return -ENOMEM;
	p->console = c;
	p->id = id;
	list_init(&p->filled);
	list_init(&p->free);
	wait_init(&p->dev.wait);
	err = virtio_queue(c->v, &p->in, queue_of(id, false), 16);
	if (!err)
		err = virtio_queue(c->v, &p->out, queue_of(id, true), 16);
	if (err)
		return err;
	for (unsigned i = 0; i < 2 * BUFS; i++) {
		struct buf *b = new_buf();

		if (!b)
			return -ENOMEM;
		if (i < BUFS)
			give(&p->in, b, BUF_SIZE);
		else
			list_add_tail(&p->free, &b->link);
	}
	(void)!virtq_rearm(&p->in);
	(void)!virtq_rearm(&p->out);
	c->ports[id] = p;
	return 0;
}

static void register_port(struct port *p)
{
	if (p->is_console)
		snprintf(p->name, sizeof(p->name), "hvc%u", atomic_fetch_add(&hvc_count, 1));
	else
		snprintf(p->name, sizeof(p->name), "vport%up%u", p->console->number, p->id);
	p->dev.ops = &port_ops;
	p->dev.name = p->name;
	p->dev.alias = p->alias[0] ? p->alias : NULL;
	p->dev.major = p->is_console ? HVC_MAJOR : VPORT_MAJOR;
	p->dev.minor = p->console->number * 32 + p->id;
	chardev_register(&p->dev);
	p->registered = true;
	port_log(PORT_LOG_INFO, "%s: virtio port %u %s", p->name, p->id, p->alias);
}

/* Sends a control message; its buffer comes back by polling (few messages, one at a time). */
static void send_control(struct console *c, uint32_t id, enum control_event event, uint16_t value)
{
	struct control *m = mm_alloc(sizeof(*m), MM_ZERO);
	struct virtq_buf vb;
	unsigned long flags;
	void *done;
	uint32_t len;
	bool ok;

	if (!m)
		return;
	*m = (struct control){id, (uint16_t)event, value};
	vb = (struct virtq_buf){arch_direct_pa(m), sizeof(*m)};
	flags = spin_lock_irqsave(&c->lock);
	ok = virtq_add(&c->control_out, &vb, 1, 0, m);
	ring(c, &c->control_out, 3);
	done = virtq_pop(&c->control_out, &len);
	spin_unlock_irqrestore(&c->lock, flags);
	mm_free(ok ? done : m);
}

static void handle_control(struct console *c, const struct control *m, const char *text, size_t n)
{
	struct port *p = m->id < MAX_PORTS ? c->ports[m->id] : NULL;

	if (!p)
		return;
	switch (m->event) {
	case PORT_ADD:
		p->added = true;
		send_control(c, m->id, PORT_READY, 1);
		send_control(c, m->id, PORT_OPEN, 1);
		break;
	case CONSOLE_PORT:
		p->is_console = true;
		p->host_open = true; /* a console's host side is always there */
		break;
	case PORT_NAME:
		n = MIN(n, sizeof(p->alias) - 1);
		memcpy(p->alias, text, n);
		p->alias[n] = '\0';
		break;
	case PORT_OPEN:
		p->host_open = m->value != 0 || p->is_console;
		if (p->registered)
			wait_wake_all(&p->dev.wait);
		break;
	default: /* PORT_REMOVE: the port stays, without a host */
		break;
	}
}

/* Handles all messages that are there, then registers ports that have become known. */
static void process_control(struct console *c)
{
	struct control m;
	char text[CONTROL_SIZE];
	struct buf *b;
	uint32_t len;

	for (;;) {
		unsigned long flags = spin_lock_irqsave(&c->lock);

		b = virtq_pop(&c->control_in, &len);
		if (b && len >= sizeof(m)) {
			len = MIN(len, CONTROL_SIZE);
			memcpy(&m, b->data, sizeof(m));
			memcpy(text, b->data + sizeof(m), len - sizeof(m));
		} else {
			m.id = UINT32_MAX;
			len = sizeof(m);
		}
		if (b) {
			give(&c->control_in, b, CONTROL_SIZE);
			ring(c, &c->control_in, 2);
		} else if (!virtq_rearm(&c->control_in)) {
			spin_unlock_irqrestore(&c->lock, flags);
			break;
		}
		spin_unlock_irqrestore(&c->lock, flags);
		handle_control(c, &m, text, len - sizeof(m));
	}
	for (unsigned i = 0; i < MAX_PORTS; i++) {
		if (c->ports[i] && c->ports[i]->added && !c->ports[i]->registered)
			register_port(c->ports[i]);
	}
}

static void control_thread(void *arg)
{
	struct console *c = arg;

	for (;;) {
		WAIT_EVENT(&c->control_wait,
			   atomic_exchange_explicit(&c->control_pending, 0, memory_order_acquire));
		process_control(c);
	}
}

static int setup_control(struct console *c)
{
	int err = virtio_queue(c->v, &c->control_in, 2, 32);

	if (!err)
		err = virtio_queue(c->v, &c->control_out, 3, 32);
	for (unsigned i = 0; !err && i < CONTROL_BUFS; i++) {
		c->control_bufs[i].data = mm_alloc(CONTROL_SIZE, MM_NORMAL);
		if (!c->control_bufs[i].data)
			err = -ENOMEM;
		else
			give(&c->control_in, &c->control_bufs[i], CONTROL_SIZE);
	}
	return err;
}

/* Tells the device of all buffers queued before it ran; multiport: starts the conversation. */
static int start_ports(struct console *c, bool multiport)
{
	struct thread *t;

	for (unsigned i = 0; i < MAX_PORTS; i++) {
		if (c->ports[i])
			ring(c, &c->ports[i]->in, queue_of(i, false));
	}
	if (!multiport) {
		c->ports[0]->is_console = true;
		c->ports[0]->host_open = true;
		register_port(c->ports[0]);
		return 0;
	}
	ring(c, &c->control_in, 2);
	send_control(c, 0, DEVICE_READY, 1);
	process_control(c); /* what the device answers at once is known before devfs looks */
	t = thread_create("vport", control_thread, c);
	if (!t)
		return -ENOMEM;
	thread_start(t);
	thread_put(t);
	return 0;
}

int virtio_console_probe(struct virtio_dev *v)
{
	struct console *c = mm_alloc(sizeof(*c), MM_ZERO);
	bool multiport;
	unsigned ports;
	int err;

	if (!c)
		return -ENOMEM;
	c->v = v;
	c->number = console_count++;
	spin_init(&c->lock, LOCK_RANK_SPIN_DEV);
	wait_init(&c->control_wait);
	v->driver = c;
	v->interrupt = console_interrupt;
	err = virtio_negotiate(v, F_MULTIPORT);
	if (err)
		return err;
	multiport = (v->features & F_MULTIPORT) != 0;
	ports = multiport ? MIN(virtio_config32(v, 4), MAX_PORTS) : 1;
	for (unsigned i = 0; i < ports && !err; i++)
		err = make_port(c, i);
	if (!err && multiport)
		err = setup_control(c);
	if (!err)
		err = virtio_start(v);
	return err ? err : start_ports(c, multiport);
}
