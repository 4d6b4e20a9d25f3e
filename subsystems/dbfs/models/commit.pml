/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Commit, group flush, checkpoint, block reuse, log recycling and crash, exhaustively.
 *
 * Two keys, one per writer; a commit replaces its key's value by a new data block (never over the
 * old one) and a record in the open log group. A group holds one or two commits and takes one of SLOTS
 * slots of the log ring. The disk keeps for each place a durable content and at most one unflushed
 * one; a power cut lets each unflushed write survive, vanish or tear by itself; the death of the
 * process alone leaves them in the host's cache. A checkpoint writes a tree (both keys) to one of two
 * places, flushes, writes a root naming it, flushes, and only then recycles log slots and blocks.
 *
 * Checked (docs/recovery.md has the same numbers):
 *   REC-1  a commit that was answered is there after every crash
 *   REC-2  what is there is a prefix of the commit order
 *   REC-3  no block that is reachable has other content than its commit wrote
 *   WAL-1  no group is written before the flush of its predecessor returned
 *   WAL-2  a slot is written again only when no root that can be recovered from needs it
 *   SPC-1  a block is allocated only when neither a recoverable root nor the log reaches it
 *
 * -DMUT_x removes a guard; each must make the search fail (models/run does both):
 *   MUT_NOFLUSH      answers before the flush           MUT_REUSE   frees blocks at commit
 *   MUT_RECYCLE      recycles before the root's flush   MUT_NODATA  recovery trusts the last group
 *   MUT_ROOTFIRST    no flush between tree and root     MUT_STALE   any whole group passes for the next
 *   MUT_TRUSTCACHE   recovery answers without a flush
 */
#define SLOTS 4
#define BLOCKS 5
#define COMMITS 6 /* two writers x three: the ring of slots wraps */
#ifndef CRASHES
#define CRASHES 2
#endif

#define TORN 15
#define KEY(id) ((id - 1) % 2) /* odd commits are writer 0's */

/* --- The disk: durable content; what is in the cache and not flushed (dirty bit set) --------- */
typedef Group { /* one log slot */
	byte seq;  /* position in the log, 0 = never written, TORN = torn */
	byte gid;  /* identity (stands for salt and CRC) */
	byte prev; /* identity of the predecessor: the chained CRC */
	byte a;    /* commits in it */
	byte b;
}
typedef Tree {
	byte id[2];  /* commit whose value each key has */
	byte blk[2]; /* and its block + 1 */
	byte gen;    /* TORN = torn */
}
typedef Root {
	byte gen; /* 0 = none, TORN = torn */
	byte seq; /* replay starts here */
	byte prev;
}
Group d_log[SLOTS];
Group c_log[SLOTS];
Tree d_tree[2];
Tree c_tree[2];
Root d_root[2];
Root c_root[2];
byte d_data[BLOCKS]; /* commit whose value the block holds */
byte c_data[BLOCKS];
byte log_dirty;  /* bit per slot */
byte data_dirty; /* bit per block */
byte tree_dirty;
byte root_dirty;
/* What the flush in progress covers. */
byte f_log; byte f_data; byte f_tree; byte f_root;

/* --- Memory ------------------------------------------------------------------------------------ */
byte key_id[2];  /* newest committed value of each key */
byte key_blk[2];
byte used;       /* bit per block: allocated */
byte limbo;      /* freed, waiting for a checkpoint */
byte limbo_ck;   /* freed, and the running checkpoint contains the free */
byte open_a; byte open_b;   /* the open group */
byte fly_a; byte fly_b;     /* the written one, not yet flushed */
bool flying; bool fly_flush;
byte next_seq; byte last_gid;
byte log_from;   /* first slot sequence that is needed */
byte gen;        /* of the newest root */
byte ck;         /* 0 idle, 1 tree written, 2 its flush runs, 3 root written, 4 its flush runs */
byte ck_seq; byte ck_prev;
bool running;
bool read_done; byte p_read; /* recovery has read, up to this commit */

/* --- Ghosts ------------------------------------------------------------------------------------ */
byte next_id;    /* next commit, never reused */
byte next_gid;
byte answered;   /* highest commit that a client was told of */
byte lost;       /* bit per commit: gone in a crash */
byte blk_of[COMMITS + 1]; /* what the log record of a commit says */
byte crashes;
byte i; byte k; byte p; byte t;

#define BIT(n) (1 << (n))
#define HAS(mask, n) ((mask) & BIT(n))

inline flush_begin() { f_log = log_dirty; f_data = data_dirty; f_tree = tree_dirty; f_root = root_dirty }
inline copy_group(d, s) { d.seq = s.seq; d.gid = s.gid; d.prev = s.prev; d.a = s.a; d.b = s.b }
inline copy_tree(d, s) {
	d.gen = s.gen; d.id[0] = s.id[0]; d.id[1] = s.id[1]; d.blk[0] = s.blk[0]; d.blk[1] = s.blk[1]
}
inline copy_root(d, s) { d.gen = s.gen; d.seq = s.seq; d.prev = s.prev }
inline flush_end() {
	for (i : 0 .. SLOTS - 1) { if :: HAS(f_log, i) -> copy_group(d_log[i], c_log[i]) :: else fi }
	for (i : 0 .. BLOCKS - 1) { if :: HAS(f_data, i) -> d_data[i] = c_data[i] :: else fi }
	for (i : 0 .. 1) {
		if :: HAS(f_tree, i) -> copy_tree(d_tree[i], c_tree[i]) :: else fi;
		if :: HAS(f_root, i) -> copy_root(d_root[i], c_root[i]) :: else fi
	}
	log_dirty = log_dirty & ~f_log; data_dirty = data_dirty & ~f_data;
	tree_dirty = tree_dirty & ~f_tree; root_dirty = root_dirty & ~f_root;
	f_log = 0; f_data = 0; f_tree = 0; f_root = 0
}

/* The power goes: each unflushed write survives, vanishes or tears. The cache then equals the disk. */
inline power_cut() {
	for (i : 0 .. SLOTS - 1) {
		if
		:: HAS(log_dirty, i) -> if
			:: copy_group(d_log[i], c_log[i])
			:: skip
			:: d_log[i].seq = TORN fi
		:: else fi;
		copy_group(c_log[i], d_log[i])
	}
	for (i : 0 .. BLOCKS - 1) {
		if
		:: HAS(data_dirty, i) -> if :: d_data[i] = c_data[i] :: skip :: d_data[i] = TORN fi
		:: else fi;
		c_data[i] = d_data[i]
	}
	for (i : 0 .. 1) {
		if
		:: HAS(tree_dirty, i) -> if
			:: copy_tree(d_tree[i], c_tree[i])
			:: skip
			:: d_tree[i].gen = TORN fi
		:: else fi;
		copy_tree(c_tree[i], d_tree[i]);
		if
		:: HAS(root_dirty, i) -> if
			:: copy_root(d_root[i], c_root[i])
			:: skip
			:: d_root[i].gen = TORN fi
		:: else fi;
		copy_root(c_root[i], d_root[i])
	}
	log_dirty = 0; data_dirty = 0; tree_dirty = 0; root_dirty = 0
}

/* Memory is gone; the fixed values make states equal that differ only in forgotten things. */
inline forget() {
	running = false; read_done = false; p_read = 0; flying = false; fly_flush = false; ck = 0; open_a = 0; open_b = 0; fly_a = 0; fly_b = 0;
	f_log = 0; f_data = 0; f_tree = 0; f_root = 0; limbo = 0; limbo_ck = 0; used = 0;
	key_id[0] = 0; key_id[1] = 0; key_blk[0] = 0; key_blk[1] = 0; ck_seq = 0; ck_prev = 0
}

inline apply(id) {
	key_id[KEY(id)] = id;
	key_blk[KEY(id)] = blk_of[id];
	p = id
}

/* Is the group in slot t whole as far as recovery checks: its data, if it is the last one? */
inline replay() {
	do
	:: t = next_seq % SLOTS;
	   if
#ifdef MUT_STALE
	   :: c_log[t].seq == 0 || c_log[t].seq == TORN || next_seq - log_from == SLOTS -> break
#else
	   :: c_log[t].seq != next_seq -> break
	   :: c_log[t].seq == next_seq && c_log[t].prev != last_gid -> break
#endif
	   :: else
	   fi;
#ifndef MUT_NODATA
	   /* The last group: no valid successor. Any commit of it without its data drops all of it. */
	   if
	   :: !(c_log[(next_seq + 1) % SLOTS].seq == next_seq + 1 &&
		c_log[(next_seq + 1) % SLOTS].prev == c_log[t].gid) ->
		if
		:: c_data[blk_of[c_log[t].a] - 1] != c_log[t].a -> break
		:: c_log[t].b != 0 && c_data[blk_of[c_log[t].b] - 1] != c_log[t].b -> break
		:: else
		fi
	   :: else
	   fi;
#endif
	   apply(c_log[t].a);
	   if :: c_log[t].b != 0 -> apply(c_log[t].b) :: else fi;
	   last_gid = c_log[t].gid;
	   next_seq++
	od
}

/* The newest whole root whose tree is whole; there always is one. */
inline choose_root() {
	k = 2;
	gen = 0;
	for (i : 0 .. 1) {
		if
		:: c_root[i].gen != TORN && c_root[i].gen > gen -> gen = c_root[i].gen; k = i
		:: else
		fi
	}
	assert(k != 2)
}

inline check_recovered() {
	/* REC-1, REC-2: the values of some prefix that holds every answered commit. */
	assert(p >= answered);
	for (k : 0 .. 1) {
		t = 0;
		for (i : 1 .. COMMITS) {
			if :: i <= p && i < next_id && !HAS(lost, i) && KEY(i) == k -> t = i :: else fi
		}
		assert(key_id[k] == t);
		/* REC-3 */
		assert(t == 0 || c_data[key_blk[k] - 1] == t)
	}
}

inline lose_the_rest() {
	for (i : 1 .. COMMITS) {
		if :: i > p_read && i < next_id -> lost = lost | BIT(i) :: else fi
	}
}

inline recover() {
	choose_root();
	assert(c_tree[k].gen == gen); /* the root's flush came after its tree's */
	key_id[0] = c_tree[k].id[0]; key_id[1] = c_tree[k].id[1];
	key_blk[0] = c_tree[k].blk[0]; key_blk[1] = c_tree[k].blk[1];
	next_seq = c_root[k].seq; last_gid = c_root[k].prev; log_from = next_seq;
	p = (key_id[0] > key_id[1] -> key_id[0] : key_id[1]);
	/* Blocks of the tree stay used until the next checkpoint: the root reaches them. */
	used = 0;
	for (i : 0 .. 1) {
		if :: key_blk[i] != 0 -> used = used | BIT(key_blk[i] - 1) :: else fi
	}
	limbo = used;
	replay();
	/* What the log's groups wrote is used, whether superseded or not. */
	for (t : log_from .. next_seq) {
		if
		:: t < next_seq ->
			used = used | BIT(blk_of[c_log[t % SLOTS].a] - 1);
			limbo = limbo | BIT(blk_of[c_log[t % SLOTS].a] - 1);
			if
			:: c_log[t % SLOTS].b != 0 ->
				used = used | BIT(blk_of[c_log[t % SLOTS].b] - 1);
				limbo = limbo | BIT(blk_of[c_log[t % SLOTS].b] - 1)
			:: else
			fi
		:: else
		fi
	}
	for (i : 0 .. 1) {
		if :: key_blk[i] != 0 -> limbo = limbo & ~BIT(key_blk[i] - 1) :: else fi
	}
	check_recovered();
	p_read = p
}

/* May block i be handed out? SPC-1 is checked against the disk itself: no root that recovery could choose. */
inline check_unreachable(free_block) {
	for (t : 0 .. 1) {
		if
		:: d_root[t].gen == gen && gen != 0 ->
			assert(d_tree[t].blk[0] != free_block + 1 && d_tree[t].blk[1] != free_block + 1)
		:: else
		fi
	}
}

active proctype machine()
{
	/* A fresh volume: generation 1, empty tree. */
	d_root[0].gen = 1; d_root[0].seq = 1; d_tree[0].gen = 1;
	c_root[0].gen = 1; c_root[0].seq = 1; c_tree[0].gen = 1;
	next_id = 1; next_gid = 1; next_seq = 1; log_from = 1; gen = 1; running = true;

end:
	do
	/* A commit: a new block, its data, a record in the open group. */
	:: atomic { running && next_id <= COMMITS && open_b == 0 ->
		if
		:: !HAS(used, 0) -> k = 0
		:: HAS(used, 0) && !HAS(used, 1) -> k = 1
		:: HAS(used, 0) && HAS(used, 1) && !HAS(used, 2) -> k = 2
		:: HAS(used, 0) && HAS(used, 1) && HAS(used, 2) && !HAS(used, 3) -> k = 3
		:: HAS(used, 0) && HAS(used, 1) && HAS(used, 2) && HAS(used, 3) && !HAS(used, 4) -> k = 4
		:: used == 31 -> k = BLOCKS
		fi;
		if
		:: k < BLOCKS ->
			check_unreachable(k);
			used = used | BIT(k);
			c_data[k] = next_id;
			data_dirty = data_dirty | BIT(k);
			blk_of[next_id] = k + 1;
			if :: open_a == 0 -> open_a = next_id :: else -> open_b = next_id fi;
			/* The value that it replaces. */
			t = key_blk[KEY(next_id)];
			if
#ifdef MUT_REUSE
			:: t != 0 -> used = used & ~BIT(t - 1)
#else
			:: t != 0 -> limbo = limbo | BIT(t - 1)
#endif
			:: else
			fi;
			key_id[KEY(next_id)] = next_id;
			key_blk[KEY(next_id)] = k + 1;
			next_id++
		:: else /* full until a checkpoint */
		fi
	   }
	/* WAL-1: the open group is written when no other is on its way and the ring has room. */
	:: atomic { running && open_a != 0 && !flying && next_seq - log_from < SLOTS ->
		t = next_seq % SLOTS;
		assert(!HAS(log_dirty, t)); /* WAL-2 */
		c_log[t].seq = next_seq; c_log[t].gid = next_gid; c_log[t].prev = last_gid;
		c_log[t].a = open_a; c_log[t].b = open_b;
		log_dirty = log_dirty | BIT(t);
		last_gid = next_gid; next_gid++; next_seq++;
		fly_a = open_a; fly_b = open_b; open_a = 0; open_b = 0;
		flying = true; fly_flush = false
	   }
#ifdef MUT_NOFLUSH
	:: atomic { running && flying && !fly_flush ->
		answered = (fly_b != 0 -> fly_b : fly_a); flying = false; fly_a = 0; fly_b = 0 }
#endif
	:: atomic { running && flying && !fly_flush && ck != 2 && ck != 4 -> flush_begin(); fly_flush = true }
	:: atomic { running && flying && fly_flush ->
		flush_end();
		answered = (fly_b != 0 -> fly_b : fly_a);
		flying = false; fly_flush = false; fly_a = 0; fly_b = 0
	   }
	/* Checkpoint: at a moment without an open or flying group (the frozen layer ends at a group). */
	:: atomic { running && ck == 0 && open_a == 0 && !flying && next_seq > log_from ->
		/* Generation g is in place (g - 1) % 2. */
		c_tree[gen % 2].gen = gen + 1;
		c_tree[gen % 2].id[0] = key_id[0]; c_tree[gen % 2].id[1] = key_id[1];
		c_tree[gen % 2].blk[0] = key_blk[0]; c_tree[gen % 2].blk[1] = key_blk[1];
		tree_dirty = tree_dirty | BIT(gen % 2);
		ck_seq = next_seq; ck_prev = last_gid; limbo_ck = limbo; limbo = 0; ck = 1
	   }
#ifdef MUT_ROOTFIRST
	:: atomic { running && ck == 1 ->
#else
	:: atomic { running && ck == 1 && !fly_flush -> flush_begin(); ck = 2 }
	:: atomic { running && ck == 2 -> flush_end();
#endif
		c_root[gen % 2].gen = gen + 1; c_root[gen % 2].seq = ck_seq; c_root[gen % 2].prev = ck_prev;
		root_dirty = root_dirty | BIT(gen % 2);
		ck = 3;
#ifdef MUT_RECYCLE
		log_from = ck_seq
#endif
	   }
	:: atomic { running && ck == 3 && !fly_flush -> flush_begin(); ck = 4 }
	:: atomic { running && ck == 4 -> flush_end();
		gen++; log_from = ck_seq;
		used = used & ~limbo_ck; limbo_ck = 0; ck = 0; ck_seq = 0; ck_prev = 0
	   }
	/* Crashes, also while recovery runs (running is false). */
	:: atomic { crashes < CRASHES -> crashes++; power_cut(); forget() }
	:: atomic { crashes < CRASHES && running -> crashes++; forget() /* the process dies, the cache stays */ }
	/* Recovery: read (the cache too); flush what was accepted; answer. A crash may come in between. */
	:: atomic { !running && !read_done -> recover(); read_done = true }
	:: atomic { !running && read_done ->
#ifndef MUT_TRUSTCACHE
		flush_begin(); flush_end();
#endif
		lose_the_rest();
		answered = p_read; /* what it shows to clients is promised from now on */
		running = true; read_done = false; p_read = 0
	   }
	od
}
