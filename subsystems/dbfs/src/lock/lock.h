/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The lock manager: who may hold what, who waits for whom, and who has to give way. Pure policy: it
 * knows nothing of transactions, logs or files. docs/locking.md ("Transaction locks") has the picture.
 *
 * A resource is a range [lo, hi] of 64-bit keys in a space; a point is a range of one. The caller gives
 * spaces and keys their meaning (volume, directory and name gap, inode and byte range) and
 * takes intention locks on the coarser ones first. Locks of one locker never conflict with each other.
 *
 * Modes and their compatibility are those of Gray and Reuter, "Transaction Processing" (1993), 7.8:
 * a granted U admits nobody new, so of two that read in order to update one waits at once, and there is
 * no deadlock of two upgraders.
 *
 * All functions may be called from any thread; a locker is used by one thread at a time. Those that say
 * so may sleep. No other lock of DBFS of a higher rank is held.
 */
#ifndef DBFS_LOCK_LOCK_H
#define DBFS_LOCK_LOCK_H

#include "base/list.h"
#include "base/types.h"
#include "dbfs/errors.h"
#include "port/sync.h"

enum dbfs_lock_mode {
	DBFS_LOCK_NONE,
	DBFS_LOCK_IS,
	DBFS_LOCK_IX,
	DBFS_LOCK_S,
	DBFS_LOCK_SIX,
	DBFS_LOCK_U,
	DBFS_LOCK_X,
};
#define DBFS_LOCK_MODES 7

/* May requested be granted beside granted (of another locker)? Not symmetric: U. */
bool dbfs_lock_compatible(enum dbfs_lock_mode granted, enum dbfs_lock_mode requested);
/* The weakest mode that is as strong as both. */
enum dbfs_lock_mode dbfs_lock_join(enum dbfs_lock_mode a, enum dbfs_lock_mode b);

struct dbfs_lock_name {
	uint64_t space;
	uint64_t lo;
	uint64_t hi; /* >= lo; lo == hi: a point */
};

struct dbfs_lockmgr;

struct dbfs_lock_config {
	size_t buckets; /* power of two; 0: default */
};

/* NULL: no memory. */
struct dbfs_lockmgr *dbfs_lockmgr_create(const struct dbfs_lock_config *config) MUST_CHECK;
/* No locker holds or waits for anything. NULL is fine. */
void dbfs_lockmgr_destroy(struct dbfs_lockmgr *m);

/*
 * One who takes locks (a transaction). Memory is the caller's; members are the manager's.
 * age: position in the order of original starts, unique among lockers; smaller is older. A retried
 * transaction keeps its age, so it grows old and at last nobody can be preferred to it.
 */
struct dbfs_locker {
	struct dbfs_lockmgr *mgr; /* const */
	uint64_t age;             /* const */
	struct list held;         /* struct request.of_locker; lock: mgr.lock */
	struct request *waiting;  /* lock: mgr.lock */
	struct port_cond wake;
	int doom;       /* error that its wait, or next request, gives; lock: mgr.lock */
	bool protected; /* is committing: never a victim; lock: mgr.lock */
	/* Search for cycles; lock: mgr.lock */
	uint64_t visit;
	struct dbfs_locker *pred;
	struct dbfs_locker *next_visit;
};

void dbfs_locker_init(struct dbfs_locker *l, struct dbfs_lockmgr *mgr, uint64_t age);
/* Releases everything and wakes who can go on. */
void dbfs_locker_fini(struct dbfs_locker *l);

/*
 * Takes name in mode (joined with what l has of exactly that name), waiting if need be until
 * deadline of port_now() (0: not at all, UINT64_MAX: no limit). On an error l holds what it held before.
 *   -DBFS_EDEADLK  l was the youngest of a cycle, or somebody wounded it: roll back, retry with the same age
 *   -DBFS_ETIME    the deadline passed (with deadline 0: it would have to wait)
 *   -DBFS_EINTR    the thread is being killed
 *   -DBFS_ENOMEM
 */
int dbfs_lock_acquire(struct dbfs_locker *l, struct dbfs_lock_name name, enum dbfs_lock_mode mode,
		      uint64_t deadline) MUST_CHECK;

struct dbfs_lock_want {
	struct dbfs_lock_name name;
	enum dbfs_lock_mode mode;
};

/*
 * Takes all n in one fixed order (want is sorted in place), so that lockers that declare all their points
 * cannot form a cycle. (Ranges that overlap in part can: a waiting one holds newcomers back.) On an error
 * those before the failing one stay held.
 */
int dbfs_lock_declare(struct dbfs_locker *l, struct dbfs_lock_want *want, size_t n,
		      uint64_t deadline) MUST_CHECK;

/* The mode in which l holds exactly name. */
enum dbfs_lock_mode dbfs_lock_held(struct dbfs_locker *l, struct dbfs_lock_name name);

/* Releases everything; l can be used again. (Early release: once the commit is ordered.) */
void dbfs_lock_release_all(struct dbfs_locker *l);

/* From now on l is not chosen as a victim and not wounded: it has nothing left to wait for. */
void dbfs_lock_protect(struct dbfs_locker *l);

/*
 * Makes the wait, or the next request, of everyone that l's waiting request waits for fail with
 * -DBFS_EDEADLK, unless protected. For calls that may not wait long. From another thread than l's; if
 * l does not wait, nothing happens. Returns how many were wounded.
 */
unsigned dbfs_lock_wound_blockers(struct dbfs_locker *l);

/* Ends l's wait with err (cancel, deadline of the transaction), from another thread. */
void dbfs_lock_cancel(struct dbfs_locker *l, int err);

struct dbfs_lock_stats {
	uint64_t acquired;
	uint64_t waits;
	uint64_t deadlocks; /* victims */
	uint64_t timeouts;
	uint64_t held;    /* now */
	uint64_t waiting; /* now */
};
void dbfs_lock_get_stats(struct dbfs_lockmgr *m, struct dbfs_lock_stats *out);

#endif
