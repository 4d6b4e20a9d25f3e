/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The lock manager (src/lock) and the two kinds of transaction that stand on it, exhaustively.
 *
 * Three transactions, two points. A locking one takes up to OPS locks (S, U, X, upgrades among them) in any
 * order, reads under them, and commits. An optimistic one reads both points without locks when it begins, and
 * at commit takes its locks in order, validates, and commits or starts again; after two conflicts it locks.
 * A victim starts again with its age. Every call of the manager is one atomic step, as under
 * its mutex; a doomed waiter notices later, as its thread does. The numbers of process and age agree:
 * that begins come in any order is more than can happen.
 *
 * Checked after every step (src/lock/queue.c and graph.c have the same numbers):
 *   LOCK-1  of two that hold the same point, one admits the other
 *   LOCK-3  no new request is granted past an earlier one, or a conversion, that it would then refuse
 *   LOCK-4  the wait-for graph has no cycle; so (and as Spin finds no invalid end state) nobody waits for ever
 *   LOCK-5  nothing that could be granted waits
 *   AGE-1   a victim is the youngest of its cycle by original start; the oldest that runs is never one
 *   AGE-2   nobody starts again more than RESTARTS times
 *   SER-1   at its place in the order of commits, all that a transaction has read is current
 *
 * -DMUT_x removes a guard; each must make the search fail:
 *   MUT_NOSEARCH   blocks without looking for cycles     MUT_NOVALID    optimistic commit without validation
 *   MUT_ONECYCLE   breaks only the first cycle found     MUT_VALIDFIRST validates before it has its locks
 *   MUT_OLDEST     the victim is the oldest              MUT_EARLY      releases before the commit is ordered
 *   MUT_NEWAGE     a retry gets a new age                MUT_NOWAKE     a release wakes nobody
 *   MUT_NOFIFO     new requests look at granted ones     MUT_PASSCONV   new requests pass waiting conversions
 *   MUT_DOOMKEEPS  a victim's wait ends without a wake   MUT_UPGRADE    a conversion is granted at once
 */
#define TXS 3
#define OPS 3
#define RESTARTS 12

/* Modes. */
#define NO 0
#define S 1
#define U 2
#define X 3

#define AT(t, r) ((t) * 2 + (r))

/* A request of each transaction for each point: granted mode, what it waits for, place in the queue. */
byte mode[6];
byte want[6];
byte place[6];   /* by ticket, 1 is the earliest; 0: no request */
byte waiting[3]; /* point + 1 */
bool doomed[3];
byte age[3];

byte ver[2];     /* ghost: commits that wrote the point */
byte seen[6];    /* ghost: ver when it was read, + 1; 0: not read */
byte restarts[3];
bool finished[3];
#ifdef MUT_NEWAGE
byte last_age = TXS;
#endif

byte p; byte n; byte o; byte v; byte rr; /* of the atomic steps; zero between them */
bool again;

#define ADMITS(granted, wanted) \
	((granted) == NO || (wanted) == NO || ((granted) == S && (wanted) != X))

#define HOLDS_UP(o, t, r) (!ADMITS(mode[AT(o, r)], want[AT(t, r)])) /* LOCK-2 */

#if defined(MUT_NOFIFO)
#define COMES_FIRST(o, t, r) false
#elif defined(MUT_PASSCONV)
#define COMES_FIRST(o, t, r) \
	(mode[AT(t, r)] == NO && want[AT(o, r)] != NO && mode[AT(o, r)] == NO && \
	 place[AT(o, r)] < place[AT(t, r)] && !ADMITS(want[AT(t, r)], want[AT(o, r)]))
#else
#define COMES_FIRST(o, t, r) /* LOCK-3 */ \
	(mode[AT(t, r)] == NO && want[AT(o, r)] != NO && \
	 (mode[AT(o, r)] != NO || place[AT(o, r)] < place[AT(t, r)]) && \
	 !ADMITS(want[AT(t, r)], want[AT(o, r)]))
#endif

#define BLOCKS(o, t, r) \
	((o) != (t) && place[AT(o, r)] != 0 && (HOLDS_UP(o, t, r) || COMES_FIRST(o, t, r)))
#define CAN_GRANT(t, r) (!BLOCKS(0, t, r) && !BLOCKS(1, t, r) && !BLOCKS(2, t, r))
#define WAITS_FOR(t, o) (waiting[t] != 0 && BLOCKS(o, t, waiting[t] - 1))
#define CYCLE2(a, b) (WAITS_FOR(a, b) && WAITS_FOR(b, a))
#define CYCLE3(a, b, c) (WAITS_FOR(a, b) && WAITS_FOR(b, c) && WAITS_FOR(c, a))

/* --- The policy: queue.c -------------------------------------------------------------------------- */

/* LOCK-3, said without the rule that keeps it: t is about to be granted its new request for r. */
#define OVERTAKES(t, r, o) \
	(o != t && want[AT(o, r)] != NO && !ADMITS(want[AT(t, r)], want[AT(o, r)]) && \
	 (mode[AT(o, r)] != NO || place[AT(o, r)] < place[AT(t, r)]))

inline grant(t, r)
{
	assert(mode[AT(t, r)] != NO || (!OVERTAKES(t, r, 0) && !OVERTAKES(t, r, 1) && !OVERTAKES(t, r, 2)));
	mode[AT(t, r)] = want[AT(t, r)];
	want[AT(t, r)] = NO;
	if
	:: seen[AT(t, r)] == 0 -> seen[AT(t, r)] = ver[r] + 1
	:: else
	fi
}

/* Grants by ticket what waits at r and need not; each grant makes another round. */
inline wake(r)
{
	n = 1;
	do
	:: n > 0 ->
		n--;
		for (p : 1 .. TXS) {
			for (o : 0 .. TXS - 1) {
				if
				:: place[AT(o, r)] == p && want[AT(o, r)] != NO && waiting[o] == r + 1 && CAN_GRANT(o, r) ->
					grant(o, r);
					waiting[o] = 0;
					n++
				:: else
				fi
			}
		}
	:: else -> break
	od;
	p = 0; o = 0
}

/* Out of the queue. Its mode is gone already. */
inline destroy(t, r)
{
	for (o : 0 .. TXS - 1) {
		if
		:: place[AT(o, r)] > place[AT(t, r)] -> place[AT(o, r)] = place[AT(o, r)] - 1
		:: else
		fi
	}
	place[AT(t, r)] = 0;
	o = 0
}

inline release_all(t)
{
	for (rr : 0 .. 1) {
		if
		:: place[AT(t, rr)] != 0 ->
			mode[AT(t, rr)] = NO;
#ifndef MUT_NOWAKE
			wake(rr);
#endif
			destroy(t, rr)
		:: else
		fi
	}
	rr = 0;
	doomed[t] = false
}

/* --- Deadlocks: graph.c ---------------------------------------------------------------------------- */

#ifdef MUT_OLDEST
#define PREFER(a, b) (age[a] < age[b])
#else
#define PREFER(a, b) (age[a] > age[b])
#endif
#define VICTIM2(a, b) (PREFER(a, b) -> a : b)
#define VICTIM3(a, b, c) (PREFER(a, b) -> VICTIM2(a, c) : VICTIM2(b, c))
#define OLDEST (!finished[0] -> 0 : (!finished[1] -> 1 : 2))

inline doom(t)
{
	assert(t != OLDEST); /* AGE-1 */
	doomed[t] = true;
	rr = waiting[t] - 1;
	want[AT(t, rr)] = NO;
	waiting[t] = 0;
#ifndef MUT_DOOMKEEPS
	wake(rr);
#endif
	rr = 0
}

/* Some cycle through t, a short one or a long one: its youngest gives way; until there is none. */
inline break_cycles(t)
{
	again = true;
	do
	:: again && waiting[t] != 0 ->
		if
		:: CYCLE2(t, (t + 1) % 3) -> v = VICTIM2(t, (t + 1) % 3); assert(v >= t && v >= (t + 1) % 3)
		:: CYCLE2(t, (t + 2) % 3) -> v = VICTIM2(t, (t + 2) % 3); assert(v >= t && v >= (t + 2) % 3)
		:: CYCLE3(t, (t + 1) % 3, (t + 2) % 3) -> v = VICTIM3(0, 1, 2); assert(v == 2)
		:: CYCLE3(t, (t + 2) % 3, (t + 1) % 3) -> v = VICTIM3(0, 1, 2); assert(v == 2)
		:: !CYCLE2(t, (t + 1) % 3) && !CYCLE2(t, (t + 2) % 3) &&
			   !CYCLE3(t, (t + 1) % 3, (t + 2) % 3) && !CYCLE3(t, (t + 2) % 3, (t + 1) % 3) ->
			again = false
		fi;
		if
		:: again -> doom(v)
		:: else
		fi;
#ifdef MUT_ONECYCLE
		again = false
#endif
	:: else -> break
	od;
	v = 0; again = false
}

/* --- The invariants --------------------------------------------------------------------------------- */

#define TOGETHER(a, b, r) \
	(ADMITS(mode[AT(a, r)], mode[AT(b, r)]) || ADMITS(mode[AT(b, r)], mode[AT(a, r)]))
#define STUCK(t) (waiting[t] != 0 && CAN_GRANT(t, waiting[t] - 1))

inline check()
{
	assert(TOGETHER(0, 1, 0) && TOGETHER(0, 2, 0) && TOGETHER(1, 2, 0)); /* LOCK-1 */
	assert(TOGETHER(0, 1, 1) && TOGETHER(0, 2, 1) && TOGETHER(1, 2, 1));
	assert(!CYCLE2(0, 1) && !CYCLE2(0, 2) && !CYCLE2(1, 2)); /* LOCK-4 */
	assert(!CYCLE3(0, 1, 2) && !CYCLE3(0, 2, 1));
	assert(!STUCK(0) && !STUCK(1) && !STUCK(2)) /* LOCK-5 */
}

/* --- The face: lock.c -------------------------------------------------------------------------------- */

/* Asks for m at r. After it t holds it, or waits (and may be doomed). */
inline request(t, r, m)
{
	if
	:: place[AT(t, r)] == 0 ->
		for (o : 0 .. TXS - 1) {
			if
			:: place[AT(o, r)] > place[AT(t, r)] && o != t -> place[AT(t, r)] = place[AT(o, r)]
			:: else
			fi
		}
		place[AT(t, r)] = place[AT(t, r)] + 1;
		o = 0
	:: else
	fi;
	want[AT(t, r)] = m;
	if
	:: CAN_GRANT(t, r) -> grant(t, r)
#ifdef MUT_UPGRADE
	:: !CAN_GRANT(t, r) && mode[AT(t, r)] != NO -> grant(t, r)
	:: !CAN_GRANT(t, r) && mode[AT(t, r)] == NO ->
#else
	:: else ->
#endif
		waiting[t] = r + 1;
#ifndef MUT_NOSEARCH
		break_cycles(t)
#endif
	fi;
	check()
}

/* The thread of a doomed waiter wakes: the request goes, then all that it holds. */
inline roll_back(t)
{
	release_all(t);
	restarts[t]++;
	assert(restarts[t] <= RESTARTS); /* AGE-2 */
#ifdef MUT_NEWAGE
	age[t] = last_age;
	last_age++;
#endif
	seen[AT(t, 0)] = 0; seen[AT(t, 1)] = 0;
	check()
}

#define CURRENT(t, r) (seen[AT(t, r)] == 0 || seen[AT(t, r)] == ver[r] + 1)

/* The commit gets its place in the order: w0, w1 say which points it writes. */
inline order(t, w0, w1)
{
	assert(CURRENT(t, 0) && CURRENT(t, 1)); /* SER-1 */
	ver[0] = ver[0] + (w0 -> 1 : 0);
	ver[1] = ver[1] + (w1 -> 1 : 0);
	seen[AT(t, 0)] = 0; seen[AT(t, 1)] = 0
}

active [TXS] proctype tx()
{
	byte m0; /* the lock that it needs, or has, for each point at commit */
	byte m1;
	byte ops;
	byte conflicts;

	d_step { age[_pid] = _pid }
begin:
	atomic {
		ops = 0; m0 = NO; m1 = NO;
		if
		:: goto locking
		:: conflicts < 2 -> goto optimistic
		fi
	}

#define RUNS(t) (waiting[t] == 0 && !doomed[t])

locking:
	do
	:: atomic { RUNS(_pid) && ops < OPS && mode[AT(_pid, 0)] < S -> ops++; request(_pid, 0, S) }
	:: atomic { RUNS(_pid) && ops < OPS && mode[AT(_pid, 0)] < U -> ops++; request(_pid, 0, U) }
	:: atomic { RUNS(_pid) && ops < OPS && mode[AT(_pid, 0)] < X -> ops++; request(_pid, 0, X) }
	:: atomic { RUNS(_pid) && ops < OPS && mode[AT(_pid, 1)] < S -> ops++; request(_pid, 1, S) }
	:: atomic { RUNS(_pid) && ops < OPS && mode[AT(_pid, 1)] < U -> ops++; request(_pid, 1, U) }
	:: atomic { RUNS(_pid) && ops < OPS && mode[AT(_pid, 1)] < X -> ops++; request(_pid, 1, X) }
	:: atomic { RUNS(_pid) && ops > 0 ->
		m0 = mode[AT(_pid, 0)]; m1 = mode[AT(_pid, 1)]; ops = 0; goto commit }
	:: atomic { doomed[_pid] -> goto restart }
	od;

optimistic:
	/* A snapshot. What it reads and writes is chosen here. */
	atomic {
		if
		:: m0 = S; m1 = X
		:: m0 = X; m1 = S
		:: m0 = X; m1 = NO
		:: m0 = X; m1 = X
		fi;
		seen[AT(_pid, 0)] = ver[0] + 1;
		seen[AT(_pid, 1)] = (m1 == NO -> 0 : ver[1] + 1)
	}
#ifdef MUT_VALIDFIRST
	atomic {
		if
		:: !CURRENT(_pid, 0) || !CURRENT(_pid, 1) -> conflicts++; goto restart
		:: else
		fi
	}
#endif
	/* Its locks, in order. */
	atomic { request(_pid, 0, m0) }
	atomic {
		if
		:: doomed[_pid] -> goto restart
		:: RUNS(_pid) && m1 != NO -> request(_pid, 1, m1)
		:: RUNS(_pid) && m1 == NO
		fi
	}
	atomic {
		if
		:: doomed[_pid] -> goto restart
		:: RUNS(_pid)
		fi;
#if !defined(MUT_NOVALID) && !defined(MUT_VALIDFIRST)
		if
		:: !CURRENT(_pid, 0) || !CURRENT(_pid, 1) -> conflicts++; goto restart
		:: else
		fi
#endif
	}

commit:
#ifdef MUT_EARLY
	atomic { release_all(_pid); check() }
	atomic { order(_pid, m0 == X, m1 == X); finished[_pid] = true; m0 = NO; m1 = NO; conflicts = 0; goto end }
#else
	atomic { order(_pid, m0 == X, m1 == X) }
	atomic { release_all(_pid); finished[_pid] = true; m0 = NO; m1 = NO; conflicts = 0; check(); goto end }
#endif

restart:
	atomic { roll_back(_pid); ops = 0; m0 = NO; m1 = NO; goto begin }

end:
	skip
}
