/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Futexes: waiting until a user word changes.
 *
 * A waiter hangs in a bucket, chosen by its key: (space, address) for private memory, (object,
 * offset) for shared memory. To wait: take the bucket's lock, read the word without faulting,
 * compare, hang in, unlock, sleep. A waker changes the word first and takes the same lock after,
 * so either the waiter sees the new word or the waker sees the waiter. If the word cannot be
 * read without a fault it is faulted in with no lock held, and all starts over.
 *
 * FTX-1  A waiter is in the bucket of its key as long as queued is true; both change under the
 *        locks of the buckets concerned (requeue takes two, in order of address).
 */
#include "ipc/futex.h"

#include "arch/cpu.h"
#include "base/list.h"
#include "lib/errno.h"
#include "proc/process.h"
#include "sync/spinlock.h"
#include "sched/sched.h"
#include "sync/wait.h"
#include "vm/space.h"
#include "vm/uaccess.h"

#define BUCKETS 256
#define ROBUST_LIMIT 2048
#define FUTEX_WAITERS 0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK 0x3fffffffu

struct key {
	const void *base; /* space or object */
	uint64_t offset;
	struct vm_object *object; /* a reference, or NULL */
};

struct bucket {
	struct spinlock lock; /* rank SPIN_FUTEX */
	struct list waiters;
};

struct futex_waiter {
	struct list link;
	struct key key;
	uint32_t bitset;
	_Atomic uint32_t queued;
	_Atomic(struct bucket *) bucket; /* changes with FTX-1 */
	struct thread *thread;
};

static struct bucket buckets[BUCKETS];

static int key_get(uint64_t addr, bool shared, struct key *k)
{
	struct vm_space *s = vm_current();

	*k = (struct key){s, addr, NULL};
	if (addr & 3)
		return -EINVAL;
	if (!uaccess_range_ok(addr, 4))
		return -EFAULT;
	if (!shared)
		return 0;
	if (vm_futex_key(s, addr, &k->object, &k->offset))
		return -EFAULT;
	if (k->object)
		k->base = k->object;
	return 0;
}

static void key_put(struct key *k)
{
	if (k->object)
		vm_object_put(k->object);
	k->object = NULL;
}

static bool key_equal(const struct key *a, const struct key *b)
{
	return a->base == b->base && a->offset == b->offset;
}

static struct bucket *bucket_of(const struct key *k)
{
	uint64_t h = ((uint64_t)k->base >> 4 ^ k->offset >> 2) * 0x9e3779b97f4a7c15ull;

	return &buckets[h >> 56];
}

static void unqueue_locked(struct futex_waiter *w)
{
	list_del(&w->link);
	/* release: pairs with the sleeper's acquire, after which w may vanish */
	atomic_store_explicit(&w->queued, 0, memory_order_release);
}

/* Takes w out and wakes its thread; w may be gone as soon as queued is 0. */
static void wake_locked(struct futex_waiter *w)
{
	struct thread *t = w->thread;

	thread_get(t);
	unqueue_locked(w);
	sched_wake(t, SCHED_WAKE_ANY);
	thread_put(t);
}

static int wait_enqueue(struct futex_waiter *w, uint64_t addr, uint32_t val)
{
	struct bucket *b = bucket_of(&w->key);
	uint32_t now;

	for (;;) {
		int err;

		spin_lock(&b->lock);
		err = user_load_u32_nofault(addr, &now);
		if (!err && now == val) {
			w->queued = 1;
			atomic_store_explicit(&w->bucket, b, memory_order_relaxed);
			list_add_tail(&b->waiters, &w->link);
		}
		spin_unlock(&b->lock);
		if (!err)
			return now == val ? 0 : -EAGAIN;
		if (uaccess_fault_in(addr, 4, false))
			return -EFAULT;
	}
}

/* Out of whatever bucket it is in. True: it was still queued. */
static bool wait_cancel(struct futex_waiter *w)
{
	for (;;) {
		struct bucket *b = atomic_load_explicit(&w->bucket, memory_order_acquire);
		bool was;

		spin_lock(&b->lock);
		if (atomic_load_explicit(&w->bucket, memory_order_relaxed) != b) {
			spin_unlock(&b->lock);
			continue; /* requeued meanwhile */
		}
		was = atomic_load_explicit(&w->queued, memory_order_relaxed) != 0;
		if (was)
			unqueue_locked(w);
		spin_unlock(&b->lock);
		return was;
	}
}

int futex_wait(uint64_t addr, bool shared, uint32_t val, uint64_t deadline, uint32_t bitset)
{
	struct futex_waiter w = {.bitset = bitset, .thread = current_thread()};
	int err;

	if (!bitset)
		return -EINVAL;
	err = key_get(addr, shared, &w.key);
	if (err)
		return err;
	list_init(&w.link);
	err = wait_enqueue(&w, addr, val);
	while (!err) {
		wait_prepare(WAIT_INTERRUPTIBLE);
		/* acquire: pairs with unqueue_locked */
		if (!atomic_load_explicit(&w.queued, memory_order_acquire))
			break;
		err = wait_sleep(deadline);
	}
	wait_done();
	/* Woken and interrupted at once counts as woken. */
	if (atomic_load_explicit(&w.bucket, memory_order_relaxed) && !wait_cancel(&w))
		err = 0;
	key_put(&w.key);
	return err;
}

int futex_wake(uint64_t addr, bool shared, uint32_t count, uint32_t bitset)
{
	struct futex_waiter *w, *n;
	struct bucket *b;
	struct key k;
	int woken = 0, err;

	if (!bitset)
		return -EINVAL;
	err = key_get(addr, shared, &k);
	if (err)
		return err;
	b = bucket_of(&k);
	spin_lock(&b->lock);
	list_for_each_entry_safe (w, n, &b->waiters, struct futex_waiter, link) {
		if ((uint32_t)woken >= count)
			break;
		if (key_equal(&w->key, &k) && (w->bitset & bitset)) {
			wake_locked(w);
			woken++;
		}
	}
	spin_unlock(&b->lock);
	key_put(&k);
	return woken;
}

static void lock_two(struct bucket *x, struct bucket *y) NO_THREAD_SAFETY
{
	if (x > y) {
		struct bucket *t = x;

		x = y;
		y = t;
	}
	spin_lock(&x->lock);
	/* in order of address, so this ends; the rank check knows no order among equals */
	while (y != x && !spin_trylock(&y->lock))
		arch_relax();
}

static void unlock_two(struct bucket *x, struct bucket *y) NO_THREAD_SAFETY
{
	/* the later one first: the order of the checks */
	if (x != y)
		spin_unlock(&(x > y ? x : y)->lock);
	spin_unlock(&(x > y ? y : x)->lock);
}

/* Wakes and moves under both locks. */
static int requeue_locked(const struct futex_requeue *r, const struct key *from, struct key *to,
			  struct bucket *b1, struct bucket *b2)
{
	struct futex_waiter *w, *n;
	uint32_t woken = 0, moved = 0;

	list_for_each_entry_safe (w, n, &b1->waiters, struct futex_waiter, link) {
		if (!key_equal(&w->key, from))
			continue;
		if (woken < r->wake) {
			wake_locked(w);
			woken++;
			continue;
		}
		if (moved >= r->requeue)
			break;
		/*
		 * The waiter's own reference to an object is put by itself: both words lie in
		 * objects that the caller keeps alive by mapping them, and a waiter compares
		 * addresses only.
		 */
		w->key.base = to->base;
		w->key.offset = to->offset;
		list_del(&w->link);
		list_add_tail(&b2->waiters, &w->link);
		atomic_store_explicit(&w->bucket, b2, memory_order_release);
		moved++;
	}
	return (int)(woken + (r->compare ? moved : 0));
}

int futex_requeue(const struct futex_requeue *r)
{
	struct key from, to;
	struct bucket *b1, *b2;
	int err = key_get(r->from, r->shared, &from);

	if (err)
		return err;
	err = key_get(r->to, r->shared, &to);
	if (err) {
		key_put(&from);
		return err;
	}
	b1 = bucket_of(&from);
	b2 = bucket_of(&to);
	for (;;) {
		uint32_t now = r->val;
		bool readable;

		lock_two(b1, b2);
		readable = !r->compare || !user_load_u32_nofault(r->from, &now);
		if (readable)
			err = now == r->val ? requeue_locked(r, &from, &to, b1, b2) : -EAGAIN;
		unlock_two(b1, b2);
		if (readable)
			break;
		err = uaccess_fault_in(r->from, 4, false);
		if (err)
			break;
	}
	key_put(&from);
	key_put(&to);
	return err;
}

static bool compare(uint32_t cmp, int32_t old, int32_t arg)
{
	switch (cmp) {
	case 0:
		return old == arg;
	case 1:
		return old != arg;
	case 2:
		return old < arg;
	case 3:
		return old <= arg;
	case 4:
		return old > arg;
	default:
		return old >= arg;
	}
}

int futex_wake_op(uint64_t addr, uint64_t addr2, bool shared, uint32_t wake, uint32_t wake2,
		  uint32_t op)
{
	static const enum user_atomic_op ops[] = {USER_OP_SET, USER_OP_ADD, USER_OP_OR,
						  USER_OP_ANDN, USER_OP_XOR};
	uint32_t kind = op >> 28 & 7, cmp = op >> 24 & 15, old;
	int32_t arg = (int32_t)(op << 8) >> 20, cmparg = (int32_t)(op << 20) >> 20;
	int woken, err;

	if (kind >= ARRAY_SIZE(ops) || cmp > 5)
		return -ENOSYS;
	if (op >> 31) {
		if (arg < 0 || arg > 31)
			return -EINVAL;
		arg = (int32_t)(1u << arg);
	}
	err = user_atomic_u32(addr2, ops[kind], (uint32_t)arg, &old);
	if (err)
		return err;
	woken = futex_wake(addr, shared, wake, FUTEX_MATCH_ANY);
	if (woken >= 0 && compare(cmp, (int32_t)old, cmparg)) {
		err = futex_wake(addr2, shared, wake2, FUTEX_MATCH_ANY);
		woken = err < 0 ? err : woken + err;
	}
	return woken;
}

/* One lock of a dead task's list: marks it, wakes one waiter. False: stop. */
static bool robust_one(uint64_t addr, bool pi, bool pending, uint32_t tid)
{
	uint32_t v, old;

	if ((addr & 3) || get_user_u32(&v, addr))
		return false;
	/* Died between unlocking and waking: the waiter must hear of it. */
	if (pending && !pi && v == 0) {
		(void)!futex_wake(addr, true, 1, FUTEX_MATCH_ANY);
		return true;
	}
	while ((v & FUTEX_TID_MASK) == tid) {
		if (user_cmpxchg_u32(addr, v, (v & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &old))
			return false;
		if (old == v) {
			if (!pi && (v & FUTEX_WAITERS))
				(void)!futex_wake(addr, true, 1, FUTEX_MATCH_ANY);
			break;
		}
		v = old;
	}
	return true;
}

static void robust_exit(struct task *t)
{
	uint64_t head = t->robust_list, entry, offset, pending;
	uint32_t tid = (uint32_t)t->tid;

	if (get_user_u64(&entry, head) || get_user_u64(&offset, head + 8) ||
	    get_user_u64(&pending, head + 16))
		return;
	for (unsigned i = 0; i < ROBUST_LIMIT && (entry & ~1ull) != head; i++) {
		uint64_t next;
		bool last = get_user_u64(&next, entry & ~1ull) != 0;

		if (entry != pending &&
		    !robust_one((entry & ~1ull) + offset, entry & 1, false, tid))
			return;
		if (last)
			return;
		entry = next;
	}
	if (pending)
		(void)robust_one((pending & ~1ull) + offset, pending & 1, true, tid);
}

static void wake_one(uint64_t addr)
{
	(void)!futex_wake(addr, true, 1, FUTEX_MATCH_ANY);
}

void futex_init(void)
{
	for (unsigned i = 0; i < BUCKETS; i++) {
		spin_init(&buckets[i].lock, LOCK_RANK_SPIN_FUTEX);
		list_init(&buckets[i].waiters);
	}
	proc_hooks.robust_exit = robust_exit;
	proc_hooks.futex_wake = wake_one;
}
