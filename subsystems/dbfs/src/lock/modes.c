/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The two tables of modes: Gray and Reuter, "Transaction Processing", tables 7.11 and 7.12. */
#include "lock/lock.h"

bool dbfs_lock_compatible(enum dbfs_lock_mode granted, enum dbfs_lock_mode requested)
{
	/* One row a granted mode; bit m: mode m may come in. */
	static const uint8_t admits[DBFS_LOCK_MODES] = {
		[DBFS_LOCK_NONE] = 0x7f,
		[DBFS_LOCK_IS] = 1 << DBFS_LOCK_IS | 1 << DBFS_LOCK_IX | 1 << DBFS_LOCK_S |
				 1 << DBFS_LOCK_SIX | 1 << DBFS_LOCK_U,
		[DBFS_LOCK_IX] = 1 << DBFS_LOCK_IS | 1 << DBFS_LOCK_IX,
		[DBFS_LOCK_S] = 1 << DBFS_LOCK_IS | 1 << DBFS_LOCK_S | 1 << DBFS_LOCK_U,
		[DBFS_LOCK_SIX] = 1 << DBFS_LOCK_IS,
		[DBFS_LOCK_U] = 0,
		[DBFS_LOCK_X] = 0,
	};

	return requested == DBFS_LOCK_NONE || (admits[granted] >> requested & 1) != 0;
}

/* The modes form a lattice but for U, which joined with a writer's intention is X. */
enum dbfs_lock_mode dbfs_lock_join(enum dbfs_lock_mode a, enum dbfs_lock_mode b)
{
	enum {
		NO = DBFS_LOCK_NONE,
		IS = DBFS_LOCK_IS,
		IX = DBFS_LOCK_IX,
		S = DBFS_LOCK_S,
		SIX = DBFS_LOCK_SIX,
		U = DBFS_LOCK_U,
		X = DBFS_LOCK_X,
	};
	static const uint8_t join[DBFS_LOCK_MODES][DBFS_LOCK_MODES] = {
		{NO, IS, IX, S, SIX, U, X},      /* NONE */
		{IS, IS, IX, S, SIX, U, X},      /* IS */
		{IX, IX, IX, SIX, SIX, X, X},    /* IX */
		{S, S, SIX, S, SIX, U, X},       /* S */
		{SIX, SIX, SIX, SIX, SIX, X, X}, /* SIX */
		{U, U, X, U, X, U, X},           /* U */
		{X, X, X, X, X, X, X},           /* X */
	};

	return (enum dbfs_lock_mode)join[a][b];
}
