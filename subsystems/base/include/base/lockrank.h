/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The order of all locks, lowest first: a thread takes locks in rising rank only. The port's debug
 * builds keep the list of held locks and assert it. docs/locking.md has one row a rank: what the
 * lock protects and why it stands where it stands. Ranks are spaced so that one can be put between.
 */
#ifndef BASE_LOCKRANK_H
#define BASE_LOCKRANK_H

enum lock_rank {
	LOCK_RANK_NONE = 0, /* exempt from the check (tests, leaf locks of the port itself) */

	/* Sleeping locks of the kernel above DBFS. */
	LOCK_RANK_PROC_TREE = 100, /* parents, groups, sessions */
	LOCK_RANK_PROC = 110,      /* one process */
	LOCK_RANK_FILE_POS = 130,
	LOCK_RANK_TTY = 140,
	LOCK_RANK_PIPE = 150,
	LOCK_RANK_MM = 160,         /* one address space */
	LOCK_RANK_FS_CONTEXT = 190, /* root and working directory of a process */
	LOCK_RANK_MOUNT = 200,
	LOCK_RANK_RENAME = 210,
	LOCK_RANK_VNODE = 220,
	LOCK_RANK_VNODE2 = 221, /* the second of two, by address */
	LOCK_RANK_PAGE_CACHE = 240,
	LOCK_RANK_OBJECT_MAPS = 245, /* the mappings of one object */
	LOCK_RANK_FS = 250,          /* tmpfs, procfs, glue tables */
	LOCK_RANK_FDTABLE = 255, /* a leaf; procfs lists descriptors under a directory's position */
	LOCK_RANK_VIEW = 260,    /* one operation of a transaction's view */
	LOCK_RANK_VIEW_LIST = 270,   /* a volume's lists of views */
	LOCK_RANK_VNODE_TABLE = 282, /* an instance's vnodes; taken with or without fs locks held */
	LOCK_RANK_NAME_CACHE = 284,
	LOCK_RANK_VNODE_META = 286, /* cached attributes, advisory locks */
	LOCK_RANK_PAGE_LRU = 288,

	/* DBFS. */
	LOCK_RANK_DBFS_VOLUME = 300, /* open, close, mount state */
	LOCK_RANK_DBFS_CKPT = 310,   /* one checkpoint at a time */
	LOCK_RANK_DBFS_WRITER = 320, /* the writer lock: validation to ordering */
	LOCK_RANK_DBFS_LOCKMGR = 330,
	LOCK_RANK_DBFS_VERSIONS = 340, /* layers and snapshots list */
	LOCK_RANK_DBFS_WAL = 350,
	LOCK_RANK_DBFS_SPACE = 360,
	LOCK_RANK_DBFS_CACHE = 370,
	LOCK_RANK_DBFS_IO = 380,

	/* Devices and memory of the kernel: below DBFS because DBFS calls them. */
	LOCK_RANK_BLKDEV = 400,
	LOCK_RANK_HEAP = 450,
	LOCK_RANK_PAGES = 460,

	/* Spinlocks: nothing sleeps under them. */
	LOCK_RANK_SPIN_FUTEX = 495, /* the word is read under it */
	LOCK_RANK_SPIN_VM = 500,    /* leaf page tables */
	LOCK_RANK_SPIN_DEV = 510,
	LOCK_RANK_SPIN_SIGNAL = 520,
	LOCK_RANK_SPIN_MEM = 540,
	LOCK_RANK_SPIN_WAIT = 560,  /* wait queues */
	LOCK_RANK_SPIN_EPOLL = 565, /* an epoll's wait queue: woken from other queues' wake-ups */
	LOCK_RANK_SPIN_RUNQ = 570,
	LOCK_RANK_SPIN_TIMER = 580,
	LOCK_RANK_SPIN_CONSOLE = 590, /* last: a message can be printed from anywhere */
};

#endif
